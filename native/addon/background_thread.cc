// Waiting between turns.
#include "background_thread.h"

#include <utility>

namespace seguro {

BackgroundThread::BackgroundThread(std::function<Pause()> turn) : turn_(std::move(turn)), thread_([this] { Loop(); }) {}

BackgroundThread::~BackgroundThread() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void BackgroundThread::Wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void BackgroundThread::Loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    woken_ = false;
    lock.unlock();
    Pause pause = turn_();
    lock.lock();
    auto called = [this] { return stopping_ || woken_; };
    if (pause == kUntilWoken) {
      wake_.wait(lock, called);
    } else {
      wake_.wait_for(lock, pause, called);
    }
  }
}

}  // namespace seguro
