// holdFile(path, text): locks a file for the rest of the process's life, so that another process can tell whether this one lives.
#include <napi.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "addon.h"
#include "file_lock.h"

namespace seguro {

static const char *CodeOf(int number) {
  switch (number) {
    case EACCES:
      return "EACCES";
    case EISDIR:
      return "EISDIR";
    case ENOENT:
      return "ENOENT";
    case ENOSPC:
      return "ENOSPC";
    case ENOTDIR:
      return "ENOTDIR";
    case EROFS:
      return "EROFS";
    default:
      return "EIO";
  }
}

static Napi::Value HoldFile(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  std::string path = info[0].As<Napi::String>().Utf8Value();
  std::string text = info[1].As<Napi::String>().Utf8Value();
  auto lock = std::make_unique<FileLock>();
  std::string other;
  int number = lock->Acquire(path, text, &other);
  Napi::Object result = Napi::Object::New(env);
  if (number == EWOULDBLOCK) {
    result.Set("heldBy", Napi::String::New(env, other));
    return result;
  }
  struct stat found = {};
  if (number == 0 && lock->Stat(&found) != 0) number = errno;
  if (number != 0) {
    std::string what = std::string(CodeOf(number)) + ": " + std::generic_category().message(number) + ", lock '" + path + "'";
    Napi::Error error = Napi::Error::New(env, what);
    error.Set("code", Napi::String::New(env, CodeOf(number)));
    throw error;
  }
  // Never given back: the kernel does that when the process ends, however it ends.
  static_cast<void>(lock.release());
  result.Set("identity", Napi::String::New(env, std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino)));
  return result;
}

void InitHoldFile(Napi::Env env, Napi::Object exports) { exports.Set("holdFile", Napi::Function::New(env, HoldFile, "holdFile")); }

}  // namespace seguro
