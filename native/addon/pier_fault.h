// How native pier code fails: a stable code, a sentence and a hint, turned into a JavaScript error by pier_work.h. Never event bytes.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace seguro {

struct PierFault : std::exception {
  PierFault(std::string code_, std::string text_, std::string hint_ = "")
      : code(std::move(code_)), text(std::move(text_)), hint(std::move(hint_)) {}
  const char *what() const noexcept override { return text.c_str(); }

  std::string code;
  std::string text;
  std::string hint;
};

// A failed system call: permission, a full disk and a missing file have codes of their own.
PierFault SystemFault(const std::string &what, int error_number);

}  // namespace seguro
