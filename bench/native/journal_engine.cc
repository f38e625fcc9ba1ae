/* The journal's engine by itself: one put a commit, without JavaScript, sockets or rings around it.
 *
 *   journal_engine DIR COMMITS BYTES-PER-COMMIT
 *   journal_engine DIR open
 *
 * Makes the store or goes on with it. Prints one line of JSON: the commits' latencies, the rate, and the durable writes a commit; or with `open`
 * how long opening takes, and what it reads back from the log.
 */
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench.h"
#include "journal_store.h"

static uint64_t FigureOf(seguro::JournalStore &store, const char *name) {
  for (const auto &[figure, value] : store.Figures()) {
    if (std::strcmp(figure, name) == 0) return value;
  }
  return 0;
}

static seguro::KvOptions OptionsFor(const char *dir) {
  seguro::KvOptions options;
  options.dir = dir;
  options.map_bytes = uint64_t{1} << 40;
  options.overlay_bytes = uint64_t{32} << 20;
  return options;
}

static void Open(const char *dir) {
  uint64_t start_ns = bench_now_ns();
  seguro::JournalStore store(OptionsFor(dir), seguro::journal::RealDisk());
  double took_ms = static_cast<double>(bench_now_ns() - start_ns) / 1e6;
  std::printf("{\"open_ms\":%.2f,\"records\":%" PRIu64 "}\n", took_ms, FigureOf(store, "recoveredRecords"));
}

static void Run(const char *dir, size_t commits, size_t size) {
  seguro::JournalStore store(OptionsFor(dir), seguro::journal::RealDisk());
  uint64_t first = FigureOf(store, "logSequence");
  std::vector<uint8_t> payload(size);
  bench_fill(payload.data(), size);
  std::vector<uint64_t> took_ns(commits);
  uint64_t begin_ns = bench_now_ns();
  for (size_t i = 0; i < commits; i++) {
    uint64_t start_ns = bench_now_ns();
    uint64_t id = __builtin_bswap64(first + i);
    seguro::KvWrite write{seguro::KvWrite::kPut, {reinterpret_cast<const uint8_t *>(&id), sizeof id}, {}, {{payload.data(), size}}};
    store.Commit({seguro::KvMember{{}, {write}}});
    took_ns[i] = bench_now_ns() - start_ns;
  }
  uint64_t total_ns = bench_now_ns() - begin_ns;
  qsort(took_ns.data(), commits, sizeof took_ns[0], bench_by_value);
  double flushes = static_cast<double>(FigureOf(store, "flushes"));
  std::printf("{\"p50_us\":%.2f,\"p99_us\":%.2f,\"events_per_s\":%.0f,\"flushes_per_commit\":%.4f}\n",
              static_cast<double>(took_ns[commits / 2]) / 1e3, static_cast<double>(took_ns[commits * 99 / 100]) / 1e3,
              static_cast<double>(commits) / (static_cast<double>(total_ns) / 1e9), flushes / static_cast<double>(commits));
}

int main(int argc, char **argv) {
  bool opens = argc == 3 && std::strcmp(argv[2], "open") == 0;
  if (argc != 4 && !opens) bench_fail("journal_engine DIR COMMITS BYTES-PER-COMMIT | open");
  try {
    if (opens) {
      Open(argv[1]);
      return 0;
    }
    Run(argv[1], bench_number(argv[2]), bench_number(argv[3]));
  } catch (const std::exception &failure) {
    bench_fail("journal_engine: %s", failure.what());
  }
  return 0;
}
