// Memory of events on its way through JavaScript: counted, so that a store that keeps events can keep the memory they came in.
#pragma once

#include <napi.h>

#include "core_bytes.h"

namespace seguro {

/**
 * Gives the bytes to JavaScript without a copy, as a Buffer whose memory is freed when it is detached or collected and nobody has kept it
 * (src/native/kept-memory.ts). False where this build of Node allows no such buffers: then nothing has changed.
 */
bool EventMemoryToJs(napi_env env, ByteBuffer *bytes, napi_value *buffer);

}  // namespace seguro
