// Sending blocks into a ring: check a stretch of records while it comes into the cache, copy it from there.
#include "core_replay.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core_records.h"
#include "wire/frame.h"

namespace seguro {

namespace {

/** Checked and then copied in stretches of this, so that the copy finds the bytes in the cache. */
constexpr uint64_t kStretchBytes = 256 << 10;
/** Published in parts that grow: the first bytes soon, later ones so that a client as fast as we are is not woken for each stretch. */
constexpr uint64_t kFirstPublishBytes = 64 << 10;
constexpr uint64_t kPublishBytes = 1 << 20;
/** A frame below this is not worth the client's while, unless it is the last of its stretch; also the most that is ever left over. */
constexpr uint64_t kLeastBodyBytes = 4096;
/** So much room is waited for when the ring is full, so long, and so often in one turn: a client in full course makes it within that. */
constexpr uint64_t kRoomBytes = 64 << 10;
constexpr std::chrono::microseconds kLook(50);
constexpr uint64_t kLooksATurn = 32;
constexpr int kLooksPerClock = 32;

inline void PauseAMoment() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

void ReplayCore::Begin(seguro_ring_producer *producer, std::function<void()> ring_doorbell, const ReplayLimits &limits) {
  producer_ = producer;
  ring_doorbell_ = std::move(ring_doorbell);
  limits_ = limits;
  turn_ = ReplayTurn();
  looks_left_ = kLooksATurn;
  publish_bytes_ = kFirstPublishBytes;
}

ReplayTurn ReplayCore::End() {
  Publish();
  producer_ = nullptr;
  ring_doorbell_ = nullptr;
  if (turn_.stop == ReplayStop::kOther && next_id_ > limits_.through_id) turn_.stop = ReplayStop::kEnd;
  return std::exchange(turn_, ReplayTurn());
}

void ReplayCore::Seek(uint64_t id) {
  next_id_ = id;
  block_first_ = at_ = sent_bytes_ = 0;
  at_block_ = false;
}

bool ReplayCore::Stop(ReplayStop stop) {
  turn_.stop = stop;
  return false;
}

uint64_t ReplayCore::Sendable() const {
  uint64_t budget_bytes = limits_.budget_bytes - turn_.body_bytes;
  return std::min(Credit(), budget_bytes) & ~uint64_t{7};
}

bool ReplayCore::TakeBlock(const uint8_t *value, size_t size) {
  if (next_id_ > limits_.through_id) return Stop(ReplayStop::kEnd);
  BlockHeader header;
  if (ReadBlockHeader(value, size, name_, &header) != nullptr || header.manifest) return StopAtRecord();
  if (!Place(header, value, size)) return StopAtRecord();
  uint64_t last_id = header.first_id + header.count - 1;
  bool goes_on = SendRecords(std::min(last_id, limits_.through_id), value, size);
  if (next_id_ > last_id) {
    block_first_ = at_ = 0;
    at_block_ = true;
  }
  return goes_on;
}

/** Finds next_id_ in a block; false when it is not there. */
bool ReplayCore::Place(const BlockHeader &header, const uint8_t *value, size_t size) {
  if (next_id_ < header.first_id || next_id_ - header.first_id >= header.count) return false;
  if (block_first_ != 0) return block_first_ == header.first_id && at_ <= size;
  if (at_block_ && header.first_id != next_id_) return false;
  uint64_t at = SEGURO_BLOCK_HEADER_BYTES;
  for (uint64_t id = header.first_id; id < next_id_; id++) {
    uint64_t record_bytes = 0;
    if (CheckRecord(value + at, size - at, id, &record_bytes) != nullptr) return false;
    at += record_bytes;
  }
  block_first_ = header.first_id;
  at_ = at;
  return true;
}

/** The record's length once it may be sent: of one that is half sent only the framing is looked at again. */
bool ReplayCore::CheckNext(const uint8_t *value, size_t size, uint64_t at, uint64_t id, uint64_t *record_bytes) const {
  if (id != next_id_ || sent_bytes_ == 0) return CheckRecord(value + at, size - at, id, record_bytes) == nullptr;
  if (size - at < SEGURO_RECORD_HEADER_BYTES) return false;
  seguro_record_header header = seguro_record_load(value + at);
  if (header.id != id || header.length_bytes > SEGURO_EVENT_BYTES_MAX) return false;
  *record_bytes = seguro_record_bytes(header.length_bytes);
  return *record_bytes <= size - at && *record_bytes > sent_bytes_;
}

bool ReplayCore::SendRecords(uint64_t last_id, const uint8_t *value, size_t size) {
  while (next_id_ <= last_id) {
    uint64_t sendable = Sendable();
    if (sendable == 0) return Stop(Credit() < 8 ? ReplayStop::kCredit : ReplayStop::kBudget);
    // No more is checked than can be sent now, but for the last record: else a client that takes eight bytes at a time has it all checked again.
    uint64_t begin = at_ + sent_bytes_;
    uint64_t end = at_;
    bool good = true;
    for (uint64_t id = next_id_; id <= last_id && (end <= begin || end - begin < std::min(sendable, kStretchBytes)); id++) {
      uint64_t record_bytes = 0;
      good = CheckNext(value, size, end, id, &record_bytes);
      if (!good) break;
      end += record_bytes;
    }
    if (end <= begin) return StopAtRecord();
    uint64_t sent = Send(value + begin, std::min(end - begin, sendable));
    if (!MoveOn(sent, value, size)) return Stop(ReplayStop::kChanged);
    if (turn_.stop != ReplayStop::kOther) return false;
    if (!good && at_ == end) return StopAtRecord();
  }
  return true;
}

/** Counts bytes as sent, record by record. */
bool ReplayCore::MoveOn(uint64_t bytes, const uint8_t *value, size_t size) {
  bytes += sent_bytes_;
  sent_bytes_ = 0;
  while (bytes > 0) {
    if (size - at_ < SEGURO_RECORD_HEADER_BYTES) return false;
    uint64_t length_bytes = seguro_record_load(value + at_).length_bytes;
    if (length_bytes > SEGURO_EVENT_BYTES_MAX || seguro_record_bytes(length_bytes) > size - at_) return false;
    uint64_t record_bytes = seguro_record_bytes(length_bytes);
    if (record_bytes > bytes) {
      sent_bytes_ = bytes;
      return true;
    }
    bytes -= record_bytes;
    at_ += record_bytes;
    next_id_++;
    turn_.count++;
  }
  return true;
}

/** Room for so much, or what there is after a while. */
int64_t ReplayCore::RoomFor(uint64_t bytes) {
  if (seguro_ring_room_known(producer_) >= bytes) return static_cast<int64_t>(seguro_ring_room_known(producer_));
  int64_t room = seguro_ring_room(producer_);
  if (room < 0 || static_cast<uint64_t>(room) >= bytes || looks_left_ == 0) return room;
  Publish();
  looks_left_--;
  auto until = std::chrono::steady_clock::now() + kLook;
  do {
    for (int i = 0; i < kLooksPerClock && room >= 0 && static_cast<uint64_t>(room) < bytes; i++) {
      PauseAMoment();
      room = seguro_ring_room(producer_);
    }
  } while (room >= 0 && static_cast<uint64_t>(room) < bytes && std::chrono::steady_clock::now() < until);
  return room;
}

void ReplayCore::Publish() {
  if (seguro_ring_publish(producer_)) ring_doorbell_();
}

/** Puts records into frames as far as there is room; says how many bytes of them are on their way. */
uint64_t ReplayCore::Send(const uint8_t *bytes, uint64_t size) {
  uint64_t done = 0;
  while (done < size && turn_.stop == ReplayStop::kOther) {
    uint64_t left = size - done;
    uint64_t wished = std::min({left, kRoomBytes, producer_->size / 4});
    int64_t room = RoomFor(SEGURO_FRAME_HEADER_BYTES + wished);
    if (room < 0) {
      turn_.stop = ReplayStop::kBroken;
      break;
    }
    uint64_t least = SEGURO_FRAME_HEADER_BYTES + std::min(left, kLeastBodyBytes);
    bool fits = static_cast<uint64_t>(room) >= least;
    uint64_t most = fits ? (static_cast<uint64_t>(room) - SEGURO_FRAME_HEADER_BYTES) & ~uint64_t{7} : kLeastBodyBytes;
    uint64_t body_bytes = std::min({left, most, uint64_t{SEGURO_FRAME_BODY_MAX}});
    uint8_t frame[SEGURO_FRAME_HEADER_BYTES];
    seguro_frame_store(frame, {static_cast<uint32_t>(body_bytes), SEGURO_FRAME_RECORDS, 0, request_});
    SendPart(frame, bytes + done, body_bytes);
    if (!fits) turn_.stop = ReplayStop::kRoom;
    done += body_bytes;
    if (producer_->head - producer_->published >= publish_bytes_) {
      Publish();
      publish_bytes_ = std::min({publish_bytes_ * 2, kPublishBytes, producer_->size / 4});
    }
  }
  turn_.body_bytes += done;
  return done;
}

/** One frame; what finds no room is left over. A producer may sleep only when there is no room at all (docs/ring.md). */
void ReplayCore::SendPart(const uint8_t *frame, const uint8_t *body, uint64_t body_bytes) {
  uint64_t head = seguro_ring_put(producer_, frame, SEGURO_FRAME_HEADER_BYTES);
  uint64_t put = head == SEGURO_FRAME_HEADER_BYTES ? seguro_ring_put(producer_, body, body_bytes) : 0;
  turn_.rest.assign(frame + head, frame + SEGURO_FRAME_HEADER_BYTES);
  turn_.rest.insert(turn_.rest.end(), body + put, body + body_bytes);
}

}  // namespace seguro
