// The hub's thread: epoll, doorbells, turns.
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "ring_hub.h"

namespace seguro {

namespace {

// docs/ring.md, "Limits".
/** Bytes taken from one ring before the next session's turn. */
constexpr uint64_t kTurnBytes = 1 << 20;
/** Above this a session's ring is left alone until JavaScript has taken what it was given. */
constexpr uint64_t kQueuedBytes = 4 << 20;
constexpr uint32_t kQueuedItems = 1024;
constexpr size_t kDoorbellsATurn = 64;
constexpr int kEvents = 64;
/**
 * So long after a client's last bytes its ring is looked at again before the thread sleeps: going to sleep and being woken by a doorbell costs
 * as much, and a client that waits for each acknowledgement sends its next event within it. An idle session costs nothing.
 */
constexpr std::chrono::microseconds kLook(60);
/** What an epoll event of the mailbox carries; sessions count from 1. */
constexpr uint64_t kWake = 0;

/** Credit comes by itself while a client reads: looking for what follows it would only take a processor from those who send to it. */
bool IsCreditAlone(const std::vector<RingItem> &items) {
  return std::all_of(items.begin(), items.end(),
                     [](const RingItem &item) { return item.kind == RingItem::kFrame && item.header.type == SEGURO_FRAME_CREDIT; });
}

}  // namespace

void RingHub::Loop() {
  epoll_event events[kEvents];
  for (;;) {
    int count = epoll_wait(epoll_, events, kEvents, WaitMs());
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    for (int i = 0; i < count; i++) {
      if (events[i].data.u64 != kWake) {
        Hear(events[i].data.u64);
        continue;
      }
      mailbox_->Heard();
    }
    ObeyCommands();
    TellHeights();
    std::vector<SessionPtr> turn;
    turn.swap(ready_);
    for (const SessionPtr &session : turn) {
      session->ready = false;
      TakeTurn(session);
    }
  }
}

void RingHub::ObeyCommands() {
  for (auto &[command, session] : mailbox_->Take()) Obey(command, session);
}

void RingHub::Obey(Command command, const SessionPtr &session) {
  switch (command) {
    case Command::kWatch:
      Watch(session);
      break;
    case Command::kResume:
      Enlist(session);
      break;
    case Command::kRemove:
      Unwatch(session.get());
      session->removed = true;
      of_thread_.erase(session->id);
      DrainLane(session);
      break;
    case Command::kHold:
      session->lane_state = LaneState::kHeld;
      PostOne(session, RingItem::kHeld);
      break;
    case Command::kUnhold:
      session->lane_state = LaneState::kOff;
      Enlist(session);
      break;
    case Command::kStartLane:
      session->lane_state = LaneState::kOn;
      session->told_height = session->lane->height().height;
      Enlist(session);
      break;
    case Command::kStopLane:
      DrainLane(session);
      break;
    case Command::kLaneEnded:
      FinishLane(session);
      break;
  }
}

void RingHub::Watch(const SessionPtr &session) {
  of_thread_.emplace(session->id, session);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = session->id;
  session->watched = epoll_ctl(epoll_, EPOLL_CTL_ADD, session->socket, &event) == 0;
  if (!session->watched) {
    // Nobody would hear this client: better an end than a silence.
    PostOne(session, RingItem::kGone);
    Finish(session);
  }
  Enlist(session);
}

void RingHub::Enlist(const SessionPtr &session) {
  if (!session->ready && !session->over && !session->removed) {
    session->ready = true;
    ready_.push_back(session);
  }
}

void RingHub::Unwatch(RingSession *session) {
  if (session->watched) {
    session->watched = false;
    epoll_ctl(epoll_, EPOLL_CTL_DEL, session->socket, nullptr);
  }
}

/** Doorbells say "look again", whatever for; the end of the socket is the client's. */
void RingHub::Hear(uint64_t id) {
  auto found = of_thread_.find(static_cast<uint32_t>(id));
  if (found == of_thread_.end() || !found->second->watched) return;
  SessionPtr session = found->second;
  char bells[kDoorbellsATurn];
  // At most so many: epoll reports those that are left in the next round, after everybody else's turn.
  ssize_t heard = recv(session->socket, bells, sizeof bells, MSG_DONTWAIT);
  if (heard == 0 || (heard < 0 && errno != EAGAIN && errno != EINTR)) {
    Unwatch(session.get());
    PostOne(session, RingItem::kGone);
    if (session->over) {
      PostOne(session, RingItem::kEnded);
    } else {
      Finish(session);
    }
  } else if (session->wants_room.exchange(false)) {
    PostOne(session, RingItem::kRoom);
  }
  Enlist(session);
}

/** From now on only what is in the ring already is taken, and no more than fits into it. */
void RingHub::Finish(const SessionPtr &session) {
  if (!session->finished) {
    session->finished = true;
    session->last_bytes_left = session->memory->consumer.size;
  }
}

/** True when the session's ring is not to be read now. Whoever ends that enlists it again. */
bool RingHub::LeaveAlone(RingSession *session) {
  auto full = [&] { return session->queued_bytes.load() > kQueuedBytes || session->queued_items.load() > kQueuedItems; };
  if (session->paused.load() || session->lane_state == LaneState::kHeld || session->lane_state == LaneState::kDraining) return true;
  if (session->lane_state == LaneState::kOn) return !session->lane->HasRoom();
  if (!full()) return false;
  // First the wish, then the look: either JavaScript sees the wish, or we see what it took.
  session->starved.store(true);
  return full() || !session->starved.exchange(false);
}

void RingHub::TakeTurn(const SessionPtr &session) {
  if (session->over || session->removed || LeaveAlone(session.get())) return;
  std::unique_lock lock(session->intake_mutex, std::try_to_lock);
  if (!lock) {
    // First the wish, then the look: whoever has the intake sees the wish once he has given it back.
    session->missed.store(true);
    if (!lock.try_lock()) return;
  }
  if (!session->looked_items.empty()) {
    HandOn(session, std::exchange(session->looked_items, {}));
    FinishTurn(session, session->looked_bytes);
    return;
  }
  std::vector<RingItem> items;
  seguro_ring_consumer *consumer = &session->memory->consumer;
  uint64_t budget = session->finished && session->last_bytes_left < kTurnBytes ? session->last_bytes_left : kTurnBytes;
  int64_t taken;
  try {
    taken = session->intake.Turn(consumer, budget, &items);
  } catch (const std::bad_alloc &) {
    RingItem item{RingItem::kBroken};
    item.status = kInternal;
    item.reason = "no memory for the session's bytes";
    items.push_back(std::move(item));
    taken = -1;
  }
  if (seguro_ring_release(consumer)) session->RingDoorbell();
  if (taken > 0 && !(items.size() > 0 && IsCreditAlone(items))) session->look_until = std::chrono::steady_clock::now() + kLook;
  HandOn(session, std::move(items));
  FinishTurn(session, taken);
}

void RingHub::FinishTurn(const SessionPtr &session, int64_t taken) {
  if (taken < 0) {
    session->over = true;
    return;
  }
  // What was looked for may have been taken before the client went.
  if (session->finished) session->last_bytes_left -= std::min(session->last_bytes_left, static_cast<uint64_t>(taken));
  if (taken > 0) {
    session->gave_way = false;
    Enlist(session);
    return;
  }
  if (session->finished) {
    session->over = true;
    PostOne(session, RingItem::kEnded);
    return;
  }
  seguro_ring_consumer *consumer = &session->memory->consumer;
  if (seguro_ring_is_closed(consumer)) {
    // What was published before it closed is there by now.
    Finish(session);
    Enlist(session);
    return;
  }
  if (!seguro_ring_is_closed(consumer) && std::chrono::steady_clock::now() < session->look_until) {
    // On few processors JavaScript, which was woken a moment ago, may wait for this one. Once: on a busy machine each costs a turn of everybody else.
    if (!std::exchange(session->gave_way, true)) sched_yield();
    Enlist(session);
    return;
  }
  // Anything but 0, a bad index too, is looked at in the next turn.
  if (seguro_ring_consumer_sleep(consumer) != 0) Enlist(session);
}

void RingHub::PostOne(const SessionPtr &session, RingItem::Kind kind) {
  std::vector<RingItem> items;
  items.emplace_back(kind);
  Post(session, std::move(items));
}

void RingHub::Post(const SessionPtr &session, std::vector<RingItem> items) {
  if (items.empty()) return;
  uint64_t bytes = 0;
  for (const RingItem &item : items) bytes += item.bytes.size();
  session->queued_bytes += bytes;
  session->queued_items += static_cast<uint32_t>(items.size());
  bool call = false;
  {
    std::lock_guard lock(mutex_);
    posted_.emplace_back(session, std::move(items));
    call = !delivering_;
    delivering_ = true;
  }
  // One call for all that is posted until JavaScript comes to it.
  if (call) napi_call_threadsafe_function(deliver_, nullptr, napi_tsfn_nonblocking);
}

}  // namespace seguro
