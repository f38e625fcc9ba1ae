// Fuzzes both ends of a ring over hostile memory: indices, flags and bytes change at any moment.
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "input.h"
#include "ring/ring.h"

namespace {

constexpr uint64_t kData = SEGURO_RING_DATA_BYTES_MIN;
constexpr uint64_t kTotal = SEGURO_RING_HEADER_BYTES + 2 * kData;

uint64_t Word(Input *input) {
  uint64_t word = 0;
  for (int i = 0; i < 8; i++) {
    word = word << 8 | input->Byte();
  }
  return word;
}

/** Mostly near a value that matters, sometimes anything: indices that pass the checks lead further. */
uint64_t Near(Input *input, uint64_t value) {
  uint8_t how = input->Byte();
  return how < 128 ? value + how : how < 250 ? value + static_cast<uint64_t>(input->Short()) : Word(input);
}

/** A mapping between two pages that must not be touched. */
struct Memory {
  Memory() {
    auto *all = static_cast<uint8_t *>(mmap(nullptr, kTotal + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    FUZZ_CHECK(all != MAP_FAILED);
    bytes = all + 4096;
    FUZZ_CHECK(mprotect(bytes, kTotal, PROT_READ | PROT_WRITE) == 0);
  }
  uint8_t *bytes;
};

/** Writes over the shared words and bytes as a peer may, whenever it likes. */
void Scribble(Input *input, uint8_t *memory, seguro_ring_direction *shared, const seguro_ring_geometry &geometry, seguro_ring_way way) {
  switch (input->Byte() % 6) {
    case 0:
      shared->head = Near(input, shared->head);
      break;
    case 1:
      shared->tail = Near(input, shared->tail);
      break;
    case 2:
      shared->consumer_sleeps = input->Byte();
      break;
    case 3:
      shared->producer_sleeps = input->Byte();
      break;
    case 4:
      shared->closed = input->Byte();
      break;
    default:
      memory[geometry.data_offset[way] + Word(input) % geometry.data_bytes[way]] ^= 0xff;
  }
}

void Consume(Input *input, uint8_t *memory, const seguro_ring_geometry &geometry, seguro_ring_way way) {
  seguro_ring_consumer consumer;
  seguro_ring_consumer_begin(&consumer, memory, &geometry, way);
  static std::vector<uint8_t> into(2 * kData);
  for (int turn = 0; turn < 64 && !input->AtEnd(); turn++) {
    Scribble(input, memory, consumer.shared, geometry, way);
    int64_t available = turn % 3 == 0 ? seguro_ring_consumer_sleep(&consumer) : seguro_ring_available(&consumer);
    FUZZ_CHECK(available >= SEGURO_RING_BAD && available <= static_cast<int64_t>(consumer.size));
    FUZZ_CHECK(consumer.size == geometry.data_bytes[way]);
    uint64_t wished = Near(input, 0);
    uint64_t known = seguro_ring_available_known(&consumer);
    uint64_t taken = seguro_ring_take(&consumer, into.data(), std::min<uint64_t>(wished, into.size()));
    FUZZ_CHECK(taken <= known && taken <= wished);
    seguro_ring_span spans[2];
    uint64_t covered = seguro_ring_spans(&consumer, wished, spans);
    FUZZ_CHECK(covered == spans[0].length_bytes + spans[1].length_bytes && covered <= known);
    for (const seguro_ring_span &span : spans) {
      FUZZ_CHECK(span.bytes >= consumer.data && span.bytes + span.length_bytes <= consumer.data + consumer.size);
    }
    seguro_ring_is_closed(&consumer);
    seguro_ring_release(&consumer);
  }
}

void Produce(Input *input, uint8_t *memory, const seguro_ring_geometry &geometry, seguro_ring_way way) {
  seguro_ring_producer producer;
  seguro_ring_producer_begin(&producer, memory, &geometry, way);
  static const std::vector<uint8_t> from(2 * kData, 0x5a);
  for (int turn = 0; turn < 64 && !input->AtEnd(); turn++) {
    Scribble(input, memory, producer.shared, geometry, way);
    int64_t room = turn % 3 == 0 ? seguro_ring_producer_sleep(&producer) : seguro_ring_room(&producer);
    FUZZ_CHECK(room >= SEGURO_RING_BAD && room <= static_cast<int64_t>(producer.size));
    uint64_t known = seguro_ring_room_known(&producer);
    uint64_t wished = std::min<uint64_t>(Near(input, 0), from.size());
    FUZZ_CHECK(seguro_ring_put(&producer, from.data(), wished) == std::min(wished, known));
    seguro_ring_publish(&producer);
  }
}

/** Whatever was accepted lies inside the mapping, apart from the header and from the other area. */
void CheckGeometry(const seguro_ring_geometry &geometry) {
  FUZZ_CHECK(geometry.total_bytes == kTotal && geometry.generation != 0);
  for (int way = 0; way < 2; way++) {
    FUZZ_CHECK(seguro_ring_is_data_bytes(geometry.data_bytes[way]));
    FUZZ_CHECK(geometry.data_offset[way] >= SEGURO_RING_HEADER_BYTES && geometry.data_offset[way] <= kTotal);
    FUZZ_CHECK(geometry.data_bytes[way] <= kTotal - geometry.data_offset[way]);
  }
  uint64_t low = std::min(geometry.data_offset[0], geometry.data_offset[1]);
  uint64_t high = std::max(geometry.data_offset[0], geometry.data_offset[1]);
  FUZZ_CHECK(high - low >= geometry.data_bytes[low == geometry.data_offset[0] ? 0 : 1]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static Memory memory;
  Input input(data, size);
  std::memset(memory.bytes, 0, SEGURO_RING_HEADER_BYTES);
  seguro_ring_geometry geometry;
  FUZZ_CHECK(seguro_ring_init(memory.bytes, kTotal, kData, kData, 1, &geometry));
  uint8_t how = input.Byte();
  for (int change = how & 3; change > 0; change--) {
    size_t length;
    size_t at = input.Byte() % 64;
    const uint8_t *bytes = input.Slice(std::min<size_t>(input.Byte() % 9, 64 - at), &length);
    std::memcpy(memory.bytes + at, bytes, length);
  }
  if (seguro_ring_attach(memory.bytes, kTotal, &geometry) != SEGURO_RING_FINE) {
    return 0;
  }
  CheckGeometry(geometry);
  seguro_ring_way way = (how & 4) != 0 ? SEGURO_RING_CLIENT_TO_SERVER : SEGURO_RING_SERVER_TO_CLIENT;
  if ((how & 8) != 0) {
    Consume(&input, memory.bytes, geometry, way);
  } else {
    Produce(&input, memory.bytes, geometry, way);
  }
  return 0;
}
