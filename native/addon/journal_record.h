// The payload of one record of the commit log: the writes of a group whose checks held, in order.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kv_group.h"

namespace seguro {

/// Bytes of a record's payload beside its writes.
constexpr size_t kJournalRecordHeaderBytes = 8;
/// Of a write there, the bytes beside key and value.
constexpr size_t kJournalWriteHeaderBytes = 8;

/// Bytes that a write takes in a record.
size_t JournalWriteBytes(const KvWrite &write);

/// A record's payload, ready to be gathered: it refers to the writes' own memory.
class JournalRecord {
 public:
  explicit JournalRecord(std::span<const KvWrite *const> writes);
  std::span<const iovec> pieces() const { return pieces_; }

 private:
  std::vector<uint8_t> headers_;
  std::vector<iovec> pieces_;
};

/// Shows the writes of a payload in order, each valid during the call. Throws KvFailure: "store-newer", or "store-damaged" if it is none.
void JournalReadRecord(std::span<const uint8_t> payload, const std::function<void(const KvWrite &write)> &take);

}  // namespace seguro
