// A store on stock LMDB 0.9: open, commit, get, range; knows nothing of JavaScript. Commits come from one thread, reads from any.
#pragma once

#include <lmdb.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "file_lock.h"
#include "kv_failure.h"
#include "kv_store.h"

namespace seguro {

class LmdbStore : public KvStore {
 public:
  /// Locks and opens. Throws KvFailure.
  explicit LmdbStore(KvOptions options);
  ~LmdbStore() override { LmdbStore::Close(); }

  std::vector<uint8_t> Commit(const KvGroup &group) override;
  bool Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size) override;
  KvRows Range(const KvRangeRequest &request) override;
  void Walk(const KvWalk &walk, const std::function<bool(const uint8_t *value, size_t size)> &take) override;
  KvFigures Figures() override;
  void Close() override;

 private:
  friend class LmdbReader;

  void OpenEnvironment();
  int TryOpen(uint64_t map_bytes, unsigned flags);
  void RequireUsable() const;
  [[noreturn]] void CommitFailed(int rc, const char *step, size_t group_bytes);
  bool NeedsReopening();
  void Reopen();
  void Poison(const std::string &why);

  KvOptions options_;
  FileLock lock_;
  // Shared: a transaction runs. Exclusive: the environment is exchanged or closed.
  std::shared_mutex gate_;
  MDB_env *env_ = nullptr;
  MDB_dbi dbi_ = 0;
  std::atomic<bool> poisoned_{false};
  std::string poison_;
};

}  // namespace seguro
