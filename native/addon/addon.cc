// The addon's entry: what JavaScript sees of the native code. One class or verb a file; state is per environment, so workers work.
#include "addon.h"

namespace seguro {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  InitAssembler(env, exports);
  InitBench(env, exports);
  InitCrc32c(env, exports);
  InitDigestChain(env, exports);
  InitEventMemory(env, exports);
  InitFreeMemory(env, exports);
  InitHoldFile(env, exports);
  InitKeepMemory(env, exports);
  InitKvEnvironment(env, exports);
  InitPeerCredentials(env, exports);
  InitPierLock(env, exports);
  InitPierReader(env, exports);
  InitPierWriter(env, exports);
  InitRecords(env, exports);
  InitSendBuffer(env, exports);
  InitUnpack(env, exports);
  InitRepairJournal(env, exports);
  InitRingHub(env, exports);
  InitRingReplay(env, exports);
  return exports;
}

NODE_API_MODULE(seguro, Init)

}  // namespace seguro
