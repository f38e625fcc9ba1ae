// freeMemory(bytes): gives a large Buffer's memory back now, instead of when the garbage collector comes by.
#include "addon.h"

namespace seguro {

static void FreeMemory(const Napi::CallbackInfo &info) {
  napi_env env = info.Env();
  napi_value buffer = nullptr;
  // Detaching leaves every view of the memory with a length of 0, so that a late reader finds nothing rather than somebody else's bytes.
  if (napi_get_typedarray_info(env, info[0], nullptr, nullptr, nullptr, &buffer, nullptr) != napi_ok ||
      napi_detach_arraybuffer(env, buffer) != napi_ok) {
    throw Napi::TypeError::New(info.Env(), "freeMemory: this memory cannot be given back");
  }
}

void InitFreeMemory(Napi::Env env, Napi::Object exports) { exports.Set("freeMemory", Napi::Function::New(env, FreeMemory, "freeMemory")); }

}  // namespace seguro
