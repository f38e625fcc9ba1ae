// A thread that brings lanes' digest chains further where that takes long: many bytes at once. Knows neither JavaScript nor rings.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace seguro {

class Lane;

/** Started with the first lane that asks. Whoever makes it stops it before he lets go of it: lanes that keep it may go on any thread. */
class LaneDigester {
 public:
  LaneDigester() = default;
  ~LaneDigester() { Stop(); }
  LaneDigester(const LaneDigester &) = delete;
  LaneDigester &operator=(const LaneDigester &) = delete;

  /** Any thread. False where there is no such thread, or no more: the caller does it himself. */
  bool Submit(std::shared_ptr<Lane> lane);
  void Stop();

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Lane>> lanes_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace seguro
