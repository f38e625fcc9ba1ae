// From the packed rows of a range read, whose values are blocks, to one checked record stream, in place. No N-API here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/block.h"

namespace seguro {

struct UnpackOptions {
  uint8_t ship[16];
  uint8_t kind;
  uint32_t log;
  uint64_t from_id;     // records before it are checked and dropped
  uint64_t through_id;  // records after it are checked and dropped, and no block after it is looked at
  uint64_t next_id;     // what the first block must not be above; 0: any
};

enum class UnpackStop : uint32_t { kEnd = 0, kManifest = 1, kGap = 2, kDamaged = 3 };

struct UnpackResult {
  uint64_t first_id = 0;
  uint64_t last_id = 0;
  uint64_t count = 0;
  size_t start_bytes = 0;  // where in the rows the record stream begins
  size_t size_bytes = 0;   // of the record stream
  UnpackStop stop = UnpackStop::kEnd;
  uint64_t stop_id = 0;  // of the block or event it stopped at, 0 when unknown or at the end
  const char *reason = "";
  uint8_t manifest[SEGURO_BLOCK_HEADER_BYTES];  // when stopped at one
};

struct BlockHeader {
  bool manifest;
  uint64_t first_id;
  uint64_t count;
  uint64_t records_bytes;
};

/** Reads and checks a block's header by itself, against ship, kind and log. `value_bytes` are readable. Returns null or which check failed. */
const char *ReadBlockHeader(const uint8_t *at, size_t value_bytes, const UnpackOptions &options, BlockHeader *header);

/** Works within `rows` alone: the first block's records stay where they lie, what is kept of later ones moves down to follow. Any thread. */
UnpackResult Unpack(uint8_t *rows, size_t size, const UnpackOptions &options);

}  // namespace seguro
