// Lanes of ring sessions: JavaScript begins and ends them, the hub's thread feeds them (docs/lane.md).
#include <cstring>
#include <stdexcept>
#include <utility>

#include "kv_environment.h"
#include "ring_hub.h"
#include "ring_lane_owner.h"

namespace seguro {

namespace {

/** How long the height may rise before JavaScript is told. */
constexpr std::chrono::milliseconds kTellEvery(10);
/** What JavaScript reads of a height: u64 height, u64 id of the pair, its digest. */
constexpr size_t kHeightBytes = 16 + SEGURO_DIGEST_BYTES;

std::vector<uint8_t> BytesOf(const Napi::Value &value) {
  auto bytes = value.As<Napi::Buffer<uint8_t>>();
  return std::vector<uint8_t>(bytes.Data(), bytes.Data() + bytes.Length());
}

void CopyExactly(const Napi::CallbackInfo &info, size_t index, void *into, size_t size) {
  auto bytes = info[index].As<Napi::Buffer<uint8_t>>();
  if (bytes.Length() != size) throw Napi::RangeError::New(info.Env(), "a lane was begun with bytes of a wrong length");
  std::memcpy(into, bytes.Data(), size);
}

}  // namespace

// holdLane(id): a kHeld item comes, and behind it nothing until unholdLane or startLane
void RingHub::HoldLane(const Napi::CallbackInfo &info) { mailbox_->Tell(Command::kHold, SessionOf(info)); }

void RingHub::UnholdLane(const Napi::CallbackInfo &info) { mailbox_->Tell(Command::kUnhold, SessionOf(info)); }

// startLane(id, environment, blocksPrefix, checkKey, checkValue, header, height, digest, blockBytes, inFlightBytes): while it is held
void RingHub::StartLane(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  SessionPtr session = SessionOf(info);
  std::shared_ptr<KvCommitQueue> queue = KvEnvironment::Unwrap(info[1].As<Napi::Object>())->queue();
  if (queue == nullptr || session->lane != nullptr) throw Napi::Error::New(env, "a lane was begun wrongly");
  if (const char *missing = Sha256Missing()) throw Napi::Error::New(env, missing);
  LaneStart start;
  start.blocks_prefix = BytesOf(info[2]);
  start.check_key = BytesOf(info[3]);
  start.check_value = BytesOf(info[4]);
  CopyExactly(info, 5, start.header, sizeof start.header);
  bool lossless = false;
  start.at.height = start.at.pair.id = info[6].As<Napi::BigInt>().Uint64Value(&lossless);
  CopyExactly(info, 7, start.at.pair.digest, sizeof start.at.pair.digest);
  start.block_bytes = static_cast<size_t>(info[8].As<Napi::Number>().Int64Value());
  start.in_flight_bytes = static_cast<size_t>(info[9].As<Napi::Number>().Int64Value());
  try {
    session->lane =
        std::make_shared<Lane>(std::move(start), std::move(queue), digester_, std::make_unique<RingLaneOwner>(session, mailbox_));
  } catch (const std::runtime_error &error) {
    throw Napi::Error::New(env, error.what());
  }
  // Its end is waited for, perhaps by nothing else that would keep the process alive.
  if (lanes_.empty()) napi_ref_threadsafe_function(env_, deliver_);
  lanes_.emplace(session->id, session);
  mailbox_->Tell(Command::kStartLane, std::move(session));
}

// stopLane(id): a kLaneEnd item comes, if it has not come before
void RingHub::StopLane(const Napi::CallbackInfo &info) {
  auto found = lanes_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found != lanes_.end()) mailbox_->Tell(Command::kStopLane, found->second);
}

// laneHeightInto(id, bytes): of the lane that was begun and not taken away with endLane
void RingHub::LaneHeightInto(const Napi::CallbackInfo &info) {
  auto found = lanes_.find(info[0].As<Napi::Number>().Uint32Value());
  auto into = info[1].As<Napi::Buffer<uint8_t>>();
  if (found == lanes_.end() || into.Length() != kHeightBytes) throw Napi::Error::New(info.Env(), "there is no such lane");
  LaneHeight at = found->second->lane->height();
  seguro_store_u64(into.Data(), at.height);
  seguro_store_u64(into.Data() + 8, at.pair.id);
  std::memcpy(into.Data() + 16, at.pair.digest, sizeof at.pair.digest);
}

// endLane(id) -> how it ended: {ending, code, message, owes}; after the kLaneEnd item, and then the lane is gone
Napi::Value RingHub::EndLane(const Napi::CallbackInfo &info) {
  auto found = lanes_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found == lanes_.end()) throw Napi::Error::New(info.Env(), "there is no such lane");
  LaneEnd end = found->second->lane->end();
  found->second->lane.reset();
  lanes_.erase(found);
  if (lanes_.empty()) napi_unref_threadsafe_function(env_, deliver_);
  auto result = Napi::Object::New(info.Env());
  result.Set("ending", static_cast<uint32_t>(end.ending));
  result.Set("code", end.code);
  result.Set("message", end.message);
  result.Set("owes", end.owes_acknowledgement);
  return result;
}

/** What a turn took: to the lane as far as it goes, else to JavaScript. */
void RingHub::HandOn(const SessionPtr &session, std::vector<RingItem> items) {
  if (session->lane_state != LaneState::kOn) {
    Post(session, std::move(items));
    return;
  }
  auto next = GiveToLane(session->lane.get(), &items);
  if (next != items.begin() && session->tell_at.time_since_epoch().count() == 0) {
    session->tell_at = std::chrono::steady_clock::now() + kTellEvery;
    rising_.push_back(session);
  }
  if (next == items.end()) return;
  session->after_lane.assign(std::make_move_iterator(next), std::make_move_iterator(items.end()));
  DrainLane(session);
}

/** From now on nothing is taken from the ring, until the lane has ended. */
void RingHub::DrainLane(const SessionPtr &session) {
  if (session->lane_state != LaneState::kOn) return;
  session->lane_state = LaneState::kDraining;
  session->lane->Stop();
}

void RingHub::FinishLane(const SessionPtr &session) {
  session->lane_state = LaneState::kOff;
  session->tell_at = {};
  std::erase(rising_, session);
  PostOne(session, RingItem::kLaneEnd);
  Post(session, std::exchange(session->after_lane, {}));
  Enlist(session);
}

/** Until something must be done though nobody calls; -1 for ever. */
int RingHub::WaitMs() {
  if (!ready_.empty()) return 0;
  if (rising_.empty()) return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(rising_.front()->tell_at - std::chrono::steady_clock::now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

/** Live readers wait to hear of it. Sessions are in the order of their times. */
void RingHub::TellHeights() {
  if (rising_.empty()) return;
  auto now = std::chrono::steady_clock::now();
  while (!rising_.empty() && rising_.front()->tell_at <= now) {
    SessionPtr session = std::move(rising_.front());
    rising_.erase(rising_.begin());
    session->tell_at = {};
    bool busy = session->lane->busy();
    uint64_t height = session->lane->height().height;
    // While the committing thread looks for the client's next events itself, nobody else says that there are more.
    if (busy || height != session->told_height) {
      session->tell_at = now + kTellEvery;
      rising_.push_back(session);
    }
    if (height != session->told_height) {
      session->told_height = height;
      PostOne(session, RingItem::kRose);
    }
  }
}

}  // namespace seguro
