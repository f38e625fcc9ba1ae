// One call of commit on its way: from JavaScript to the committing thread and back to the promise.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "kv_group.h"
#include "kv_store.h"

namespace seguro {

/// Rejects with an Error whose `code` is that of the failure.
void KvReject(Napi::Env env, const Napi::Promise::Deferred &deferred, const std::string &code, const std::string &message);

class KvCommitJob {
 public:
  /// `operations` is the flat list that src/store/operations.ts makes; its buffers are used in place and kept alive by one reference to it.
  KvCommitJob(Napi::Env env, std::shared_ptr<KvStore> store, Napi::Array operations);

  Napi::Promise promise() const { return deferred_.Promise(); }
  /// On the committing thread.
  void Run();
  /// On the JavaScript thread.
  void Settle(Napi::Env env);
  /// When JavaScript is gone: nothing of it may be touched any more.
  void Forget() { operations_.SuppressDestruct(); }

 private:
  std::shared_ptr<KvStore> store_;
  Napi::Promise::Deferred deferred_;
  Napi::Reference<Napi::Array> operations_;
  KvGroup group_;
  std::vector<uint8_t> outcomes_;
  std::string code_;
  bool not_allowed_ = false;  // the caller's fault: a RangeError
  std::string message_;
};

}  // namespace seguro
