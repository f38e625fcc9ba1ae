// One thread that serves all ring sessions of an environment: waits on their doorbells, drains their rings, reports to JavaScript.
#pragma once

#include <napi.h>

#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ring_mailbox.h"
#include "ring_session.h"

namespace seguro {

/**
 * JavaScript's `RingHub` (src/native/ring-hub.ts). Its methods are called on the JavaScript thread; sessions are named by number. The
 * thread makes non-blocking calls only, but for epoll_wait itself; it does a bounded amount of work for a session before the next one's turn.
 */
class RingHub : public Napi::ObjectWrap<RingHub> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit RingHub(const Napi::CallbackInfo &info);
  ~RingHub() override;

  using SessionPtr = std::shared_ptr<RingSession>;
  /** The session of that number; throws when it has ended. */
  SessionPtr Find(Napi::Env env, uint32_t id) const;

 private:
  using Posted = std::pair<SessionPtr, std::vector<RingItem>>;
  using Command = RingMailbox::Command;

  // JavaScript's thread.
  Napi::Value Create(const Napi::CallbackInfo &info);
  Napi::Value Start(const Napi::CallbackInfo &info);
  void Accept(const Napi::CallbackInfo &info);
  Napi::Value Put(const Napi::CallbackInfo &info);
  Napi::Value Publish(const Napi::CallbackInfo &info);
  void Pause(const Napi::CallbackInfo &info);
  void Resume(const Napi::CallbackInfo &info);
  void Close(const Napi::CallbackInfo &info);
  void HoldLane(const Napi::CallbackInfo &info);
  void UnholdLane(const Napi::CallbackInfo &info);
  void StartLane(const Napi::CallbackInfo &info);
  void StopLane(const Napi::CallbackInfo &info);
  void LaneHeightInto(const Napi::CallbackInfo &info);
  Napi::Value EndLane(const Napi::CallbackInfo &info);
  SessionPtr SessionOf(const Napi::CallbackInfo &info);
  void Stop();
  void CloseDescriptors();
  static void OnExit(void *data);
  static void Deliver(napi_env env, napi_value callback, void *context, void *data);
  void DeliverAll(Napi::Env env, Napi::Function callback);
  void DeliverTo(Napi::Env env, Napi::Function callback, Posted *posted);

  // The hub's thread.
  void Loop();
  void ObeyCommands();
  void Obey(Command command, const SessionPtr &session);
  void Watch(const SessionPtr &session);
  void Hear(uint64_t id);
  void TakeTurn(const SessionPtr &session);
  void FinishTurn(const SessionPtr &session, int64_t taken);
  bool LeaveAlone(RingSession *session);
  void Finish(const SessionPtr &session);
  void Enlist(const SessionPtr &session);
  void Unwatch(RingSession *session);
  void HandOn(const SessionPtr &session, std::vector<RingItem> items);
  void DrainLane(const SessionPtr &session);
  void FinishLane(const SessionPtr &session);
  int WaitMs();
  void TellHeights();
  void PostOne(const SessionPtr &session, RingItem::Kind kind);
  void Post(const SessionPtr &session, std::vector<RingItem> items);

  napi_env env_;
  napi_threadsafe_function deliver_ = nullptr;
  int epoll_ = -1;
  bool exited_ = false;
  uint32_t next_id_ = 1;
  uint64_t generation_ = 0;
  std::unordered_map<uint32_t, SessionPtr> of_javascript_;
  /** Sessions whose lane's end JavaScript has not taken yet, closed or not. */
  std::unordered_map<uint32_t, SessionPtr> lanes_;

  std::unordered_map<uint32_t, SessionPtr> of_thread_;
  std::vector<SessionPtr> ready_;
  /** Sessions with lanes that have taken something since JavaScript was told of their height. */
  std::vector<SessionPtr> rising_;

  std::shared_ptr<RingMailbox> mailbox_;
  const std::shared_ptr<LaneDigester> digester_ = std::make_shared<LaneDigester>();
  std::mutex mutex_;
  bool stopping_ = false;
  bool delivering_ = false;
  std::vector<Posted> posted_;
  std::thread thread_;
};

/** The item as src/native/ring-hub.ts reads it; its bytes are given away. */
Napi::Value RingItemToJs(Napi::Env env, RingItem *item);

}  // namespace seguro
