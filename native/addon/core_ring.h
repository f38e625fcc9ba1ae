// The server's end of one ring, without N-API: makes the memory, takes frames out, puts frames in (docs/ring.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core_assembler.h"
#include "ring/ring.h"
#include "wire/frame.h"

namespace seguro {

/** What a session's consumer hands on, in the order of the client's stream. */
struct RingItem {
  enum Kind : uint32_t {
    kAssembled = 1,  // a run, or a piece of a large record
    kFrame = 2,      // any other frame, whole
    kBatchEnd = 3,   // the bytes a BATCH announced have come; `flag`: no record is half way
    kRefused = 4,    // the assembler failed: `status` and `id`
    kBroken = 5,     // the ring's rules were broken, or a frame's: `status` and `reason`
    kEnded = 6,      // the client has gone, and all it left was handed on
    kRoom = 7,       // there may be room for output again
    kGone = 8,       // the client has gone: nobody takes output any more, what it left still comes
    kHeld = 9,       // nothing more comes until JavaScript says so (docs/lane.md)
    kRose = 10,      // the session's lane has made events durable
    kLaneEnd = 11,   // the session's lane has ended: what follows comes to JavaScript again
  };
  explicit RingItem(Kind kind) : kind(kind) {}

  Kind kind;
  bool flag = false;
  uint32_t status = 0;
  uint64_t id = 0;
  const char *reason = "";
  AssembledInfo info;
  seguro_frame_header header{};
  ByteBuffer bytes;
};

/** `status` of a kBroken item: the numbers of docs/protocol.md, "Errors". */
constexpr uint32_t kBadFrame = 1;
constexpr uint32_t kBadRing = 63;
constexpr uint32_t kInternal = 99;

struct RingOptions {
  uint64_t data_bytes;  // of each direction
  uint64_t generation;  // never 0
  AssemblerOptions assembler;
};

/**
 * One session's memory. The consumer and the producer belong to one thread at a time each (ring_session.h says by which mutex), and keep
 * their own indices in private memory. Nothing the client writes into the shared memory can do more than end the session.
 */
class RingMemory {
 public:
  /** Creates, fills, seals and maps the memory. Null with `why` set where the kernel refuses. */
  static std::unique_ptr<RingMemory> Create(const RingOptions &options, std::string *why);
  ~RingMemory();
  RingMemory(const RingMemory &) = delete;
  RingMemory &operator=(const RingMemory &) = delete;

  /** The descriptor to send; closed with CloseDescriptor once it was sent. */
  int descriptor() const { return fd_; }
  void CloseDescriptor();
  uint64_t total_bytes() const { return geometry_.total_bytes; }

  seguro_ring_consumer consumer;  // client to server
  seguro_ring_producer producer;  // server to client

 private:
  RingMemory() = default;

  int fd_ = -1;
  void *mapping_ = nullptr;
  seguro_ring_geometry geometry_{};
};

/** Cuts the client's byte stream into items. Owns the session's assembler. For the hub's thread. */
class RingIntake {
 public:
  explicit RingIntake(const AssemblerOptions &options) : assembler_(options) {}

  /** From now on APPEND bytes are records of which the first has this id (0: any). Before that they are handed on as empty frames. */
  void Accept(uint64_t expected_id);

  /**
   * Takes at most `budget` bytes out of the ring, and stops early when many items have come of them. Returns the bytes taken, or -1 when the
   * session is over (an item says why).
   */
  int64_t Turn(seguro_ring_consumer *consumer, uint64_t budget, std::vector<RingItem> *items);

 private:
  enum class Phase : uint8_t { kHeader, kBody, kPadding };

  bool Take(seguro_ring_consumer *consumer, uint64_t available, std::vector<RingItem> *items);
  bool TakeHeader(seguro_ring_consumer *consumer, uint64_t available, std::vector<RingItem> *items);
  bool TakeAppend(seguro_ring_consumer *consumer, uint64_t bytes, std::vector<RingItem> *items);
  bool AssembleSpan(const seguro_ring_span &span, uint64_t ahead, std::vector<RingItem> *items);
  bool TakePadding(seguro_ring_consumer *consumer, uint64_t bytes, std::vector<RingItem> *items);
  void FinishFrame(std::vector<RingItem> *items);
  void Gather(std::vector<RingItem> *items);
  bool Broken(uint32_t status, const char *reason, std::vector<RingItem> *items);

  AssemblerCore assembler_;
  Phase phase_ = Phase::kHeader;
  bool accepting_ = false;
  bool over_ = false;
  uint8_t head_[SEGURO_FRAME_HEADER_BYTES];
  uint32_t head_bytes_ = 0;
  seguro_frame_header header_{};
  uint64_t body_left_ = 0;
  uint32_t padding_left_ = 0;
  ByteBuffer body_;
  bool in_batch_ = false;
  uint64_t batch_left_ = 0;
};

}  // namespace seguro
