// Turns one session's record stream, arriving in arbitrary chunks, into checked runs of records. No N-API here: fuzzers link it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core_bytes.h"
#include "wire/record.h"

namespace seguro {

/** The numbers are those of docs/protocol.md, "Errors". */
enum class AssemblerStatus : uint32_t { kOk = 0, kBadRecord = 20, kGap = 21, kTooLarge = 25, kBadId = 27 };

struct AssemblerOptions {
  size_t run_bytes;          // a run is closed when it has reached this, or a long record would take it beyond; at least 1
  size_t piece_bytes;        // a longer record goes out in pieces, at least 32 and a multiple of 8
  uint64_t event_bytes_max;  // greatest payload, at most SEGURO_EVENT_BYTES_MAX
};

/** What TakeInto or TakeOwned would give next. */
struct AssembledInfo {
  enum Kind : uint32_t { kNone = 0, kRun = 1, kLarge = 2 };
  Kind kind = kNone;
  bool last = false;          // large: the event is complete and its checksum was right
  uint64_t size_bytes = 0;    // of this item
  uint64_t first_id = 0;      // run; large: the event's id
  uint64_t last_id = 0;       // run; large: the event's id
  uint64_t count = 0;         // run
  uint64_t index = 0;         // large
  uint64_t record_bytes = 0;  // large: the whole record with header and padding
};

/**
 * Not thread-safe; one owner. Bytes are copied once, from the caller's chunk into a private buffer, and everything is checked on that copy,
 * so a chunk may lie in memory that its sender can still write. A failing status is final.
 */
class AssemblerCore {
 public:
  explicit AssemblerCore(const AssemblerOptions &options) : options_(options) {}

  /** The id the next record must have; 0: any. Only at a boundary. */
  void Expect(uint64_t id) { expected_ = id; }

  /** Takes the next bytes of the record stream. `ahead`: how many more the caller has in hand, so that memory is reserved for all of them at once. */
  AssemblerStatus Push(const uint8_t *chunk, size_t size, size_t ahead = 0);

  /** Begins an event that comes without a checksum (protocol 0); its payload follows through PushPayload. */
  AssemblerStatus BeginEvent(uint64_t id, uint64_t length_bytes);
  AssemblerStatus PushPayload(const uint8_t *chunk, size_t size);

  /** The next finished item in stream order; valid until the next call of anything else. */
  AssembledInfo Next() const;

  /** Copies the next item (Next said how long it is) and drops it here. */
  void TakeInto(uint8_t *to);

  /** Gives the next item's memory away. */
  ByteBuffer TakeOwned();

  AssemblerStatus status() const { return status_; }
  uint64_t failed_id() const { return failed_id_; }
  bool at_boundary() const { return phase_ == Phase::kHeader && head_size_ == 0 && status_ == AssemblerStatus::kOk; }
  /** Memory reserved for bytes that were not taken yet, partial records included. */
  size_t held_bytes() const {
    return items_bytes_ + items_.capacity() * sizeof(Item) + run_.capacity() + piece_.capacity() + first_piece_.capacity();
  }
  uint64_t completed_bytes() const { return completed_bytes_; }
  uint64_t completed_count() const { return completed_count_; }

 private:
  enum class Phase : uint8_t { kHeader, kRecord, kEvent };

  struct Item {
    AssembledInfo info;
    ByteBuffer bytes;
  };

  AssemblerStatus Start(const seguro_record_header &header, Phase phase, size_t here);
  AssemblerStatus Absorb(const uint8_t *chunk, size_t size, size_t ahead);
  AssemblerStatus AbsorbPiece(const uint8_t *chunk, size_t size);
  AssemblerStatus Finish();
  AssemblerStatus Fail(AssemblerStatus status, uint64_t id);
  bool CheckCopy(const uint8_t *copy, size_t size);
  void CloseRun();
  void EmitPiece(ByteBuffer bytes, uint64_t index, bool last);
  void AddItem(const AssembledInfo &info, ByteBuffer bytes);
  ByteBuffer RemoveItem();
  void DropTakenItems();
  size_t TailBytes() const { return run_.size() - run_end_; }

  AssemblerOptions options_;
  AssemblerStatus status_ = AssemblerStatus::kOk;
  Phase phase_ = Phase::kHeader;
  bool large_ = false;         // the record half way goes out in pieces
  uint32_t crc_ = 0;           // of the record half way, so far
  uint32_t crc_promised_ = 0;  // by its header
  uint32_t head_size_ = 0;
  uint8_t head_[SEGURO_RECORD_HEADER_BYTES];
  uint64_t expected_ = 0;
  uint64_t failed_id_ = 0;
  uint64_t id_ = 0;            // of the record half way
  uint64_t record_bytes_ = 0;  // of the record half way
  uint64_t payload_left_ = 0;  // bytes still to come
  uint64_t padding_left_ = 0;

  /** The run being gathered: whole records up to run_end_, then the record half way unless it is large. */
  ByteBuffer run_;
  size_t run_end_ = 0;
  uint64_t run_first_ = 0;
  uint64_t run_last_ = 0;
  uint64_t run_count_ = 0;

  /** The piece being gathered of a large record, and the first piece of a large event, which waits for its checksum. */
  ByteBuffer piece_;
  uint64_t piece_index_ = 0;
  ByteBuffer first_piece_;

  /** Finished items; those before items_taken_ are gone. */
  std::vector<Item> items_;
  size_t items_taken_ = 0;
  size_t items_bytes_ = 0;

  uint64_t completed_bytes_ = 0;
  uint64_t completed_count_ = 0;
};

}  // namespace seguro
