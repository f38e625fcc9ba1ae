// Fuzzes the log's recovery: a good log on a disk in memory, spoilt as the input says, also behind good checksums; then opened, read around, cut.
#include <algorithm>
#include <map>
#include <vector>

#include "input.h"
#include "journal/format.h"
#include "journal/log.h"
#include "journal_fake_disk.h"

namespace {

using namespace seguro::journal;
using Bytes = std::vector<uint8_t>;

constexpr uint64_t kLogId = 5;

Options MakeOptions() {
  Options options;
  options.dir = "/journal";
  options.log_id = kLogId;
  options.create = true;
  options.segment_bytes = kSegmentBytesMin;
  options.segments_ahead = 1;
  return options;
}

/// Appends, releases, prepares. Returns what was acknowledged and above what the base is.
std::map<uint64_t, Bytes> MakeLog(Input *input, FakeDisk *disk, uint64_t *applied) {
  std::map<uint64_t, Bytes> records;
  std::unique_ptr<Log> log = Log::Open(*disk, MakeOptions(), 0, [](uint64_t, std::span<const uint8_t>) {});
  uint8_t steps = input->Byte() % 24;
  for (uint8_t i = 0; i < steps; i++) {
    uint16_t what = input->Short();
    Bytes payload(what % 9000, static_cast<uint8_t>(i));
    iovec piece{payload.data(), payload.size()};
    uint64_t sequence = log->Append(std::span(&piece, 1));
    records[sequence] = payload;
    if (what % 7 == 0) {
      *applied = sequence - (what / 7) % std::min<uint64_t>(sequence - *applied + 1, 4);
      log->Release(*applied);
      log->Prepare();
    }
  }
  return records;
}

/// True if a change is behind a good checksum: then wrong records may be taken for good ones.
bool Spoil(Input *input, FakeDisk *disk) {
  std::vector<std::string> paths = disk->SegmentPaths();
  if (paths.empty()) return false;
  const std::string &path = paths[input->Byte() % paths.size()];
  uint8_t how = input->Byte();
  Bytes content = disk->Content(path);
  uint64_t sector = input->Byte() % (content.size() / kSectorBytes) * kSectorBytes;
  Bytes changed(content.begin() + static_cast<ptrdiff_t>(sector), content.begin() + static_cast<ptrdiff_t>(sector + kSectorBytes));
  if (how % 8 == 7) {
    disk->Remove(path);
    return false;
  }
  if (how % 8 == 6) {
    uint64_t from = input->Byte() % (content.size() / kSectorBytes) * kSectorBytes;
    changed.assign(content.begin() + static_cast<ptrdiff_t>(from), content.begin() + static_cast<ptrdiff_t>(from + kSectorBytes));
  }
  size_t size;
  const uint8_t *bytes = input->Slice(how % 8 == 6 ? 0 : 1 + how / 16, &size);
  uint64_t at = input->Short() % (kSectorBytes - size);
  std::copy(bytes, bytes + size, changed.begin() + static_cast<ptrdiff_t>(at));
  bool sealed = how % 8 < 3;
  if (sealed) {
    Stamp stamp{input->Byte(), input->Byte() % 16u, (how & 8) != 0};
    Sealer(kLogId, SegmentNumber(path.substr(path.rfind('/') + 1))).Seal(changed.data(), sector, stamp);
  }
  disk->Change(path, sector, changed);
  return sealed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Input input(data, size);
  FakeDisk disk(1);
  uint64_t applied = 0;
  std::map<uint64_t, Bytes> records = MakeLog(&input, &disk, &applied);
  bool sealed = false;
  for (uint8_t i = input.Byte() % 6; i > 0; i--) sealed = Spoil(&input, &disk) || sealed;
  uint64_t last = applied;
  Visitor see = [&](uint64_t sequence, std::span<const uint8_t> bytes) {
    FUZZ_CHECK(sequence > last);
    last = sequence;
    if (!sealed)
      FUZZ_CHECK(records.contains(sequence) && std::equal(bytes.begin(), bytes.end(), records[sequence].begin(), records[sequence].end()));
  };
  Options options = MakeOptions();
  options.create = false;
  try {
    std::unique_ptr<Log> log = Log::Open(disk, options, applied, see);
    FUZZ_CHECK(log->last_sequence() == last);
    iovec piece{nullptr, 0};
    FUZZ_CHECK(log->Append(std::span(&piece, 1)) == last + 1);
    return 0;
  } catch (const Damage &damage) {
    FUZZ_CHECK(damage.report().first_lost > applied);
  } catch (const Failure &) {
    return 0;
  }
  last = applied;
  std::vector<DamageReport> found = Inspect(disk, options, applied, see);
  FUZZ_CHECK(!found.empty());
  CutReport report = Cut(disk, options, applied);
  last = applied;
  FUZZ_CHECK(Log::Open(disk, options, applied, see)->last_sequence() == last && last == std::max(report.last_kept, applied));
  return 0;
}
