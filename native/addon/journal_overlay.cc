// A skip list after the one of LevelDB's memtables, but with one node a key and a chain of versions, newest first.
#include "journal_overlay.h"

#include <atomic>
#include <cstring>
#include <new>

namespace seguro {

static constexpr int kHeightMax = 12;

/// The value's bytes follow.
struct JournalOverlay::Version {
  const Version *older;
  uint64_t stamp;
  size_t size;
  bool present;

  const uint8_t *bytes() const { return reinterpret_cast<const uint8_t *>(this + 1); }
};

/// The links follow, from the lowest level up, then the key's bytes.
struct JournalOverlay::Node {
  std::atomic<const Version *> newest;
  uint32_t key_bytes;
  int32_t height;

  std::atomic<Node *> *links() { return reinterpret_cast<std::atomic<Node *> *>(this + 1); }
  Node *next(int level) const {
    // What a link shows was complete before the link was set.
    return const_cast<Node *>(this)->links()[level].load(std::memory_order_acquire);
  }
  KvSlice key() const { return {reinterpret_cast<const uint8_t *>(const_cast<Node *>(this)->links() + height), key_bytes}; }
};

JournalOverlay::JournalOverlay() : head_(MakeNode({nullptr, 0}, kHeightMax)), cover_(std::make_shared<const JournalCover>()) {}

JournalOverlay::Node *JournalOverlay::MakeNode(const KvSlice &key, int height) {
  static_assert(sizeof(Node) % alignof(std::atomic<Node *>) == 0);
  size_t links_bytes = static_cast<size_t>(height) * sizeof(std::atomic<Node *>);
  uint8_t *memory = arena_.Take(sizeof(Node) + links_bytes + key.size);
  Node *node = new (memory) Node{nullptr, static_cast<uint32_t>(key.size), height};
  for (int level = 0; level < height; level++) new (node->links() + level) std::atomic<Node *>(nullptr);
  if (key.size > 0) std::memcpy(memory + sizeof(Node) + links_bytes, key.data, key.size);
  return node;
}

int JournalOverlay::RandomHeight() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  // A quarter of the nodes of each level are on the next one.
  int height = 1;
  for (uint64_t bits = random_ >> 8; height < kHeightMax && (bits & 3) == 0; bits >>= 2) height++;
  return height;
}

JournalOverlay::Node *JournalOverlay::FindFrom(const KvSlice &key, Node **before) const {
  Node *node = head_;
  Node *after = nullptr;
  for (int level = kHeightMax - 1; level >= 0; level--) {
    for (after = node->next(level); after != nullptr && KvCompare(after->key(), key) < 0; after = node->next(level)) node = after;
    if (before != nullptr) before[level] = node;
  }
  return after;
}

JournalOverlay::Node *JournalOverlay::FindBefore(const KvSlice &key) const {
  Node *before[kHeightMax];
  FindFrom(key, before);
  return before[0];
}

void JournalOverlay::AddVersion(Node *node, const KvWrite *put) {
  size_t size = 0;
  if (put != nullptr) {
    for (const KvSlice &piece : put->pieces) size += piece.size;
  }
  uint8_t *memory = arena_.Take(sizeof(Version) + size);
  const Version *older = node->newest.load(std::memory_order_relaxed);
  auto *version = new (memory) Version{older, ++stamp_, size, put != nullptr};
  uint8_t *at = memory + sizeof(Version);
  if (put != nullptr) {
    for (const KvSlice &piece : put->pieces) {
      if (piece.size == 0) continue;
      std::memcpy(at, piece.data, piece.size);
      at += piece.size;
    }
  }
  node->newest.store(version, std::memory_order_release);
}

void JournalOverlay::Add(const KvSlice &key, const KvWrite *put) {
  Node *before[kHeightMax];
  Node *node = FindFrom(key, before);
  if (node != nullptr && KvCompare(node->key(), key) == 0) {
    AddVersion(node, put);
    return;
  }
  int height = RandomHeight();
  node = MakeNode(key, height);
  AddVersion(node, put);
  for (int level = 0; level < height; level++) {
    node->links()[level].store(before[level]->next(level), std::memory_order_relaxed);
    before[level]->links()[level].store(node, std::memory_order_release);
  }
}

void JournalOverlay::DeleteRange(const KvSlice &from, const KvSlice &to) {
  if (KvCompare(from, to) >= 0) return;
  for (Node *node = FindFrom(from, nullptr); node != nullptr && KvCompare(node->key(), to) < 0; node = node->next(0)) {
    if (node->newest.load(std::memory_order_relaxed)->present) AddVersion(node, nullptr);
  }
  cover_ = JournalCover::With(*cover_, from, to);
  // Also where nothing of it was here: there is something for the base to take in.
  stamp_++;
}

void JournalOverlay::Apply(const KvWrite &write) {
  switch (write.kind) {
    case KvWrite::kPut:
      return Add(write.key, &write);
    case KvWrite::kDelete:
      return Add(write.key, nullptr);
    case KvWrite::kDeleteRange:
      return DeleteRange(write.key, write.to);
  }
}

const JournalOverlay::Version *JournalOverlayCursor::Visible() const {
  const JournalOverlay::Version *version = node_->newest.load(std::memory_order_acquire);
  while (version != nullptr && version->stamp > stamp_) version = version->older;
  return version;
}

bool JournalOverlayCursor::SettleForward() {
  for (; node_ != nullptr; node_ = node_->next(0)) {
    version_ = Visible();
    if (version_ != nullptr) return true;
  }
  return false;
}

bool JournalOverlayCursor::SettleBackward() {
  for (; node_ != overlay_->head_; node_ = overlay_->FindBefore(node_->key())) {
    version_ = Visible();
    if (version_ != nullptr) return true;
  }
  return false;
}

bool JournalOverlayCursor::SeekFrom(const KvSlice &key) {
  node_ = overlay_->FindFrom(key, nullptr);
  return SettleForward();
}

bool JournalOverlayCursor::SeekBefore(const KvSlice &key) {
  node_ = overlay_->FindBefore(key);
  return SettleBackward();
}

bool JournalOverlayCursor::Next() {
  node_ = node_->next(0);
  return SettleForward();
}

bool JournalOverlayCursor::Previous() { return SeekBefore(node_->key()); }

KvSlice JournalOverlayCursor::key() const { return node_->key(); }

bool JournalOverlayCursor::present() const { return version_->present; }

KvSlice JournalOverlayCursor::value() const { return {version_->bytes(), version_->size}; }

}  // namespace seguro
