// Takes overlays into the base: filed values into ship files, then places, all else and the mark into the catalogue (docs/journal-engine.md).
#pragma once

#include <memory>

#include "journal_base.h"
#include "journal_files.h"
#include "journal_overlay.h"
#include "journal_plan.h"
#include "lmdb_store.h"

namespace seguro {

/// One thread at a time, which is the only one that changes the base.
class JournalBaseWriter {
 public:
  explicit JournalBaseWriter(JournalFiles &files) : files_(files) {}

  /// When it returns, all that the view has is durable in the base, with the mark; its `next_file` is found here. Files that nothing refers to
  /// afterwards are doomed. Throws KvFailure: then the base is as it was, or has all of it, and the same view may be given again.
  void Write(LmdbStore &base, const JournalView &view, const JournalMark &mark);

 private:
  void WriteFiles(LmdbStore &base, const JournalView &view);
  void CommitCatalogue(LmdbStore &base, JournalMark mark);

  JournalFiles &files_;
  // Of a view whose values are in ship files, while the catalogue could not take their places: it may refer to them all the same, so they are
  // neither removed nor written again.
  JournalView taken_;
  std::unique_ptr<JournalPlan> plan_;
};

}  // namespace seguro
