// RingReplay: one read that goes from an embedded store's memory straight into a ring, on libuv's worker threads.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core_replay.h"
#include "kv_store.h"
#include "ring_session.h"

namespace seguro {

/** Wrapped by src/native/ring-replay.ts, which calls `run` again only after the one before has ended, and leaves the ring's output alone meanwhile. */
class RingReplay : public Napi::ObjectWrap<RingReplay> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit RingReplay(const Napi::CallbackInfo &info);

 private:
  friend class ReplayWork;
  Napi::Value Run(const Napi::CallbackInfo &info);
  void Grant(const Napi::CallbackInfo &info);
  void Seek(const Napi::CallbackInfo &info);

  /** Its memory must not wait for the garbage collector. */
  std::weak_ptr<RingSession> session_;
  std::shared_ptr<KvStore> store_;
  std::vector<uint8_t> prefix_;
  std::unique_ptr<ReplayCore> core_;
  /** Of the present turn; it may grow while that runs. */
  std::atomic<uint64_t> credit_bytes_{0};
  bool running_ = false;
};

}  // namespace seguro
