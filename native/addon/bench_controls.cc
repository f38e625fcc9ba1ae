// The bare controls of `seguro bench`: a copy in memory, a Unix socket between two threads, a flush of the disk. Nothing of Seguro takes part.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "bench_jobs.h"

namespace seguro_bench {

namespace {

/** More than a processor's caches hold, as events that come from elsewhere are. */
constexpr size_t kSourceBytes = 64 << 20;
/** What is copied into: as large as a ring. */
constexpr size_t kWindowBytes = 4 << 20;
/** Of one call on the socket. */
constexpr size_t kChunkBytes = 256 << 10;
/** An acknowledgement with its digest. */
constexpr size_t kAnswerBytes = 64;
constexpr size_t kFlushedBytes = 4096;
constexpr size_t kFlushFileBytes = 4 << 20;

/** Owns a descriptor. */
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) {
      close(fd_);
    }
    fd_ = -1;
  }

 private:
  int fd_;
};

/** Made once: filling it takes longer than many a control. */
const std::vector<uint8_t> &Source() {
  static const std::vector<uint8_t> source = BenchNoise(kSourceBytes);
  return source;
}

BenchResult SystemFailure(const char *what) {
  BenchResult result;
  result.error_code = errno;
  result.is_system = true;
  result.error_text = std::string(what) + ": " + strerror(errno);
  return result;
}

bool SendAll(int fd, const uint8_t *bytes, size_t size) {
  while (size > 0) {
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool ReceiveAll(int fd, uint8_t *into, size_t size) {
  while (size > 0) {
    ssize_t got = recv(fd, into, size, 0);
    if (got <= 0) {
      return false;
    }
    into += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

/** Copies in pieces of an event's size, from memory that no cache holds into a window as large as a ring. */
BenchResult Memcpy(const BenchRequest &request, const BenchStop &stop) {
  size_t piece = std::clamp<size_t>(request.event_bytes, 1, kWindowBytes);
  const std::vector<uint8_t> &source = Source();
  std::vector<uint8_t> window(kWindowBytes, 1);
  uint64_t total = request.events * request.event_bytes;
  BenchResult result;
  size_t from = 0, to = 0;
  BenchClock clock;
  while (result.bytes < total && !stop.IsAsked()) {
    std::memcpy(window.data() + to, source.data() + from, piece);
    // The copies must be made, though nobody reads them.
    asm volatile("" : : "r"(window.data()) : "memory");
    from = from + 2 * piece > kSourceBytes ? 0 : from + piece;
    to = to + 2 * piece > kWindowBytes ? 0 : to + piece;
    result.bytes += piece;
    result.events++;
  }
  result.seconds = clock.Seconds();
  return result;
}

/** One thread writes large pieces, the other reads them; nothing is looked at. */
BenchResult Socket(const BenchRequest &request, const BenchStop &stop) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemFailure("socketpair");
  }
  Descriptor reading(ends[0]), writing(ends[1]);
  uint64_t total = request.events * request.event_bytes;
  const std::vector<uint8_t> &source = Source();
  std::vector<uint8_t> into(kChunkBytes, 1);
  BenchResult result;
  BenchClock clock;
  std::thread writer([&] {
    size_t at = 0;
    for (uint64_t left = total; left > 0 && !stop.IsAsked();) {
      size_t part = static_cast<size_t>(std::min<uint64_t>(left, kChunkBytes));
      if (!SendAll(writing.fd(), source.data() + at, part)) {
        break;
      }
      left -= part;
      at = at + 2 * kChunkBytes > kSourceBytes ? 0 : at + kChunkBytes;
    }
    writing.Close();
  });
  for (ssize_t got; (got = recv(reading.fd(), into.data(), into.size(), 0)) > 0;) {
    result.bytes += static_cast<uint64_t>(got);
  }
  result.seconds = clock.Seconds();
  // Whatever has ended the reading, the writer must not wait for it.
  reading.Close();
  writer.join();
  return result;
}

/** An event there and an acknowledgement back, both threads blocking in the kernel meanwhile. */
BenchResult Echo(const BenchRequest &request, const BenchStop &stop) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return SystemFailure("socketpair");
  }
  Descriptor near(ends[0]), far(ends[1]);
  size_t size = static_cast<size_t>(request.event_bytes);
  // All memory before the thread: nothing may throw while it runs.
  std::vector<uint8_t> bytes(std::max(size, kAnswerBytes));
  std::vector<uint8_t> message = BenchNoise(size);
  std::vector<uint8_t> answer(kAnswerBytes);
  BenchResult result;
  result.micros.reserve(static_cast<size_t>(request.events));
  std::thread peer([&far, &bytes, size] {
    while (ReceiveAll(far.fd(), bytes.data(), size) && SendAll(far.fd(), bytes.data(), kAnswerBytes)) {
    }
  });
  BenchClock clock;
  while (result.events < request.events && clock.Seconds() < request.seconds_max && !stop.IsAsked()) {
    BenchClock trip;
    if (!SendAll(near.fd(), message.data(), size) || !ReceiveAll(near.fd(), answer.data(), kAnswerBytes)) {
      break;
    }
    result.micros.push_back(trip.Seconds() * 1e6);
    result.events++;
  }
  result.seconds = clock.Seconds();
  near.Close();
  peer.join();
  return result;
}

/** A page of a file whose size does not change, written and flushed: what one commit costs at the very least. */
BenchResult Flush(const BenchRequest &request, const BenchStop &stop) {
  Descriptor file(open(request.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.fd() < 0) {
    return SystemFailure("the file for flushes cannot be made");
  }
  std::vector<uint8_t> bytes = BenchNoise(kFlushFileBytes);
  BenchResult result;
  if (pwrite(file.fd(), bytes.data(), kFlushFileBytes, 0) != static_cast<ssize_t>(kFlushFileBytes) || fsync(file.fd()) != 0) {
    result = SystemFailure("the file for flushes cannot be written");
  }
  BenchClock clock;
  while (result.error_code == 0 && result.events < request.events && clock.Seconds() < request.seconds_max && !stop.IsAsked()) {
    size_t at = (result.events * kFlushedBytes) % kFlushFileBytes;
    BenchClock flush;
    if (pwrite(file.fd(), bytes.data() + at, kFlushedBytes, static_cast<off_t>(at)) != static_cast<ssize_t>(kFlushedBytes) ||
        fdatasync(file.fd()) != 0) {
      result = SystemFailure("the file for flushes cannot be flushed");
      break;
    }
    result.micros.push_back(flush.Seconds() * 1e6);
    result.events++;
  }
  result.seconds = clock.Seconds();
  unlink(request.path.c_str());
  return result;
}

}  // namespace

BenchResult BenchControl(const BenchRequest &request, const BenchStop &stop) {
  return request.job == "memcpy"   ? Memcpy(request, stop)
         : request.job == "socket" ? Socket(request, stop)
         : request.job == "echo"   ? Echo(request, stop)
                                   : Flush(request, stop);
}

}  // namespace seguro_bench
