// Unpacking blocks: header, then records, then how the two agree; what is kept moves down to what was kept before, ahead of the next row.
#include "core_unpack.h"

#include <algorithm>
#include <cstring>

#include "core_records.h"

namespace seguro {

const char *ReadBlockHeader(const uint8_t *at, size_t value_bytes, const UnpackOptions &options, BlockHeader *header) {
  if (value_bytes < SEGURO_BLOCK_HEADER_BYTES) {
    return "a block's header is cut short";
  }
  if (seguro_load_u32(at) != SEGURO_BLOCK_MAGIC) {
    return "a block's magic is wrong";
  }
  if (seguro_load_u16(at + 4) != SEGURO_BLOCK_VERSION) {
    return "a block's format version is unknown";
  }
  if (seguro_load_u16(at + 6) != SEGURO_BLOCK_HEADER_BYTES) {
    return "a block's header size is wrong";
  }
  if (seguro_load_u32(at + 132) != seguro_crc32c(0, at, 132)) {
    return "a block's header checksum is wrong";
  }
  if ((at[25] & ~SEGURO_BLOCK_FLAG_MANIFEST) != 0 || seguro_load_u16(at + 26) != 0 || seguro_load_u32(at + 116) != 0 ||
      seguro_load_u32(at + 128) != 0) {
    return "a block's reserved fields are not 0";
  }
  if (std::memcmp(at + 8, options.ship, 16) != 0) {
    return "a block is another ship's";
  }
  if (at[24] != options.kind) {
    return "a block is of another kind of ship";
  }
  if (seguro_load_u32(at + 28) != options.log) {
    return "a block is another log's";
  }
  header->manifest = at[25] != 0;
  header->first_id = seguro_load_u64(at + 40);
  header->count = seguro_load_u64(at + 48);
  header->records_bytes = seguro_load_u64(at + 56);
  if (header->first_id == 0 || header->first_id > SEGURO_EVENT_ID_MAX || header->count == 0 ||
      header->count - 1 > SEGURO_EVENT_ID_MAX - header->first_id) {
    return "a block's ids are impossible";
  }
  bool staged = seguro_load_u32(at + 112) != 0 || seguro_load_u64(at + 120) != 0;
  if (!header->manifest && staged) {
    return "a block that is no manifest names pieces";
  }
  if (header->manifest && value_bytes != SEGURO_BLOCK_HEADER_BYTES) {
    return "a manifest block has bytes after its header";
  }
  return nullptr;
}

namespace {

/** One pass over the rows; the fields say how far it is. */
class Unpacker {
 public:
  Unpacker(uint8_t *rows, size_t size, const UnpackOptions &options) : rows_(rows), size_(size), options_(options) {}

  UnpackResult Run() {
    while (at_ < size_ && !done_) {
      const uint8_t *value = nullptr;
      size_t value_bytes = 0;
      if (next_ != 0 && next_ > options_.through_id) {
        break;
      }
      if (NextRow(&value, &value_bytes)) {
        TakeBlock(value, value_bytes);
      }
    }
    return result_;
  }

 private:
  bool NextRow(const uint8_t **value, size_t *value_bytes) {
    size_t room = size_ - at_;
    if (room >= 8) {
      uint64_t key_bytes = seguro_load_u32(rows_ + at_);
      *value_bytes = seguro_load_u32(rows_ + at_ + 4);
      if (key_bytes + *value_bytes <= room - 8) {
        *value = rows_ + at_ + 8 + key_bytes;
        at_ += 8 + key_bytes + *value_bytes;
        return true;
      }
    }
    Stop(UnpackStop::kDamaged, next_, "the rows are cut short");
    return false;
  }

  void TakeBlock(const uint8_t *value, size_t value_bytes) {
    BlockHeader header;
    if (const char *error = ReadBlockHeader(value, value_bytes, options_, &header)) {
      return Stop(UnpackStop::kDamaged, next_, error);
    }
    if (next_ == 0 && header.first_id > options_.through_id) {
      return Stop(UnpackStop::kEnd, 0, "");
    }
    if (next_ != 0 && header.first_id > next_) {
      return Stop(UnpackStop::kGap, header.first_id, "a block does not continue where the one before ends");
    }
    if (inside_ && header.first_id < next_) {
      return Stop(UnpackStop::kDamaged, header.first_id, "a block overlaps the one before");
    }
    if (header.manifest) {
      std::memcpy(result_.manifest, value, SEGURO_BLOCK_HEADER_BYTES);
      return Stop(UnpackStop::kManifest, header.first_id, "");
    }
    TakeRecords(header, value + SEGURO_BLOCK_HEADER_BYTES, value_bytes - SEGURO_BLOCK_HEADER_BYTES);
  }

  void TakeRecords(const BlockHeader &header, const uint8_t *records, size_t size) {
    size_t used = 0;
    uint64_t found = 0;
    const char *error = nullptr;
    size_t keep_from = 0;
    size_t keep_to = 0;
    uint64_t keep_first = 0;
    uint64_t keep_count = 0;
    for (; found < header.count && used < size; found++) {
      uint64_t id = header.first_id + found;
      uint64_t record_bytes = 0;
      error = CheckRecord(records + used, size - used, id, &record_bytes);
      if (error != nullptr) {
        break;
      }
      if (id >= options_.from_id && id <= options_.through_id) {
        if (keep_count == 0) {
          keep_first = id;
          keep_from = used;
        }
        keep_count++;
        keep_to = used + record_bytes;
      }
      used += record_bytes;
    }
    Keep(records + keep_from, keep_to - keep_from, keep_first, keep_count);
    inside_ = true;
    next_ = header.first_id + found;
    if (error == nullptr) {
      if (found < header.count) {
        error = "a block has fewer records than its header says";
      } else if (used < size) {
        error = "a block has bytes after its last record";
      } else if (used != header.records_bytes) {
        error = "a block's records are not as long as its header says";
      }
    }
    if (error != nullptr) {
      Stop(UnpackStop::kDamaged, next_, error);
    }
  }

  void Keep(const uint8_t *records, size_t size, uint64_t first_id, uint64_t count) {
    if (count == 0) {
      return;
    }
    if (result_.count == 0) {
      // One large block is the common case, and not worth a move.
      result_.first_id = first_id;
      result_.start_bytes = static_cast<size_t>(records - rows_);
    } else {
      std::memmove(rows_ + result_.start_bytes + result_.size_bytes, records, size);
    }
    result_.size_bytes += size;
    result_.count += count;
    result_.last_id = first_id + count - 1;
  }

  void Stop(UnpackStop stop, uint64_t id, const char *reason) {
    done_ = true;
    result_.stop = stop;
    result_.stop_id = id;
    result_.reason = reason;
  }

  uint8_t *rows_;
  size_t size_;
  const UnpackOptions &options_;
  size_t at_ = 0;
  uint64_t next_ = options_.next_id;  // id that the next block must begin with (at most, before the first)
  bool inside_ = false;               // a block was taken: the next one must follow exactly
  bool done_ = false;
  UnpackResult result_;
};

}  // namespace

UnpackResult Unpack(uint8_t *rows, size_t size, const UnpackOptions &options) { return Unpacker(rows, size, options).Run(); }

}  // namespace seguro
