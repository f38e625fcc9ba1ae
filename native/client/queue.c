/* The queue of unacknowledged records: segments in order, recycled so that a steady flow allocates nothing. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include "wire/record.h"

seguro_segment *seguro_segment_new(uint64_t capacity_bytes) {
  if (capacity_bytes > SIZE_MAX - sizeof(seguro_segment)) {
    return NULL;
  }
  seguro_segment *segment = malloc(sizeof *segment + (size_t)capacity_bytes);
  if (segment != NULL) {
    memset(segment, 0, sizeof *segment);
    segment->capacity_bytes = capacity_bytes;
  }
  return segment;
}

void seguro_queue_attach(seguro_queue *queue, seguro_segment *segment) {
  segment->next = NULL;
  if (queue->tail == NULL) {
    queue->head = segment;
  } else {
    queue->tail->next = segment;
  }
  queue->tail = segment;
}

static seguro_segment *take_spare(seguro_queue *queue) {
  seguro_segment *spare = queue->spares;
  queue->spares = spare->next;
  queue->spare_count--;
  return spare;
}

static void free_spares(seguro_queue *queue, unsigned kept) {
  while (queue->spare_count > kept) {
    free(take_spare(queue));
  }
}

seguro_segment *seguro_queue_room(seguro_queue *queue, uint64_t record_bytes) {
  seguro_segment *tail = queue->tail;
  if (tail != NULL && !tail->is_atomic && tail->capacity_bytes - tail->used_bytes >= record_bytes) {
    return tail;
  }
  seguro_segment *segment = NULL;
  if (record_bytes <= SEGURO_SEGMENT_BYTES && queue->spares != NULL) {
    segment = take_spare(queue);
  } else {
    segment = seguro_segment_new(record_bytes > SEGURO_SEGMENT_BYTES ? record_bytes : SEGURO_SEGMENT_BYTES);
  }
  if (segment != NULL) {
    seguro_queue_attach(queue, segment);
  }
  return segment;
}

void seguro_segment_write(seguro_segment *segment, uint64_t id, const void *bytes, uint64_t length_bytes) {
  uint8_t *at = segment->bytes + segment->used_bytes;
  uint64_t whole_bytes = seguro_record_bytes(length_bytes);
  uint8_t *payload = at + SEGURO_RECORD_HEADER_BYTES;
  if (length_bytes > 0) {
    memcpy(payload, bytes, (size_t)length_bytes);
  }
  memset(payload + length_bytes, 0, (size_t)(whole_bytes - SEGURO_RECORD_HEADER_BYTES - length_bytes));
  /* Of the copy, not of the caller's bytes: what is sent is then what was checked, even if the caller's memory changes.
   */
  seguro_record_header_write(at, id, payload, length_bytes);
  if (segment->last_id == 0) {
    segment->first_id = id;
  }
  segment->last_id = id;
  segment->used_bytes += whole_bytes;
}

static void clear(seguro_segment *segment) {
  segment->first_id = 0;
  segment->last_id = 0;
  segment->used_bytes = 0;
  segment->passed_bytes = 0;
}

static void unlink_head(seguro_queue *queue, seguro_segment **sending, uint64_t *sending_offset) {
  seguro_segment *head = queue->head;
  queue->head = head->next;
  if (queue->head == NULL) {
    queue->tail = NULL;
  }
  if (*sending == head) {
    *sending = head->next;
    *sending_offset = 0;
  }
  if (queue->spare_count < SEGURO_SPARES_BUSY_MAX && !head->is_atomic && head->capacity_bytes == SEGURO_SEGMENT_BYTES) {
    clear(head);
    head->next = queue->spares;
    queue->spares = head;
    queue->spare_count++;
  } else {
    free(head);
  }
}

void seguro_queue_release(seguro_queue *queue, seguro_segment **sending, uint64_t *sending_offset) {
  while (queue->head != NULL && queue->head->last_id <= queue->acked_id) {
    seguro_segment *head = queue->head;
    queue->bytes -= head->used_bytes;
    if (head == queue->tail && !head->is_atomic && head->capacity_bytes == SEGURO_SEGMENT_BYTES) {
      /* The same memory takes the next record: one event at a time stays in the cache. */
      clear(head);
      if (*sending == head) {
        *sending_offset = 0;
      }
      free_spares(queue, SEGURO_SPARES_IDLE_MAX);
      return;
    }
    unlink_head(queue, sending, sending_offset);
  }
  if (queue->head == NULL) {
    free_spares(queue, SEGURO_SPARES_IDLE_MAX);
  }
}

uint64_t seguro_queue_first(const seguro_queue *queue) {
  const seguro_segment *segment = queue->head;
  while (segment != NULL && segment->last_id == 0) {
    segment = segment->next;
  }
  if (segment == NULL) {
    return 0;
  }
  return segment->first_id > queue->acked_id ? segment->first_id : queue->acked_id + 1;
}

void seguro_queue_free(seguro_queue *queue) {
  while (queue->head != NULL) {
    seguro_segment *next = queue->head->next;
    free(queue->head);
    queue->head = next;
  }
  free_spares(queue, 0);
  memset(queue, 0, sizeof *queue);
}
