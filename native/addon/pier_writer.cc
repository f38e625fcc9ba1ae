// The table writer's methods. After a failure the table is closed at once and takes nothing more.
#include "pier_writer.h"

#include "addon.h"
#include "pier_work.h"

namespace seguro {

void PierTableWriter::Define(Napi::Env env, Napi::Object exports) {
  exports.Set("PierTableWriter",
              DefineClass(env, "PierTableWriter",
                          {InstanceMethod("append", &PierTableWriter::Append), InstanceMethod("finish", &PierTableWriter::Finish),
                           InstanceMethod("abort", &PierTableWriter::Abort)}));
}

// new PierTableWriter(folder, events, base, meta): meta as pairs of Buffers.
PierTableWriter::PierTableWriter(const Napi::CallbackInfo &info) : ObjectWrap(info), state_(std::make_shared<State>()) {
  bool lossless = false;
  try {
    state_->table = std::make_unique<pier::TableWriter>(info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::Boolean>().Value(),
                                                        info[2].As<Napi::BigInt>().Uint64Value(&lossless));
    auto meta = info[3].As<Napi::Array>();
    for (uint32_t i = 0; i < meta.Length(); i++) {
      auto pair = meta.Get(i).As<Napi::Array>();
      auto key = pair.Get(uint32_t{0}).As<Napi::Uint8Array>();
      auto value = pair.Get(uint32_t{1}).As<Napi::Uint8Array>();
      state_->table->PutMeta(key.Data(), key.ByteLength(), value.Data(), value.ByteLength());
    }
  } catch (const PierFault &fault) {
    throw Napi::Error(info.Env(), FaultError(info.Env(), fault));
  }
}

template <typename Work>
Napi::Value PierTableWriter::Run(const Napi::CallbackInfo &info, Napi::Value keep, Work work) {
  auto last_id = std::make_shared<uint64_t>(0);
  return PierWork::Start(
      info.Env(), keep,
      [state = state_, work, last_id] {
        std::lock_guard guard(state->one_at_a_time);
        if (!state->table) {
          throw PierFault("pier-closed", "this table is closed");
        }
        try {
          work(*state->table);
          *last_id = state->table->last_id();
        } catch (...) {
          state->table.reset();
          throw;
        }
      },
      [last_id](Napi::Env env) -> Napi::Value { return Napi::BigInt::New(env, *last_id); });
}

Napi::Value PierTableWriter::Append(const Napi::CallbackInfo &info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  const uint8_t *data = bytes.Data();
  size_t length_bytes = bytes.ByteLength();
  return Run(info, bytes, [data, length_bytes](pier::TableWriter &table) { table.Append(data, length_bytes); });
}

Napi::Value PierTableWriter::Finish(const Napi::CallbackInfo &info) {
  return Run(info, Napi::Value(), [](pier::TableWriter &table) { table.Finish(); });
}

Napi::Value PierTableWriter::Abort(const Napi::CallbackInfo &info) {
  return PierWork::Start(
      info.Env(), Napi::Value(),
      [state = state_] {
        std::lock_guard guard(state->one_at_a_time);
        state->table.reset();
      },
      [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
}

void InitPierWriter(Napi::Env env, Napi::Object exports) { PierTableWriter::Define(env, exports); }

}  // namespace seguro
