// Checks of single records that lie whole in memory. No N-API here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/record.h"

namespace seguro {

/**
 * Checks the record at `at`, of which `room` bytes are readable, and that it has this id. Returns null and the bytes of the whole record,
 * or which check failed; then `record_bytes` is untouched. Never says anything about payload bytes.
 */
const char *CheckRecord(const uint8_t *at, size_t room, uint64_t want_id, uint64_t *record_bytes);

struct RecordsChecked {
  uint64_t count = 0;
  size_t size_bytes = 0;
  const char *error = nullptr;  // of the record after the last good one
};

/** Checks a stream of whole records, contiguous from `first_id` on, at most `most` of them. */
RecordsChecked CheckRecords(const uint8_t *bytes, size_t size, uint64_t first_id, uint64_t most);

}  // namespace seguro
