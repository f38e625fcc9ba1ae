// A lane between a ring and a store: the ring's thread, the committing thread that looks, and a client, each as a thread. Under ThreadSanitizer, and ASan with UBSan.
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "check.h"
#include "ring_lane_owner.h"
#include "toy_sha256.h"
#include "wire/record.h"

namespace {

using namespace seguro;

constexpr uint64_t kEvents = 6000;
constexpr uint64_t kPayloadBytes = 40;
constexpr int kPatienceMs = 20'000;
constexpr size_t kHeightFrameBytes = 64;

/// Durable at once; counts the blocks and that each follows the one before.
class QuickStore : public KvStore {
 public:
  std::vector<uint8_t> Commit(const KvGroup &group) override {
    // Now and then as long as a disk takes, so that both sides of every race come to pass.
    if (++commits % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(commits % 100));
    for (const KvMember &member : group) {
      const uint8_t *header = member.writes.at(0).pieces.at(0).data;
      CHECK_EQUAL(seguro_load_u64(header + 40), last_id + 1);
      last_id += seguro_load_u64(header + 48);
    }
    return std::vector<uint8_t>(group.size(), 1);
  }
  bool Get(const std::vector<uint8_t> &, uint8_t **, size_t *) override { return false; }
  KvRows Range(const KvRangeRequest &) override { return {}; }
  void Walk(const KvWalk &, const std::function<bool(const uint8_t *, size_t)> &) override {}
  KvFigures Figures() override { return {}; }
  void Close() override {}

  uint64_t commits = 0;
  uint64_t last_id = 1;
};

/// The client's end, over a mapping of its own.
class Client {
 public:
  Client(int socket, int descriptor, uint64_t total_bytes) : socket_(socket), total_bytes_(total_bytes) {
    memory_ = mmap(nullptr, total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    CHECK(memory_ != MAP_FAILED);
    seguro_ring_geometry geometry{};
    CHECK_EQUAL(seguro_ring_attach(memory_, total_bytes, &geometry), SEGURO_RING_FINE);
    seguro_ring_producer_begin(&producer_, memory_, &geometry, SEGURO_RING_CLIENT_TO_SERVER);
    seguro_ring_consumer_begin(&consumer_, memory_, &geometry, SEGURO_RING_SERVER_TO_CLIENT);
  }
  ~Client() { munmap(memory_, total_bytes_); }

  void Append(uint64_t id) {
    uint8_t frame[SEGURO_FRAME_HEADER_BYTES + 64] = {};
    seguro_frame_store(frame, {64, SEGURO_FRAME_APPEND, 0, 0});
    uint8_t *record = frame + SEGURO_FRAME_HEADER_BYTES;
    seguro_record_begin(record, id, kPayloadBytes);
    uint32_t crc = seguro_crc32c(0, record, SEGURO_RECORD_CHECKED_BYTES);
    seguro_store_u32(record + SEGURO_RECORD_CHECKED_BYTES, seguro_crc32c(crc, record + SEGURO_RECORD_HEADER_BYTES, kPayloadBytes));
    while (seguro_ring_room(&producer_) < static_cast<int64_t>(sizeof frame)) std::this_thread::yield();
    CHECK_EQUAL(seguro_ring_put(&producer_, frame, sizeof frame), sizeof frame);
    if (seguro_ring_publish(&producer_)) CHECK(send(socket_, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1);
  }

  /// Until the height is there; nobody may sleep over it.
  void Await(uint64_t height) {
    while (height_ < height) {
      if (seguro_ring_available(&consumer_) < static_cast<int64_t>(kHeightFrameBytes)) {
        if (seguro_ring_consumer_sleep(&consumer_) != 0) continue;
        pollfd watched{socket_, POLLIN, 0};
        CHECK_EQUAL(poll(&watched, 1, kPatienceMs), 1);
        char bells[64];
        CHECK(recv(socket_, bells, sizeof bells, MSG_DONTWAIT) > 0);
        continue;
      }
      uint8_t frame[kHeightFrameBytes];
      seguro_ring_take(&consumer_, frame, sizeof frame);
      seguro_ring_release(&consumer_);
      uint64_t now = seguro_load_u64(frame + SEGURO_FRAME_HEADER_BYTES);
      CHECK(now > height_ && seguro_load_u64(frame + SEGURO_FRAME_HEADER_BYTES + 8) <= now);
      height_ = now;
    }
  }

 private:
  int socket_;
  uint64_t total_bytes_;
  void *memory_ = nullptr;
  seguro_ring_producer producer_{};
  seguro_ring_consumer consumer_{};
  uint64_t height_ = 1;
};

/// The hub's thread, as far as one session with a lane needs it.
class Hub {
 public:
  Hub(std::shared_ptr<RingSession> session, std::shared_ptr<RingMailbox> mailbox)
      : session_(std::move(session)), mailbox_(std::move(mailbox)), thread_([this] { Loop(); }) {}
  void Join() { thread_.join(); }

 private:
  void Loop() {
    for (bool again = true;;) {
      pollfd watched[] = {{mailbox_->descriptor(), POLLIN, 0}, {session_->socket, POLLIN, 0}};
      CHECK(poll(watched, 2, again ? 0 : kPatienceMs) > 0 || again);
      char bells[64];
      if (watched[1].revents != 0 && recv(session_->socket, bells, sizeof bells, MSG_DONTWAIT) == 0) session_->lane->Stop();
      mailbox_->Heard();
      for (auto &[command, session] : mailbox_->Take()) {
        if (command == RingMailbox::Command::kLaneEnded) return;
      }
      again = Turn();
    }
  }

  bool Turn() {
    std::unique_lock lock(session_->intake_mutex, std::try_to_lock);
    if (!lock) {
      session_->missed.store(true);
      if (!lock.try_lock()) return false;
    }
    CHECK(session_->looked_items.empty());
    std::vector<RingItem> items;
    int64_t taken = session_->intake.Turn(&session_->memory->consumer, 4096, &items);
    CHECK(taken >= 0);
    if (seguro_ring_release(&session_->memory->consumer)) session_->RingDoorbell();
    GiveToLane(session_->lane.get(), &items);
    return taken > 0 || seguro_ring_consumer_sleep(&session_->memory->consumer) != 0;
  }

  std::shared_ptr<RingSession> session_;
  std::shared_ptr<RingMailbox> mailbox_;
  std::thread thread_;
};

/// A client that appends `ahead` events before it waits for one, with pauses around the time for which the committing thread looks.
void Appends(uint64_t ahead) {
  std::string why;
  RingOptions options{SEGURO_RING_DATA_BYTES_MIN, 7, {1 << 20, 1 << 16, 1 << 20}};
  std::unique_ptr<RingMemory> memory = RingMemory::Create(options, &why);
  CHECK(memory != nullptr);
  int ends[2];
  CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  Client client(ends[0], memory->descriptor(), memory->total_bytes());
  auto store = std::make_shared<QuickStore>();
  auto queue = std::make_shared<KvCommitQueue>(store);
  auto digester = std::make_shared<LaneDigester>();
  auto mailbox = std::make_shared<RingMailbox>();
  auto session = std::make_shared<RingSession>(1, ends[1], std::move(memory), options.assembler);
  session->intake.Accept(2);
  LaneStart start;
  start.at.height = start.at.pair.id = 1;
  start.block_bytes = 1 << 20;
  start.in_flight_bytes = 16 << 20;
  session->lane = std::make_shared<Lane>(std::move(start), queue, digester, std::make_unique<RingLaneOwner>(session, mailbox));
  Hub hub(session, mailbox);
  for (uint64_t id = 2; id <= kEvents; id++) {
    client.Append(id);
    if (id % ahead == 0 || id == kEvents) client.Await(id);
    if (id % 7 == 0) std::this_thread::sleep_for(std::chrono::microseconds(id % 130));
  }
  shutdown(ends[0], SHUT_RDWR);
  hub.Join();
  CHECK_EQUAL(store->last_id, kEvents);
  CHECK_EQUAL(session->lane->height().pair.id, kEvents);
  close(ends[0]);
  queue->Stop();
  digester->Stop();
}

void OneByOne() { Appends(1); }
void SomeAhead() { Appends(5); }
void ManyAhead() { Appends(300); }

}  // namespace

int main() {
  RUN(OneByOne);
  RUN(SomeAhead);
  RUN(ManyAhead);
  return 0;
}
