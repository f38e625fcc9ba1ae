/* libseguro: the client of Seguro, which keeps the event logs of Urbit ships. This header is the whole public
 * interface.
 *
 * A handle is one session of one ship with the sidecar, over its Unix socket (docs/protocol.md, version 1). It survives
 * lost connections and restarted sidecars: records are kept until acknowledged, sent again after a reconnect, and
 * compared by the sidecar, so that nothing is lost or doubled.
 *
 * The promise: an event that was acknowledged (seguro_wait returned 0, or seguro_height reached it) is durable and
 * contiguous.
 *
 * Threads: a handle and its readers are used by one thread at a time; different handles may be used by different
 * threads. The library has no global state, starts no thread, installs no signal handler and never raises SIGPIPE. It
 * is not fork-safe: a child must not use its parent's handle.
 *
 * Errors: functions that can fail return 0 (or a count) on success and a negative SEGURO_ERR_* code otherwise;
 * seguro_last_error has the details. A *permanent* error ends the handle: every later call returns the same code, and
 * nothing is acknowledged any more. SEGURO_ERR_TIMEOUT and the errors of one request are not permanent.
 *
 * Time: every timeout is in milliseconds, SEGURO_FOREVER waits without end, 0 does what can be done without waiting.
 * Pointers that a call hands out are valid until the next call on the same handle or one of its readers.
 */
#ifndef SEGURO_H
#define SEGURO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SEGURO_API __attribute__((visibility("default")))
#else
#define SEGURO_API
#endif

#define SEGURO_VERSION "0.1.0"
#define SEGURO_FOREVER (-1)
#define SEGURO_NEVER (-2)

/* Roles: one writer per ship at a time, any number of readers beside it. */
#define SEGURO_ROLE_WRITE 1
#define SEGURO_ROLE_READ 2

/* A fake ship and the real one of the same name are different ships. EITHER: whichever exists, a real one when neither
 * does. */
#define SEGURO_KIND_EITHER 0
#define SEGURO_KIND_REAL 1
#define SEGURO_KIND_FAKE 2

/* How the log stands to the pair (last id, digest) that the caller named at open. AHEAD and DIVERGED end in errors. */
#define SEGURO_VERDICT_NONE 0
#define SEGURO_VERDICT_SAME 1
#define SEGURO_VERDICT_BEHIND 2

/* AUTO: shared memory when the sidecar offers it, else the stream. RING: seguro_open fails with SEGURO_ERR_UNSUPPORTED
 * when it cannot be had; a session opened again later may still go on over the stream (seguro_transport_name). */
#define SEGURO_TRANSPORT_AUTO 0
#define SEGURO_TRANSPORT_STREAM 1
#define SEGURO_TRANSPORT_RING 2

#define SEGURO_READ_TAIL 1 /* seguro_reader_open: stay at the end of the log and deliver what is appended */

#define SEGURO_SCOPE_TOP 0xffffffffffffffffull /* metadata of the whole pier, not of one epoch */

/* Codes of the client itself. The sidecar's error number n (docs/protocol.md, "Errors") is the code -(100 + n). */
#define SEGURO_ERR_ARGUMENT (-1)     /* the caller's argument breaks a rule of this header */
#define SEGURO_ERR_MEMORY (-2)       /* no memory */
#define SEGURO_ERR_TIMEOUT (-3)      /* the time given has passed; what was queued stays queued */
#define SEGURO_ERR_CONNECT (-4)      /* permanent: no connection within the time given */
#define SEGURO_ERR_VERSION (-5)      /* permanent: the sidecar does not speak protocol version 1 */
#define SEGURO_ERR_PROTOCOL (-6)     /* permanent: the sidecar's bytes break the protocol */
#define SEGURO_ERR_LOST (-7)         /* permanent: the log lacks events that were acknowledged. Stop, call a human */
#define SEGURO_ERR_DIVERGED (-8)     /* permanent: the log has other events than this client's. Stop, call a human */
#define SEGURO_ERR_ORDER (-9)        /* an event id that does not follow the last one */
#define SEGURO_ERR_TOO_LARGE (-10)   /* an event or batch above the limit of seguro_info */
#define SEGURO_ERR_CHECKSUM (-11)    /* an event that was read fails its checksum; ends the reader */
#define SEGURO_ERR_UNSUPPORTED (-12) /* not in this build, or refused by the sidecar: shared memory */
#define SEGURO_ERR_SERVER(n) (-100 - (n))
#define SEGURO_ERR_BAD_ROLE SEGURO_ERR_SERVER(5)
#define SEGURO_ERR_SHIP_BUSY SEGURO_ERR_SERVER(10)
#define SEGURO_ERR_CLAIM_SETTLING SEGURO_ERR_SERVER(11)
#define SEGURO_ERR_FENCED SEGURO_ERR_SERVER(12)
#define SEGURO_ERR_NO_SUCH_SHIP SEGURO_ERR_SERVER(13)
#define SEGURO_ERR_SHIP_MOVED SEGURO_ERR_SERVER(17)
#define SEGURO_ERR_APPEND_CONFLICT SEGURO_ERR_SERVER(22)
#define SEGURO_ERR_BATCH_STRADDLES SEGURO_ERR_SERVER(24)
#define SEGURO_ERR_STORE_FULL SEGURO_ERR_SERVER(30)
#define SEGURO_ERR_NO_SUCH_EVENT SEGURO_ERR_SERVER(42)
#define SEGURO_ERR_META_MISMATCH SEGURO_ERR_SERVER(44)
#define SEGURO_ERR_NO_SUCH_FILE SEGURO_ERR_SERVER(46)
#define SEGURO_ERR_NO_SUCH_EPOCH SEGURO_ERR_SERVER(47)

typedef struct seguro seguro;
typedef struct seguro_reader seguro_reader;

/* One error in full. Texts are UTF-8 without control characters, never hold event bytes, and are empty when there is
 * nothing to say. */
typedef struct seguro_error {
  int code;             /* SEGURO_ERR_*, 0 when there was none */
  uint32_t server_code; /* the sidecar's number, 0 when the error is the client's own */
  uint64_t id;          /* the event concerned, or 0 */
  char name[40];        /* the sidecar's stable name, as "ship-busy" */
  char text[320];       /* a sentence */
  char hint[320];       /* what to do */
} seguro_error;

/* What a call that takes long waits for. Strings are valid during the callback. */
typedef struct seguro_stall {
  uint64_t waited_ms;
  const char *waiting_for; /* as "the acknowledgement of an event" */
  uint64_t id;             /* the event concerned, or 0 */
  int is_connected;        /* 0: there is no session at the moment; `cause` says why the last one ended or none began */
  const seguro_error *cause;
} seguro_stall;

/* Options of seguro_open. Zero it, set size_bytes, role, and what else should differ from its default (the value 0). */
typedef struct seguro_options {
  size_t size_bytes;            /* sizeof(seguro_options): lets the struct grow without breaking callers */
  int role;                     /* SEGURO_ROLE_*; required */
  int kind;                     /* SEGURO_KIND_* */
  int transport;                /* SEGURO_TRANSPORT_* */
  uint32_t log;                 /* 0 the current log; role read only: the number of an earlier one */
  uint64_t buffer_bytes;        /* records kept until acknowledged, default 64 MiB; one event of any size always passes */
  uint64_t read_window_bytes;   /* what a reader fetches ahead, default 4 MiB; an event of any size always passes */
  int64_t open_timeout_ms;      /* default 10,000: how long seguro_open tries, also while the ship is busy */
  int64_t reconnect_timeout_ms; /* default SEGURO_FOREVER; SEGURO_NEVER ends the handle at the first lost connection */
  uint64_t last_id;             /* the greatest event the caller knows was acknowledged, 0 for none */
  uint8_t last_digest[32];      /* its digest, or zeros: then only heights are compared */
  /* Called from within a call on the handle when the acknowledged height rises. Must not call the handle. */
  void (*on_height)(void *context, uint64_t height);
  /* Called after 1, 10 and 60 s of one blocking call. Must not call the handle. */
  void (*on_stall)(void *context, const seguro_stall *stall);
  void *context;
  /* Shared memory: the wished size of each direction, up to 64 MiB; default: the sidecar's choice. */
  uint64_t ring_bytes;
  /* How long a wait looks at the shared memory before it sleeps, up to 10,000; default 5, -1: not at all. */
  int32_t spin_us;
} seguro_options;

/* The session as the sidecar described it at the last (re)open, with the pair (digest id, digest) of the newest
 * acknowledgement. */
typedef struct seguro_info {
  uint32_t log;
  int kind;        /* SEGURO_KIND_REAL or _FAKE */
  int verdict;     /* SEGURO_VERDICT_*, of the first open */
  uint64_t base;   /* id of the log's first event, 0 when it was empty */
  uint64_t height; /* greatest acknowledged id, 0 when empty; same as seguro_height */
  uint64_t epoch;  /* of the claim (role write), else 0 */
  uint64_t event_bytes_max;
  uint64_t batch_bytes_max;
  uint64_t digest_id; /* may trail the height; 0: no digest yet */
  uint8_t digest[32];
} seguro_info;

typedef struct seguro_event {
  uint64_t id;
  const void *bytes; /* valid until the next call on the handle or a reader of it */
  uint64_t length_bytes;
} seguro_event;

/* ---- session ---- */

/* Opens a session as `ship` ("~zod") on the socket at `path`, and returns when the sidecar has said the height. Retries
 * what may pass (no socket yet, ship-busy, claim-settling) for open_timeout_ms. On failure *out is NULL and, when
 * `error` is not NULL, *error has the details. The handle belongs to the caller until seguro_close. */
SEGURO_API int seguro_open(seguro **out, const char *path, const char *ship, const seguro_options *options, seguro_error *error);
/* Ends the session and frees the handle and its readers. Does not wait: records not yet acknowledged may or may not be
 * stored. NULL is allowed. */
SEGURO_API void seguro_close(seguro *handle);
SEGURO_API void seguro_get_info(const seguro *handle, seguro_info *info);
/* Greatest acknowledged event id, 0 for an empty log. For a reader the height at the last (re)open or live mark. */
SEGURO_API uint64_t seguro_height(const seguro *handle);
/* The id that the next append continues with; 0: the log is empty and any id from 1 on may begin it. */
SEGURO_API uint64_t seguro_next_id(const seguro *handle);
/* Bytes of record stream that are kept because they are not acknowledged. */
SEGURO_API uint64_t seguro_unacknowledged_bytes(const seguro *handle);
/* What carries the present session, or the last one: "stream" or "ring". */
SEGURO_API const char *seguro_transport_name(const seguro *handle);
/* The newest error of this handle, valid until the next call; code 0 when there was none. After SEGURO_ERR_TIMEOUT it
 * is the cause of the last lost connection, if any. */
SEGURO_API const seguro_error *seguro_last_error(const seguro *handle);
/* A short English text for any code, static. */
SEGURO_API const char *seguro_strerror(int code);
/* SEGURO_VERSION of the library that runs. */
SEGURO_API const char *seguro_version(void);

/* ---- append (role write) ---- */

/* Queues one event of 0 to event_bytes_max bytes, copying it, and does not wait for its acknowledgement. `id` follows
 * the last one (seguro_next_id), or repeats an acknowledged event, which the sidecar compares: equal bytes are
 * acknowledged again, others end the handle (SEGURO_ERR_APPEND_CONFLICT). Repeats go one by one, each waiting for what
 * is unacknowledged before it; for many, use seguro_append_atomic. Queued records leave in large frames when 64 KiB
 * wait or at the next seguro_flush, _wait or _poll. Blocks only while the buffer (buffer_bytes) is full or a repeat
 * waits, at most timeout_ms; after SEGURO_ERR_TIMEOUT the event is not queued. */
SEGURO_API int seguro_append(seguro *handle, uint64_t id, const void *bytes, uint64_t length_bytes, int64_t timeout_ms);
/* Queues `count` (1 or more) events with ids from first_id on that become durable as a whole or not at all. */
SEGURO_API int seguro_append_atomic(seguro *handle, uint64_t first_id, uint64_t count, const void *const *bytes,
                                    const uint64_t *length_bytes, int64_t timeout_ms);
/* Sends what is queued as far as the socket or the shared memory takes it without waiting. */
SEGURO_API int seguro_flush(seguro *handle);
/* Waits until event `id` and all before it are acknowledged, sending what is queued and reconnecting as needed. */
SEGURO_API int seguro_wait(seguro *handle, uint64_t id, int64_t timeout_ms);

/* ---- event loops ---- */

/* Sends, receives and reconnects as far as possible without waiting. Callbacks run from here. Call it when the
 * descriptor speaks, and always before waiting for it: over shared memory the sidecar makes the descriptor speak only
 * for what happens after a seguro_poll. Another call on the handle in between may end that; seguro_poll_timeout_ms then
 * says 0. */
SEGURO_API int seguro_poll(seguro *handle);
/* The descriptor to watch and what for (POLLIN, POLLOUT), or -1 while there is no connection. It changes with a
 * reconnect, so ask again after every call. The descriptor stays the handle's: nothing else may read from it. */
SEGURO_API int seguro_fd(const seguro *handle, short *poll_events);
/* Call seguro_poll again after so many milliseconds even when the descriptor is silent; SEGURO_FOREVER: not needed. */
SEGURO_API int64_t seguro_poll_timeout_ms(const seguro *handle);

/* ---- read (both roles) ---- */

/* Starts reading at `from_id` (or the log's first event above it), at most `limit` events (0: no limit). flags: 0 or
 * SEGURO_READ_TAIL. Up to 16 readers at once. A reader goes on after a reconnect. */
SEGURO_API int seguro_reader_open(seguro_reader **out, seguro *handle, uint64_t from_id, uint64_t limit, int flags);
/* The next event: returns 1 and fills *event, 0 at the end, or an error. Checksums are checked on the client's own copy
 * and ids rise by exactly one. SEGURO_ERR_TIMEOUT may be followed by another call. */
SEGURO_API int seguro_reader_next(seguro_reader *reader, seguro_event *event, int64_t timeout_ms);
/* With SEGURO_READ_TAIL: the height at which everything older had been sent, 0 as long as that is not so. */
SEGURO_API uint64_t seguro_reader_live_height(const seguro_reader *reader);
/* Frees the reader, in mid-read too. NULL is allowed; not after seguro_close of its handle. */
SEGURO_API void seguro_reader_close(seguro_reader *reader);

/* ---- metadata: Vere's META of the pier (SEGURO_SCOPE_TOP) and of its epochs (scope: the epoch's base) ---- */

/* *length_bytes is -1 when the key is missing (the call returns 0); a zero-length value is a value. */
SEGURO_API int seguro_meta_get(seguro *handle, uint64_t scope, const void *key, size_t key_bytes, const void **value, int64_t *length_bytes,
                               int64_t timeout_ms);
/* Durable on return. Keys of 1 to 255 bytes, values of 0 to 65,536. */
SEGURO_API int seguro_meta_put(seguro *handle, uint64_t scope, const void *key, size_t key_bytes, const void *value, size_t value_bytes,
                               int64_t timeout_ms);
typedef void (*seguro_meta_visit)(void *context, const void *key, size_t key_bytes, const void *value, size_t value_bytes);
/* Visits every key of a scope in key order. The visitor must not call the handle. */
SEGURO_API int seguro_meta_list(seguro *handle, uint64_t scope, seguro_meta_visit visit, void *context, int64_t timeout_ms);

/* ---- epochs and their files ---- */

/* Declares the epoch whose events begin at base_id + 1; durable on return; repeating it changes nothing. */
SEGURO_API int seguro_epoch_put(seguro *handle, uint64_t base_id, int64_t timeout_ms);
/* One file of an epoch; name is NULL for an epoch without files. */
typedef struct seguro_epoch_file {
  uint64_t base_id;
  const char *name; /* terminated; valid during the visit */
  uint64_t file_bytes;
  uint32_t file_crc32c;
} seguro_epoch_file;
typedef void (*seguro_epoch_visit)(void *context, const seguro_epoch_file *file);
/* Visits every epoch and file, by base and name. The visitor must not call the handle. */
SEGURO_API int seguro_epoch_list(seguro *handle, seguro_epoch_visit visit, void *context, int64_t timeout_ms);
/* Stores or replaces a whole file ("epoc.txt", "vere.txt", "image.bin", "north.bin", "south.bin"); durable on return.
 */
SEGURO_API int seguro_file_put(seguro *handle, uint64_t base_id, const char *name, const void *bytes, uint64_t total_bytes,
                               int64_t timeout_ms);
/* Reads up to capacity_bytes from offset_bytes on. Returns the bytes read, 0 at the end; *total_bytes is the file's
 * length. */
SEGURO_API int64_t seguro_file_get(seguro *handle, uint64_t base_id, const char *name, uint64_t offset_bytes, void *into,
                                   uint64_t capacity_bytes, uint64_t *total_bytes, int64_t timeout_ms);

/* ---- the rest ---- */

/* The digest of the log up to `id`, base - 1 to the height (docs/protocol.md, "Digest"). */
SEGURO_API int seguro_digest_get(seguro *handle, uint64_t id, uint8_t digest[32], int64_t timeout_ms);
/* A round trip. */
SEGURO_API int seguro_ping(seguro *handle, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
