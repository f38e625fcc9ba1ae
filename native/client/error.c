/* Error codes, their texts, and the last error of a handle. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

typedef struct code_text {
  int code;
  const char *text;
} code_text;

/* Server errors: docs/protocol.md, "Errors". */
static const code_text code_texts[] = {
    {0, "success"},
    {SEGURO_ERR_ARGUMENT, "an argument breaks a rule of seguro.h"},
    {SEGURO_ERR_MEMORY, "no memory"},
    {SEGURO_ERR_TIMEOUT, "the time given has passed"},
    {SEGURO_ERR_CONNECT, "no connection to the sidecar"},
    {SEGURO_ERR_VERSION, "the sidecar does not speak protocol version 1"},
    {SEGURO_ERR_PROTOCOL, "the sidecar's bytes break the protocol"},
    {SEGURO_ERR_LOST, "the log lacks events that were acknowledged; stop and call a human"},
    {SEGURO_ERR_DIVERGED, "the log holds other events than this client's; stop and call a human"},
    {SEGURO_ERR_ORDER, "an event id that does not follow the last one"},
    {SEGURO_ERR_TOO_LARGE, "an event or batch above the sidecar's limit"},
    {SEGURO_ERR_CHECKSUM, "an event that was read fails its checksum"},
    {SEGURO_ERR_UNSUPPORTED, "not in this build of libseguro, or refused by the sidecar"},
    {SEGURO_ERR_SERVER(1), "bad-frame: the sidecar could not follow the frames"},
    {SEGURO_ERR_SERVER(2), "bad-type: the sidecar does not know a frame's type"},
    {SEGURO_ERR_SERVER(3), "not-open: a frame before OPEN"},
    {SEGURO_ERR_SERVER(4), "already-open: a second OPEN"},
    {SEGURO_ERR_SERVER(5), "bad-role: the session's role does not allow this"},
    {SEGURO_ERR_SERVER(6), "bad-open: an unknown role, kind or option"},
    {SEGURO_ERR_SERVER(10), "ship-busy: another session writes this ship"},
    {SEGURO_ERR_SERVER(11), "claim-settling: the session before this one still has commits in flight"},
    {SEGURO_ERR_SERVER(12), "fenced: another writer has taken over this ship"},
    {SEGURO_ERR_SERVER(13), "no-such-ship: there is no log of this ship"},
    {SEGURO_ERR_SERVER(14), "ambiguous-ship: a real and a fake ship of this name exist; name the kind"},
    {SEGURO_ERR_SERVER(15), "no-such-log: the log number is not there"},
    {SEGURO_ERR_SERVER(16), "forbidden: this user may not use this ship"},
    {SEGURO_ERR_SERVER(20), "bad-record: a record arrived damaged"},
    {SEGURO_ERR_SERVER(21), "append-gap: an event id above the expected one"},
    {SEGURO_ERR_SERVER(22), "append-conflict: this event is stored with other bytes; somebody else wrote this ship's log"},
    {SEGURO_ERR_SERVER(23), "bad-batch: an atomic batch is not as announced"},
    {SEGURO_ERR_SERVER(24), "batch-straddles: an atomic batch is stored in part"},
    {SEGURO_ERR_SERVER(25), "event-too-large"},
    {SEGURO_ERR_SERVER(26), "batch-too-large"},
    {SEGURO_ERR_SERVER(27), "bad-id: an event id of 0 or above 2^63 - 1"},
    {SEGURO_ERR_SERVER(30), "store-full: no room on the sidecar's disk"},
    {SEGURO_ERR_SERVER(31), "store-failed: the sidecar's store gave an error"},
    {SEGURO_ERR_SERVER(32), "store-damaged: stored data fails its checks; run `seguro verify`"},
    {SEGURO_ERR_SERVER(33), "store-readonly: the store cannot be written"},
    {SEGURO_ERR_SERVER(34), "stopping: the sidecar is shutting down"},
    {SEGURO_ERR_SERVER(40), "bad-read: a read number in use or unknown"},
    {SEGURO_ERR_SERVER(41), "too-many-reads: more than 16 at once"},
    {SEGURO_ERR_SERVER(42), "no-such-event: outside the log"},
    {SEGURO_ERR_SERVER(43), "bad-meta: a key or value outside the limits"},
    {SEGURO_ERR_SERVER(44), "meta-mismatch: `who` or `fake` of another ship"},
    {SEGURO_ERR_SERVER(45), "bad-file: a file name, offset or size outside the rules"},
    {SEGURO_ERR_SERVER(46), "no-such-file"},
    {SEGURO_ERR_SERVER(47), "no-such-epoch"},
    {SEGURO_ERR_SERVER(50), "trim-unsupported"},
    {SEGURO_ERR_SERVER(60), "client-stalled: this client did not read its answers"},
    {SEGURO_ERR_SERVER(61), "handshake-timeout: no OPEN in time"},
    {SEGURO_ERR_SERVER(62), "too-many-sessions: the sidecar's limit is reached"},
    {SEGURO_ERR_SERVER(99), "internal: a check inside the sidecar failed; please report it"},
};

const char *seguro_strerror(int code) {
  for (size_t i = 0; i < sizeof code_texts / sizeof code_texts[0]; i++) {
    if (code_texts[i].code == code) {
      return code_texts[i].text;
    }
  }
  return code < -100 ? "an error of the sidecar that this client does not know" : "unknown code";
}

int seguro_error_set(seguro *handle, int code, uint64_t id, const char *format, ...) {
  seguro_error *error = &handle->error;
  memset(error, 0, sizeof *error);
  error->code = code;
  error->id = id;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->text, sizeof error->text, format, arguments);
  va_end(arguments);
  return code;
}

/* Texts end up on terminals and in logs, so control characters do not pass. A cut in the middle of a UTF-8 sequence
 * goes too. */
static void copy_text(char *into, size_t into_bytes, seguro_span from) {
  size_t bytes = from.length_bytes < into_bytes - 1 ? from.length_bytes : into_bytes - 1;
  while (bytes < from.length_bytes && bytes > 0 && (from.bytes[bytes] & 0xc0u) == 0x80u) {
    bytes--;
  }
  for (size_t i = 0; i < bytes; i++) {
    uint8_t byte = from.bytes[i];
    into[i] = byte < 0x20u || byte == 0x7fu ? '?' : (char)byte;
  }
  into[bytes] = 0;
}

void seguro_error_take(seguro *handle, const seguro_reply_error *from) {
  seguro_error *error = &handle->error;
  memset(error, 0, sizeof *error);
  error->server_code = from->code;
  /* Above a million no protocol version numbers its errors; the code stays negative and small. */
  error->code = SEGURO_ERR_SERVER((int)(from->code < 1000000u ? from->code : 1000000u));
  error->id = from->id;
  copy_text(error->name, sizeof error->name, from->name);
  copy_text(error->text, sizeof error->text, from->text);
  copy_text(error->hint, sizeof error->hint, from->hint);
}

const seguro_error *seguro_last_error(const seguro *handle) { return &handle->error; }
