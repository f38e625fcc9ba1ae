// A group of commits in one write transaction of LMDB: checks judged inside it, values gathered straight into the pages.
#include <cerrno>
#include <cstring>

#include "lmdb_store.h"

namespace seguro {
namespace {

// LMDB compares without looking whether there is anything to compare, and an empty buffer of JavaScript has no address.
MDB_val ValOf(const KvSlice &slice) {
  static uint8_t nothing = 0;
  return MDB_val{slice.size, slice.size == 0 ? &nothing : const_cast<uint8_t *>(slice.data)};
}

// Each function returns LMDB's code: exceptions stay out of the transaction, so that there is one place that ends it.

int Judge(MDB_txn *txn, MDB_dbi dbi, const KvMember &member, bool *holds) {
  *holds = true;
  for (const KvCheck &check : member.checks) {
    MDB_val key = ValOf(check.key);
    MDB_val value{};
    int rc = mdb_get(txn, dbi, &key, &value);
    if (rc != 0 && rc != MDB_NOTFOUND) return rc;
    bool present = rc == 0;
    bool equal = present == check.present;
    if (equal && present) {
      equal = value.mv_size == check.value.size && (value.mv_size == 0 || memcmp(value.mv_data, check.value.data, value.mv_size) == 0);
    }
    if (!equal) {
      *holds = false;
      return 0;
    }
  }
  return 0;
}

int Put(MDB_txn *txn, MDB_dbi dbi, const KvWrite &write) {
  MDB_val key = ValOf(write.key);
  MDB_val value{};
  for (const KvSlice &piece : write.pieces) value.mv_size += piece.size;
  int rc = mdb_put(txn, dbi, &key, &value, MDB_RESERVE);
  if (rc != 0) return rc;
  auto *at = static_cast<uint8_t *>(value.mv_data);
  for (const KvSlice &piece : write.pieces) {
    if (piece.size == 0) continue;
    memcpy(at, piece.data, piece.size);
    at += piece.size;
  }
  return 0;
}

int DeleteRange(MDB_txn *txn, MDB_dbi dbi, const KvWrite &write) {
  MDB_cursor *cursor = nullptr;
  int rc = mdb_cursor_open(txn, dbi, &cursor);
  if (rc != 0) return rc;
  MDB_val to = ValOf(write.to);
  MDB_val key = ValOf(write.key);
  MDB_val value{};
  rc = mdb_cursor_get(cursor, &key, &value, key.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE);
  while (rc == 0 && mdb_cmp(txn, dbi, &key, &to) < 0) {
    rc = mdb_cursor_del(cursor, 0);
    if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  mdb_cursor_close(cursor);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

int Apply(MDB_txn *txn, MDB_dbi dbi, const KvWrite &write) {
  if (write.kind == KvWrite::kPut) return Put(txn, dbi, write);
  if (write.kind == KvWrite::kDeleteRange) return DeleteRange(txn, dbi, write);
  MDB_val key = ValOf(write.key);
  int rc = mdb_del(txn, dbi, &key, nullptr);
  return rc == MDB_NOTFOUND ? 0 : rc;
}

int ApplyGroup(MDB_txn *txn, MDB_dbi dbi, const KvGroup &group, std::vector<uint8_t> *outcomes, bool *wrote) {
  for (const KvMember &member : group) {
    bool holds = false;
    int rc = Judge(txn, dbi, member, &holds);
    if (rc != 0) return rc;
    outcomes->push_back(holds ? 1 : 0);
    if (!holds) continue;
    for (const KvWrite &write : member.writes) {
      rc = Apply(txn, dbi, write);
      if (rc != 0) return rc;
      *wrote = true;
    }
  }
  return 0;
}

size_t BytesOf(const KvGroup &group) {
  size_t bytes = 0;
  for (const KvMember &member : group) {
    for (const KvWrite &write : member.writes) {
      bytes += write.key.size;
      for (const KvSlice &piece : write.pieces) bytes += piece.size;
    }
  }
  return bytes;
}

}  // namespace

std::vector<uint8_t> LmdbStore::Commit(const KvGroup &group) {
  std::vector<uint8_t> outcomes;
  const char *step = "begin a commit";
  int rc;
  {
    std::shared_lock lock(gate_);
    RequireUsable();
    if (options_.read_only) throw KvFailure("store-readonly", "the store was opened for reading");
    MDB_txn *txn = nullptr;
    bool wrote = false;
    rc = mdb_txn_begin(env_, nullptr, 0, &txn);
    if (rc == 0) {
      step = "write a commit";
      rc = ApplyGroup(txn, dbi_, group, &outcomes, &wrote);
      if (rc != 0 || !wrote) {
        mdb_txn_abort(txn);
      } else {
        step = "flush a commit";
        rc = mdb_txn_commit(txn);
      }
    }
  }
  if (rc != 0) CommitFailed(rc, step, BytesOf(group));
  return outcomes;
}

}  // namespace seguro
