// Finding events in a snapshot and copying their values out of it, with every check that the file's format allows.
#include "pier_events.h"

#include <algorithm>

namespace seguro::pier {

constexpr char kTable[] = "EVENTS";
// So many entries are looked at between two questions whether the snapshot still stands.
constexpr uint64_t kWalkEntries = 1024;

Events::Events(const Snapshot &snapshot, const FreePages &free_pages)
    : snapshot_(snapshot), free_pages_(free_pages), table_(FindTable(snapshot, kTable, kTreeIntegerKey, &free_pages)) {}

static PierFault Gap(const std::string &path, uint64_t before, uint64_t after) {
  return {"pier-gap", path + ": events are missing: " + std::to_string(before) + " is followed by " + std::to_string(after),
          "a log with a gap cannot be replayed; find another copy of the pier"};
}

Events::Value Events::ValueAt(const TreeCursor &cursor) const {
  Value value;
  value.id = cursor.Id();
  const Node &node = cursor.node();
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
  TreeCursor cursor(snapshot_, table_.tree, kTable, &free_pages_);
  if (!table_.found || !cursor.First()) {
    return span;
  }
  span.first_id = ValueAt(cursor).id;
  cursor.Last();
  span.last_id = ValueAt(cursor).id;
  span.count = table_.tree.entries;
  if (span.last_id < span.first_id || span.count != span.last_id - span.first_id + 1) {
    Survey survey;
    Walk(survey);
    throw PierFault("pier-damaged", snapshot_.file().path() + ": table EVENTS counts " + std::to_string(span.count) +
                                        " events, but has those from " + std::to_string(span.first_id) + " to " +
                                        std::to_string(span.last_id));
  }
  return span;
}

// Counts one entry, which must be the next.
void Events::Count(const TreeCursor &cursor, Survey &survey) const {
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
    uint8_t header[kPageHeaderBytes];
    snapshot_.file().Read(snapshot_.OffsetOf(value.page), header, sizeof header);
    CheckOverflowHeader(value, header);
  }
}

bool Events::Walk(Survey &survey) const {
  Survey walked = survey;
  TreeCursor cursor(snapshot_, table_.tree, kTable, &free_pages_);
  bool on = table_.found && (walked.span.count == 0 ? cursor.First() : cursor.Seek(walked.span.last_id + 1));
  for (; on; on = cursor.Next()) {
    Count(cursor, walked);
    if (walked.span.count % kWalkEntries == 0) {
      if (!snapshot_.Intact()) {
        return false;
      }
      survey = walked;
    }
  }
  if (!snapshot_.Intact()) {
    return false;
  }
  CheckCount(snapshot_, walked.span.count, table_.tree, kTable);
  survey = walked;
  return true;
}

TreeCursor Events::SeekExactly(uint64_t id) const {
  TreeCursor cursor(snapshot_, table_.tree, kTable, &free_pages_);
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

void Events::CheckOverflowHeader(const Value &value, const uint8_t *header) const {
  uint64_t pages = OverflowPages(value.bytes, snapshot_.page_bytes());
  if (seguro_load_u64(header) != value.page || seguro_load_u16(header + 10) != kPageOverflow || seguro_load_u32(header + 12) != pages) {
    throw snapshot_.Damaged(value.page, "should begin event " + std::to_string(value.id) + ", and does not: it was lost or overwritten");
  }
}

// `bytes` are the value's from `offset_bytes` on; both ends lie on the file's 4096-byte grid, or at the value's ends.
void Events::CheckZeros(const Value &value, uint64_t offset_bytes, const uint8_t *bytes, size_t length_bytes) const {
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
uint32_t Events::CopyOverflow(const Value &value, uint8_t *to, uint32_t crc, bool accept_zero_pages) const {
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
  TreeCursor cursor(snapshot_, table_.tree, kTable, &free_pages_);
  return table_.found && cursor.Last() ? ValueAt(cursor).id : 0;
}

void Events::PackOne(const Value &value, uint8_t *to, bool accept_zero_pages) const {
  uint8_t *payload = to + SEGURO_RECORD_HEADER_BYTES;
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

std::optional<Run> Events::Pack(const Request &request, std::optional<LargeEvent> &large) const {
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
  } catch (const PierFault &) {
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

}  // namespace seguro::pier
