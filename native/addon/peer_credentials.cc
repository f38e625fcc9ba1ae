// peerCredentials(fd): who is at the other end of a Unix socket, as the kernel knew it when the peer connected.
#include <napi.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "addon.h"

namespace seguro {

/** The name Node gives the error numbers that getsockopt has, so that callers can match `code` as with any system call. */
static const char *CodeOf(int number) {
  switch (number) {
    case EBADF:
      return "EBADF";
    case ENOTSOCK:
      return "ENOTSOCK";
    case ENOPROTOOPT:
      return "ENOPROTOOPT";
    case EINVAL:
      return "EINVAL";
    default:
      return "EIO";
  }
}

static Napi::Value PeerCredentials(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  int fd = info[0].As<Napi::Number>().Int32Value();
  ucred credentials = {};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    int number = errno;
    std::string text = std::string(CodeOf(number)) + ": " + std::generic_category().message(number) + ", getsockopt SO_PEERCRED";
    Napi::Error error = Napi::Error::New(env, text);
    error.Set("code", Napi::String::New(env, CodeOf(number)));
    error.Set("errno", Napi::Number::New(env, -number));
    error.Set("syscall", Napi::String::New(env, "getsockopt"));
    throw error;
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, credentials.pid));
  result.Set("uid", Napi::Number::New(env, credentials.uid));
  result.Set("gid", Napi::Number::New(env, credentials.gid));
  return result;
}

void InitPeerCredentials(Napi::Env env, Napi::Object exports) {
  exports.Set("peerCredentials", Napi::Function::New(env, PeerCredentials, "peerCredentials"));
}

}  // namespace seguro
