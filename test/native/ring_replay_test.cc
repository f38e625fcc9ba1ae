// Blocks into a ring: whatever the room, the credit and the turns, the client gets the records as they lie in the store, and nothing of a bad one.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "core_replay.h"
#include "ring_ends.h"
#include "wire/frame.h"
#include "wire/record.h"

namespace {

using seguro::ReplayCore;
using seguro::ReplayLimits;
using seguro::ReplayStop;
using seguro::ReplayTurn;
using seguro::UnpackOptions;
using Bytes = std::vector<uint8_t>;

constexpr uint32_t kRequest = 77;
constexpr uint64_t kNoEnd = uint64_t{1} << 40;

UnpackOptions NameOf() {
  UnpackOptions name{};
  name.ship[0] = 5;
  name.kind = 2;
  name.log = 3;
  return name;
}

struct Block {
  uint64_t first_id;
  uint64_t count;
  Bytes value;
};

Block MakeBlock(uint64_t first_id, const std::vector<size_t> &payloads, uint8_t flags = 0) {
  Block block{first_id, payloads.size(), Bytes(SEGURO_BLOCK_HEADER_BYTES)};
  uint64_t id = first_id;
  for (size_t length : payloads) {
    Bytes record(seguro_record_bytes(length));
    fill(record.data() + SEGURO_RECORD_HEADER_BYTES, length, id);
    seguro_record_header_write(record.data(), id++, record.data() + SEGURO_RECORD_HEADER_BYTES, length);
    block.value.insert(block.value.end(), record.begin(), record.end());
  }
  uint8_t *at = block.value.data();
  UnpackOptions name = NameOf();
  seguro_store_u32(at, SEGURO_BLOCK_MAGIC);
  seguro_store_u16(at + 4, SEGURO_BLOCK_VERSION);
  seguro_store_u16(at + 6, SEGURO_BLOCK_HEADER_BYTES);
  std::memcpy(at + 8, name.ship, sizeof name.ship);
  at[24] = name.kind;
  at[25] = flags;
  seguro_store_u32(at + 28, name.log);
  seguro_store_u64(at + 40, first_id);
  seguro_store_u64(at + 48, payloads.size());
  seguro_store_u64(at + 56, block.value.size() - SEGURO_BLOCK_HEADER_BYTES);
  seguro_store_u32(at + 132, seguro_crc32c(0, at, 132));
  return block;
}

/** The store, the ring and the client of one read. */
struct Read {
  std::vector<Block> blocks;
  ReplayCore core;
  both_ends ends;
  std::atomic<uint64_t> credit{0};
  Bytes stream;    // what the client has taken
  Bytes received;  // the bodies in it
  uint64_t count = 0;

  Read(std::vector<Block> of, uint64_t from_id) : blocks(std::move(of)), core(NameOf(), kRequest, from_id) { make(&ends); }
  ~Read() { std::free(ends.memory); }

  ReplayTurn Turn(uint64_t credit_bytes, uint64_t through_id = kNoEnd, uint64_t budget_bytes = 1 << 20) {
    credit = credit_bytes;
    core.Begin(
        &ends.producer, [] {}, ReplayLimits{through_id, &credit, budget_bytes});
    auto at = std::find_if(blocks.rbegin(), blocks.rend(), [&](const Block &block) { return block.first_id <= core.block_id(); });
    CHECK(at != blocks.rend());
    for (auto block = at.base() - 1; block != blocks.end() && block->first_id <= through_id; ++block) {
      if (!core.TakeBlock(block->value.data(), block->value.size())) break;
    }
    ReplayTurn turn = core.End();
    CHECK(turn.body_bytes <= credit_bytes && turn.rest.empty() == (turn.stop != ReplayStop::kRoom));
    count += turn.count;
    return turn;
  }

  /** The client takes up to `bytes` of what is there. */
  void Take(size_t bytes) {
    CHECK(seguro_ring_available(&ends.consumer) >= 0);
    Bytes taken(bytes);
    taken.resize(seguro_ring_take(&ends.consumer, taken.data(), bytes));
    seguro_ring_release(&ends.consumer);
    stream.insert(stream.end(), taken.begin(), taken.end());
  }

  /** What the transport does with what was left over, while the client makes room. */
  void PutRest(const Bytes &rest) {
    for (size_t at = 0; at < rest.size();) {
      CHECK(seguro_ring_room(&ends.producer) >= 0);
      at += seguro_ring_put(&ends.producer, rest.data() + at, rest.size() - at);
      seguro_ring_publish(&ends.producer);
      Take(3000);
    }
  }

  /** Cuts the frames that have come whole. */
  void CutFrames() {
    size_t at = 0;
    seguro_frame_header header;
    while (stream.size() - at >= SEGURO_FRAME_HEADER_BYTES) {
      CHECK(seguro_frame_load(stream.data() + at, &header) == 0);
      CHECK(header.type == SEGURO_FRAME_RECORDS && header.request == kRequest && header.flags == 0);
      CHECK(header.body_bytes > 0 && header.body_bytes % 8 == 0);
      if (stream.size() - at - SEGURO_FRAME_HEADER_BYTES < header.body_bytes) break;
      auto body = stream.begin() + static_cast<ptrdiff_t>(at + SEGURO_FRAME_HEADER_BYTES);
      received.insert(received.end(), body, body + header.body_bytes);
      at += SEGURO_FRAME_HEADER_BYTES + header.body_bytes;
    }
    stream.erase(stream.begin(), stream.begin() + static_cast<ptrdiff_t>(at));
  }
};

/** The records from one id through another, as the blocks hold them. */
Bytes RecordsOf(const std::vector<Block> &blocks, uint64_t from_id, uint64_t through_id) {
  Bytes records;
  for (const Block &block : blocks) {
    size_t at = SEGURO_BLOCK_HEADER_BYTES;
    for (uint64_t id = block.first_id; id < block.first_id + block.count; id++) {
      size_t size = seguro_record_bytes(seguro_load_u64(block.value.data() + at));
      auto begin = block.value.begin() + static_cast<ptrdiff_t>(at);
      if (id >= from_id && id <= through_id) records.insert(records.end(), begin, begin + static_cast<ptrdiff_t>(size));
      at += size;
    }
  }
  return records;
}

std::vector<Block> RandomBlocks(std::mt19937_64 *random) {
  std::vector<Block> blocks;
  uint64_t id = 1 + (*random)() % 100;
  for (size_t i = 1 + (*random)() % 6; i > 0; i--) {
    std::vector<size_t> payloads;
    for (size_t k = 1 + (*random)() % 12; k > 0; k--) payloads.push_back((*random)() % ((*random)() % 8 == 0 ? 200'000 : 700));
    blocks.push_back(MakeBlock(id, payloads));
    id += payloads.size();
  }
  return blocks;
}

void test_any_turns() {
  for (uint64_t seed = 1; seed <= 400; seed++) {
    std::mt19937_64 random(seed);
    std::vector<Block> blocks = RandomBlocks(&random);
    uint64_t first = blocks.front().first_id, last = blocks.back().first_id + blocks.back().count - 1;
    uint64_t from = first + random() % (last - first + 1), through = from + random() % (last - from + 1);
    Read read(blocks, from);
    bool is_stingy = random() % 2 == 0;
    for (ReplayStop stop = ReplayStop::kBudget; stop != ReplayStop::kEnd;) {
      ReplayTurn turn = read.Turn(random() % (is_stingy ? 5000 : 300'000), through, 8 + random() % 100'000);
      stop = turn.stop;
      CHECK(stop == ReplayStop::kEnd || stop == ReplayStop::kCredit || stop == ReplayStop::kRoom || stop == ReplayStop::kBudget);
      read.PutRest(turn.rest);
      read.Take(random() % 40'000);
    }
    CHECK(read.count == through - from + 1 && read.core.next_id() == through + 1);
    while (seguro_ring_available(&read.ends.consumer) > 0) read.Take(65536);
    read.CutFrames();
    CHECK(read.stream.empty());
    CHECK(read.received == RecordsOf(blocks, from, through));
  }
}

/** Nothing of a record that fails its checks is sent, and everything before it is. */
void test_damage() {
  std::vector<Block> blocks = {MakeBlock(1, {100, 200, 300}), MakeBlock(4, {400, 500})};
  for (size_t at = SEGURO_BLOCK_HEADER_BYTES; at < blocks[0].value.size(); at += 5) {
    std::vector<Block> damaged = blocks;
    damaged[0].value[at] ^= 0x40;
    Read read(damaged, 1);
    ReplayTurn turn = read.Turn(1 << 20);
    uint64_t bad = at < SEGURO_BLOCK_HEADER_BYTES + 128 ? 1 : at < SEGURO_BLOCK_HEADER_BYTES + 128 + 224 ? 2 : 3;
    CHECK(turn.stop == ReplayStop::kOther && turn.count == bad - 1 && read.core.next_id() == bad);
    read.Take(65536);
    read.CutFrames();
    CHECK(read.received == RecordsOf(blocks, 1, bad - 1));
  }
  for (size_t at = 0; at < SEGURO_BLOCK_HEADER_BYTES; at++) {
    std::vector<Block> damaged = blocks;
    damaged[1].value[at] ^= 1;
    Read read(damaged, 2);
    ReplayTurn turn = read.Turn(1 << 20);
    CHECK(turn.stop == ReplayStop::kOther && turn.count == 2 && read.core.next_id() == 4);
  }
}

void test_what_is_not_ours() {
  Read manifest({MakeBlock(1, {10}), MakeBlock(2, {}, SEGURO_BLOCK_FLAG_MANIFEST)}, 1);
  CHECK(manifest.Turn(1 << 20).stop == ReplayStop::kOther && manifest.core.next_id() == 2);
  Read gap({MakeBlock(1, {10}), MakeBlock(3, {10})}, 1);
  CHECK(gap.Turn(1 << 20).stop == ReplayStop::kOther && gap.core.next_id() == 2);
  Read overlap({MakeBlock(1, {10, 10}), MakeBlock(2, {10, 10})}, 1);
  CHECK(overlap.Turn(1 << 20).stop == ReplayStop::kOther && overlap.core.next_id() == 3);
  Read none({MakeBlock(1, {10})}, 2);
  CHECK(none.Turn(1 << 20).stop == ReplayStop::kOther && none.core.next_id() == 2);
}

void test_changed_under_way() {
  Read read({MakeBlock(1, {1000})}, 1);
  CHECK(read.Turn(512).stop == ReplayStop::kCredit);
  read.blocks[0] = MakeBlock(1, {100});
  CHECK(read.Turn(512).stop == ReplayStop::kChanged);
}

void test_a_client_that_lies() {
  Read read({MakeBlock(1, {60'000, 60'000})}, 1);
  CHECK(read.Turn(60'000).stop == ReplayStop::kCredit);
  // It says that it has taken more than it was given.
  read.ends.producer.shared->tail = 1 << 20;
  CHECK(read.Turn(60'000).stop == ReplayStop::kBroken);
}

}  // namespace

int main() {
  RUN(test_any_turns);
  RUN(test_damage);
  RUN(test_what_is_not_ours);
  RUN(test_changed_under_way);
  RUN(test_a_client_that_lies);
  return 0;
}
