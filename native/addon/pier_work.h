// Runs a function off the main thread and settles a promise with what it gives; a PierFault becomes an Error with `code` and `hint`.
#pragma once

#include <napi.h>

#include <functional>
#include <optional>

#include "pier_fault.h"

namespace seguro {

inline Napi::Value FaultError(Napi::Env env, const PierFault &fault) {
  Napi::Object error = Napi::Error::New(env, fault.text).Value();
  error.Set("code", fault.code);
  error.Set("hint", fault.hint);
  return error;
}

class PierWork : public Napi::AsyncWorker {
 public:
  // `work` runs on a pool thread and touches no JavaScript; `answer` runs on the main thread after it. `keep` (may be empty) stays alive
  // until then.
  static Napi::Value Start(Napi::Env env, Napi::Value keep, std::function<void()> work, std::function<Napi::Value(Napi::Env)> answer) {
    auto *worker = new PierWork(env, keep, std::move(work), std::move(answer));
    Napi::Value promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      work_();
    } catch (const PierFault &fault) {
      fault_ = fault;
    } catch (const std::exception &other) {
      fault_ = PierFault("pier-internal", other.what());
    }
  }

  void OnOK() override {
    try {
      if (fault_) {
        deferred_.Reject(FaultError(Env(), *fault_));
      } else {
        deferred_.Resolve(answer_(Env()));
      }
    } catch (const Napi::Error &) {
      // Only an environment that is being ended (a worker thread, terminated) refuses to make objects, and nobody waits there any more.
    }
  }

 private:
  PierWork(Napi::Env env, Napi::Value keep, std::function<void()> work, std::function<Napi::Value(Napi::Env)> answer)
      : AsyncWorker(env), deferred_(env), work_(std::move(work)), answer_(std::move(answer)) {
    if (keep.IsObject()) {
      keep_ = Napi::Persistent(keep.As<Napi::Object>());
    }
  }

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference keep_;
  std::function<void()> work_;
  std::function<Napi::Value(Napi::Env)> answer_;
  std::optional<PierFault> fault_;
};

}  // namespace seguro
