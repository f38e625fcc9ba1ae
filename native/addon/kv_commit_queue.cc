// Tasks one by one, sources all together; neither keeps the other waiting for more than one turn.
#include "kv_commit_queue.h"

#include <new>
#include <stdexcept>
#include <utility>

#include "kv_failure.h"

namespace seguro {

namespace {

constexpr const char *kClosed = "store-closed";
constexpr const char *kClosedText = "the store is closed";

}  // namespace

void KvCommitQueue::Submit(std::unique_ptr<KvCommitTask> task) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) tasks_.push_back(std::move(task));
    waiting_++;
  }
  if (task != nullptr) {
    task->Drop();
  } else {
    wake_.notify_one();
  }
}

void KvCommitQueue::Enqueue(std::shared_ptr<KvCommitSource> source) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) sources_.push_back(std::move(source));
    waiting_++;
  }
  if (source != nullptr) {
    source->Failed(kClosed, kClosedText);
  } else {
    wake_.notify_one();
  }
}

void KvCommitQueue::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty() || !sources_.empty(); });
    if (stopping_) return;
    std::unique_ptr<KvCommitTask> task;
    if (!tasks_.empty()) {
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    std::vector<std::shared_ptr<KvCommitSource>> sources;
    sources.swap(sources_);
    waiting_ = static_cast<uint32_t>(tasks_.size());
    lock.unlock();
    if (task != nullptr) task->Run();
    if (!sources.empty()) RunTogether(std::move(sources));
    task.reset();
    lock.lock();
  }
}

void KvCommitQueue::RunTogether(std::vector<std::shared_ptr<KvCommitSource>> sources) {
  auto fail_all = [&](const std::string &code, const std::string &message) {
    for (const auto &source : sources) source->Failed(code, message);
  };
  std::vector<uint8_t> outcomes;
  std::vector<size_t> ends;
  try {
    KvGroup group;
    for (const auto &source : sources) {
      source->Gather(&group);
      ends.push_back(group.size());
    }
    if (!group.empty()) outcomes = store_->Commit(group);
    if (outcomes.size() != group.size()) throw KvFailure("store-failed", "the store did not say how a commit ended");
  } catch (const KvFailure &failure) {
    fail_all(failure.code(), failure.what());
    return;
  } catch (const std::length_error &error) {
    fail_all("store-failed", error.what());
    return;
  } catch (const std::bad_alloc &) {
    fail_all("store-failed", "there is not enough memory for a commit");
    return;
  }
  for (size_t i = 0; i < sources.size(); i++) {
    size_t begin = i == 0 ? 0 : ends[i - 1];
    sources[i]->Settled(outcomes.data() + begin, sources.size() == 1 ? &waiting_ : nullptr);
  }
}

void KvCommitQueue::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_++;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  // Nobody adds to them any more.
  for (auto &task : tasks_) task->Drop();
  tasks_.clear();
  for (auto &source : sources_) source->Failed(kClosed, kClosedText);
  sources_.clear();
}

}  // namespace seguro
