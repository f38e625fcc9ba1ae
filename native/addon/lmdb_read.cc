// Reads of an LMDB store, each in one short read transaction.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "kv_rows.h"
#include "lmdb_reader.h"
#include "lmdb_store.h"

namespace seguro {

static KvSlice SliceOf(const std::vector<uint8_t> &bytes) { return {bytes.data(), bytes.size()}; }

bool LmdbStore::Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size) {
  LmdbReader reader(*this);
  KvSlice found{};
  if (!reader.Get(SliceOf(key), &found)) return false;
  *value = KvAllocate(found.size);
  *size = found.size;
  if (found.size > 0) memcpy(*value, found.data, found.size);
  return true;
}

KvRows LmdbStore::Range(const KvRangeRequest &request) {
  LmdbReader reader(*this);
  KvSlice from = SliceOf(request.from);
  KvSlice to = SliceOf(request.to);
  KvRowCollector rows(request);
  auto inside = [&] { return KvCompare(reader.key(), from) >= 0 && KvCompare(reader.key(), to) < 0; };
  bool found = request.reverse ? reader.SeekBefore(to) : reader.SeekFrom(from);
  while (found && inside() && rows.Take(reader.key(), reader.value())) found = request.reverse ? reader.Previous() : reader.Next();
  return rows.Pack();
}

void LmdbStore::Walk(const KvWalk &walk, const std::function<bool(const uint8_t *value, size_t size)> &take) {
  LmdbReader reader(*this);
  KvSlice start = SliceOf(walk.start);
  bool found = reader.SeekFrom(start);
  if (!found || KvCompare(reader.key(), start) != 0) {
    found = reader.SeekBefore(start) && KvCompare(reader.key(), SliceOf(walk.low)) >= 0;
  }
  while (found && KvCompare(reader.key(), SliceOf(walk.end)) < 0) {
    if (!take(reader.value().data, reader.value().size)) return;
    found = reader.Next();
  }
}

KvFigures LmdbStore::Figures() {
  LmdbReader reader(*this);
  MDB_stat stat{};
  MDB_envinfo info{};
  struct ::stat file {};
  int rc = mdb_stat(reader.transaction(), dbi_, &stat);
  if (rc == 0) rc = mdb_env_info(env_, &info);
  if (rc == 0 && ::stat((options_.dir + "/data.mdb").c_str(), &file) != 0) rc = errno;
  if (rc != 0) throw KvFailure::From(rc, "read the store's figures");
  return {
      {"fileBytes", static_cast<uint64_t>(file.st_size)},
      {"mapBytes", info.me_mapsize},
      {"pageBytes", stat.ms_psize},
      {"lastPage", info.me_last_pgno},
      {"entries", stat.ms_entries},
      {"depth", stat.ms_depth},
      {"branchPages", stat.ms_branch_pages},
      {"leafPages", stat.ms_leaf_pages},
      {"overflowPages", stat.ms_overflow_pages},
      {"lastTransaction", info.me_last_txnid},
      {"readerSlots", info.me_numreaders},
  };
}

}  // namespace seguro
