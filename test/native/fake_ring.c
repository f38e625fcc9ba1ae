/* The test sidecar's end of a ring, blocking. */
#define _GNU_SOURCE
#include "fake_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

static uint64_t next_generation = 0x5e6072;

void fake_ring_make(fake_ring *ring, int fd, uint64_t data_bytes, fake_ring_fault fault) {
  memset(ring, 0, sizeof *ring);
  ring->fd = fd;
  ring->fault = fault;
  ring->memory_bytes = seguro_ring_total_bytes(data_bytes, data_bytes);
  ring->memory_fd = memfd_create("seguro-test-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(ring->memory_fd >= 0);
  CHECK(posix_fallocate(ring->memory_fd, 0, (off_t)ring->memory_bytes) == 0);
  int seals = fault == FAKE_RING_NO_SEALS    ? 0
              : fault == FAKE_RING_FEW_SEALS ? F_SEAL_SHRINK | F_SEAL_SEAL
                                             : F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  CHECK(fcntl(ring->memory_fd, F_ADD_SEALS, seals) == 0);
  ring->memory = mmap(NULL, ring->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->memory_fd, 0);
  CHECK(ring->memory != MAP_FAILED);
  seguro_ring_geometry geometry;
  uint64_t generation = fault == FAKE_RING_SAME_GENERATION ? 7 : __atomic_fetch_add(&next_generation, 1, __ATOMIC_RELAXED);
  CHECK(seguro_ring_init(ring->memory, ring->memory_bytes, data_bytes, data_bytes, generation, &geometry));
  if (fault == FAKE_RING_WRONG_LAYOUT) {
    ((seguro_ring_header *)ring->memory)->magic ^= 1;
  }
  seguro_ring_producer_begin(&ring->producer, ring->memory, &geometry, SEGURO_RING_SERVER_TO_CLIENT);
  seguro_ring_consumer_begin(&ring->consumer, ring->memory, &geometry, SEGURO_RING_CLIENT_TO_SERVER);
}

void fake_ring_free(fake_ring *ring) {
  if (ring->memory_fd >= 0) {
    close(ring->memory_fd);
  }
  munmap(ring->memory, ring->memory_bytes);
  ring->memory = NULL;
}

long fake_ring_send_memory(fake_ring *ring, const void *bytes, size_t length_bytes) {
  union {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length_bytes};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control};
  message.msg_controllen = sizeof control.bytes;
  struct cmsghdr *part = CMSG_FIRSTHDR(&message);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(part), &ring->memory_fd, sizeof(int));
  ssize_t sent = sendmsg(ring->fd, &message, MSG_NOSIGNAL);
  close(ring->memory_fd);
  ring->memory_fd = -1;
  return sent;
}

static void ring_doorbell(fake_ring *ring) {
  ring->doorbells++;
  ssize_t ignored = send(ring->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)ignored;
}

/* Waits for the socket and reads its doorbells; false when the client is gone. */
static bool wait_for_doorbell(fake_ring *ring, int timeout_ms) {
  struct pollfd watched = {.fd = ring->fd, .events = POLLIN};
  poll(&watched, 1, timeout_ms);
  uint8_t doorbells[64];
  ssize_t got = recv(ring->fd, doorbells, sizeof doorbells, MSG_DONTWAIT);
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void publish(fake_ring *ring) {
  if (ring->fault == FAKE_RING_WRONG_HEAD) {
    uint64_t head = ring->producer.published + ring->producer.size + 1;
    __atomic_store_n(&ring->producer.shared->head, head, __ATOMIC_RELEASE);
    ring_doorbell(ring);
  } else if (seguro_ring_publish(&ring->producer)) {
    ring_doorbell(ring);
  }
}

bool fake_ring_write(fake_ring *ring, const void *bytes, size_t length_bytes) {
  const uint8_t *at = bytes;
  if (ring->fault == FAKE_RING_CLOSED) {
    return true;
  }
  while (length_bytes > 0) {
    CHECK(seguro_ring_room(&ring->producer) >= 0);
    uint64_t taken = seguro_ring_put(&ring->producer, at, length_bytes);
    at += taken;
    length_bytes -= taken;
    publish(ring);
    if (taken == 0 && seguro_ring_producer_sleep(&ring->producer) == 0 && !wait_for_doorbell(ring, -1)) {
      return false;
    }
  }
  return true;
}

bool fake_ring_read(fake_ring *ring, void *into, size_t length_bytes) {
  uint8_t *at = into;
  bool is_alive = true;
  while (length_bytes > 0) {
    int64_t available = seguro_ring_available(&ring->consumer);
    CHECK(available >= 0);
    uint64_t taken = seguro_ring_take(&ring->consumer, at, length_bytes);
    at += taken;
    length_bytes -= taken;
    if (seguro_ring_release(&ring->consumer)) {
      ring_doorbell(ring);
    }
    if (taken > 0) {
      continue;
    }
    if (!is_alive) {
      return false;
    }
    if (ring->is_awake) {
      sched_yield();
      is_alive = wait_for_doorbell(ring, 0);
    } else if (seguro_ring_consumer_sleep(&ring->consumer) == 0) {
      is_alive = wait_for_doorbell(ring, -1);
    }
  }
  return true;
}
