// Which error of the system means which kind of failure, and the sentence that names damage.
#include "journal/failure.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace seguro::journal {

const char *Failure::code() const {
  switch (kind_) {
    case FailureKind::kFull:
      return "store-full";
    case FailureKind::kReadOnly:
      return "store-readonly";
    case FailureKind::kDamaged:
      return "store-damaged";
    case FailureKind::kMissing:
      return "store-missing";
    case FailureKind::kFailed:
      break;
  }
  return "store-failed";
}

static FailureKind KindOf(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return FailureKind::kFull;
    case EROFS:
    case EACCES:
    case EPERM:
      return FailureKind::kReadOnly;
    case ENOENT:
      return FailureKind::kMissing;
    default:
      return FailureKind::kFailed;
  }
}

Failure Failure::From(int error, const std::string &step) {
  int positive = std::abs(error);
  return Failure(KindOf(positive), step + ": " + std::strerror(positive), positive);
}

static std::string Sentence(const DamageReport &report) {
  std::string text = report.file.empty() ? "journal" : report.file + " at byte " + std::to_string(report.offset_bytes);
  text += ": " + report.what + "; ";
  if (report.last_lost > report.first_lost) {
    text += "records " + std::to_string(report.first_lost) + " to " + std::to_string(report.last_lost) + " at least are lost";
  } else if (report.last_lost == report.first_lost) {
    text += "record " + std::to_string(report.first_lost) + " at least is lost";
  } else {
    text += "record " + std::to_string(report.first_lost) + " may have been there, and others behind it";
  }
  if (report.readable_last >= report.readable_first && report.readable_last != 0) {
    text += "; records " + std::to_string(report.readable_first) + " to " + std::to_string(report.readable_last) + " are whole";
  }
  return text;
}

Damage::Damage(DamageReport report) : Failure(FailureKind::kDamaged, Sentence(report)), report_(std::move(report)) {}

}  // namespace seguro::journal
