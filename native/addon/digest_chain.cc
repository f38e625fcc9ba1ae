// Binds the digest chain: one asynchronous work takes every call that has queued up, and writes each one's pair into an array it was given.
#include "digest_chain.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "addon.h"
#include "promise_work.h"

namespace seguro {

namespace {

/** A pair in the results: id u64, digest. */
constexpr size_t kPairBytes = 8 + kSha256Bytes;

struct Part {
  const uint8_t *data;
  size_t size;
};

/** One call of `advance` in JavaScript: the parts up to `parts_end` that no call before had. */
struct Job {
  size_t parts_end;
  uint64_t stop_at;
};

DigestCore StartCore(const Napi::CallbackInfo &info) {
  if (const char *missing = Sha256Missing()) {
    throw Napi::Error::New(info.Env(), missing);
  }
  bool lossless = false;
  auto digest = info[1].As<Napi::Buffer<uint8_t>>();
  if (digest.Length() != kSha256Bytes) {
    throw Napi::RangeError::New(info.Env(), "a digest has 32 bytes");
  }
  return DigestCore(info[0].As<Napi::BigInt>().Uint64Value(&lossless), digest.Data());
}

}  // namespace

/** Runs the jobs in order until one fails. Everything it touches is kept alive by references until it is done. */
class DigestWork : public PromiseWork {
 public:
  DigestWork(Napi::Env env, DigestChain *chain, Napi::Object chain_object, Napi::Array parts, Napi::Buffer<uint8_t> results)
      : PromiseWork(env, "seguro.digest"),
        chain_(chain),
        results_(results.Data()),
        keep_chain_(Napi::Persistent(chain_object)),
        keep_parts_(Napi::Persistent(static_cast<Napi::Object>(parts))),
        keep_results_(Napi::Persistent(static_cast<Napi::Object>(results))) {
    parts_.reserve(parts.Length());
    for (uint32_t i = 0; i < parts.Length(); i++) {
      Napi::HandleScope scope(env);
      auto part = parts.Get(i).As<Napi::Buffer<uint8_t>>();
      parts_.push_back({part.Data(), part.Length()});
    }
  }

  void AddJob(size_t parts_end, uint64_t stop_at) { jobs_.push_back({parts_end, stop_at}); }

 protected:
  void Execute() override {
    DigestCore &core = chain_->core_;
    size_t next = 0;
    for (const Job &job : jobs_) {
      for (; next < job.parts_end && error_ == nullptr; next++) {
        error_ = core.Advance(parts_[next].data, parts_[next].size, job.stop_at);
      }
      if (error_ != nullptr) {
        return;
      }
      uint8_t *pair = results_ + jobs_done_ * kPairBytes;
      seguro_store_u64(pair, core.id());
      std::memcpy(pair + 8, core.digest(), kSha256Bytes);
      jobs_done_++;
    }
  }

  Napi::Value Result(Napi::Env env) override {
    chain_->running_ = false;
    Napi::Object result = Napi::Object::New(env);
    result.Set("jobsDone", Napi::Number::New(env, static_cast<double>(jobs_done_)));
    result.Set("error", error_ == nullptr ? env.Null() : Napi::Value(Napi::String::New(env, error_)));
    result.Set("afterId", Napi::BigInt::New(env, chain_->core_.id()));
    return result;
  }

 private:
  DigestChain *chain_;
  uint8_t *results_;
  Napi::ObjectReference keep_chain_;
  Napi::ObjectReference keep_parts_;
  Napi::ObjectReference keep_results_;
  std::vector<Part> parts_;
  std::vector<Job> jobs_;
  size_t jobs_done_ = 0;
  const char *error_ = nullptr;
};

Napi::Function DigestChain::Define(Napi::Env env) {
  return DefineClass(env, "DigestChain",
                     {InstanceMethod<&DigestChain::Advance>("advance"), InstanceMethod<&DigestChain::AdvanceNow>("advanceNow")});
}

DigestChain::DigestChain(const Napi::CallbackInfo &info) : Napi::ObjectWrap<DigestChain>(info), core_(StartCore(info)) {}

/** advance(parts, partsEnds, stopIds, results): arrays of equal length but the first. */
Napi::Value DigestChain::Advance(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto ends = info[1].As<Napi::Array>();
  auto stops = info[2].As<Napi::Array>();
  auto results = info[3].As<Napi::Buffer<uint8_t>>();
  if (running_ || results.Length() < ends.Length() * kPairBytes || stops.Length() != ends.Length()) {
    throw Napi::Error::New(env, "a digest chain was called wrongly");
  }
  auto parts = info[0].As<Napi::Array>();
  auto work = std::make_unique<DigestWork>(env, this, info.This().As<Napi::Object>(), parts, results);
  for (uint32_t i = 0; i < ends.Length(); i++) {
    bool lossless = false;
    uint64_t stop_at = stops.Get(i).As<Napi::BigInt>().Uint64Value(&lossless);
    work->AddJob(std::min<size_t>(ends.Get(i).As<Napi::Number>().Uint32Value(), parts.Length()), stop_at);
  }
  Napi::Value promise = work.release()->Start();
  running_ = true;
  return promise;
}

/** advanceNow(parts, result): the same at once, for little; result is one pair. Gives the error, or null. */
Napi::Value DigestChain::AdvanceNow(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto parts = info[0].As<Napi::Array>();
  auto result = info[1].As<Napi::Buffer<uint8_t>>();
  if (running_ || result.Length() != kPairBytes) {
    throw Napi::Error::New(env, "a digest chain was called wrongly");
  }
  const char *error = nullptr;
  for (uint32_t i = 0; i < parts.Length() && error == nullptr; i++) {
    auto part = parts.Get(i).As<Napi::Buffer<uint8_t>>();
    error = core_.Advance(part.Data(), part.Length(), UINT64_MAX);
  }
  seguro_store_u64(result.Data(), core_.id());
  std::memcpy(result.Data() + 8, core_.digest(), kSha256Bytes);
  return error == nullptr ? env.Null() : Napi::Value(Napi::String::New(env, error));
}

void InitDigestChain(Napi::Env env, Napi::Object exports) { exports.Set("DigestChain", DigestChain::Define(env)); }

}  // namespace seguro
