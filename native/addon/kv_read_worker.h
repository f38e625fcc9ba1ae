// A read on one of Node's worker threads: one value or a range, as a promise.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "kv_store.h"

namespace seguro {

class KvReadWorker : public Napi::AsyncWorker {
 public:
  /// Both queue themselves and delete themselves when they are done. `into` is undefined, or a Buffer that `request.into` lies in: it is kept alive.
  static Napi::Promise Get(Napi::Env env, std::shared_ptr<KvStore> store, std::vector<uint8_t> key);
  static Napi::Promise Range(Napi::Env env, std::shared_ptr<KvStore> store, KvRangeRequest request, Napi::Value into);

 protected:
  void Execute() override;
  void OnOK() override;
  void OnError(const Napi::Error &error) override;

 private:
  KvReadWorker(Napi::Env env, std::shared_ptr<KvStore> store, KvRangeRequest request, bool range);
  ~KvReadWorker() override;
  Napi::Value TakeBytes();

  Napi::Promise::Deferred deferred_;
  std::shared_ptr<KvStore> store_;
  KvRangeRequest request_;
  bool range_;
  bool found_ = false;
  KvRows rows_;
  Napi::ObjectReference keep_into_;
  std::string code_;
};

}  // namespace seguro
