// Runs a history: openings, appends, releases, preparation, and every trouble that the seed asks for.
#include "journal_history.h"

#include <algorithm>

#include "journal/format.h"

using namespace seguro::journal;

History::History(uint64_t seed, Lie lie, Tally *tally) : random_(seed), disk_(seed * 31 + 7), tally_(tally) {
  options_.dir = "/journal";
  options_.log_id = 1 + Below(1000);
  options_.segment_bytes = kSegmentBytesMin + kBlockBytes * Below(10);
  options_.segments_ahead = static_cast<uint32_t>(1 + Below(3));
  breaks_ = lie == Lie::kNone && OneIn(3);
  disk_.flush_does_nothing = lie == Lie::kFlush;
  disk_.directory_sync_does_nothing = lie == Lie::kDirectorySync;
  disk_.reads_believe_memory = lie == Lie::kReadsBelieveMemory;
  disk_.failed_flush_tried_again = lie == Lie::kFlushTriedAgain;
}

void History::Run() {
  uint64_t cycles = 1 + Below(8);
  for (uint64_t i = 0; i < cycles; i++) RunCycle();
  disk_.KillProcess();
  disk_.SetFreeBytes(uint64_t{1} << 40);
  while (!OpenLog()) {
  }
  tally_->seeds++;
}

void History::RunCycle() {
  PlanTrouble();
  try {
    uint64_t steps = Below(40);
    if (OpenLog()) {
      for (uint64_t i = 0; i < steps; i++) Step();
    }
    EndProcess(OneIn(2));
  } catch (const PowerCut &) {
    EndProcess(true);
  }
}

void History::PlanTrouble() {
  disk_.SetFreeBytes(OneIn(4) ? Below(4) * options_.segment_bytes : uint64_t{1} << 40);
  if (OneIn(2)) disk_.CutPowerAfter(Below(60));
  static constexpr Fault kFaults[] = {Fault::kWriteFails, Fault::kFlushFails, Fault::kShortWrite, Fault::kReadOnly};
  if (breaks_ && OneIn(2)) {
    disk_.FailAfter(Below(60), Fault::kMisdirected, 1);
  } else if (OneIn(2)) {
    disk_.FailAfter(Below(60), kFaults[Below(4)], 1 + Below(6));
  }
}

void History::EndProcess(bool power) {
  log_.reset();
  if (power) {
    disk_.Restart(static_cast<Loss>(Below(static_cast<uint64_t>(Loss::kCount))));
    tally_->power_cuts++;
  } else {
    disk_.KillProcess();
    tally_->kills++;
  }
  if (breaks_ && OneIn(4)) disk_.FlipBit();
}

/// False if the disk did not let it: then no more can be said.
bool History::OpenLog() {
  try {
    TryOpen();
    return true;
  } catch (const Damage &damage) {
    throw Broken(std::string("damage where nothing was damaged: ") + damage.what());
  } catch (const Failure &failure) {
    if (failure.kind() == FailureKind::kMissing || failure.kind() == FailureKind::kDamaged) throw Broken(failure.what());
    tally_->failures++;
    return false;
  }
}

void History::TryOpen() {
  uint64_t last = applied_;
  auto see = [&](uint64_t sequence, std::span<const uint8_t> bytes) { SeeRecord(sequence, bytes, &last); };
  options_.create = !made_;
  try {
    log_ = Log::Open(disk_, options_, applied_, see);
  } catch (const Damage &damage) {
    if (!breaks_) throw;
    TakeDamage(damage, last);
    CutLog();
    return;
  }
  made_ = true;
  tally_->openings++;
  if (last < LastAcknowledged()) {
    throw Broken("record " + std::to_string(last + 1) + " of " + std::to_string(LastAcknowledged()) +
                 " acknowledged ones is silently missing");
  }
  if (log_->last_sequence() != last) throw Broken("the log says that it ends with " + std::to_string(log_->last_sequence()));
  // What was in doubt is decided: there for good, or gone for good.
  if (!in_doubt_.empty()) tally_->in_doubt_gone++;
  in_doubt_.clear();
}

void History::SeeRecord(uint64_t sequence, std::span<const uint8_t> bytes, uint64_t *last) {
  if (sequence != *last + 1) throw Broken("record " + std::to_string(sequence) + " behind " + std::to_string(*last));
  *last = sequence;
  tally_->recovered++;
  Bytes seen(bytes.begin(), bytes.end());
  if (sequence <= LastAcknowledged()) {
    if (seen != acknowledged_[sequence - first_]) throw Broken("record " + std::to_string(sequence) + " is not what was acknowledged");
    return;
  }
  if (std::find(in_doubt_.begin(), in_doubt_.end(), seen) == in_doubt_.end()) {
    throw Broken("record " + std::to_string(sequence) + " is what nobody wrote there last");
  }
  tally_->in_doubt_there++;
  acknowledged_.push_back(seen);
  in_doubt_.clear();
}

void History::TakeDamage(const Damage &damage, uint64_t seen) {
  tally_->damages++;
  const DamageReport &report = damage.report();
  if (report.first_lost <= applied_ || report.first_lost > LastAcknowledged() + 1) {
    throw Broken(std::string("damage names the wrong records: ") + damage.what());
  }
  if (seen + 1 < report.first_lost && seen < LastAcknowledged()) throw Broken("what lies before the damage was not shown");
  // Whatever else can still be read is what was acknowledged.
  Inspect(disk_, options_, applied_, [&](uint64_t sequence, std::span<const uint8_t> bytes) {
    bool known = sequence >= first_ && sequence <= LastAcknowledged();
    if (known && Bytes(bytes.begin(), bytes.end()) != acknowledged_[sequence - first_])
      throw Broken("a wrong record was read around damage");
  });
}

void History::CutLog() {
  CutReport report;
  // One trouble at a time.
  disk_.KillProcess();
  // What is shown before the cut is what it keeps, unless the power goes meanwhile, and with it what only memory held.
  std::vector<Bytes> shown;
  BeforeDamage before = ReadBeforeDamage(disk_, options_, applied_, [&](uint64_t sequence, std::span<const uint8_t> bytes) {
    shown.emplace_back(bytes.begin(), bytes.end());
    if (sequence != applied_ + shown.size()) throw Broken("records out of order before damage");
  });
  if (before.last_kept != applied_ + shown.size()) throw Broken("what lies before damage does not end where it says");
  bool power_went = false;
  for (;;) {
    if (OneIn(3)) disk_.CutPowerAfter(Below(20));
    try {
      report = Cut(disk_, options_, applied_);
      break;
    } catch (const PowerCut &) {
      power_went = true;
      disk_.Restart(Loss::kEachAtRandom);
    } catch (const Damage &) {
      throw;
    } catch (const Failure &failure) {
      // A crash came after its work was done, or the disk is full.
      if (failure.kind() == FailureKind::kMissing) break;
      disk_.KillProcess();
      disk_.SetFreeBytes(uint64_t{1} << 40);
    }
  }
  disk_.CutPowerAfter(FakeDisk::kNever);
  tally_->cuts++;
  disk_.KillProcess();
  disk_.SetFreeBytes(uint64_t{1} << 40);
  uint64_t last = applied_;
  std::vector<Bytes> left;
  log_ = Log::Open(disk_, options_, applied_, [&](uint64_t sequence, std::span<const uint8_t> bytes) {
    if (sequence != ++last) throw Broken("records out of order behind a cut");
    bool acknowledged = sequence <= LastAcknowledged();
    left.emplace_back(bytes.begin(), bytes.end());
    if (acknowledged && left.back() != acknowledged_[sequence - first_]) throw Broken("a cut changed record " + std::to_string(sequence));
    if (!acknowledged && std::find(in_doubt_.begin(), in_doubt_.end(), left.back()) == in_doubt_.end())
      throw Broken("a cut made a record up");
  });
  if (report.aside_files > 0 && last != std::max(report.last_kept, applied_)) throw Broken("a cut did not keep what it said");
  if (!power_went && left != shown) throw Broken("a cut kept something else than what was shown before it");
  acknowledged_.assign(left.begin(), left.end());
  first_ = applied_ + 1;
  in_doubt_.clear();
}

History::Bytes History::MakePayload() {
  static constexpr uint64_t kEdges[] = {0, 1, 463, 464, 465, 500, 960, 3935, 3936, 3937, 7904, 8000};
  uint64_t most = log_->record_bytes_max();
  uint64_t size = OneIn(3) ? kEdges[Below(std::size(kEdges))] : OneIn(6) ? most - Below(3) : Below(1500);
  Bytes payload(std::min(size, most));
  uint8_t value = static_cast<uint8_t>(Below(256));
  for (size_t i = 0; i < payload.size(); i++) payload[i] = static_cast<uint8_t>(value + i * 7);
  // Payloads of zeros, which must not be taken for anything else.
  if (OneIn(10)) std::fill(payload.begin(), payload.end(), uint8_t{0});
  return payload;
}

void History::Append() {
  Bytes payload = MakePayload();
  size_t cut = payload.empty() ? 0 : Below(payload.size() + 1);
  iovec pieces[] = {{payload.data(), cut}, {nullptr, 0}, {payload.data() + cut, payload.size() - cut}};
  uint64_t before = LastAcknowledged();
  in_doubt_.push_back(payload);
  try {
    uint64_t sequence = log_->Append(pieces);
    if (sequence != before + 1) throw Broken("an append got sequence " + std::to_string(sequence));
    acknowledged_.push_back(std::move(payload));
    in_doubt_.clear();
    tally_->records++;
  } catch (const Failure &failure) {
    if (failure.kind() == FailureKind::kDamaged || failure.kind() == FailureKind::kMissing) throw Broken(failure.what());
    tally_->failures++;
    if (failure.kind() == FailureKind::kFull) tally_->full++;
    if (OneIn(2)) disk_.SetFreeBytes(uint64_t{1} << 40);
  }
}

void History::Step() {
  uint64_t what = Below(10);
  if (what < 6) {
    Append();
  } else if (what < 8) {
    if (log_->wants_preparation()) log_->Prepare();
  } else if (LastAcknowledged() > applied_) {
    // The base is durable first.
    applied_ += 1 + Below(LastAcknowledged() - applied_);
    log_->Release(applied_);
    tally_->reused++;
    while (first_ <= applied_) {
      acknowledged_.pop_front();
      first_++;
    }
  }
}
