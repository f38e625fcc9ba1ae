// unpackBlocks(rows, ship, kind, log, from, through, next): checks and unpacks blocks on a worker thread, in the given Buffer.
#include <napi.h>

#include <cstring>

#include "addon.h"
#include "core_unpack.h"
#include "promise_work.h"

namespace seguro {

namespace {

class UnpackWork : public PromiseWork {
 public:
  UnpackWork(Napi::Env env, Napi::Buffer<uint8_t> rows, const UnpackOptions &options)
      : PromiseWork(env, "seguro.unpack"),
        data_(rows.Data()),
        size_(rows.Length()),
        options_(options),
        keep_rows_(Napi::Persistent(static_cast<Napi::Object>(rows))) {}

 protected:
  void Execute() override { result_ = Unpack(data_, size_, options_); }

  Napi::Value Result(Napi::Env env) override {
    Napi::Object result = Napi::Object::New(env);
    result.Set("firstId", Napi::BigInt::New(env, result_.first_id));
    result.Set("lastId", Napi::BigInt::New(env, result_.last_id));
    result.Set("count", Napi::Number::New(env, static_cast<double>(result_.count)));
    result.Set("startBytes", Napi::Number::New(env, static_cast<double>(result_.start_bytes)));
    result.Set("sizeBytes", Napi::Number::New(env, static_cast<double>(result_.size_bytes)));
    result.Set("stop", Napi::Number::New(env, static_cast<uint32_t>(result_.stop)));
    result.Set("stopId", Napi::BigInt::New(env, result_.stop_id));
    result.Set("reason", Napi::String::New(env, result_.reason));
    bool manifest = result_.stop == UnpackStop::kManifest;
    result.Set("manifest",
               manifest ? Napi::Value(Napi::Buffer<uint8_t>::Copy(env, result_.manifest, SEGURO_BLOCK_HEADER_BYTES)) : env.Null());
    return result;
  }

 private:
  uint8_t *data_;
  size_t size_;
  UnpackOptions options_;
  UnpackResult result_;
  Napi::ObjectReference keep_rows_;
};

uint64_t IdOf(Napi::Value value) {
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

Napi::Value UnpackBlocks(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto ship = info[1].As<Napi::Buffer<uint8_t>>();
  UnpackOptions options;
  if (ship.Length() != sizeof options.ship) {
    throw Napi::RangeError::New(env, "a ship's number has 16 bytes");
  }
  std::memcpy(options.ship, ship.Data(), sizeof options.ship);
  options.kind = static_cast<uint8_t>(info[2].As<Napi::Number>().Uint32Value());
  options.log = info[3].As<Napi::Number>().Uint32Value();
  options.from_id = IdOf(info[4]);
  options.through_id = IdOf(info[5]);
  options.next_id = IdOf(info[6]);
  return (new UnpackWork(env, info[0].As<Napi::Buffer<uint8_t>>(), options))->Start();
}

}  // namespace

void InitUnpack(Napi::Env env, Napi::Object exports) {
  exports.Set("unpackBlocks", Napi::Function::New(env, UnpackBlocks, "unpackBlocks"));
}

}  // namespace seguro
