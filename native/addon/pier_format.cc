// Checks and accessors of one page of a data.mdb.
#include "pier_format.h"

namespace seguro::pier {

std::string Page::Check(uint64_t number_wanted, uint16_t flags_wanted) const {
  if (number() != number_wanted || flags() != flags_wanted) {
    bool zero = true;
    for (size_t i = 0; i < page_bytes_ && zero; i++) {
      zero = at_[i] == 0;
    }
    if (zero) {
      return "holds only zeros: it was lost";
    }
    return number() != number_wanted ? "says it is page " + std::to_string(number()) : "is of another kind than its place needs";
  }
  if (lower() < kPageHeaderBytes || lower() > upper() || upper() > page_bytes_ || lower() % 2 != 0) {
    return "has impossible bounds";
  }
  if (count() == 0) {
    return "is empty";
  }
  bool leaf = flags_wanted == kPageLeaf;
  size_t heap_bytes = 0;
  for (unsigned i = 0; i < count(); i++) {
    size_t offset = seguro_load_u16(at_ + kPageHeaderBytes + 2 * i);
    if (offset < upper() || offset + kNodeHeaderBytes > page_bytes_ || offset % 2 != 0) {
      return "has an entry outside itself";
    }
    const uint8_t *node = at_ + offset;
    size_t node_bytes = kNodeHeaderBytes + seguro_load_u16(node + 6);
    if (leaf) {
      bool big = (seguro_load_u16(node + 4) & kNodeBig) != 0;
      node_bytes += big ? sizeof(uint64_t) : seguro_load_u32(node);
    }
    if (offset + node_bytes > page_bytes_) {
      return "has an entry that ends outside itself";
    }
    heap_bytes += (node_bytes + 1) & ~size_t{1};
  }
  return heap_bytes == page_bytes_ - upper() ? "" : "has entries that do not fill it as they should";
}

Node Page::Leaf(unsigned index) const {
  const uint8_t *node = NodeAt(index);
  Node out;
  out.value_bytes = seguro_load_u32(node);
  out.flags = seguro_load_u16(node + 4);
  out.key_bytes = seguro_load_u16(node + 6);
  out.key = node + kNodeHeaderBytes;
  out.inside = out.key + out.key_bytes;
  return out;
}

Branch Page::Child(unsigned index) const {
  const uint8_t *node = NodeAt(index);
  Branch out;
  out.child = seguro_load_u32(node) | static_cast<uint64_t>(seguro_load_u16(node + 4)) << 32;
  out.key_bytes = seguro_load_u16(node + 6);
  out.key = node + kNodeHeaderBytes;
  return out;
}

}  // namespace seguro::pier
