// The fake disk's files and names.
#include "journal_fake_disk.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "journal/sector.h"

using seguro::journal::DiskFile;
using seguro::journal::kSectorBytes;

class FakeFile : public DiskFile {
 public:
  FakeFile(FakeDisk &disk, FakeDisk::NodePointer node, bool writable)
      : disk_(disk), node_(std::move(node)), process_(disk.process_), writable_(writable) {}

  int64_t Write(const void *bytes, size_t size, uint64_t offset) override {
    if (!Alive() || !writable_) return -EBADF;
    return disk_.WriteNode(*node_, static_cast<const uint8_t *>(bytes), size, offset);
  }

  int WriteDurably(const void *bytes, size_t size, uint64_t offset) override {
    auto *at = static_cast<const uint8_t *>(bytes);
    while (size > 0) {
      int64_t wrote = Write(at, size, offset);
      if (wrote < 0) return static_cast<int>(wrote);
      at += wrote;
      offset += static_cast<uint64_t>(wrote);
      size -= static_cast<size_t>(wrote);
    }
    return Flush();
  }

  int Flush() override {
    if (!Alive()) return -EBADF;
    int rc = disk_.FlushNode(*node_);
    return rc != 0 && disk_.failed_flush_tried_again ? disk_.FlushNode(*node_) : rc;
  }

  int64_t Read(void *bytes, size_t size, uint64_t offset) override {
    if (!Alive()) return -EBADF;
    if (offset >= node_->memory.size()) return 0;
    size = std::min<uint64_t>(size, node_->memory.size() - offset);
    for (uint64_t at = 0; at < size; at += kSectorBytes) {
      // What is not yet flushed goes to the device first; what memory takes for flushed comes from there.
      bool from_memory = disk_.reads_believe_memory || node_->unflushed.contains((offset + at) / kSectorBytes);
      const std::vector<uint8_t> &source = from_memory ? node_->memory : node_->device;
      std::memcpy(static_cast<uint8_t *>(bytes) + at, source.data() + offset + at, std::min<uint64_t>(kSectorBytes, size - at));
    }
    return static_cast<int64_t>(size);
  }

  int Allocate(uint64_t bytes) override {
    if (!Alive()) return -EBADF;
    if (disk_.PowerGoes()) throw PowerCut();
    if (disk_.Fails(Fault::kReadOnly)) return -EROFS;
    if (bytes > disk_.free_bytes_) return -ENOSPC;
    disk_.free_bytes_ -= bytes;
    node_->memory.resize(bytes);
    node_->device.resize(bytes);
    return 0;
  }

  int64_t Size() override { return static_cast<int64_t>(node_->memory.size()); }

 private:
  bool Alive() const { return process_ == disk_.process_; }

  FakeDisk &disk_;
  FakeDisk::NodePointer node_;
  uint64_t process_;
  bool writable_;
};

void FakeDisk::FailAfter(uint64_t calls, Fault fault, uint64_t times) {
  fail_from_ = calls_ + calls;
  fault_ = fault;
  fail_times_ = times;
}

bool FakeDisk::Fails(Fault fault) {
  if (fault_ != fault || calls_ < fail_from_ || fail_times_ == 0) return false;
  fail_times_--;
  return true;
}

void FakeDisk::Put(Node &node, const uint8_t *bytes, size_t size, uint64_t offset) {
  if (offset + size > node.memory.size()) {
    node.memory.resize(offset + size);
    node.device.resize(offset + size);
  }
  std::memcpy(node.memory.data() + offset, bytes, size);
  for (uint64_t at = offset; at < offset + size; at += kSectorBytes) node.unflushed[at / kSectorBytes] = now_++;
}

int64_t FakeDisk::WriteNode(Node &node, const uint8_t *bytes, size_t size, uint64_t offset) {
  bool cut = PowerGoes();
  if (!cut && Fails(Fault::kReadOnly)) return -EROFS;
  if (!cut && Fails(Fault::kShortWrite)) size = kSectorBytes * (1 + Below(std::max<uint64_t>(size / kSectorBytes, 2) - 1));
  if (!cut && Fails(Fault::kMisdirected) && node.memory.size() > size + kSectorBytes) {
    uint64_t elsewhere = Below((node.memory.size() - size) / kSectorBytes) * kSectorBytes;
    Put(node, bytes, size, elsewhere);
    return static_cast<int64_t>(size);
  }
  bool fails = !cut && Fails(Fault::kWriteFails);
  Put(node, bytes, fails ? kSectorBytes * Below(size / kSectorBytes + 1) : size, offset);
  if (cut) throw PowerCut();
  return fails ? -EIO : static_cast<int64_t>(size);
}

int FakeDisk::FlushNode(Node &node) {
  bool cut = PowerGoes();
  if (cut) throw PowerCut();
  bool fails = Fails(Fault::kFlushFails);
  if (flush_does_nothing) return fails ? -EIO : 0;
  double likely = fails ? static_cast<double>(Below(4)) / 3 : 1;
  for (auto [sector, when] : node.unflushed) {
    if (!Chance(likely)) continue;
    uint64_t at = sector * kSectorBytes;
    std::memcpy(node.device.data() + at, node.memory.data() + at, std::min<uint64_t>(kSectorBytes, node.memory.size() - at));
  }
  // Failed or not, the page cache holds its pages for clean from now on.
  node.unflushed.clear();
  return fails ? -EIO : 0;
}

void FakeDisk::Restart(Loss loss) {
  process_++;
  cut_at_ = kNever;
  fault_ = Fault::kNone;
  uint64_t pivot = now_ == 0 ? 0 : Below(now_) + 1;
  double likely = loss == Loss::kFewLost ? 0.9 : loss == Loss::kFewKept ? 0.1 : 0.5;
  auto kept = [&](uint64_t when) {
    switch (loss) {
      case Loss::kDropAll:
        return false;
      case Loss::kKeepAll:
        return true;
      case Loss::kFirstKept:
        return when < pivot;
      case Loss::kLastKept:
        return when >= pivot;
      default:
        return Chance(likely);
    }
  };
  for (const NameChange &change : name_changes_) {
    if (kept(now_++)) Apply(change, &device_names_);
  }
  name_changes_.clear();
  // What lies in a folder that is not there is not there either.
  std::erase_if(device_names_, [&](const auto &entry) {
    size_t slash = entry.first.find_last_of('/');
    return slash != std::string::npos && slash > 0 && !device_names_.contains(entry.first.substr(0, slash));
  });
  names_ = device_names_;
  for (auto &[name, node] : names_) {
    for (auto [sector, when] : node->unflushed) {
      uint64_t at = sector * kSectorBytes;
      if (kept(when))
        std::memcpy(node->device.data() + at, node->memory.data() + at, std::min<uint64_t>(kSectorBytes, node->memory.size() - at));
    }
    node->unflushed.clear();
    node->memory = node->device;
  }
}

void FakeDisk::KillProcess() {
  process_++;
  cut_at_ = kNever;
  fault_ = Fault::kNone;
}

std::vector<std::string> FakeDisk::SegmentPaths() const {
  std::vector<std::string> paths;
  for (const auto &[name, node] : names_) {
    if (name.ends_with(".segment") && name.find("cut-") == std::string::npos) paths.push_back(name);
  }
  return paths;
}

void FakeDisk::FlipBit() {
  std::vector<std::string> paths = SegmentPaths();
  if (paths.empty()) return;
  Node &node = *names_[paths[Below(paths.size())]];
  uint64_t at = Below(node.device.size());
  node.device[at] ^= static_cast<uint8_t>(1u << Below(8));
  node.memory[at] = node.device[at];
}

void FakeDisk::Change(const std::string &path, uint64_t offset, const std::vector<uint8_t> &bytes) {
  Node &node = *names_.at(path);
  std::copy(bytes.begin(), bytes.end(), node.device.begin() + static_cast<ptrdiff_t>(offset));
  std::copy(bytes.begin(), bytes.end(), node.memory.begin() + static_cast<ptrdiff_t>(offset));
}

std::vector<uint8_t> FakeDisk::Content(const std::string &path) const { return names_.at(path)->device; }

void FakeDisk::Remove(const std::string &path) {
  names_.erase(path);
  device_names_.erase(path);
}

void FakeDisk::Apply(const NameChange &change, std::map<std::string, NodePointer> *names) {
  if (!change.removed.empty()) {
    auto found = names->find(change.removed);
    bool there = found != names->end();
    if (there) names->erase(found);
    // A new name whose old one was never there, with a node of its own: only where that old name's making was lost is nothing renamed.
    if (!there && !change.added.empty()) return;
  }
  if (!change.added.empty()) (*names)[change.added] = change.node;
}

void FakeDisk::ChangeNames(NameChange change) {
  bool cut = PowerGoes();
  Apply(change, &names_);
  name_changes_.push_back(std::move(change));
  if (cut) throw PowerCut();
}

int FakeDisk::List(const std::string &dir, std::vector<std::string> *names) {
  names->clear();
  if (!names_.contains(dir)) return -ENOENT;
  for (const auto &[name, node] : names_) {
    if (name.starts_with(dir + "/") && name.find('/', dir.size() + 1) == std::string::npos) names->push_back(name.substr(dir.size() + 1));
  }
  return 0;
}

int FakeDisk::MakeDirectory(const std::string &dir) {
  if (names_.contains(dir)) return -EEXIST;
  if (Fails(Fault::kReadOnly)) return -EROFS;
  ChangeNames(NameChange{"", dir, std::make_shared<Node>()});
  return 0;
}

int FakeDisk::Create(const std::string &path, std::unique_ptr<DiskFile> *file) {
  if (names_.contains(path)) return -EEXIST;
  if (Fails(Fault::kReadOnly)) return -EROFS;
  auto node = std::make_shared<Node>();
  ChangeNames(NameChange{"", path, node});
  *file = std::make_unique<FakeFile>(*this, node, true);
  return 0;
}

int FakeDisk::Open(const std::string &path, bool writable, std::unique_ptr<DiskFile> *file) {
  auto found = names_.find(path);
  if (found == names_.end()) return -ENOENT;
  *file = std::make_unique<FakeFile>(*this, found->second, writable);
  return 0;
}

int FakeDisk::Rename(const std::string &from, const std::string &to) {
  auto found = names_.find(from);
  if (found == names_.end()) return -ENOENT;
  if (Fails(Fault::kReadOnly)) return -EROFS;
  ChangeNames(NameChange{from, to, found->second});
  return 0;
}

int FakeDisk::Unlink(const std::string &path) {
  auto found = names_.find(path);
  if (found == names_.end()) return -ENOENT;
  if (Fails(Fault::kReadOnly)) return -EROFS;
  free_bytes_ += found->second->memory.size();
  ChangeNames(NameChange{path, "", nullptr});
  return 0;
}

int FakeDisk::SyncDirectory(const std::string &dir) {
  if (PowerGoes()) throw PowerCut();
  if (Fails(Fault::kFlushFails)) return -EIO;
  if (directory_sync_does_nothing) return 0;
  auto inside = [&](const NameChange &change) {
    const std::string &name = change.added.empty() ? change.removed : change.added;
    return name.substr(0, std::max<size_t>(name.find_last_of('/'), 1)) == dir;
  };
  for (const NameChange &change : name_changes_) {
    if (inside(change)) Apply(change, &device_names_);
  }
  std::erase_if(name_changes_, inside);
  return 0;
}

int FakeDisk::FreeBytes(const std::string &, uint64_t *bytes) {
  *bytes = free_bytes_;
  return 0;
}
