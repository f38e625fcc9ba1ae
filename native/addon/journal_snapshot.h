// One moment of a journal store: the active overlay over the frozen one over the base and its ship files, read as if they were one ordered map.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>

#include "journal_file_reader.h"
#include "journal_files.h"
#include "journal_overlay.h"
#include "kv_group.h"
#include "lmdb_reader.h"

namespace seguro {

/// The overlays as they are at one moment; `frozen.overlay` may be null. What is frozen may be in the base already: it says the same then.
struct JournalViews {
  JournalView active;
  JournalView frozen;
};

/// A value that was found. `bytes` are its own; of one in a ship file, its place, which `JournalSnapshot::Load` resolves.
struct JournalFound {
  KvSlice bytes{};
  bool in_file = false;
};

/// Any thread, one at a time. What it shows lies where it says until it goes. Throws KvFailure.
class JournalSnapshot {
 public:
  /// `lock` holds back whoever changes `views`: the base's transaction must begin before the base takes in what the views do not have.
  JournalSnapshot(const std::unique_lock<std::mutex> &lock, const JournalViews &views, LmdbStore &base, JournalFiles &files);
  JournalSnapshot(const JournalSnapshot &) = delete;
  JournalSnapshot &operator=(const JournalSnapshot &) = delete;

  /// False if the key is absent.
  bool Get(const KvSlice &key, JournalFound *found) const;
  /// The bytes of what was found under the key; of a value in a ship file until the next call, and checked. Throws "store-damaged".
  KvSlice Load(const KvSlice &key, const JournalFound &found);
  /// The same, but not checked, and not copied if that can be avoided.
  KvSlice Show(const KvSlice &key, const JournalFound &found);

  // Each says whether it stands on a row then.
  bool SeekFrom(const KvSlice &key);    // the first at or after it; then only Next
  bool SeekBefore(const KvSlice &key);  // the last before it; then only Previous
  bool Next() { return MoveOn(); }
  bool Previous() { return MoveOn(); }

  KvSlice key() const { return key_; }
  const JournalFound &found() const { return found_; }

  const LmdbReader &base() const { return base_; }

 private:
  struct Layer {
    JournalView view;
    JournalOverlayCursor cursor;
    bool on_row = false;
  };

  bool Seek(const KvSlice &key, bool forward);
  bool MoveOn();
  /// Finds the nearest row from where the layers stand.
  bool Settle();
  bool Nearest(KvSlice *nearest) const;
  /// What the layers say of their nearest key: false if it was deleted.
  bool Decide(const KvSlice &nearest);
  void Skip(const KvSlice &key);
  /// Moves the base's cursor out of what the overlays have deleted.
  void LeaveCovered();
  bool Covered(const KvSlice &key, size_t layers) const;

  // Before the base's transaction begins: what that refers to is not removed then.
  std::shared_ptr<const void> reading_;
  JournalFileReader file_reader_;
  size_t layer_count_;
  std::array<Layer, 2> layers_;
  LmdbReader base_;
  bool base_on_row_ = false;
  bool forward_ = true;
  KvSlice key_{};
  JournalFound found_;
};

}  // namespace seguro
