// What went wrong in an embedded engine, with the code of src/store/errors.ts that it means to a caller.
#pragma once

#include <stdexcept>
#include <string>

namespace seguro {

class KvFailure : public std::runtime_error {
 public:
  KvFailure(const char *code, const std::string &message) : std::runtime_error(message), code_(code) {}

  /// "store-full", "store-failed", ...
  const char *code() const { return code_; }

  /// A failure of LMDB or of the system (`rc` as LMDB returns it: negative, or an errno), while doing `step`.
  static KvFailure From(int rc, const std::string &step);

 private:
  const char *code_;
};

}  // namespace seguro
