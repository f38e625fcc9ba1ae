// A disk in memory that loses, keeps, tears and reorders what was not flushed, sector by sector, and fails when it is told to.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "journal/disk.h"

/// The process is dead: every later call of its files fails.
struct PowerCut {};

/// What becomes of unflushed sectors and names when the power goes.
enum class Loss { kDropAll, kKeepAll, kEachAtRandom, kFewLost, kFewKept, kFirstKept, kLastKept, kCount };

/// What happens at a call that changes something.
enum class Fault { kNone, kWriteFails, kFlushFails, kShortWrite, kMisdirected, kReadOnly };

class FakeDisk : public seguro::journal::Disk {
 public:
  explicit FakeDisk(uint64_t seed) : random_(seed) {}

  // ---- what goes wrong ----
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  /// The power goes within that call, counted from now; calls that change something count.
  void CutPowerAfter(uint64_t calls) { cut_at_ = calls == kNever ? kNever : calls_ + calls; }
  /// `fault` from that call on, `times` times, at calls that it concerns.
  void FailAfter(uint64_t calls, Fault fault, uint64_t times);
  void SetFreeBytes(uint64_t bytes) { free_bytes_ = bytes; }
  /// The power was cut: what was not flushed is lost or not.
  void Restart(Loss loss);
  /// The process was killed: memory still has everything, or pretends to.
  void KillProcess();
  /// Changes one bit of a random segment file (or of the given one), on the device.
  void FlipBit();
  void Change(const std::string &path, uint64_t offset, const std::vector<uint8_t> &bytes);
  std::vector<uint8_t> Content(const std::string &path) const;
  std::vector<std::string> SegmentPaths() const;
  void Remove(const std::string &path);
  uint64_t calls() const { return calls_; }

  // ---- disks that no log can live with: tests have to notice them ----
  bool flush_does_nothing = false;
  bool directory_sync_does_nothing = false;
  bool reads_believe_memory = false;      // a recovery that trusts the page cache
  bool failed_flush_tried_again = false;  // a log that flushes once more after a failure, and believes that

  // ---- Disk ----
  int List(const std::string &dir, std::vector<std::string> *names) override;
  int MakeDirectory(const std::string &dir) override;
  int Create(const std::string &path, std::unique_ptr<seguro::journal::DiskFile> *file) override;
  int Open(const std::string &path, bool writable, std::unique_ptr<seguro::journal::DiskFile> *file) override;
  int Rename(const std::string &from, const std::string &to) override;
  int Unlink(const std::string &path) override;
  int SyncDirectory(const std::string &dir) override;
  int FreeBytes(const std::string &dir, uint64_t *bytes) override;

 private:
  friend class FakeFile;
  /// A file, or a folder (without content).
  struct Node {
    std::vector<uint8_t> memory, device;     // of one size
    std::map<uint64_t, uint64_t> unflushed;  // sector, when it was written
  };
  using NodePointer = std::shared_ptr<Node>;
  /// A change of names that is not yet flushed: `node` gets the name, or nothing does.
  struct NameChange {
    std::string removed, added;
    NodePointer node;
  };

  /// Counts a call; whether the power goes within it.
  bool PowerGoes() { return calls_++ >= cut_at_; }
  bool Fails(Fault fault);
  void Put(Node &node, const uint8_t *bytes, size_t size, uint64_t offset);
  int FlushNode(Node &node);
  int64_t WriteNode(Node &node, const uint8_t *bytes, size_t size, uint64_t offset);
  void ChangeNames(NameChange change);
  static void Apply(const NameChange &change, std::map<std::string, NodePointer> *names);
  bool Chance(double likely) { return std::uniform_real_distribution<>(0, 1)(random_) < likely; }
  uint64_t Below(uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random_); }

  std::mt19937_64 random_;
  std::map<std::string, NodePointer> names_, device_names_;
  std::vector<NameChange> name_changes_;
  uint64_t calls_ = 0;
  uint64_t cut_at_ = kNever;
  uint64_t fail_from_ = kNever;
  uint64_t fail_times_ = 0;
  Fault fault_ = Fault::kNone;
  uint64_t free_bytes_ = uint64_t{1} << 40;
  uint64_t process_ = 0;
  uint64_t now_ = 0;
};
