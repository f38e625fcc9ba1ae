// The JavaScript face of the embedded stores.
#include "kv_environment.h"

#include <utility>
#include <vector>

#include "addon.h"
#include "journal_store.h"
#include "kv_commit_job.h"
#include "kv_failure.h"
#include "kv_read_worker.h"
#include "lmdb_store.h"

namespace seguro {

void KvEnvironment::Register(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = DefineClass(env, "KvEnvironment",
                                           {
                                               InstanceMethod<&KvEnvironment::Commit>("commit"),
                                               InstanceMethod<&KvEnvironment::Get>("get"),
                                               InstanceMethod<&KvEnvironment::Range>("range"),
                                               InstanceMethod<&KvEnvironment::Figures>("figures"),
                                               InstanceMethod<&KvEnvironment::Close>("close"),
                                           });
  exports.Set("KvEnvironment", constructor);
}

static Napi::Error ErrorOf(Napi::Env env, const KvFailure &failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("code", failure.code());
  return error;
}

static std::shared_ptr<KvStore> OpenStore(const std::string &engine, KvOptions options) {
  if (engine == "journal") return std::make_shared<JournalStore>(std::move(options), journal::RealDisk());
  return std::make_shared<LmdbStore>(std::move(options));
}

KvEnvironment::KvEnvironment(const Napi::CallbackInfo &info) : Napi::ObjectWrap<KvEnvironment>(info) {
  Napi::Object given = info[0].As<Napi::Object>();
  KvOptions options;
  options.dir = given.Get("dir").As<Napi::String>().Utf8Value();
  options.holder = given.Get("holder").As<Napi::String>().Utf8Value();
  options.map_bytes = static_cast<uint64_t>(given.Get("mapBytes").As<Napi::Number>().Int64Value());
  options.create = given.Get("create").As<Napi::Boolean>().Value();
  options.overlay_bytes = static_cast<uint64_t>(given.Get("overlayBytes").As<Napi::Number>().Int64Value());
  options.segment_bytes = static_cast<uint64_t>(given.Get("segmentBytes").As<Napi::Number>().Int64Value());
  options.before_damage = given.Get("beforeDamage").As<Napi::Boolean>().Value();
  options.ship_file_bytes = static_cast<uint64_t>(given.Get("shipFileBytes").As<Napi::Number>().Int64Value());
  options.read_only = given.Get("readOnly").As<Napi::Boolean>().Value();
  try {
    store_ = OpenStore(given.Get("engine").As<Napi::String>().Utf8Value(), std::move(options));
  } catch (const KvFailure &failure) {
    throw ErrorOf(info.Env(), failure);
  }
  thread_ = std::make_unique<KvCommitThread>(info.Env(), store_);
}

Napi::Value KvEnvironment::Commit(const Napi::CallbackInfo &info) {
  if (thread_ == nullptr) throw ErrorOf(info.Env(), KvFailure("store-closed", "the store is closed"));
  auto job = std::make_unique<KvCommitJob>(info.Env(), store_, info[0].As<Napi::Array>());
  Napi::Promise promise = job->promise();
  thread_->Submit(std::move(job));
  return promise;
}

static std::vector<uint8_t> BytesOf(const Napi::Value &value) {
  auto bytes = value.As<Napi::Uint8Array>();
  return std::vector<uint8_t>(bytes.Data(), bytes.Data() + bytes.ByteLength());
}

Napi::Value KvEnvironment::Get(const Napi::CallbackInfo &info) { return KvReadWorker::Get(info.Env(), store_, BytesOf(info[0])); }

Napi::Value KvEnvironment::Range(const Napi::CallbackInfo &info) {
  KvRangeRequest request;
  request.from = BytesOf(info[0]);
  request.to = BytesOf(info[1]);
  request.limit_rows = static_cast<uint64_t>(info[2].As<Napi::Number>().Int64Value());
  request.limit_bytes = static_cast<uint64_t>(info[3].As<Napi::Number>().Int64Value());
  request.reverse = info[4].As<Napi::Boolean>().Value();
  if (info[5].IsBuffer()) {
    auto into = info[5].As<Napi::Buffer<uint8_t>>();
    request.into = into.Data();
    request.into_bytes = into.Length();
  }
  return KvReadWorker::Range(info.Env(), store_, std::move(request), info[5]);
}

Napi::Value KvEnvironment::Figures(const Napi::CallbackInfo &info) {
  try {
    Napi::Object object = Napi::Object::New(info.Env());
    for (const auto &[name, value] : store_->Figures()) object.Set(name, static_cast<double>(value));
    return object;
  } catch (const KvFailure &failure) {
    throw ErrorOf(info.Env(), failure);
  }
}

void KvEnvironment::Close(const Napi::CallbackInfo &) {
  thread_.reset();
  store_->Close();
}

void InitKvEnvironment(Napi::Env env, Napi::Object exports) { KvEnvironment::Register(env, exports); }

}  // namespace seguro
