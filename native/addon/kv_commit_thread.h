// Commits of JavaScript on their way to the committing thread and back: one hop there, one hop back.
#pragma once

#include <napi.h>

#include <memory>

#include "kv_commit_job.h"
#include "kv_commit_queue.h"

namespace seguro {

class KvCommitThread {
 public:
  KvCommitThread(Napi::Env env, std::shared_ptr<KvStore> store);
  ~KvCommitThread();
  KvCommitThread(const KvCommitThread &) = delete;
  KvCommitThread &operator=(const KvCommitThread &) = delete;

  /// On the JavaScript thread. The process stays alive until the promise is settled.
  void Submit(std::unique_ptr<KvCommitJob> job);

  /// For native sources; it may be kept longer than this, and takes nothing more then.
  const std::shared_ptr<KvCommitQueue> &queue() const { return queue_; }

 private:
  class Task;

  static void Deliver(napi_env env, napi_value callback, void *context, void *data);
  static void OnExit(void *data);

  napi_env env_;
  napi_threadsafe_function deliver_ = nullptr;
  size_t under_way_ = 0;
  bool exited_ = false;
  std::shared_ptr<KvCommitQueue> queue_;
};

}  // namespace seguro
