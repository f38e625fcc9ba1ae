/* The records that are kept until acknowledged: a list of segments, each a piece of record stream that never moves in
 * memory. */
#ifndef SEGURO_CLIENT_QUEUE_H
#define SEGURO_CLIENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGURO_SEGMENT_BYTES 262144u
/* So many emptied segments stay for the next records: while others wait to be acknowledged, and when none does. */
#define SEGURO_SPARES_BUSY_MAX 64u
#define SEGURO_SPARES_IDLE_MAX 4u

typedef struct seguro_segment {
  struct seguro_segment *next;
  uint64_t first_id;
  uint64_t last_id; /* 0: no record yet */
  uint64_t used_bytes;
  uint64_t capacity_bytes;
  uint64_t passed_bytes; /* whole records before this offset went out on the present connection */
  bool is_atomic;        /* one BATCH, of exactly these records */
  uint8_t bytes[];
} seguro_segment;

typedef struct seguro_queue {
  seguro_segment *head;
  seguro_segment *tail;
  seguro_segment *spares; /* emptied segments of the usual size, so that a steady flow does not allocate */
  unsigned spare_count;
  uint64_t bytes;        /* kept, in all segments */
  uint64_t unsent_bytes; /* not yet put into frames on the present connection */
  uint64_t last_id;      /* the last one queued, 0 for none ever */
  uint64_t acked_id;     /* of this queue's records those up to here are acknowledged */
} seguro_queue;

/* Where the next `record_bytes` go: the open segment or a new one; NULL without memory. */
seguro_segment *seguro_queue_room(seguro_queue *queue, uint64_t record_bytes);
/* A segment of its own for an atomic batch, not yet part of the queue; NULL without memory. */
seguro_segment *seguro_segment_new(uint64_t capacity_bytes);
void seguro_queue_attach(seguro_queue *queue, seguro_segment *segment);
/* Writes one record at the end of a segment with room for it; accounts nothing. */
void seguro_segment_write(seguro_segment *segment, uint64_t id, const void *bytes, uint64_t length_bytes);
/* Frees what is acknowledged now; *sending is the segment the sender stands in, moved on when it goes. */
void seguro_queue_release(seguro_queue *queue, seguro_segment **sending, uint64_t *sending_offset);
/* The first id that is not acknowledged, 0 when there is none. */
uint64_t seguro_queue_first(const seguro_queue *queue);
void seguro_queue_free(seguro_queue *queue);

#endif
