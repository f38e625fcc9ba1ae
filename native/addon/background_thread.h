// A thread that does a job in turns: when it is woken, when it asked for another turn, or when it said that it would look again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace seguro {

class BackgroundThread {
 public:
  using Pause = std::chrono::milliseconds;
  static constexpr Pause kUntilWoken = Pause::max();

  /// `turn` throws nothing and says how long to rest if nobody wakes the thread before. The first turn comes at once.
  explicit BackgroundThread(std::function<Pause()> turn);
  /// Waits for the turn under way.
  ~BackgroundThread();
  BackgroundThread(const BackgroundThread &) = delete;
  BackgroundThread &operator=(const BackgroundThread &) = delete;

  /// Any thread: there will be a turn that begins after this.
  void Wake();

 private:
  void Loop();

  std::function<Pause()> turn_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = true;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace seguro
