// crc32c(bytes, start = 0): the checksum of records, frames and block headers, for TypeScript that writes single frames.
#include "wire/crc32c.h"

#include "addon.h"

namespace seguro {

static Napi::Value Crc32c(const Napi::CallbackInfo &info) {
  auto bytes = info[0].As<Napi::Uint8Array>();
  uint32_t start = info.Length() > 1 ? info[1].As<Napi::Number>().Uint32Value() : 0;
  return Napi::Number::New(info.Env(), seguro_crc32c(start, bytes.Data(), bytes.ByteLength()));
}

void InitCrc32c(Napi::Env env, Napi::Object exports) { exports.Set("crc32c", Napi::Function::New(env, Crc32c, "crc32c")); }

}  // namespace seguro
