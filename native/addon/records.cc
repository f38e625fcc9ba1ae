// checkRecords and writeRecords: whole record streams in one call, for tests, tools and clients.
#include <napi.h>

#include <cstring>

#include "addon.h"
#include "core_records.h"

namespace seguro {

/** checkRecords(bytes, firstId) -> { count, lastId, error }. */
static Napi::Value CheckRecordsCall(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  bool lossless = false;
  auto bytes = info[0].As<Napi::Buffer<uint8_t>>();
  uint64_t first_id = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
  RecordsChecked checked = CheckRecords(bytes.Data(), bytes.Length(), first_id, UINT64_MAX);
  Napi::Object result = Napi::Object::New(env);
  result.Set("count", Napi::Number::New(env, static_cast<double>(checked.count)));
  result.Set("lastId", Napi::BigInt::New(env, checked.count == 0 ? uint64_t{0} : first_id + checked.count - 1));
  result.Set("error", checked.error == nullptr ? env.Null() : Napi::Value(Napi::String::New(env, checked.error)));
  return result;
}

/** writeRecords(to, firstId, payloads): `to` has exactly the bytes that the records need. */
static void WriteRecords(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  bool lossless = false;
  auto to = info[0].As<Napi::Buffer<uint8_t>>();
  uint64_t id = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
  auto payloads = info[2].As<Napi::Array>();
  uint8_t *at = to.Data();
  size_t room = to.Length();
  for (uint32_t i = 0; i < payloads.Length(); i++, id++) {
    Napi::HandleScope scope(env);
    auto payload = payloads.Get(i).As<Napi::Uint8Array>();
    size_t length = payload.ByteLength();
    uint64_t record_bytes = length > SEGURO_EVENT_BYTES_MAX ? UINT64_MAX : seguro_record_bytes(length);
    if (record_bytes > room) {
      throw Napi::RangeError::New(env, "the records do not fit");
    }
    if (length > 0) {  // an empty payload may lie nowhere, and memcpy takes no null
      std::memcpy(at + SEGURO_RECORD_HEADER_BYTES, payload.Data(), length);
    }
    std::memset(at + SEGURO_RECORD_HEADER_BYTES + length, 0, record_bytes - SEGURO_RECORD_HEADER_BYTES - length);
    seguro_record_header_write(at, id, at + SEGURO_RECORD_HEADER_BYTES, length);
    at += record_bytes;
    room -= record_bytes;
  }
}

void InitRecords(Napi::Env env, Napi::Object exports) {
  exports.Set("checkRecords", Napi::Function::New(env, CheckRecordsCall, "checkRecords"));
  exports.Set("writeRecords", Napi::Function::New(env, WriteRecords, "writeRecords"));
}

}  // namespace seguro
