// The sidecar's intake while another thread scribbles: built with sanitizers where they are asked for. Only whole, checked records may leave
// it, every turn must move on or end, and good bytes must come out as they went in.
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core_records.h"
#include "core_ring.h"

namespace {

using seguro::AssembledInfo;
using seguro::RingIntake;
using seguro::RingItem;
using seguro::RingMemory;

constexpr uint64_t kDataBytes = 65536;

std::unique_ptr<RingMemory> MakeMemory() {
  std::string why;
  auto memory = RingMemory::Create({kDataBytes, 7, {}}, &why);
  CHECK(memory != nullptr);
  return memory;
}

/** The client's end, in the same process. */
seguro_ring_producer ClientOf(const RingMemory &memory, uint8_t **mapping) {
  seguro_ring_geometry geometry;
  // The header lies before the consumer's direction block.
  *mapping = reinterpret_cast<uint8_t *>(memory.consumer.shared) - offsetof(seguro_ring_header, directions);
  CHECK(seguro_ring_attach(*mapping, memory.total_bytes(), &geometry) == SEGURO_RING_FINE);
  seguro_ring_producer client;
  seguro_ring_producer_begin(&client, *mapping, &geometry, SEGURO_RING_CLIENT_TO_SERVER);
  return client;
}

std::vector<uint8_t> AppendFrame(uint64_t id, size_t payload_bytes) {
  uint64_t record_bytes = seguro_record_bytes(payload_bytes);
  std::vector<uint8_t> frame(SEGURO_FRAME_HEADER_BYTES + record_bytes);
  uint8_t *record = frame.data() + SEGURO_FRAME_HEADER_BYTES;
  for (size_t i = 0; i < payload_bytes; i++) record[SEGURO_RECORD_HEADER_BYTES + i] = static_cast<uint8_t>(id * 31 + i);
  seguro_record_header_write(record, id, record + SEGURO_RECORD_HEADER_BYTES, payload_bytes);
  seguro_frame_store(frame.data(), {static_cast<uint32_t>(record_bytes), SEGURO_FRAME_APPEND, 0, 0});
  return frame;
}

std::vector<uint8_t> BatchFrame(uint64_t first_id, uint64_t count, uint64_t bytes) {
  std::vector<uint8_t> frame(SEGURO_FRAME_HEADER_BYTES + 24);
  seguro_frame_store(frame.data(), {24, SEGURO_FRAME_BATCH, 0, 0});
  seguro_store_u64(frame.data() + 16, first_id);
  seguro_store_u64(frame.data() + 24, count);
  seguro_store_u64(frame.data() + 32, bytes);
  return frame;
}

/** What came out, checked as it comes. */
struct Received {
  uint64_t next_id = 1;
  std::vector<uint8_t> large;
  std::vector<RingItem::Kind> kinds;
  bool is_over = false;

  void Take(std::vector<RingItem> *items) {
    for (RingItem &item : *items) {
      CHECK(!is_over);
      kinds.push_back(item.kind);
      is_over = item.kind == RingItem::kBroken || item.kind == RingItem::kRefused;
      if (item.kind == RingItem::kAssembled) TakeAssembled(item);
    }
    items->clear();
  }

  void TakeAssembled(const RingItem &item) {
    if (item.info.kind == AssembledInfo::kLarge) {
      large.insert(large.end(), item.bytes.data(), item.bytes.data() + item.bytes.size());
      if (!item.info.last) return;
      uint64_t record_bytes = 0;
      CHECK(seguro::CheckRecord(large.data(), large.size(), item.info.first_id, &record_bytes) == nullptr);
      CHECK(record_bytes == large.size());
      large.clear();
    } else {
      auto checked = seguro::CheckRecords(item.bytes.data(), item.bytes.size(), item.info.first_id, UINT64_MAX);
      CHECK(checked.error == nullptr && checked.count == item.info.count);
    }
    CHECK(item.info.first_id <= next_id);
    next_id = item.info.last_id + 1;
  }
};

/** Publishes as much as fits; the rest waits. */
void Send(seguro_ring_producer *client, std::vector<uint8_t> *pending) {
  if (seguro_ring_room(client) < 0) return;
  uint64_t put = seguro_ring_put(client, pending->data(), pending->size());
  pending->erase(pending->begin(), pending->begin() + static_cast<ptrdiff_t>(put));
  seguro_ring_publish(client);
}

/** Every turn takes something, ends, or has found nothing; no item list grows beyond a turn's. */
void Turn(RingIntake *intake, RingMemory *memory, uint64_t budget, Received *received) {
  std::vector<RingItem> items;
  int64_t taken = intake->Turn(&memory->consumer, budget, &items);
  CHECK(taken <= static_cast<int64_t>(budget));
  CHECK(items.size() < 2000);
  seguro_ring_release(&memory->consumer);
  received->Take(&items);
  CHECK((taken < 0) == received->is_over);
}

void GoodBytesComeOutAsTheyWentIn() {
  auto memory = MakeMemory();
  uint8_t *mapping;
  seguro_ring_producer client = ClientOf(*memory, &mapping);
  RingIntake intake({4096, 8192, 1 << 20});
  intake.Accept(1);
  Received received;
  std::mt19937 random(1);
  std::vector<uint8_t> pending;
  for (uint64_t id = 1; id <= 400; id++) {
    // Some above the piece size, some above the whole ring.
    auto frame = AppendFrame(id, id % 50 == 0 ? 100000 : random() % 12000);
    if (id % 10 == 1) {
      auto batch = BatchFrame(id, 1, frame.size() - SEGURO_FRAME_HEADER_BYTES);
      pending.insert(pending.end(), batch.begin(), batch.end());
    }
    pending.insert(pending.end(), frame.begin(), frame.end());
    while (!pending.empty()) {
      Send(&client, &pending);
      Turn(&intake, memory.get(), 1 + random() % 20000, &received);
    }
  }
  while (seguro_ring_available(&memory->consumer) > 0) Turn(&intake, memory.get(), 1 << 20, &received);
  CHECK_EQUAL(received.next_id, 401);
  CHECK(!received.is_over);
  int ends = 0;
  for (RingItem::Kind kind : received.kinds) ends += kind == RingItem::kBatchEnd;
  CHECK_EQUAL(ends, 40);
}

void TinyFramesComeInTurns() {
  auto memory = MakeMemory();
  uint8_t *mapping;
  seguro_ring_producer client = ClientOf(*memory, &mapping);
  RingIntake intake({4096, 8192, 1 << 20});
  uint8_t ping[SEGURO_FRAME_HEADER_BYTES];
  seguro_frame_store(ping, {0, SEGURO_FRAME_PING, 0, 0});
  for (int i = 0; i < 4000; i++) CHECK(seguro_ring_put(&client, ping, sizeof ping) == sizeof ping);
  seguro_ring_publish(&client);
  std::vector<RingItem> items;
  int64_t taken = intake.Turn(&memory->consumer, 1 << 20, &items);
  CHECK(taken > 0 && items.size() <= 256);
}

void AnImpossibleIndexEndsTheSession() {
  auto memory = MakeMemory();
  for (uint64_t head : {kDataBytes + 1, UINT64_MAX, UINT64_MAX / 2}) {
    RingIntake intake({4096, 8192, 1 << 20});
    __atomic_store_n(&memory->consumer.shared->head, head, __ATOMIC_RELEASE);
    std::vector<RingItem> items;
    CHECK(intake.Turn(&memory->consumer, 1 << 20, &items) == -1);
    CHECK(items.size() == 1 && items[0].kind == RingItem::kBroken && items[0].status == seguro::kBadRing);
    CHECK(intake.Turn(&memory->consumer, 1 << 20, &items) == -1);
  }
}

#ifndef SEGURO_WITHOUT_SCRIBBLER
constexpr unsigned kScribbledRounds = 200;

/** A client thread sends good frames; another changes bytes of the mapping at random: a race on purpose. */
void Scribbled(unsigned seed) {
  auto memory = MakeMemory();
  uint8_t *mapping;
  seguro_ring_producer client = ClientOf(*memory, &mapping);
  RingIntake intake({4096, 8192, 1 << 20});
  intake.Accept(1);
  std::atomic<bool> stop{false};
  std::thread scribbler([&, seed] {
    std::mt19937_64 random(seed);
    while (!stop.load()) {
      // Mostly payload, now and then the indices and flags.
      bool header = random() % 64 == 0;
      uint64_t at = header ? 256 + random() % 1024 : SEGURO_RING_HEADER_BYTES + random() % kDataBytes;
      __atomic_store_n(mapping + at, static_cast<uint8_t>(random()), __ATOMIC_RELAXED);
      if (random() % 16 == 0) usleep(1);
    }
  });
  Received received;
  std::mt19937 random(seed);
  std::vector<uint8_t> pending;
  uint64_t id = 1;
  for (int turn = 0; turn < 2000 && !received.is_over; turn++) {
    if (pending.empty()) pending = AppendFrame(id++, random() % 12000);
    Send(&client, &pending);
    Turn(&intake, memory.get(), 1 + random() % 30000, &received);
  }
  stop.store(true);
  scribbler.join();
}
#endif

/** Both ends as threads of one process, by the rules: for ThreadSanitizer, which sees no other process. */
void BothEndsAsThreads() {
  auto memory = MakeMemory();
  uint8_t *mapping;
  seguro_ring_producer client = ClientOf(*memory, &mapping);
  RingIntake intake({4096, 8192, 1 << 20});
  intake.Accept(1);
  constexpr uint64_t kEvents = 1000;
  std::thread sender([&] {
    std::mt19937 random(2);
    for (uint64_t id = 1; id <= kEvents; id++) {
      auto pending = AppendFrame(id, random() % 12000);
      while (!pending.empty()) Send(&client, &pending);
    }
  });
  Received received;
  while (received.next_id <= kEvents) Turn(&intake, memory.get(), 1 << 20, &received);
  sender.join();
  CHECK(!received.is_over);
}

}  // namespace

int main() {
  RUN(GoodBytesComeOutAsTheyWentIn);
  RUN(TinyFramesComeInTurns);
  RUN(AnImpossibleIndexEndsTheSession);
  RUN(BothEndsAsThreads);
#ifndef SEGURO_WITHOUT_SCRIBBLER
  for (unsigned round = 0; round < kScribbledRounds; round++) Scribbled(round + 1);
#endif
  return 0;
}
