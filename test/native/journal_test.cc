// The log's rules one by one: zones of recovery, segments' lives, a full disk, a cut.
#include <stdexcept>

#include "journal_logs.h"

namespace {

using namespace seguro::journal;

void MustBeDamaged(FakeDisk &disk, const std::string &file, uint64_t offset, uint64_t first_lost, uint64_t last_lost,
                   uint64_t applied = 0) {
  try {
    OpenLog(disk, applied, nullptr);
  } catch (const Damage &damage) {
    CHECK(damage.report().file == file);
    CHECK_EQUAL(damage.report().offset_bytes, offset);
    CHECK_EQUAL(damage.report().first_lost, first_lost);
    CHECK_EQUAL(damage.report().last_lost, last_lost);
    CHECK(std::string(damage.code()) == "store-damaged");
    return;
  }
  CHECK(!"damage was not seen");
}

template <typename Change>
void Damaged(uint64_t records, Change change, const std::string &file, uint64_t offset, uint64_t first_lost, uint64_t last_lost) {
  FakeDisk disk(1);
  Fill(disk, records);
  change(disk);
  MustBeDamaged(disk, file, offset, first_lost, last_lost);
}

void whole_log() {
  FakeDisk disk(1);
  Fill(disk, 20);
  MustBeWhole(disk, 20);
  MustBeWhole(disk, 21);
}

void unfinished_end_is_cut() {
  for (uint64_t old_sector = 0; old_sector < kBlockSectors; old_sector++) {
    FakeDisk disk(1);
    Fill(disk, 3);
    MakeOld(disk, kFirst, RecordAt(2) + old_sector * kSectorBytes, 1);
    MustBeWhole(disk, 2);
    // What was left of record 3 never comes back, whatever record 3 is now.
    MustBeWhole(disk, 3);
  }
}

void damage_at_the_end() {
  // A bit of the last record, in each of its sectors: acknowledged or not, nobody can say that it never was.
  for (uint64_t sector = 0; sector < kBlockSectors; sector++) {
    uint64_t at = RecordAt(2) + sector * kSectorBytes;
    Damaged(
        3, [&](FakeDisk &disk) { Flip(disk, kFirst, at + 100); }, kFirst, at, 3, 3);
  }
  // A sector of zeros, as a hole or a discarded block reads.
  Damaged(
      3, [&](FakeDisk &disk) { disk.Change(kFirst, RecordAt(2) + 512, Bytes(512)); }, kFirst, RecordAt(2) + 512, 3, 3);
  // Behind the end, where a write that went astray may have hit.
  Damaged(
      3, [&](FakeDisk &disk) { disk.Change(kFirst, RecordAt(5), Bytes(512, 9)); }, kFirst, RecordAt(5), 4, 0);
}

void damage_in_the_middle() {
  Damaged(
      5, [](FakeDisk &disk) { Flip(disk, kFirst, RecordAt(1) + 5); }, kFirst, RecordAt(1), 2, 5);
  Damaged(
      5, [](FakeDisk &disk) { MakeOld(disk, kFirst, RecordAt(1), kBlockSectors); }, kFirst, RecordAt(1), 2, 5);
  Damaged(
      5, [](FakeDisk &disk) { MakeOld(disk, kFirst, RecordAt(1) + 512, 1); }, kFirst, RecordAt(1), 2, 5);
  // A good record in another one's place.
  Damaged(
      5,
      [](FakeDisk &disk) {
        Bytes all = disk.Content(kFirst);
        disk.Change(kFirst, RecordAt(3), Bytes(all.begin() + RecordAt(1), all.begin() + RecordAt(2)));
      },
      kFirst, RecordAt(3), 4, 5);
  // The end of a segment that is not the last one (seven records fit).
  Damaged(
      10, [](FakeDisk &disk) { MakeOld(disk, kFirst, RecordAt(6), kBlockSectors); }, kFirst, RecordAt(6), 7, 10);
}

void damaged_headers_and_files() {
  Damaged(
      3, [](FakeDisk &disk) { Flip(disk, kFirst, 300); }, kFirst, 0, 1, 3);
  Damaged(
      10, [](FakeDisk &disk) { Flip(disk, kSecond, 300); }, kSecond, 0, 8, 10);
  Damaged(
      10, [](FakeDisk &disk) { disk.Remove(kFirst); }, "", 0, 1, 7);
  // In the middle: what lies before it stays.
  Damaged(
      20, [](FakeDisk &disk) { Flip(disk, kSecond, 300); }, kSecond, 0, 8, 20);
  // The newest header was written elsewhere: the records behind it bear witness.
  Damaged(
      10, [](FakeDisk &disk) { MakeOld(disk, kSecond, 0, 1); }, kSecond, 0, 8, 10);
  FakeDisk disk(1);
  Fill(disk, 3);
  MustBeDamaged(disk, "", 0, 8, 0, 7);
}

void segments_are_used_again() {
  FakeDisk disk(1);
  {
    std::unique_ptr<Log> log = OpenLog(disk, 0, nullptr);
    for (uint64_t i = 1; i <= 70; i++) {
      CHECK_EQUAL(Append(*log, PayloadOf(i)), i);
      log->Release(i - 1);
      while (log->Prepare()) {
      }
    }
    Figures figures = log->figures();
    CHECK_EQUAL(figures.records, 70);
    CHECK_EQUAL(figures.flushes, 70);
    CHECK_EQUAL(figures.segments_begun, 10);
    CHECK(figures.segments <= 4);
    // Only headers were written beside the first making of these files.
    CHECK_EQUAL(figures.preparation_bytes, figures.segments * 32768 + 10 * kHeaderBytes);
  }
  Seen seen;
  std::unique_ptr<Log> log = OpenLog(disk, 66, &seen);
  CHECK_EQUAL(seen.size(), 4);
  CHECK(log->figures().recovery_read_bytes <= 4 * 2 * kBlockBytes + 2 * 32768);
}

void full_disk() {
  FakeDisk disk(1);
  disk.SetFreeBytes(2 * 32768);
  std::unique_ptr<Log> log = OpenLog(disk, 0, nullptr);
  uint64_t last = 0;
  for (;;) {
    try {
      last = Append(*log, PayloadOf(last + 1));
    } catch (const Failure &failure) {
      CHECK(failure.kind() == FailureKind::kFull && std::string(failure.code()) == "store-full");
      break;
    }
  }
  CHECK_EQUAL(last, 14);
  CHECK(!log->Prepare() && !log->figures().trouble.empty());
  disk.SetFreeBytes(32768);
  CHECK_EQUAL(Append(*log, PayloadOf(15)), 15);
  CHECK(log->figures().trouble.empty());
  log->Release(15);
  CHECK(log->Prepare());
  log.reset();
  Seen seen;
  OpenLog(disk, 15, &seen);
  CHECK(seen.empty());
}

void failed_writes() {
  FakeDisk disk(1);
  std::unique_ptr<Log> log = OpenLog(disk, 0, nullptr);
  while (log->Prepare()) {
  }
  CHECK_EQUAL(Append(*log, PayloadOf(1)), 1);
  // Once: it goes on in the next segment, by itself.
  disk.FailAfter(0, Fault::kFlushFails, 1);
  CHECK_EQUAL(Append(*log, PayloadOf(2)), 2);
  CHECK_EQUAL(log->figures().segments_abandoned, 1);
  disk.FailAfter(0, Fault::kReadOnly, 1000);
  try {
    Append(*log, PayloadOf(3));
    CHECK(!"written to a read-only disk");
  } catch (const Failure &failure) {
    CHECK(failure.kind() == FailureKind::kReadOnly);
  }
  disk.FailAfter(0, Fault::kNone, 0);
  CHECK_EQUAL(Append(*log, PayloadOf(3)), 3);
  log.reset();
  MustBeWhole(disk, 3);
}

void limits() {
  FakeDisk disk(1);
  std::unique_ptr<Log> log = OpenLog(disk, 0, nullptr);
  CHECK_EQUAL(Append(*log, Bytes(log->record_bytes_max())), 1);
  CHECK_EQUAL(Append(*log, Bytes()), 2);
  try {
    Append(*log, Bytes(log->record_bytes_max() + 1));
    CHECK(!"too long a record was taken");
  } catch (const std::length_error &) {
  }
  try {
    Log::Open(disk, Options{.dir = "/nowhere"}, 0, [](uint64_t, std::span<const uint8_t>) {});
    CHECK(!"a log was opened that is not there");
  } catch (const Failure &failure) {
    CHECK(failure.kind() == FailureKind::kMissing);
  }
}

void inspect_and_cut() {
  FakeDisk disk(1);
  Fill(disk, 10);
  Flip(disk, kFirst, RecordAt(2) + 5);
  Seen seen;
  std::vector<DamageReport> found = Inspect(
      disk, OptionsOf(), 0, [&](uint64_t sequence, std::span<const uint8_t> bytes) { seen[sequence] = Bytes(bytes.begin(), bytes.end()); });
  CHECK_EQUAL(found.size(), 1);
  CHECK_EQUAL(seen.size(), 9);
  CHECK(!seen.contains(3) && seen[10] == PayloadOf(10));
  CutReport report = Cut(disk, OptionsOf(), 0);
  CHECK_EQUAL(report.last_kept, 2);
  CHECK_EQUAL(report.aside_files, 2);
  CHECK(disk.Content(report.aside + "/0000000002.segment").size() == 32768);
  MustBeWhole(disk, 2);
}

void inspect_and_cut_without_a_header() {
  FakeDisk disk(1);
  Fill(disk, 20);
  Flip(disk, kSecond, 300);
  Seen seen;
  std::vector<DamageReport> found = Inspect(disk, OptionsOf(), 0, [&](uint64_t sequence, std::span<const uint8_t>) { seen[sequence]; });
  CHECK_EQUAL(found.size(), 1);
  // All but the seven of the second segment.
  CHECK_EQUAL(seen.size(), 13);
  CHECK_EQUAL(Cut(disk, OptionsOf(), 0).last_kept, 7);
  MustBeWhole(disk, 7);
}

void before_damage() {
  FakeDisk disk(1);
  Fill(disk, 10);
  Flip(disk, kFirst, RecordAt(2) + 5);
  Seen seen;
  BeforeDamage before = ReadBeforeDamage(
      disk, OptionsOf(), 0, [&](uint64_t sequence, std::span<const uint8_t> bytes) { seen[sequence] = Bytes(bytes.begin(), bytes.end()); });
  CHECK_EQUAL(before.damage.size(), 1);
  CHECK_EQUAL(before.last_kept, 2);
  CHECK(seen.size() == 2 && seen[2] == PayloadOf(2));
}

void cut_where_nothing_is_left() {
  FakeDisk disk(1);
  Options options = OptionsOf();
  auto nothing = [](uint64_t, std::span<const uint8_t>) {};
  options.log_id = 0;
  CHECK(ReadBeforeDamage(disk, options, 0, nothing).damage.empty());
  // A base knows of the log, and has its first three records.
  options.log_id = 77;
  BeforeDamage before = ReadBeforeDamage(disk, options, 3, nothing);
  CHECK(before.damage.size() == 1 && before.last_kept == 3);
  CutReport report = Cut(disk, options, 3);
  CHECK(report.last_kept == 3 && report.aside_files == 0);
  options.create = false;
  CHECK_EQUAL(Log::Open(disk, options, 3, nothing)->last_sequence(), 3);
}

}  // namespace

int main() {
  RUN(whole_log);
  RUN(unfinished_end_is_cut);
  RUN(damage_at_the_end);
  RUN(damage_in_the_middle);
  RUN(damaged_headers_and_files);
  RUN(segments_are_used_again);
  RUN(full_disk);
  RUN(failed_writes);
  RUN(limits);
  RUN(inspect_and_cut);
  RUN(inspect_and_cut_without_a_header);
  RUN(before_damage);
  RUN(cut_where_nothing_is_left);
  return 0;
}
