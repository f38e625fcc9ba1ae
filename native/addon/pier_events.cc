// Finding events in a snapshot and copying their values out of it, with every check that the file's format allows.
#include "pier_events.h"

#include <algorithm>

namespace seguro::pier {

// A multiple of every page size, small enough to stay in the processor's cache between the copy and the checksum.
constexpr size_t kChunkBytes = 256 * 1024;
constexpr size_t kShortEventBytes = 4;
constexpr char kTable[] = "EVENTS";

Events::Events(const Snapshot& snapshot) : snapshot_(snapshot), table_(FindTable(snapshot, kTable, kTreeIntegerKey)) {}

static PierFault Gap(const std::string& path, uint64_t before, uint64_t after) {
  return {"pier-gap", path + ": events are missing: " + std::to_string(before) + " is followed by " + std::to_string(after),
          "a log with a gap cannot be replayed; find another copy of the pier"};
}

Events::Value Events::ValueAt(const TreeCursor& cursor) const {
  Value value;
  value.id = cursor.Id();
  const Node& node = cursor.node();
  if (value.id == 0 || value.id > SEGURO_EVENT_ID_MAX || (node.flags & ~kNodeBig) != 0) {
    throw snapshot_.Damaged(cursor.leaf_page(), "(table EVENTS) has an entry that is no event");
  }
  value.bytes = node.value_bytes;
  if ((node.flags & kNodeBig) == 0) {
    value.inside = node.inside;
    return value;
  }
  value.page = seguro_load_u64(node.inside);
  snapshot_.CheckRange(value.page, OverflowPages(value.bytes, snapshot_.page_bytes()), "event " + std::to_string(value.id));
  return value;
}

Span Events::Measure() const {
  Span span;
  TreeCursor cursor(snapshot_, table_.tree, kTable);
  if (!table_.found || !cursor.First()) {
    return span;
  }
  span.first_id = ValueAt(cursor).id;
  cursor.Last();
  span.last_id = ValueAt(cursor).id;
  span.count = table_.tree.entries;
  if (span.last_id < span.first_id || span.count != span.last_id - span.first_id + 1) {
    Walk();
    throw PierFault("pier-damaged", snapshot_.file().path() + ": table EVENTS counts " + std::to_string(span.count) +
                                        " events, but has those from " + std::to_string(span.first_id) + " to " +
                                        std::to_string(span.last_id));
  }
  return span;
}

Survey Events::Walk() const {
  Survey survey;
  TreeCursor cursor(snapshot_, table_.tree, kTable);
  uint8_t header[kPageHeaderBytes];
  for (bool on = table_.found && cursor.First(); on; on = cursor.Next()) {
    Value value = ValueAt(cursor);
    if (survey.span.count == 0) {
      survey.span.first_id = value.id;
    } else if (value.id <= survey.span.last_id) {
      throw snapshot_.Damaged(cursor.leaf_page(), "(table EVENTS) is out of order at event " + std::to_string(value.id));
    } else if (value.id != survey.span.last_id + 1) {
      throw Gap(snapshot_.file().path(), survey.span.last_id, value.id);
    }
    survey.span.last_id = value.id;
    survey.span.count++;
    survey.payload_bytes += value.bytes;
    survey.largest_bytes = std::max(survey.largest_bytes, value.bytes);
    if (value.bytes <= kShortEventBytes) {
      survey.first_short_id = survey.short_events == 0 ? value.id : survey.first_short_id;
      survey.short_events++;
    }
    if (value.inside == nullptr) {
      snapshot_.file().Read(snapshot_.OffsetOf(value.page), header, sizeof header);
      CheckOverflowHeader(value, header);
    }
  }
  if (survey.span.count != (table_.found ? table_.tree.entries : 0)) {
    throw PierFault("pier-damaged", snapshot_.file().path() + ": table EVENTS counts " + std::to_string(table_.tree.entries) +
                                        " events and has " + std::to_string(survey.span.count));
  }
  return survey;
}

TreeCursor Events::SeekExactly(uint64_t id) const {
  TreeCursor cursor(snapshot_, table_.tree, kTable);
  bool on = table_.found && cursor.Seek(id);
  if (on && cursor.Id() == id) {
    return cursor;
  }
  if (on && cursor.Id() > id) {
    uint64_t after = cursor.Id();
    cursor.First();
    uint64_t first = cursor.Id();
    throw first == after ? PierFault("pier-range", snapshot_.file().path() + ": the log begins at event " + std::to_string(first) +
                                                       "; event " + std::to_string(id) + " is not in it")
                         : Gap(snapshot_.file().path(), id - 1, after);
  }
  throw PierFault("pier-range", snapshot_.file().path() + ": event " + std::to_string(id) + " is not in this log");
}

void Events::CheckOverflowHeader(const Value& value, const uint8_t* header) const {
  uint64_t pages = OverflowPages(value.bytes, snapshot_.page_bytes());
  if (seguro_load_u64(header) != value.page || seguro_load_u16(header + 10) != kPageOverflow || seguro_load_u32(header + 12) != pages) {
    throw snapshot_.Damaged(value.page, "should begin event " + std::to_string(value.id) + ", and does not: it was lost or overwritten");
  }
}

// `bytes` are the value's from `offset_bytes` on; both ends lie on the file's 4096-byte grid, or at the value's ends.
void Events::CheckZeros(const Value& value, uint64_t offset_bytes, const uint8_t* bytes, size_t length_bytes) const {
  // The first page holds its own header, which is checked by itself.
  size_t at = offset_bytes == 0 ? kLostPageBytes - kPageHeaderBytes : 0;
  for (; at < length_bytes; at += kLostPageBytes) {
    size_t end = std::min(length_bytes, at + kLostPageBytes);
    size_t zero = at;
    while (zero < end && bytes[zero] == 0) {
      zero++;
    }
    if (zero == end) {
      uint64_t file_offset = snapshot_.OffsetOf(value.page) + kPageHeaderBytes + offset_bytes + at;
      throw PierFault("pier-zero-page",
                      snapshot_.file().path() + ": event " + std::to_string(value.id) + " has nothing but zeros at byte " +
                          std::to_string(file_offset) + " of the file, as a page that was lost does",
                      "compare with another copy of the pier; if the event really holds these zeros, accept zero pages explicitly");
    }
  }
}

// Copies a value that lies on pages of its own to `to`; returns the checksum `crc` extended over it.
uint32_t Events::CopyOverflow(const Value& value, uint8_t* to, uint32_t crc, bool accept_zero_pages) const {
  uint8_t header[kPageHeaderBytes];
  uint64_t start = snapshot_.OffsetOf(value.page);
  for (uint64_t at = 0; at < value.bytes;) {
    size_t length = static_cast<size_t>(std::min<uint64_t>(value.bytes - at, at == 0 ? kChunkBytes - kPageHeaderBytes : kChunkBytes));
    if (at == 0) {
      snapshot_.file().ReadTwo(start, header, sizeof header, to, length);
      CheckOverflowHeader(value, header);
    } else {
      snapshot_.file().Read(start + kPageHeaderBytes + at, to + at, length);
    }
    if (!accept_zero_pages) {
      CheckZeros(value, at, to + at, length);
    }
    crc = seguro_crc32c(crc, to + at, length);
    at += length;
  }
  return crc;
}

uint64_t Events::LastId() const {
  TreeCursor cursor(snapshot_, table_.tree, kTable);
  return table_.found && cursor.Last() ? ValueAt(cursor).id : 0;
}

void Events::PackOne(const Value& value, uint8_t* to, bool accept_zero_pages) const {
  uint8_t* payload = to + SEGURO_RECORD_HEADER_BYTES;
  // The padding first: a payload that fills the last word overwrites it.
  std::memset(to + seguro_record_bytes(value.bytes) - 8, 0, 8);
  uint32_t crc = seguro_record_begin(to, value.id, value.bytes);
  if (value.inside != nullptr) {
    std::memcpy(payload, value.inside, value.bytes);
    crc = seguro_crc32c(crc, payload, value.bytes);
  } else {
    crc = CopyOverflow(value, payload, crc, accept_zero_pages);
  }
  seguro_store_u32(to + 20, crc);
}

std::optional<Run> Events::Pack(const Request& request, std::optional<LargeEvent>& large) const {
  TreeCursor cursor = SeekExactly(request.from_id);
  Run run;
  run.first_id = request.from_id;
  Run trusted;
  size_t unchecked = 0;
  try {
    bool on = true;
    for (uint64_t id = request.from_id; on; on = cursor.Next(), id++) {
      Value value = ValueAt(cursor);
      if (value.id != id) {
        throw value.id > id ? Gap(snapshot_.file().path(), id - 1, value.id)
                            : snapshot_.Damaged(cursor.leaf_page(), "(table EVENTS) is out of order at event " + std::to_string(value.id));
      }
      uint64_t record = seguro_record_bytes(value.bytes);
      if (run.count == 0 && (request.offset_bytes > 0 || request.in_pieces || record > request.room_bytes)) {
        return PackLarge(value, request, large);
      }
      if (record > request.room_bytes - run.bytes) {
        break;
      }
      PackOne(value, request.to + run.bytes, request.accept_zero_pages);
      run.last_id = id;
      run.count++;
      run.bytes += record;
      run.short_events += value.bytes <= kShortEventBytes ? 1 : 0;
      unchecked += record;
      if (unchecked >= kChunkBytes) {
        if (!snapshot_.Intact()) {
          break;
        }
        trusted = run;
        unchecked = 0;
      }
    }
  } catch (const PierFault&) {
    // The events before the damage are good; the next call begins at it and reports it.
    if (run.count == 0) {
      throw;
    }
  }
  trusted = snapshot_.Intact() ? run : trusted;
  if (trusted.count == 0) {
    return std::nullopt;
  }
  trusted.total_bytes = trusted.bytes;
  return trusted;
}

// The first pass over a large event. False when the snapshot went stale; what was checked before stays checked.
bool Events::CheckLarge(const Value& value, bool accept_zero_pages, LargeEvent& large) const {
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

void Events::ReadPiece(const Value& value, uint64_t offset_bytes, uint8_t* to, size_t length_bytes) const {
  if (value.inside != nullptr) {
    std::memcpy(to, value.inside + offset_bytes, length_bytes);
  } else {
    snapshot_.file().Read(snapshot_.OffsetOf(value.page) + kPageHeaderBytes + offset_bytes, to, length_bytes);
  }
}

std::optional<Run> Events::PackLarge(const Value& value, const Request& request, std::optional<LargeEvent>& large) const {
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
  uint8_t* at = request.to;
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
