// Which error of LMDB or of the system means which code to a caller.
#include "kv_failure.h"

#include <lmdb.h>

#include <cerrno>

namespace seguro {

static const char *CodeOf(int rc) {
  switch (rc) {
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return "store-full";
    case EROFS:
    case EACCES:
    case EPERM:
      return "store-readonly";
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
      return "store-damaged";
    case ENOENT:
      return "store-missing";
    default:
      return "store-failed";
  }
}

KvFailure KvFailure::From(int rc, const std::string &step) { return KvFailure(CodeOf(rc), step + ": " + mdb_strerror(rc)); }

}  // namespace seguro
