// widenSendBuffer(fd, bytes): asks the kernel to hold more of what a socket sends, so that a bulk sender is woken less often.
#include <sys/socket.h>

#include "addon.h"

namespace seguro {

/** The kernel gives what its own limit allows, and memory is taken only while bytes are on their way. */
static void WidenSendBuffer(const Napi::CallbackInfo &info) {
  int fd = info[0].As<Napi::Number>().Int32Value();
  int wanted = info[1].As<Napi::Number>().Int32Value();
  int now = 0;
  socklen_t size = sizeof now;
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &now, &size) == 0 && now < wanted) {
    // A refusal leaves what was there, which works as well, only slower.
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
  }
}

void InitSendBuffer(Napi::Env env, Napi::Object exports) {
  exports.Set("widenSendBuffer", Napi::Function::New(env, WidenSendBuffer, "widenSendBuffer"));
}

}  // namespace seguro
