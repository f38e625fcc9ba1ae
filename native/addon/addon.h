// What each file of the addon registers, one function a file; called once for every environment (main thread and workers).
#pragma once

#include <napi.h>

namespace seguro {

void InitCrc32c(Napi::Env env, Napi::Object exports);
void InitLmdbEnvironment(Napi::Env env, Napi::Object exports);

}  // namespace seguro
