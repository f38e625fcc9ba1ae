// Work on libuv's threads whose outcome settles a promise. Unlike Napi::AsyncWorker it survives the end of its environment: that one throws
// where nothing can be thrown any more, and so takes down the whole process when a worker thread is terminated in mid work.
#pragma once

#include <napi.h>

namespace seguro {

/** Derive, make with new, Start once; it deletes itself when the promise is settled. What it touches must be kept alive by references. */
class PromiseWork {
 public:
  virtual ~PromiseWork() = default;
  PromiseWork(const PromiseWork &) = delete;
  PromiseWork &operator=(const PromiseWork &) = delete;

  /** Queues the work and gives its promise. */
  Napi::Value Start() {
    napi_value promise = nullptr;
    napi_value name = Napi::String::New(env_, name_);
    if (napi_create_promise(env_, &deferred_, &promise) != napi_ok ||
        napi_create_async_work(env_, nullptr, name, OnThread, OnDone, this, &work_) != napi_ok ||
        napi_queue_async_work(env_, work_) != napi_ok) {
      Napi::Env env = env_;
      delete this;
      throw Napi::Error::New(env, "work for another thread could not be queued");
    }
    return Napi::Value(env_, promise);
  }

 protected:
  PromiseWork(Napi::Env env, const char *name) : env_(env), name_(name) {}

  /** On another thread: no JavaScript here, and no exceptions. */
  virtual void Execute() = 0;

  /** Back on the environment's thread: what the promise resolves with. */
  virtual Napi::Value Result(Napi::Env env) = 0;

 private:
  static void OnThread(napi_env, void *data) { static_cast<PromiseWork *>(data)->Execute(); }

  static void OnDone(napi_env env, napi_status, void *data) {
    auto *self = static_cast<PromiseWork *>(data);
    try {
      napi_resolve_deferred(env, self->deferred_, self->Result(env));
    } catch (const Napi::Error &) {
      // The environment is going down: there is nobody left to wait for the promise.
    }
    napi_delete_async_work(env, self->work_);
    delete self;
  }

  Napi::Env env_;
  const char *name_;
  napi_deferred deferred_ = nullptr;
  napi_async_work work_ = nullptr;
};

}  // namespace seguro
