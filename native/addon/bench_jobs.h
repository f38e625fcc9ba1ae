// What `seguro bench` has done natively: jobs of libseguro against a sidecar, and the bare controls beside them. Knows nothing of JavaScript.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

/** Not `seguro`: that is the name of a struct in libseguro. */
namespace seguro_bench {

/** What a job is to do; each uses what concerns it. */
struct BenchRequest {
  std::string job;
  /** The sidecar's socket; for "flush" the file that is written, which must not exist. */
  std::string path;
  std::string ship;
  bool is_ring = false;
  /** append, roundtrip: the id of the first event, which must be the log's next one. replay: where to begin. */
  uint64_t first_id = 1;
  uint64_t events = 0;
  uint64_t event_bytes = 0;
  /** The job begins nothing new after so long. */
  double seconds_max = 0;
};

/** What came of it. `error_code` is 0, or one of libseguro's, or an errno where `is_system`. */
struct BenchResult {
  int error_code = 0;
  bool is_system = false;
  std::string error_name;
  std::string error_text;
  uint64_t events = 0;
  uint64_t bytes = 0;
  double seconds = 0;
  /** Of each round trip or flush. */
  std::vector<double> micros;
};

/** Set by JavaScript, at any time: the job ends as soon as it can. */
class BenchStop {
 public:
  explicit BenchStop(int32_t *flag) : flag_(flag) {}
  bool IsAsked() const { return std::atomic_ref<int32_t>(*flag_).load(std::memory_order_relaxed) != 0; }

 private:
  int32_t *flag_;
};

class BenchClock {
 public:
  BenchClock() : begun_(std::chrono::steady_clock::now()) {}
  double Seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count(); }

 private:
  std::chrono::steady_clock::time_point begun_;
};

/** Bytes that differ from word to word, so that nothing on the way can make less of them. */
inline std::vector<uint8_t> BenchNoise(size_t length_bytes) {
  std::vector<uint8_t> bytes(length_bytes);
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (size_t at = 0; at < length_bytes; at += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(bytes.data() + at, &state, length_bytes - at < sizeof state ? length_bytes - at : sizeof state);
  }
  return bytes;
}

/** "append", "roundtrip", "replay": a session of libseguro of its own for each. */
BenchResult BenchWithClient(const BenchRequest &request, const BenchStop &stop);

/** "memcpy", "socket", "echo", "flush": the least that the machine needs for a part of the same work. */
BenchResult BenchControl(const BenchRequest &request, const BenchStop &stop);

}  // namespace seguro_bench
