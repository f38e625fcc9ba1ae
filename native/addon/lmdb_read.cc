// Reads of an LMDB store, each in one short read transaction: one value, or rows packed as src/store/kv.ts says.
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "lmdb_store.h"
#include "wire/bytes.h"

namespace seguro {

/// A read transaction with an optional cursor, ended with its scope.
class LmdbStore::ReadTransaction {
 public:
  explicit ReadTransaction(MDB_env *env) {
    int rc = mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn_);
    if (rc != 0) throw LmdbFailure::From(rc, "begin a read");
  }
  ~ReadTransaction() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    mdb_txn_abort(txn_);
  }
  ReadTransaction(const ReadTransaction &) = delete;
  ReadTransaction &operator=(const ReadTransaction &) = delete;

  MDB_txn *txn() const { return txn_; }

  void OpenCursor(MDB_dbi dbi) {
    int rc = mdb_cursor_open(txn_, dbi, &cursor_);
    if (rc != 0) throw LmdbFailure::From(rc, "begin a read");
  }

  /// False when there is no such row.
  bool Move(MDB_val *key, MDB_val *value, MDB_cursor_op op) {
    int rc = mdb_cursor_get(cursor_, key, value, op);
    if (rc != 0 && rc != MDB_NOTFOUND) throw LmdbFailure::From(rc, "read a row");
    return rc == 0;
  }

 private:
  MDB_txn *txn_ = nullptr;
  MDB_cursor *cursor_ = nullptr;
};

namespace {

constexpr size_t kRowHeaderBytes = 8;

struct Row {
  MDB_val key;
  MDB_val value;
};

// LMDB compares without looking whether there is anything to compare, and an empty vector has no address.
MDB_val ValOf(const std::vector<uint8_t> &bytes) {
  static uint8_t nothing = 0;
  return MDB_val{bytes.size(), bytes.empty() ? &nothing : const_cast<uint8_t *>(bytes.data())};
}

uint8_t *Allocate(size_t size) {
  auto *bytes = static_cast<uint8_t *>(malloc(size == 0 ? 1 : size));
  if (bytes == nullptr) throw LmdbFailure::From(ENOMEM, "read " + std::to_string(size) + " bytes");
  return bytes;
}

// The pages stay mapped and unchanged while the transaction lives, so rows are first found, then copied once into memory of the right size.
LmdbRows Pack(const std::vector<Row> &rows, size_t size, bool more, const LmdbRangeRequest &request) {
  bool fits = size <= request.into_bytes;
  LmdbRows packed{fits ? request.into : Allocate(size), size, rows.size(), more, fits};
  uint8_t *at = packed.bytes;
  for (const Row &row : rows) {
    seguro_store_u32(at, static_cast<uint32_t>(row.key.mv_size));
    seguro_store_u32(at + 4, static_cast<uint32_t>(row.value.mv_size));
    memcpy(at + kRowHeaderBytes, row.key.mv_data, row.key.mv_size);
    at += kRowHeaderBytes + row.key.mv_size;
    if (row.value.mv_size > 0) memcpy(at, row.value.mv_data, row.value.mv_size);
    at += row.value.mv_size;
  }
  return packed;
}

}  // namespace

bool LmdbStore::Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size) {
  std::shared_lock lock(gate_);
  RequireUsable();
  ReadTransaction read(env_);
  MDB_val wanted = ValOf(key);
  MDB_val found{};
  int rc = mdb_get(read.txn(), dbi_, &wanted, &found);
  if (rc == MDB_NOTFOUND) return false;
  if (rc != 0) throw LmdbFailure::From(rc, "read a value");
  *value = Allocate(found.mv_size);
  *size = found.mv_size;
  if (found.mv_size > 0) memcpy(*value, found.mv_data, found.mv_size);
  return true;
}

LmdbRows LmdbStore::Range(const LmdbRangeRequest &request) {
  std::shared_lock lock(gate_);
  RequireUsable();
  ReadTransaction read(env_);
  read.OpenCursor(dbi_);
  MDB_val from = ValOf(request.from);
  MDB_val to = ValOf(request.to);
  auto inside = [&](MDB_val *key) {
    return mdb_cmp(read.txn(), dbi_, key, &from) >= 0 && mdb_cmp(read.txn(), dbi_, key, &to) < 0;
  };
  MDB_val start = request.reverse ? to : from;
  Row row{start, {}};
  bool found = read.Move(&row.key, &row.value, start.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE);
  MDB_cursor_op next = MDB_NEXT;
  if (request.reverse) {
    next = MDB_PREV;
    // The first row at or after `to`, and so one before it; or there is none, and it is the last of all.
    found = read.Move(&row.key, &row.value, found ? MDB_PREV : MDB_LAST);
  }
  std::vector<Row> rows;
  size_t size = 0;
  bool more = false;
  while (found && inside(&row.key)) {
    size_t row_bytes = kRowHeaderBytes + row.key.mv_size + row.value.mv_size;
    if (rows.size() == request.limit_rows || (!rows.empty() && size + row_bytes > request.limit_bytes)) {
      more = true;
      break;
    }
    rows.push_back(row);
    size += row_bytes;
    found = read.Move(&row.key, &row.value, next);
  }
  return Pack(rows, size, more, request);
}

LmdbFigures LmdbStore::Figures() {
  std::shared_lock lock(gate_);
  RequireUsable();
  ReadTransaction read(env_);
  MDB_stat stat{};
  MDB_envinfo info{};
  struct ::stat file {};
  int rc = mdb_stat(read.txn(), dbi_, &stat);
  if (rc == 0) rc = mdb_env_info(env_, &info);
  if (rc == 0 && ::stat((options_.dir + "/data.mdb").c_str(), &file) != 0) rc = errno;
  if (rc != 0) throw LmdbFailure::From(rc, "read the store's figures");
  return LmdbFigures{static_cast<uint64_t>(file.st_size), info.me_mapsize, stat.ms_psize, info.me_last_pgno, stat.ms_entries, stat.ms_depth,
                     stat.ms_branch_pages, stat.ms_leaf_pages, stat.ms_overflow_pages, info.me_last_txnid, info.me_numreaders};
}

}  // namespace seguro
