// Runs in, blocks out: one group of blocks is being committed while the next ones pile up.
#include "core_lane.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "kv_failure.h"

namespace seguro {

namespace {

// Fields of a block's header that change from block to block (native/wire/block.h).
constexpr size_t kFirstAt = 40;
constexpr size_t kCountAt = 48;
constexpr size_t kBytesAt = 56;
constexpr size_t kFloorAt = 64;
constexpr size_t kPairIdAt = 72;
constexpr size_t kPairDigestAt = 80;
constexpr size_t kCrcAt = 132;

/** After a commit of at most so much its client is taken for one that waits for each acknowledgement. */
constexpr size_t kLookBytes = 64 << 10;
/** So much is digested at once by whoever took it, in some microseconds. */
constexpr size_t kQuickBytes = 16 << 10;
/** Before another lane has its turn. */
constexpr int kRunsATurn = 8;

}  // namespace

Lane::Lane(LaneStart start, std::shared_ptr<KvCommitQueue> queue, std::shared_ptr<LaneDigester> digester, std::unique_ptr<LaneOwner> owner)
    : start_(std::move(start)),
      queue_(std::move(queue)),
      digester_(std::move(digester)),
      owner_(std::move(owner)),
      chain_(start_.at.pair.id, start_.at.pair.digest),
      taken_id_(start_.at.height),
      at_(start_.at) {
  if (at_.height == 0 || at_.pair.id != at_.height) throw std::runtime_error("a lane begins where the digest chain is at the log's height");
}

bool Lane::Take(uint64_t first_id, uint64_t last_id, ByteBuffer *bytes) {
  if (first_id != taken_id_ + 1 || last_id < first_id) return false;
  bool enqueue = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || failed_) return false;
    auto run = std::make_shared<LaneRun>(LaneRun{std::move(*bytes), first_id, last_id});
    in_flight_bytes_ += run->bytes.size();
    undigested_.push_back(run);
    undigested_bytes_ += run->bytes.size();
    waiting_.push_back(std::move(run));
    enqueue = !std::exchange(queued_, true);
  }
  taken_id_ = last_id;
  if (enqueue) queue_->Enqueue(shared_from_this());
  return true;
}

void Lane::Digest() {
  bool quick = true;
  {
    std::lock_guard lock(mutex_);
    // Whoever is at it goes on to the end.
    if (digesting_ || undigested_.empty()) return;
    digesting_ = true;
    quick = undigested_bytes_ <= kQuickBytes;
  }
  if (!quick && digester_->Submit(shared_from_this())) return;
  while (DigestSome()) {
  }
}

bool Lane::DigestSome() {
  for (int run = 0; run < kRunsATurn; run++) {
    if (!DigestNext()) return false;
  }
  return true;
}

bool Lane::DigestNext() {
  RunPtr run;
  {
    std::unique_lock lock(mutex_);
    if (undigested_.empty() || failed_) {
      digesting_ = false;
      EndIfDone(&lock);
      return false;
    }
    run = undigested_.front();
  }
  const char *wrong = chain_.Advance(run->bytes.data(), run->bytes.size(), UINT64_MAX);
  bool room = false;
  {
    std::lock_guard lock(mutex_);
    undigested_.pop_front();
    undigested_bytes_ -= run->bytes.size();
    if (wrong != nullptr || chain_.id() != run->last_id) {
      // The assembler has checked these very bytes.
      Fail(LaneEnding::kFailed, "store-failed", "invariant: the digest chain does not follow what was checked");
      return true;
    }
    LanePair pair;
    pair.id = chain_.id();
    std::memcpy(pair.digest, chain_.digest(), sizeof pair.digest);
    early_.push_back(pair);
    SettlePairs();
    room = FindsRoom();
  }
  if (room) owner_->Room();
  return true;
}

void Lane::SettlePairs() {
  for (; !early_.empty() && early_.front().id <= at_.height; early_.pop_front()) at_.pair = early_.front();
}

void Lane::Stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  EndIfDone(&lock);
}

void Lane::EndIfDone(std::unique_lock<std::mutex> *lock) {
  bool done = (failed_ || (stopping_ && undigested_.empty())) && !queued_ && !digesting_ && !ended_;
  if (!done) return;
  ended_ = true;
  lock->unlock();
  owner_->Ended();
}

bool Lane::HasRoom() {
  std::lock_guard lock(mutex_);
  // The same runs, from one on: the more of both is what is not durable and digested.
  starved_ = starved_ || std::max(in_flight_bytes_, undigested_bytes_) >= start_.in_flight_bytes;
  return !starved_;
}

bool Lane::FindsRoom() {
  bool room = starved_ && !failed_ && !ended_ && std::max(in_flight_bytes_, undigested_bytes_) < start_.in_flight_bytes / 2;
  if (room) starved_ = false;
  return room;
}

bool Lane::busy() const {
  std::lock_guard lock(mutex_);
  return queued_;
}

LaneHeight Lane::height() const {
  std::lock_guard lock(mutex_);
  return at_;
}

LaneEnd Lane::end() const {
  std::lock_guard lock(mutex_);
  return end_;
}

/** Runs for one block: at least one, and as many as fit. The lock is held. */
Lane::Block Lane::SealNext() {
  Block block;
  while (!waiting_.empty()) {
    const RunPtr &next = waiting_.front();
    if (!block.runs.empty() && block.bytes + next->bytes.size() > start_.block_bytes) break;
    if (block.runs.empty()) block.first_id = next->first_id;
    block.last_id = next->last_id;
    block.bytes += next->bytes.size();
    block.runs.push_back(next);
    waiting_.pop_front();
  }
  block.key = start_.blocks_prefix;
  for (int shift = 56; shift >= 0; shift -= 8) block.key.push_back(static_cast<uint8_t>(block.first_id >> shift));
  WriteHeader(&block);
  return block;
}

void Lane::WriteHeader(Block *block) const {
  uint8_t *header = block->header;
  std::memcpy(header, start_.header, sizeof block->header);
  seguro_store_u64(header + kFirstAt, block->first_id);
  seguro_store_u64(header + kCountAt, block->last_id - block->first_id + 1);
  seguro_store_u64(header + kBytesAt, block->bytes);
  seguro_store_u64(header + kFloorAt, at_.height);
  seguro_store_u64(header + kPairIdAt, at_.pair.id);
  std::memcpy(header + kPairDigestAt, at_.pair.digest, sizeof at_.pair.digest);
  seguro_store_u32(header + kCrcAt, seguro_crc32c(0, header, kCrcAt));
}

KvMember Lane::MemberOf(const Block &block) const {
  KvMember member;
  member.checks.push_back(
      {{start_.check_key.data(), start_.check_key.size()}, true, {start_.check_value.data(), start_.check_value.size()}});
  KvWrite write{};
  write.kind = KvWrite::kPut;
  write.key = {block.key.data(), block.key.size()};
  write.pieces.push_back({block.header, sizeof block.header});
  for (const RunPtr &run : block.runs) write.pieces.push_back({run->bytes.data(), run->bytes.size()});
  member.writes.push_back(std::move(write));
  return member;
}

void Lane::Gather(KvGroup *group) {
  {
    std::lock_guard lock(mutex_);
    while (!failed_ && !waiting_.empty()) blocks_.push_back(SealNext());
  }
  for (const Block &block : blocks_) group->push_back(MemberOf(block));
}

void Lane::Settled(const uint8_t *outcomes, const KvOthers *others) {
  bool rose = false;
  bool look = false;
  size_t released_bytes = 0;
  {
    std::unique_lock lock(mutex_);
    for (const Block &block : blocks_) {
      released_bytes += block.bytes;
      if (*outcomes++ == 1 && !failed_) {
        if (block.first_id != at_.height + 1) {
          Fail(LaneEnding::kFailed, "store-failed", "invariant: a block became durable out of order");
          continue;
        }
        at_.height = block.last_id;
        rose = true;
      } else {
        Fail(LaneEnding::kFenced, "", "");
      }
    }
    SettlePairs();
    // A client that sends without waiting keeps the ring's own thread busy: that is quicker for it.
    look = rose && others != nullptr && released_bytes <= kLookBytes && waiting_.empty() && !stopping_ && !failed_;
  }
  if (rose) Acknowledge(look);
  blocks_.clear();
  bool again = Release(released_bytes);
  if (look) owner_->Look(again ? nullptr : this, others);
}

/** After a commit: what it held in flight is no more. True when there is nothing to look for, because more waits, or it was the end. */
bool Lane::Release(size_t bytes) {
  std::unique_lock lock(mutex_);
  in_flight_bytes_ -= bytes;
  bool room = FindsRoom();
  bool again = !failed_ && !waiting_.empty();
  queued_ = again;
  if (!again && (stopping_ || failed_)) {
    EndIfDone(&lock);
    return true;
  }
  lock.unlock();
  // Before the queue may have us again: what follows may be the end.
  if (room) owner_->Room();
  if (again) queue_->Enqueue(shared_from_this());
  return again;
}

/** Of a height that this thread alone raises. */
void Lane::Acknowledge(bool look) {
  LaneHeight now;
  bool mute = false;
  {
    std::lock_guard lock(mutex_);
    now = at_;
    mute = mute_;
  }
  if (!mute && owner_->Acknowledge(now, look)) return;
  {
    std::lock_guard lock(mutex_);
    mute_ = true;
    end_.owes_acknowledgement = true;
  }
  if (!mute) owner_->WantsEnd();
}

void Lane::Failed(const std::string &code, const std::string &message) {
  std::unique_lock lock(mutex_);
  Fail(LaneEnding::kFailed, code, message);
  blocks_.clear();
  queued_ = false;
  EndIfDone(&lock);
}

/** The first failure counts. The lock is held. */
void Lane::Fail(LaneEnding ending, const std::string &code, const std::string &message) {
  if (failed_) return;
  failed_ = true;
  end_.ending = ending;
  end_.code = code;
  end_.message = message;
  waiting_.clear();
}

}  // namespace seguro
