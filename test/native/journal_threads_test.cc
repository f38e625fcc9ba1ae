// The log on a real file system, with a thread that releases and prepares while another appends; built with ThreadSanitizer as well.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "journal/log.h"

namespace {

using namespace seguro::journal;
using Bytes = std::vector<uint8_t>;

constexpr uint64_t kRecords = 400;

Bytes PayloadOf(uint64_t sequence) { return Bytes(sequence * 997 % 60000, static_cast<uint8_t>(sequence)); }

void append_release_prepare(const std::string &dir) {
  Options options;
  options.dir = dir;
  options.create = true;
  options.segment_bytes = uint64_t{1} << 20;
  std::unique_ptr<Log> log = Log::Open(RealDisk(), options, 0, [](uint64_t, std::span<const uint8_t>) {});
  std::atomic<bool> stopping{false};
  std::thread background([&] {
    while (!stopping) {
      uint64_t last = log->last_sequence();
      if (last > 20) log->Release(last - 20);
      while (log->wants_preparation() && log->Prepare()) {
      }
      CHECK(log->figures().trouble.empty());
      usleep(100);
    }
  });
  for (uint64_t sequence = 1; sequence <= kRecords; sequence++) {
    Bytes payload = PayloadOf(sequence);
    iovec piece{payload.data(), payload.size()};
    CHECK_EQUAL(log->Append(std::span(&piece, 1)), sequence);
  }
  stopping = true;
  background.join();
  Figures figures = log->figures();
  CHECK_EQUAL(figures.flushes, kRecords);
  CHECK(figures.segments_begun > 10 && figures.segments < 10);
  uint64_t applied = figures.released_sequence, last = applied;
  options.log_id = log->log_id();
  options.create = false;
  log.reset();
  log = Log::Open(RealDisk(), options, applied, [&](uint64_t sequence, std::span<const uint8_t> bytes) {
    CHECK_EQUAL(sequence, ++last);
    CHECK(Bytes(bytes.begin(), bytes.end()) == PayloadOf(sequence));
  });
  CHECK_EQUAL(last, kRecords);
}

}  // namespace

int main() {
  // Where the build is: /tmp may be memory, in which there is no way past the page cache.
  char dir[] = "journal-test-XXXXXX";
  CHECK(mkdtemp(dir) != nullptr);
  append_release_prepare(std::string(dir) + "/journal");
  std::filesystem::remove_all(dir);
  return 0;
}
