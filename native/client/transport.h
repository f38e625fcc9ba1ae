/* What carries the bytes of a session: a small table of functions, so that what lies above does not know the medium. */
#ifndef SEGURO_CLIENT_TRANSPORT_H
#define SEGURO_CLIENT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ring/ring.h"

/* sun_path of Linux, NUL included. */
#define SEGURO_SOCKET_PATH_MAX 108u
#define SEGURO_TRANSPORT_AGAIN 0
#define SEGURO_TRANSPORT_CLOSED (-1)

/* This end of a ring. */
typedef struct seguro_ring_link {
  void *memory; /* NULL: no ring */
  uint64_t memory_bytes;
  uint64_t generation; /* of the newest ring, kept when it has gone: the next one must have another */
  seguro_ring_producer producer;
  seguro_ring_consumer consumer;
  uint32_t silent;      /* receives in a row that found nothing and did not look at the socket */
  bool is_armed;        /* the sidecar was told to ring for new bytes, and the socket was not read since */
  bool is_room_armed;   /* and for room */
  bool is_socket_due;   /* the socket may have something to say */
  bool is_socket_ended; /* the sidecar is gone; what it has published is still taken */
} seguro_ring_link;

/* One connection, and what its transport keeps of it. */
typedef struct seguro_link {
  int fd;                /* the socket; -1: no connection */
  int memory_fd;         /* the descriptor that came with a frame; -1: none */
  bool is_memory_wanted; /* OPEN asked for shared memory, so a descriptor may come */
  int32_t spin_us;       /* how long a wait looks at the ring before it sleeps */
  seguro_ring_link ring;
} seguro_link;

/* send and receive never wait. They return bytes moved (above 0), SEGURO_TRANSPORT_AGAIN, SEGURO_TRANSPORT_CLOSED for
 * an orderly end, or -2 - errno. */
typedef struct seguro_transport {
  const char *name;
  int64_t (*send)(seguro_link *link, struct iovec *pieces, unsigned piece_count);
  int64_t (*receive)(seguro_link *link, struct iovec *pieces, unsigned piece_count);
  /* Waits until something can be received (or sent, when wanted), at most timeout_ms. A signal may end it early. */
  void (*wait)(seguro_link *link, bool is_send_wanted, int timeout_ms);
  /* Prepares for a wait on the socket that happens elsewhere. When there is something to do now it does not; is_armed
   * says whether it did. NULL both: the socket says everything by itself, with POLLIN and POLLOUT. */
  void (*arm)(seguro_link *link, bool is_send_wanted);
  bool (*is_armed)(const seguro_link *link, bool is_send_wanted);
  void (*close)(seguro_link *link);
} seguro_transport;

/* Every session begins over this one, and its handshake runs there. */
extern const seguro_transport seguro_transport_stream;
/* Connects link->fd. Returns 0 or -errno. */
int seguro_stream_connect(seguro_link *link, const char *path);

/* Takes over after seguro_ring_attach_link. */
extern const seguro_transport seguro_transport_ring;
/* Checks and maps the memory that came as link->memory_fd and must have `total_bytes`; consumes the descriptor. Returns
 * NULL, or why the memory is refused; then nothing is mapped. */
const char *seguro_ring_attach_link(seguro_link *link, uint64_t total_bytes);

#endif
