// A lane over a store in memory that does what a test says: order, blocks, limits, the end, fences and failures. Under ThreadSanitizer, and ASan with UBSan.
#include <chrono>
#include <thread>

#include "lane_place.h"

namespace {

using namespace lane_test;

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
