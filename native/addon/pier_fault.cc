// The codes of failed system calls.
#include "pier_fault.h"

#include <cerrno>
#include <cstring>

namespace seguro {

PierFault SystemFault(const std::string &what, int error_number) {
  std::string text = what + ": " + std::strerror(error_number);
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return {"pier-missing", text, "check the path"};
    case EACCES:
    case EPERM:
    case EROFS:
      return {"pier-permission", text, "run as the user that owns the pier"};
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {"pier-full", text, "make room on that disk and try again"};
    case EIO:
      return {"pier-damaged", text, "the disk failed to read or write; look at the kernel's log"};
    default:
      return {"pier-io", text, ""};
  }
}

}  // namespace seguro
