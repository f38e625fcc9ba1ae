// benchJob(request, stop): runs one job of `seguro bench` on a thread of libuv's pool and resolves with its counts and timings.
#include <exception>

#include "addon.h"
#include "bench_jobs.h"
#include "promise_work.h"

namespace seguro {

namespace {

using seguro_bench::BenchControl;
using seguro_bench::BenchRequest;
using seguro_bench::BenchResult;
using seguro_bench::BenchStop;
using seguro_bench::BenchWithClient;

uint64_t Whole(const Napi::Object &object, const char *name) {
  int64_t value = object.Get(name).As<Napi::Number>().Int64Value();
  return value < 0 ? 0 : static_cast<uint64_t>(value);
}

BenchRequest RequestOf(const Napi::Object &object) {
  BenchRequest request;
  request.job = object.Get("job").As<Napi::String>().Utf8Value();
  request.path = object.Get("path").As<Napi::String>().Utf8Value();
  request.ship = object.Get("ship").As<Napi::String>().Utf8Value();
  request.is_ring = object.Get("ring").As<Napi::Boolean>().Value();
  request.first_id = Whole(object, "firstId");
  request.events = Whole(object, "events");
  request.event_bytes = Whole(object, "eventBytes");
  request.seconds_max = object.Get("secondsMax").As<Napi::Number>().DoubleValue();
  return request;
}

class BenchWork : public PromiseWork {
 public:
  BenchWork(Napi::Env env, BenchRequest request, Napi::Int32Array stop)
      : PromiseWork(env, "seguro.bench"),
        request_(std::move(request)),
        stop_(stop.Data()),
        keep_stop_(Napi::Persistent(static_cast<Napi::Object>(stop))) {}

 protected:
  void Execute() override {
    bool is_client = request_.job == "append" || request_.job == "replay" || request_.job == "roundtrip";
    try {
      result_ = is_client ? BenchWithClient(request_, stop_) : BenchControl(request_, stop_);
    } catch (const std::exception &problem) {
      // No memory, or no thread: whatever the standard library throws.
      result_ = {};
      result_.error_code = -1;
      result_.error_text = problem.what();
    }
  }

  Napi::Value Result(Napi::Env env) override {
    Napi::Object object = Napi::Object::New(env);
    object.Set("errorCode", result_.error_code);
    object.Set("isSystem", Napi::Boolean::New(env, result_.is_system));
    object.Set("errorName", result_.error_name);
    object.Set("errorText", result_.error_text);
    object.Set("events", static_cast<double>(result_.events));
    object.Set("bytes", static_cast<double>(result_.bytes));
    object.Set("seconds", result_.seconds);
    auto micros = Napi::Float64Array::New(env, result_.micros.size());
    std::copy(result_.micros.begin(), result_.micros.end(), micros.Data());
    object.Set("micros", micros);
    return object;
  }

 private:
  BenchRequest request_;
  BenchStop stop_;
  Napi::ObjectReference keep_stop_;
  BenchResult result_;
};

Napi::Value BenchJob(const Napi::CallbackInfo &info) {
  auto stop = info[1].As<Napi::Int32Array>();
  if (stop.ElementLength() < 1) {
    throw Napi::RangeError::New(info.Env(), "the stop flag is empty");
  }
  return (new BenchWork(info.Env(), RequestOf(info[0].As<Napi::Object>()), stop))->Start();
}

}  // namespace

void InitBench(Napi::Env env, Napi::Object exports) { exports.Set("benchJob", Napi::Function::New(env, BenchJob, "benchJob")); }

}  // namespace seguro
