// What earlier processes left among the ship files: files that the catalogue does not know, and bytes behind an end.
#pragma once

#include "journal_files.h"
#include "lmdb_store.h"

namespace seguro {

/// Before anything else is made there; counts the files that stay. What cannot be looked at or removed stays too, and does no harm. Throws KvFailure
/// where the catalogue cannot be read, or what is to stay cannot be flushed.
void JournalSweep(LmdbStore &catalogue, JournalFiles &files);

}  // namespace seguro
