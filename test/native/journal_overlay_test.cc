// Overlays over a base and small ship files read as one map: random writes, freezes and takings in, compared with a plain map, also at earlier moments.
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "journal_base.h"
#include "journal_base_writer.h"
#include "journal_pending.h"
#include "journal_place.h"
#include "journal_record.h"
#include "journal_snapshot.h"
#include "journal_sweep.h"

namespace {

using namespace seguro;
using Model = std::map<std::string, std::string>;

KvSlice SliceOf(const std::string &text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }
std::string TextOf(const KvSlice &slice) { return std::string(reinterpret_cast<const char *>(slice.data), slice.size); }

struct Change {
  KvWrite::Kind kind;
  std::string key;
  std::string value;  // of a delete-range: the upper bound

  KvWrite write() const {
    KvWrite write{kind, SliceOf(key), {}, {}};
    if (kind == KvWrite::kDeleteRange) write.to = SliceOf(value);
    if (kind == KvWrite::kPut)
      write.pieces = {{SliceOf(value).data, value.size() / 3}, {SliceOf(value).data + value.size() / 3, value.size() - value.size() / 3}};
    return write;
  }
  void ApplyTo(Model *model) const {
    if (kind == KvWrite::kPut) (*model)[key] = value;
    if (kind == KvWrite::kDelete) model->erase(key);
    if (kind == KvWrite::kDeleteRange && key < value) model->erase(model->lower_bound(key), model->lower_bound(value));
  }
};

class Chance {
 public:
  explicit Chance(uint32_t seed) : random_(seed) {}
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  /// Few distinct bytes, so that keys meet.
  std::string Key() { return Below(2) == 0 ? PlainKey() : FiledKey(); }
  Change Next() {
    uint32_t kind = Below(10);
    if (kind < 6) return {KvWrite::kPut, Key(), std::string(Below(5) == 0 ? 0 : Below(300), static_cast<char>('A' + Below(26)))};
    if (kind < 9) return {KvWrite::kDelete, Key(), ""};
    return {KvWrite::kDeleteRange, Below(5) == 0 ? "" : Key(), Key()};
  }

 private:
  /// Of blocks and pieces of two logs, or a bound that begins one or the other.
  std::string FiledKey() {
    std::string key = std::string("\x03\x01", 2) + std::string(19, '\0') + static_cast<char>(1 + Below(2));
    uint32_t what = Below(8);
    if (what < 2) return what == 0 ? key : key + "c";
    key += (what < 6 ? "b" : "p") + std::string(what < 6 ? 7 : 19, '\0');
    return key + static_cast<char>(Below(12));
  }
  std::string PlainKey() {
    static const char bytes[] = {'\0', 'a', 'b', '\xff'};
    std::string key;
    for (uint32_t n = 1 + Below(3); n > 0; n--) key += bytes[Below(4)];
    return key;
  }

  std::mt19937 random_;
};

/// A store's layers without its log.
class Layers {
 public:
  explicit Layers(const std::string &dir) : files_(dir + "/ships", 1500), base_(Options(dir)) { Begin(); }
  ~Layers() {
    files_.RemoveDoomed();
    uint64_t files = files_.counts().files;
    JournalSweep(base_, files_);
    CHECK_EQUAL(files_.counts().files, 2 * files);
    uint64_t found = 0;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(dir())) found += entry.is_regular_file() ? 1 : 0;
    CHECK_EQUAL(found, files);
  }

  void Apply(const Change &change) {
    active_->Apply(change.write());
    views_.active.moment = active_->moment();
  }
  void Freeze() {
    views_.frozen = views_.active;
    Begin();
  }
  void Take() {
    if (views_.frozen.overlay == nullptr) return;
    base_writer_.Write(base_, views_.frozen, {7, ++sequence_});
    files_.RemoveDoomed();
    JournalMark mark;
    CHECK(JournalReadMark(base_, &mark) && mark.log_id == 7 && mark.sequence == sequence_);
  }
  void DropFrozen() { views_.frozen = JournalView(); }
  bool frozen() const { return views_.frozen.overlay != nullptr; }
  std::unique_ptr<JournalSnapshot> Look() {
    std::unique_lock lock(mutex_);
    return std::make_unique<JournalSnapshot>(lock, views_, base_, files_);
  }

 private:
  static KvOptions Options(const std::string &dir) {
    KvOptions options;
    options.dir = dir;
    options.map_bytes = uint64_t{1} << 30;
    options.journal_base = true;
    return options;
  }
  void Begin() {
    active_ = std::make_shared<JournalOverlay>();
    views_.active = {active_, active_->moment()};
  }

  const std::string &dir() {
    std::filesystem::create_directories(files_.dir());
    return files_.dir();
  }

  JournalFiles files_;
  JournalBaseWriter base_writer_{files_};
  LmdbStore base_;
  std::shared_ptr<JournalOverlay> active_;
  JournalViews views_;
  std::mutex mutex_;
  uint64_t sequence_ = 0;
};

void CompareForward(JournalSnapshot &snapshot, const Model &model, const std::string &from) {
  bool on = snapshot.SeekFrom(SliceOf(from));
  // The base's own mark lies behind every bound that a caller may name.
  static const std::string end(300, '\xff');
  for (auto it = model.lower_bound(from); it != model.end(); ++it) {
    CHECK(on && TextOf(snapshot.key()) == it->first && TextOf(snapshot.Load(snapshot.key(), snapshot.found())) == it->second);
    on = snapshot.Next();
  }
  CHECK(!on || TextOf(snapshot.key()) >= end);
}

void CompareBackward(JournalSnapshot &snapshot, const Model &model, const std::string &to) {
  bool on = snapshot.SeekBefore(SliceOf(to));
  for (auto it = model.lower_bound(to); it != model.begin();) {
    --it;
    CHECK(on && TextOf(snapshot.key()) == it->first && TextOf(snapshot.Load(snapshot.key(), snapshot.found())) == it->second);
    on = snapshot.Previous();
  }
  CHECK(!on);
}

void Compare(JournalSnapshot &snapshot, const Model &model, Chance &chance) {
  CompareForward(snapshot, model, "");
  CompareBackward(snapshot, model, std::string(300, '\xff'));
  for (int i = 0; i < 4; i++) {
    std::string key = chance.Key();
    CompareForward(snapshot, model, key);
    CompareBackward(snapshot, model, key);
    JournalFound value;
    auto found = model.find(key);
    CHECK(snapshot.Get(SliceOf(key), &value) == (found != model.end()));
    if (found != model.end()) CHECK(TextOf(snapshot.Load(SliceOf(key), value)) == found->second);
  }
}

void Run(uint32_t seed, const std::string &dir) {
  Chance chance(seed);
  Layers layers(dir);
  Model model;
  std::vector<std::pair<std::unique_ptr<JournalSnapshot>, Model>> kept;
  for (int step = 0; step < 300; step++) {
    Change change = chance.Next();
    layers.Apply(change);
    change.ApplyTo(&model);
    if (chance.Below(12) == 0 && !layers.frozen()) layers.Freeze();
    // A base that has what is frozen still has it over itself, for a while.
    if (chance.Below(8) == 0) layers.Take();
    if (chance.Below(8) == 0 && layers.frozen()) {
      layers.Take();
      layers.DropFrozen();
    }
    if (chance.Below(4) == 0) Compare(*layers.Look(), model, chance);
    if (chance.Below(20) == 0 && kept.size() < 5) kept.emplace_back(layers.Look(), model);
    if (chance.Below(30) == 0 && !kept.empty()) {
      // An earlier moment has not changed since.
      Compare(*kept.front().first, kept.front().second, chance);
      kept.erase(kept.begin());
    }
  }
  Compare(*layers.Look(), model, chance);
  for (auto &[snapshot, then] : kept) Compare(*snapshot, then, chance);
}

std::string Folder() {
  std::string dir = "/tmp/seguro-overlay-XXXXXX";
  CHECK(mkdtemp(dir.data()) != nullptr);
  return dir;
}

void ReadsAsOneMap() {
  for (uint32_t seed = 1; seed <= 60; seed++) {
    std::string dir = Folder();
    Run(seed, dir);
    std::filesystem::remove_all(dir);
  }
}

void RecordsReadBack() {
  Chance chance(5);
  for (int round = 0; round < 200; round++) {
    std::vector<Change> changes;
    for (uint32_t n = 1 + chance.Below(20); n > 0; n--) changes.push_back(chance.Next());
    std::vector<KvWrite> writes;
    for (const Change &change : changes) writes.push_back(change.write());
    std::vector<const KvWrite *> listed;
    size_t bytes = kJournalRecordHeaderBytes;
    for (const KvWrite &write : writes) {
      listed.push_back(&write);
      bytes += JournalWriteBytes(write);
    }
    JournalRecord record(listed);
    std::vector<uint8_t> payload;
    for (const iovec &piece : record.pieces()) {
      auto *at = static_cast<const uint8_t *>(piece.iov_base);
      payload.insert(payload.end(), at, at + piece.iov_len);
    }
    CHECK_EQUAL(payload.size(), bytes);
    size_t n = 0;
    JournalReadRecord(payload, [&](const KvWrite &write) {
      const Change &change = changes[n++];
      CHECK(write.kind == change.kind && TextOf(write.key) == change.key);
      if (write.kind == KvWrite::kPut) CHECK(TextOf(write.pieces.at(0)) == change.value);
      if (write.kind == KvWrite::kDeleteRange) CHECK(TextOf(write.to) == change.value);
    });
    CHECK_EQUAL(n, changes.size());
    for (size_t cut = 0; cut < payload.size(); cut += 1 + chance.Below(9)) {
      bool refused = false;
      try {
        JournalReadRecord({payload.data(), cut}, [](const KvWrite &) {});
      } catch (const KvFailure &failure) {
        refused = std::string(failure.code()) == "store-damaged";
      }
      CHECK(refused);
    }
  }
}

void PendingKnowsTheLastWord() {
  for (uint32_t seed = 1; seed <= 300; seed++) {
    Chance chance(seed);
    JournalPending pending;
    Model model;
    std::vector<Change> changes;
    for (int i = 0; i < 12; i++) changes.push_back(chance.Next());
    std::vector<KvWrite> writes;
    for (const Change &change : changes) writes.push_back(change.write());
    // What was there before, under keys that a write must hide.
    for (int i = 0; i < 8; i++) model[chance.Key()] = "below";
    Model below = model;
    for (size_t i = 0; i < writes.size(); i++) {
      pending.Add(writes[i]);
      changes[i].ApplyTo(&model);
      for (int look = 0; look < 6; look++) {
        std::string key = chance.Key();
        const KvWrite *put = nullptr;
        JournalPending::Known known = pending.Find(SliceOf(key), &put);
        auto expected = model.find(key);
        if (known == JournalPending::Known::kNothing) CHECK((expected == model.end()) == (below.find(key) == below.end()));
        if (known == JournalPending::Known::kDeleted) CHECK(expected == model.end());
        if (known == JournalPending::Known::kValue) {
          std::string value;
          for (const KvSlice &piece : put->pieces) value += TextOf(piece);
          CHECK(expected != model.end() && expected->second == value);
        }
      }
    }
  }
}

}  // namespace

int main() {
  RUN(ReadsAsOneMap);
  RUN(RecordsReadBack);
  RUN(PendingKnowsTheLastWord);
  return 0;
}
