// Thousands of histories on a disk that fails in every way it may: nothing acknowledged is ever lost or changed unless damage is reported.
//
//   journal_fault_test            seeds from the clock on, for ten seconds, then the lies that have to be noticed
//   journal_fault_test SEED       that one
//   journal_fault_test FROM COUNT so many from there on
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "check.h"
#include "journal_history.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTime = std::chrono::seconds(10);
/// A lie that stays unnoticed in so many histories means that the test looks away.
constexpr uint64_t kLieSeedsMax = 5000;

void RunSeed(uint64_t seed, Tally *tally) {
  try {
    History(seed, Lie::kNone, tally).Run();
  } catch (const Broken &broken) {
    std::fprintf(stderr, "seed %" PRIu64 ": %s\nagain: journal_fault_test %" PRIu64 "\n", seed, broken.what(), seed);
    std::abort();
  }
}

void Print(const Tally &tally) {
  std::fprintf(stderr,
               "  %" PRIu64 " histories, %" PRIu64 " openings, %" PRIu64 " records, %" PRIu64 " recovered, in doubt and there %" PRIu64
               ", in doubt and gone %" PRIu64 "\n  %" PRIu64 " power cuts, %" PRIu64 " kills, %" PRIu64 " failures (%" PRIu64
               " full), %" PRIu64 " damages reported, %" PRIu64 " cuts, %" PRIu64 " releases\n",
               tally.seeds, tally.openings, tally.records, tally.recovered, tally.in_doubt_there, tally.in_doubt_gone, tally.power_cuts,
               tally.kills, tally.failures, tally.full, tally.damages, tally.cuts, tally.reused);
}

/// On a disk that lies, a history has to break.
void MustBreak(const char *name, Lie lie) {
  for (uint64_t seed = 1; seed <= kLieSeedsMax; seed++) {
    Tally tally;
    try {
      History(seed, lie, &tally).Run();
    } catch (const Broken &broken) {
      std::fprintf(stderr, "  %s: noticed after %" PRIu64 " histories (%s)\n", name, seed, broken.what());
      return;
    }
  }
  std::fprintf(stderr, "  %s: not noticed in %" PRIu64 " histories\n", name, kLieSeedsMax);
  std::abort();
}

}  // namespace

int main(int count, char **arguments) {
  Tally tally;
  if (count > 1) {
    uint64_t from = std::strtoull(arguments[1], nullptr, 10);
    uint64_t seeds = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1;
    for (uint64_t seed = from; seed < from + seeds; seed++) RunSeed(seed, &tally);
    Print(tally);
    return 0;
  }
  auto begun = Clock::now();
  auto seed = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) / 1000;
  std::fprintf(stderr, "  from seed %" PRIu64 "\n", seed);
  for (; Clock::now() - begun < kTime; seed++) RunSeed(seed, &tally);
  Print(tally);
  CHECK(tally.records > 0 && tally.in_doubt_there > 0 && tally.in_doubt_gone > 0 && tally.full > 0 && tally.damages > 0 && tally.cuts > 0);
  MustBreak("a flush that does nothing", Lie::kFlush);
  MustBreak("a folder whose flush does nothing", Lie::kDirectorySync);
  MustBreak("a recovery that believes memory", Lie::kReadsBelieveMemory);
  MustBreak("a failed flush that is tried again", Lie::kFlushTriedAgain);
  return 0;
}
