/* The control of every figure over the stream: two processes, one Unix stream socket, messages of a size, nothing else.
 *
 *   socket_control MESSAGES BYTES-PER-MESSAGE
 *
 * The child writes the messages, packed one behind the other, in large writes; the parent reads them in large reads and touches
 * every message. Prints one line of JSON: the transfer as the reader saw it.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static const size_t chunk_bytes = 256u << 10;

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

static void run_writer(int fd, uint64_t total_bytes) {
  uint8_t *chunk = bench_allocate(1, chunk_bytes);
  bench_fill(chunk, chunk_bytes);
  char ready = 0;
  if (read(fd, &ready, 1) != 1) {
    bench_fail("socket_control: the reader has gone");
  }
  while (total_bytes > 0) {
    size_t part = total_bytes < chunk_bytes ? (size_t)total_bytes : chunk_bytes;
    write_all(fd, chunk, part);
    total_bytes -= part;
  }
  free(chunk);
  close(fd);
}

/* Reads everything; `next` walks from message to message, so that each is looked at as a reader of messages would. */
static uint64_t run_reader(int fd, uint64_t total_bytes, uint64_t message_bytes) {
  uint8_t *chunk = bench_allocate(1, chunk_bytes);
  uint64_t read_bytes = 0, next = 0;
  volatile uint64_t seen = 0;
  while (read_bytes < total_bytes) {
    ssize_t got = read(fd, chunk, chunk_bytes);
    if (got <= 0) {
      bench_fail("socket_control: read: %s", got == 0 ? "closed" : strerror(errno));
    }
    for (; next < read_bytes + (uint64_t)got; next += message_bytes) {
      seen += chunk[next - read_bytes];
    }
    read_bytes += (uint64_t)got;
  }
  free(chunk);
  return read_bytes;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    bench_fail("socket_control MESSAGES BYTES-PER-MESSAGE");
  }
  uint64_t messages = bench_number(argv[1]), size = bench_number(argv[2]);
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
    run_writer(ends[1], messages * size);
    return 0;
  }
  close(ends[1]);
  /* The clock starts when the writer is let go, not when it was made. */
  uint64_t begin_ns = bench_now_ns();
  write_all(ends[0], (const uint8_t *)"", 1);
  uint64_t bytes = run_reader(ends[0], messages * size, size);
  bench_print_transfer(messages, bytes, bench_now_ns() - begin_ns);
  waitpid(child, NULL, 0);
  return 0;
}
