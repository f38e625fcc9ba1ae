// What a journal store does beside its commits: taking frozen overlays into the base, and having segments made.
#include <algorithm>
#include <new>

#include "journal_store.h"
#include "journal_sweep.h"

namespace seguro {

// After trouble it is tried again so often, also when no commit asks for it.
static constexpr BackgroundThread::Pause kRetry{1000};

// Readers are short; so often it is looked whether those have ended that keep a file.
static constexpr BackgroundThread::Pause kReadersPause{50};

BackgroundThread::Pause JournalStore::TendBase() {
  if (!swept_) {
    try {
      JournalSweep(*base_, files_);
    } catch (const KvFailure &failure) {
      Poison(failure.what());
    }
    swept_ = true;
  }
  BackgroundThread::Pause pause = WriteBase();
  return files_.RemoveDoomed() ? pause : std::min(pause, kReadersPause);
}

BackgroundThread::Pause JournalStore::WriteBase() {
  JournalView frozen;
  uint64_t sequence = 0;
  {
    std::lock_guard lock(views_mutex_);
    if (views_.frozen.overlay == nullptr) return BackgroundThread::kUntilWoken;
    frozen = views_.frozen;
    sequence = frozen_sequence_;
  }
  std::optional<KvFailure> trouble;
  try {
    base_writer_.Write(*base_, frozen, {log_id_, sequence});
    // Before anybody who waits for room hears of it.
    log_->Release(sequence);
  } catch (const KvFailure &failure) {
    trouble = failure;
  } catch (const std::bad_alloc &) {
    trouble = KvFailure("store-full", "there is not enough memory to write the base");
  }
  if (trouble && std::string(trouble->code()) != "store-full") Poison(trouble->what());
  {
    std::lock_guard lock(views_mutex_);
    base_turns_++;
    base_trouble_ = trouble;
    if (!trouble) {
      views_.frozen = JournalView();
      base_sequence_ = sequence;
    }
  }
  base_turned_.notify_all();
  if (trouble) return kRetry;
  segment_thread_->Wake();
  return BackgroundThread::kUntilWoken;
}

BackgroundThread::Pause JournalStore::PrepareSegments() {
  if (log_->Prepare()) return BackgroundThread::Pause(0);
  return log_->figures().trouble.empty() ? BackgroundThread::kUntilWoken : kRetry;
}

}  // namespace seguro
