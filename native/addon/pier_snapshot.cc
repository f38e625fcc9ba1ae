// What a snapshot checks: its age, and the pages that are read through it.
#include "pier_snapshot.h"

namespace seguro::pier {

Snapshot::Snapshot(std::shared_ptr<const File> file) : file_(std::move(file)), meta_(file_->NewestMeta()) {}

bool Snapshot::Intact() const { return file_->NewestMeta().transaction <= meta_.transaction + 1; }

void Snapshot::CheckRange(uint64_t page, uint64_t count, const std::string &what) const {
  if (page < 2 || page > meta_.last_page || count > meta_.last_page + 1 - page) {
    throw PierFault("pier-damaged", file_->path() + ": " + what + " points outside the file, at page " + std::to_string(page), kDamageHint);
  }
}

Page Snapshot::CheckPage(uint64_t number, uint16_t flags, const uint8_t *bytes, const std::string &table) const {
  Page page(bytes, page_bytes());
  std::string wrong = page.Check(number, flags);
  if (!wrong.empty()) {
    throw Damaged(number, "(table " + table + ") " + wrong);
  }
  return page;
}

PierFault Snapshot::Damaged(uint64_t page, const std::string &what) const {
  return {"pier-damaged", file_->path() + ": page " + std::to_string(page) + " at byte " + std::to_string(OffsetOf(page)) + " " + what,
          kDamageHint};
}

}  // namespace seguro::pier
