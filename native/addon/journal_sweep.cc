// First the catalogue's rows, then each folder against them. Only what has a ship file's name, where such a file would lie, is removed.
#include "journal_sweep.h"

#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "journal_place.h"
#include "lmdb_files.h"
#include "lmdb_reader.h"

namespace seguro {

namespace fs = std::filesystem;

/// Paths of the files that have a row.
static std::set<std::string> KnownFiles(LmdbStore &catalogue, JournalFiles &files) {
  std::set<std::string> known;
  LmdbReader reader(catalogue);
  JournalFileId id;
  for (bool on = reader.SeekFrom(JournalFileRowsBegin()); on && JournalIsFileRow(reader.key(), &id.log, &id.file); on = reader.Next()) {
    known.insert(files.PathOf(id));
    files.counts().files++;
    files.counts().file_bytes += JournalLoadFileRow(reader.key(), reader.value()).end;
  }
  return known;
}

static std::vector<fs::path> EntriesOf(const fs::path &folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) entries.push_back(it->path());
  return entries;
}

void JournalSweep(LmdbStore &catalogue, JournalFiles &files) {
  std::set<std::string> known = KnownFiles(catalogue, files);
  std::error_code error;
  if (!fs::exists(files.dir(), error)) return;
  for (const fs::path &ship : EntriesOf(files.dir())) {
    for (const fs::path &log : EntriesOf(ship)) {
      for (const fs::path &file : EntriesOf(log)) {
        if (JournalFileNumber(file.filename().string()) != 0 && !known.contains(file.string())) fs::remove(file, error);
      }
      // Only where they are empty.
      fs::remove(log, error);
    }
    fs::remove(ship, error);
  }
  // A process that was killed may have left the folder of ships where only memory has its name.
  LmdbFlushFolder(fs::path(files.dir()).parent_path().string());
}

}  // namespace seguro
