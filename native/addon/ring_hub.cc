// The hub as JavaScript sees it: makes sessions, puts their output, hears what their clients sent.
#include "ring_hub.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "addon.h"

namespace seguro {

Napi::Function RingHub::Define(Napi::Env env) {
  return DefineClass(env, "RingHub",
                     {
                         InstanceMethod<&RingHub::Create>("create"),
                         InstanceMethod<&RingHub::Start>("start"),
                         InstanceMethod<&RingHub::Accept>("accept"),
                         InstanceMethod<&RingHub::Put>("put"),
                         InstanceMethod<&RingHub::Publish>("publish"),
                         InstanceMethod<&RingHub::Pause>("pause"),
                         InstanceMethod<&RingHub::Resume>("resume"),
                         InstanceMethod<&RingHub::Close>("close"),
                         InstanceMethod<&RingHub::HoldLane>("holdLane"),
                         InstanceMethod<&RingHub::UnholdLane>("unholdLane"),
                         InstanceMethod<&RingHub::StartLane>("startLane"),
                         InstanceMethod<&RingHub::StopLane>("stopLane"),
                         InstanceMethod<&RingHub::LaneHeightInto>("laneHeightInto"),
                         InstanceMethod<&RingHub::EndLane>("endLane"),
                     });
}

RingHub::RingHub(const Napi::CallbackInfo &info)
    : Napi::ObjectWrap<RingHub>(info), env_(info.Env()), mailbox_(std::make_shared<RingMailbox>()) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  // Counted from a random number, so that no ring is taken for one of the process before this.
  bool ready = epoll_ >= 0 && mailbox_->descriptor() >= 0 && epoll_ctl(epoll_, EPOLL_CTL_ADD, mailbox_->descriptor(), &event) == 0 &&
               getrandom(&generation_, sizeof generation_, 0) == static_cast<ssize_t>(sizeof generation_);
  if (!ready) {
    std::string why = std::strerror(errno);
    CloseDescriptors();
    throw Napi::Error::New(env_, "no epoll for the rings: " + why);
  }
  napi_status status = napi_create_threadsafe_function(env_, info[0], nullptr, Napi::String::New(env_, "seguro rings"), 0, 1, nullptr,
                                                       nullptr, this, Deliver, &deliver_);
  if (status != napi_ok) {
    CloseDescriptors();
    throw Napi::Error::New(env_, "no thread-safe function could be made");
  }
  // Sessions keep the process alive through their server, not through this.
  napi_unref_threadsafe_function(env_, deliver_);
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error &error) {
    napi_release_threadsafe_function(deliver_, napi_tsfn_abort);
    CloseDescriptors();
    throw Napi::Error::New(env_, std::string("no thread for the rings: ") + error.what());
  }
  // Hooks run in reverse order: this one, which joins the thread, before that of the thread-safe function that it calls.
  napi_add_env_cleanup_hook(env_, OnExit, this);
}

RingHub::~RingHub() {
  // Where the environment went first, Node has freed the thread-safe function, and the thread is joined.
  if (!exited_ && thread_.joinable()) {
    napi_remove_env_cleanup_hook(env_, OnExit, this);
    Stop();
    napi_release_threadsafe_function(deliver_, napi_tsfn_abort);
  }
  CloseDescriptors();
}

void RingHub::CloseDescriptors() {
  if (epoll_ >= 0) close(epoll_);
  epoll_ = -1;
}

void RingHub::OnExit(void *data) {
  auto *self = static_cast<RingHub *>(data);
  self->Stop();
  self->exited_ = true;
}

void RingHub::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  mailbox_->Wake();
  if (thread_.joinable()) thread_.join();
  digester_->Stop();
}

RingHub::SessionPtr RingHub::Find(Napi::Env env, uint32_t id) const {
  auto found = of_javascript_.find(id);
  if (found == of_javascript_.end()) {
    throw Napi::Error::New(env, "that ring session has ended");
  }
  return found->second;
}

RingHub::SessionPtr RingHub::SessionOf(const Napi::CallbackInfo &info) {
  return Find(info.Env(), info[0].As<Napi::Number>().Uint32Value());
}

// create(socketFd, dataBytes, runBytes, pieceBytes, eventBytesMax) -> {id, totalBytes}, or the reason why not as text
Napi::Value RingHub::Create(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto number = [&](size_t index) { return static_cast<uint64_t>(info[index].As<Napi::Number>().Int64Value()); };
  // 0 is no generation.
  uint64_t generation = ++generation_ == 0 ? ++generation_ : generation_;
  RingOptions options{number(1), generation, {static_cast<size_t>(number(2)), static_cast<size_t>(number(3)), number(4)}};
  std::string why;
  std::unique_ptr<RingMemory> memory = RingMemory::Create(options, &why);
  if (memory == nullptr) return Napi::String::New(env, why);
  // Our own descriptor of the connection: Node's is closed when the session has moved.
  int socket = fcntl(static_cast<int>(number(0)), F_DUPFD_CLOEXEC, 0);
  if (socket < 0) return Napi::String::New(env, std::string("the socket's descriptor: ") + std::strerror(errno));
  uint64_t total = memory->total_bytes();
  auto session = std::make_shared<RingSession>(next_id_, socket, std::move(memory), options.assembler);
  of_javascript_.emplace(next_id_, session);
  auto result = Napi::Object::New(env);
  result.Set("id", next_id_);
  result.Set("totalBytes", static_cast<double>(total));
  next_id_++;
  return result;
}

// start(id, openedFrame) -> null; or the reason why nothing was sent; throws when a part was, because then the connection is of no use
Napi::Value RingHub::Start(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  SessionPtr session = SessionOf(info);
  auto frame = info[1].As<Napi::Buffer<uint8_t>>();
  iovec part{frame.Data(), frame.ByteLength()};
  char early;
  // Bytes that are no doorbells: the client did not wait for OPENED, so the rest of them must go the old way too.
  if (recv(session->socket, &early, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
    of_javascript_.erase(session->id);
    return Napi::String::New(env, "the client has sent more after OPEN");
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  int descriptor = session->memory->descriptor();
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  ssize_t sent = sendmsg(session->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(frame.ByteLength())) {
    std::string why = std::strerror(errno);
    of_javascript_.erase(session->id);
    if (sent >= 0) throw Napi::Error::New(env, "the socket took only a part of OPENED");
    return Napi::String::New(env, why);
  }
  session->memory->CloseDescriptor();
  mailbox_->Tell(Command::kWatch, session);
  return env.Null();
}

// accept(id, expectedId): before start, for a session that may append
void RingHub::Accept(const Napi::CallbackInfo &info) {
  bool lossless = false;
  SessionOf(info)->intake.Accept(info[1].As<Napi::BigInt>().Uint64Value(&lossless));
}

// put(id, bytes, offset) -> bytes taken from offset on, as far as there is room; -1 when the client broke the ring
Napi::Value RingHub::Put(const Napi::CallbackInfo &info) {
  SessionPtr session = SessionOf(info);
  auto bytes = info[1].As<Napi::Buffer<uint8_t>>();
  auto offset = static_cast<size_t>(info[2].As<Napi::Number>().Int64Value());
  if (offset > bytes.ByteLength()) throw Napi::RangeError::New(info.Env(), "an offset beyond the bytes");
  seguro_ring_producer *producer = &session->memory->producer;
  size_t wanted = bytes.ByteLength() - offset;
  std::lock_guard lock(session->output_mutex);
  // Until it is published with nothing waiting behind it: frames come in several parts.
  session->output_held = true;
  if (seguro_ring_room_known(producer) < wanted && seguro_ring_room(producer) == SEGURO_RING_BAD) {
    return Napi::Number::New(info.Env(), -1);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(seguro_ring_put(producer, bytes.Data() + offset, wanted)));
}

// publish(id, wait), without `wait` once everything is put -> room there is now; with `wait`, 0 means that a kRoom item follows when there is some; -1 when the ring is broken
Napi::Value RingHub::Publish(const Napi::CallbackInfo &info) {
  SessionPtr session = SessionOf(info);
  bool wait = info[1].As<Napi::Boolean>().Value();
  std::lock_guard lock(session->output_mutex);
  seguro_ring_producer *producer = &session->memory->producer;
  if (seguro_ring_publish(producer)) session->RingDoorbell();
  session->output_held = wait;
  int64_t room = 1;
  if (wait) {
    // First the wish, then the look: the hub's thread sees the wish when the client's doorbell comes.
    session->wants_room.store(true);
    room = seguro_ring_producer_sleep(producer);
    if (room != 0) session->wants_room.store(false);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(room));
}

void RingHub::Pause(const Napi::CallbackInfo &info) { SessionOf(info)->paused.store(true); }

void RingHub::Resume(const Napi::CallbackInfo &info) {
  SessionPtr session = SessionOf(info);
  if (session->paused.exchange(false)) mailbox_->Tell(Command::kResume, session);
}

void RingHub::Close(const Napi::CallbackInfo &info) {
  SessionPtr session = SessionOf(info);
  {
    std::lock_guard lock(session->output_mutex);
    session->output_held = true;
    seguro_ring_close(&session->memory->producer);
  }
  // Both ways at once, so that the client hears the end now, whoever still holds a descriptor.
  shutdown(session->socket, SHUT_RDWR);
  of_javascript_.erase(session->id);
  mailbox_->Tell(Command::kRemove, session);
}

void RingHub::Deliver(napi_env env, napi_value callback, void *context, void *) {
  if (env == nullptr) return;
  Napi::HandleScope scope(env);
  static_cast<RingHub *>(context)->DeliverAll(env, Napi::Function(env, callback));
}

void RingHub::DeliverAll(Napi::Env env, Napi::Function callback) {
  std::vector<Posted> all;
  {
    std::lock_guard lock(mutex_);
    all.swap(posted_);
    delivering_ = false;
  }
  for (Posted &posted : all) {
    try {
      Napi::HandleScope scope(env);
      DeliverTo(env, callback, &posted);
    } catch (const Napi::Error &) {
      // src/native/ring-hub.ts lets nothing through: the worker around us is being terminated, and nobody is left to hear of it.
      return;
    }
  }
}

void RingHub::DeliverTo(Napi::Env env, Napi::Function callback, Posted *posted) {
  auto &[session, items] = *posted;
  uint64_t bytes = 0;
  for (const RingItem &item : items) bytes += item.bytes.size();
  // Of its lane JavaScript hears the end in any case.
  if (of_javascript_.contains(session->id) || lanes_.contains(session->id)) {
    auto array = Napi::Array::New(env, items.size());
    for (size_t i = 0; i < items.size(); i++) array.Set(static_cast<uint32_t>(i), RingItemToJs(env, &items[i]));
    callback.Call({Napi::Number::New(env, session->id), array});
  }
  session->queued_bytes -= bytes;
  session->queued_items -= static_cast<uint32_t>(items.size());
  if (session->starved.exchange(false)) mailbox_->Tell(Command::kResume, session);
}

void InitRingHub(Napi::Env env, Napi::Object exports) { exports.Set("RingHub", RingHub::Define(env)); }

}  // namespace seguro
