// A lane over a store in memory that does what a test says: order, blocks, limits, the end, fences and failures. Under ThreadSanitizer, and ASan with UBSan.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <thread>

#include "check.h"
#include "core_lane.h"
#include "kv_failure.h"
#include "toy_sha256.h"
#include "wire/record.h"

namespace {

using namespace seguro;

using Bytes = std::vector<uint8_t>;

constexpr size_t kBlockBytes = 1000;
constexpr size_t kInFlightBytes = 4000;
const Bytes kPrefix{'b', '/'};
const Bytes kEpochKey{'e'};
const Bytes kEpoch{'1'};

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
ByteBuffer RunOf(uint64_t first, uint64_t last, uint64_t payload_bytes) {
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

bool Give(Lane *lane, uint64_t first, uint64_t last, uint64_t payload_bytes = 100) {
  ByteBuffer run = RunOf(first, last, payload_bytes);
  bool took = lane->Take(first, last, &run);
  if (took) lane->Digest();
  return took;
}

/// First and last events of the blocks of a lane, and whether each is what its header says, between the one before and the one behind.
std::vector<std::pair<uint64_t, uint64_t>> BlocksOf(Place *place, uint8_t name = 1) {
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

void OneByOne() {
  Place place;
  place.store->Open();
  for (uint64_t id = 2; id <= 200; id++) {
    CHECK(Give(place.lane.get(), id, id));
    place.heard.Await([&] { return place.heard.height == id; });
  }
  place.lane->Stop();
  place.heard.Await([&] { return place.heard.ended == 1; });
  CHECK_EQUAL(place.lane->height().height, 200);
  CHECK_EQUAL(place.lane->height().pair.id, 200);
  CHECK(place.lane->end().ending == LaneEnding::kDrained && !place.lane->end().owes_acknowledgement);
  CHECK_EQUAL(BlocksOf(&place).size(), 199);
}

void WhatWaitsIsTheNextCommit() {
  Place place;
  CHECK(Give(place.lane.get(), 2, 2));
  place.store->AwaitCommit();
  // 128 bytes a record, 1000 a block: two runs of three fit, a third does not; one that is longer goes alone.
  for (uint64_t id = 3; id <= 11; id += 3) CHECK(Give(place.lane.get(), id, id + 2));
  CHECK(Give(place.lane.get(), 12, 12, 2000));
  CHECK(!Give(place.lane.get(), 14, 14) && !Give(place.lane.get(), 12, 12));
  place.store->LetOnePass();
  place.heard.Await([&] { return place.heard.height == 2; });
  place.store->LetOnePass();
  place.heard.Await([&] { return place.heard.height == 12; });
  CHECK_EQUAL(place.store->commits(), 2);
  std::vector<std::pair<uint64_t, uint64_t>> wanted{{2, 2}, {3, 8}, {9, 11}, {12, 12}};
  CHECK(BlocksOf(&place) == wanted);
}

void LanesShareACommit() {
  Place place;
  Heard other_heard;
  std::shared_ptr<Lane> other = place.NewLane(&other_heard, 2);
  CHECK(Give(place.lane.get(), 2, 2));
  place.store->AwaitCommit();
  CHECK(Give(place.lane.get(), 3, 3) && Give(other.get(), 2, 4));
  place.store->Open();
  other_heard.Await([&] { return other_heard.height == 4; });
  place.heard.Await([&] { return place.heard.height == 3; });
  CHECK(place.store->commits() <= 3);
  CHECK_EQUAL(BlocksOf(&place, 2).size(), 1);
}

void AnswersAreTakenWhereTheyCome() {
  Place place;
  place.store->Open();
  place.heard.answers = 500;
  {
    std::lock_guard intake(place.heard.intake);
    CHECK(Give(place.lane.get(), 2, 2));
  }
  place.heard.Await([&] { return place.heard.height == 502; });
  place.lane->Stop();
  place.heard.Await([&] { return place.heard.ended == 1; });
  CHECK_EQUAL(place.lane->height().pair.id, 502);
  CHECK_EQUAL(BlocksOf(&place).size(), 501);
}

void LongRunsAreDigestedElsewhere() {
  Place place;
  place.store->Open();
  for (uint64_t id = 2; id < 200; id++) {
    while (!place.lane->HasRoom()) std::this_thread::yield();
    CHECK(Give(place.lane.get(), id, id, id % 3 == 0 ? 10 : 40'000));
  }
  place.lane->Stop();
  place.heard.Await([&] { return place.heard.ended == 1; });
  CHECK_EQUAL(place.lane->height().height, 199);
  CHECK_EQUAL(place.lane->height().pair.id, 199);
}

void TooMuchInFlight() {
  Place place;
  CHECK(place.lane->HasRoom());
  for (uint64_t id = 2; id <= 40; id++) CHECK(Give(place.lane.get(), id, id));
  CHECK(!place.lane->HasRoom());
  place.store->Open();
  place.heard.Await([&] { return place.heard.rooms == 1; });
  CHECK(place.lane->HasRoom());
}

void ItDrainsBeforeItEnds() {
  Place place;
  CHECK(Give(place.lane.get(), 2, 2));
  place.store->AwaitCommit();
  CHECK(Give(place.lane.get(), 3, 9));
  place.lane->Stop();
  CHECK(!Give(place.lane.get(), 10, 10));
  CHECK_EQUAL(place.heard.ended, 0);
  place.store->Open();
  place.heard.Await([&] { return place.heard.ended == 1; });
  CHECK_EQUAL(place.lane->height().height, 9);
}

void NothingIsAcknowledgedBehindAFence() {
  Place place;
  CHECK(Give(place.lane.get(), 2, 2));
  place.store->AwaitCommit();
  CHECK(Give(place.lane.get(), 3, 5));
  place.store->LetOnePass();
  place.heard.Await([&] { return place.heard.height == 2; });
  place.store->AwaitCommit();
  place.store->Put(kEpochKey, {'2'});
  CHECK(Give(place.lane.get(), 6, 6));
  place.store->Open();
  place.heard.Await([&] { return place.heard.ended == 1; });
  CHECK(place.lane->end().ending == LaneEnding::kFenced);
  CHECK(!Give(place.lane.get(), 7, 7));
  CHECK_EQUAL(place.heard.height, 2);
  CHECK_EQUAL(place.lane->height().height, 2);
  CHECK_EQUAL(BlocksOf(&place).size(), 1);
}

void AFailedCommitIsTheEnd() {
  Place place;
  CHECK(Give(place.lane.get(), 2, 2));
  place.store->AwaitCommit();
  CHECK(Give(place.lane.get(), 3, 5));
  place.store->Fail();
  place.store->Open();
  place.heard.Await([&] { return place.heard.ended == 1; });
  CHECK(place.lane->end().ending == LaneEnding::kFailed && place.lane->end().code == "store-full");
  place.lane->Stop();
  CHECK_EQUAL(place.heard.ended, 1);
  CHECK_EQUAL(place.heard.height, 0);
  CHECK_EQUAL(place.store->commits(), 1);
}

void AnAcknowledgementThatCannotBePut() {
  Place place;
  place.heard.refuses = true;
  CHECK(Give(place.lane.get(), 2, 2));
  place.store->AwaitCommit();
  CHECK(Give(place.lane.get(), 3, 3));
  place.store->Open();
  place.heard.Await([&] { return place.heard.wants_end == 1; });
  place.lane->Stop();
  place.heard.Await([&] { return place.heard.ended == 1; });
  CHECK(place.lane->end().ending == LaneEnding::kDrained && place.lane->end().owes_acknowledgement);
  CHECK_EQUAL(place.lane->height().height, 3);
}

void AStoreThatIsClosed() {
  Place place;
  CHECK(Give(place.lane.get(), 2, 2));
  place.store->AwaitCommit();
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    place.store->Open();
  });
  place.queue->Stop();
  opener.join();
  // The commit under way has ended, and nothing begins any more.
  CHECK_EQUAL(place.lane->height().height, 2);
  Give(place.lane.get(), 3, 3);
  CHECK_EQUAL(place.heard.ended, 1);
  CHECK(place.lane->end().ending == LaneEnding::kFailed && place.lane->end().code == "store-closed");
}

void ManyLanesAtOnce() {
  constexpr int kLanes = 8;
  constexpr uint64_t kEvents = 3000;
  Place place;
  place.store->Open();
  Heard heard[kLanes];
  std::vector<std::thread> rings;
  for (int i = 0; i < kLanes; i++) {
    rings.emplace_back([&place, &heard, i] {
      std::shared_ptr<Lane> lane = place.NewLane(&heard[i], static_cast<uint8_t>(10 + i));
      for (uint64_t id = 2; id < kEvents; id++) {
        while (!lane->HasRoom()) std::this_thread::yield();
        CHECK(Give(lane.get(), id, id, id % 300));
        CHECK(lane->height().pair.id <= lane->height().height);
      }
      lane->Stop();
      heard[i].Await([&] { return heard[i].ended == 1; });
      CHECK_EQUAL(lane->height().height, kEvents - 1);
      CHECK_EQUAL(lane->height().pair.id, kEvents - 1);
      CHECK_EQUAL(heard[i].height, kEvents - 1);
    });
  }
  for (std::thread &ring : rings) ring.join();
  for (int i = 0; i < kLanes; i++) CHECK_EQUAL(BlocksOf(&place, static_cast<uint8_t>(10 + i)).back().second, kEvents - 1);
}

}  // namespace

int main() {
  RUN(OneByOne);
  RUN(WhatWaitsIsTheNextCommit);
  RUN(LanesShareACommit);
  RUN(AnswersAreTakenWhereTheyCome);
  RUN(LongRunsAreDigestedElsewhere);
  RUN(TooMuchInFlight);
  RUN(ItDrainsBeforeItEnds);
  RUN(NothingIsAcknowledgedBehindAFence);
  RUN(AFailedCommitIsTheEnd);
  RUN(AnAcknowledgementThatCannotBePut);
  RUN(AStoreThatIsClosed);
  RUN(ManyLanesAtOnce);
  return 0;
}
