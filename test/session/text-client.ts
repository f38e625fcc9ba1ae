// A client of protocol 0 written from the draft alone (reference/protocol-v0.md), on a bare socket: it shares no code with what it tests.
import net from "node:net";

/** What the server says: a block of text, or an event. */
export interface Said {
  readonly text: string;
  readonly body: Buffer | null;
}

export class TextClient {
  readonly #socket: net.Socket;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(path: string) {
    this.#socket = net.connect(path);
    this.#socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
      this.#wake();
    });
    this.#socket.on("error", () => undefined);
    for (const end of ["end", "close"]) {
      this.#socket.on(end, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** Handshakes as `ship`; the height that WELCOME names (0n for none), or null when the server hung up instead. */
  static async welcome(path: string, ship: string): Promise<{ client: TextClient; height: bigint | null }> {
    const client = new TextClient(path);
    const offer = (await client.text()) ?? "";
    if (!offer.startsWith("SEGURO ") || !offer.split(" ").slice(1).includes("0")) {
      throw new Error(`not offered version 0: ${offer}`);
    }
    client.send("HELLO 0\0");
    if ((await client.text()) !== "IDENTIFY 0") {
      throw new Error("not identified");
    }
    client.send(`POINT ${ship}\0`);
    const welcome = await client.text();
    if (welcome === null) {
      return { client, height: null };
    }
    const [word, name, id] = welcome.split(" ");
    if (word !== "WELCOME" || name !== ship) {
      throw new Error(`not welcomed: ${welcome}`);
    }
    return { client, height: BigInt(id ?? 0) };
  }

  send(...parts: (string | Buffer)[]): void {
    for (const part of parts) {
      this.#socket.write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
    }
  }

  /** Sends and resolves when the kernel has it, so that pieces stay pieces. */
  sendNow(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** The next thing the server says, or null when it has hung up. Throws when that is not of the protocol. */
  async next(): Promise<Said | null> {
    const text = await this.#until();
    if (text === null) {
      return null;
    }
    // The NUL that ended this text is the version tag of the newt.
    if (!/^EVENT \d+ $/.test(text)) {
      return { text, body: null };
    }
    const head = await this.#take(4);
    const body = head === null ? null : await this.#take(head.readUInt32LE(0));
    const nul = await this.#take(1);
    if (body === null || nul?.[0] !== 0) {
      throw new Error("an event was cut short, or has no NUL");
    }
    return { text: text.trimEnd(), body };
  }

  async text(): Promise<string | null> {
    const said = await this.next();
    if (said !== null && said.body !== null) {
      throw new Error(`an event where a text was due: ${said.text}`);
    }
    return said?.text ?? null;
  }

  /** Resolves with whatever the server said until it hung up. */
  async hungUp(): Promise<string[]> {
    const texts: string[] = [];
    for (let said = await this.next(); said !== null; said = await this.next()) {
      texts.push(said.text);
    }
    return texts;
  }

  /** All that a READ is answered with. */
  async read(from: bigint, limit: bigint): Promise<{ events: Map<bigint, Buffer>; sent: string }> {
    this.send(`READ ${from} ${limit}\0`);
    const events = new Map<bigint, Buffer>();
    for (let said = await this.next(); said !== null; said = await this.next()) {
      if (said.body === null) {
        return { events, sent: said.text };
      }
      events.set(BigInt(said.text.slice(6)), said.body);
    }
    throw new Error("the server hung up in a read");
  }

  close(): void {
    this.#socket.destroy();
  }

  async #more(): Promise<boolean> {
    if (this.#ended) {
      return false;
    }
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return true;
  }

  #joined(): Buffer {
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  async #take(count: number): Promise<Buffer | null> {
    while (this.#bytes < count) {
      if (!(await this.#more())) {
        return null;
      }
    }
    const all = this.#joined();
    this.#chunks = [all.subarray(count)];
    this.#bytes -= count;
    return all.subarray(0, count);
  }

  async #until(): Promise<string | null> {
    for (;;) {
      const all = this.#joined();
      const nul = all.indexOf(0);
      if (nul >= 0) {
        const text = await this.#take(nul + 1);
        return text === null ? null : text.toString("latin1", 0, nul);
      }
      if (!(await this.#more())) {
        return null;
      }
    }
  }
}

/** Vere's frame: a zero byte, the length in four, the body. */
export function newt(body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(body.length, 1);
  return Buffer.concat([head, body]);
}

export function writeOne(id: bigint | string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`WRITE ${id} `), newt(body), Buffer.alloc(1)]);
}

export function eventOf(id: bigint, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`EVENT ${id} `), newt(body), Buffer.alloc(1)]);
}

/** A whole batch as the draft has it. */
export function writeBatch(start: bigint, bodies: readonly Buffer[]): Buffer {
  const numbers = `${bodies.length} ${start} ${start + BigInt(bodies.length) - 1n}`;
  const events = bodies.map((body, index) => eventOf(start + BigInt(index), body));
  return Buffer.concat([Buffer.from(`WRITE BATCH ${numbers}\0`), ...events, Buffer.from(`END BATCH ${numbers}\0`)]);
}
