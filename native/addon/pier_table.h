// One new data.mdb being written as Vere writes it: META, and EVENTS filled from a stream of records that may be cut anywhere.
#pragma once

#include <lmdb.h>

#include <cstdint>
#include <string>

#include "pier_fault.h"
#include "wire/record.h"

namespace seguro::pier {

class TableWriter {
 public:
  // Creates data.mdb in `folder`, which nobody else may use until Finish(). With `events` the table EVENTS is made, for ids from
  // `base` + 1 on.
  TableWriter(const std::string &folder, bool events, uint64_t base);
  ~TableWriter();
  TableWriter(const TableWriter &) = delete;
  TableWriter &operator=(const TableWriter &) = delete;

  void PutMeta(const void *key, size_t key_bytes, const void *value, size_t value_bytes);
  void Append(const uint8_t *bytes, size_t length_bytes);
  // Commits, flushes to the disk and closes.
  void Finish();
  uint64_t last_id() const { return next_id_ - 1; }

 private:
  void Open(const std::string &folder);
  void Begin();
  void Commit();
  void Close();
  void CheckHeader(const seguro_record_header &header) const;
  // Stores an event; with a null payload only makes room for it and returns where.
  uint8_t *Put(const seguro_record_header &header, const uint8_t *payload);
  size_t TakeWhole(const uint8_t *bytes, size_t length_bytes);
  size_t TakePart(const uint8_t *bytes, size_t length_bytes);
  void EndRecord(const seguro_record_header &header, uint32_t crc);

  const std::string path_;
  const bool events_;
  uint64_t next_id_;
  MDB_env *env_ = nullptr;
  MDB_txn *transaction_ = nullptr;
  MDB_cursor *cursor_ = nullptr;
  MDB_dbi meta_table_ = 0;
  MDB_dbi event_table_ = 0;
  uint64_t uncommitted_bytes_ = 0;

  // A record that arrives in parts: its header so far, then its payload, assembled where LMDB will write it from.
  uint8_t header_[SEGURO_RECORD_HEADER_BYTES];
  size_t header_bytes_ = 0;
  uint8_t *payload_ = nullptr;
  uint64_t payload_bytes_ = 0;
  uint64_t padding_bytes_ = 0;
  uint32_t crc_ = 0;
};

}  // namespace seguro::pier
