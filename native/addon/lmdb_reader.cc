// Reads of LMDB with its own cursor.
#include "lmdb_reader.h"

namespace seguro {

// LMDB compares without looking whether there is anything to compare, and an empty slice may have no address.
static MDB_val ValOf(const KvSlice &slice) {
  static uint8_t nothing = 0;
  return MDB_val{slice.size, slice.size == 0 ? &nothing : const_cast<uint8_t *>(slice.data)};
}

LmdbReader::LmdbReader(LmdbStore &store) : gate_(store.gate_), dbi_(store.dbi_) {
  store.RequireUsable();
  int rc = mdb_txn_begin(store.env_, nullptr, MDB_RDONLY, &txn_);
  if (rc != 0) throw KvFailure::From(rc, "begin a read");
}

LmdbReader::~LmdbReader() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  mdb_txn_abort(txn_);
}

bool LmdbReader::Get(const KvSlice &key, KvSlice *value) const {
  MDB_val wanted = ValOf(key);
  MDB_val found{};
  int rc = mdb_get(txn_, dbi_, &wanted, &found);
  if (rc != 0 && rc != MDB_NOTFOUND) throw KvFailure::From(rc, "read a value");
  *value = {static_cast<const uint8_t *>(found.mv_data), found.mv_size};
  return rc == 0;
}

bool LmdbReader::Move(MDB_cursor_op op) {
  if (cursor_ == nullptr) {
    int rc = mdb_cursor_open(txn_, dbi_, &cursor_);
    if (rc != 0) throw KvFailure::From(rc, "begin a read");
  }
  int rc = mdb_cursor_get(cursor_, &key_, &value_, op);
  if (rc != 0 && rc != MDB_NOTFOUND) throw KvFailure::From(rc, "read a row");
  return rc == 0;
}

bool LmdbReader::SeekFrom(const KvSlice &key) {
  key_ = ValOf(key);
  return Move(key.size == 0 ? MDB_FIRST : MDB_SET_RANGE);
}

bool LmdbReader::SeekBefore(const KvSlice &key) { return Move(SeekFrom(key) ? MDB_PREV : MDB_LAST); }

}  // namespace seguro
