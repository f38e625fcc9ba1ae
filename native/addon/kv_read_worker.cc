// Reads off the JavaScript thread; large results are handed over without another copy.
#include "kv_read_worker.h"

#include <cstdlib>
#include <utility>

#include "kv_commit_job.h"
#include "kv_failure.h"

namespace seguro {

// Below this a copy into JavaScript's own memory is cheaper than a finalizer.
static constexpr size_t kCopyBelowBytes = 4096;

KvReadWorker::KvReadWorker(Napi::Env env, std::shared_ptr<KvStore> store, KvRangeRequest request, bool range)
    : Napi::AsyncWorker(env, "seguro store read"), deferred_(env), store_(std::move(store)), request_(std::move(request)), range_(range) {}

KvReadWorker::~KvReadWorker() {
  if (!rows_.borrowed) free(rows_.bytes);
}

Napi::Promise KvReadWorker::Get(Napi::Env env, std::shared_ptr<KvStore> store, std::vector<uint8_t> key) {
  KvRangeRequest request;
  request.from = std::move(key);
  auto *worker = new KvReadWorker(env, std::move(store), std::move(request), false);
  worker->Queue();
  return worker->deferred_.Promise();
}

Napi::Promise KvReadWorker::Range(Napi::Env env, std::shared_ptr<KvStore> store, KvRangeRequest request, Napi::Value into) {
  auto *worker = new KvReadWorker(env, std::move(store), std::move(request), true);
  if (into.IsObject()) worker->keep_into_ = Napi::Persistent(into.As<Napi::Object>());
  worker->Queue();
  return worker->deferred_.Promise();
}

void KvReadWorker::Execute() {
  try {
    if (range_) {
      rows_ = store_->Range(request_);
    } else {
      found_ = store_->Get(request_.from, &rows_.bytes, &rows_.size);
    }
  } catch (const KvFailure &failure) {
    code_ = failure.code();
    SetError(failure.what());
  } catch (const std::exception &failure) {
    code_ = "store-failed";
    SetError(failure.what());
  }
}

Napi::Value KvReadWorker::TakeBytes() {
  if (rows_.size < kCopyBelowBytes) return Napi::Buffer<uint8_t>::Copy(Env(), rows_.bytes, rows_.size);
  uint8_t *bytes = std::exchange(rows_.bytes, nullptr);
  return Napi::Buffer<uint8_t>::NewOrCopy(Env(), bytes, rows_.size, [](Napi::Env, uint8_t *at) { free(at); });
}

void KvReadWorker::OnOK() {
  if (!range_) {
    deferred_.Resolve(found_ ? TakeBytes() : Env().Null());
    return;
  }
  Napi::Object rows = Napi::Object::New(Env());
  if (rows_.borrowed) {
    rows.Set("bytes", Env().Null());
    rows.Set("size", static_cast<double>(rows_.size));
  } else {
    rows.Set("bytes", TakeBytes());
  }
  rows.Set("count", static_cast<double>(rows_.count));
  rows.Set("more", rows_.more);
  deferred_.Resolve(rows);
}

void KvReadWorker::OnError(const Napi::Error &error) { KvReject(Env(), deferred_, code_, error.Message()); }

}  // namespace seguro
