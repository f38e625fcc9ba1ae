/* What the files of libseguro share: the handle, its parts, and the functions between them. Not installed.
 *
 * Layers, from the outside in: the public calls (open, append, read, meta, epoch, digest) queue something and then take
 * steps (step.c) until it is done. A step connects (connect.c), sends (send.c), receives (receive.c) and hands frames
 * to the session (session.c) and the readers (read.c), over a transport (transport.h). */
#ifndef SEGURO_CLIENT_INTERNAL_H
#define SEGURO_CLIENT_INTERNAL_H

#include "queue.h"
#include "reply.h"
#include "transport.h"

#define SEGURO_SHIP_BYTES_MAX 100u
#define SEGURO_SEND_FRAMES_MAX 16u
/* A BATCH frame (16 + 24 bytes) and the header of the APPEND frame after it. */
#define SEGURO_SEND_HEAD_BYTES 56u
#define SEGURO_READERS_MAX 16u
#define SEGURO_NO_DEADLINE INT64_MAX

typedef enum seguro_state {
  SEGURO_STATE_OFFLINE, /* no connection; the next attempt is due at retry_at_ms */
  SEGURO_STATE_OFFER,   /* connected; waiting for the versions */
  SEGURO_STATE_IDENTIFY,
  SEGURO_STATE_WELCOME, /* POINT and OPEN are sent */
  SEGURO_STATE_OPENING, /* frames from here on; waiting for OPENED */
  SEGURO_STATE_READY,
  SEGURO_STATE_FAILED /* a permanent error: `failure` says which */
} seguro_state;

/* A frame of the record stream on its way; body points into a queue segment. */
typedef struct seguro_send_frame {
  uint8_t head[SEGURO_SEND_HEAD_BYTES];
  uint32_t head_bytes;
  uint32_t body_bytes;
  uint32_t sent_bytes; /* of head and body */
  const uint8_t *body;
  seguro_segment *segment;
} seguro_send_frame;

/* Records that the log already holds, sent again as one batch: see seguro_send_repeat. */
typedef struct seguro_repeat {
  uint64_t first_id;
  uint64_t last_id;
  uint64_t left_bytes; /* of the record stream, not yet put into frames */
  bool is_begun;
} seguro_repeat;

/* A growing byte buffer; grows by doubling. */
typedef struct seguro_buffer {
  uint8_t *bytes;
  size_t start;
  size_t end;
  size_t capacity;
} seguro_buffer;

/* The one request that may be under way, since a handle's calls follow one another. */
typedef struct seguro_request {
  uint32_t number; /* 0: none */
  uint8_t expected_type;
  bool is_answered;
  int code;           /* of the answer, when it was an error */
  seguro_reply reply; /* points into `body` */
  seguro_buffer body; /* private copy of the answer, valid until the next request */
} seguro_request;

struct seguro_reader {
  seguro_reader *next;
  seguro *handle;
  uint32_t request;
  uint64_t next_id;       /* of the next event to deliver */
  uint64_t limit;         /* as given; 0: none */
  uint64_t delivered;     /* events in all */
  uint64_t delivered_now; /* events since the READ of this connection */
  uint64_t height_then;   /* what the log had when this connection's READ was sent */
  uint64_t live_height;
  uint64_t credit_bytes; /* granted and not used */
  int flags;
  int code;         /* an error that ended this reader alone */
  bool is_anchored; /* an event was delivered, so next_id is exact */
  bool is_ended;    /* SENT has come */
  bool is_closed;   /* by the caller; kept until its SENT, because the request number is still in use */
  uint64_t sent_count;
  uint64_t sent_next_id;
  uint32_t sent_reason;
  seguro_buffer buffer;
};

struct seguro {
  char path[SEGURO_SOCKET_PATH_MAX];
  char ship[SEGURO_SHIP_BYTES_MAX + 1];
  seguro_options options;
  const seguro_transport *transport;
  seguro_link link;
  const char *transport_name; /* of the newest session */
  bool is_ring_given_up;      /* it was refused, or could not be used: sessions from here on do not ask for one */
  seguro_state state;
  int failure;
  seguro_error error;
  seguro_info info;
  bool was_opened;
  uint64_t generation; /* counts sessions, so that a request notices that its frame went down with one */
  bool is_verdict_named;
  uint64_t session_height; /* the greatest height this session has named; acknowledged only as far as info.height */
  uint64_t first_id;       /* the event that began an empty log, until it is acknowledged and becomes the base */

  int64_t retry_at_ms;
  int64_t lost_at_ms; /* when the connection was lost, or the handle made */
  int64_t handshake_until_ms;
  uint32_t attempts; /* connections in a row without progress, for the backoff */
  uint64_t random;

  seguro_queue queue;
  uint64_t sent_id;     /* the last id wholly handed to this connection's transport, 0 for none */
  uint64_t tried_bytes; /* queued since the last attempt to send */
  seguro_segment *send_segment;
  uint64_t send_offset;
  seguro_send_frame frames[SEGURO_SEND_FRAMES_MAX];
  unsigned frame_count;
  seguro_repeat repeat;
  seguro_buffer control; /* handshake, requests, credit: small frames, sent between the record stream's */

  seguro_buffer receive;
  uint32_t body_left;         /* bytes of a RECORDS body still to come */
  seguro_reader *body_reader; /* whose they are; NULL when nobody wants them any more */
  bool is_drained;            /* the last receive took all there was */

  uint32_t request_last;
  seguro_request request;
  seguro_reader *readers;
};

/* How long a blocking call may still take, and when to say that it stalls. */
typedef struct seguro_patience {
  int64_t started_ms;
  int64_t until_ms;
  unsigned reported;
  const char *waiting_for;
  uint64_t id;
} seguro_patience;

/* clock.c */
int64_t seguro_clock_ms(void);
int64_t seguro_clock_deadline(int64_t now_ms, int64_t timeout_ms);
uint64_t seguro_random_next(seguro *handle);
uint64_t seguro_random_seed(const void *salt);

/* buffer.c: reserve gives `room_bytes` writable bytes at the end, or NULL without memory; earlier pointers become
 * invalid. */
uint8_t *seguro_buffer_reserve(seguro_buffer *buffer, size_t room_bytes);
void seguro_buffer_clear(seguro_buffer *buffer);
void seguro_buffer_free(seguro_buffer *buffer);

/* error.c */
int seguro_error_set(seguro *handle, int code, uint64_t id, const char *format, ...) __attribute__((format(printf, 4, 5)));
void seguro_error_take(seguro *handle, const seguro_reply_error *error);

/* connect.c */
int seguro_connect_try(seguro *handle);
int seguro_session_lose(seguro *handle, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
int seguro_session_fail(seguro *handle, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, when handle->error says it all already. */
void seguro_session_end(seguro *handle, bool is_permanent);

/* handshake.c */
int seguro_handshake_take(seguro *handle);
int seguro_handshake_opened(seguro *handle, const seguro_reply_opened *opened);

/* session.c */
int seguro_session_take(seguro *handle, const seguro_frame_header *header, const uint8_t *body);

/* send.c */
int seguro_control_add(seguro *handle, uint8_t type, uint32_t request, const seguro_span *parts, unsigned part_count);
int seguro_send_step(seguro *handle);
bool seguro_send_is_wanted(const seguro *handle);
void seguro_send_rewind(seguro *handle);
bool seguro_send_repeat(seguro *handle, uint64_t height);
uint32_t seguro_request_number(seguro *handle);

/* receive.c: returns bytes received, 0 for none, or a negative code. */
int64_t seguro_receive_step(seguro *handle);

/* step.c */
int seguro_step(seguro *handle, int64_t until_ms);
void seguro_patience_begin(seguro_patience *patience, int64_t timeout_ms, const char *waiting_for, uint64_t id);
int seguro_patience_step(seguro *handle, seguro_patience *patience);

/* append.c */
int seguro_append_height(seguro *handle, uint64_t height, uint64_t digest_id, const uint8_t *digest);

/* readers.c */
seguro_reader *seguro_reader_find(seguro *handle, uint32_t request);
int seguro_reader_resume(seguro_reader *reader);
void seguro_reader_forget(seguro_reader *reader);
void seguro_readers_lose(seguro *handle);
int seguro_readers_resume(seguro *handle);
void seguro_reader_take_sent(seguro_reader *reader, const seguro_reply *reply);

/* request.c: sends a request and waits for its answer of type `expected_type`, which then lies in
 * handle->request.reply. After a reconnect it is sent again, unless `generation` is given: then SEGURO_REQUEST_LOST
 * says that the session is no longer *generation (0 on entry: whichever there is, and it is noted there). */
#define SEGURO_REQUEST_LOST 1
int seguro_request_run(seguro *handle, uint8_t type, const seguro_span *parts, unsigned part_count, uint8_t expected_type,
                       seguro_patience *patience, uint64_t *generation);
int seguro_request_take(seguro *handle, const seguro_frame_header *header, const uint8_t *body);
bool seguro_request_is(const seguro *handle, uint32_t number);

#endif
