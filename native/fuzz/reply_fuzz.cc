// Fuzzes what libseguro makes of a sidecar's bytes: its parsers alone, on memory that ends where the bytes end, and whole sessions of a
// client whose sidecar says what the input dictates (reply_peer.h), cut anywhere, over lost connections too.
#include <cerrno>
#include <memory>

#include "reply_parsers.h"
#include "reply_peer.h"

namespace {

Peer *peer;
constexpr int64_t kTimeoutMs = 50;

uint64_t heard_height;

void OnHeight(void *, uint64_t height) {
  FUZZ_CHECK(height > heard_height);
  heard_height = height;
}

bool IsPlain(const char *text, size_t size) {
  const char *end = static_cast<const char *>(std::memchr(text, 0, size));
  return end != nullptr && std::none_of(text, end, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; });
}

void CheckError(const seguro_error &error) {
  FUZZ_CHECK(error.code <= 0 && (error.server_code == 0 || error.code < -100));
  FUZZ_CHECK(IsPlain(error.name, sizeof error.name) && IsPlain(error.text, sizeof error.text) && IsPlain(error.hint, sizeof error.hint));
}

/** Touches every byte, so that the sanitizer sees one that is not there. */
void Touch(const void *bytes, size_t length) {
  static volatile uint8_t sum;
  for (size_t i = 0; i < length; i++) {
    sum = static_cast<uint8_t>(sum ^ static_cast<const uint8_t *>(bytes)[i]);
  }
}

void OnMeta(void *, const void *key, size_t key_bytes, const void *value, size_t value_bytes) {
  FUZZ_CHECK(key_bytes >= 1 && key_bytes <= 255 && value_bytes <= 65536);
  Touch(key, key_bytes);
  Touch(value, value_bytes);
}

void OnEpoch(void *, const seguro_epoch_file *file) { FUZZ_CHECK(file->name == nullptr || std::strlen(file->name) <= 255); }

class Session {
 public:
  Session(seguro *handle, int role, Input *input) : handle_(handle), role_(role), input_(input) {
    seguro_get_info(handle, &info_);
    heard_height = opened_height_ = info_.height;
  }

  void Run() {
    for (int turn = 0; turn < 64 && !input_->AtEnd(); turn++) {
      bool had_failed = handle_->state == SEGURO_STATE_FAILED;
      int failure = handle_->failure;
      int64_t code = input_->Byte() % 2 == 0 ? (role_ == SEGURO_ROLE_WRITE ? Append() : Read()) : Ask();
      FUZZ_CHECK(code >= 0 || std::strcmp(seguro_strerror(static_cast<int>(code)), "unknown code") != 0);
      FUZZ_CHECK(code >= 0 || code == SEGURO_ERR_TIMEOUT || seguro_last_error(handle_)->code != 0);
      FUZZ_CHECK((handle_->state == SEGURO_STATE_FAILED) == (handle_->failure < 0));
      FUZZ_CHECK(!had_failed || handle_->failure == failure);
      CheckState();
    }
  }

 private:
  void CheckState() {
    seguro_info now;
    seguro_get_info(handle_, &now);
    FUZZ_CHECK(now.height >= info_.height && now.height <= SEGURO_EVENT_ID_MAX && now.digest_id >= info_.digest_id);
    FUZZ_CHECK(now.base <= now.height && now.digest_id <= now.height);
    // A reader that opened an empty log hears from LIVE of a height alone.
    FUZZ_CHECK(now.base > 0 || now.height == 0 || role_ == SEGURO_ROLE_READ);
    FUZZ_CHECK(now.kind == info_.kind && (info_.height == 0 || now.log == info_.log) && (info_.base == 0 || now.base == info_.base));
    FUZZ_CHECK(role_ != SEGURO_ROLE_WRITE || (now.height <= std::max(opened_height_, peer->Sent()) && now.height == heard_height));
    FUZZ_CHECK(handle_->receive.start <= handle_->receive.end && handle_->receive.end <= handle_->receive.capacity);
    CheckError(*seguro_last_error(handle_));
    info_ = now;
  }

  int Append() {
    uint8_t turn = input_->Byte();
    uint64_t next = std::max<uint64_t>(seguro_next_id(handle_), 1);
    uint64_t id = turn % 8 == 7 ? input_->Byte() : next;
    size_t bytes;
    const uint8_t *payload = input_->Slice(turn >> 4, &bytes);
    const void *const both[] = {payload, payload};
    const uint64_t lengths[] = {bytes, bytes};
    switch (turn % 4) {
      case 0:
        return seguro_append_atomic(handle_, id, 2, both, lengths, kTimeoutMs);
      case 1:
        return seguro_wait(handle_, next - 1, kTimeoutMs);
      default:
        return seguro_append(handle_, id, payload, bytes, kTimeoutMs);
    }
  }

  /** One reader after the other; an event that is delivered follows the one before. */
  int Read() {
    uint8_t turn = input_->Byte();
    if (reader_ == nullptr) {
      limit_ = turn >> 4;
      delivered_ = last_id_ = 0;
      from_id_ = turn % 4 + 1;
      return seguro_reader_open(&reader_, handle_, from_id_, limit_, turn & 8 ? SEGURO_READ_TAIL : 0);
    }
    if (turn % 8 == 7) {
      seguro_reader_close(reader_);
      reader_ = nullptr;
      return 0;
    }
    seguro_event event;
    int code = seguro_reader_next(reader_, &event, kTimeoutMs);
    if (code == 1) {
      FUZZ_CHECK(last_id_ == 0 ? event.id >= from_id_ : event.id == last_id_ + 1);
      FUZZ_CHECK(limit_ == 0 || delivered_ < limit_);
      Touch(event.bytes, event.length_bytes);
      last_id_ = event.id;
      delivered_++;
    }
    return code;
  }

  int64_t Ask() {
    const void *value;
    int64_t length;
    uint64_t total;
    uint8_t digest[SEGURO_DIGEST_SIZE];
    uint8_t turn = input_->Byte();
    std::unique_ptr<uint8_t[]> into(new uint8_t[turn + 1]);
    switch (turn % 10) {
      case 0:
        length = -1;
        value = nullptr;
        if (int code = seguro_meta_get(handle_, 0, "k", 1, &value, &length, kTimeoutMs); code != 0) {
          return code;
        }
        Touch(value, length < 0 ? 0 : static_cast<size_t>(length));
        return 0;
      case 1:
        return seguro_meta_list(handle_, SEGURO_SCOPE_TOP, OnMeta, nullptr, kTimeoutMs);
      case 2:
        return seguro_meta_put(handle_, 0, "k", 1, "v", 1, kTimeoutMs);
      case 3:
        return seguro_epoch_list(handle_, OnEpoch, nullptr, kTimeoutMs);
      case 4: {
        int64_t got = seguro_file_get(handle_, 0, "vere.txt", 0, into.get(), turn + 1u, &total, kTimeoutMs);
        FUZZ_CHECK(got <= turn + 1);
        return got;
      }
      case 5:
        return seguro_file_put(handle_, 0, "vere.txt", into.get(), 0, kTimeoutMs);
      case 6:
        return seguro_digest_get(handle_, turn, digest, kTimeoutMs);
      case 7:
        return seguro_ping(handle_, kTimeoutMs);
      case 8:
        return seguro_epoch_put(handle_, 1, kTimeoutMs);
      default:
        return seguro_poll(handle_);
    }
  }

  seguro *handle_;
  int role_;
  Input *input_;
  seguro_info info_;
  uint64_t opened_height_;
  seguro_reader *reader_ = nullptr;
  uint64_t limit_ = 0, delivered_ = 0, last_id_ = 0, from_id_ = 0;
};

void RunSession(Input input) {
  Peer own(&input);
  peer = &own;
  uint8_t choice = input.Byte();
  seguro_options options = {};
  options.size_bytes = sizeof options;
  options.role = choice & 1 ? SEGURO_ROLE_WRITE : SEGURO_ROLE_READ;
  options.transport = choice & 2 ? SEGURO_TRANSPORT_STREAM : SEGURO_TRANSPORT_AUTO;
  options.reconnect_timeout_ms = choice & 4 ? SEGURO_NEVER : 3000;
  options.open_timeout_ms = 2000;
  options.last_id = choice & 8 ? 1 : 0;
  options.read_window_bytes = choice & 16 ? 256 : 0;
  options.on_height = OnHeight;
  heard_height = 0;
  seguro *handle;
  seguro_error error;
  int code = seguro_open(&handle, "socket", "~zod", &options, &error);
  FUZZ_CHECK((code == 0) == (handle != nullptr) && (code == 0 || error.code == code));
  CheckError(error);
  if (code == 0) {
    Session(handle, options.role, &input).Run();
    seguro_close(handle);
  }
  peer = nullptr;
}

int64_t Send(seguro_link *, struct iovec *pieces, unsigned count) { return peer->Send(pieces, count); }
int64_t Receive(seguro_link *, struct iovec *pieces, unsigned count) { return peer->Receive(pieces, count); }
void Wait(seguro_link *, bool, int timeout_ms) { peer->Wait(timeout_ms); }
void Close(seguro_link *link) { link->fd = -1; }

}  // namespace

// In place of stream.c, and (by the linker's --wrap) of the clock, the sleep and the seed: a run is its input and nothing else.
extern "C" {
const seguro_transport seguro_transport_stream = {"stream", Send, Receive, Wait, nullptr, nullptr, Close};

int seguro_stream_connect(seguro_link *link, const char *) {
  link->fd = peer->Connect() ? 0 : -1;
  return link->fd == 0 ? 0 : -ECONNREFUSED;
}

int64_t __wrap_seguro_clock_ms(void) { return peer->now_ms; }
uint64_t __wrap_seguro_random_seed(const void *) { return 1; }
int __wrap_poll(void *, unsigned long, int timeout_ms) { return peer->now_ms += timeout_ms, 0; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Input input(data, size);
  switch (input.Byte() % 8) {
    case 0:
      CheckGreeting(input);
      break;
    case 1:
      CheckRecord(input);
      break;
    case 2:
      CheckReply(input);
      break;
    default:
      RunSession(input);
  }
  return 0;
}
}
