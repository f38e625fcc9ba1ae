// Fuzzes the unpacking of blocks: rows that are the input itself, or good blocks that the input describes and then spoils.
#include <cstring>
#include <memory>
#include <vector>

#include "core_records.h"
#include "core_unpack.h"
#include "input.h"

namespace {

void Append(std::vector<uint8_t> *to, const void *from, size_t size) {
  auto *bytes = static_cast<const uint8_t *>(from);
  to->insert(to->end(), bytes, bytes + size);
}

/** One row with a block; the input says how it differs from a good one, also behind a good header checksum. */
void AppendBlock(Input *input, uint64_t *next_id, std::vector<uint8_t> *rows) {
  uint8_t how = input->Byte();
  uint64_t first_id = *next_id + ((how & 1) != 0 ? input->Byte() - 8u : 0u);
  uint64_t count = input->Byte() % 6u;
  std::vector<uint8_t> records;
  for (uint64_t i = 0; i < count; i++) {
    size_t length;
    const uint8_t *payload = input->Slice(input->Byte(), &length);
    size_t at = records.size();
    records.resize(at + seguro_record_bytes(length));
    std::copy(payload, payload + length, records.begin() + static_cast<ptrdiff_t>(at + SEGURO_RECORD_HEADER_BYTES));
    seguro_record_header_write(records.data() + at, first_id + i, records.data() + at + SEGURO_RECORD_HEADER_BYTES, length);
  }
  uint8_t header[SEGURO_BLOCK_HEADER_BYTES] = {};
  seguro_store_u32(header, SEGURO_BLOCK_MAGIC);
  seguro_store_u16(header + 4, SEGURO_BLOCK_VERSION);
  seguro_store_u16(header + 6, SEGURO_BLOCK_HEADER_BYTES);
  header[24] = 1;
  seguro_store_u32(header + 28, 1);
  seguro_store_u64(header + 40, first_id);
  seguro_store_u64(header + 48, count);
  seguro_store_u64(header + 56, records.size());
  if ((how & 2) != 0) {
    header[input->Byte() % sizeof header] ^= input->Byte();
  }
  if ((how & 4) != 0) {
    header[25] = SEGURO_BLOCK_FLAG_MANIFEST;
    records.clear();
  }
  seguro_store_u32(header + 132, seguro_crc32c(0, header, 132));
  std::vector<uint8_t> value(header, header + sizeof header);
  Append(&value, records.data(), records.size());
  if ((how & 8) != 0) {
    value[input->Short() % value.size()] ^= input->Byte();
  }
  if ((how & 16) != 0) {
    value.resize(input->Short() % (value.size() + 32));
  }
  uint8_t key[32] = {};
  uint32_t key_bytes = input->Byte() % sizeof key;
  uint8_t lengths[8];
  seguro_store_u32(lengths, key_bytes);
  seguro_store_u32(lengths + 4, static_cast<uint32_t>(value.size()));
  Append(rows, lengths, sizeof lengths);
  Append(rows, key, key_bytes);
  Append(rows, value.data(), value.size());
  *next_id = first_id + count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Input input(data, size);
  uint8_t mode = input.Byte();
  seguro::UnpackOptions options = {};
  options.kind = 1;
  options.log = 1;
  options.from_id = input.Byte();
  options.through_id = input.Byte();
  options.next_id = input.Byte() & 15u;
  std::vector<uint8_t> rows;
  if ((mode & 1) != 0) {
    size_t left;
    const uint8_t *raw = input.Slice(SIZE_MAX, &left);
    Append(&rows, raw, left);
  } else {
    uint64_t next_id = 1 + (input.Byte() & 15u);
    while (!input.AtEnd()) {
      AppendBlock(&input, &next_id, &rows);
    }
    if ((mode & 2) != 0 && !rows.empty()) {
      rows.resize(rows.size() - mode % rows.size());
    }
  }
  // A block of exactly this size, so that a step beyond it is seen.
  auto exact = std::make_unique<uint8_t[]>(rows.size());
  std::copy(rows.begin(), rows.end(), exact.get());
  seguro::UnpackResult result = seguro::Unpack(exact.get(), rows.size(), options);
  FUZZ_CHECK(result.start_bytes <= rows.size() && result.size_bytes <= rows.size() - result.start_bytes);
  if (result.count == 0) {
    FUZZ_CHECK(result.size_bytes == 0 && result.first_id == 0 && result.last_id == 0);
  } else {
    seguro::RecordsChecked checked = seguro::CheckRecords(exact.get() + result.start_bytes, result.size_bytes, result.first_id, UINT64_MAX);
    FUZZ_CHECK(checked.error == nullptr && checked.count == result.count);
    FUZZ_CHECK(result.last_id == result.first_id + result.count - 1);
    FUZZ_CHECK(result.first_id >= options.from_id && result.last_id <= options.through_id);
  }
  FUZZ_CHECK((result.stop == seguro::UnpackStop::kGap || result.stop == seguro::UnpackStop::kDamaged) == (*result.reason != 0));
  return 0;
}
