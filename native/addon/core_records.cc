// Checks of single records: framing first, so that nothing beyond the given bytes is read, then the checksum.
#include "core_records.h"

namespace seguro {

const char *CheckRecord(const uint8_t *at, size_t room, uint64_t want_id, uint64_t *record_bytes) {
  if (room < SEGURO_RECORD_HEADER_BYTES) {
    return "a record's header is cut short";
  }
  seguro_record_header header = seguro_record_load(at);
  if (header.flags != 0) {
    return "a record's flags are not 0";
  }
  if (header.length_bytes > SEGURO_EVENT_BYTES_MAX) {
    return "a record's length is beyond what an event can have";
  }
  uint64_t whole = seguro_record_bytes(header.length_bytes);
  if (whole > room) {
    return "a record is cut short";
  }
  if (header.id != want_id || want_id == 0 || want_id > SEGURO_EVENT_ID_MAX) {
    return "a record's id does not follow";
  }
  for (uint64_t i = SEGURO_RECORD_HEADER_BYTES + header.length_bytes; i < whole; i++) {
    if (at[i] != 0) {
      return "a record's padding is not zero";
    }
  }
  uint32_t crc = seguro_crc32c(0, at, SEGURO_RECORD_CHECKED_BYTES);
  if (seguro_crc32c(crc, at + SEGURO_RECORD_HEADER_BYTES, header.length_bytes) != header.crc) {
    return "a record's checksum is wrong";
  }
  *record_bytes = whole;
  return nullptr;
}

RecordsChecked CheckRecords(const uint8_t *bytes, size_t size, uint64_t first_id, uint64_t most) {
  RecordsChecked checked;
  while (checked.size_bytes < size && checked.count < most) {
    uint64_t record_bytes = 0;
    checked.error = CheckRecord(bytes + checked.size_bytes, size - checked.size_bytes, first_id + checked.count, &record_bytes);
    if (checked.error != nullptr) {
      break;
    }
    checked.size_bytes += record_bytes;
    checked.count++;
  }
  return checked;
}

}  // namespace seguro
