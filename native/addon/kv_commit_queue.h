// The thread on which a store's commits run, one after the other, whoever gives them. Knows nothing of JavaScript.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kv_store.h"

namespace seguro {

/// One commit, or group, by itself. Either of its calls comes, once, on the committing thread (Drop: perhaps on the one that stops the queue).
class KvCommitTask {
 public:
  virtual ~KvCommitTask() = default;
  virtual void Run() = 0;
  /// It never ran, and never will.
  virtual void Drop() = 0;
};

/// How many tasks and sources wait.
using KvOthers = std::atomic<uint32_t>;

/// Somebody whose commits share one group, and so one flush, with those of all others who wait. Called by the committing thread.
class KvCommitSource {
 public:
  virtual ~KvCommitSource() = default;
  /// Adds a member to the group for each commit that waits, in order. What they refer to stays until one of the calls below.
  virtual void Gather(KvGroup *group) = 0;
  /// How the members it gave ended, in order: 1 committed, 0 a check failed. Where nobody else had a part in the group, `others` says whether
  /// somebody waits now: as long as nobody does, the source may look for a moment for what it is given next, before the thread goes to sleep.
  virtual void Settled(const uint8_t *outcomes, const KvOthers *others) = 0;
  /// Nothing is known of them. Also without a Gather before it, when the queue is stopped: it is called no more then.
  virtual void Failed(const std::string &code, const std::string &message) = 0;
};

/// Whoever makes it stops it before he lets go of it: the others who keep it may let go on any thread, its own too.
class KvCommitQueue {
 public:
  explicit KvCommitQueue(std::shared_ptr<KvStore> store) : store_(std::move(store)), thread_([this] { Loop(); }) {}
  ~KvCommitQueue() { Stop(); }
  KvCommitQueue(const KvCommitQueue &) = delete;
  KvCommitQueue &operator=(const KvCommitQueue &) = delete;

  // Any thread. After Stop both end at once what they are given.
  void Submit(std::unique_ptr<KvCommitTask> task);
  /// The source has something. Not again before it was gathered.
  void Enqueue(std::shared_ptr<KvCommitSource> source);

  /// Waits for the commit under way; what has not begun never will. Not on the committing thread.
  void Stop();

 private:
  void Loop();
  void RunTogether(std::vector<std::shared_ptr<KvCommitSource>> sources);

  std::shared_ptr<KvStore> store_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<KvCommitTask>> tasks_;
  std::vector<std::shared_ptr<KvCommitSource>> sources_;
  KvOthers waiting_{0};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace seguro
