// Events too large for one run: their records handed out piece by piece.
#include <algorithm>

#include "pier_events.h"

namespace seguro::pier {

// The first pass over a large event. False when the snapshot went stale; what was checked before stays checked.
bool Events::CheckLarge(const Value &value, bool accept_zero_pages, LargeEvent &large) const {
  if (large.checked_bytes == 0 && value.inside == nullptr) {
    uint8_t header[kPageHeaderBytes];
    snapshot_.file().Read(snapshot_.OffsetOf(value.page), header, sizeof header);
    CheckOverflowHeader(value, header);
  }
  std::vector<uint8_t> chunk(kChunkBytes);
  while (large.checked_bytes < value.bytes) {
    uint64_t at = large.checked_bytes;
    size_t length = static_cast<size_t>(std::min<uint64_t>(value.bytes - at, at == 0 ? kChunkBytes - kPageHeaderBytes : kChunkBytes));
    ReadPiece(value, at, chunk.data(), length);
    if (!snapshot_.Intact()) {
      return false;
    }
    if (value.inside == nullptr && !accept_zero_pages) {
      CheckZeros(value, at, chunk.data(), length);
    }
    large.crc = seguro_crc32c(large.crc, chunk.data(), length);
    large.checked_bytes += length;
  }
  return true;
}

void Events::ReadPiece(const Value &value, uint64_t offset_bytes, uint8_t *to, size_t length_bytes) const {
  if (value.inside != nullptr) {
    std::memcpy(to, value.inside + offset_bytes, length_bytes);
  } else {
    snapshot_.file().Read(snapshot_.OffsetOf(value.page) + kPageHeaderBytes + offset_bytes, to, length_bytes);
  }
}

std::optional<Run> Events::PackLarge(const Value &value, const Request &request, std::optional<LargeEvent> &large) const {
  uint8_t header[SEGURO_RECORD_HEADER_BYTES];
  if (request.offset_bytes == 0 && (!large || large->id != value.id || large->offset_bytes > 0)) {
    large = LargeEvent();
    large->id = value.id;
    large->payload_bytes = value.bytes;
    large->crc = large->running_crc = seguro_record_begin(header, value.id, value.bytes);
  }
  if (!large || large->id != value.id || large->payload_bytes != value.bytes || large->offset_bytes != request.offset_bytes) {
    throw PierFault("pier-range", "the pieces of event " + std::to_string(value.id) + " must be read in order, from the first");
  }
  if (!CheckLarge(value, request.accept_zero_pages, *large)) {
    return std::nullopt;
  }
  LargeEvent next = *large;
  uint8_t *at = request.to;
  uint64_t total = seguro_record_bytes(value.bytes);
  uint64_t end = next.offset_bytes + std::min<uint64_t>(request.room_bytes & ~size_t{7}, total - next.offset_bytes);
  if (next.offset_bytes == 0) {
    seguro_record_begin(at, value.id, value.bytes);
    seguro_store_u32(at + 20, next.crc);
    at += SEGURO_RECORD_HEADER_BYTES;
    next.offset_bytes = SEGURO_RECORD_HEADER_BYTES;
  }
  while (next.offset_bytes < end) {
    uint64_t done = next.offset_bytes - SEGURO_RECORD_HEADER_BYTES;
    size_t step = static_cast<size_t>(std::min<uint64_t>(end - next.offset_bytes, kChunkBytes));
    size_t payload = static_cast<size_t>(std::min<uint64_t>(step, value.bytes - done));
    ReadPiece(value, done, at, payload);
    if (!snapshot_.Intact()) {
      break;
    }
    next.running_crc = seguro_crc32c(next.running_crc, at, payload);
    std::memset(at + payload, 0, step - payload);
    at += step;
    next.offset_bytes += step;
  }
  if (next.offset_bytes == total && next.running_crc != next.crc) {
    throw PierFault("pier-damaged", snapshot_.file().path() + ": event " + std::to_string(value.id) + " changed while it was read");
  }
  if (next.offset_bytes == large->offset_bytes) {
    return std::nullopt;
  }
  Run run;
  run.first_id = run.last_id = value.id;
  run.count = 1;
  run.bytes = next.offset_bytes - large->offset_bytes;
  run.offset_bytes = large->offset_bytes;
  run.total_bytes = total;
  run.short_events = value.bytes <= kShortEventBytes ? 1 : 0;
  large = next;
  return run;
}

}  // namespace seguro::pier
