// A journal store whose commit log is damaged: what is wrong with it, what ending it there would lose, and ending it there (docs/journal-engine.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/log.h"
#include "kv_store.h"

namespace seguro {

/// A put in a whole record that a cut would lose.
struct JournalLostPut {
  std::vector<uint8_t> key;
  std::vector<uint8_t> head;  // of its value; enough for a block's header
};

struct JournalDamage {
  std::vector<journal::DamageReport> reports;
  uint64_t last_kept = 0;           // the last record before the damage
  uint64_t whole_lost_records = 0;  // behind that one, and readable all the same
  std::vector<JournalLostPut> lost_puts;
};

/// Looks at a store that nobody else has open, and changes nothing; nothing if its log is whole. Of `options`: `dir`, `holder`, `map_bytes`. Throws KvFailure.
std::optional<JournalDamage> JournalInspect(KvOptions options, journal::Disk &disk);

using JournalRows = std::vector<std::pair<std::vector<uint8_t>, std::vector<uint8_t>>>;

/// Puts `rows` into the base, durably, and only then ends the log behind `last_kept`: a process that dies between the two leaves the damage, and rows
/// of which the next try writes more or the same. What nothing in the log ever writes or deletes has to be their keys. Throws KvFailure:
/// "store-failed" if the log does not end there (somebody was here since), "store-missing" if it is not damaged.
journal::CutReport JournalCut(KvOptions options, journal::Disk &disk, uint64_t last_kept, const JournalRows &rows);

}  // namespace seguro
