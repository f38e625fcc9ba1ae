// The ship files of a journal's base: opened for readers, few at a time; new ones made; those that nobody needs removed when nobody reads them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "journal_file.h"

namespace seguro {

/// A file's name: what all keys of its log begin with, and its number.
struct JournalFileId {
  std::string log;
  uint64_t file = 0;
};

/// Figures for people; any thread reads them.
struct JournalFileCounts {
  std::atomic<uint64_t> event_bytes{0};      // values of filed keys that were committed
  std::atomic<uint64_t> written_bytes{0};    // to ship files
  std::atomic<uint64_t> catalogue_bytes{0};  // that the kernel counts as written by the catalogue's transactions
  std::atomic<uint64_t> files{0};
  std::atomic<uint64_t> file_bytes{0};
  std::atomic<uint64_t> abandoned{0};
};

/// `OpenToRead` and `BeginReading` are for any thread, the rest for the one that writes the base.
class JournalFiles {
 public:
  JournalFiles(std::string dir, uint64_t file_bytes);

  /// Throws KvFailure: "store-damaged" if there is no such file.
  std::shared_ptr<const JournalFile> OpenToRead(const JournalFileId &id);
  /// While it is held, no file is removed that is doomed after this.
  std::shared_ptr<const void> BeginReading();

  /// A new file under a number at or above `*number`, which becomes its number; its folders are made, and not flushed. Throws KvFailure.
  std::unique_ptr<JournalFile> Create(const std::string &log, uint64_t *number);
  /// To go on in; throws KvFailure.
  std::unique_ptr<JournalFile> OpenToWrite(const JournalFileId &id);
  /// Makes the names of new files of these logs durable, and those of their folders. Throws KvFailure.
  void FlushFolders(const std::set<std::string> &logs);

  /// A write or flush there failed: it is not written to again.
  void Abandon(uint64_t file);
  bool abandoned(uint64_t file) const { return abandoned_.contains(file); }

  /// No reader that begins from now on needs these.
  void Doom(std::vector<JournalFileId> ids);
  /// Removes what is doomed and not read any more. False: some are left.
  bool RemoveDoomed();
  /// Now, with the folders that are empty then.
  void Remove(const JournalFileId &id);

  const std::string &dir() const { return dir_; }
  std::string PathOf(const JournalFileId &id) const;
  /// A file that would grow beyond this is not gone on with.
  uint64_t file_bytes_max() const { return file_bytes_max_; }
  JournalFileCounts &counts() { return counts_; }

 private:
  struct Open {
    std::shared_ptr<const JournalFile> file;
    std::list<uint64_t>::iterator use;
  };
  struct Doomed {
    std::weak_ptr<const void> readers;
    std::vector<JournalFileId> ids;
  };

  void DropLeastUsed();

  std::string dir_;
  uint64_t file_bytes_max_;
  JournalFileCounts counts_;
  std::set<uint64_t> abandoned_;

  std::mutex mutex_;
  std::unordered_map<uint64_t, Open> open_;
  std::list<uint64_t> uses_;  // the latest first
  std::shared_ptr<const void> readers_;
  std::deque<Doomed> doomed_;
};

}  // namespace seguro
