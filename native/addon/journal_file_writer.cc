// Each file: cut to its end, written from the overlay's memory, flushed; then its folders; then everything is read back from the device.
#include "journal_file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "journal_file_reader.h"
#include "kv_failure.h"

namespace seguro {
namespace {

/// As many as the system takes in one call.
constexpr size_t kPiecesMax = 1024;

class RunWriter {
 public:
  /// Opens the file, or makes it; a new one gets a number at or above `least`.
  RunWriter(JournalFiles &files, JournalPlan &plan, JournalRun &run, uint64_t least) : files_(files), run_(run) {
    if (run.created) {
      uint64_t number = std::max(run.id.file, least);
      file_ = files.Create(run.id.log, &number);
      if (number != run.id.file) plan.Renumber(&run, number);
    } else {
      file_ = files.OpenToWrite(run.id);
    }
  }

  void Write() {
    struct stat found {};
    if (fstat(file_->fd(), &found) != 0) Fail(errno, "look at ");
    // Left by a process that died, or by an attempt that failed.
    bool longer = static_cast<uint64_t>(found.st_size) > run_.old_end;
    if (longer && ftruncate(file_->fd(), static_cast<off_t>(run_.old_end)) != 0) Fail(errno, "cut ");
    std::vector<iovec> pieces;
    uint64_t at = run_.begin;
    for (const JournalRun::Value &value : run_.values) {
      if (value.bytes.size > 0) pieces.push_back({const_cast<uint8_t *>(value.bytes.data), value.bytes.size});
      if (pieces.size() == kPiecesMax) at = WritePieces(&pieces, at);
    }
    WritePieces(&pieces, at);
    files_.counts().written_bytes += run_.end - run_.begin;
  }

  void Flush() {
    if (fdatasync(file_->fd()) != 0) Fail(errno, "flush ");
    // What is read after this comes from the device, as far as the kernel lets go of pages.
    auto begin = static_cast<off_t>(run_.begin);
    auto size = static_cast<off_t>(run_.end - run_.begin);
    posix_fadvise(file_->fd(), begin, size, POSIX_FADV_DONTNEED);
    posix_fadvise(file_->fd(), begin, size, POSIX_FADV_WILLNEED);
  }

 private:
  uint64_t WritePieces(std::vector<iovec> *pieces, uint64_t at) {
    size_t first = 0;
    while (first < pieces->size()) {
      ssize_t wrote = pwritev(file_->fd(), pieces->data() + first, static_cast<int>(pieces->size() - first), static_cast<off_t>(at));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) Fail(wrote == 0 ? EIO : errno, "write ");
      // The device begins while the next values are gathered. A hint: the flush decides.
      sync_file_range(file_->fd(), static_cast<off64_t>(at), wrote, SYNC_FILE_RANGE_WRITE);
      at += static_cast<uint64_t>(wrote);
      for (auto left = static_cast<size_t>(wrote); left > 0;) {
        iovec &piece = (*pieces)[first];
        size_t step = std::min(left, piece.iov_len);
        piece.iov_base = static_cast<uint8_t *>(piece.iov_base) + step;
        piece.iov_len -= step;
        left -= step;
        if (piece.iov_len == 0) first++;
      }
    }
    pieces->clear();
    return at;
  }

  [[noreturn]] void Fail(int rc, const char *step) {
    // Nobody knows what of it is on the disk, whatever the page cache says.
    files_.Abandon(run_.id.file);
    throw KvFailure::From(rc, step + files_.PathOf(run_.id));
  }

  JournalFiles &files_;
  JournalRun &run_;
  std::unique_ptr<JournalFile> file_;
};

void Check(JournalFiles &files, const JournalRun &run) {
  JournalFileReader reader(files);
  try {
    for (const JournalRun::Value &value : run.values) reader.Read(value.key, value.place);
  } catch (const KvFailure &failure) {
    files.Abandon(run.id.file);
    throw KvFailure("store-failed", std::string("what was just written cannot be read back: ") + failure.what());
  }
}

/// Nothing refers to what was written: it gives its room back.
void TakeBack(JournalFiles &files, const JournalRun &run) {
  if (run.created) {
    files.Remove(run.id);
    return;
  }
  try {
    std::unique_ptr<JournalFile> file = files.OpenToWrite(run.id);
    // If not now, then before it is gone on with; and nobody reads behind the end.
    if (ftruncate(file->fd(), static_cast<off_t>(run.old_end)) != 0) return;
  } catch (const KvFailure &) {
    return;
  }
}

}  // namespace

void JournalWriteRuns(JournalFiles &files, JournalPlan &plan) {
  // Never two files of one number, in whatever folder.
  uint64_t least = 0;
  size_t begun = 0;
  std::set<std::string> created;
  try {
    for (JournalRun &run : plan.runs()) {
      RunWriter writer(files, plan, run, least);
      if (run.created) {
        least = run.id.file + 1;
        created.insert(run.id.log);
      }
      begun++;
      writer.Write();
      writer.Flush();
      Check(files, run);
    }
    files.FlushFolders(created);
  } catch (const KvFailure &) {
    for (size_t i = 0; i < begun; i++) TakeBack(files, plan.runs()[i]);
    throw;
  }
}

}  // namespace seguro
