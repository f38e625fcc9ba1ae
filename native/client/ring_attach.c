/* Taking shared memory over: the descriptor is checked (seals, size) and mapped, and the layout checked before use. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"

/* Without these the sidecar, or whoever has the descriptor, could pull the pages from under us: SIGBUS. */
#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const char *check_descriptor(int fd, uint64_t total_bytes) {
  if (fd < 0) {
    return "no descriptor came with it";
  }
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & SEALS_NEEDED) != SEALS_NEEDED) {
    return "the memory is not sealed";
  }
  struct stat status;
  if (fstat(fd, &status) != 0 || status.st_size < 0 || (uint64_t)status.st_size != total_bytes) {
    return "the memory has another size than was said";
  }
  if (total_bytes < SEGURO_RING_HEADER_BYTES || total_bytes > SIZE_MAX) {
    return "the memory has no size that a ring can have";
  }
  return NULL;
}

static const char *map(seguro_link *link, uint64_t total_bytes) {
  void *memory = mmap(NULL, (size_t)total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, link->memory_fd, 0);
  if (memory == MAP_FAILED) {
    return "the memory cannot be mapped";
  }
  seguro_ring_geometry geometry;
  const char *fault = NULL;
  if (seguro_ring_attach(memory, total_bytes, &geometry) != SEGURO_RING_FINE) {
    fault = "the memory is not laid out as a ring";
  } else if (geometry.generation == link->ring.generation) {
    fault = "the memory is that of the session before";
  } else if (madvise(memory, (size_t)total_bytes, MADV_DONTFORK) != 0) {
    /* A child of this process that kept the mapping would keep the memory alive. */
    fault = "the memory cannot be kept from child processes";
  }
  if (fault != NULL) {
    munmap(memory, (size_t)total_bytes);
    return fault;
  }
  seguro_ring_link *ring = &link->ring;
  memset(ring, 0, sizeof *ring);
  ring->memory = memory;
  ring->memory_bytes = total_bytes;
  ring->generation = geometry.generation;
  seguro_ring_producer_begin(&ring->producer, memory, &geometry, SEGURO_RING_CLIENT_TO_SERVER);
  seguro_ring_consumer_begin(&ring->consumer, memory, &geometry, SEGURO_RING_SERVER_TO_CLIENT);
  return NULL;
}

const char *seguro_ring_attach_link(seguro_link *link, uint64_t total_bytes) {
  const char *fault = check_descriptor(link->memory_fd, total_bytes);
  if (fault == NULL) {
    fault = map(link, total_bytes);
  }
  if (link->memory_fd >= 0) {
    close(link->memory_fd);
    link->memory_fd = -1;
  }
  return fault;
}
