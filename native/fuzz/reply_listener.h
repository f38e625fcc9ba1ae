// What libseguro says to the sidecar of a fuzzed session (reply_peer.h): checked, and remembered as far as answers need it.
#pragma once

#include <cstring>
#include <vector>

#include "input.h"
// In C++ by themselves, because they bring headers of the C++ library.
#include "ring/ring.h"
#include "seguro.h"
#include "wire/frame.h"
#include "wire/record.h"
extern "C" {
#include "internal.h"
}

using Bytes = std::vector<uint8_t>;

class Listener {
 public:
  /** A new connection. */
  void Begin() {
    heard_.clear();
    texts_ = 0;
    read = asked = asked_type = 0;
  }

  /** Whatever it is told, what the client says is in order: the texts of the handshake, then frames, and records that follow. */
  void Hear(const uint8_t *bytes_heard, size_t count) {
    heard_.insert(heard_.end(), bytes_heard, bytes_heard + count);
    static const char *const texts[] = {"HELLO 1", "POINT ~zod"};
    size_t at = 0;
    while (at < heard_.size()) {
      size_t left = heard_.size() - at;
      if (texts_ < 2) {
        size_t bytes = std::strlen(texts[texts_]) + 1;
        FUZZ_CHECK(std::memcmp(heard_.data() + at, texts[texts_], std::min(left, bytes)) == 0);
        if (left < bytes) {
          break;
        }
        texts_++;
        at += bytes;
        continue;
      }
      seguro_frame_header header;
      if (left < SEGURO_FRAME_HEADER_BYTES) {
        break;
      }
      FUZZ_CHECK(seguro_frame_load(heard_.data() + at, &header) == 0);
      size_t bytes = SEGURO_FRAME_HEADER_BYTES + seguro_align8(header.body_bytes);
      if (left < bytes) {
        HearRecords(header, at + SEGURO_FRAME_HEADER_BYTES, left - SEGURO_FRAME_HEADER_BYTES);
        break;
      }
      HearFrame(header, at + SEGURO_FRAME_HEADER_BYTES);
      at += bytes;
    }
    heard_.erase(heard_.begin(), heard_.begin() + static_cast<ptrdiff_t>(at));
  }

  /** The newest READ's request number; the newest other request, its type and body; the greatest event that came whole. */
  uint32_t read = 0, asked = 0;
  uint8_t asked_type = 0;
  Bytes asked_body;
  uint64_t sent = 0;

 private:
  void HearFrame(const seguro_frame_header &header, size_t at) {
    HearRecords(header, at, header.body_bytes);
    if (header.type == SEGURO_FRAME_READ) {
      read = header.request;
    } else if (header.type >= SEGURO_FRAME_META_GET && header.type <= SEGURO_FRAME_PING) {
      asked = header.request;
      asked_type = header.type;
      asked_body.assign(heard_.begin() + static_cast<ptrdiff_t>(at), heard_.begin() + static_cast<ptrdiff_t>(at + header.body_bytes));
    }
  }

  /** Of an APPEND frame, the part that has come. */
  void HearRecords(const seguro_frame_header &header, size_t at, size_t bytes) {
    seguro_event event;
    uint64_t whole;
    while (header.type == SEGURO_FRAME_APPEND && bytes > 0) {
      int found = seguro_record_scan(heard_.data() + at, bytes, SEGURO_EVENT_BYTES_MAX, &event, &whole);
      FUZZ_CHECK(found == SEGURO_SCAN_WHOLE || (found == SEGURO_SCAN_PARTIAL && bytes < header.body_bytes));
      if (found != SEGURO_SCAN_WHOLE) {
        return;
      }
      sent = std::max(sent, event.id);
      at += whole;
      bytes -= whole;
    }
  }

  Bytes heard_;
  unsigned texts_ = 0;
};
