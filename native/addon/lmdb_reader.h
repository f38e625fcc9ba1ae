// One read transaction of an LMDB store, with one cursor: a snapshot whose values lie in the store's pages until it ends.
#pragma once

#include <lmdb.h>

#include <shared_mutex>

#include "kv_group.h"
#include "lmdb_store.h"

namespace seguro {

/// Any thread, one at a time. While it lives the store reuses no page and cannot be closed. Throws KvFailure.
class LmdbReader {
 public:
  explicit LmdbReader(LmdbStore &store);
  ~LmdbReader();
  LmdbReader(const LmdbReader &) = delete;
  LmdbReader &operator=(const LmdbReader &) = delete;

  /// False if the key is absent. The cursor stays where it is.
  bool Get(const KvSlice &key, KvSlice *value) const;

  // The cursor: each says whether it stands on a row then.
  bool SeekFrom(const KvSlice &key);    // the first row at or after it
  bool SeekBefore(const KvSlice &key);  // the last row before it
  bool Next() { return Move(MDB_NEXT); }
  bool Previous() { return Move(MDB_PREV); }

  KvSlice key() const { return {static_cast<const uint8_t *>(key_.mv_data), key_.mv_size}; }
  KvSlice value() const { return {static_cast<const uint8_t *>(value_.mv_data), value_.mv_size}; }

  MDB_txn *transaction() const { return txn_; }

 private:
  bool Move(MDB_cursor_op op);

  std::shared_lock<std::shared_mutex> gate_;
  MDB_dbi dbi_;
  MDB_txn *txn_ = nullptr;
  MDB_cursor *cursor_ = nullptr;
  MDB_val key_{};
  MDB_val value_{};
};

}  // namespace seguro
