/* The control of every figure over the stream: two processes, one Unix stream socket, messages of a size, nothing else.
 *
 *   socket_control MESSAGES BYTES-PER-MESSAGE
 *
 * The child writes messages that lie packed in memory, more of them than the processor's caches hold (as a log in the page cache
 * does), in large writes; the parent reads them in large reads and looks at the length of each. Nothing is checked and nothing copied
 * beyond what the socket itself copies. Prints one line of JSON: the transfer as the reader saw it.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static const size_t chunk_bytes = 256u << 10;
static const size_t source_bytes = 128u << 20;

static void write_all(int fd, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, bytes, size);
    if (written <= 0) {
      bench_fail("socket_control: write: %s", strerror(errno));
    }
    bytes += written;
    size -= (size_t)written;
  }
}

/* Messages of `size` bytes, each beginning with its length, as many as fit into the source. */
static uint8_t *make_source(uint64_t size, uint64_t *used_bytes) {
  uint64_t count = source_bytes / size > 0 ? source_bytes / size : 1;
  *used_bytes = count * size;
  uint8_t *source = bench_allocate(1, *used_bytes);
  bench_fill(source, *used_bytes);
  for (uint64_t i = 0; i < count; i++) {
    memcpy(source + i * size, &size, sizeof size);
  }
  return source;
}

static void run_writer(int fd, uint64_t messages, uint64_t size) {
  uint64_t used_bytes;
  uint8_t *source = make_source(size, &used_bytes);
  char byte = 0;
  write_all(fd, (const uint8_t *)"", 1);
  if (read(fd, &byte, 1) != 1) {
    bench_fail("socket_control: the reader has gone");
  }
  uint64_t left = messages * size, at = 0;
  while (left > 0) {
    size_t part = left < chunk_bytes ? (size_t)left : chunk_bytes;
    part = part < used_bytes - at ? part : (size_t)(used_bytes - at);
    write_all(fd, source + at, part);
    left -= part;
    at = at + part == used_bytes ? 0 : at + part;
  }
  free(source);
  close(fd);
}

/* Reads everything, walking from message to message by the lengths they begin with. Returns the number of messages. */
static uint64_t run_reader(int fd, uint64_t total_bytes) {
  uint8_t *buffer = bench_allocate(1, 2 * chunk_bytes);
  uint64_t read_bytes = 0, messages = 0, skip = 0;
  size_t held = 0;
  while (read_bytes < total_bytes) {
    ssize_t got = read(fd, buffer + held, chunk_bytes);
    if (got <= 0) {
      bench_fail("socket_control: read: %s", got == 0 ? "closed" : strerror(errno));
    }
    read_bytes += (uint64_t)got;
    size_t end = held + (size_t)got, at = 0;
    while (at < end) {
      uint64_t step = skip, size;
      if (skip == 0) {
        if (end - at < sizeof size) {
          break;
        }
        memcpy(&size, buffer + at, sizeof size);
        step = size;
        messages++;
      }
      uint64_t taken = step < end - at ? step : end - at;
      at += taken;
      skip = step - taken;
    }
    held = end - at;
    memmove(buffer, buffer + at, held);
  }
  free(buffer);
  return messages;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    bench_fail("socket_control MESSAGES BYTES-PER-MESSAGE");
  }
  uint64_t messages = bench_number(argv[1]), size = bench_number(argv[2]);
  if (size < sizeof size) {
    bench_fail("socket_control: a message has at least 8 bytes");
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    bench_fail("socket_control: socketpair: %s", strerror(errno));
  }
  pid_t child = fork();
  if (child < 0) {
    bench_fail("socket_control: fork: %s", strerror(errno));
  }
  if (child == 0) {
    close(ends[0]);
    run_writer(ends[1], messages, size);
    return 0;
  }
  close(ends[1]);
  char ready;
  if (read(ends[0], &ready, 1) != 1) {
    bench_fail("socket_control: the writer has gone");
  }
  uint64_t begin_ns = bench_now_ns();
  write_all(ends[0], (const uint8_t *)"", 1);
  uint64_t seen = run_reader(ends[0], messages * size);
  if (seen != messages) {
    bench_fail("socket_control: %llu messages came", (unsigned long long)seen);
  }
  bench_print_transfer(messages, messages * size, bench_now_ns() - begin_ns);
  waitpid(child, NULL, 0);
  return 0;
}
