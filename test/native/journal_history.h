// One history of a log on a fake disk, made from a seed, and what has to be true of it at every opening.
#pragma once

#include <deque>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "journal/log.h"
#include "journal_fake_disk.h"

/// What the history found: the log broke its promise.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How the disk misbehaves beyond what a disk may do, so that the test shows that it can fail.
enum class Lie { kNone, kFlush, kDirectorySync, kReadsBelieveMemory, kFlushTriedAgain };

struct Tally {
  uint64_t seeds = 0, openings = 0, records = 0, recovered = 0, in_doubt_there = 0, in_doubt_gone = 0, power_cuts = 0, kills = 0,
           failures = 0, full = 0, damages = 0, cuts = 0, reused = 0;
};

class History {
 public:
  History(uint64_t seed, Lie lie, Tally *tally);
  /// Throws Broken.
  void Run();

 private:
  using Bytes = std::vector<uint8_t>;

  void RunCycle();
  void PlanTrouble();
  bool OpenLog();
  void TryOpen();
  void TakeDamage(const seguro::journal::Damage &damage, uint64_t seen);
  void CutLog();
  void SeeRecord(uint64_t sequence, std::span<const uint8_t> bytes, uint64_t *last);
  void Step();
  void Append();
  void EndProcess(bool power);
  Bytes MakePayload();
  uint64_t LastAcknowledged() const { return first_ + acknowledged_.size() - 1; }
  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  std::mt19937_64 random_;
  FakeDisk disk_;
  seguro::journal::Options options_;
  Tally *tally_;
  std::unique_ptr<seguro::journal::Log> log_;
  bool breaks_ = false;  // bits flip and writes go astray: damage may be found, but never hidden
  bool made_ = false;    // an opening has succeeded: there is a log from now on

  // Acknowledged records; the first one's sequence is first_. What the base holds is forgotten.
  std::deque<Bytes> acknowledged_;
  uint64_t first_ = 1;
  uint64_t applied_ = 0;
  // What was being written as the next record since the last success: any of these may turn up.
  std::vector<Bytes> in_doubt_;
};
