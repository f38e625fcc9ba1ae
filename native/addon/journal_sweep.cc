// First the catalogue's rows, then each folder against them. Only what has a ship file's name, where such a file would lie, is touched.
#include "journal_sweep.h"

#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "journal_place.h"
#include "lmdb_files.h"
#include "lmdb_reader.h"

namespace seguro {

namespace fs = std::filesystem;

/// Of the files that have a row, their paths and ends.
static std::map<std::string, uint64_t> KnownFiles(LmdbStore &catalogue, JournalFiles &files) {
  std::map<std::string, uint64_t> known;
  LmdbReader reader(catalogue);
  JournalFileId id;
  for (bool on = reader.SeekFrom(JournalFileRowsBegin()); on && JournalIsFileRow(reader.key(), &id.log, &id.file); on = reader.Next()) {
    uint64_t end = JournalLoadFileRow(reader.key(), reader.value()).end;
    known.emplace(files.PathOf(id), end);
    files.counts().files++;
    files.counts().file_bytes += end;
  }
  return known;
}

static std::vector<fs::path> EntriesOf(const fs::path &folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) entries.push_back(it->path());
  return entries;
}

static void SweepFile(const fs::path &file, const std::map<std::string, uint64_t> &known) {
  std::error_code error;
  if (JournalFileNumber(file.filename().string()) == 0) return;
  auto found = known.find(file.string());
  if (found == known.end()) {
    fs::remove(file, error);
    return;
  }
  uint64_t size = fs::file_size(file, error);
  if (!error && size > found->second) fs::resize_file(file, found->second, error);
}

void JournalSweep(LmdbStore &catalogue, JournalFiles &files) {
  std::map<std::string, uint64_t> known = KnownFiles(catalogue, files);
  std::error_code error;
  if (!fs::exists(files.dir(), error)) return;
  for (const fs::path &ship : EntriesOf(files.dir())) {
    for (const fs::path &log : EntriesOf(ship)) {
      for (const fs::path &file : EntriesOf(log)) SweepFile(file, known);
      // Only where they are empty.
      fs::remove(log, error);
    }
    fs::remove(ship, error);
  }
  // A process that was killed may have left the folder of ships where only memory has its name.
  LmdbFlushFolder(fs::path(files.dir()).parent_path().string());
}

}  // namespace seguro
