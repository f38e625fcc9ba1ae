// The journal's store with readers beside its commits, while overlays are frozen and the base is written; under ThreadSanitizer. Then opened again.
#include "journal_store.h"

#include <stdlib.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "wire/bytes.h"

namespace {

using namespace seguro;

constexpr int kKeys = 20;
constexpr int kRounds = 300;
constexpr size_t kValueBytes = 2000;

KvOptions OptionsOf(const std::string &dir) {
  KvOptions options;
  options.dir = dir;
  options.map_bytes = uint64_t{1} << 30;
  options.overlay_bytes = 128 << 10;
  options.segment_bytes = 1 << 20;
  options.ship_file_bytes = 64 << 10;
  return options;
}

/// What all keys of a log begin with, and its blocks' letter.
const std::vector<uint8_t> kFrom = {3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 'b'};
const std::vector<uint8_t> kTo = {3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 'c'};

/// Of blocks, so that they go into ship files.
std::vector<uint8_t> KeyOf(int n) {
  std::vector<uint8_t> key = kFrom;
  key.resize(key.size() + 8);
  key.back() = static_cast<uint8_t>(n);
  return key;
}

/// Every key gets the round's value, on the condition that it has the round's before; the rest of the range is deleted first.
void CommitRound(JournalStore &store, int round) {
  std::vector<uint8_t> value(kValueBytes, static_cast<uint8_t>(round));
  std::vector<uint8_t> before(kValueBytes, static_cast<uint8_t>(round - 1));
  std::vector<std::vector<uint8_t>> keys;
  for (int n = 0; n < kKeys; n++) keys.push_back(KeyOf(n));
  KvMember member;
  member.checks.push_back({{keys[0].data(), keys[0].size()}, round > 1, {before.data(), before.size()}});
  if (round % 3 == 0) member.writes.push_back({KvWrite::kDeleteRange, {kFrom.data(), kFrom.size()}, {kTo.data(), kTo.size()}, {}});
  for (const auto &key : keys) member.writes.push_back({KvWrite::kPut, {key.data(), key.size()}, {}, {{value.data(), value.size()}}});
  CHECK(store.Commit({member}) == std::vector<uint8_t>{1});
  // The same again does not hold any more.
  if (round > 1) CHECK(store.Commit({member}) == std::vector<uint8_t>{0});
}

/// The value that all rows have; 0 where there are none yet.
int Look(JournalStore &store, bool reverse) {
  KvRangeRequest request;
  request.from = kFrom;
  request.to = kTo;
  request.limit_rows = 1000;
  request.limit_bytes = 1 << 20;
  request.reverse = reverse;
  KvRows rows = store.Range(request);
  int value = 0;
  CHECK(rows.count == 0 || rows.count == kKeys);
  size_t at = 0;
  for (uint64_t row = 0; row < rows.count; row++) {
    size_t key_bytes = seguro_load_u32(rows.bytes + at);
    size_t value_bytes = seguro_load_u32(rows.bytes + at + 4);
    CHECK_EQUAL(value_bytes, kValueBytes);
    const uint8_t *bytes = rows.bytes + at + 8 + key_bytes;
    if (row == 0) value = bytes[0];
    for (size_t i = 0; i < value_bytes; i++) CHECK(bytes[i] == value);
    at += 8 + key_bytes + value_bytes;
  }
  free(rows.bytes);
  return value;
}

void ReadersSeeWholeCommits() {
  std::string dir = "/tmp/seguro-journal-XXXXXX";
  CHECK(mkdtemp(dir.data()) != nullptr);
  {
    JournalStore store(OptionsOf(dir), journal::RealDisk());
    std::atomic<bool> done{false};
    auto read = [&](bool reverse) {
      while (!done) Look(store, reverse);
    };
    auto walk = [&] {
      while (!done) {
        int first = -1;
        store.Walk({kFrom, KeyOf(3), kTo}, [&](const uint8_t *value, size_t size) {
          CHECK_EQUAL(size, kValueBytes);
          if (first < 0) first = value[0];
          CHECK(value[0] == first && value[size - 1] == first);
          return true;
        });
        store.Figures();
      }
    };
    std::thread forward(read, false);
    std::thread backward(read, true);
    std::thread walker(walk);
    for (int round = 1; round <= kRounds; round++) CommitRound(store, round);
    done = true;
    forward.join();
    backward.join();
    walker.join();
  }
  JournalStore again(OptionsOf(dir), journal::RealDisk());
  CHECK_EQUAL(Look(again, false), kRounds % 256);
  CommitRound(again, kRounds + 1);
  again.Close();
  std::filesystem::remove_all(dir);
}

}  // namespace

int main() {
  RUN(ReadersSeeWholeCommits);
  return 0;
}
