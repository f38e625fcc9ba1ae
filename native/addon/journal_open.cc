// Opening a journal store: lock, base, then the records of the log that the base does not have; and closing it.
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "journal_record.h"
#include "journal_store.h"
#include "lmdb_files.h"

namespace seguro {

static bool Exists(const std::string &path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0;
}

static KvFailure FailureOf(const journal::Failure &failure) { return KvFailure(failure.code(), failure.what()); }

JournalStore::JournalStore(KvOptions options, journal::Disk &disk)
    : options_(std::move(options)), disk_(disk), active_(std::make_shared<JournalOverlay>()) {
  if (options_.create) LmdbCreateFolder(options_.dir);
  LockFolder(&lock_, options_);
  if (Exists(options_.dir + "/data.mdb")) {
    throw KvFailure("store-missing", "this folder holds a store of the engine lmdb: (open it by lmdb:DIR, or name another folder)");
  }
  OpenBase();
  try {
    OpenLog();
  } catch (const journal::Failure &failure) {
    throw FailureOf(failure);
  }
  views_.active = {active_, active_->moment()};
  if (options_.read_only) return;
  base_thread_ = std::make_unique<BackgroundThread>([this] { return TendBase(); });
  segment_thread_ = std::make_unique<BackgroundThread>([this] { return PrepareSegments(); });
  std::unique_lock lock(views_mutex_);
  if (views_.active.moment.bytes >= options_.overlay_bytes) Freeze(lock);
}

void JournalStore::OpenBase() {
  KvOptions base = options_;
  base.dir = options_.dir + "/base";
  base.journal_base = true;
  base_ = std::make_unique<LmdbStore>(std::move(base));
}

void JournalStore::OpenLog() {
  JournalMark mark;
  bool marked = JournalReadMark(*base_, &mark);
  base_sequence_ = active_sequence_ = mark.sequence;
  journal::Options options;
  options.dir = options_.dir + "/segments";
  options.log_id = mark.log_id;
  // Only a base without a mark has never seen a record: where it has one, segments that are gone are a loss.
  options.create = !marked && options_.create;
  if (options_.segment_bytes != 0) options.segment_bytes = options_.segment_bytes;
  auto visit = [this](uint64_t sequence, std::span<const uint8_t> payload) { ReplayRecord(sequence, payload); };
  if (options_.read_only) {
    if (options_.before_damage) {
      journal::ReadBeforeDamage(disk_, options, mark.sequence, visit);
      return;
    }
    if (!marked) return;
    std::vector<journal::DamageReport> damage = journal::Inspect(disk_, options, mark.sequence, visit);
    if (!damage.empty()) throw journal::Damage(damage.front());
    return;
  }
  try {
    log_ = journal::Log::Open(disk_, options, mark.sequence, visit);
  } catch (const journal::Failure &failure) {
    if (!marked || failure.kind() != journal::FailureKind::kMissing) throw;
    throw KvFailure("store-damaged", options.dir + " is gone, and with it every commit after record " + std::to_string(mark.sequence));
  }
  log_id_ = log_->log_id();
  if (!marked) {
    base_writer_.Write(*base_, {active_, active_->moment()}, {log_id_, 0});
  }
  log_->Release(base_sequence_);
}

void JournalStore::ReplayRecord(uint64_t sequence, std::span<const uint8_t> payload) {
  JournalReadRecord(payload, [this](const KvWrite &write) { active_->Apply(write); });
  active_sequence_ = sequence;
}

void JournalStore::RequireUsable() const {
  if (poisoned_) throw KvFailure("store-failed", poison_);
  if (closed_) throw KvFailure("store-closed", "the store is closed");
}

void JournalStore::Poison(const std::string &why) {
  std::lock_guard lock(views_mutex_);
  if (poisoned_) return;
  poison_ = "an earlier write failed (" + why + "), and what the disk holds is not known";
  poisoned_ = true;
}

void JournalStore::Close() {
  closed_ = true;
  base_thread_.reset();
  segment_thread_.reset();
  if (base_ != nullptr) base_->Close();
  log_.reset();
  lock_.Release();
}

}  // namespace seguro
