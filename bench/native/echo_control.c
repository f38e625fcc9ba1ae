/* The control of round trips: two processes, one Unix stream socket, blocking writes and reads, nothing else.
 *
 *   echo_control ROUNDS BYTES-THERE BYTES-BACK PROCESSOR
 *
 * One end runs on that processor, the other on those that are left: where the kernel may choose, a round trip takes some 3 us
 * on one processor or twenty times that on two, by chance. Prints one line of JSON: the round trips' latencies.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void write_whole(int fd, const uint8_t *bytes, uint64_t size) {
  for (uint64_t at = 0; at < size;) {
    ssize_t written = write(fd, bytes + at, size - at);
    if (written <= 0) {
      bench_fail("echo_control: write: %s", strerror(errno));
    }
    at += (uint64_t)written;
  }
}

static void read_whole(int fd, uint8_t *into, uint64_t size) {
  for (uint64_t at = 0; at < size;) {
    ssize_t got = read(fd, into + at, size - at);
    if (got <= 0) {
      bench_fail("echo_control: read: %s", got == 0 ? "closed" : strerror(errno));
    }
    at += (uint64_t)got;
  }
}

int main(int argc, char **argv) {
  if (argc != 5) {
    bench_fail("echo_control ROUNDS BYTES-THERE BYTES-BACK PROCESSOR");
  }
  uint64_t rounds = bench_number(argv[1]), there = bench_number(argv[2]), back = bench_number(argv[3]);
  uint8_t *message = bench_allocate(1, there > back ? there : back);
  uint64_t *took_ns = bench_allocate(rounds, sizeof *took_ns);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    bench_fail("echo_control: socketpair: %s", strerror(errno));
  }
  pid_t child = fork();
  if (child < 0) {
    bench_fail("echo_control: fork: %s", strerror(errno));
  }
  bench_place(atoi(argv[4]), child != 0);
  int fd = ends[child == 0];
  close(ends[child != 0]);
  uint64_t begin_ns = bench_now_ns();
  for (uint64_t i = 0; i < rounds; i++) {
    uint64_t sent_ns = bench_now_ns();
    if (child == 0) {
      read_whole(fd, message, there);
      write_whole(fd, message, back);
    } else {
      write_whole(fd, message, there);
      read_whole(fd, message, back);
    }
    took_ns[i] = bench_now_ns() - sent_ns;
  }
  if (child != 0) {
    bench_print_latencies(took_ns, rounds, rounds, bench_now_ns() - begin_ns);
    waitpid(child, NULL, 0);
  }
  free(took_ns);
  free(message);
  close(fd);
  return 0;
}
