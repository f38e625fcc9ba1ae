// From blocks, where a store keeps them, into a ring: checked records, copied once, in RECORDS frames. No N-API here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "core_unpack.h"
#include "ring/ring.h"

namespace seguro {

/** What one turn may do; whichever is reached first ends it. */
struct ReplayLimits {
  uint64_t through_id;  // the last event to send
  /** RECORDS bodies that the client is ready to take, from the turn's beginning on; it may grow meanwhile. */
  const std::atomic<uint64_t> *credit_bytes;
  uint64_t budget_bytes;  // before other work has its turn
};

enum class ReplayStop : uint32_t {
  kEnd = 0,     // everything through `through_id` is on its way
  kCredit = 1,  // or less than the least frame is left of it
  kRoom = 2,    // the ring is full, and `rest` must go in before anything else
  kBudget = 3,  // go on with the next turn
  kOther =
      4,  // (also while nothing has stopped it) the next block is none of ours to send: a manifest, a gap, damage. Nothing of its event was sent
  kBroken = 5,   // the client has broken the ring
  kChanged = 6,  // the event that was being sent is not what it was: nothing can follow its first half
};

struct ReplayTurn {
  uint64_t count = 0;       // events that are wholly on their way
  uint64_t body_bytes = 0;  // what it cost of the credit
  ReplayStop stop = ReplayStop::kOther;
  std::vector<uint8_t> rest;  // the end of a frame whose beginning is in the ring
};

/**
 * One read's place in a log, and its half of a ring while it has its turn. Records are checked whole before their first byte is sent, and a
 * record may go out in several turns. Any thread, one at a time.
 */
class ReplayCore {
 public:
  /** `name` says whose blocks they must be; its ids are not looked at. */
  ReplayCore(const UnpackOptions &name, uint32_t request, uint64_t from_id) : name_(name), request_(request), next_id_(from_id) {}

  /** Begins a turn. Nobody else may use `producer` before it has ended. `ring_doorbell` wakes the client. */
  void Begin(seguro_ring_producer *producer, std::function<void()> ring_doorbell, const ReplayLimits &limits);

  /** Sends what it may of one block: the one that holds `next_id`, then those after it. False: the turn is over. */
  bool TakeBlock(const uint8_t *value, size_t size);

  /** Ends the turn, whether TakeBlock said so or there are no more blocks. */
  ReplayTurn End();

  /** Goes on at another event, whose block begins wherever it does. Not in the middle of an event. */
  void Seek(uint64_t id);

  /** The event whose bytes come next, or go on. */
  uint64_t next_id() const { return next_id_; }
  /** First event of the block to go on with, or an event inside of it. */
  uint64_t block_id() const { return block_first_ != 0 ? block_first_ : next_id_; }

 private:
  bool Stop(ReplayStop stop);
  /** Nothing more can be sent of this block, for a reason that only a careful reader can tell. */
  bool StopAtRecord() { return Stop(sent_bytes_ > 0 ? ReplayStop::kChanged : ReplayStop::kOther); }
  bool Place(const BlockHeader &header, const uint8_t *value, size_t size);
  bool SendRecords(uint64_t last_id, const uint8_t *value, size_t size);
  bool CheckNext(const uint8_t *value, size_t size, uint64_t at, uint64_t id, uint64_t *record_bytes) const;
  bool MoveOn(uint64_t bytes, const uint8_t *value, size_t size);
  uint64_t Credit() const { return limits_.credit_bytes->load(std::memory_order_relaxed) - turn_.body_bytes; }
  uint64_t Sendable() const;
  uint64_t Send(const uint8_t *bytes, uint64_t size);
  void SendPart(const uint8_t *frame, const uint8_t *body, uint64_t body_bytes);
  int64_t RoomFor(uint64_t bytes);
  void Publish();

  UnpackOptions name_;
  uint32_t request_;
  uint64_t next_id_;
  /** The block that next_id_ lies in and where its record begins there; 0 when that must be found. */
  uint64_t block_first_ = 0;
  uint64_t at_ = 0;
  /** Of the record at next_id_, sent in turns before: it was checked then. */
  uint64_t sent_bytes_ = 0;
  /** A block was sent to its end: the next one must follow exactly. */
  bool at_block_ = false;

  // Of one turn.
  seguro_ring_producer *producer_ = nullptr;
  std::function<void()> ring_doorbell_;
  ReplayLimits limits_{};
  ReplayTurn turn_;
  uint64_t looks_left_ = 0;
  uint64_t publish_bytes_ = 0;
};

}  // namespace seguro
