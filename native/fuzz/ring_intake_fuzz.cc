// Fuzzes the sidecar's intake of a ring: the input is a program of frames, raw bytes, indices and turns, in a ring of the least size. Only
// whole, checked records may leave it, in order; every turn takes what it may or ends the session, for good.
#include <memory>
#include <string>
#include <vector>

#include "core_records.h"
#include "core_ring.h"
#include "input.h"

namespace {

using seguro::AssembledInfo;
using seguro::RingIntake;
using seguro::RingItem;
using seguro::RingMemory;

constexpr size_t kItemsMax = 256 + 4 * 65536 / SEGURO_RECORD_HEADER_BYTES;

/** One for all inputs: making shared memory costs more than all the rest. */
RingMemory *Memory() {
  static std::string why;
  static std::unique_ptr<RingMemory> memory = RingMemory::Create({SEGURO_RING_DATA_BYTES_MIN, 1, {}}, &why);
  FUZZ_CHECK(memory != nullptr);
  return memory.get();
}

class Session {
 public:
  explicit Session(Input input) : input_(input), memory_(Memory()), intake_(Options(&input_)) {
    // As new, wherever the last input left the indices.
    seguro_ring_direction *shared = memory_->consumer.shared;
    *shared = {};
    memory_->consumer.tail = memory_->consumer.released = memory_->consumer.head = 0;
    client_ = {shared, const_cast<uint8_t *>(memory_->consumer.data), memory_->consumer.size, 0, 0, 0};
    if (input_.Byte() % 4 != 0) {
      accepts_ = true;
      intake_.Accept(1);
    }
  }

  void Run() {
    while (!input_.AtEnd()) Step(input_.Byte());
    Turn(1 << 20);
    Turn(1 << 20);
  }

 private:
  static seguro::AssemblerOptions Options(Input *input) {
    return {1u + input->Byte() * 16u, 32u + (input->Byte() & 31u) * 8u, input->Short()};
  }

  void Step(uint8_t op) {
    switch (op % 8) {
      case 0:
      case 1:
      case 2:
        return Append(op >> 3);
      case 3:
        return Frame();
      case 4:
        return Batch();
      case 5:
        return Raw();
      case 6:
        return Turn(1 + input_.Short());
      default:
        __atomic_store_n(&memory_->consumer.shared->head, client_.head + input_.Short() - 1000, __ATOMIC_RELEASE);
    }
  }

  void Put(const uint8_t *bytes, size_t size) {
    seguro_ring_room(&client_);
    seguro_ring_put(&client_, bytes, size);
    seguro_ring_publish(&client_);
  }

  void Append(uint8_t how) {
    size_t size;
    const uint8_t *payload = input_.Slice(input_.Short() % 900, &size);
    std::vector<uint8_t> frame(SEGURO_FRAME_HEADER_BYTES + seguro_record_bytes(size));
    uint8_t *record = frame.data() + SEGURO_FRAME_HEADER_BYTES;
    std::copy(payload, payload + size, record + SEGURO_RECORD_HEADER_BYTES);
    seguro_record_header_write(record, how % 8 == 7 ? id_ / 2 : id_, record + SEGURO_RECORD_HEADER_BYTES, size);
    id_++;
    Header(frame.data(), SEGURO_FRAME_APPEND, frame.size() - SEGURO_FRAME_HEADER_BYTES);
    Put(frame.data(), frame.size());
  }

  void Batch() {
    uint8_t frame[SEGURO_FRAME_HEADER_BYTES + 24] = {};
    Header(frame, SEGURO_FRAME_BATCH, 24);
    seguro_store_u64(frame + 32, input_.Short());
    Put(frame, sizeof frame);
  }

  void Frame() {
    size_t size;
    uint8_t type = input_.Byte();
    const uint8_t *body = input_.Slice(input_.Byte(), &size);
    std::vector<uint8_t> frame(SEGURO_FRAME_HEADER_BYTES + seguro_align8(size));
    std::copy(body, body + size, frame.begin() + SEGURO_FRAME_HEADER_BYTES);
    Header(frame.data(), type, size);
    Put(frame.data(), frame.size());
  }

  void Raw() {
    size_t size;
    const uint8_t *bytes = input_.Slice(input_.Byte(), &size);
    Put(bytes, size);
  }

  static void Header(uint8_t *at, uint8_t type, size_t body_bytes) {
    seguro_frame_header header{};
    header.body_bytes = static_cast<uint32_t>(body_bytes);
    header.type = type;
    seguro_frame_store(at, header);
  }

  void Turn(uint64_t budget) {
    std::vector<RingItem> items;
    int64_t known = seguro_ring_available(&memory_->consumer);
    int64_t taken = intake_.Turn(&memory_->consumer, budget, &items);
    FUZZ_CHECK(taken <= static_cast<int64_t>(budget));
    FUZZ_CHECK(known <= 0 || taken != 0);
    FUZZ_CHECK(items.size() <= kItemsMax);
    seguro_ring_release(&memory_->consumer);
    for (RingItem &item : items) Take(item);
    FUZZ_CHECK((taken < 0) == over_);
  }

  void Take(const RingItem &item) {
    FUZZ_CHECK(!over_);
    over_ = item.kind == RingItem::kBroken || item.kind == RingItem::kRefused;
    FUZZ_CHECK(item.kind != RingItem::kBatchEnd || accepts_);
    if (item.kind == RingItem::kAssembled) TakeAssembled(item);
  }

  void TakeAssembled(const RingItem &item) {
    FUZZ_CHECK(accepts_);
    if (item.info.kind == AssembledInfo::kRun) {
      seguro::RecordsChecked checked = seguro::CheckRecords(item.bytes.data(), item.bytes.size(), item.info.first_id, UINT64_MAX);
      FUZZ_CHECK(large_.empty() && checked.error == nullptr && checked.count == item.info.count);
    } else {
      large_.insert(large_.end(), item.bytes.data(), item.bytes.data() + item.bytes.size());
      if (!item.info.last) return;
      uint64_t record_bytes = 0;
      FUZZ_CHECK(seguro::CheckRecord(large_.data(), large_.size(), item.info.first_id, &record_bytes) == nullptr);
      FUZZ_CHECK(record_bytes == large_.size());
      large_.clear();
    }
    FUZZ_CHECK(item.info.first_id >= 1 && item.info.first_id <= next_id_);
    next_id_ = item.info.last_id + 1;
  }

  Input input_;
  RingMemory *memory_;
  RingIntake intake_;
  seguro_ring_producer client_;
  bool accepts_ = false;
  bool over_ = false;
  uint64_t id_ = 1;
  uint64_t next_id_ = 1;
  std::vector<uint8_t> large_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Session(Input(data, size)).Run();
  return 0;
}
