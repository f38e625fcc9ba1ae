// A thread that commits, started with its environment and joined before the JavaScript around it goes.
#include "kv_commit_thread.h"

#include <utility>

namespace seguro {

KvCommitThread::KvCommitThread(Napi::Env env) : env_(env) {
  napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "seguro store commit"), 0, 1, nullptr,
                                                       nullptr, this, Deliver, &deliver_);
  if (status != napi_ok) throw Napi::Error::New(env, "no thread-safe function could be made");
  // An idle store does not keep the process alive.
  napi_unref_threadsafe_function(env, deliver_);
  // Hooks run in reverse order: this one, which joins the thread, before that of the thread-safe function that it calls.
  napi_add_env_cleanup_hook(env, OnExit, this);
  thread_ = std::thread([this] { Loop(); });
}

KvCommitThread::~KvCommitThread() {
  // Where the environment went first, Node has freed the thread-safe function, and the thread is joined.
  if (exited_) return;
  napi_remove_env_cleanup_hook(env_, OnExit, this);
  Join();
  napi_release_threadsafe_function(deliver_, napi_tsfn_abort);
}

void KvCommitThread::Submit(std::unique_ptr<KvCommitJob> job) {
  if (under_way_++ == 0) napi_ref_threadsafe_function(env_, deliver_);
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void KvCommitThread::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::unique_ptr<KvCommitJob> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job->Run();
    KvCommitJob *done = job.release();
    if (napi_call_threadsafe_function(deliver_, done, napi_tsfn_nonblocking) != napi_ok) {
      done->Forget();
      delete done;
    }
    lock.lock();
  }
}

void KvCommitThread::Deliver(napi_env env, napi_value, void *context, void *data) {
  std::unique_ptr<KvCommitJob> job(static_cast<KvCommitJob *>(data));
  if (env == nullptr) {
    job->Forget();
    return;
  }
  auto *self = static_cast<KvCommitThread *>(context);
  if (--self->under_way_ == 0) napi_unref_threadsafe_function(env, self->deliver_);
  Napi::HandleScope scope(env);
  try {
    job->Settle(env);
  } catch (const Napi::Error &) {
    // The worker around us is being terminated: nobody is left to hear of it.
  }
}

void KvCommitThread::OnExit(void *data) {
  auto *self = static_cast<KvCommitThread *>(data);
  self->Join();
  self->exited_ = true;
}

void KvCommitThread::Join() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  // What never ran: its promises have nobody left to hear them.
  for (auto &job : queue_) job->Forget();
  queue_.clear();
}

}  // namespace seguro
