// The events of one snapshot: what there is, and runs of them packed as records (wire/record.h).
#pragma once

#include <optional>

#include "pier_tree.h"
#include "wire/record.h"

namespace seguro::pier {

// A multiple of every page size, small enough to stay in the processor's cache between the copy and the checksum.
constexpr size_t kChunkBytes = 256 * 1024;
// Vere refuses to replay events of at most so many bytes.
constexpr size_t kShortEventBytes = 4;

// What a run of records needs to say besides its bytes. `offset_bytes` and `total_bytes` differ from 0 and `bytes` only where one event,
// larger than the room given, comes in pieces.
struct Run {
  uint64_t first_id = 0;
  uint64_t last_id = 0;
  uint64_t count = 0;
  uint64_t bytes = 0;
  uint64_t offset_bytes = 0;
  uint64_t total_bytes = 0;
  uint64_t short_events = 0;
};

struct Span {
  uint64_t first_id = 0;
  uint64_t last_id = 0;
  uint64_t count = 0;
};

struct Survey {
  Span span;
  uint64_t payload_bytes = 0;
  uint64_t largest_bytes = 0;
  uint64_t short_events = 0;
  uint64_t first_short_id = 0;
};

// A large event under way. Its record's checksum stands before its payload, so the payload is read twice: once for the checksum, then
// piece by piece, checked again at the last piece. Both go on across snapshots, because a live ship does not wait and never changes
// an event.
struct LargeEvent {
  uint64_t id = 0;
  uint64_t payload_bytes = 0;
  uint64_t checked_bytes = 0;  // how far the first pass came
  uint32_t crc = 0;            // of the record, as far as that
  uint64_t offset_bytes = 0;   // of the record, the next to be handed out
  uint32_t running_crc = 0;    // of what was handed out
};

class Events {
 public:
  // Both must outlive it.
  Events(const Snapshot &snapshot, const FreePages &free_pages);

  // Cheap: looks at the first and the last leaf. Throws pier-gap (after a walk that finds the place) when the count does not fit.
  Span Measure() const;
  // Looks at every entry and at the header of every large one, not at the payloads. Goes on where `survey` ends; false when the snapshot
  // went stale before the end.
  bool Walk(Survey &survey) const;
  // 0 when there are none.
  uint64_t LastId() const;

  struct Request {
    uint64_t from_id;
    uint64_t offset_bytes;  // of the record of `from_id`: above 0 when a large event goes on
    uint8_t *to;
    size_t room_bytes;
    bool accept_zero_pages;
    bool in_pieces;  // treat the first event as large even if it fits
  };
  // Packs consecutive events. Stops early, after whole events, before a damaged one and where a live writer may have begun to overwrite
  // the snapshot. Returns nothing when there was nothing that could be trusted: the caller takes a new snapshot and asks again.
  std::optional<Run> Pack(const Request &request, std::optional<LargeEvent> &large) const;

 private:
  struct Value {
    uint64_t id = 0;
    uint64_t bytes = 0;
    const uint8_t *inside = nullptr;  // null: at page
    uint64_t page = 0;
  };
  void Count(const TreeCursor &cursor, Survey &survey) const;
  Value ValueAt(const TreeCursor &cursor) const;
  TreeCursor SeekExactly(uint64_t id) const;
  void CheckOverflowHeader(const Value &value, const uint8_t *header) const;
  void CheckZeros(const Value &value, uint64_t offset_bytes, const uint8_t *bytes, size_t length_bytes) const;
  uint32_t CopyOverflow(const Value &value, uint8_t *to, uint32_t crc, bool accept_zero_pages) const;
  void PackOne(const Value &value, uint8_t *to, bool accept_zero_pages) const;
  std::optional<Run> PackLarge(const Value &value, const Request &request, std::optional<LargeEvent> &large) const;
  bool CheckLarge(const Value &value, bool accept_zero_pages, LargeEvent &large) const;
  void ReadPiece(const Value &value, uint64_t offset_bytes, uint8_t *to, size_t length_bytes) const;

  const Snapshot &snapshot_;
  const FreePages &free_pages_;
  const NamedTree table_;
};

}  // namespace seguro::pier
