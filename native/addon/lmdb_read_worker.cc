// Reads off the JavaScript thread; large results are handed over without another copy.
#include "lmdb_read_worker.h"

#include <cstdlib>
#include <utility>

#include "lmdb_commit_job.h"

namespace seguro {

// Below this a copy into JavaScript's own memory is cheaper than a finalizer.
static constexpr size_t kCopyBelowBytes = 4096;

LmdbReadWorker::LmdbReadWorker(Napi::Env env, std::shared_ptr<LmdbStore> store, LmdbRangeRequest request, bool range)
    : Napi::AsyncWorker(env, "seguro lmdb read"), deferred_(env), store_(std::move(store)), request_(std::move(request)), range_(range) {}

LmdbReadWorker::~LmdbReadWorker() {
  if (!rows_.borrowed) free(rows_.bytes);
}

Napi::Promise LmdbReadWorker::Get(Napi::Env env, std::shared_ptr<LmdbStore> store, std::vector<uint8_t> key) {
  LmdbRangeRequest request;
  request.from = std::move(key);
  auto *worker = new LmdbReadWorker(env, std::move(store), std::move(request), false);
  worker->Queue();
  return worker->deferred_.Promise();
}

Napi::Promise LmdbReadWorker::Range(Napi::Env env, std::shared_ptr<LmdbStore> store, LmdbRangeRequest request, Napi::Value into) {
  auto *worker = new LmdbReadWorker(env, std::move(store), std::move(request), true);
  if (into.IsObject()) worker->keep_into_ = Napi::Persistent(into.As<Napi::Object>());
  worker->Queue();
  return worker->deferred_.Promise();
}

void LmdbReadWorker::Execute() {
  try {
    if (range_) {
      rows_ = store_->Range(request_);
    } else {
      found_ = store_->Get(request_.from, &rows_.bytes, &rows_.size);
    }
  } catch (const LmdbFailure &failure) {
    code_ = failure.code();
    SetError(failure.what());
  } catch (const std::exception &failure) {
    code_ = "store-failed";
    SetError(failure.what());
  }
}

Napi::Value LmdbReadWorker::TakeBytes() {
  if (rows_.size < kCopyBelowBytes) return Napi::Buffer<uint8_t>::Copy(Env(), rows_.bytes, rows_.size);
  uint8_t *bytes = std::exchange(rows_.bytes, nullptr);
  return Napi::Buffer<uint8_t>::NewOrCopy(Env(), bytes, rows_.size, [](Napi::Env, uint8_t *at) { free(at); });
}

void LmdbReadWorker::OnOK() {
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

void LmdbReadWorker::OnError(const Napi::Error &error) { LmdbReject(Env(), deferred_, code_, error.Message()); }

}  // namespace seguro
