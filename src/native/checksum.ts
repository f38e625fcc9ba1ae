// CRC32C from the addon, for single frames and small files.
import { addon } from "./addon.ts";

/** Extends `start` (0 for the first piece) over `bytes`. */
export const crc32c = (addon as { crc32c(bytes: Uint8Array, start?: number): number }).crc32c;
