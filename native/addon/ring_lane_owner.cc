// Between an acknowledgement and its answer the committing thread has the ring's intake: an event that comes then passes through no other thread.
#include "ring_lane_owner.h"

#include <chrono>
#include <new>
#include <utility>

namespace seguro {

namespace {

/** How long the committing thread looks (docs/lane.md, "Limits"). */
constexpr std::chrono::microseconds kLook(60);
/** Taken at once while looking; what is more comes by the ring's own thread. */
constexpr uint64_t kLookBytes = 64 << 10;

inline void PauseAMoment() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

bool IsRun(const RingItem &item) { return item.kind == RingItem::kAssembled && item.info.kind == AssembledInfo::kRun; }

/** One turn of the intake. True when something whole came of it. */
bool TakeNext(RingSession *session, Lane *lane) {
  std::vector<RingItem> items;
  seguro_ring_consumer *consumer = &session->memory->consumer;
  int64_t taken;
  try {
    taken = session->intake.Turn(consumer, kLookBytes, &items);
  } catch (const std::bad_alloc &) {
    RingItem item{RingItem::kBroken};
    item.status = kInternal;
    item.reason = "no memory for the session's bytes";
    items.push_back(std::move(item));
    taken = -1;
  }
  if (seguro_ring_release(consumer)) session->RingDoorbell();
  bool any = !items.empty();
  items.erase(items.begin(), GiveToLane(lane, &items));
  session->looked_bytes = taken;
  session->looked_items = std::move(items);
  return any;
}

}  // namespace

std::vector<RingItem>::iterator GiveToLane(Lane *lane, std::vector<RingItem> *items) {
  auto next = items->begin();
  while (next != items->end() && IsRun(*next) && lane->Take(next->info.first_id, next->info.last_id, &next->bytes)) next++;
  // While the first of them is being flushed.
  lane->Digest();
  return next;
}

bool RingLaneOwner::Acknowledge(const LaneHeight &height, bool look) {
  auto session = session_.lock();
  if (session == nullptr) return false;
  // What is left there by an earlier look is for the ring's own thread.
  if (look && !session->paused.load() && session->intake_mutex.try_lock()) {
    looking_ = session;
    // The client need not ring for what it sends now.
    seguro_ring_consumer_awake(&session->memory->consumer);
  }
  return session->PutHeight(height);
}

void RingLaneOwner::Look(Lane *lane, const KvOthers *others) {
  if (looking_ == nullptr) return;
  auto session = std::exchange(looking_, nullptr);
  seguro_ring_consumer *consumer = &session->memory->consumer;
  if (lane != nullptr && session->looked_items.empty()) {
    auto until = std::chrono::steady_clock::now() + kLook;
    while (others->load(std::memory_order_relaxed) == 0 && std::chrono::steady_clock::now() < until) {
      if (seguro_ring_available(consumer) != 0 && TakeNext(session.get(), lane)) break;
      PauseAMoment();
    }
  }
  // Either the client rings from now on, or the ring's own thread goes on with what is there.
  bool more = seguro_ring_consumer_sleep(consumer) != 0 || !session->looked_items.empty();
  session->intake_mutex.unlock();
  if (session->missed.exchange(false) || more) mailbox_->Tell(RingMailbox::Command::kResume, session);
}

}  // namespace seguro
