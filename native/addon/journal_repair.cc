// The damaged commit log of a journal store, under the lock of its folder: shown, and cut.
#include "journal_repair.h"

#include <algorithm>
#include <memory>

#include "file_lock.h"
#include "journal_base.h"
#include "journal_record.h"
#include "kv_failure.h"
#include "lmdb_files.h"
#include "lmdb_store.h"
#include "wire/block.h"

namespace seguro {

namespace {

/// The folder locked, its base open, and what the log is to be read with.
class DamagedStore {
 public:
  explicit DamagedStore(const KvOptions &options) {
    LockFolder(&lock_, options);
    base_ = std::make_unique<LmdbStore>(BaseOptions(options));
    JournalMark mark;
    JournalReadMark(*base_, &mark);
    applied_ = mark.sequence;
    log_options_.dir = options.dir + "/segments";
    log_options_.log_id = mark.log_id;
    if (options.segment_bytes != 0) log_options_.segment_bytes = options.segment_bytes;
  }

  LmdbStore &base() { return *base_; }
  const journal::Options &log_options() const { return log_options_; }
  uint64_t applied() const { return applied_; }

 private:
  static KvOptions BaseOptions(KvOptions options) {
    options.dir += "/base";
    options.create = false;
    options.journal_base = true;
    return options;
  }

  FileLock lock_;
  std::unique_ptr<LmdbStore> base_;
  journal::Options log_options_;
  uint64_t applied_ = 0;
};

void TakePuts(std::span<const uint8_t> payload, std::vector<JournalLostPut> *puts) {
  JournalReadRecord(payload, [puts](const KvWrite &write) {
    if (write.kind != KvWrite::kPut) return;
    JournalLostPut put;
    put.key.assign(write.key.data, write.key.data + write.key.size);
    for (const KvSlice &piece : write.pieces) {
      size_t room = SEGURO_BLOCK_HEADER_BYTES - put.head.size();
      put.head.insert(put.head.end(), piece.data, piece.data + std::min(piece.size, room));
    }
    puts->push_back(std::move(put));
  });
}

}  // namespace

std::optional<JournalDamage> JournalInspect(KvOptions options, journal::Disk &disk) {
  options.read_only = true;
  DamagedStore store(options);
  auto nothing = [](uint64_t, std::span<const uint8_t>) {};
  try {
    journal::BeforeDamage before = journal::ReadBeforeDamage(disk, store.log_options(), store.applied(), nothing);
    if (before.damage.empty()) return std::nullopt;
    JournalDamage damage;
    damage.last_kept = before.last_kept;
    auto take = [&](uint64_t sequence, std::span<const uint8_t> payload) {
      if (sequence <= damage.last_kept) return;
      damage.whole_lost_records++;
      TakePuts(payload, &damage.lost_puts);
    };
    damage.reports = std::move(before.damage);
    try {
      // It goes on behind damage, so it may find more of it.
      damage.reports = journal::Inspect(disk, store.log_options(), store.applied(), take);
    } catch (const journal::Failure &failure) {
      // Nothing of the log is left to be looked at.
      if (failure.kind() != journal::FailureKind::kMissing) throw;
    }
    return damage;
  } catch (const journal::Failure &failure) {
    throw KvFailure(failure.code(), failure.what());
  }
}

journal::CutReport JournalCut(KvOptions options, journal::Disk &disk, uint64_t last_kept, const JournalRows &rows) {
  options.read_only = false;
  DamagedStore store(options);
  auto nothing = [](uint64_t, std::span<const uint8_t>) {};
  try {
    journal::BeforeDamage before = journal::ReadBeforeDamage(disk, store.log_options(), store.applied(), nothing);
    if (before.damage.empty()) throw KvFailure("store-missing", "the commit log is not damaged: there is nothing to cut");
    if (before.last_kept != last_kept) {
      throw KvFailure("store-failed", "the damage is not what it was a moment ago: nothing was cut");
    }
    KvGroup group(1);
    for (const auto &[key, value] : rows) {
      KvSlice bytes{value.data(), value.size()};
      group.front().writes.push_back({KvWrite::kPut, {key.data(), key.size()}, {}, {bytes}});
    }
    if (!rows.empty()) store.base().Commit(group);
    return journal::Cut(disk, store.log_options(), store.applied());
  } catch (const journal::Failure &failure) {
    throw KvFailure(failure.code(), failure.what());
  }
}

}  // namespace seguro
