// The assembler's state machine: header, payload, padding, and how records leave: in runs, in pieces, or, after a failure, not at all.
#include "core_assembler.h"

namespace seguro {

namespace {

/** Copied and checksummed in steps of this, so that the second pass finds the bytes in the nearest cache. */
constexpr size_t kStepBytes = 16384;

/** What an event's announced length may reserve before any of its payload has come. */
constexpr size_t kEventReserveBytes = 4096;

/** Of a record of which so much has come (one part in so many) the rest is expected. */
constexpr uint64_t kExpectFromPart = 8;

/** A record beyond this part of run_bytes is a long one. */
constexpr size_t kLongPart = 8;

/**
 * For how much of a record to have room when `come` bytes of it are there: for all of it soon, so that they need not be moved again, but not for
 * what a header alone promises.
 */
uint64_t RoomFor(uint64_t record_bytes, uint64_t come) {
  return come >= record_bytes / kExpectFromPart ? std::max(come, record_bytes) : come;
}

constexpr uint8_t kZeros[8] = {0, 0, 0, 0, 0, 0, 0, 0};

}  // namespace

AssemblerStatus AssemblerCore::Fail(AssemblerStatus status, uint64_t id) {
  status_ = status;
  failed_id_ = id;
  // What was complete stays to be taken; of the record half way nothing does, not even pieces that are waiting.
  run_.Truncate(run_end_);
  run_.ShrinkToFit();
  piece_.Clear();
  first_piece_.Clear();
  while (items_.size() > items_taken_ && items_.back().info.kind == AssembledInfo::kLarge && !items_.back().info.last) {
    items_bytes_ -= items_.back().bytes.capacity();
    items_.pop_back();
  }
  DropTakenItems();
  return status;
}

AssemblerStatus AssemblerCore::Push(const uint8_t *chunk, size_t size, size_t ahead) {
  if (status_ != AssemblerStatus::kOk) {
    return status_;
  }
  if (phase_ == Phase::kEvent) {
    return size == 0 ? status_ : Fail(AssemblerStatus::kBadRecord, id_);
  }
  while (size > 0) {
    size_t taken;
    if (phase_ == Phase::kHeader) {
      taken = std::min<size_t>(SEGURO_RECORD_HEADER_BYTES - head_size_, size);
      std::memcpy(head_ + head_size_, chunk, taken);
      // Judged on the copy: the chunk may be memory that its sender can still write.
      std::atomic_signal_fence(std::memory_order_seq_cst);
      head_size_ += static_cast<uint32_t>(taken);
      if (head_size_ == SEGURO_RECORD_HEADER_BYTES) {
        head_size_ = 0;
        Start(seguro_record_load(head_), Phase::kRecord, size - taken + ahead);
      }
    } else {
      taken = std::min<uint64_t>(payload_left_ + padding_left_, size);
      Absorb(chunk, taken, size - taken + ahead);
    }
    if (status_ != AssemblerStatus::kOk) {
      return status_;
    }
    chunk += taken;
    size -= taken;
  }
  return status_;
}

AssemblerStatus AssemblerCore::BeginEvent(uint64_t id, uint64_t length_bytes) {
  if (status_ != AssemblerStatus::kOk) {
    return status_;
  }
  if (!at_boundary()) {
    return Fail(AssemblerStatus::kBadRecord, id);
  }
  seguro_record_begin(head_, id, length_bytes);
  seguro_store_u32(head_ + SEGURO_RECORD_CHECKED_BYTES, 0);
  return Start({length_bytes, id, 0, 0}, Phase::kEvent, kEventReserveBytes);
}

AssemblerStatus AssemblerCore::PushPayload(const uint8_t *chunk, size_t size) {
  if (status_ != AssemblerStatus::kOk || size == 0) {
    return status_;
  }
  if (phase_ != Phase::kEvent || size > payload_left_) {
    return Fail(AssemblerStatus::kBadRecord, phase_ == Phase::kEvent ? id_ : 0);
  }
  return Absorb(chunk, size, 0);
}

/** Judges the header in head_ and begins its record. `here` is how many bytes follow it in the caller's hands: what may be reserved. */
AssemblerStatus AssemblerCore::Start(const seguro_record_header &header, Phase phase, size_t here) {
  if (header.id == 0 || header.id > SEGURO_EVENT_ID_MAX) {
    return Fail(AssemblerStatus::kBadId, header.id);
  }
  if (header.flags != 0) {
    return Fail(AssemblerStatus::kBadRecord, header.id);
  }
  if (header.length_bytes > options_.event_bytes_max) {
    return Fail(AssemblerStatus::kTooLarge, header.id);
  }
  if (expected_ != 0 && header.id > expected_) {
    return Fail(AssemblerStatus::kGap, header.id);
  }
  uint64_t record_bytes = seguro_record_bytes(header.length_bytes);
  large_ = record_bytes > options_.piece_bytes;
  bool repeat = run_end_ > 0 && header.id != run_last_ + 1;
  // Before a long record that would take it over run_bytes too: its bytes need not be moved when the run is taken. A short one would make a run of itself.
  bool overflows = record_bytes > options_.run_bytes / kLongPart && run_end_ + record_bytes > options_.run_bytes;
  if (run_end_ > 0 && (large_ || repeat || overflows)) {
    CloseRun();
  }
  id_ = header.id;
  record_bytes_ = record_bytes;
  payload_left_ = header.length_bytes;
  padding_left_ = record_bytes - SEGURO_RECORD_HEADER_BYTES - header.length_bytes;
  crc_ = seguro_crc32c(0, head_, SEGURO_RECORD_CHECKED_BYTES);
  crc_promised_ = header.crc;
  piece_index_ = 0;
  phase_ = phase;
  // Room for what is here in one go, or only for this record when runs are being cut short: a client that repeats the same event over and
  // over would otherwise make us reserve the rest of its chunk for each.
  size_t most = large_ ? options_.piece_bytes : repeat ? record_bytes : std::max(record_bytes, options_.run_bytes);
  ByteBuffer &target = large_ ? piece_ : run_;
  size_t come = SEGURO_RECORD_HEADER_BYTES + here;
  target.Reserve(std::min(run_end_ == 0 ? RoomFor(record_bytes, come) : come, most), options_.run_bytes + options_.piece_bytes);
  target.Append(head_, SEGURO_RECORD_HEADER_BYTES);
  return payload_left_ + padding_left_ == 0 ? Finish() : status_;
}

bool AssemblerCore::CheckCopy(const uint8_t *copy, size_t size) {
  size_t payload = std::min<uint64_t>(payload_left_, size);
  crc_ = seguro_crc32c(crc_, copy, payload);
  payload_left_ -= payload;
  for (size_t i = payload; i < size; i++) {
    if (copy[i] != 0) {
      return false;
    }
  }
  padding_left_ -= size - payload;
  return true;
}

/** Takes bytes of the record half way: at most those still missing. Runs on into Finish with the last of them. `ahead` as in Push. */
AssemblerStatus AssemblerCore::Absorb(const uint8_t *chunk, size_t size, size_t ahead) {
  if (large_) {
    return AbsorbPiece(chunk, size);
  }
  uint64_t left = payload_left_ + padding_left_;
  uint64_t come = record_bytes_ - left;
  // A run is never longer than run_bytes, or its only record.
  // Behind other records its end need not fit: it moves when they are taken.
  uint64_t room = run_end_ == 0 ? RoomFor(record_bytes_, come + std::min<uint64_t>(left, size + ahead)) - come : size;
  run_.Reserve(room, options_.run_bytes + options_.piece_bytes);
  while (size > 0) {
    size_t step = std::min(size, kStepBytes);
    if (!CheckCopy(run_.Append(chunk, step), step)) {
      return Fail(AssemblerStatus::kBadRecord, id_);
    }
    chunk += step;
    size -= step;
  }
  if (payload_left_ > 0 || (padding_left_ > 0 && phase_ == Phase::kRecord)) {
    return status_;
  }
  return Finish();
}

AssemblerStatus AssemblerCore::AbsorbPiece(const uint8_t *chunk, size_t size) {
  while (size > 0) {
    // A full piece leaves only when more of its record has come: the last one waits for the checksum.
    if (piece_.size() == options_.piece_bytes) {
      EmitPiece(std::move(piece_), piece_index_, false);
      piece_index_++;
    }
    size_t room = std::min(size, options_.piece_bytes - piece_.size());
    piece_.Reserve(room, options_.piece_bytes);
    while (room > 0) {
      size_t step = std::min(room, kStepBytes);
      if (!CheckCopy(piece_.Append(chunk, step), step)) {
        return Fail(AssemblerStatus::kBadRecord, id_);
      }
      chunk += step;
      size -= step;
      room -= step;
    }
  }
  if (payload_left_ > 0 || (padding_left_ > 0 && phase_ == Phase::kRecord)) {
    return status_;
  }
  return Finish();
}

AssemblerStatus AssemblerCore::Finish() {
  if (phase_ == Phase::kRecord) {
    if (crc_ != crc_promised_) {
      return Fail(AssemblerStatus::kBadRecord, id_);
    }
  } else if (padding_left_ > 0) {
    // pieceBytes is a multiple of 8, so padding never opens a piece of its own.
    ByteBuffer &target = large_ ? piece_ : run_;
    target.Reserve(padding_left_, large_ ? options_.piece_bytes : options_.run_bytes + options_.piece_bytes);
    target.Append(kZeros, padding_left_);
    padding_left_ = 0;
  }
  if (!large_) {
    if (phase_ == Phase::kEvent) {
      seguro_store_u32(run_.data() + run_end_ + SEGURO_RECORD_CHECKED_BYTES, crc_);
    }
    if (run_end_ == 0) {
      run_first_ = id_;
      run_count_ = 0;
    }
    run_last_ = id_;
    run_count_++;
    run_end_ = run_.size();
  } else if (phase_ == Phase::kRecord) {
    EmitPiece(std::move(piece_), piece_index_, true);
  } else {
    // The header with the checksum is in piece 0, which therefore comes last.
    EmitPiece(std::move(piece_), piece_index_, false);
    seguro_store_u32(first_piece_.data() + SEGURO_RECORD_CHECKED_BYTES, crc_);
    AssembledInfo info;
    info.kind = AssembledInfo::kLarge;
    info.first_id = info.last_id = id_;
    info.index = 0;
    info.record_bytes = record_bytes_;
    info.last = true;
    AddItem(info, std::move(first_piece_));
  }
  large_ = false;
  phase_ = Phase::kHeader;
  expected_ = id_ + 1;
  completed_bytes_ += record_bytes_;
  completed_count_++;
  if (run_end_ >= options_.run_bytes) {
    CloseRun();
  }
  return status_;
}

void AssemblerCore::CloseRun() {
  AssembledInfo info = {};
  info.kind = AssembledInfo::kRun;
  info.first_id = run_first_;
  info.last_id = run_last_;
  info.count = run_count_;
  run_end_ = 0;
  AddItem(info, std::move(run_));
}

void AssemblerCore::EmitPiece(ByteBuffer bytes, uint64_t index, bool last) {
  if (phase_ == Phase::kEvent && index == 0) {
    first_piece_ = std::move(bytes);
    return;
  }
  AssembledInfo info;
  info.kind = AssembledInfo::kLarge;
  info.first_id = info.last_id = id_;
  info.index = index;
  info.record_bytes = record_bytes_;
  info.last = last;
  AddItem(info, std::move(bytes));
}

void AssemblerCore::AddItem(const AssembledInfo &info, ByteBuffer bytes) {
  bytes.ShrinkToFit();
  items_bytes_ += bytes.capacity();
  items_.push_back({info, std::move(bytes)});
  items_.back().info.size_bytes = items_.back().bytes.size();
}

ByteBuffer AssemblerCore::RemoveItem() {
  ByteBuffer bytes = std::move(items_[items_taken_].bytes);
  items_bytes_ -= bytes.capacity();
  items_taken_++;
  DropTakenItems();
  return bytes;
}

/** Frees the slots of items that are gone: all at once when none is left, else now and then. */
void AssemblerCore::DropTakenItems() {
  if (items_taken_ == items_.size()) {
    items_taken_ = 0;
    std::vector<Item>().swap(items_);
  } else if (items_taken_ >= 32 && items_taken_ * 2 >= items_.size()) {
    items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(items_taken_));
    items_taken_ = 0;
  }
}

AssembledInfo AssemblerCore::Next() const {
  if (items_.size() > items_taken_) {
    return items_[items_taken_].info;
  }
  AssembledInfo info;
  if (run_end_ > 0) {
    info.kind = AssembledInfo::kRun;
    info.first_id = run_first_;
    info.last_id = run_last_;
    info.count = run_count_;
    info.size_bytes = run_end_;
  }
  return info;
}

void AssemblerCore::TakeInto(uint8_t *to) {
  if (items_.size() > items_taken_) {
    ByteBuffer bytes = RemoveItem();
    std::memcpy(to, bytes.data(), bytes.size());
    return;
  }
  std::memcpy(to, run_.data(), run_end_);
  run_.DropFront(run_end_);
  run_end_ = 0;
  run_.ShrinkToFit();
}

ByteBuffer AssemblerCore::TakeOwned() {
  if (items_.size() > items_taken_) {
    return RemoveItem();
  }
  ByteBuffer tail;
  if (TailBytes() > 0) {
    tail.Reserve(RoomFor(record_bytes_, TailBytes()), record_bytes_);
    tail.Append(run_.data() + run_end_, TailBytes());
  }
  run_.Truncate(run_end_);
  run_end_ = 0;
  ByteBuffer bytes = std::move(run_);
  run_ = std::move(tail);
  bytes.ShrinkToFit();
  return bytes;
}

}  // namespace seguro
