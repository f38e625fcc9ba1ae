// What a ring's client sent, as JavaScript reads it (src/native/ring-hub.ts).
#include "event_memory.h"
#include "ring_hub.h"

namespace seguro {

namespace {

/** Shorter ones are copied, which is cheaper than an external Buffer with its finalizer (src/native/assembler.ts). */
constexpr size_t kCopyBelowBytes = 32 * 1024;

Napi::Value BytesToJs(Napi::Env env, ByteBuffer *bytes, bool *owned) {
  napi_value buffer = nullptr;
  size_t size = bytes->size();
  *owned = size >= kCopyBelowBytes && EventMemoryToJs(env, bytes, &buffer);
  if (*owned) return Napi::Value(env, buffer);
  // A build of Node with pointer compression allows no external buffers.
  return Napi::Buffer<uint8_t>::Copy(env, bytes->data(), size);
}

}  // namespace

Napi::Value RingItemToJs(Napi::Env env, RingItem *item) {
  auto object = Napi::Object::New(env);
  object.Set("kind", static_cast<uint32_t>(item->kind));
  object.Set("flag", item->flag);
  if (item->kind == RingItem::kAssembled) {
    object.Set("large", item->info.kind == AssembledInfo::kLarge);
    object.Set("last", item->info.last);
    object.Set("firstId", Napi::BigInt::New(env, item->info.first_id));
    object.Set("lastId", Napi::BigInt::New(env, item->info.last_id));
    object.Set("count", static_cast<double>(item->info.count));
    object.Set("index", static_cast<double>(item->info.index));
    object.Set("recordBytes", static_cast<double>(item->info.record_bytes));
  } else if (item->kind == RingItem::kFrame) {
    object.Set("type", static_cast<uint32_t>(item->header.type));
    object.Set("flags", static_cast<uint32_t>(item->header.flags));
    object.Set("request", item->header.request);
    object.Set("bodyBytes", item->header.body_bytes);
  } else {
    object.Set("status", item->status);
    object.Set("id", Napi::BigInt::New(env, item->id));
    object.Set("reason", item->reason);
  }
  if (item->kind == RingItem::kAssembled || item->kind == RingItem::kFrame) {
    bool owned = false;
    object.Set("bytes", BytesToJs(env, &item->bytes, &owned));
    object.Set("owned", owned);
  }
  return object;
}

}  // namespace seguro
