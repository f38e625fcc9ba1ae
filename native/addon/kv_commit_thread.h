// The thread of an environment on which commits run, in the order in which they came: one hop there, one hop back.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "kv_commit_job.h"

namespace seguro {

class KvCommitThread {
 public:
  explicit KvCommitThread(Napi::Env env);
  ~KvCommitThread();
  KvCommitThread(const KvCommitThread &) = delete;
  KvCommitThread &operator=(const KvCommitThread &) = delete;

  /// On the JavaScript thread, as everything public here. The process stays alive until the promise is settled.
  void Submit(std::unique_ptr<KvCommitJob> job);

 private:
  void Loop();
  void Join();
  static void Deliver(napi_env env, napi_value callback, void *context, void *data);
  static void OnExit(void *data);

  napi_env env_;
  napi_threadsafe_function deliver_ = nullptr;
  size_t under_way_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<KvCommitJob>> queue_;
  bool stopping_ = false;
  bool exited_ = false;
  std::thread thread_;
};

}  // namespace seguro
