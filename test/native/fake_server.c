/* The test sidecar: connections, handshake, frames in and out. What the frames mean is in fake_flows.c. */
#include "fake_server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "fake_flows.h"

uint8_t *fake_payload(uint64_t id, uint64_t length_bytes) {
  uint8_t *bytes = malloc((size_t)length_bytes + 1);
  uint64_t x = id * 0x9e3779b97f4a7c15u + length_bytes + 1;
  for (uint64_t i = 0; i < length_bytes; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    bytes[i] = (uint8_t)x;
  }
  return bytes;
}

void fake_lock(fake_server *server) { pthread_mutex_lock(&server->mutex); }
void fake_unlock(fake_server *server) { pthread_mutex_unlock(&server->mutex); }

static ssize_t write_some(fake_session *session, const void *bytes, size_t length_bytes) {
  if (session->is_ring) {
    return fake_ring_write(&session->ring, bytes, length_bytes) ? (ssize_t)length_bytes : -1;
  }
  if (session->ring.memory != NULL && session->ring.memory_fd >= 0) {
    return fake_ring_send_memory(&session->ring, bytes, length_bytes);
  }
  return send(session->fd, bytes, length_bytes, MSG_NOSIGNAL);
}

bool fake_write(fake_session *session, const void *bytes, size_t length_bytes) {
  fake_faults *faults = &session->server->faults;
  const uint8_t *at = bytes;
  while (length_bytes > 0) {
    size_t now = faults->write_bytes > 0 && faults->write_bytes < length_bytes ? faults->write_bytes : length_bytes;
    if (faults->drop_after_written > 0 && session->is_framed && faults->drop_after_written < now) {
      now = (size_t)faults->drop_after_written;
    }
    ssize_t written = write_some(session, at, now);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    at += written;
    length_bytes -= (size_t)written;
    if (faults->drop_after_written > 0 && session->is_framed) {
      faults->drop_after_written -= (uint64_t)written;
      if (faults->drop_after_written == 0) {
        return false;
      }
    }
  }
  return true;
}

bool fake_send(fake_session *session, uint8_t type, uint32_t request, const void *body, uint32_t body_bytes) {
  uint8_t *frame = calloc(1, SEGURO_FRAME_HEADER_BYTES + (size_t)seguro_align8(body_bytes));
  seguro_frame_store(frame, (seguro_frame_header){.body_bytes = body_bytes, .type = type, .request = request});
  if (body_bytes > 0) {
    memcpy(frame + SEGURO_FRAME_HEADER_BYTES, body, body_bytes);
  }
  bool is_sent = fake_write(session, frame, SEGURO_FRAME_HEADER_BYTES + (size_t)seguro_align8(body_bytes));
  free(frame);
  return is_sent;
}

static bool read_all(fake_session *session, void *into, size_t length_bytes) {
  uint8_t *at = into;
  if (session->is_ring) {
    fake_unlock(session->server);
    bool is_read = fake_ring_read(&session->ring, into, length_bytes);
    fake_lock(session->server);
    return is_read;
  }
  while (length_bytes > 0) {
    fake_unlock(session->server);
    ssize_t got = read(session->fd, at, length_bytes);
    fake_lock(session->server);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;
    }
    at += got;
    length_bytes -= (size_t)got;
  }
  return true;
}

static bool expect_text(fake_session *session, const char *text) {
  char block[128];
  size_t length = 0;
  do {
    if (length == sizeof block || !read_all(session, block + length, 1)) {
      return false;
    }
  } while (block[length++] != 0);
  return strcmp(block, text) == 0;
}

static bool handshake(fake_session *session) {
  return fake_write(session, "SEGURO 0 1", 11) && expect_text(session, "HELLO 1") && fake_write(session, "IDENTIFY 1", 11) &&
         expect_text(session, "POINT ~zod") && fake_write(session, "WELCOME ~zod 7", 15);
}

/* Records are taken in, and acknowledged, while the rest of their frame is still on its way. */
static bool serve_append(fake_session *session, uint32_t body_bytes) {
  uint8_t piece[8192];
  bool is_alive = true;
  session->server->append_frames++;
  while (is_alive && body_bytes > 0) {
    uint32_t now = body_bytes < sizeof piece ? body_bytes : (uint32_t)sizeof piece;
    is_alive = read_all(session, piece, now) && fake_take_append(session, piece, now);
    body_bytes -= now;
  }
  return is_alive;
}

static bool serve_frame(fake_session *session) {
  uint8_t head[SEGURO_FRAME_HEADER_BYTES];
  seguro_frame_header header;
  if (!read_all(session, head, sizeof head)) {
    return false;
  }
  CHECK(seguro_frame_load(head, &header) == 0);
  fake_faults *faults = &session->server->faults;
  if (header.type == SEGURO_FRAME_APPEND && faults->drop_after_frames == 0) {
    return serve_append(session, header.body_bytes);
  }
  size_t body_bytes = (size_t)seguro_align8(header.body_bytes);
  uint8_t *body = malloc(body_bytes + 1);
  bool is_alive = read_all(session, body, body_bytes);
  if (is_alive && faults->drop_after_frames > 0 && --faults->drop_after_frames == 0) {
    is_alive = false;
  }
  if (is_alive) {
    is_alive = fake_take(session, &header, body);
  }
  free(body);
  return is_alive;
}

static void serve(fake_server *server, int fd) {
  fake_session session = {.server = server, .fd = fd};
  fake_lock(server);
  server->connections++;
  server->connection = fd;
  if (server->faults.raw != NULL) {
    fake_write(&session, server->faults.raw, server->faults.raw_bytes);
    shutdown(fd, SHUT_WR);
    char ignored[256];
    while (read_all(&session, ignored, 1)) {
    }
  } else if (handshake(&session)) {
    session.is_framed = true;
    while (serve_frame(&session)) {
    }
  }
  server->connection = -1;
  fake_session_end(&session);
  if (session.ring.memory != NULL) {
    seguro_ring_close(&session.ring.producer);
    fake_ring_free(&session.ring);
  }
  close(fd);
  fake_unlock(server);
}

static void *run(void *context) {
  fake_server *server = context;
  for (;;) {
    int fd = accept(server->listener, NULL, NULL);
    if (fd < 0) {
      return NULL;
    }
    serve(server, fd);
    fake_lock(server);
    bool is_stopping = server->is_stopping;
    fake_unlock(server);
    if (is_stopping) {
      return NULL;
    }
  }
}

void fake_start(fake_server *server) {
  memset(server, 0, sizeof *server);
  server->connection = -1;
  server->events = calloc(FAKE_EVENTS_MAX, sizeof *server->events);
  server->metas = calloc(FAKE_META_MAX, sizeof *server->metas);
  pthread_mutex_init(&server->mutex, NULL);
  const char *ring_bytes = getenv("SEGURO_TEST_RING");
  server->ring_bytes = ring_bytes == NULL ? 0 : strtoull(ring_bytes, NULL, 10);
  static int serial;
  snprintf(server->path, sizeof server->path, "/tmp/seguro-test-%d-%d.sock", (int)getpid(), serial++);
  unlink(server->path);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, server->path, strlen(server->path) + 1);
  server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(bind(server->listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(server->listener, 16) == 0);
  CHECK(pthread_create(&server->thread, NULL, run, server) == 0);
}

void fake_hang_up(fake_server *server) {
  fake_lock(server);
  if (server->connection >= 0) {
    shutdown(server->connection, SHUT_RDWR);
  }
  fake_unlock(server);
}

void fake_stop(fake_server *server) {
  fake_lock(server);
  server->is_stopping = true;
  fake_unlock(server);
  shutdown(server->listener, SHUT_RDWR);
  fake_hang_up(server);
  pthread_join(server->thread, NULL);
  close(server->listener);
  unlink(server->path);
  for (uint64_t i = 0; i < server->count; i++) {
    free(server->events[i].bytes);
  }
  free(server->events);
  free(server->metas);
  free(server->file);
  free(server->file_coming);
  pthread_mutex_destroy(&server->mutex);
}

void fake_put(fake_server *server, uint64_t id, const void *bytes, uint64_t length_bytes) {
  if (server->count == 0) {
    server->base = id;
  }
  CHECK(server->count < FAKE_EVENTS_MAX && id == server->base + server->count);
  fake_event *event = &server->events[server->count++];
  event->bytes = malloc((size_t)length_bytes + 1);
  event->length_bytes = length_bytes;
  if (length_bytes > 0) {
    memcpy(event->bytes, bytes, (size_t)length_bytes);
  }
  uint32_t before = server->count > 1 ? event[-1].chain : 0;
  event->chain = seguro_crc32c(before, event->bytes, (size_t)length_bytes);
}

void fake_drop_event(fake_server *server) { free(server->events[--server->count].bytes); }
