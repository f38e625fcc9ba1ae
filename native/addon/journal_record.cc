// u32 format, u32 number of writes; each: u8 kind, u8 0, u16 key bytes, u32 value bytes, key, value (of a delete-range: the upper bound). Little-endian.
#include "journal_record.h"

#include "kv_failure.h"
#include "wire/bytes.h"

namespace seguro {

static constexpr uint32_t kFormat = 1;

static size_t ValueBytes(const KvWrite &write) {
  size_t size = write.kind == KvWrite::kDeleteRange ? write.to.size : 0;
  for (const KvSlice &piece : write.pieces) size += piece.size;
  return size;
}

size_t JournalWriteBytes(const KvWrite &write) { return kJournalWriteHeaderBytes + write.key.size + ValueBytes(write); }

JournalRecord::JournalRecord(std::span<const KvWrite *const> writes) {
  // Not to be moved once pieces point into it.
  headers_.resize(kJournalRecordHeaderBytes + writes.size() * kJournalWriteHeaderBytes);
  uint8_t *at = headers_.data();
  auto add = [this](const void *bytes, size_t size) {
    if (size > 0) pieces_.push_back({const_cast<void *>(bytes), size});
  };
  seguro_store_u32(at, kFormat);
  seguro_store_u32(at + 4, static_cast<uint32_t>(writes.size()));
  add(at, kJournalRecordHeaderBytes);
  at += kJournalRecordHeaderBytes;
  for (const KvWrite *write : writes) {
    seguro_store_u16(at, write->kind);
    seguro_store_u16(at + 2, static_cast<uint16_t>(write->key.size));
    seguro_store_u32(at + 4, static_cast<uint32_t>(ValueBytes(*write)));
    add(at, kJournalWriteHeaderBytes);
    at += kJournalWriteHeaderBytes;
    add(write->key.data, write->key.size);
    if (write->kind == KvWrite::kDeleteRange) add(write->to.data, write->to.size);
    for (const KvSlice &piece : write->pieces) add(piece.data, piece.size);
  }
}

void JournalReadRecord(std::span<const uint8_t> payload, const std::function<void(const KvWrite &write)> &take) {
  auto require = [](bool good) {
    if (!good) throw KvFailure("store-damaged", "a record of the commit log holds no writes of this engine");
  };
  require(payload.size() >= kJournalRecordHeaderBytes);
  if (seguro_load_u32(payload.data()) > kFormat) throw KvFailure("store-newer", "the commit log was written by a newer Seguro");
  require(seguro_load_u32(payload.data()) == kFormat);
  uint32_t count = seguro_load_u32(payload.data() + 4);
  std::span<const uint8_t> rest = payload.subspan(kJournalRecordHeaderBytes);
  KvWrite write{};
  for (uint32_t i = 0; i < count; i++) {
    require(rest.size() >= kJournalWriteHeaderBytes);
    uint16_t kind = seguro_load_u16(rest.data());
    size_t key_bytes = seguro_load_u16(rest.data() + 2);
    size_t value_bytes = seguro_load_u32(rest.data() + 4);
    rest = rest.subspan(kJournalWriteHeaderBytes);
    require(kind <= KvWrite::kDeleteRange && rest.size() >= key_bytes && rest.size() - key_bytes >= value_bytes);
    KvSlice value{rest.data() + key_bytes, value_bytes};
    write.kind = static_cast<KvWrite::Kind>(kind);
    write.key = {rest.data(), key_bytes};
    write.to = write.kind == KvWrite::kDeleteRange ? value : KvSlice{};
    write.pieces.clear();
    if (write.kind == KvWrite::kPut) write.pieces.push_back(value);
    take(write);
    rest = rest.subspan(key_bytes + value_bytes);
  }
  require(rest.empty());
}

}  // namespace seguro
