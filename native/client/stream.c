/* The stream transport: a Unix socket, never blocking, never raising SIGPIPE. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "transport.h"

static int stream_connect(const char *path) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  size_t path_bytes = strlen(path);
  if (path_bytes >= sizeof address.sun_path) {
    return -ENAMETOOLONG;
  }
  memcpy(address.sun_path, path, path_bytes);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return -errno;
  }
  /* A Unix socket connects at once or not at all: EAGAIN means that the sidecar's backlog is full. */
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int reason = errno;
    close(fd);
    return -reason;
  }
  return fd;
}

static int64_t result(ssize_t moved) {
  if (moved > 0) {
    return moved;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    return SEGURO_TRANSPORT_AGAIN;
  }
  return -2 - (int64_t)errno;
}

static int64_t stream_send(int fd, struct iovec *pieces, unsigned piece_count) {
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = pieces;
  message.msg_iovlen = piece_count;
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent == 0 ? SEGURO_TRANSPORT_AGAIN : result(sent);
}

static int64_t stream_receive(int fd, struct iovec *pieces, unsigned piece_count) {
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = pieces;
  message.msg_iovlen = piece_count;
  ssize_t received;
  do {
    /* Descriptors that a sidecar might pass are not asked for and do not leak over exec. */
    received = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  return received == 0 ? SEGURO_TRANSPORT_CLOSED : result(received);
}

static void stream_wait(int fd, bool is_send_wanted, int timeout_ms) {
  struct pollfd watched = {.fd = fd, .events = (short)(POLLIN | (is_send_wanted ? POLLOUT : 0))};
  poll(&watched, 1, timeout_ms);
}

static void stream_close(int fd) { close(fd); }

const seguro_transport seguro_transport_stream = {
    .name = "stream",
    .connect = stream_connect,
    .send = stream_send,
    .receive = stream_receive,
    .wait = stream_wait,
    .close = stream_close,
};
