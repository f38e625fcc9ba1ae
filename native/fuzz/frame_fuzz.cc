// Fuzzes frame headers: a walk over a stream of frames never leaves it, and a header that is accepted is the one its fields write.
#include <cstring>

#include "input.h"
#include "wire/frame.h"

namespace {

/** The input as fields: what is stored must load again, and not after any change of one byte. */
void RoundTrip(Input input) {
  seguro_frame_header header = {};
  header.body_bytes = (static_cast<uint32_t>(input.Byte()) << 16 | input.Short()) % (SEGURO_FRAME_BODY_MAX + 1);
  header.type = input.Byte();
  header.flags = input.Byte();
  header.request = static_cast<uint32_t>(input.Short()) << 16 | input.Short();
  uint8_t bytes[SEGURO_FRAME_HEADER_BYTES];
  seguro_frame_store(bytes, header);
  seguro_frame_header loaded;
  FUZZ_CHECK(seguro_frame_load(bytes, &loaded) == 0);
  FUZZ_CHECK(loaded.body_bytes == header.body_bytes && loaded.type == header.type && loaded.flags == header.flags &&
             loaded.request == header.request);
  uint8_t change = input.Byte();
  bytes[input.Byte() % sizeof bytes] ^= change;
  FUZZ_CHECK(change == 0 || seguro_frame_load(bytes, &loaded) == -1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  RoundTrip(Input(data, size));
  size_t at = 0;
  while (size - at >= SEGURO_FRAME_HEADER_BYTES) {
    seguro_frame_header header;
    if (seguro_frame_load(data + at, &header) != 0) {
      return 0;
    }
    FUZZ_CHECK(header.body_bytes <= SEGURO_FRAME_BODY_MAX);
    uint8_t again[SEGURO_FRAME_HEADER_BYTES];
    seguro_frame_store(again, header);
    FUZZ_CHECK(std::memcmp(again, data + at, sizeof again) == 0);
    at += SEGURO_FRAME_HEADER_BYTES;
    uint64_t body = seguro_align8(header.body_bytes);
    if (body > size - at) {
      return 0;
    }
    at += body;
  }
  return 0;
}
