/* What carries the bytes of a session: a small table of functions, so that what lies above does not know the medium. */
#ifndef SEGURO_CLIENT_TRANSPORT_H
#define SEGURO_CLIENT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* sun_path of Linux, NUL included. */
#define SEGURO_SOCKET_PATH_MAX 108u
#define SEGURO_TRANSPORT_AGAIN 0
#define SEGURO_TRANSPORT_CLOSED (-1)

/* send and receive never wait. They return bytes moved (above 0), SEGURO_TRANSPORT_AGAIN, SEGURO_TRANSPORT_CLOSED for
 * an orderly end, or -2 - errno. */
typedef struct seguro_transport {
  const char *name;
  /* A connected descriptor, or -errno. */
  int (*connect)(const char *path);
  int64_t (*send)(int fd, struct iovec *pieces, unsigned piece_count);
  int64_t (*receive)(int fd, struct iovec *pieces, unsigned piece_count);
  /* Waits until something can be received (or sent, when wanted), at most timeout_ms. A signal may end it early. */
  void (*wait)(int fd, bool is_send_wanted, int timeout_ms);
  void (*close)(int fd);
} seguro_transport;

extern const seguro_transport seguro_transport_stream;

#endif
