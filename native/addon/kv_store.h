// What an embedded engine offers to the N-API classes above it (src/store/kv.ts says what each call promises); knows nothing of JavaScript.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kv_group.h"

namespace seguro {

struct KvOptions {
  std::string dir;
  std::string holder;  // what the lock file says about us
  uint64_t map_bytes = 0;
  bool create = true;
  bool read_only = false;
  // Of the journal: memory of one overlay when it begins to go into the base, and the size of new segments (0: the log's default).
  uint64_t overlay_bytes = 0;
  uint64_t segment_bytes = 0;
  // Of the journal, beside `read_only`: where its commit log is damaged, what lies before the damage is shown.
  bool before_damage = false;
  // And the size beyond which a ship file is not gone on with (0: 256 MiB).
  uint64_t ship_file_bytes = 0;
  // Of LMDB: this is the base of a journal, which nobody else may open.
  bool journal_base = false;
};

struct KvRangeRequest {
  std::vector<uint8_t> from;
  std::vector<uint8_t> to;
  uint64_t limit_rows = 0;
  uint64_t limit_bytes = 0;
  bool reverse = false;
  // Memory for the rows if they fit; the caller's, and left alone otherwise.
  uint8_t *into = nullptr;
  size_t into_bytes = 0;
};

/// Rows as src/store/kv.ts packs them. The memory is the request's (`borrowed`), or from malloc, so that it can be handed to JavaScript as it is.
struct KvRows {
  uint8_t *bytes = nullptr;
  size_t size = 0;
  uint64_t count = 0;
  bool more = false;
  bool borrowed = false;
};

/// Values from the greatest key at or below `start` on (but none below `low`), up to the first key at or above `end`.
struct KvWalk {
  std::vector<uint8_t> low;
  std::vector<uint8_t> start;
  std::vector<uint8_t> end;
};

/// Figures for people, by the names that src/store/kv.ts `stats` gives them.
using KvFigures = std::vector<std::pair<const char *, uint64_t>>;

/// Commits come from one thread, reads from any. Every call throws KvFailure.
class KvStore {
 public:
  KvStore() = default;
  virtual ~KvStore() = default;
  KvStore(const KvStore &) = delete;
  KvStore &operator=(const KvStore &) = delete;

  /// Applies the group; one outcome a member, 1 = committed. Returns after the flush. When it throws, nothing is known.
  virtual std::vector<uint8_t> Commit(const KvGroup &group) = 0;
  /// False if the key is absent. `value` is malloc'ed.
  virtual bool Get(const std::vector<uint8_t> &key, uint8_t **value, size_t *size) = 0;
  virtual KvRows Range(const KvRangeRequest &request) = 0;
  /// Shows values where they lie, from one snapshot, until `take` says false: it must be quick, because the store reuses no page meanwhile. The store
  /// need not check them: `take` does, by the checksums of blocks, and has `Range` say what is wrong.
  virtual void Walk(const KvWalk &walk, const std::function<bool(const uint8_t *value, size_t size)> &take) = 0;
  virtual KvFigures Figures() = 0;
  /// Waits for reads under way. Nothing may be called after it but itself.
  virtual void Close() = 0;
};

}  // namespace seguro
