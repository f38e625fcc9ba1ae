/* The shared-memory ring: every access to memory that another process may write at the same time (docs/ring.md;
 * layout.h).
 *
 * libseguro and the sidecar's addon use this header unchanged. C11 and C++20, no state of its own, no system calls.
 *
 * Threads: a seguro_ring_producer or seguro_ring_consumer belongs to one thread at a time; the two ends of a direction
 * may run anywhere. Nothing here waits or loops for longer than a copy takes.
 *
 * Trust: what an end knows of itself (its own index, geometry, sizes) lives in its private struct and is never loaded
 * again from shared memory. The peer's index is loaded once per look and checked against private values before it is
 * used. So a peer that scribbles can make an end return SEGURO_RING_BAD or wake for nothing, and cannot make it read or
 * write outside the data area.
 */
#ifndef SEGURO_RING_RING_H
#define SEGURO_RING_RING_H

#include "layout.h"

/* The doorbell: this byte on the socket. */
#define SEGURO_RING_DOORBELL 0x00
/* The index that the peer stored cannot be: the session must end. */
#define SEGURO_RING_BAD (-1)

/* ---- the two flags of a direction ---- */

/* Wakes a sleeper: call after storing the index it waits for. Returns true when one doorbell must be sent.
 * The fence orders our index before our look at the flag; the sleeper's sequentially consistent pair orders its flag
 * before its look at the index. So at least one of the two sees the other (test/native/ring_model.c tries every
 * interleaving). */
static inline bool seguro_ring_wakes(uint32_t *sleeps) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return __atomic_load_n(sleeps, __ATOMIC_RELAXED) == 1 && __atomic_exchange_n(sleeps, 0, __ATOMIC_SEQ_CST) == 1;
}

/* ---- producer ---- */

typedef struct seguro_ring_producer {
  seguro_ring_direction *shared;
  uint8_t *data;
  uint64_t size;
  uint64_t head;      /* bytes copied in, published or not; ours alone */
  uint64_t published; /* what `shared->head` holds; never loaded from there */
  uint64_t tail;      /* the consumer's, as last seen and checked: published - size <= tail <= published */
} seguro_ring_producer;

/* Takes the producing end of a new ring. `geometry` comes from seguro_ring_init or seguro_ring_attach. */
static inline void seguro_ring_producer_begin(seguro_ring_producer *producer, void *mapping, const seguro_ring_geometry *geometry,
                                              seguro_ring_way way) {
  producer->shared = &((seguro_ring_header *)mapping)->directions[way];
  producer->data = (uint8_t *)mapping + geometry->data_offset[way];
  producer->size = geometry->data_bytes[way];
  producer->head = 0;
  producer->published = 0;
  producer->tail = 0;
}

/* Bytes that may be put now, by the tail that is known: no access to shared memory. */
static inline uint64_t seguro_ring_room_known(const seguro_ring_producer *producer) {
  return producer->size - (producer->head - producer->tail);
}

/* Takes over a tail that was just loaded, or refuses one that goes back or passes what was published. */
static inline int64_t seguro_ring_take_tail(seguro_ring_producer *producer, uint64_t tail) {
  /* Unsigned distances from our own count: published - size <= tail <= published, and never below what it was. */
  if (producer->published - tail > producer->published - producer->tail) {
    return SEGURO_RING_BAD;
  }
  producer->tail = tail;
  return (int64_t)seguro_ring_room_known(producer);
}

/* Loads the consumer's tail once. Returns the bytes that may be put, or SEGURO_RING_BAD. Acquire: the consumer's copies
 * out of the room are done before we write there again. */
static inline int64_t seguro_ring_room(seguro_ring_producer *producer) {
  return seguro_ring_take_tail(producer, __atomic_load_n(&producer->shared->tail, __ATOMIC_ACQUIRE));
}

/* Copies up to `bytes` bytes in behind what was put before, as far as the known room goes, around the end of the area
 * where needed. Returns how many. The consumer does not see them before seguro_ring_publish. */
static inline uint64_t seguro_ring_put(seguro_ring_producer *producer, const void *from, uint64_t bytes) {
  uint64_t room = seguro_ring_room_known(producer);
  bytes = bytes < room ? bytes : room;
  if (bytes == 0) {
    return 0;
  }
  uint64_t at = producer->head & (producer->size - 1);
  uint64_t first = producer->size - at < bytes ? producer->size - at : bytes;
  memcpy(producer->data + at, from, first);
  if (bytes > first) {
    memcpy(producer->data, (const uint8_t *)from + first, bytes - first);
  }
  producer->head += bytes;
  return bytes;
}

/* Shows the consumer what was put. Returns true when a doorbell must be sent. Release: bytes before the head that
 * covers them. */
static inline bool seguro_ring_publish(seguro_ring_producer *producer) {
  if (producer->published == producer->head) {
    return false;
  }
  producer->published = producer->head;
  __atomic_store_n(&producer->shared->head, producer->head, __ATOMIC_RELEASE);
  return seguro_ring_wakes(&producer->shared->consumer_sleeps);
}

/* Says that a doorbell is wanted when room appears, and looks once more. Everything put must have been published.
 * Returns 0: sleep (poll the socket); above 0: so much room, do not sleep; SEGURO_RING_BAD. */
static inline int64_t seguro_ring_producer_sleep(seguro_ring_producer *producer) {
  __atomic_store_n(&producer->shared->producer_sleeps, 1, __ATOMIC_SEQ_CST);
  int64_t room = seguro_ring_take_tail(producer, __atomic_load_n(&producer->shared->tail, __ATOMIC_SEQ_CST));
  if (room != 0) {
    __atomic_store_n(&producer->shared->producer_sleeps, 0, __ATOMIC_RELAXED);
  }
  return room;
}

/* After waking, for whatever reason: spares the consumer a doorbell. */
static inline void seguro_ring_producer_awake(seguro_ring_producer *producer) {
  __atomic_store_n(&producer->shared->producer_sleeps, 0, __ATOMIC_RELAXED);
}

/* Says that nothing more will be published. The caller rings the doorbell once, whatever the consumer's flag says. */
static inline void seguro_ring_close(seguro_ring_producer *producer) { __atomic_store_n(&producer->shared->closed, 1, __ATOMIC_RELEASE); }

/* ---- consumer ---- */

typedef struct seguro_ring_consumer {
  seguro_ring_direction *shared;
  const uint8_t *data;
  uint64_t size;
  uint64_t tail;     /* bytes taken, released or not; ours alone */
  uint64_t released; /* what `shared->tail` holds; never loaded from there */
  uint64_t head;     /* the producer's, as last seen and checked: tail <= head <= released + size */
} seguro_ring_consumer;

/* One run of bytes inside the data area. Shared memory: copy first, check the copy. */
typedef struct seguro_ring_span {
  const uint8_t *bytes;
  uint64_t length_bytes;
} seguro_ring_span;

static inline void seguro_ring_consumer_begin(seguro_ring_consumer *consumer, void *mapping, const seguro_ring_geometry *geometry,
                                              seguro_ring_way way) {
  consumer->shared = &((seguro_ring_header *)mapping)->directions[way];
  consumer->data = (const uint8_t *)mapping + geometry->data_offset[way];
  consumer->size = geometry->data_bytes[way];
  consumer->tail = 0;
  consumer->released = 0;
  consumer->head = 0;
}

/* Bytes that may be taken now, by the head that is known: no access to shared memory. */
static inline uint64_t seguro_ring_available_known(const seguro_ring_consumer *consumer) { return consumer->head - consumer->tail; }

/* Takes over a head that was just loaded, or refuses one that goes back or is further ahead than the area allows. */
static inline int64_t seguro_ring_take_head(seguro_ring_consumer *consumer, uint64_t head) {
  /* Unsigned distances from our own count: tail <= known head <= head <= released + size. */
  if (head - consumer->released > consumer->size || head - consumer->released < consumer->head - consumer->released) {
    return SEGURO_RING_BAD;
  }
  consumer->head = head;
  return (int64_t)seguro_ring_available_known(consumer);
}

/* Loads the producer's head once. Returns the bytes that may be taken, or SEGURO_RING_BAD. Acquire: the bytes below
 * that head are there. */
static inline int64_t seguro_ring_available(seguro_ring_consumer *consumer) {
  return seguro_ring_take_head(consumer, __atomic_load_n(&consumer->shared->head, __ATOMIC_ACQUIRE));
}

/* Where the next `bytes` bytes lie (at most what is known to be available): one or two runs, the second empty without a
 * wrap. Returns how many bytes they cover. They stay where they are until seguro_ring_release after seguro_ring_skip; a
 * hostile peer may change them at any time, so every decision is made on a copy, after seguro_ring_skip. */
static inline uint64_t seguro_ring_spans(const seguro_ring_consumer *consumer, uint64_t bytes, seguro_ring_span spans[2]) {
  uint64_t available = seguro_ring_available_known(consumer);
  bytes = bytes < available ? bytes : available;
  uint64_t at = consumer->tail & (consumer->size - 1);
  uint64_t first = consumer->size - at < bytes ? consumer->size - at : bytes;
  spans[0].bytes = consumer->data + at;
  spans[0].length_bytes = first;
  spans[1].bytes = consumer->data;
  spans[1].length_bytes = bytes - first;
  return bytes;
}

/* Counts the next `bytes` bytes (at most what is known to be available) as taken. The compiler barrier keeps it from
 * reading shared bytes a second time in place of the copy that was made of them. */
static inline void seguro_ring_skip(seguro_ring_consumer *consumer, uint64_t bytes) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  uint64_t available = seguro_ring_available_known(consumer);
  consumer->tail += bytes < available ? bytes : available;
}

/* Copies up to `bytes` bytes out and counts them as taken. Returns how many. The room is the producer's after
 * seguro_ring_release. */
static inline uint64_t seguro_ring_take(seguro_ring_consumer *consumer, void *into, uint64_t bytes) {
  seguro_ring_span spans[2];
  bytes = seguro_ring_spans(consumer, bytes, spans);
  if (bytes == 0) {
    return 0;
  }
  memcpy(into, spans[0].bytes, spans[0].length_bytes);
  if (spans[1].length_bytes > 0) {
    memcpy((uint8_t *)into + spans[0].length_bytes, spans[1].bytes, spans[1].length_bytes);
  }
  seguro_ring_skip(consumer, bytes);
  return bytes;
}

/* Gives the room of what was taken back to the producer. Returns true when a doorbell must be sent. Release: our copies
 * before the tail that frees their room. */
static inline bool seguro_ring_release(seguro_ring_consumer *consumer) {
  if (consumer->released == consumer->tail) {
    return false;
  }
  consumer->released = consumer->tail;
  __atomic_store_n(&consumer->shared->tail, consumer->tail, __ATOMIC_RELEASE);
  return seguro_ring_wakes(&consumer->shared->producer_sleeps);
}

/* Says that a doorbell is wanted when something is published, and looks once more. Returns 0: sleep (poll the socket);
 * above 0: so much is there, do not sleep; SEGURO_RING_BAD. */
static inline int64_t seguro_ring_consumer_sleep(seguro_ring_consumer *consumer) {
  __atomic_store_n(&consumer->shared->consumer_sleeps, 1, __ATOMIC_SEQ_CST);
  int64_t available = seguro_ring_take_head(consumer, __atomic_load_n(&consumer->shared->head, __ATOMIC_SEQ_CST));
  if (available != 0) {
    __atomic_store_n(&consumer->shared->consumer_sleeps, 0, __ATOMIC_RELAXED);
  }
  return available;
}

/* After waking, for whatever reason: spares the producer a doorbell. */
static inline void seguro_ring_consumer_awake(seguro_ring_consumer *consumer) {
  __atomic_store_n(&consumer->shared->consumer_sleeps, 0, __ATOMIC_RELAXED);
}

/* True once the producer will publish nothing more. Look at seguro_ring_available once more after it: closed comes
 * after the last head. */
static inline bool seguro_ring_is_closed(const seguro_ring_consumer *consumer) {
  return __atomic_load_n(&consumer->shared->closed, __ATOMIC_ACQUIRE) == 1;
}

#endif
