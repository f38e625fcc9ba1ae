// One count for each piece of memory that is JavaScript's: its Buffer is one user, everyone who keeps it another.
#include "event_memory.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "addon.h"

namespace seguro {

namespace {

struct Memory {
  uint8_t *data;
  std::atomic<uint32_t> users{1};
};

/** A part of some memory that somebody keeps. */
struct Kept {
  Memory *memory;
  const uint8_t *data;
  size_t size;
};

std::mutex registry_mutex;
/** By where it begins, while a Buffer of it is attached. Workers have their own Buffers, but the process has one heap. */
std::unordered_map<const void *, Memory *> &Registry() {
  static auto *registry = new std::unordered_map<const void *, Memory *>();
  return *registry;
}

void Unuse(Memory *memory) {
  if (memory->users.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    std::free(memory->data);
    delete memory;
  }
}

/** The Buffer has gone. On whichever thread V8 frees it. */
void OnBufferGone(napi_env, void *, void *hint) {
  auto *memory = static_cast<Memory *>(hint);
  {
    std::lock_guard lock(registry_mutex);
    Registry().erase(memory->data);
  }
  Unuse(memory);
}

void Drop(Kept *kept) {
  if (kept->memory != nullptr) Unuse(kept->memory);
  kept->memory = nullptr;
  kept->size = 0;
}

Kept *KeptOf(const Napi::CallbackInfo &info) { return info[0].As<Napi::External<Kept>>().Data(); }

// keepMemory(bytes) -> what is kept, or null when the memory under `bytes` is none that can be kept
Napi::Value KeepMemory(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto bytes = info[0].As<Napi::Uint8Array>();
  Memory *memory = nullptr;
  {
    std::lock_guard lock(registry_mutex);
    auto found = Registry().find(bytes.ArrayBuffer().Data());
    if (found == Registry().end()) return env.Null();
    memory = found->second;
    memory->users.fetch_add(1, std::memory_order_relaxed);
  }
  auto *kept = new Kept{memory, bytes.Data(), bytes.ByteLength()};
  return Napi::External<Kept>::New(env, kept, [](Napi::Env, Kept *gone) {
    Drop(gone);
    delete gone;
  });
}

// copyKept(kept, into, offset): all of it, from there on
void CopyKept(const Napi::CallbackInfo &info) {
  Kept *kept = KeptOf(info);
  auto into = info[1].As<Napi::Uint8Array>();
  auto offset = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  if (kept->memory == nullptr || offset > into.ByteLength() || into.ByteLength() - offset < kept->size) {
    throw Napi::RangeError::New(info.Env(), "kept bytes do not fit, or were dropped");
  }
  std::memcpy(into.Data() + offset, kept->data, kept->size);
}

// dropKept(kept): now, instead of when the garbage collector comes by
void DropKept(const Napi::CallbackInfo &info) { Drop(KeptOf(info)); }

}  // namespace

bool EventMemoryToJs(napi_env env, ByteBuffer *bytes, napi_value *buffer) {
  auto *memory = new Memory{bytes->data()};
  {
    std::lock_guard lock(registry_mutex);
    Registry().emplace(memory->data, memory);
  }
  // V8 counts the length of an external buffer as external memory by itself, so nothing is reported here.
  if (napi_create_external_buffer(env, bytes->size(), memory->data, OnBufferGone, memory, buffer) == napi_ok) {
    bytes->Release();
    return true;
  }
  std::lock_guard lock(registry_mutex);
  Registry().erase(memory->data);
  delete memory;
  return false;
}

void InitEventMemory(Napi::Env env, Napi::Object exports) {
  exports.Set("keepMemory", Napi::Function::New(env, KeepMemory, "keepMemory"));
  exports.Set("copyKept", Napi::Function::New(env, CopyKept, "copyKept"));
  exports.Set("dropKept", Napi::Function::New(env, DropKept, "dropKept"));
}

}  // namespace seguro
