// The limits of a log's data in memory and in blocks, in one place (docs/schema.md, "Limits").

/** A block is sealed when its records reach this; small enough to read whole, large enough that headers and keys cost nothing. */
export const BLOCK_BYTES = 1 << 20;
/** A record or atomic batch above this is staged in pieces of this size and made visible by a manifest. */
export const PIECE_BYTES = 4 << 20;
/** Record-stream bytes a writer holds (queued, in a commit, or waiting for their digest) before it asks its session to stop reading. */
export const IN_FLIGHT_BYTES = 16 << 20;
/** Record-stream bytes that one read of the store asks for. */
export const READ_BYTES = 1 << 20;
/** The same of a store behind a network: several blocks are then on their way at once. */
export const REMOTE_READ_BYTES = 4 << 20;
/** Beyond what a read asks for, in the memory that a long read uses again and again: a usual block may end with a record beyond `BLOCK_BYTES`. */
export const READ_SLACK_BYTES = 1 << 20;
/** Blocks read back from the end while looking for the floor; no writer has more in flight. */
export const TAIL_BLOCKS_MAX = 4096;
/** Greatest atomic batch, in bytes of its record stream. */
export const BATCH_BYTES_MAX = 1n << 40n;
/** All META entries of one scope together: they travel in one frame. */
export const META_SCOPE_BYTES_MAX = 512 << 10;
/** Epochs of one log: they and their files are listed in one frame. */
export const EPOCHS_MAX = 4096;
