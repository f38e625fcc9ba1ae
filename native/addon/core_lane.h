// The way of one session's plain appends from checked runs to durable blocks (docs/lane.md). Knows neither JavaScript nor rings.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core_bytes.h"
#include "core_digest.h"
#include "kv_commit_queue.h"
#include "lane_digester.h"
#include "wire/block.h"

namespace seguro {

/** An event and the digest there. */
struct LanePair {
  uint64_t id = 0;
  uint8_t digest[SEGURO_DIGEST_BYTES] = {};
};

/** How far a log has come. */
struct LaneHeight {
  uint64_t height = 0;
  /** The newest that is known, at or below the height. */
  LanePair pair;
};

struct LaneStart {
  /** What the keys of the log's blocks begin with, before the big-endian number of the first event. */
  std::vector<uint8_t> blocks_prefix;
  /** Must hold in every commit: the claim's epoch record. */
  std::vector<uint8_t> check_key;
  std::vector<uint8_t> check_value;
  /** A block's header, of which ship, kind, log and epoch are used. */
  uint8_t header[SEGURO_BLOCK_HEADER_BYTES] = {};
  /** Of a log that is not empty; the pair is that of the height. */
  LaneHeight at;
  size_t block_bytes = 0;
  size_t in_flight_bytes = 0;
};

/** Whole consecutive records. */
struct LaneRun {
  ByteBuffer bytes;
  uint64_t first_id = 0;
  uint64_t last_id = 0;
};

enum class LaneEnding : uint32_t { kDrained = 0, kFenced = 1, kFailed = 2 };

struct LaneEnd {
  LaneEnding ending = LaneEnding::kDrained;
  std::string code;
  std::string message;
  /** Something is durable that the client has not been told. */
  bool owes_acknowledgement = false;
};

class Lane;

/** Who hears of a lane. Its calls come from the committing thread, or from within Take, Stop or Digest; none but Look may call the lane back. */
class LaneOwner {
 public:
  virtual ~LaneOwner() = default;
  /**
   * Tells the client. False when that cannot be done now: the lane says no more, and wants to be stopped. With `look`, Look follows on the same
   * thread: a client that waits for this sends its next event right then.
   */
  virtual bool Acknowledge(const LaneHeight &height, bool look) = 0;
  /** Looks for what the client sends next, and gives it to the lane; for a moment, and not while others wait. Not at all without `lane`. */
  virtual void Look(Lane *lane, const KvOthers *others) = 0;
  /** There is room again after HasRoom said no. */
  virtual void Room() = 0;
  /** Stop should be called. */
  virtual void WantsEnd() = 0;
  /** Everything taken has ended one way or the other. Once, after Stop or a failure; nothing follows. */
  virtual void Ended() = 0;
};

/**
 * Take, Digest and Stop belong to one thread at a time (whoever has the ring's intake), Gather, Settled and Failed to the committing thread, the others to any. After a commit
 * that failed, or that was fenced, nothing is acknowledged any more, and what waits is dropped.
 */
class Lane : public KvCommitSource, public std::enable_shared_from_this<Lane> {
 public:
  /** Only where Sha256Missing() is null. Throws std::runtime_error for a chain that is not at the height. */
  Lane(LaneStart start, std::shared_ptr<KvCommitQueue> queue, std::shared_ptr<LaneDigester> digester, std::unique_ptr<LaneOwner> owner);

  /** False for a run that does not follow, and after Stop or a failure: it is left alone then. */
  bool Take(uint64_t first_id, uint64_t last_id, ByteBuffer *bytes);
  /** Brings the chain to the end of what was taken, here if that is quick, else on the digester's thread. */
  void Digest();
  /** For the digester. True when there is more to do, and it should be called again. */
  bool DigestSome();
  /** Nothing more is taken. */
  void Stop();
  /** False while so much is in flight that nothing should be read; Room is said when that has passed. */
  bool HasRoom();
  /** Something was taken that is not durable yet. */
  bool busy() const;

  LaneHeight height() const;
  /** After Ended. */
  LaneEnd end() const;

  void Gather(KvGroup *group) override;
  void Settled(const uint8_t *outcomes, const KvOthers *others) override;
  void Failed(const std::string &code, const std::string &message) override;

 private:
  using RunPtr = std::shared_ptr<const LaneRun>;
  /** A block that is being committed; nothing of it moves. */
  struct Block {
    std::vector<uint8_t> key;
    uint8_t header[SEGURO_BLOCK_HEADER_BYTES];
    std::vector<RunPtr> runs;
    uint64_t first_id = 0;
    uint64_t last_id = 0;
    size_t bytes = 0;
  };

  Block SealNext();
  void WriteHeader(Block *block) const;
  KvMember MemberOf(const Block &block) const;
  bool Release(size_t bytes);
  /** Whether Room must be said now. The lock is held. */
  bool FindsRoom();
  void Acknowledge(bool look);
  /** The next run's pair; false when there is no run, or no need any more. */
  bool DigestNext();
  void SettlePairs();
  void Fail(LaneEnding ending, const std::string &code, const std::string &message);
  /** Says Ended when it is so, without the lock. */
  void EndIfDone(std::unique_lock<std::mutex> *lock);

  const LaneStart start_;
  const std::shared_ptr<KvCommitQueue> queue_;
  const std::shared_ptr<LaneDigester> digester_;
  const std::unique_ptr<LaneOwner> owner_;

  // Whoever has set digesting_.
  DigestCore chain_;

  // Whoever has the ring's intake.
  uint64_t taken_id_;

  // The committing thread alone.
  std::deque<Block> blocks_;

  mutable std::mutex mutex_;
  std::deque<RunPtr> waiting_;
  LaneHeight at_;
  /** Of events that are not durable yet, ascending. */
  std::deque<LanePair> early_;
  size_t in_flight_bytes_ = 0;
  std::deque<RunPtr> undigested_;
  size_t undigested_bytes_ = 0;
  bool digesting_ = false;
  /** The queue has us, or is committing what we gave. */
  bool queued_ = false;
  bool starved_ = false;
  bool stopping_ = false;
  bool failed_ = false;
  bool mute_ = false;
  bool ended_ = false;
  LaneEnd end_;
};

}  // namespace seguro
