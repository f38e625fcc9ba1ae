// LmdbEnvironment: what JavaScript holds of an open LMDB store. Typed and explained in src/store/lmdb.ts.
#pragma once

#include <napi.h>

#include <memory>

#include "lmdb_commit_thread.h"
#include "lmdb_store.h"

namespace seguro {

class LmdbEnvironment : public Napi::ObjectWrap<LmdbEnvironment> {
 public:
  static void Register(Napi::Env env, Napi::Object exports);
  explicit LmdbEnvironment(const Napi::CallbackInfo &info);

 private:
  Napi::Value Commit(const Napi::CallbackInfo &info);
  Napi::Value Get(const Napi::CallbackInfo &info);
  Napi::Value Range(const Napi::CallbackInfo &info);
  Napi::Value Figures(const Napi::CallbackInfo &info);
  void Close(const Napi::CallbackInfo &info);

  std::shared_ptr<LmdbStore> store_;
  std::unique_ptr<LmdbCommitThread> thread_;
};

}  // namespace seguro
