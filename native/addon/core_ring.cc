// Cuts the frames of a client out of shared memory. Every byte is copied once and judged on the copy.
#include "core_ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace seguro {

namespace {

/** A client that sends nothing but tiny frames must not give JavaScript tens of thousands of them at once. */
constexpr size_t kItemsATurn = 256;

}  // namespace

std::unique_ptr<RingMemory> RingMemory::Create(const RingOptions &options, std::string *why) {
  std::unique_ptr<RingMemory> memory(new RingMemory());
  uint64_t total = seguro_ring_total_bytes(options.data_bytes, options.data_bytes);
  auto refuse = [&](const char *step) {
    *why = std::string(step) + ": " + std::strerror(errno);
    return std::unique_ptr<RingMemory>();
  };
  memory->fd_ = memfd_create("seguro-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memory->fd_ < 0) return refuse("memfd_create");
  // Allocated now, so that a full machine refuses here and does not kill somebody later.
  int failed = posix_fallocate(memory->fd_, 0, static_cast<off_t>(total));
  if (failed != 0) {
    errno = failed;
    return refuse("posix_fallocate");
  }
  // A file that the peer could shorten would kill us with SIGBUS.
  if (fcntl(memory->fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return refuse("sealing");
  void *mapping = mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd_, 0);
  if (mapping == MAP_FAILED) return refuse("mmap");
  memory->mapping_ = mapping;
  if (!seguro_ring_init(mapping, total, options.data_bytes, options.data_bytes, options.generation, &memory->geometry_)) {
    errno = EINVAL;
    return refuse("the ring's size");
  }
  seguro_ring_consumer_begin(&memory->consumer, mapping, &memory->geometry_, SEGURO_RING_CLIENT_TO_SERVER);
  seguro_ring_producer_begin(&memory->producer, mapping, &memory->geometry_, SEGURO_RING_SERVER_TO_CLIENT);
  return memory;
}

RingMemory::~RingMemory() {
  if (mapping_ != nullptr) munmap(mapping_, geometry_.total_bytes);
  CloseDescriptor();
}

void RingMemory::CloseDescriptor() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void RingIntake::Accept(uint64_t expected_id) {
  accepting_ = true;
  assembler_.Expect(expected_id);
}

int64_t RingIntake::Turn(seguro_ring_consumer *consumer, uint64_t budget, std::vector<RingItem> *items) {
  if (over_) return -1;
  int64_t available = seguro_ring_available(consumer);
  if (available == SEGURO_RING_BAD) {
    Broken(kBadRing, "the client stored an index that cannot be", items);
    return -1;
  }
  uint64_t most = static_cast<uint64_t>(available) < budget ? static_cast<uint64_t>(available) : budget;
  uint64_t taken = 0;
  while (taken < most && items->size() < kItemsATurn) {
    uint64_t before = consumer->tail;
    if (!Take(consumer, most - taken, items)) return -1;
    taken += consumer->tail - before;
  }
  Gather(items);
  return static_cast<int64_t>(taken);
}

bool RingIntake::Take(seguro_ring_consumer *consumer, uint64_t available, std::vector<RingItem> *items) {
  if (phase_ == Phase::kHeader) return TakeHeader(consumer, available, items);
  if (phase_ == Phase::kPadding) return TakePadding(consumer, available, items);
  if (header_.type == SEGURO_FRAME_APPEND && accepting_) return TakeAppend(consumer, available, items);
  uint64_t wanted = body_left_ < available ? body_left_ : available;
  if (header_.type == SEGURO_FRAME_APPEND) {
    seguro_ring_skip(consumer, wanted);  // a session that may not append: the bytes are of no interest
  } else {
    body_.Reserve(wanted, header_.body_bytes);
    seguro_ring_span spans[2];
    seguro_ring_spans(consumer, wanted, spans);
    body_.Append(spans[0].bytes, spans[0].length_bytes);
    if (spans[1].length_bytes > 0) body_.Append(spans[1].bytes, spans[1].length_bytes);
    seguro_ring_skip(consumer, wanted);
  }
  body_left_ -= wanted;
  if (body_left_ == 0) FinishFrame(items);
  return !over_;
}

bool RingIntake::TakeHeader(seguro_ring_consumer *consumer, uint64_t available, std::vector<RingItem> *items) {
  uint64_t wanted = std::min<uint64_t>(SEGURO_FRAME_HEADER_BYTES - head_bytes_, available);
  head_bytes_ += static_cast<uint32_t>(seguro_ring_take(consumer, head_ + head_bytes_, wanted));
  if (head_bytes_ < SEGURO_FRAME_HEADER_BYTES) return true;
  head_bytes_ = 0;
  if (seguro_frame_load(head_, &header_) != 0) return Broken(kBadFrame, "a frame header fails its checks", items);
  body_left_ = header_.body_bytes;
  padding_left_ = (0u - header_.body_bytes) & 7u;
  phase_ = Phase::kBody;
  if (header_.type == SEGURO_FRAME_APPEND && accepting_) {
    if (header_.flags != 0 || padding_left_ != 0) {
      return Broken(kBadFrame, "an APPEND with flags, or of a length that is no multiple of 8", items);
    }
    if (body_left_ == 0) phase_ = Phase::kHeader;
  } else if (body_left_ == 0) {
    FinishFrame(items);
  }
  return !over_;
}

bool RingIntake::TakeAppend(seguro_ring_consumer *consumer, uint64_t bytes, std::vector<RingItem> *items) {
  uint64_t wanted = body_left_ < bytes ? body_left_ : bytes;
  seguro_ring_span spans[2];
  seguro_ring_spans(consumer, wanted, spans);
  // The frames behind this one are most likely of the same kind.
  uint64_t behind = bytes - wanted;
  if (!AssembleSpan(spans[0], spans[1].length_bytes + behind, items) || !AssembleSpan(spans[1], behind, items)) return false;
  seguro_ring_skip(consumer, wanted);
  body_left_ -= wanted;
  if (body_left_ == 0) phase_ = Phase::kHeader;
  return true;
}

bool RingIntake::AssembleSpan(const seguro_ring_span &span, uint64_t ahead, std::vector<RingItem> *items) {
  const uint8_t *bytes = span.bytes;
  uint64_t length = span.length_bytes;
  while (length > 0) {
    uint64_t part = in_batch_ && batch_left_ < length ? batch_left_ : length;
    AssemblerStatus status = assembler_.Push(bytes, part, in_batch_ ? 0 : length - part + ahead);
    if (status != AssemblerStatus::kOk) {
      Gather(items);
      RingItem item{RingItem::kRefused};
      item.status = static_cast<uint32_t>(status);
      item.id = assembler_.failed_id();
      items->push_back(std::move(item));
      over_ = true;
      return false;
    }
    bytes += part;
    length -= part;
    if (in_batch_) {
      batch_left_ -= part;
      if (batch_left_ == 0) {
        Gather(items);
        in_batch_ = false;
        RingItem item{RingItem::kBatchEnd};
        item.flag = assembler_.at_boundary();
        items->push_back(std::move(item));
      }
    }
  }
  return true;
}

bool RingIntake::TakePadding(seguro_ring_consumer *consumer, uint64_t bytes, std::vector<RingItem> *items) {
  uint8_t padding[8];
  uint64_t taken = seguro_ring_take(consumer, padding, padding_left_ < bytes ? padding_left_ : bytes);
  for (uint64_t i = 0; i < taken; i++) {
    if (padding[i] != 0) return Broken(kBadFrame, "the padding of a frame is not zero", items);
  }
  padding_left_ -= static_cast<uint32_t>(taken);
  if (padding_left_ == 0) phase_ = Phase::kHeader;
  return true;
}

void RingIntake::FinishFrame(std::vector<RingItem> *items) {
  phase_ = padding_left_ > 0 ? Phase::kPadding : Phase::kHeader;
  Gather(items);
  if (header_.type == SEGURO_FRAME_BATCH && accepting_ && body_.size() == 24 && !in_batch_) {
    // The session judges the numbers; here only the bytes count, so that a run ends where the batch does.
    batch_left_ = seguro_load_u64(body_.data() + 16);
    in_batch_ = batch_left_ > 0;
  }
  RingItem item{RingItem::kFrame};
  item.flag = assembler_.at_boundary();
  item.header = header_;
  item.bytes = std::move(body_);
  body_ = ByteBuffer();
  items->push_back(std::move(item));
}

void RingIntake::Gather(std::vector<RingItem> *items) {
  for (AssembledInfo info = assembler_.Next(); info.kind != AssembledInfo::kNone; info = assembler_.Next()) {
    RingItem item{RingItem::kAssembled};
    item.info = info;
    item.bytes = assembler_.TakeOwned();
    items->push_back(std::move(item));
  }
}

bool RingIntake::Broken(uint32_t status, const char *reason, std::vector<RingItem> *items) {
  Gather(items);
  RingItem item{RingItem::kBroken};
  item.status = status;
  item.reason = reason;
  items->push_back(std::move(item));
  over_ = true;
  return false;
}

}  // namespace seguro
