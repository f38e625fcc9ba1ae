// What was committed and may not be in the base yet: a skip list of keys with all their versions, so that readers need no lock and see one moment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "journal_arena.h"
#include "journal_cover.h"
#include "kv_group.h"

namespace seguro {

/**
 * One generation of writes. One thread writes; any number read meanwhile, each through a view of the moment at which it was given one. Values that
 * were replaced stay until the whole overlay goes, which its owner sees to when it has grown enough.
 */
class JournalOverlay {
 public:
  struct Node;
  struct Version;

  /// What the overlay said at one moment. It must be handed to another thread through a lock (or something as good).
  struct Moment {
    uint64_t stamp = 0;
    std::shared_ptr<const JournalCover> cover;
    size_t bytes = 0;  // memory that the overlay took
  };

  JournalOverlay();
  JournalOverlay(const JournalOverlay &) = delete;
  JournalOverlay &operator=(const JournalOverlay &) = delete;

  // The writing thread's. Copies what it is given. Throws std::bad_alloc: then some of the write may be in, after all moments given so far.
  void Apply(const KvWrite &write);
  Moment moment() const { return {stamp_, cover_, arena_.bytes()}; }

 private:
  friend class JournalOverlayCursor;

  void DeleteRange(const KvSlice &from, const KvSlice &to);
  void Add(const KvSlice &key, const KvWrite *put);
  void AddVersion(Node *node, const KvWrite *put);
  /// The first node at or after the key; `before`, where wanted, are the nodes before it on every level.
  Node *FindFrom(const KvSlice &key, Node **before) const;
  /// The last node before the key, or the head.
  Node *FindBefore(const KvSlice &key) const;
  Node *MakeNode(const KvSlice &key, int height);
  int RandomHeight();

  JournalArena arena_;
  Node *head_;
  uint64_t stamp_ = 0;
  uint64_t random_ = 0x9e3779b97f4a7c15u;
  std::shared_ptr<const JournalCover> cover_;
};

/// An overlay at a moment.
struct JournalView {
  std::shared_ptr<const JournalOverlay> overlay;
  JournalOverlay::Moment moment;
};

/// Walks over the keys of which a view knows something: a value, or that they were deleted. What it shows lies there as long as the overlay does.
class JournalOverlayCursor {
 public:
  explicit JournalOverlayCursor(const JournalView &view) : overlay_(view.overlay.get()), stamp_(view.moment.stamp) {}

  // Each says whether it stands on a key then.
  bool SeekFrom(const KvSlice &key);    // the first at or after it
  bool SeekBefore(const KvSlice &key);  // the last before it
  bool Next();
  bool Previous();

  KvSlice key() const;
  /// False: the key was deleted.
  bool present() const;
  KvSlice value() const;

 private:
  bool SettleForward();
  bool SettleBackward();
  const JournalOverlay::Version *Visible() const;

  const JournalOverlay *overlay_;
  uint64_t stamp_;
  const JournalOverlay::Node *node_ = nullptr;
  const JournalOverlay::Version *version_ = nullptr;
};

}  // namespace seguro
