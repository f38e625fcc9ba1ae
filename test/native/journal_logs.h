// Small logs on a fake disk for the tests of the log's rules: made, spoilt, opened.
#ifndef SEGURO_TEST_JOURNAL_LOGS_H
#define SEGURO_TEST_JOURNAL_LOGS_H

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "journal/format.h"
#include "journal/log.h"
#include "journal_fake_disk.h"

using seguro::journal::kBlockBytes;
using seguro::journal::kHeaderBytes;
using seguro::journal::kSectorBytes;
using seguro::journal::Log;
using seguro::journal::Options;
using Bytes = std::vector<uint8_t>;
using Seen = std::map<uint64_t, Bytes>;

inline constexpr char kFirst[] = "/journal/0000000001.segment";
inline constexpr char kSecond[] = "/journal/0000000002.segment";
/// Three sectors, one block.
constexpr size_t kPayloadBytes = 1200;

inline Options OptionsOf(bool create = true) {
  Options options;
  options.dir = "/journal";
  options.log_id = 7;
  options.create = create;
  options.segment_bytes = 32768;
  options.segments_ahead = 1;
  return options;
}

inline Bytes PayloadOf(uint64_t sequence) { return Bytes(kPayloadBytes, static_cast<uint8_t>(sequence)); }

inline uint64_t Append(Log &log, const Bytes &payload) {
  iovec piece{const_cast<uint8_t *>(payload.data()), payload.size()};
  return log.Append(std::span(&piece, 1));
}

inline std::unique_ptr<Log> OpenLog(FakeDisk &disk, uint64_t applied, Seen *seen) {
  return Log::Open(disk, OptionsOf(), applied, [&](uint64_t sequence, std::span<const uint8_t> bytes) {
    if (seen != nullptr) (*seen)[sequence] = Bytes(bytes.begin(), bytes.end());
  });
}

/// A log with records 1 to `count`, closed.
inline void Fill(FakeDisk &disk, uint64_t count) {
  std::unique_ptr<Log> log = OpenLog(disk, 0, nullptr);
  for (uint64_t i = 1; i <= count; i++) CHECK_EQUAL(Append(*log, PayloadOf(i)), i);
}

inline uint64_t RecordAt(uint64_t index_in_segment) { return kHeaderBytes + index_in_segment * kBlockBytes; }

/// Puts sectors back to what they were before anything was written there.
inline void MakeOld(FakeDisk &disk, const std::string &path, uint64_t offset, uint64_t sectors) {
  seguro::journal::SegmentHeader header;
  CHECK(seguro::journal::ReadHeader(disk.Content(path).data(), seguro::journal::SegmentNumber(path.substr(path.rfind('/') + 1)), &header) ==
        nullptr);
  seguro::journal::Sealer sealer(header.log_id, header.file_number);
  for (uint64_t at = offset; at < offset + sectors * kSectorBytes; at += kSectorBytes) {
    Bytes sector(kSectorBytes);
    sealer.Seal(sector.data(), at, seguro::journal::Stamp{});
    disk.Change(path, at, sector);
  }
}

inline void Flip(FakeDisk &disk, const std::string &path, uint64_t offset) {
  disk.Change(path, offset, Bytes{static_cast<uint8_t>(disk.Content(path)[offset] ^ 4)});
}

inline void MustBeWhole(FakeDisk &disk, uint64_t last) {
  Seen seen;
  std::unique_ptr<Log> log = OpenLog(disk, 0, &seen);
  CHECK_EQUAL(log->last_sequence(), last);
  CHECK_EQUAL(seen.size(), last);
  for (auto &[sequence, bytes] : seen) CHECK(bytes == PayloadOf(sequence));
  // And it goes on.
  CHECK_EQUAL(Append(*log, PayloadOf(last + 1)), last + 1);
}

#endif
