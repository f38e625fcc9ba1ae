// A store above a commit log: a commit is one record and one flush; a base on LMDB takes in what piles up, in the background (docs/journal-engine.md).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "background_thread.h"
#include "file_lock.h"
#include "journal/log.h"
#include "journal_base.h"
#include "journal_base_writer.h"
#include "journal_files.h"
#include "journal_pending.h"
#include "journal_snapshot.h"
#include "kv_failure.h"
#include "kv_store.h"
#include "lmdb_store.h"

namespace seguro {

/// Commits come from one thread, reads from any; a base writer and a maker of segments run beside them. Knows nothing of JavaScript.
class JournalStore : public KvStore {
 public:
  /// Locks, opens, and replays what the base does not have. Throws KvFailure. `disk` outlives the store.
  JournalStore(KvOptions options, journal::Disk &disk);
  ~JournalStore() override { JournalStore::Close(); }

  std::vector<uint8_t> Commit(const KvGroup &group) override;
  bool Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size) override;
  KvRows Range(const KvRangeRequest &request) override;
  void Walk(const KvWalk &walk, const std::function<bool(const uint8_t *value, size_t size)> &take) override;
  KvFigures Figures() override;
  void Close() override;

 private:
  /// The writes of members whose checks held, up to what one record may hold.
  struct Batch {
    std::vector<const KvWrite *> writes;
    size_t bytes = 0;
    JournalPending pending;
  };

  void OpenBase();
  void OpenLog();
  void ReplayRecord(uint64_t sequence, std::span<const uint8_t> payload);
  void ReadOnlyReplay();

  std::unique_ptr<JournalSnapshot> TakeSnapshot();
  void RequireUsable() const;
  void Poison(const std::string &why);

  bool Holds(const KvMember &member, const JournalPending &pending, JournalSnapshot &snapshot) const;
  void Append(Batch *batch);
  uint64_t AppendRecord(const Batch &batch);
  /// Waits until the overlays may grow by so much. Throws what keeps the base from making room.
  void WaitForRoom(size_t bytes);
  /// Waits for the base to take in everything; false if it cannot at present.
  bool Drain();
  /// Has what is committed taken into the base soon.
  void HastenBase();
  /// The active overlay becomes the frozen one, if there is none and it holds anything; `lock` is that of the views.
  bool Freeze(const std::unique_lock<std::mutex> &lock);
  void AwaitBase(std::unique_lock<std::mutex> &lock);

  /// A turn of the base's thread.
  BackgroundThread::Pause TendBase();
  BackgroundThread::Pause WriteBase();
  BackgroundThread::Pause PrepareSegments();

  KvOptions options_;
  journal::Disk &disk_;
  FileLock lock_;
  JournalFiles files_{options_.dir + "/ships", options_.ship_file_bytes};
  JournalBaseWriter base_writer_{files_};
  std::unique_ptr<LmdbStore> base_;
  std::unique_ptr<journal::Log> log_;
  uint64_t log_id_ = 0;

  // The committing thread's alone: the overlay that it writes to, and the newest record in it.
  std::shared_ptr<JournalOverlay> active_;
  uint64_t active_sequence_ = 0;

  // Readers hold this while they begin, commits while they publish.
  mutable std::mutex views_mutex_;
  JournalViews views_;
  uint64_t frozen_sequence_ = 0;
  uint64_t base_sequence_ = 0;
  // How often the base writer has ended a turn, and why the last one failed.
  uint64_t base_turns_ = 0;
  std::optional<KvFailure> base_trouble_;
  bool swept_ = false;  // the base's thread's
  std::condition_variable base_turned_;

  std::atomic<bool> poisoned_{false};
  std::string poison_;
  std::atomic<bool> closed_{false};

  std::unique_ptr<BackgroundThread> base_thread_;
  std::unique_ptr<BackgroundThread> segment_thread_;
};

}  // namespace seguro
