// The digest chain as JavaScript sees it: one object a chain, its work on libuv's worker threads.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "core_digest.h"

namespace seguro {

/**
 * JavaScript's `DigestChain`, wrapped by src/native/digest-chain.ts, which calls `advance` again only after the one before has ended: the
 * core belongs to the worker thread in between.
 */
class DigestChain : public Napi::ObjectWrap<DigestChain> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit DigestChain(const Napi::CallbackInfo &info);

 private:
  friend class DigestWork;
  Napi::Value Advance(const Napi::CallbackInfo &info);
  Napi::Value AdvanceNow(const Napi::CallbackInfo &info);

  DigestCore core_;
  bool running_ = false;
};

}  // namespace seguro
