// Ship files written: a plan's runs, durable and read back before the catalogue may refer to them.
#pragma once

#include "journal_files.h"
#include "journal_plan.h"

namespace seguro {

/// Throws KvFailure: then the files are cut back to what they had, as far as that can be done. "store-failed": those that failed are abandoned, and
/// a plan that is made afterwards avoids them.
void JournalWriteRuns(JournalFiles &files, JournalPlan &plan);

}  // namespace seguro
