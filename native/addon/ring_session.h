// One ring session as the hub keeps it: its memory, its socket, and what JavaScript and the hub's thread tell each other.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "core_lane.h"
#include "core_ring.h"

namespace seguro {

/** Who gets the records of a session (docs/lane.md, "Hand-over"), as the hub's thread sees it. */
enum class LaneState : uint8_t { kOff, kHeld, kOn, kDraining };

/** Shared by the JavaScript thread (output, start, close), the hub's thread (intake, doorbells, the end), and the threads that commit and replay (output). */
struct RingSession {
  RingSession(uint32_t id, int socket, std::unique_ptr<RingMemory> memory, const AssemblerOptions &options)
      : id(id), socket(socket), memory(std::move(memory)), intake(options) {}
  ~RingSession();
  RingSession(const RingSession &) = delete;
  RingSession &operator=(const RingSession &) = delete;

  /** Puts a HEIGHT into the ring and shows it to the client; false when others have output under way, or there is no room. The committing thread. */
  bool PutHeight(const LaneHeight &height);
  /** Wakes the client: one byte, never waiting. A full socket buffer is no error, because its bytes wake the client as well. */
  void RingDoorbell() const;

  const uint32_t id;
  /** Our own descriptor of the session's connection; nobody waits on it but the hub's epoll. */
  const int socket;
  std::unique_ptr<RingMemory> memory;

  /** Over the intake and the consuming half of the memory: the hub's thread has it for its turns, the committing thread while it looks. Never waited for. */
  std::mutex intake_mutex;
  RingIntake intake;
  /** What the committing thread took and could not give to the lane, and how that turn ended: it comes before anything else. */
  std::vector<RingItem> looked_items;
  int64_t looked_bytes = 0;
  /** The hub's thread wanted a turn while the other one looked: whoever looked says when it can have it. */
  std::atomic<bool> missed{false};

  // The hub's thread alone.
  bool ready = false;
  bool watched = false;
  /** The client has gone, or has said that it sends no more. */
  bool finished = false;
  /** Nothing more is taken in; the socket is still watched, because what is queued for the client may need its doorbells. */
  bool over = false;
  /** Until then an empty ring is looked at again instead of sleeping over it. */
  std::chrono::steady_clock::time_point look_until{};
  /** While it looked, the thread has let others run. */
  bool gave_way = false;
  bool removed = false;
  /** What a client that is gone may have published at most: one area full. */
  uint64_t last_bytes_left = 0;
  LaneState lane_state = LaneState::kOff;
  /** What came with the thing that ended the lane: JavaScript gets it behind the end. */
  std::vector<RingItem> after_lane;
  /** The height that JavaScript was told of last, and when it will be told again if it rose. */
  uint64_t told_height = 0;
  std::chrono::steady_clock::time_point tell_at{};

  /** Set before the command that begins the lane, taken away once its end was delivered: the thread uses it in between. */
  std::shared_ptr<Lane> lane;

  /** Over the producing half of the memory. */
  std::mutex output_mutex;
  /** JavaScript has put output that is not wholly in the ring yet, or has lent the ring to a replay, or has closed it. */
  bool output_held = false;

  // Both.
  std::atomic<bool> paused{false};
  /** JavaScript has output waiting and wants to hear of any doorbell. */
  std::atomic<bool> wants_room{false};
  /** The thread has left the ring alone because so much was queued; whoever takes of it says so. */
  std::atomic<bool> starved{false};
  /** Bytes and items handed to JavaScript and not taken there yet. */
  std::atomic<uint64_t> queued_bytes{0};
  std::atomic<uint32_t> queued_items{0};
};

}  // namespace seguro
