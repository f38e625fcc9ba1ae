/* The ring transport: bytes move through shared memory (ring/ring.h), the socket is doorbell and death signal.
 *
 * With the sidecar awake neither sending nor receiving makes a system call. A wait looks at the ring for spin_us, then
 * tells the sidecar to ring and sleeps on the socket. */
#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

/* So much is published at a time, so that the sidecar takes the first bytes while the next are copied in. */
#define PUBLISH_BYTES 262144u
/* Doorbells read in one turn. */
#define DOORBELLS_MAX 64u
/* A handle that only ever sends, and never waits, looks for the sidecar's death once in so many empty receives. */
#define SILENT_MAX 256u
/* Looks at the ring between two looks at the clock. */
#define SPINS_PER_CLOCK 64

#define BROKEN (-2 - (int64_t)EPROTO)

static void ring_doorbell(seguro_link *link) {
  uint8_t byte = SEGURO_RING_DOORBELL;
  /* A full socket buffer is no error: it holds bytes that wake the sidecar. A dead sidecar shows when receiving. */
  ssize_t ignored = send(link->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)ignored;
}

static void publish(seguro_link *link) {
  if (seguro_ring_publish(&link->ring.producer)) {
    ring_doorbell(link);
  }
}

/* Copies one piece in as far as there is room. Returns bytes copied, or BROKEN. */
static int64_t put_piece(seguro_link *link, const struct iovec *piece) {
  seguro_ring_producer *producer = &link->ring.producer;
  const uint8_t *from = piece->iov_base;
  uint64_t left = piece->iov_len;
  while (left > 0) {
    uint64_t slice = left < PUBLISH_BYTES ? left : PUBLISH_BYTES;
    if (seguro_ring_room_known(producer) < slice) {
      int64_t room = seguro_ring_room(producer);
      if (room < 0) {
        return BROKEN;
      }
      if (room == 0) {
        break;
      }
    }
    uint64_t taken = seguro_ring_put(producer, from, slice);
    from += taken;
    left -= taken;
    if (producer->head - producer->published >= PUBLISH_BYTES) {
      publish(link);
    }
  }
  return (int64_t)(piece->iov_len - left);
}

static int64_t ring_send(seguro_link *link, struct iovec *pieces, unsigned piece_count) {
  int64_t sent = 0;
  for (unsigned i = 0; i < piece_count; i++) {
    int64_t taken = put_piece(link, &pieces[i]);
    if (taken < 0) {
      return BROKEN;
    }
    sent += taken;
    if ((size_t)taken < pieces[i].iov_len) {
      break;
    }
  }
  publish(link);
  return sent;
}

/* Reads doorbells, at a bounded rate, and notices the end. Their bytes say nothing. */
static void look_at_socket(seguro_link *link) {
  uint8_t doorbells[DOORBELLS_MAX];
  ssize_t got;
  do {
    got = recv(link->fd, doorbells, sizeof doorbells, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  link->ring.silent = 0;
  link->ring.is_armed = false;
  link->ring.is_room_armed = false;
  /* When the array came back full there may be more: the next turn reads on. */
  link->ring.is_socket_due = got == (ssize_t)sizeof doorbells;
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
    link->ring.is_socket_ended = true;
  }
}

static int64_t ring_receive(seguro_link *link, struct iovec *pieces, unsigned piece_count) {
  seguro_ring_link *ring = &link->ring;
  seguro_ring_consumer *consumer = &ring->consumer;
  if (!ring->is_socket_ended && (ring->is_socket_due || ++ring->silent >= SILENT_MAX)) {
    look_at_socket(link);
  }
  int64_t available = seguro_ring_available(consumer);
  if (available == 0 && (ring->is_socket_ended || seguro_ring_is_closed(consumer))) {
    /* Nothing follows the end; what came just before it does not get lost. */
    available = seguro_ring_available(consumer);
    if (available == 0) {
      return SEGURO_TRANSPORT_CLOSED;
    }
  }
  if (available < 0) {
    return BROKEN;
  }
  int64_t received = 0;
  for (unsigned i = 0; i < piece_count && received < available; i++) {
    received += (int64_t)seguro_ring_take(consumer, pieces[i].iov_base, pieces[i].iov_len);
  }
  if (received > 0) {
    ring->silent = 0;
    if (seguro_ring_release(consumer)) {
      ring_doorbell(link);
    }
  }
  return received;
}

/* Tells the sidecar to ring for what we wait for, and looks once more. An index that cannot be is something to do as
 * well: the next receive or send says so. */
static bool tell_to_ring(seguro_link *link, bool is_send_wanted) {
  seguro_ring_link *ring = &link->ring;
  ring->is_armed = false;
  ring->is_room_armed = false;
  if (ring->is_socket_due || ring->is_socket_ended || seguro_ring_is_closed(&ring->consumer)) {
    return false;
  }
  if (seguro_ring_consumer_sleep(&ring->consumer) != 0) {
    return false;
  }
  if (is_send_wanted && seguro_ring_producer_sleep(&ring->producer) != 0) {
    seguro_ring_consumer_awake(&ring->consumer);
    return false;
  }
  ring->is_armed = true;
  ring->is_room_armed = is_send_wanted;
  return true;
}

static void ring_arm(seguro_link *link, bool is_send_wanted) { (void)tell_to_ring(link, is_send_wanted); }

static bool ring_is_armed(const seguro_link *link, bool is_send_wanted) {
  return link->ring.is_armed && (!is_send_wanted || link->ring.is_room_armed);
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline void pause_a_moment(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static bool has_something(seguro_link *link, bool is_send_wanted) {
  return seguro_ring_available(&link->ring.consumer) != 0 || (is_send_wanted && seguro_ring_room(&link->ring.producer) != 0);
}

/* Looks for at most spin_us whether something has come. */
static bool spin(seguro_link *link, bool is_send_wanted) {
  if (has_something(link, is_send_wanted)) {
    return true;
  }
  int64_t until_us = link->spin_us > 0 ? now_us() + link->spin_us : 0;
  while (link->spin_us > 0 && now_us() < until_us) {
    for (int i = 0; i < SPINS_PER_CLOCK; i++) {
      if (has_something(link, is_send_wanted)) {
        return true;
      }
      pause_a_moment();
    }
  }
  return false;
}

static void ring_wait(seguro_link *link, bool is_send_wanted, int timeout_ms) {
  if (spin(link, is_send_wanted) || !tell_to_ring(link, is_send_wanted)) {
    return;
  }
  struct pollfd watched = {.fd = link->fd, .events = POLLIN};
  int found = poll(&watched, 1, timeout_ms);
  link->ring.is_socket_due = found > 0;
  link->ring.is_armed = false;
  link->ring.is_room_armed = false;
  seguro_ring_consumer_awake(&link->ring.consumer);
  seguro_ring_producer_awake(&link->ring.producer);
}

static void ring_close(seguro_link *link) {
  seguro_ring_close(&link->ring.producer);
  /* No doorbell: the end of the socket is one. */
  close(link->fd);
  link->fd = -1;
  munmap(link->ring.memory, (size_t)link->ring.memory_bytes);
  link->ring.memory = NULL;
}

const seguro_transport seguro_transport_ring = {
    .name = "ring",
    .send = ring_send,
    .receive = ring_receive,
    .wait = ring_wait,
    .arm = ring_arm,
    .is_armed = ring_is_armed,
    .close = ring_close,
};
