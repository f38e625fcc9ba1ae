// The numbers of protocol 1, the same as in native/wire/*.h; test/tidy compares the two (docs/protocol.md is the specification).

export const FRAME_HEADER_BYTES = 16;
export const FRAME_BODY_MAX = 1_048_576;
export const RECORD_HEADER_BYTES = 24;
export const EVENT_BYTES_MAX = 0xffffffff;
export const EVENT_ID_MAX = 0x7fffffffffffffffn;
export const DIGEST_BYTES = 32;

/** Frame types; from 129 on only the server sends them. */
export const Frame = {
  OPEN: 1,
  BATCH: 2,
  APPEND: 3,
  READ: 4,
  CREDIT: 5,
  CANCEL: 6,
  META_GET: 7,
  META_PUT: 8,
  META_LIST: 9,
  EPOCH_PUT: 10,
  EPOCH_LIST: 11,
  FILE_PUT: 12,
  FILE_GET: 13,
  DIGEST: 14,
  TRIM: 15,
  PING: 16,
  ADMIN: 17,
  OPENED: 129,
  HEIGHT: 130,
  RECORDS: 131,
  SENT: 132,
  LIVE: 133,
  META_IS: 134,
  META_LISTED: 135,
  EPOCHS: 136,
  FILE_IS: 137,
  DIGEST_IS: 138,
  OK: 139,
  PONG: 140,
  ADMIN_IS: 141,
  ERROR: 255,
} as const;

export const Role = { WRITE: 1, READ: 2, ADMIN: 3 } as const;
export const Kind = { EITHER: 0, REAL: 1, FAKE: 2 } as const;
export const Verdict = { NONE: 0, SAME: 1, BEHIND: 2, AHEAD: 3, DIVERGED: 4 } as const;
export const SentReason = { LIMIT: 0, END: 1, CANCELLED: 2 } as const;
/** OPEN, offset 48: asks for shared memory. */
export const OPEN_RING = 1n;
export const READ_TAIL = 1;
export const ADMIN_MORE = 1;
export const ERROR_FATAL = 1;
export const ERROR_RETRY = 2;

/** The scope of Vere's top-level META; every other scope is the base of an epoch. */
export const SCOPE_TOP = 0xffffffffffffffffn;

export const META_KEY_MAX = 255;
export const META_VALUE_MAX = 65_536;
export const FILE_PIECE_BYTES = 524_288;
export const EPOCH_FILES = ["epoc.txt", "vere.txt", "image.bin", "north.bin", "south.bin"] as const;
/** The data area of one direction of a ring (docs/ring.md): a power of two in these limits. */
export const RING_BYTES_MIN = 65_536;
export const RING_BYTES_MAX = 67_108_864;
export const RING_BYTES_DEFAULT = 4_194_304;

export function isRingSize(bytes: number): boolean {
  return Number.isSafeInteger(bytes) && bytes >= RING_BYTES_MIN && bytes <= RING_BYTES_MAX && (bytes & (bytes - 1)) === 0;
}

export const PING_BYTES_MAX = 64;
export const READS_MAX = 16;
