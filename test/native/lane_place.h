// What the tests of a lane start from: a store in memory that does what a test says, and everything that a lane says, written down.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "check.h"
#include "core_lane.h"
#include "kv_failure.h"
#include "toy_sha256.h"
#include "wire/record.h"

namespace lane_test {

using namespace seguro;

using Bytes = std::vector<uint8_t>;

inline constexpr size_t kBlockBytes = 1000;
inline constexpr size_t kInFlightBytes = 4000;
inline const Bytes kPrefix{'b', '/'};
inline const Bytes kEpochKey{'e'};
inline const Bytes kEpoch{'1'};

/// Rows in a map; each commit waits until the test lets it go on.
class GatedStore : public KvStore {
 public:
  GatedStore() { rows_[kEpochKey] = kEpoch; }

  Bytes Commit(const KvGroup &group) override {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_ || passes_ > 0; });
    if (!open_) passes_--;
    waiting_ = false;
    commits_++;
    if (fails_) throw KvFailure("store-full", "no room");
    Bytes outcomes;
    for (const KvMember &member : group) outcomes.push_back(Apply(member) ? 1 : 0);
    return outcomes;
  }
  bool Get(const Bytes &, uint8_t **, size_t *) override { return false; }
  KvRows Range(const KvRangeRequest &) override { return {}; }
  void Walk(const KvWalk &, const std::function<bool(const uint8_t *, size_t)> &) override {}
  KvFigures Figures() override { return {}; }
  void Close() override {}

  void AwaitCommit() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }
  void LetOnePass() {
    Change([this] { passes_++; });
  }
  void Open() {
    Change([this] { open_ = true; });
  }
  void Fail() {
    Change([this] { fails_ = true; });
  }
  void Put(const Bytes &key, const Bytes &value) {
    Change([&] { rows_[key] = value; });
  }
  std::map<Bytes, Bytes> rows() {
    std::lock_guard lock(mutex_);
    return rows_;
  }
  int commits() {
    std::lock_guard lock(mutex_);
    return commits_;
  }

 private:
  template <typename Work>
  void Change(Work work) {
    std::lock_guard lock(mutex_);
    work();
    changed_.notify_all();
  }

  bool Apply(const KvMember &member) {
    CHECK_EQUAL(member.checks.size(), 1);
    const KvCheck &check = member.checks[0];
    if (rows_[Bytes(check.key.data, check.key.data + check.key.size)] != Bytes(check.value.data, check.value.data + check.value.size)) {
      return false;
    }
    for (const KvWrite &write : member.writes) {
      Bytes value;
      for (const KvSlice &piece : write.pieces) value.insert(value.end(), piece.data, piece.data + piece.size);
      rows_[Bytes(write.key.data, write.key.data + write.key.size)] = value;
    }
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Bytes, Bytes> rows_;
  bool waiting_ = false;
  bool open_ = false;
  bool fails_ = false;
  int passes_ = 0;
  int commits_ = 0;
};

/// What a lane has said. Outlives the lane.
struct Heard {
  std::mutex mutex;
  std::condition_variable changed;
  /// Whoever gives something to the lane has it.
  std::mutex intake;
  uint64_t height = 0;
  bool refuses = false;
  int answers = 0;
  int rooms = 0;
  int wants_end = 0;
  int ended = 0;

  template <typename Condition>
  void Await(Condition condition) {
    std::unique_lock lock(mutex);
    changed.wait(lock, condition);
  }
};

/// Records of events with so many payload bytes each, from `first` on.
inline ByteBuffer RunOf(uint64_t first, uint64_t last, uint64_t payload_bytes) {
  ByteBuffer run;
  for (uint64_t id = first; id <= last; id++) {
    Bytes record(seguro_record_bytes(payload_bytes), 0);
    seguro_record_begin(record.data(), id, payload_bytes);
    for (uint64_t i = 0; i < payload_bytes; i++) record[SEGURO_RECORD_HEADER_BYTES + i] = static_cast<uint8_t>(id + i);
    run.Reserve(record.size(), SIZE_MAX);
    run.Append(record.data(), record.size());
  }
  return run;
}

class Owner : public LaneOwner {
 public:
  explicit Owner(Heard *heard) : heard_(heard) {}
  bool Acknowledge(const LaneHeight &now, bool) override {
    std::lock_guard lock(heard_->mutex);
    CHECK(heard_->ended == 0);
    CHECK(now.height > heard_->height && now.pair.id <= now.height);
    if (heard_->refuses) return false;
    heard_->height = now.height;
    heard_->changed.notify_all();
    return true;
  }
  // As if the client had answered at once.
  void Look(Lane *lane, const KvOthers *others) override {
    if (lane == nullptr || others->load() != 0) return;
    std::unique_lock lock(heard_->mutex);
    if (heard_->answers == 0) return;
    heard_->answers--;
    uint64_t id = heard_->height + 1;
    lock.unlock();
    ByteBuffer run = RunOf(id, id, 10);
    std::lock_guard intake(heard_->intake);
    CHECK(lane->Take(id, id, &run));
    lane->Digest();
  }
  void Room() override { Count(&heard_->rooms); }
  void WantsEnd() override { Count(&heard_->wants_end); }
  void Ended() override { Count(&heard_->ended); }

 private:
  void Count(int *count) {
    std::lock_guard lock(heard_->mutex);
    (*count)++;
    heard_->changed.notify_all();
  }

  Heard *heard_;
};

/// Everything that one test needs, made anew.
struct Place {
  Place() : store(std::make_shared<GatedStore>()), queue(std::make_shared<KvCommitQueue>(store)) { lane = NewLane(&heard, 1); }
  ~Place() {
    store->Open();
    queue->Stop();
    digester->Stop();
  }

  std::shared_ptr<Lane> NewLane(Heard *whose, uint8_t name) {
    LaneStart start;
    start.blocks_prefix = kPrefix;
    start.blocks_prefix.push_back(name);
    start.check_key = kEpochKey;
    start.check_value = kEpoch;
    start.at.height = start.at.pair.id = 1;
    start.block_bytes = kBlockBytes;
    start.in_flight_bytes = kInFlightBytes;
    return std::make_shared<Lane>(std::move(start), queue, digester, std::make_unique<Owner>(whose));
  }

  Heard heard;
  std::shared_ptr<GatedStore> store;
  std::shared_ptr<KvCommitQueue> queue;
  std::shared_ptr<LaneDigester> digester = std::make_shared<LaneDigester>();
  std::shared_ptr<Lane> lane;
};

inline bool Give(Lane *lane, uint64_t first, uint64_t last, uint64_t payload_bytes = 100) {
  ByteBuffer run = RunOf(first, last, payload_bytes);
  bool took = lane->Take(first, last, &run);
  if (took) lane->Digest();
  return took;
}

/// First and last events of the blocks of a lane, and whether each is what its header says, between the one before and the one behind.
inline std::vector<std::pair<uint64_t, uint64_t>> BlocksOf(Place *place, uint8_t name = 1) {
  std::vector<std::pair<uint64_t, uint64_t>> blocks;
  for (const auto &[key, value] : place->store->rows()) {
    if (key.size() != kPrefix.size() + 9 || key[2] != name) continue;
    uint64_t first = seguro_load_u64(value.data() + 40), count = seguro_load_u64(value.data() + 48);
    for (int i = 0; i < 8; i++) CHECK_EQUAL(key[key.size() - 1 - i], (first >> (8 * i)) & 0xff);
    CHECK_EQUAL(seguro_load_u64(value.data() + 56), value.size() - SEGURO_BLOCK_HEADER_BYTES);
    CHECK_EQUAL(seguro_load_u32(value.data() + 132), seguro_crc32c(0, value.data(), 132));
    uint64_t floor = seguro_load_u64(value.data() + 64), pair = seguro_load_u64(value.data() + 72);
    CHECK(floor < first && pair <= floor);
    CHECK_EQUAL(seguro_load_u64(value.data() + SEGURO_BLOCK_HEADER_BYTES + 8), first);
    CHECK(blocks.empty() || first == blocks.back().second + 1);
    blocks.emplace_back(first, first + count - 1);
  }
  return blocks;
}

}  // namespace lane_test
