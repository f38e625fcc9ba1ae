// Asks for answers that list ships: those of many ships come in parts (docs/protocol.md, "Administration").
import type { AdminAnswer, Client } from "../client/client.ts";

/** The whole answer to `list` or `status`, with the ships of all its parts. */
export async function askShips(admin: Client, question: Readonly<Record<string, unknown>>): Promise<AdminAnswer> {
  const ships: unknown[] = [];
  const take = (part: AdminAnswer): void => {
    if (Array.isArray(part.ships)) {
      for (const ship of part.ships) {
        ships.push(ship);
      }
    }
  };
  const answer = await admin.admin(question, take);
  take(answer);
  return { ...answer, ships };
}
