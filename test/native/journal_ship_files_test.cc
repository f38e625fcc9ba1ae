// Ship files whose disk fails: one flush, all of them, no room, bytes that read back otherwise, a file cut; and files that a snapshot still reads.
// The system's calls are wrapped at link time.
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "check.h"
#include "journal_base_writer.h"
#include "journal_place.h"
#include "journal_snapshot.h"

namespace {

namespace fs = std::filesystem;
using namespace seguro;

/// How often calls on files whose names end so fail from now on.
struct Fault {
  std::string suffix;
  int code = 0;
  int count = 0;
};
Fault flush_fault;
Fault write_fault;
Fault read_fault;  // `code` says nothing: a bit is flipped

bool Hit(Fault &fault, int fd) {
  if (fault.count == 0) return false;
  std::error_code error;
  std::string path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), error).string();
  if (!path.ends_with(fault.suffix)) return false;
  fault.count--;
  errno = fault.code;
  return true;
}

}  // namespace

extern "C" {
int __real_fdatasync(int fd);
ssize_t __real_pwritev(int fd, const iovec *pieces, int count, off_t offset);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
int __wrap_fdatasync(int fd) { return Hit(flush_fault, fd) ? -1 : __real_fdatasync(fd); }
ssize_t __wrap_pwritev(int fd, const iovec *pieces, int count, off_t offset) {
  return Hit(write_fault, fd) ? -1 : __real_pwritev(fd, pieces, count, offset);
}
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  return Hit(write_fault, fd) ? -1 : __real_pwrite(fd, bytes, size, offset);
}
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset) {
  ssize_t got = __real_pread(fd, bytes, size, offset);
  if (got > 0 && Hit(read_fault, fd)) static_cast<uint8_t *>(bytes)[got / 2] ^= 4;
  return got;
}
}

namespace {

const std::string kLog = std::string("\x03\x01", 2) + std::string(19, '\0') + '\1';

KvSlice SliceOf(const std::string &text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }
std::string KeyOf(int n) { return kLog + "b" + std::string(7, '\0') + static_cast<char>(n); }
std::string ValueOf(int n) { return std::string(3000, static_cast<char>('a' + n)); }

/// A base to which overlays are given.
class Base {
 public:
  Base() : files_(dir_ + "/ships", 0), store_(Options(dir_)) {}
  ~Base() {
    store_.Close();
    fs::remove_all(dir_);
  }

  JournalView Put(int from, int count) {
    auto overlay = std::make_shared<JournalOverlay>();
    for (int n = from; n < from + count; n++) {
      std::string key = KeyOf(n);
      std::string value = ValueOf(n);
      overlay->Apply({KvWrite::kPut, SliceOf(key), {}, {SliceOf(value)}});
    }
    return {overlay, overlay->moment()};
  }
  /// "" or the code of what went wrong.
  std::string Write(const JournalView &view) {
    try {
      writer_.Write(store_, view, {7, ++sequence_});
      return "";
    } catch (const KvFailure &failure) {
      return failure.code();
    }
  }
  void Forget() {
    auto overlay = std::make_shared<JournalOverlay>();
    std::string end = kLog;
    end.back()++;
    overlay->Apply({KvWrite::kDeleteRange, SliceOf(kLog), SliceOf(end), {}});
    CHECK(Write({overlay, overlay->moment()}) == "");
  }
  std::unique_ptr<JournalSnapshot> Look() {
    std::unique_lock lock(mutex_);
    auto overlay = std::make_shared<JournalOverlay>();
    return std::make_unique<JournalSnapshot>(lock, JournalViews{{overlay, overlay->moment()}, {}}, store_, files_);
  }
  void Check(JournalSnapshot &snapshot, int count) {
    for (int n = 0; n < count; n++) {
      std::string key = KeyOf(n);
      JournalFound found;
      CHECK(snapshot.Get(SliceOf(key), &found) && found.in_file);
      for (KvSlice value : {snapshot.Load(SliceOf(key), found), snapshot.Show(SliceOf(key), found)}) {
        CHECK(std::string(reinterpret_cast<const char *>(value.data), value.size) == ValueOf(n));
      }
    }
  }
  void Check(int count) { Check(*Look(), count); }
  std::vector<fs::path> Files() {
    std::vector<fs::path> found;
    if (!fs::exists(files_.dir())) return found;
    for (const auto &entry : fs::recursive_directory_iterator(files_.dir())) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  JournalFiles &files() { return files_; }

 private:
  static std::string Folder() {
    std::string dir = "/tmp/seguro-ships-XXXXXX";
    CHECK(mkdtemp(dir.data()) != nullptr);
    return dir;
  }
  static KvOptions Options(const std::string &dir) {
    KvOptions options;
    options.dir = dir + "/base";
    options.map_bytes = uint64_t{1} << 30;
    options.journal_base = true;
    return options;
  }

  std::string dir_ = Folder();
  JournalFiles files_;
  JournalBaseWriter writer_{files_};
  LmdbStore store_;
  std::mutex mutex_;
  uint64_t sequence_ = 0;
};

void AFileWhoseFlushFailsIsGivenUp() {
  Base base;
  CHECK(base.Write(base.Put(0, 5)) == "");
  auto size = fs::file_size(base.Files().at(0));
  flush_fault = {".blocks", EIO, 1};
  CHECK(base.Write(base.Put(5, 5)) == "");
  CHECK_EQUAL(base.Files().size(), 2u);
  CHECK_EQUAL(fs::file_size(base.Files().at(0)), size);
  CHECK_EQUAL(base.files().counts().abandoned, 1u);
  CHECK(base.Write(base.Put(10, 5)) == "");
  CHECK_EQUAL(base.Files().size(), 2u);
  CHECK_EQUAL(fs::file_size(base.Files().at(0)), size);
  base.Check(15);
}

void WhenItFailsAgainNothingIsReferredTo() {
  Base base;
  CHECK(base.Write(base.Put(0, 5)) == "");
  JournalView view = base.Put(5, 5);
  flush_fault = {".blocks", EIO, 2};
  CHECK(base.Write(view) == "store-failed");
  base.Check(5);
  CHECK_EQUAL(base.Files().size(), 1u);
  CHECK(base.Write(view) == "");
  base.Check(10);
}

void WhatReadsBackOtherwiseIsWrittenAgain() {
  Base base;
  read_fault = {".blocks", 0, 1};
  CHECK(base.Write(base.Put(0, 5)) == "");
  CHECK_EQUAL(base.files().counts().abandoned, 1u);
  CHECK_EQUAL(base.Files().size(), 1u);
  base.Check(5);
}

void WithoutRoomFilesAreCutBack() {
  Base base;
  CHECK(base.Write(base.Put(0, 5)) == "");
  auto size = fs::file_size(base.Files().at(0));
  JournalView view = base.Put(5, 5);
  write_fault = {".blocks", ENOSPC, 1};
  CHECK(base.Write(view) == "store-full");
  CHECK_EQUAL(base.Files().size(), 1u);
  CHECK_EQUAL(fs::file_size(base.Files().at(0)), size);
  CHECK(base.Write(view) == "");
  base.Check(10);
}

void WithoutRoomInTheCatalogueFilesAreKeptAndNotWrittenAgain() {
  Base base;
  JournalView view = base.Put(0, 5);
  write_fault = {"data.mdb", ENOSPC, 1};
  CHECK(base.Write(view) == "store-full");
  uint64_t written = base.files().counts().written_bytes;
  CHECK(written > 0 && base.Files().size() == 1);
  CHECK(base.Write(view) == "");
  CHECK_EQUAL(base.files().counts().written_bytes, written);
  base.Check(5);
}

void AFileThatWasCutIsDamageAndEndsNoProcess() {
  Base base;
  CHECK(base.Write(base.Put(0, 40)) == "");
  std::unique_ptr<JournalSnapshot> snapshot = base.Look();
  base.Check(*snapshot, 3);
  fs::resize_file(base.Files().at(0), 50'000);
  std::unique_ptr<JournalSnapshot> another = base.Look();
  for (bool show : {false, true}) {
    std::string key = KeyOf(30);
    JournalFound found;
    CHECK(another->Get(SliceOf(key), &found));
    std::string code;
    try {
      show ? another->Show(SliceOf(key), found) : another->Load(SliceOf(key), found);
    } catch (const KvFailure &failure) {
      code = failure.code();
      CHECK(std::string(failure.what()).find(base.Files().at(0).string()) != std::string::npos);
    }
    CHECK(code == "store-damaged");
  }
  base.Check(10);
  // What comes next goes elsewhere.
  CHECK(base.Write(base.Put(40, 2)) == "");
  CHECK_EQUAL(base.Files().size(), 2u);
}

void ASnapshotKeepsItsFiles() {
  Base base;
  CHECK(base.Write(base.Put(0, 5)) == "");
  std::unique_ptr<JournalSnapshot> snapshot = base.Look();
  base.Forget();
  std::unique_ptr<JournalSnapshot> later = base.Look();
  CHECK(!base.files().RemoveDoomed());
  base.Check(*snapshot, 5);
  snapshot.reset();
  CHECK(base.files().RemoveDoomed());
  CHECK(fs::is_empty(base.files().dir()));
  CHECK(base.Write(base.Put(0, 2)) == "");
  base.Check(2);
  CHECK(base.Files().at(0).filename() == "0000000002.blocks");
}

}  // namespace

int main() {
  RUN(AFileWhoseFlushFailsIsGivenUp);
  RUN(WhenItFailsAgainNothingIsReferredTo);
  RUN(WhatReadsBackOtherwiseIsWrittenAgain);
  RUN(WithoutRoomFilesAreCutBack);
  RUN(WithoutRoomInTheCatalogueFilesAreKeptAndNotWrittenAgain);
  RUN(AFileThatWasCutIsDamageAndEndsNoProcess);
  RUN(ASnapshotKeepsItsFiles);
  return 0;
}
