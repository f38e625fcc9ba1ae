// KvEnvironment: what JavaScript holds of an open embedded store, whichever its engine. Typed and explained in src/store/embedded.ts.
#pragma once

#include <napi.h>

#include <memory>

#include "kv_commit_thread.h"
#include "kv_store.h"

namespace seguro {

class KvEnvironment : public Napi::ObjectWrap<KvEnvironment> {
 public:
  static void Register(Napi::Env env, Napi::Object exports);
  explicit KvEnvironment(const Napi::CallbackInfo &info);

  /// For native readers: it outlives this object, closed or not.
  const std::shared_ptr<KvStore> &store() const { return store_; }
  /// For native writers; null once it is closed.
  std::shared_ptr<KvCommitQueue> queue() const { return thread_ == nullptr ? nullptr : thread_->queue(); }

 private:
  Napi::Value Commit(const Napi::CallbackInfo &info);
  Napi::Value Get(const Napi::CallbackInfo &info);
  Napi::Value Range(const Napi::CallbackInfo &info);
  Napi::Value Figures(const Napi::CallbackInfo &info);
  void Close(const Napi::CallbackInfo &info);

  std::shared_ptr<KvStore> store_;
  std::unique_ptr<KvCommitThread> thread_;
};

}  // namespace seguro
