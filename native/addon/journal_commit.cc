// Commits of a journal store: judge, append one record, apply; and the room that they need.
#include <cstring>
#include <stdexcept>

#include "journal_place.h"
#include "journal_record.h"
#include "journal_store.h"

namespace seguro {

static bool Equal(const KvSlice &a, const KvSlice &b) { return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0); }

/// Whether a put's pieces, joined, are these bytes.
static bool Equal(const KvWrite &put, KvSlice bytes) {
  for (const KvSlice &piece : put.pieces) {
    if (piece.size > bytes.size || !Equal(piece, {bytes.data, piece.size})) return false;
    bytes = {bytes.data + piece.size, bytes.size - piece.size};
  }
  return bytes.size == 0;
}

bool JournalStore::Holds(const KvMember &member, const JournalPending &pending, JournalSnapshot &snapshot) const {
  for (const KvCheck &check : member.checks) {
    const KvWrite *put = nullptr;
    JournalPending::Known known = pending.Find(check.key, &put);
    JournalFound found;
    bool present = known == JournalPending::Known::kValue || (known == JournalPending::Known::kNothing && snapshot.Get(check.key, &found));
    if (present != check.present) return false;
    if (present && !(put != nullptr ? Equal(*put, check.value) : Equal(snapshot.Load(check.key, found), check.value))) return false;
  }
  return true;
}

std::vector<uint8_t> JournalStore::Commit(const KvGroup &group) {
  RequireUsable();
  if (options_.read_only) throw KvFailure("store-readonly", "the store was opened for reading");
  std::vector<uint8_t> outcomes;
  Batch batch;
  std::unique_ptr<JournalSnapshot> snapshot = TakeSnapshot();
  size_t room = log_->record_bytes_max() - kJournalRecordHeaderBytes;
  for (const KvMember &member : group) {
    size_t bytes = 0;
    for (const KvWrite &write : member.writes) bytes += JournalWriteBytes(write);
    if (bytes > room) {
      throw std::length_error("one commit has at most " + std::to_string(room) + " bytes here, not " + std::to_string(bytes));
    }
    if (batch.bytes + bytes > room) {
      snapshot.reset();
      Append(&batch);
      snapshot = TakeSnapshot();
    }
    bool holds = Holds(member, batch.pending, *snapshot);
    outcomes.push_back(holds ? 1 : 0);
    if (!holds) continue;
    batch.bytes += bytes;
    for (const KvWrite &write : member.writes) {
      batch.writes.push_back(&write);
      batch.pending.Add(write);
    }
  }
  snapshot.reset();
  Append(&batch);
  return outcomes;
}

void JournalStore::Append(Batch *batch) {
  if (batch->writes.empty()) return;
  WaitForRoom(batch->bytes);
  uint64_t sequence = AppendRecord(*batch);
  try {
    for (const KvWrite *write : batch->writes) active_->Apply(*write);
  } catch (const std::bad_alloc &) {
    // It is in the log, but not in memory: only opening again brings the two together.
    Poison("there was not enough memory for a commit that is in the log");
    throw;
  }
  active_sequence_ = sequence;
  bool log_deleted = false;
  for (const KvWrite *write : batch->writes) {
    if (write->kind == KvWrite::kPut && JournalIsFiled(write->key))
      files_.counts().event_bytes += JournalWriteBytes(*write) - kJournalWriteHeaderBytes - write->key.size;
    log_deleted = log_deleted || (write->kind == KvWrite::kDeleteRange && JournalIsLog(write->key));
  }
  {
    std::unique_lock lock(views_mutex_);
    views_.active.moment = active_->moment();
    if (views_.active.moment.bytes >= options_.overlay_bytes) Freeze(lock);
  }
  // A log that was forgotten gives its files back now, and not when more has been written.
  if (log_deleted) HastenBase();
  if (log_->wants_preparation()) segment_thread_->Wake();
  *batch = Batch();
}

uint64_t JournalStore::AppendRecord(const Batch &batch) {
  JournalRecord record(batch.writes);
  for (bool drained = false;; drained = true) {
    try {
      return log_->Append(record.pieces());
    } catch (const journal::Failure &failure) {
      // Segments come free when the base has what is in them.
      if (failure.kind() == journal::FailureKind::kFull && !drained && Drain()) continue;
      if (failure.kind() == journal::FailureKind::kFailed) Poison(failure.what());
      throw KvFailure(failure.code(), failure.what());
    }
  }
}

bool JournalStore::Freeze(const std::unique_lock<std::mutex> &) {
  if (views_.frozen.overlay != nullptr || views_.active.moment.stamp == 0) return false;
  views_.frozen = views_.active;
  frozen_sequence_ = active_sequence_;
  active_ = std::make_shared<JournalOverlay>();
  views_.active = {active_, active_->moment()};
  base_thread_->Wake();
  return true;
}

void JournalStore::AwaitBase(std::unique_lock<std::mutex> &lock) {
  uint64_t turns = base_turns_;
  // After trouble it tries again when it is asked to.
  base_thread_->Wake();
  base_turned_.wait(lock, [&] { return base_turns_ != turns || views_.frozen.overlay == nullptr; });
}

void JournalStore::WaitForRoom(size_t bytes) {
  std::unique_lock lock(views_mutex_);
  // Twice what begins a generation: so there is room for what comes while the base writes one.
  while (views_.active.moment.stamp != 0 && views_.active.moment.bytes + bytes > 2 * options_.overlay_bytes && !Freeze(lock)) {
    AwaitBase(lock);
    if (base_trouble_) throw KvFailure(*base_trouble_);
  }
}

void JournalStore::HastenBase() {
  std::unique_lock lock(views_mutex_);
  if (views_.frozen.overlay != nullptr) AwaitBase(lock);
  Freeze(lock);
}

bool JournalStore::Drain() {
  std::unique_lock lock(views_mutex_);
  Freeze(lock);
  if (views_.frozen.overlay == nullptr) return false;
  AwaitBase(lock);
  return views_.frozen.overlay == nullptr;
}

}  // namespace seguro
