// What each file of the addon registers, one function a file; called once for every environment (main thread and workers).
#pragma once

#include <napi.h>

namespace seguro {

void InitAssembler(Napi::Env env, Napi::Object exports);
void InitBench(Napi::Env env, Napi::Object exports);
void InitCrc32c(Napi::Env env, Napi::Object exports);
void InitDigestChain(Napi::Env env, Napi::Object exports);
void InitEventMemory(Napi::Env env, Napi::Object exports);
void InitFreeMemory(Napi::Env env, Napi::Object exports);
void InitHoldFile(Napi::Env env, Napi::Object exports);
void InitKeepMemory(Napi::Env env, Napi::Object exports);
void InitKvEnvironment(Napi::Env env, Napi::Object exports);
void InitPeerCredentials(Napi::Env env, Napi::Object exports);
void InitPierLock(Napi::Env env, Napi::Object exports);
void InitPierReader(Napi::Env env, Napi::Object exports);
void InitPierWriter(Napi::Env env, Napi::Object exports);
void InitRecords(Napi::Env env, Napi::Object exports);
void InitSendBuffer(Napi::Env env, Napi::Object exports);
void InitUnpack(Napi::Env env, Napi::Object exports);
void InitRepairJournal(Napi::Env env, Napi::Object exports);
void InitRingHub(Napi::Env env, Napi::Object exports);
void InitRingReplay(Napi::Env env, Napi::Object exports);

}  // namespace seguro
