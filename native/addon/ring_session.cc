// What a session does for itself, whichever thread asks: doorbells and acknowledgements.
#include "ring_session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace seguro {

RingSession::~RingSession() { close(socket); }

void RingSession::RingDoorbell() const {
  const char bell = SEGURO_RING_DOORBELL;
  [[maybe_unused]] ssize_t ignored = send(socket, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool RingSession::PutHeight(const LaneHeight &height) {
  constexpr uint32_t kBodyBytes = 48;
  uint8_t frame[SEGURO_FRAME_HEADER_BYTES + kBodyBytes];
  seguro_frame_store(frame, {kBodyBytes, SEGURO_FRAME_HEIGHT, 0, 0});
  uint8_t *body = frame + SEGURO_FRAME_HEADER_BYTES;
  seguro_store_u64(body, height.height);
  seguro_store_u64(body + 8, height.pair.id);
  std::memcpy(body + 16, height.pair.digest, sizeof height.pair.digest);
  bool wakes = false;
  {
    std::lock_guard lock(output_mutex);
    if (output_held) return false;
    seguro_ring_producer *producer = &memory->producer;
    auto has_room = [&](int64_t room) { return room >= static_cast<int64_t>(sizeof frame); };
    // A broken index is JavaScript's to find, and to end the session for.
    if (!has_room(static_cast<int64_t>(seguro_ring_room_known(producer))) && !has_room(seguro_ring_room(producer))) return false;
    seguro_ring_put(producer, frame, sizeof frame);
    wakes = seguro_ring_publish(producer);
  }
  if (wakes) RingDoorbell();
  return true;
}

}  // namespace seguro
