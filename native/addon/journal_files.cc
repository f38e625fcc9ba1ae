// Ship files by name and number. A number is never used again, so a descriptor that is kept open can never be another file's.
#include "journal_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "journal_place.h"
#include "kv_failure.h"
#include "lmdb_files.h"

namespace seguro {

static constexpr size_t kOpenFilesMax = 128;
static constexpr uint64_t kDefaultFileBytes = uint64_t{256} << 20;
static constexpr mode_t kFolderMode = 0700;
static constexpr mode_t kFileMode = 0600;

JournalFiles::JournalFiles(std::string dir, uint64_t file_bytes)
    : dir_(std::move(dir)), file_bytes_max_(file_bytes != 0 ? file_bytes : kDefaultFileBytes), readers_(std::make_shared<int>(0)) {}

std::string JournalFiles::PathOf(const JournalFileId &id) const {
  return dir_ + "/" + JournalLogFolder(id.log) + "/" + JournalFileName(id.file);
}

std::shared_ptr<const JournalFile> JournalFiles::OpenToRead(const JournalFileId &id) {
  std::lock_guard lock(mutex_);
  auto found = open_.find(id.file);
  if (found != open_.end()) {
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second.file;
  }
  std::string path = PathOf(id);
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) {
    throw KvFailure("store-damaged", path + " is missing, and with it events of " + JournalLogText(id.log));
  }
  if (fd < 0) throw KvFailure::From(errno, "open " + path);
  auto file = std::make_shared<const JournalFile>(fd);
  if (open_.size() >= kOpenFilesMax) DropLeastUsed();
  uses_.push_front(id.file);
  open_.emplace(id.file, Open{file, uses_.begin()});
  return file;
}

void JournalFiles::DropLeastUsed() {
  // Who still reads it keeps it open.
  open_.erase(uses_.back());
  uses_.pop_back();
}

std::shared_ptr<const void> JournalFiles::BeginReading() {
  std::lock_guard lock(mutex_);
  return readers_;
}

std::unique_ptr<JournalFile> JournalFiles::Create(const std::string &log, uint64_t *number) {
  for (const std::string &folder : {dir_, dir_ + "/" + JournalShipFolder(log), dir_ + "/" + JournalLogFolder(log)}) {
    if (mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) throw KvFailure::From(errno, "create the folder " + folder);
  }
  for (;; (*number)++) {
    std::string path = PathOf({log, *number});
    int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode);
    if (fd >= 0) return std::make_unique<JournalFile>(fd);
    // Left by an earlier process, and it could not be removed.
    if (errno != EEXIST) throw KvFailure::From(errno, "create " + path);
  }
}

std::unique_ptr<JournalFile> JournalFiles::OpenToWrite(const JournalFileId &id) {
  std::string path = PathOf(id);
  int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) throw KvFailure::From(errno, "open " + path);
  return std::make_unique<JournalFile>(fd);
}

void JournalFiles::FlushFolders(const std::set<std::string> &logs) {
  if (logs.empty()) return;
  // Also where a folder was there: a process killed between making and flushing it leaves a name that only memory has.
  std::set<std::string> folders{dir_, dir_.substr(0, dir_.rfind('/'))};
  for (const std::string &log : logs) folders.insert({dir_ + "/" + JournalLogFolder(log), dir_ + "/" + JournalShipFolder(log)});
  for (const std::string &folder : folders) LmdbFlushFolder(folder);
}

void JournalFiles::Abandon(uint64_t file) {
  if (abandoned_.insert(file).second) counts_.abandoned++;
}

void JournalFiles::Doom(std::vector<JournalFileId> ids) {
  std::lock_guard lock(mutex_);
  doomed_.push_back({readers_, std::move(ids)});
  // Those that begin later are another generation, and are not waited for.
  readers_ = std::make_shared<int>(0);
}

bool JournalFiles::RemoveDoomed() {
  for (;;) {
    std::vector<JournalFileId> ids;
    {
      std::lock_guard lock(mutex_);
      if (doomed_.empty()) return true;
      // In order: earlier generations of readers need the later files too.
      if (!doomed_.front().readers.expired()) return false;
      ids = std::move(doomed_.front().ids);
      doomed_.pop_front();
    }
    for (const JournalFileId &id : ids) Remove(id);
  }
}

void JournalFiles::Remove(const JournalFileId &id) {
  {
    std::lock_guard lock(mutex_);
    auto found = open_.find(id.file);
    if (found != open_.end()) {
      uses_.erase(found->second.use);
      open_.erase(found);
    }
  }
  abandoned_.erase(id.file);
  // What cannot be removed now is without a row, and so removed after the next opening.
  unlink(PathOf(id).c_str());
  rmdir((dir_ + "/" + JournalLogFolder(id.log)).c_str());
  rmdir((dir_ + "/" + JournalShipFolder(id.log)).c_str());
}

}  // namespace seguro
