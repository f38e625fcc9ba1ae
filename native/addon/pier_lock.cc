// pierLockHolder(path): the process that holds Vere's lock on a pier, asked of the kernel without taking the lock.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "addon.h"
#include "pier_work.h"

namespace seguro {

// 0: nobody. The first byte is what Vere locks for writing.
static Napi::Value PierLockHolder(const Napi::CallbackInfo &info) {
  std::string path = info[0].As<Napi::String>().Utf8Value();
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) {
    return Napi::Number::New(info.Env(), 0);
  }
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  int error = descriptor < 0 || fcntl(descriptor, F_GETLK, &lock) != 0 ? errno : 0;
  if (descriptor >= 0) {
    close(descriptor);
  }
  if (error != 0) {
    throw Napi::Error(info.Env(), FaultError(info.Env(), SystemFault("cannot look at the lock " + path, error)));
  }
  return Napi::Number::New(info.Env(), lock.l_type == F_UNLCK ? 0 : lock.l_pid);
}

void InitPierLock(Napi::Env env, Napi::Object exports) {
  exports.Set("pierLockHolder", Napi::Function::New(env, PierLockHolder, "pierLockHolder"));
}

}  // namespace seguro
