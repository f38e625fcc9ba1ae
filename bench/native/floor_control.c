/* The floor of every durable figure: pwritev and fdatasync of the same bytes into a file that was written once before.
 *
 *   floor_control FILE COMMITS BYTES-PER-COMMIT
 *
 * Makes the file. Prints one line of JSON: the commits' latencies and the rate.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

/* Writing begins again at the front when the file is used up: it stays preallocated and prewritten. */
static const uint64_t file_bytes = 64u << 20;
static const size_t chunk_bytes = 1u << 20;

static void prewrite(int fd) {
  uint8_t *chunk = bench_allocate(1, chunk_bytes);
  for (uint64_t at = 0; at < file_bytes; at += chunk_bytes) {
    if (pwrite(fd, chunk, chunk_bytes, (off_t)at) != (ssize_t)chunk_bytes) {
      bench_fail("floor_control: prewrite: %s", strerror(errno));
    }
  }
  free(chunk);
  if (fsync(fd) != 0) {
    bench_fail("floor_control: fsync: %s", strerror(errno));
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    bench_fail("floor_control FILE COMMITS BYTES-PER-COMMIT");
  }
  size_t commits = bench_number(argv[2]), size = bench_number(argv[3]);
  if (size > file_bytes) {
    bench_fail("floor_control: a commit larger than the file");
  }
  int fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    bench_fail("floor_control: %s: %s", argv[1], strerror(errno));
  }
  prewrite(fd);
  uint8_t header[24] = {0};
  uint8_t *payload = bench_allocate(1, size);
  bench_fill(payload, size);
  size_t head_bytes = size < sizeof header ? size : sizeof header;
  struct iovec pieces[2] = {{header, head_bytes}, {payload, size - head_bytes}};
  uint64_t *took_ns = bench_allocate(commits, sizeof *took_ns);
  uint64_t at = 0, begin_ns = bench_now_ns();
  for (size_t i = 0; i < commits; i++) {
    uint64_t start_ns = bench_now_ns();
    if (at + size > file_bytes) {
      at = 0;
    }
    if (pwritev(fd, pieces, 2, (off_t)at) != (ssize_t)size || fdatasync(fd) != 0) {
      bench_fail("floor_control: write: %s", strerror(errno));
    }
    at += size;
    took_ns[i] = bench_now_ns() - start_ns;
  }
  bench_print_latencies(took_ns, commits, commits, bench_now_ns() - begin_ns);
  free(took_ns);
  free(payload);
  close(fd);
  return 0;
}
