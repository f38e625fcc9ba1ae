// LMDB's data format 1 as it lies in a data.mdb: what the reader needs, and a view of one page that never leaves its bounds.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

#include "wire/bytes.h"

namespace seguro::pier {

constexpr uint32_t kMagic = 0xBEEFC0DE;
constexpr uint32_t kDataVersion = 1;
constexpr uint64_t kNoPage = ~uint64_t{0};
constexpr size_t kPageHeaderBytes = 16;
constexpr size_t kNodeHeaderBytes = 8;
constexpr size_t kMetaPageBytes = 152;
constexpr unsigned kDepthMax = 32;
// A lost page shows as zeros of the size that disks and page caches deal in, whatever LMDB's page size is.
constexpr size_t kLostPageBytes = 4096;

constexpr uint16_t kPageBranch = 0x01;
constexpr uint16_t kPageLeaf = 0x02;
constexpr uint16_t kPageOverflow = 0x04;
constexpr uint16_t kPageMeta = 0x08;

constexpr uint16_t kNodeBig = 0x01;
constexpr uint16_t kNodeTable = 0x02;

constexpr uint16_t kTreeIntegerKey = 0x08;

// One table's descriptor: 48 bytes, in a meta page or as the value of a table's name.
struct Tree {
  uint32_t page_bytes;
  uint16_t flags;
  uint16_t depth;
  uint64_t branch_pages;
  uint64_t leaf_pages;
  uint64_t overflow_pages;
  uint64_t entries;
  uint64_t root;
};
static_assert(sizeof(Tree) == 48);

struct Meta {
  uint32_t magic;
  uint32_t version;
  uint64_t address;
  uint64_t map_bytes;
  Tree free;
  Tree main;
  uint64_t last_page;
  uint64_t transaction;
};
static_assert(sizeof(Meta) == kMetaPageBytes - kPageHeaderBytes);

struct Node {
  uint16_t flags;
  uint16_t key_bytes;
  const uint8_t *key;
  uint32_t value_bytes;   // of the whole value, wherever it lies
  const uint8_t *inside;  // the value, or, for a big one, the 8 bytes of its first page's number
};

struct Branch {
  uint16_t key_bytes;
  const uint8_t *key;
  uint64_t child;
};

// A page in memory. Check() must have returned an empty string before anything else is asked.
class Page {
 public:
  Page() = default;
  Page(const uint8_t *bytes, size_t page_bytes) : at_(bytes), page_bytes_(page_bytes) {}

  uint64_t number() const { return seguro_load_u64(at_); }
  uint16_t flags() const { return seguro_load_u16(at_ + 10); }
  unsigned count() const { return (lower() - kPageHeaderBytes) / 2; }

  // What is wrong with this page as page `number` of the kind `flags`, or nothing: its own number, its kind, its bounds, and that its
  // nodes fill its heap exactly, as LMDB always packs them.
  std::string Check(uint64_t number, uint16_t flags) const;

  Node Leaf(unsigned index) const;
  Branch Child(unsigned index) const;

 private:
  unsigned lower() const { return seguro_load_u16(at_ + 12); }
  unsigned upper() const { return seguro_load_u16(at_ + 14); }
  const uint8_t *NodeAt(unsigned index) const { return at_ + seguro_load_u16(at_ + kPageHeaderBytes + 2 * index); }

  const uint8_t *at_ = nullptr;
  size_t page_bytes_ = 0;
};

inline uint64_t OverflowPages(uint64_t value_bytes, size_t page_bytes) { return (kPageHeaderBytes - 1 + value_bytes) / page_bytes + 1; }

}  // namespace seguro::pier
