// keepFreedMemory(bytes): lets the process keep so much freed memory for its next blocks, instead of giving each one's pages back.
#include <malloc.h>

#include "addon.h"

namespace seguro {

#ifdef __GLIBC__
/** Blocks up to this come from the heap and go back to it; above, each is mapped afresh. The greatest that glibc takes everywhere. */
constexpr int kHeapBlockBytes = 32 << 20;
#endif

static void KeepFreedMemory(const Napi::CallbackInfo &info) {
  [[maybe_unused]] int bytes = info[0].As<Napi::Number>().Int32Value();
#ifdef __GLIBC__
  // Each fault of a fresh page costs microseconds in a virtual machine; at a gigabyte of events a second they are half of the work.
  mallopt(M_MMAP_THRESHOLD, kHeapBlockBytes);
  mallopt(M_TRIM_THRESHOLD, bytes);
#endif
}

void InitKeepMemory(Napi::Env env, Napi::Object exports) {
  exports.Set("keepFreedMemory", Napi::Function::New(env, KeepFreedMemory, "keepFreedMemory"));
}

}  // namespace seguro
