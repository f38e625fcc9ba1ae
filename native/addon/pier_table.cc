// Writing a data.mdb through stock LMDB, in big transactions without flushes between them and one flush at the end.
#include "pier_table.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace seguro::pier {

// So much is kept in memory before it is written; a larger event passes alone.
constexpr uint64_t kCommitBytes = uint64_t{64} << 20;
// Vere's map is 1 TiB. It is only address space, but some machines grant less.
constexpr size_t kMapBytesMost = size_t{1} << 40;
constexpr size_t kMapBytesLeast = size_t{1} << 30;

static PierFault LmdbFault(const std::string &path, int code) {
  if (code == EIO) {
    // What LMDB makes of a write that came back short, which is how a disk fills up.
    return {"pier-full", "cannot write all of " + path, "make room on that disk and try again; if there is room, look at the kernel's log"};
  }
  if (code > 0) {
    return SystemFault("cannot write " + path, code);
  }
  if (code == MDB_MAP_FULL) {
    return {"pier-full", path + " does not fit the address space that this machine grants", "raise ulimit -v"};
  }
  return {"pier-internal", "cannot write " + path + ": " + mdb_strerror(code)};
}

static PierFault BadRecord(uint64_t id, const std::string &what) {
  return {"pier-bad-record", "the record of event " + std::to_string(id) + " " + what, "verify the log that it comes from"};
}

TableWriter::TableWriter(const std::string &folder, bool events, uint64_t base)
    : path_(folder + "/data.mdb"), events_(events), next_id_(base + 1) {
  try {
    Open(folder);
    Begin();
  } catch (...) {
    Close();
    throw;
  }
}

TableWriter::~TableWriter() { Close(); }

void TableWriter::Open(const std::string &folder) {
  for (size_t map_bytes = kMapBytesMost;; map_bytes /= 4) {
    int code = mdb_env_create(&env_);
    if (code != 0) {
      env_ = nullptr;
      throw LmdbFault(path_, code);
    }
    mdb_env_set_maxdbs(env_, 2);
    mdb_env_set_mapsize(env_, map_bytes);
    // No lock file: the folder is ours until it is renamed, and transactions may then move between threads.
    code = mdb_env_open(env_, folder.c_str(), MDB_NOLOCK | MDB_NOSYNC, 0600);
    if (code == 0) {
      return;
    }
    mdb_env_close(env_);
    env_ = nullptr;
    if (code != ENOMEM || map_bytes <= kMapBytesLeast) {
      throw LmdbFault(path_, code);
    }
  }
}

void TableWriter::Begin() {
  int code = mdb_txn_begin(env_, nullptr, 0, &transaction_);
  if (code != 0) {
    transaction_ = nullptr;
    throw LmdbFault(path_, code);
  }
  code = mdb_dbi_open(transaction_, "META", MDB_CREATE, &meta_table_);
  if (code == 0 && events_) {
    code = mdb_dbi_open(transaction_, "EVENTS", MDB_CREATE | MDB_INTEGERKEY, &event_table_);
    code = code == 0 ? mdb_cursor_open(transaction_, event_table_, &cursor_) : code;
  }
  if (code != 0) {
    throw LmdbFault(path_, code);
  }
}

void TableWriter::Commit() {
  if (cursor_ != nullptr) {
    mdb_cursor_close(cursor_);
    cursor_ = nullptr;
  }
  MDB_txn *transaction = transaction_;
  transaction_ = nullptr;
  uncommitted_bytes_ = 0;
  int code = mdb_txn_commit(transaction);
  if (code != 0) {
    throw LmdbFault(path_, code);
  }
}

void TableWriter::Close() {
  if (cursor_ != nullptr) {
    mdb_cursor_close(cursor_);
    cursor_ = nullptr;
  }
  if (transaction_ != nullptr) {
    mdb_txn_abort(transaction_);
    transaction_ = nullptr;
  }
  if (env_ != nullptr) {
    mdb_env_close(env_);
    env_ = nullptr;
  }
}

void TableWriter::Finish() {
  if (header_bytes_ > 0) {
    throw PierFault("pier-bad-record", "the records end inside event " + std::to_string(next_id_), "send the rest before finishing");
  }
  Commit();
  int code = mdb_env_sync(env_, 1);
  if (code != 0) {
    throw LmdbFault(path_, code);
  }
  Close();
}

void TableWriter::PutMeta(const void *key, size_t key_bytes, const void *value, size_t value_bytes) {
  MDB_val key_value = {key_bytes, const_cast<void *>(key)};
  MDB_val data = {value_bytes, const_cast<void *>(value)};
  int code = mdb_put(transaction_, meta_table_, &key_value, &data, 0);
  if (code == MDB_BAD_VALSIZE) {
    throw PierFault("pier-bad-meta", "a META key must have 1 to 511 bytes");
  }
  if (code != 0) {
    throw LmdbFault(path_, code);
  }
}

void TableWriter::CheckHeader(const seguro_record_header &header) const {
  if (header.id != next_id_) {
    throw PierFault("pier-gap", "event " + std::to_string(next_id_) + " should come next, not " + std::to_string(header.id),
                    "records must rise by one, from the epoch's base plus one");
  }
  if (header.flags != 0 || header.length_bytes > SEGURO_EVENT_BYTES_MAX || header.id > SEGURO_EVENT_ID_MAX) {
    throw BadRecord(header.id, "has an impossible header");
  }
}

uint8_t *TableWriter::Put(const seguro_record_header &header, const uint8_t *payload) {
  uint64_t id = header.id;
  MDB_val key = {sizeof id, &id};
  MDB_val data = {header.length_bytes, const_cast<uint8_t *>(payload)};
  int code = mdb_cursor_put(cursor_, &key, &data, MDB_APPEND | (payload == nullptr ? MDB_RESERVE : 0));
  if (code != 0) {
    throw LmdbFault(path_, code);
  }
  return static_cast<uint8_t *>(data.mv_data);
}

static bool AllZero(const uint8_t *bytes, size_t length_bytes) {
  return std::all_of(bytes, bytes + length_bytes, [](uint8_t byte) { return byte == 0; });
}

void TableWriter::EndRecord(const seguro_record_header &header, uint32_t crc) {
  if (crc != header.crc) {
    throw BadRecord(header.id, "fails its checksum");
  }
  next_id_++;
  uncommitted_bytes_ += header.length_bytes;
  if (uncommitted_bytes_ >= kCommitBytes) {
    Commit();
    Begin();
  }
}

// Takes the first record if it lies whole in `bytes`: one copy. Returns its length, else 0.
size_t TableWriter::TakeWhole(const uint8_t *bytes, size_t length_bytes) {
  if (length_bytes < SEGURO_RECORD_HEADER_BYTES) {
    return 0;
  }
  seguro_record_header header = seguro_record_load(bytes);
  CheckHeader(header);
  uint64_t record = seguro_record_bytes(header.length_bytes);
  if (record > length_bytes) {
    return 0;
  }
  const uint8_t *payload = bytes + SEGURO_RECORD_HEADER_BYTES;
  uint32_t crc = seguro_crc32c(0, bytes, SEGURO_RECORD_CHECKED_BYTES);
  crc = seguro_crc32c(crc, payload, header.length_bytes);
  size_t end = SEGURO_RECORD_HEADER_BYTES + header.length_bytes;
  if (!AllZero(bytes + end, record - end)) {
    throw BadRecord(header.id, "has bytes in its padding");
  }
  Put(header, payload);
  EndRecord(header, crc);
  return record;
}

// Takes what there is of a record that is cut; returns how much that was.
size_t TableWriter::TakePart(const uint8_t *bytes, size_t length_bytes) {
  size_t taken = 0;
  if (header_bytes_ < sizeof header_) {
    taken = std::min(length_bytes, sizeof header_ - header_bytes_);
    std::memcpy(header_ + header_bytes_, bytes, taken);
    header_bytes_ += taken;
    if (header_bytes_ < sizeof header_) {
      return taken;
    }
    seguro_record_header header = seguro_record_load(header_);
    CheckHeader(header);
    payload_ = Put(header, nullptr);
    payload_bytes_ = 0;
    padding_bytes_ = seguro_record_bytes(header.length_bytes) - sizeof header_ - header.length_bytes;
    crc_ = seguro_crc32c(0, header_, SEGURO_RECORD_CHECKED_BYTES);
  }
  seguro_record_header header = seguro_record_load(header_);
  size_t part = static_cast<size_t>(std::min<uint64_t>(length_bytes - taken, header.length_bytes - payload_bytes_));
  std::memcpy(payload_ + payload_bytes_, bytes + taken, part);
  crc_ = seguro_crc32c(crc_, payload_ + payload_bytes_, part);
  payload_bytes_ += part;
  taken += part;
  if (payload_bytes_ == header.length_bytes) {
    size_t padding = static_cast<size_t>(std::min<uint64_t>(length_bytes - taken, padding_bytes_));
    if (!AllZero(bytes + taken, padding)) {
      throw BadRecord(header.id, "has bytes in its padding");
    }
    padding_bytes_ -= padding;
    taken += padding;
    if (padding_bytes_ == 0) {
      header_bytes_ = 0;
      EndRecord(header, crc_);
    }
  }
  return taken;
}

void TableWriter::Append(const uint8_t *bytes, size_t length_bytes) {
  if (!events_) {
    throw PierFault("pier-internal", "this table takes no events");
  }
  while (length_bytes > 0) {
    size_t taken = header_bytes_ == 0 ? TakeWhole(bytes, length_bytes) : 0;
    taken = taken > 0 ? taken : TakePart(bytes, length_bytes);
    bytes += taken;
    length_bytes -= taken;
  }
}

}  // namespace seguro::pier
