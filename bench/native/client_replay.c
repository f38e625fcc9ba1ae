/* Replays a whole log through libseguro's iterator, which checks every record.
 *
 *   client_replay stream|ring SOCKET SHIP
 *
 * Prints one line of JSON: the transfer from the first request to the last event.
 */
#include "client.h"

int main(int argc, char **argv) {
  if (argc != 4) {
    bench_fail("client_replay stream|ring SOCKET SHIP");
  }
  seguro *handle = bench_open(argv[1], argv[2], argv[3], SEGURO_ROLE_READ);
  seguro_reader *reader;
  seguro_event event;
  uint64_t events = 0, bytes = 0, begin_ns = bench_now_ns();
  bench_expect(handle, seguro_reader_open(&reader, handle, 1, 0, 0));
  while (bench_expect(handle, seguro_reader_next(reader, &event, SEGURO_FOREVER)) == 1) {
    events++;
    bytes += event.length_bytes;
  }
  bench_print_transfer(events, bytes, bench_now_ns() - begin_ns);
  seguro_reader_close(reader);
  seguro_close(handle);
  return 0;
}
