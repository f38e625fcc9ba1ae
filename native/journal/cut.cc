// For damaged logs: seeing everything that is left, and ending the log before the damage.
#include <algorithm>
#include <cerrno>

#include "journal/aligned.h"
#include "journal/recovery.h"

namespace seguro::journal {

constexpr uint64_t kCopyBytes = uint64_t{1} << 20;

std::vector<DamageReport> Inspect(Disk &disk, const Options &options, uint64_t applied, const Visitor &visit) {
  Recovery recovery(disk, options, applied, false);
  recovery.FindSegments();
  if (!recovery.found()) throw Failure(FailureKind::kMissing, "there is no journal in " + options.dir);
  recovery.ReadRecords(visit, true);
  return recovery.damage();
}

/// What is wrong with a log of which there is no file left.
static DamageReport GoneReport(const Options &options, uint64_t applied) {
  DamageReport report;
  report.file = options.dir;
  report.what = "no segment of the log is there any more";
  report.first_lost = applied + 1;
  report.readable_first = applied + 1;
  report.readable_last = applied;
  return report;
}

/// The last record that stays after a cut. What is kept of the log but ends before what the base holds is of no use.
static uint64_t LastKept(Recovery &recovery, uint64_t applied) {
  return recovery.chain().empty() ? applied : std::max(applied, recovery.next().sequence - 1);
}

BeforeDamage ReadBeforeDamage(Disk &disk, const Options &options, uint64_t applied, const Visitor &visit) {
  Recovery recovery(disk, options, applied, false);
  recovery.FindSegments();
  if (!recovery.found()) {
    if (options.log_id == 0) return {{}, applied};
    return {{GoneReport(options, applied)}, applied};
  }
  recovery.ReadRecords(visit, false);
  return {recovery.damage(), LastKept(recovery, applied)};
}

/// Copies a file, durably but for its name. Blocks that the device cannot read become zeros.
static void CopyAside(Disk &disk, const Segment &segment, const std::string &to) {
  std::unique_ptr<DiskFile> copy;
  int rc = disk.Create(to, &copy);
  if (rc == -EEXIST) {
    // Of a cut that did not come to its end.
    rc = disk.Unlink(to);
    if (rc == 0) rc = disk.Create(to, &copy);
  }
  if (rc != 0) throw Failure::From(rc, "create " + to);
  uint64_t size = (segment.header.segment_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  if (size == 0) return;
  SegmentImage image(*segment.file, segment.path, size);
  for (uint64_t offset = 0; offset < size;) {
    int64_t wrote = copy->Write(image.data() + offset, std::min(kCopyBytes, size - offset), offset);
    if (wrote <= 0 || wrote % static_cast<int64_t>(kBlockBytes) != 0)
      throw Failure::From(wrote < 0 ? static_cast<int>(wrote) : EIO, "write " + to);
    offset += static_cast<uint64_t>(wrote);
  }
  rc = copy->Flush();
  if (rc != 0) throw Failure::From(rc, "flush " + to);
}

static void SyncFolder(Disk &disk, const std::string &dir) {
  int rc = disk.SyncDirectory(dir);
  if (rc != 0) throw Failure::From(rc, "flush the folder " + dir);
}

/// The header with which the log goes on behind what is kept.
static SegmentHeader HeaderBehind(const Segment &segment, Recovery &recovery, uint64_t applied) {
  SegmentHeader header = segment.header;
  header.generation = recovery.greatest_generation() + 1;
  if (recovery.chain().empty()) {
    header.first_sequence = applied + 1;
    return header;
  }
  const Segment &last = recovery.chain().back();
  header.previous_generation = last.header.generation;
  header.previous_end_bytes = last.end_bytes;
  // Damage or not: its file is not used again once it is released.
  header.previous_failed = true;
  header.first_sequence = recovery.next().sequence;
  header.previous_checksum = recovery.next().previous_checksum;
  return header;
}

CutReport Cut(Disk &disk, const Options &options, uint64_t applied) {
  Recovery recovery(disk, options, applied, true);
  recovery.FindSegments();
  bool gone = !recovery.found();
  if (gone && options.log_id == 0) throw Failure(FailureKind::kMissing, "there is no journal in " + options.dir);
  if (!gone) recovery.ReadRecords([](uint64_t, std::span<const uint8_t>) {}, false);
  if (!gone && recovery.damage().empty()) throw Failure(FailureKind::kMissing, "there is no damage in " + options.dir);
  if (recovery.greatest_generation() >= kGenerationMax) throw Failure(FailureKind::kFailed, "the log has used up its generations");
  if (recovery.log_id() == 0) throw Failure(FailureKind::kFailed, "no segment says which log it belongs to: its id has to be named");
  // What is kept but ends before what the base holds is of no use: the log goes on behind the base.
  if (recovery.next().sequence <= applied) recovery.DropChain();

  CutReport report;
  report.damage = gone ? GoneReport(options, applied) : recovery.damage().front();
  report.last_kept = LastKept(recovery, applied);
  int rc = gone ? disk.MakeDirectory(options.dir) : 0;
  if (rc != 0 && rc != -EEXIST) throw Failure::From(rc, "create the folder " + options.dir);
  report.aside = options.dir + "/" + kAsidePrefix + std::to_string(recovery.greatest_generation() + 1);
  rc = disk.MakeDirectory(report.aside);
  if (rc != 0 && rc != -EEXIST) throw Failure::From(rc, "create the folder " + report.aside);
  auto copy = [&](const Segment &segment) {
    CopyAside(disk, segment, report.aside + segment.path.substr(segment.path.find_last_of('/')));
    report.aside_files++;
  };
  for (const Segment &segment : recovery.doubtful()) copy(segment);
  if (!recovery.chain().empty()) copy(recovery.chain().back());
  SyncFolder(disk, report.aside);
  SyncFolder(disk, options.dir);

  // The new segment's header ends the log at the right place, at once; what it leaves out is useless from then on.
  Cost cost;
  Segment segment = MakeSegment(disk, options.dir, recovery.log_id(), recovery.greatest_file_number() + 1, options.segment_bytes, &cost);
  rc = BeginSegment(&segment, HeaderBehind(segment, recovery, applied), &cost);
  if (rc != 0) throw Failure::From(rc, "begin " + segment.path);
  for (const Segment &doubtful : recovery.doubtful()) {
    rc = disk.Unlink(doubtful.path);
    if (rc != 0) throw Failure::From(rc, "remove " + doubtful.path);
  }
  SyncFolder(disk, options.dir);
  return report;
}

}  // namespace seguro::journal
