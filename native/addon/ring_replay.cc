// Binds ReplayCore to an open store and a ring session: one turn is one work on a libuv thread.
#include "ring_replay.h"

#include <cstring>

#include "addon.h"
#include "kv_environment.h"
#include "promise_work.h"
#include "ring_hub.h"

namespace seguro {

namespace {

/** As much as some rings hold: a turn that finds the client in full course takes a millisecond or two. */
constexpr uint64_t kTurnBytes = 8 << 20;

uint64_t IdOf(Napi::Value value) {
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

std::vector<uint8_t> KeyOf(const std::vector<uint8_t> &prefix, uint64_t id) {
  std::vector<uint8_t> key = prefix;
  for (int shift = 56; shift >= 0; shift -= 8) key.push_back(static_cast<uint8_t>(id >> shift));
  return key;
}

}  // namespace

class ReplayWork : public PromiseWork {
 public:
  ReplayWork(Napi::Env env, RingReplay *replay, Napi::Object object, std::shared_ptr<RingSession> session, const ReplayLimits &limits)
      : PromiseWork(env, "seguro.replay"),
        replay_(replay),
        session_(std::move(session)),
        limits_(limits),
        keep_replay_(Napi::Persistent(object)) {}

 protected:
  void Execute() override {
    ReplayCore &core = *replay_->core_;
    core.Begin(
        &session_->memory->producer, [this] { session_->RingDoorbell(); }, limits_);
    try {
      const std::vector<uint8_t> &prefix = replay_->prefix_;
      KvWalk walk{prefix, KeyOf(prefix, core.block_id()), KeyOf(prefix, limits_.through_id + 1)};
      replay_->store_->Walk(walk, [&](const uint8_t *value, size_t size) { return core.TakeBlock(value, size); });
    } catch (const std::exception &) {
      // What was sent counts. The careful reader that comes next meets the same failure, and can say what it is.
    }
    turn_ = core.End();
  }

  Napi::Value Result(Napi::Env env) override {
    replay_->running_ = false;
    Napi::Object result = Napi::Object::New(env);
    result.Set("count", static_cast<double>(turn_.count));
    result.Set("nextId", Napi::BigInt::New(env, replay_->core_->next_id()));
    result.Set("bodyBytes", static_cast<double>(turn_.body_bytes));
    result.Set("stop", static_cast<uint32_t>(turn_.stop));
    result.Set("rest",
               turn_.rest.empty() ? env.Null() : Napi::Value(Napi::Buffer<uint8_t>::Copy(env, turn_.rest.data(), turn_.rest.size())));
    return result;
  }

 private:
  RingReplay *replay_;
  std::shared_ptr<RingSession> session_;
  ReplayLimits limits_;
  ReplayTurn turn_;
  Napi::ObjectReference keep_replay_;
};

Napi::Function RingReplay::Define(Napi::Env env) {
  return DefineClass(
      env, "RingReplay",
      {InstanceMethod<&RingReplay::Run>("run"), InstanceMethod<&RingReplay::Grant>("grant"), InstanceMethod<&RingReplay::Seek>("seek")});
}

// new RingReplay(hub, ringId, environment, blocksPrefix, ship, kind, log, request, fromId)
RingReplay::RingReplay(const Napi::CallbackInfo &info) : Napi::ObjectWrap<RingReplay>(info) {
  Napi::Env env = info.Env();
  auto number = [&](size_t index) { return info[index].As<Napi::Number>().Uint32Value(); };
  session_ = RingHub::Unwrap(info[0].As<Napi::Object>())->Find(env, number(1));
  store_ = KvEnvironment::Unwrap(info[2].As<Napi::Object>())->store();
  auto prefix = info[3].As<Napi::Buffer<uint8_t>>();
  prefix_.assign(prefix.Data(), prefix.Data() + prefix.Length());
  auto ship = info[4].As<Napi::Buffer<uint8_t>>();
  UnpackOptions name{};
  if (ship.Length() != sizeof name.ship) throw Napi::RangeError::New(env, "a ship's number has 16 bytes");
  std::memcpy(name.ship, ship.Data(), sizeof name.ship);
  name.kind = static_cast<uint8_t>(number(5));
  name.log = number(6);
  core_ = std::make_unique<ReplayCore>(name, number(7), IdOf(info[8]));
}

// run(throughId, creditBytes) -> promise of what was sent
Napi::Value RingReplay::Run(const Napi::CallbackInfo &info) {
  std::shared_ptr<RingSession> session = session_.lock();
  if (running_ || session == nullptr) throw Napi::Error::New(info.Env(), "a replay was called wrongly");
  {
    // Until JavaScript has the ring back, and publishes behind this turn.
    std::lock_guard lock(session->output_mutex);
    session->output_held = true;
  }
  credit_bytes_.store(IdOf(info[1]), std::memory_order_relaxed);
  ReplayLimits limits{IdOf(info[0]), &credit_bytes_, kTurnBytes};
  Napi::Value promise = (new ReplayWork(info.Env(), this, info.This().As<Napi::Object>(), std::move(session), limits))->Start();
  running_ = true;
  return promise;
}

// grant(moreBytes): while a turn runs, so that it need not end for want of what has come already
void RingReplay::Grant(const Napi::CallbackInfo &info) { credit_bytes_.fetch_add(IdOf(info[0]), std::memory_order_relaxed); }

void RingReplay::Seek(const Napi::CallbackInfo &info) {
  if (running_) throw Napi::Error::New(info.Env(), "a replay was called wrongly");
  core_->Seek(IdOf(info[0]));
}

void InitRingReplay(Napi::Env env, Napi::Object exports) { exports.Set("RingReplay", RingReplay::Define(env)); }

}  // namespace seguro
