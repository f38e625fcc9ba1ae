/* The test sidecar's end of a ring: made, spoilt on request, written to and read from (docs/ring.md). */
#ifndef SEGURO_TEST_FAKE_RING_H
#define SEGURO_TEST_FAKE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/ring.h"

/* What is wrong with the rings that a test sidecar gives. */
typedef enum fake_ring_fault {
  FAKE_RING_GOOD = 0,
  FAKE_RING_REFUSED,       /* OPENED says 0 */
  FAKE_RING_UNKNOWN,       /* OPEN with the option is answered by bad-open */
  FAKE_RING_UNASKED,       /* given although OPEN did not ask */
  FAKE_RING_NO_DESCRIPTOR, /* announced, and not sent */
  FAKE_RING_NO_SEALS,
  FAKE_RING_FEW_SEALS,       /* it could still grow */
  FAKE_RING_WRONG_SIZE,      /* announced with another size */
  FAKE_RING_WRONG_LAYOUT,    /* the magic is wrong */
  FAKE_RING_SAME_GENERATION, /* every ring has the generation of the first */
  FAKE_RING_WRONG_HEAD,      /* the first publish names an impossible head */
  FAKE_RING_CLOSED,          /* closed right after OPENED, the socket stays open */
  FAKE_RING_EARLY_DOORBELLS  /* right behind OPENED, in one piece with its end */
} fake_ring_fault;

typedef struct fake_ring {
  void *memory;
  uint64_t memory_bytes;
  int memory_fd; /* -1 once it was sent */
  int fd;        /* the socket: doorbell and death signal */
  bool is_awake; /* never sleeps: looks at the ring without end */
  fake_ring_fault fault;
  seguro_ring_producer producer;
  seguro_ring_consumer consumer;
  unsigned doorbells; /* that we rang */
} fake_ring;

/* Makes the memory, sealed, with both areas of data_bytes. */
void fake_ring_make(fake_ring *ring, int fd, uint64_t data_bytes, fake_ring_fault fault);
void fake_ring_free(fake_ring *ring);
/* Sends bytes over the socket, the first of them together with the memory's descriptor. Returns what went out. */
long fake_ring_send_memory(fake_ring *ring, const void *bytes, size_t length_bytes);
/* Blocking; false when the client is gone. */
bool fake_ring_write(fake_ring *ring, const void *bytes, size_t length_bytes);
bool fake_ring_read(fake_ring *ring, void *into, size_t length_bytes);

#endif
