// One call of commit on its way: from JavaScript to the committing thread and back to the promise.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "lmdb_group.h"
#include "lmdb_store.h"

namespace seguro {

/// Rejects with an Error whose `code` is that of the failure.
void LmdbReject(Napi::Env env, const Napi::Promise::Deferred &deferred, const std::string &code, const std::string &message);

class LmdbCommitJob {
 public:
  /// `operations` is the flat list that src/store/lmdb.ts makes; its buffers are used in place and kept alive by one reference to it.
  LmdbCommitJob(Napi::Env env, std::shared_ptr<LmdbStore> store, Napi::Array operations);

  Napi::Promise promise() const { return deferred_.Promise(); }
  /// On the committing thread.
  void Run();
  /// On the JavaScript thread.
  void Settle(Napi::Env env);
  /// When JavaScript is gone: nothing of it may be touched any more.
  void Forget() { operations_.SuppressDestruct(); }

 private:
  std::shared_ptr<LmdbStore> store_;
  Napi::Promise::Deferred deferred_;
  Napi::Reference<Napi::Array> operations_;
  LmdbGroup group_;
  std::vector<uint8_t> outcomes_;
  std::string code_;
  std::string message_;
};

}  // namespace seguro
