// One window of a file. A value alone is read by itself; once a second one follows, more is read with it each time.
#include "journal_file_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "kv_failure.h"
#include "wire/crc32c.h"

namespace seguro {

static constexpr size_t kFirstAheadBytes = 32 << 10;
static constexpr size_t kAheadBytesMax = 256 << 10;
static constexpr uint64_t kPopulateBytes = 1 << 20;
/// Values of two runs are less than a page apart.
static constexpr uint64_t kGapBytes = 4096;

void JournalFileReader::Damaged(const KvSlice &key, uint64_t offset, const std::string &what) const {
  std::string log = JournalLogOf(key);
  throw KvFailure("store-damaged",
                  files_.PathOf({log, number_}) + " at byte " + std::to_string(offset) + ": " + what + " (" + JournalLogText(log) + ")");
}

void JournalFileReader::OpenFile(const KvSlice &key, uint64_t number) {
  if (file_ != nullptr && number_ == number) return;
  file_ = nullptr;
  mapping_ = nullptr;
  populated_begin_ = populated_end_ = 0;
  window_begin_ = window_end_ = 0;
  ahead_bytes_ = 0;
  number_ = number;
  file_ = files_.OpenToRead({JournalLogOf(key), number});
}

size_t JournalFileReader::ReadFully(const KvSlice &key, size_t size, uint64_t offset) {
  size_t done = 0;
  while (done < size) {
    ssize_t got = pread(file_->fd(), window_.get() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) Damaged(key, offset + done, std::string("cannot be read: ") + strerror(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

void JournalFileReader::Fill(const KvSlice &key, const JournalPlace &place) {
  uint64_t end = place.offset + place.bytes;
  bool forward = window_end_ > 0 && place.offset >= window_begin_ && place.offset <= window_end_ + kGapBytes;
  bool backward = !forward && window_end_ > 0 && end <= window_begin_ + place.bytes && end + kGapBytes >= window_begin_;
  ahead_bytes_ = forward || backward ? std::clamp(2 * ahead_bytes_, kFirstAheadBytes, kAheadBytesMax) : 0;
  size_t size = std::max<size_t>(place.bytes, ahead_bytes_);
  uint64_t begin = backward && end > size ? end - size : backward ? 0 : place.offset;
  if (backward) size = static_cast<size_t>(end - begin);
  window_begin_ = window_end_ = 0;
  if (size > window_capacity_) {
    window_ = nullptr;
    window_capacity_ = 0;
    window_.reset(new uint8_t[size]);
    window_capacity_ = size;
  }
  size_t got = ReadFully(key, size, begin);
  if (begin + got < end) {
    Damaged(key, place.offset,
            "the file ends at " + std::to_string(begin + got) + ", and a value of " + std::to_string(place.bytes) + " bytes lay there");
  }
  window_begin_ = begin;
  window_end_ = begin + got;
}

KvSlice JournalFileReader::Read(const KvSlice &key, const JournalPlace &place) {
  OpenFile(key, place.file);
  if (place.offset < window_begin_ || place.offset + place.bytes > window_end_) Fill(key, place);
  KvSlice value{window_.get() + (place.offset - window_begin_), place.bytes};
  if (seguro_crc32c(seguro_crc32c(0, key.data, key.size), value.data, value.size) != place.crc32c) {
    Damaged(key, place.offset, std::to_string(place.bytes) + " bytes there are not those that were written");
  }
  return value;
}

bool JournalFileReader::Populated(const JournalPlace &place) {
  uint64_t end = place.offset + place.bytes;
  if (place.offset >= populated_begin_ && end <= populated_end_) return true;
  if (mapping_ == nullptr || mapping_->size() < end) mapping_ = file_->Map(end);
  if (mapping_ == nullptr) return false;
  populated_begin_ = place.offset;
  populated_end_ = std::min<uint64_t>(mapping_->size(), place.offset + std::max<uint64_t>(place.bytes, kPopulateBytes));
  if (mapping_->Populate(place.offset, static_cast<size_t>(populated_end_ - place.offset))) return true;
  // Perhaps only what lies behind it is not there any more.
  populated_end_ = end;
  if (mapping_->Populate(place.offset, place.bytes)) return true;
  populated_begin_ = populated_end_ = 0;
  return false;
}

KvSlice JournalFileReader::Show(const KvSlice &key, const JournalPlace &place) {
  OpenFile(key, place.file);
  // Where it cannot be had this way, reading it says why.
  return Populated(place) ? KvSlice{mapping_->bytes() + place.offset, place.bytes} : Read(key, place);
}

}  // namespace seguro
