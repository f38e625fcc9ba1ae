/* The stream transport: a Unix socket, never blocking, never raising SIGPIPE. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "transport.h"

int seguro_stream_connect(seguro_link *link, const char *path) {
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
  link->fd = fd;
  return 0;
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

static int64_t stream_send(seguro_link *link, struct iovec *pieces, unsigned piece_count) {
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = pieces;
  message.msg_iovlen = piece_count;
  ssize_t sent;
  do {
    sent = sendmsg(link->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent == 0 ? SEGURO_TRANSPORT_AGAIN : result(sent);
}

/* Keeps the first descriptor that came; a second one has no meaning and is closed. */
static void keep_memory(seguro_link *link, struct msghdr *message) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS || part->cmsg_len < CMSG_LEN(sizeof(int))) {
      continue;
    }
    int fd;
    memcpy(&fd, CMSG_DATA(part), sizeof fd);
    if (link->memory_fd >= 0) {
      close(fd);
    } else {
      link->memory_fd = fd;
    }
  }
}

static int64_t stream_receive(seguro_link *link, struct iovec *pieces, unsigned piece_count) {
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = pieces;
  message.msg_iovlen = piece_count;
  /* Room for one descriptor, and only when one was asked for: the kernel drops the others. */
  union {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
  } control;
  if (link->is_memory_wanted) {
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = CMSG_LEN(sizeof(int));
  }
  ssize_t received;
  do {
    /* A descriptor must not leak over an exec. */
    received = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received > 0 && link->is_memory_wanted) {
    keep_memory(link, &message);
  }
  return received == 0 ? SEGURO_TRANSPORT_CLOSED : result(received);
}

static void stream_wait(seguro_link *link, bool is_send_wanted, int timeout_ms) {
  struct pollfd watched = {.fd = link->fd, .events = (short)(POLLIN | (is_send_wanted ? POLLOUT : 0))};
  poll(&watched, 1, timeout_ms);
}

static void stream_close(seguro_link *link) {
  if (link->memory_fd >= 0) {
    close(link->memory_fd);
    link->memory_fd = -1;
  }
  close(link->fd);
  link->fd = -1;
}

const seguro_transport seguro_transport_stream = {
    .name = "stream",
    .send = stream_send,
    .receive = stream_receive,
    .wait = stream_wait,
    .arm = NULL,
    .is_armed = NULL,
    .close = stream_close,
};
