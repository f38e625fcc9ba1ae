// The hub as JavaScript sees it: makes sessions, puts their output, hears what their clients sent.
#include "ring_hub.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "addon.h"

namespace seguro {

RingSession::~RingSession() { close(socket); }

void RingSession::RingDoorbell() const {
  const char bell = SEGURO_RING_DOORBELL;
  [[maybe_unused]] ssize_t ignored = send(socket, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

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
                     });
}

RingHub::RingHub(const Napi::CallbackInfo &info) : Napi::ObjectWrap<RingHub>(info), env_(info.Env()) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ < 0 || wake_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) {
    throw Napi::Error::New(env_, std::string("no epoll for the rings: ") + std::strerror(errno));
  }
  napi_status status = napi_create_threadsafe_function(env_, info[0], nullptr, Napi::String::New(env_, "seguro rings"), 0, 1, nullptr,
                                                       nullptr, this, Deliver, &deliver_);
  if (status != napi_ok) throw Napi::Error::New(env_, "no thread-safe function could be made");
  // Sessions keep the process alive through their server, not through this.
  napi_unref_threadsafe_function(env_, deliver_);
  napi_add_env_cleanup_hook(env_, OnExit, this);
  thread_ = std::thread([this] { Loop(); });
}

RingHub::~RingHub() {
  if (!exited_ && deliver_ != nullptr) {
    napi_remove_env_cleanup_hook(env_, OnExit, this);
    Stop();
    napi_release_threadsafe_function(deliver_, napi_tsfn_abort);
  }
  if (epoll_ >= 0) close(epoll_);
  if (wake_ >= 0) close(wake_);
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
  uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = write(wake_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void RingHub::Tell(Command command, const SessionPtr &session) {
  {
    std::lock_guard lock(mutex_);
    commands_.emplace_back(command, session);
  }
  uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = write(wake_, &one, sizeof one);
}

RingHub::SessionPtr RingHub::SessionOf(const Napi::CallbackInfo &info) {
  auto found = of_javascript_.find(info[0].As<Napi::Number>().Uint32Value());
  if (found == of_javascript_.end()) {
    throw Napi::Error::New(info.Env(), "that ring session has ended");
  }
  return found->second;
}

// create(socketFd, dataBytes, runBytes, pieceBytes, eventBytesMax) -> {id, totalBytes}, or the reason why not as text
Napi::Value RingHub::Create(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  auto number = [&](size_t index) { return static_cast<uint64_t>(info[index].As<Napi::Number>().Int64Value()); };
  RingOptions options{number(1), next_id_, {static_cast<size_t>(number(2)), static_cast<size_t>(number(3)), number(4)}};
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

// start(id, openedFrame) -> null, or the reason why the memory could not be sent
Napi::Value RingHub::Start(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  SessionPtr session = SessionOf(info);
  auto frame = info[1].As<Napi::Buffer<uint8_t>>();
  iovec part{frame.Data(), frame.ByteLength()};
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
    of_javascript_.erase(session->id);
    return Napi::String::New(env, sent < 0 ? std::strerror(errno) : "the socket took only a part of OPENED");
  }
  session->memory->CloseDescriptor();
  Tell(Command::kWatch, session);
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
  if (seguro_ring_room_known(producer) < wanted && seguro_ring_room(producer) == SEGURO_RING_BAD) {
    return Napi::Number::New(info.Env(), -1);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(seguro_ring_put(producer, bytes.Data() + offset, wanted)));
}

// publish(id, wait) -> room there is now; with `wait`, 0 means that a kRoom item follows when there is some; -1 when the ring is broken
Napi::Value RingHub::Publish(const Napi::CallbackInfo &info) {
  SessionPtr session = SessionOf(info);
  seguro_ring_producer *producer = &session->memory->producer;
  if (seguro_ring_publish(producer)) session->RingDoorbell();
  int64_t room = 1;
  if (info[1].As<Napi::Boolean>().Value()) {
    // First the wish, then the look: the hub's thread sees the wish when the client's doorbell comes.
    session->wants_room.store(true);
    session->room_sleeps++;
    room = seguro_ring_producer_sleep(producer);
    if (room != 0) session->wants_room.store(false);
  }
  return Napi::Number::New(info.Env(), static_cast<double>(room));
}

void RingHub::Pause(const Napi::CallbackInfo &info) { SessionOf(info)->paused.store(true); }

void RingHub::Resume(const Napi::CallbackInfo &info) {
  SessionPtr session = SessionOf(info);
  if (session->paused.exchange(false)) Tell(Command::kResume, session);
}

void RingHub::Close(const Napi::CallbackInfo &info) {
  SessionPtr session = SessionOf(info);
  seguro_ring_close(&session->memory->producer);
  // Both ways at once, so that the client hears the end now, whoever still holds a descriptor.
  shutdown(session->socket, SHUT_RDWR);
  of_javascript_.erase(session->id);
  Tell(Command::kRemove, session);
}

void RingHub::Deliver(napi_env env, napi_value callback, void *context, void *) {
  if (env == nullptr) return;
  auto *self = static_cast<RingHub *>(context);
  Napi::HandleScope scope(env);
  self->DeliverAll(env, Napi::Function(env, callback));
}

void RingHub::DeliverAll(Napi::Env env, Napi::Function callback) {
  std::vector<std::pair<SessionPtr, std::vector<RingItem>>> posted;
  {
    std::lock_guard lock(mutex_);
    posted.swap(posted_);
    delivering_ = false;
  }
  for (auto &[session, items] : posted) {
    uint64_t bytes = 0;
    auto array = Napi::Array::New(env, items.size());
    for (size_t i = 0; i < items.size(); i++) {
      bytes += items[i].bytes.size();
      array.Set(static_cast<uint32_t>(i), ItemToJs(env, session.get(), &items[i]));
    }
    bool ours = of_javascript_.contains(session->id);
    if (ours) callback.Call({Napi::Number::New(env, session->id), array});
    session->queued_bytes -= bytes;
    session->queued_items -= static_cast<uint32_t>(items.size());
    // The thread may have left the session alone because so much was queued.
    if (ours) Tell(Command::kResume, session);
  }
}

Napi::Value RingHub::ItemToJs(Napi::Env env, RingSession *, RingItem *item) {
  auto object = Napi::Object::New(env);
  object.Set("kind", static_cast<uint32_t>(item->kind));
  object.Set("flag", item->flag);
  if (item->kind == RingItem::kAssembled) {
    object.Set("large", item->info.kind == AssembledInfo::kLarge);
    object.Set("last", item->info.last);
    object.Set("firstId", Napi::BigInt::New(env, item->info.first_id));
    object.Set("lastId", Napi::BigInt::New(env, item->info.last_id));
    object.Set("count", static_cast<double>(item->info.count));
    object.Set("index", static_cast<double>(item->info.index));
    object.Set("recordBytes", static_cast<double>(item->info.record_bytes));
  } else if (item->kind == RingItem::kFrame) {
    object.Set("type", static_cast<uint32_t>(item->header.type));
    object.Set("flags", static_cast<uint32_t>(item->header.flags));
    object.Set("request", item->header.request);
    object.Set("bodyBytes", item->header.body_bytes);
  } else {
    object.Set("status", item->status);
    object.Set("id", Napi::BigInt::New(env, item->id));
    object.Set("reason", item->reason);
  }
  size_t size = item->bytes.size();
  napi_value buffer = nullptr;
  auto release = [](napi_env, void *data, void *) { std::free(data); };
  // Small ones are cheaper to copy than to hand over.
  if (size >= 32768 && napi_create_external_buffer(env, size, item->bytes.data(), release, nullptr, &buffer) == napi_ok) {
    item->bytes.Release();
  } else {
    buffer = Napi::Buffer<uint8_t>::Copy(env, item->bytes.data(), size);
  }
  object.Set("bytes", Napi::Value(env, buffer));
  return object;
}

void InitRingHub(Napi::Env env, Napi::Object exports) { exports.Set("RingHub", RingHub::Define(env)); }

}  // namespace seguro
