// The checked walk over a table's pages, and what is found with it: named tables and pages that the file lacks.
#include "pier_tree.h"

#include <algorithm>

namespace seguro::pier {

constexpr size_t kFreeListBytesMax = size_t{1} << 30;
constexpr uint64_t kWindowPages = 16;

TreeCursor::TreeCursor(const Snapshot &snapshot, const Tree &tree, std::string table, const FreePages *free_pages)
    : snapshot_(snapshot), free_pages_(free_pages), table_(std::move(table)), depth_(tree.depth), root_(tree.root), levels_(tree.depth) {
  if (depth_ > kDepthMax || (depth_ == 0) != (root_ == kNoPage)) {
    throw PierFault("pier-damaged", snapshot.file().path() + ": table " + table_ + " has an impossible depth");
  }
}

void TreeCursor::Load(unsigned depth, uint64_t page_number) {
  Level &level = levels_[depth];
  size_t page_bytes = snapshot_.page_bytes();
  snapshot_.CheckRange(page_number, 1, "table " + table_);
  if (page_number - level.window_page >= level.window_pages) {
    bool next_leaf = depth + 1 == depth_ && level.window_pages > 0 && page_number == level.window_page + level.window_pages;
    uint64_t pages = next_leaf ? std::min(kWindowPages, snapshot_.meta().last_page + 1 - page_number) : 1;
    level.window.resize(pages * page_bytes);
    level.window_pages = 0;
    size_t got = snapshot_.file().ReadUpTo(snapshot_.OffsetOf(page_number), level.window.data(), page_bytes, level.window.size());
    level.window_page = page_number;
    level.window_pages = got / page_bytes;
  }
  if (free_pages_ != nullptr && std::binary_search(free_pages_->begin(), free_pages_->end(), page_number)) {
    throw snapshot_.Damaged(page_number, "(table " + table_ + ") is in use and free at once");
  }
  const uint8_t *bytes = level.window.data() + (page_number - level.window_page) * page_bytes;
  level.page = snapshot_.CheckPage(page_number, depth + 1 == depth_ ? kPageLeaf : kPageBranch, bytes, table_);
  level.page_number = page_number;
  level.index = 0;
}

uint64_t TreeCursor::ChildOf(const Level &level) const { return level.page.Child(level.index).child; }

void TreeCursor::Descend(unsigned depth, Edge edge) {
  for (; depth < depth_; depth++) {
    Load(depth, depth == 0 ? root_ : ChildOf(levels_[depth - 1]));
    if (edge == Edge::kLast) {
      levels_[depth].index = levels_[depth].page.count() - 1;
    }
  }
  Take();
}

void TreeCursor::Take() {
  const Level &leaf = levels_[depth_ - 1];
  node_ = leaf.page.Leaf(leaf.index);
}

bool TreeCursor::First() {
  if (depth_ > 0) {
    Descend(0, Edge::kFirst);
  }
  return depth_ > 0;
}

bool TreeCursor::Last() {
  if (depth_ > 0) {
    Descend(0, Edge::kLast);
  }
  return depth_ > 0;
}

bool TreeCursor::Next() {
  for (unsigned depth = depth_; depth-- > 0;) {
    Level &level = levels_[depth];
    if (level.index + 1 < level.page.count()) {
      level.index++;
      Descend(depth + 1, Edge::kFirst);
      return true;
    }
  }
  return false;
}

uint64_t TreeCursor::KeyOf(const Level &level, const uint8_t *key, size_t key_bytes) const {
  if (key_bytes != sizeof(uint64_t)) {
    throw snapshot_.Damaged(level.page_number, "(table " + table_ + ") has a key of " + std::to_string(key_bytes) + " bytes, not 8");
  }
  return seguro_load_u64(key);
}

uint64_t TreeCursor::Id() const { return KeyOf(levels_[depth_ - 1], node_.key, node_.key_bytes); }

bool TreeCursor::Seek(uint64_t id) {
  if (depth_ == 0) {
    return false;
  }
  for (unsigned depth = 0; depth < depth_; depth++) {
    Load(depth, depth == 0 ? root_ : ChildOf(levels_[depth - 1]));
    Level &level = levels_[depth];
    bool leaf = depth + 1 == depth_;
    // A branch's first key stands for "everything below the second": it is not looked at. A leaf is searched for its last key below `id`.
    unsigned low = leaf ? 0 : 1;
    unsigned high = level.page.count();
    while (low < high) {
      unsigned middle = (low + high) / 2;
      uint64_t key;
      if (leaf) {
        Node node = level.page.Leaf(middle);
        key = KeyOf(level, node.key, node.key_bytes);
      } else {
        Branch branch = level.page.Child(middle);
        key = KeyOf(level, branch.key, branch.key_bytes);
      }
      if (leaf ? key < id : key <= id) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    level.index = leaf ? low : low - 1;
  }
  Level &leaf = levels_[depth_ - 1];
  if (leaf.index < leaf.page.count()) {
    Take();
    return true;
  }
  leaf.index = leaf.page.count() - 1;
  return Next();
}

void CheckCount(const Snapshot &snapshot, uint64_t found, const Tree &tree, const std::string &table) {
  if (found != tree.entries) {
    throw PierFault("pier-damaged", snapshot.file().path() + ": table " + table + " counts " + std::to_string(tree.entries) +
                                        " entries and has " + std::to_string(found));
  }
}

NamedTree FindTable(const Snapshot &snapshot, const std::string &name, uint16_t flags_wanted, const FreePages *free_pages) {
  TreeCursor cursor(snapshot, snapshot.meta().main, "of tables", free_pages);
  std::string before;
  NamedTree out;
  uint64_t tables = 0;
  for (bool on = cursor.First(); on; on = cursor.Next(), tables++) {
    const Node &node = cursor.node();
    std::string key(reinterpret_cast<const char *>(node.key), node.key_bytes);
    if (!before.empty() && key <= before) {
      throw snapshot.Damaged(cursor.leaf_page(), "(table of tables) is out of order");
    }
    before = key;
    if (key != name) {
      continue;
    }
    if (node.flags != kNodeTable || node.value_bytes != sizeof(Tree)) {
      throw snapshot.Damaged(cursor.leaf_page(), "has a broken entry for table " + name);
    }
    out.found = true;
    std::memcpy(&out.tree, node.inside, sizeof out.tree);
  }
  CheckCount(snapshot, tables, snapshot.meta().main, "of tables");
  if (!out.found) {
    return out;
  }
  bool empty = out.tree.root == kNoPage;
  if (out.tree.depth > kDepthMax || empty != (out.tree.depth == 0) || empty != (out.tree.entries == 0)) {
    throw PierFault("pier-damaged", snapshot.file().path() + ": table " + name + " has an impossible descriptor");
  }
  if (out.tree.flags != flags_wanted) {
    throw PierFault("pier-unsupported", snapshot.file().path() + ": table " + name + " has the flags " + std::to_string(out.tree.flags) +
                                            ", Vere's have " + std::to_string(flags_wanted));
  }
  return out;
}

FreePages ReadFreePages(const Snapshot &snapshot) {
  FreePages pages;
  TreeCursor cursor(snapshot, snapshot.meta().free, "of free pages", nullptr);
  uint64_t before = 0;
  uint64_t lists = 0;
  uint64_t wanted = snapshot.meta().last_page + 1;
  for (bool on = cursor.First(); on; on = cursor.Next(), lists++) {
    if (cursor.Id() <= before) {
      throw snapshot.Damaged(cursor.leaf_page(), "(table of free pages) is out of order");
    }
    before = cursor.Id();
    std::vector<uint8_t> list = ReadSmallValue(snapshot, cursor.node(), "the list of free pages", kFreeListBytesMax);
    // The first number counts the others.
    for (size_t at = sizeof(uint64_t); at + sizeof(uint64_t) <= list.size(); at += sizeof(uint64_t)) {
      uint64_t page = seguro_load_u64(list.data() + at);
      if (page < 2 || page >= wanted) {
        throw snapshot.Damaged(cursor.leaf_page(), "(table of free pages) names a page outside the file");
      }
      pages.push_back(page);
    }
  }
  CheckCount(snapshot, lists, snapshot.meta().free, "of free pages");
  std::sort(pages.begin(), pages.end());
  if (std::adjacent_find(pages.begin(), pages.end()) != pages.end()) {
    throw PierFault("pier-damaged", snapshot.file().path() + ": the list of free pages names a page twice");
  }
  uint64_t length_bytes = snapshot.file().LengthBytes();
  uint64_t present = std::min(wanted, length_bytes / snapshot.page_bytes());
  auto lacking = pages.end() - std::lower_bound(pages.begin(), pages.end(), present);
  if (static_cast<uint64_t>(lacking) < wanted - present) {
    throw PierFault("pier-damaged",
                    snapshot.file().path() + " is cut short: it has " + std::to_string(length_bytes) + " bytes of " +
                        std::to_string(wanted * snapshot.page_bytes()),
                    "copy the pier again, with the ship stopped");
  }
  return pages;
}

std::vector<uint8_t> ReadSmallValue(const Snapshot &snapshot, const Node &node, const std::string &what, size_t limit_bytes) {
  if (node.value_bytes > limit_bytes || (node.flags & ~kNodeBig) != 0) {
    throw PierFault("pier-damaged", snapshot.file().path() + ": " + what + " has an impossible size or kind");
  }
  if ((node.flags & kNodeBig) == 0) {
    return std::vector<uint8_t>(node.inside, node.inside + node.value_bytes);
  }
  uint64_t page = seguro_load_u64(node.inside);
  uint64_t pages = OverflowPages(node.value_bytes, snapshot.page_bytes());
  snapshot.CheckRange(page, pages, what);
  std::vector<uint8_t> value(node.value_bytes);
  uint8_t header[kPageHeaderBytes];
  snapshot.file().ReadTwo(snapshot.OffsetOf(page), header, sizeof header, value.data(), value.size());
  if (seguro_load_u64(header) != page || seguro_load_u16(header + 10) != kPageOverflow || seguro_load_u32(header + 12) != pages) {
    throw snapshot.Damaged(page, "should hold " + what + ", and does not");
  }
  return value;
}

}  // namespace seguro::pier
