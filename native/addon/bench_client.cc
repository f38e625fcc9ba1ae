// The jobs of `seguro bench` that libseguro does, as Vere would: the same code over the stream and over shared memory.
#include "bench_jobs.h"
#include "include/seguro.h"

namespace seguro_bench {

namespace {

/** How long one call waits before the job looks whether it shall end. */
constexpr int64_t kPatienceMs = 100;
constexpr int64_t kOpenTimeoutMs = 5000;
/** What a session of the sidecar takes without having stored it: more would only pile up here when the disk is slow. */
constexpr uint64_t kBufferBytes = 16 << 20;
/** Between two looks at the clock, at most so many bytes. */
constexpr uint64_t kBytesPerLook = 1 << 16;

/** One session for one job. */
class Session {
 public:
  Session(const BenchRequest &request, const BenchStop &stop, int role) : request_(request), stop_(stop) {
    seguro_options options = {};
    options.size_bytes = sizeof options;
    options.role = role;
    options.kind = SEGURO_KIND_FAKE;
    options.transport = request.is_ring ? SEGURO_TRANSPORT_RING : SEGURO_TRANSPORT_STREAM;
    options.open_timeout_ms = kOpenTimeoutMs;
    options.buffer_bytes = kBufferBytes;
    // A figure taken across a lost connection would be none.
    options.reconnect_timeout_ms = SEGURO_NEVER;
    seguro_error error = {};
    if (seguro_open(&handle_, request.path.c_str(), request.ship.c_str(), &options, &error) != 0) {
      Fail(error);
    }
  }
  ~Session() { seguro_close(handle_); }
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  seguro *handle() { return handle_; }
  bool IsFailed() const { return result_.error_code != 0; }
  BenchResult &result() { return result_; }

  /** False when the call failed for good, which is noted, or the job shall end; true when it may go on, or try again after a timeout. */
  bool GoOn(int code) {
    if (code < 0 && code != SEGURO_ERR_TIMEOUT) {
      Fail(*seguro_last_error(handle_));
    }
    return !IsFailed() && !stop_.IsAsked();
  }

  bool Append(uint64_t id, const std::vector<uint8_t> &payload) {
    for (;;) {
      int code = seguro_append(handle_, id, payload.data(), payload.size(), kPatienceMs);
      if (!GoOn(code) || code == 0) {
        return code == 0;
      }
    }
  }

  bool Wait(uint64_t id) {
    for (;;) {
      int code = seguro_wait(handle_, id, kPatienceMs);
      if (!GoOn(code) || code == 0) {
        return code == 0;
      }
    }
  }

  /** Whether the log ends where the caller left it: nothing may be added to what somebody else has begun. */
  bool IsAtExpectedId() {
    uint64_t next = seguro_next_id(handle_);
    if ((next == 0 ? 1 : next) == request_.first_id) {
      return true;
    }
    result_.error_code = SEGURO_ERR_ORDER;
    result_.error_name = "bench-log-changed";
    result_.error_text = "somebody else has written to the scratch ship " + request_.ship;
    return false;
  }

 private:
  void Fail(const seguro_error &error) {
    result_.error_code = error.code == 0 ? SEGURO_ERR_LOST : error.code;
    result_.error_name = error.name;
    result_.error_text = error.text[0] == 0 ? seguro_strerror(result_.error_code) : error.text;
  }

  const BenchRequest &request_;
  const BenchStop &stop_;
  seguro *handle_ = nullptr;
  BenchResult result_;
};

/** Events without waiting in between, until the last is acknowledged. */
BenchResult AppendAll(const BenchRequest &request, const BenchStop &stop) {
  Session session(request, stop, SEGURO_ROLE_WRITE);
  if (session.IsFailed() || !session.IsAtExpectedId()) {
    return session.result();
  }
  std::vector<uint8_t> payload = BenchNoise(request.event_bytes);
  uint64_t look_every = kBytesPerLook / (request.event_bytes + 1) + 1;
  uint64_t sent = 0;
  BenchClock clock;
  while (sent < request.events && (sent % look_every != 0 || clock.Seconds() < request.seconds_max)) {
    if (!session.Append(request.first_id + sent, payload)) {
      break;
    }
    sent++;
  }
  if (sent > 0 && session.Wait(request.first_id + sent - 1)) {
    BenchResult &result = session.result();
    result.seconds = clock.Seconds();
    result.events = sent;
    result.bytes = sent * request.event_bytes;
  }
  return session.result();
}

/** One event after the other, each acknowledged before the next. */
BenchResult RoundTrips(const BenchRequest &request, const BenchStop &stop) {
  Session session(request, stop, SEGURO_ROLE_WRITE);
  if (session.IsFailed() || !session.IsAtExpectedId()) {
    return session.result();
  }
  std::vector<uint8_t> payload = BenchNoise(request.event_bytes);
  BenchResult &result = session.result();
  BenchClock clock;
  while (result.events < request.events && clock.Seconds() < request.seconds_max) {
    uint64_t id = request.first_id + result.events;
    BenchClock trip;
    if (!session.Append(id, payload) || !session.Wait(id)) {
      break;
    }
    result.micros.push_back(trip.Seconds() * 1e6);
    result.events++;
    result.bytes += request.event_bytes;
  }
  result.seconds = clock.Seconds();
  return result;
}

BenchResult Replay(const BenchRequest &request, const BenchStop &stop) {
  Session session(request, stop, SEGURO_ROLE_READ);
  if (session.IsFailed()) {
    return session.result();
  }
  BenchResult &result = session.result();
  seguro_reader *reader = nullptr;
  BenchClock clock;
  if (!session.GoOn(seguro_reader_open(&reader, session.handle(), request.first_id, 0, 0))) {
    return result;
  }
  uint64_t look_at_bytes = 0;
  while (result.bytes < look_at_bytes || clock.Seconds() < request.seconds_max) {
    look_at_bytes = result.bytes < look_at_bytes ? look_at_bytes : result.bytes + kBytesPerLook;
    seguro_event event;
    int code = seguro_reader_next(reader, &event, kPatienceMs);
    if (code == 1) {
      result.events++;
      result.bytes += event.length_bytes;
    } else if (!session.GoOn(code) || code == 0) {
      break;
    }
  }
  result.seconds = clock.Seconds();
  return result;
}

}  // namespace

BenchResult BenchWithClient(const BenchRequest &request, const BenchStop &stop) {
  return request.job == "append" ? AppendAll(request, stop) : request.job == "replay" ? Replay(request, stop) : RoundTrips(request, stop);
}

}  // namespace seguro_bench
