// The JavaScript face of an LMDB store.
#include "lmdb_environment.h"

#include <utility>
#include <vector>

#include "addon.h"
#include "lmdb_commit_job.h"
#include "lmdb_read_worker.h"

namespace seguro {

void LmdbEnvironment::Register(Napi::Env env, Napi::Object exports) {
  Napi::Function constructor = DefineClass(env, "LmdbEnvironment",
                                           {
                                               InstanceMethod<&LmdbEnvironment::Commit>("commit"),
                                               InstanceMethod<&LmdbEnvironment::Get>("get"),
                                               InstanceMethod<&LmdbEnvironment::Range>("range"),
                                               InstanceMethod<&LmdbEnvironment::Figures>("figures"),
                                               InstanceMethod<&LmdbEnvironment::Close>("close"),
                                           });
  exports.Set("LmdbEnvironment", constructor);
}

static Napi::Error ErrorOf(Napi::Env env, const LmdbFailure &failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("code", failure.code());
  return error;
}

LmdbEnvironment::LmdbEnvironment(const Napi::CallbackInfo &info) : Napi::ObjectWrap<LmdbEnvironment>(info) {
  Napi::Object given = info[0].As<Napi::Object>();
  LmdbOptions options;
  options.dir = given.Get("dir").As<Napi::String>().Utf8Value();
  options.holder = given.Get("holder").As<Napi::String>().Utf8Value();
  options.map_bytes = static_cast<uint64_t>(given.Get("mapBytes").As<Napi::Number>().Int64Value());
  options.create = given.Get("create").As<Napi::Boolean>().Value();
  options.read_only = given.Get("readOnly").As<Napi::Boolean>().Value();
  try {
    store_ = std::make_shared<LmdbStore>(std::move(options));
  } catch (const LmdbFailure &failure) {
    throw ErrorOf(info.Env(), failure);
  }
  thread_ = std::make_unique<LmdbCommitThread>(info.Env());
}

Napi::Value LmdbEnvironment::Commit(const Napi::CallbackInfo &info) {
  if (thread_ == nullptr) throw ErrorOf(info.Env(), LmdbFailure("store-closed", "the store is closed"));
  auto job = std::make_unique<LmdbCommitJob>(info.Env(), store_, info[0].As<Napi::Array>());
  Napi::Promise promise = job->promise();
  thread_->Submit(std::move(job));
  return promise;
}

static std::vector<uint8_t> BytesOf(const Napi::Value &value) {
  auto bytes = value.As<Napi::Uint8Array>();
  return std::vector<uint8_t>(bytes.Data(), bytes.Data() + bytes.ByteLength());
}

Napi::Value LmdbEnvironment::Get(const Napi::CallbackInfo &info) { return LmdbReadWorker::Get(info.Env(), store_, BytesOf(info[0])); }

Napi::Value LmdbEnvironment::Range(const Napi::CallbackInfo &info) {
  LmdbRangeRequest request;
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
  return LmdbReadWorker::Range(info.Env(), store_, std::move(request), info[5]);
}

Napi::Value LmdbEnvironment::Figures(const Napi::CallbackInfo &info) {
  try {
    LmdbFigures figures = store_->Figures();
    Napi::Object object = Napi::Object::New(info.Env());
    auto set = [&](const char *name, uint64_t value) { object.Set(name, static_cast<double>(value)); };
    set("fileBytes", figures.file_bytes);
    set("mapBytes", figures.map_bytes);
    set("pageBytes", figures.page_bytes);
    set("lastPage", figures.last_page);
    set("entries", figures.entries);
    set("depth", figures.depth);
    set("branchPages", figures.branch_pages);
    set("leafPages", figures.leaf_pages);
    set("overflowPages", figures.overflow_pages);
    set("lastTransaction", figures.transaction);
    set("readerSlots", figures.readers);
    return object;
  } catch (const LmdbFailure &failure) {
    throw ErrorOf(info.Env(), failure);
  }
}

void LmdbEnvironment::Close(const Napi::CallbackInfo &) {
  thread_.reset();
  store_->Close();
}

void InitLmdbEnvironment(Napi::Env env, Napi::Object exports) { LmdbEnvironment::Register(env, exports); }

}  // namespace seguro
