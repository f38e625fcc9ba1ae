// Lane by lane, each for a while.
#include "lane_digester.h"

#include <system_error>
#include <utility>

#include "core_lane.h"

namespace seguro {

bool LaneDigester::Submit(std::shared_ptr<Lane> lane) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return false;
    if (!thread_.joinable()) {
      try {
        thread_ = std::thread([this] { Loop(); });
      } catch (const std::system_error &) {
        return false;
      }
    }
    lanes_.push_back(std::move(lane));
  }
  wake_.notify_one();
  return true;
}

void LaneDigester::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !lanes_.empty(); });
    if (stopping_) return;
    std::shared_ptr<Lane> lane = std::move(lanes_.front());
    lanes_.pop_front();
    lock.unlock();
    bool more = lane->DigestSome();
    lock.lock();
    if (more) lanes_.push_back(std::move(lane));
  }
}

void LaneDigester::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  lanes_.clear();
}

}  // namespace seguro
