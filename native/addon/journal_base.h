// The base of a journal store: an LMDB store that holds whole generations of overlays, and says in the same transaction how far it reaches.
#pragma once

#include <cstdint>
#include <string>

#include "journal_overlay.h"
#include "lmdb_store.h"

namespace seguro {

/// The base's own row. Its key is longer than any caller's and greater than any bound, so no caller ever sees it.
struct JournalMark {
  uint64_t log_id = 0;    // of the commit log that belongs to this base
  uint64_t sequence = 0;  // every record up to here is in the base
};

/// False in a base that has never had one. Throws KvFailure, "store-newer" for a format of later versions.
bool JournalReadMark(LmdbStore &base, JournalMark *mark);

/// Writes what the view has over the base, and the mark, in one durable transaction. One thread at a time. Throws KvFailure.
void JournalWriteBase(LmdbStore &base, const JournalView &view, const JournalMark &mark);

/// Whether an LMDB store is the base of a journal, to keep others from writing to it.
bool JournalIsBase(LmdbStore &store);

}  // namespace seguro
