// What other threads tell the hub's: commands for one session each, and a descriptor that wakes it.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "ring_session.h"

namespace seguro {

/** Kept by whoever may still have something to say, so that nobody needs to know whether the hub is still there. */
class RingMailbox {
 public:
  enum class Command : uint8_t { kWatch, kResume, kRemove, kHold, kUnhold, kStartLane, kStopLane, kLaneEnded };
  using Letters = std::vector<std::pair<Command, std::shared_ptr<RingSession>>>;

  RingMailbox() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~RingMailbox() {
    if (wake_ >= 0) close(wake_);
  }
  RingMailbox(const RingMailbox &) = delete;
  RingMailbox &operator=(const RingMailbox &) = delete;

  /** Readable while there is something to read; -1 where the system refused it. */
  int descriptor() const { return wake_; }

  void Tell(Command command, std::shared_ptr<RingSession> session) {
    {
      std::lock_guard lock(mutex_);
      letters_.emplace_back(command, std::move(session));
    }
    Wake();
  }

  void Wake() {
    uint64_t one = 1;
    // It can fail only when the count is full, and then the thread is awake.
    [[maybe_unused]] ssize_t ignored = write(wake_, &one, sizeof one);
  }

  /** Before Take: what is told after this wakes again. */
  void Heard() {
    uint64_t told;
    [[maybe_unused]] ssize_t ignored = read(wake_, &told, sizeof told);
  }

  Letters Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(letters_, {});
  }

 private:
  const int wake_;
  std::mutex mutex_;
  Letters letters_;
};

}  // namespace seguro
