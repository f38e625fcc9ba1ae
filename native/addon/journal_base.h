// The mark of a journal's base: how far it reaches, in the catalogue, written in the same transaction as what it speaks of.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kv_group.h"
#include "lmdb_store.h"

namespace seguro {

/// The base's own row. Its key is longer than any caller's and greater than any bound, so no caller ever sees it.
struct JournalMark {
  uint64_t log_id = 0;     // of the commit log that belongs to this base
  uint64_t sequence = 0;   // every record up to here is in the base
  uint64_t next_file = 1;  // no ship file has had this number, or one above it
};

/// False in a base that has never had one. Throws KvFailure, "store-newer" or "store-older" for a format of other versions.
bool JournalReadMark(LmdbStore &base, JournalMark *mark);

/// The write that sets it; `memory` has kJournalMarkBytes, and is referred to.
KvWrite JournalMarkWrite(const JournalMark &mark, uint8_t *memory);
constexpr size_t kJournalMarkBytes = 32;

/// Whether an LMDB store is the base of a journal, to keep others from writing to it.
bool JournalIsBase(LmdbStore &store);

}  // namespace seguro
