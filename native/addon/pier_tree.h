// A walk over the leaves of one LMDB table, page by page, every page checked as it is met.
#pragma once

#include <string>
#include <vector>

#include "pier_snapshot.h"

namespace seguro::pier {

// The pages that no table uses. None of a table's pages may be among them: an old copy of a root or a branch, which a damaged link could
// lead to, always is.
using FreePages = std::vector<uint64_t>;

class TreeCursor {
 public:
  // `free_pages` (sorted) may be null: then pages are not looked up there. It and the snapshot must outlive the cursor.
  TreeCursor(const Snapshot &snapshot, const Tree &tree, std::string table, const FreePages *free_pages);

  // Each places the cursor on an entry, or returns false when there is none.
  bool First();
  bool Last();
  bool Next();
  // Only for tables with integer keys: the entry `id`, else the first above it.
  bool Seek(uint64_t id);

  // Valid until the cursor moves.
  const Node &node() const { return node_; }
  uint64_t leaf_page() const { return levels_[depth_ - 1].page_number; }
  // The key of an integer-key table; anything but 8 bytes is damage.
  uint64_t Id() const;

 private:
  struct Level {
    uint64_t page_number = 0;
    unsigned index = 0;
    Page page;
    // Pages read at once, from `window_page` on: leaves that were written one after the other are read so too.
    std::vector<uint8_t> window;
    uint64_t window_page = 0;
    uint64_t window_pages = 0;
  };

  enum class Edge { kFirst, kLast };
  void Load(unsigned depth, uint64_t page_number);
  uint64_t ChildOf(const Level &level) const;
  void Descend(unsigned depth, Edge edge);
  void Take();
  uint64_t KeyOf(const Level &level, const uint8_t *key, size_t key_bytes) const;

  const Snapshot &snapshot_;
  const FreePages *const free_pages_;
  const std::string table_;
  const unsigned depth_;
  const uint64_t root_;
  std::vector<Level> levels_;
  Node node_ = {};
};

// A named table's descriptor; without such a table `found` is false and the tree empty.
struct NamedTree {
  bool found = false;
  Tree tree = {
      .page_bytes = 0, .flags = 0, .depth = 0, .branch_pages = 0, .leaf_pages = 0, .overflow_pages = 0, .entries = 0, .root = kNoPage};
};
NamedTree FindTable(const Snapshot &snapshot, const std::string &name, uint16_t flags_wanted, const FreePages *free_pages);

// Throws pier-damaged unless a walk found as many entries as the table says it has.
void CheckCount(const Snapshot &snapshot, uint64_t found, const Tree &tree, const std::string &table);

// The list of free pages, sorted. Throws unless every page that the file should have and has not is on it: LMDB leaves those unwritten at
// the end of the file.
FreePages ReadFreePages(const Snapshot &snapshot);

// A value of moderate size (META, lists of free pages), whole; `limit_bytes` guards against damaged lengths.
std::vector<uint8_t> ReadSmallValue(const Snapshot &snapshot, const Node &node, const std::string &what, size_t limit_bytes);

}  // namespace seguro::pier
