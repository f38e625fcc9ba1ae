// Binds the assembler's core to JavaScript: chunks in, Buffers out, figures through a shared array.
#include "assembler.h"

#include <new>

#include "addon.h"
#include "event_memory.h"

namespace seguro {

namespace {

AssemblerOptions ReadOptions(const Napi::CallbackInfo &info) {
  AssemblerOptions options;
  options.run_bytes = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  options.piece_bytes = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  options.event_bytes_max = static_cast<uint64_t>(info[3].As<Napi::Number>().Int64Value());
  return options;
}

/** Where the bytes of a Buffer lie, or a JavaScript exception. */
bool BytesOf(Napi::Env env, napi_value value, uint8_t **data, size_t *size) {
  void *at = nullptr;
  if (napi_get_buffer_info(env, value, &at, size) != napi_ok) {
    Napi::TypeError::New(env, "a Buffer is needed here").ThrowAsJavaScriptException();
    return false;
  }
  *data = static_cast<uint8_t *>(at);
  return true;
}

uint64_t IdOf(Napi::Value value) {
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

}  // namespace

Napi::Function Assembler::Define(Napi::Env env) {
  return DefineClass(env, "Assembler",
                     {
                         InstanceMethod<&Assembler::Expect>("expect"),
                         InstanceMethod<&Assembler::Push>("push"),
                         InstanceMethod<&Assembler::BeginEvent>("beginEvent"),
                         InstanceMethod<&Assembler::PushPayload>("pushPayload"),
                         InstanceMethod<&Assembler::TakeInto>("takeInto"),
                         InstanceMethod<&Assembler::TakeOwned>("takeOwned"),
                     });
}

Assembler::Assembler(const Napi::CallbackInfo &info) : Napi::ObjectWrap<Assembler>(info), core_(ReadOptions(info)) {
  auto state = info[0].As<Napi::BigUint64Array>();
  if (state.ElementLength() != kStateSlots) {
    throw Napi::TypeError::New(info.Env(), "the state array has another length here");
  }
  state_ = state.Data();
  state_array_ = Napi::Persistent(static_cast<Napi::Object>(state));
  Publish();
}

void Assembler::Expect(const Napi::CallbackInfo &info) { core_.Expect(IdOf(info[0])); }

Napi::Value Assembler::Push(const Napi::CallbackInfo &info) {
  uint8_t *data;
  size_t size;
  if (!BytesOf(info.Env(), info[0], &data, &size)) {
    return Napi::Value();
  }
  try {
    return Report(info.Env(), core_.Push(data, size));
  } catch (const std::bad_alloc &) {
    throw Napi::Error::New(info.Env(), "out of memory in the assembler");
  }
}

Napi::Value Assembler::BeginEvent(const Napi::CallbackInfo &info) {
  try {
    auto length = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
    return Report(info.Env(), core_.BeginEvent(IdOf(info[0]), length));
  } catch (const std::bad_alloc &) {
    throw Napi::Error::New(info.Env(), "out of memory in the assembler");
  }
}

Napi::Value Assembler::PushPayload(const Napi::CallbackInfo &info) {
  uint8_t *data;
  size_t size;
  if (!BytesOf(info.Env(), info[0], &data, &size)) {
    return Napi::Value();
  }
  try {
    return Report(info.Env(), core_.PushPayload(data, size));
  } catch (const std::bad_alloc &) {
    throw Napi::Error::New(info.Env(), "out of memory in the assembler");
  }
}

void Assembler::TakeInto(const Napi::CallbackInfo &info) {
  uint8_t *data;
  size_t size;
  if (!BytesOf(info.Env(), info[0], &data, &size)) {
    return;
  }
  AssembledInfo next = core_.Next();
  if (next.kind == AssembledInfo::kNone || next.size_bytes != size) {
    throw Napi::RangeError::New(info.Env(), "the buffer has another size than the next item");
  }
  core_.TakeInto(data);
  Publish();
}

Napi::Value Assembler::TakeOwned(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  if (core_.Next().kind == AssembledInfo::kNone) {
    throw Napi::RangeError::New(env, "nothing to take");
  }
  ByteBuffer bytes;
  try {
    bytes = core_.TakeOwned();
  } catch (const std::bad_alloc &) {
    throw Napi::Error::New(env, "out of memory in the assembler");
  }
  Publish();
  napi_value result = nullptr;
  if (!EventMemoryToJs(env, &bytes, &result)) {
    // A build of Node with pointer compression allows no external buffers.
    result = Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size());
  }
  return Napi::Value(env, result);
}

Napi::Value Assembler::Report(Napi::Env env, AssemblerStatus status) {
  Publish();
  return Napi::Number::New(env, static_cast<uint32_t>(status));
}

void Assembler::Publish() {
  AssembledInfo next = core_.Next();
  state_[kKind] = next.kind;
  state_[kSize] = next.size_bytes;
  state_[kFirstId] = next.first_id;
  state_[kLastId] = next.last_id;
  state_[kCount] = next.count;
  state_[kIndex] = next.index;
  state_[kRecordBytes] = next.record_bytes;
  state_[kLast] = next.last ? 1 : 0;
  state_[kBoundary] = core_.at_boundary() ? 1 : 0;
  state_[kFailedId] = core_.failed_id();
  state_[kHeld] = core_.held_bytes();
  state_[kDoneBytes] = core_.completed_bytes();
  state_[kDoneCount] = core_.completed_count();
}

void InitAssembler(Napi::Env env, Napi::Object exports) { exports.Set("Assembler", Assembler::Define(env)); }

}  // namespace seguro
