// The hub's thread: epoll, doorbells, turns.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "ring_hub.h"

namespace seguro {

namespace {

/** Bytes taken from one ring before the next session's turn. */
constexpr uint64_t kTurnBytes = 1 << 20;
/** Above this a session's ring is left alone until JavaScript has taken what it was given. */
constexpr uint64_t kQueuedBytes = 8 << 20;
constexpr uint32_t kQueuedItems = 256;
/** Doorbells beyond those that our own sleeping can have called for. */
constexpr uint64_t kIdleDoorbells = 1024;
constexpr size_t kDoorbellsATurn = 64;
constexpr int kEvents = 64;

}  // namespace

void RingHub::Loop() {
  epoll_event events[kEvents];
  for (;;) {
    int count = epoll_wait(epoll_, events, kEvents, ready_.empty() ? -1 : 0);
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    for (int i = 0; i < count; i++) {
      auto *session = static_cast<RingSession *>(events[i].data.ptr);
      if (session != nullptr) Hear(session, events[i].events);
    }
    // After the events: a removed session is not heard again, because its events of this round are past.
    ObeyCommands();
    std::vector<SessionPtr> turn;
    turn.swap(ready_);
    for (const SessionPtr &session : turn) {
      session->ready = false;
      TakeTurn(session);
    }
  }
}

void RingHub::ObeyCommands() {
  std::vector<std::pair<Command, SessionPtr>> commands;
  {
    std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  if (!commands.empty()) {
    uint64_t count;
    [[maybe_unused]] ssize_t ignored = read(wake_, &count, sizeof count);
  }
  for (auto &[command, session] : commands) {
    if (command == Command::kRemove) {
      Unwatch(session.get());
      session->over = true;
      of_thread_.erase(session->id);
    } else if (command == Command::kWatch) {
      of_thread_.emplace(session->id, session);
      epoll_event event{};
      event.events = EPOLLIN | EPOLLRDHUP;
      event.data.ptr = session.get();
      session->watched = epoll_ctl(epoll_, EPOLL_CTL_ADD, session->socket, &event) == 0;
      session->hung_up = !session->watched;
      Enlist(session);
    } else {
      Enlist(session);
    }
  }
}

void RingHub::Enlist(const SessionPtr &session) {
  if (!session->ready && !session->over) {
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

void RingHub::Hear(RingSession *session, uint32_t) {
  auto found = of_thread_.find(session->id);
  if (found == of_thread_.end() || found->second->hung_up) return;
  SessionPtr self = found->second;
  char bells[kDoorbellsATurn];
  ssize_t heard = recv(session->socket, bells, sizeof bells, MSG_DONTWAIT);
  if (heard == 0 || (heard < 0 && errno != EAGAIN && errno != EINTR)) {
    self->hung_up = true;
    self->last_bytes_left = self->memory->consumer.size;
    Unwatch(session);
  } else if (heard > 0) {
    self->doorbells += static_cast<uint64_t>(heard);
  }
  if (self->wants_room.exchange(false)) {
    std::vector<RingItem> items;
    items.emplace_back(RingItem::kRoom);
    Post(self, std::move(items));
  }
  Enlist(self);
}

void RingHub::TakeTurn(const SessionPtr &session) {
  if (session->over) return;
  bool full = session->queued_bytes.load() > kQueuedBytes || session->queued_items.load() > kQueuedItems;
  if (session->paused.load() || full) return;  // whoever ends that enlists the session again
  std::vector<RingItem> items;
  if (session->doorbells > session->sleeps + session->room_sleeps.load() + kIdleDoorbells) {
    items.emplace_back(RingItem::kBroken).reason = "the client rings the doorbell without end";
    session->over = true;
    Unwatch(session.get());
    Post(session, std::move(items));
    return;
  }
  seguro_ring_consumer *consumer = &session->memory->consumer;
  uint64_t budget = session->hung_up && session->last_bytes_left < kTurnBytes ? session->last_bytes_left : kTurnBytes;
  int64_t taken;
  try {
    taken = session->intake.Turn(consumer, budget, &items);
  } catch (const std::bad_alloc &) {
    items.emplace_back(RingItem::kBroken).reason = "no memory for the session's bytes";
    taken = -1;
  }
  if (seguro_ring_release(consumer)) session->RingDoorbell();
  Post(session, std::move(items));
  FinishTurn(session, taken);
}

void RingHub::FinishTurn(const SessionPtr &session, int64_t taken) {
  if (taken < 0) {
    session->over = true;
    Unwatch(session.get());
    return;
  }
  if (session->hung_up) {
    session->last_bytes_left -= static_cast<uint64_t>(taken);
    if (taken > 0) {
      Enlist(session);
      return;
    }
    session->over = true;
    std::vector<RingItem> items;
    items.emplace_back(RingItem::kEnded);
    Post(session, std::move(items));
    return;
  }
  if (taken > 0) {
    Enlist(session);
    return;
  }
  session->sleeps++;
  // Anything but 0, a bad index too, is looked at in the next turn.
  if (seguro_ring_consumer_sleep(&session->memory->consumer) != 0) Enlist(session);
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
