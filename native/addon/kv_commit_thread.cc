// A store's commit queue, started with its environment and stopped before the JavaScript around it goes.
#include "kv_commit_thread.h"

#include <utility>

namespace seguro {

class KvCommitThread::Task : public KvCommitTask {
 public:
  Task(napi_threadsafe_function deliver, std::unique_ptr<KvCommitJob> job) : deliver_(deliver), job_(std::move(job)) {}

  void Run() override {
    job_->Run();
    KvCommitJob *done = job_.release();
    if (napi_call_threadsafe_function(deliver_, done, napi_tsfn_nonblocking) != napi_ok) {
      done->Forget();
      delete done;
    }
  }

  // Its promise has nobody left to hear it.
  void Drop() override { job_->Forget(); }

 private:
  napi_threadsafe_function deliver_;
  std::unique_ptr<KvCommitJob> job_;
};

KvCommitThread::KvCommitThread(Napi::Env env, std::shared_ptr<KvStore> store) : env_(env) {
  napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "seguro store commit"), 0, 1, nullptr,
                                                       nullptr, this, Deliver, &deliver_);
  if (status != napi_ok) throw Napi::Error::New(env, "no thread-safe function could be made");
  // An idle store does not keep the process alive.
  napi_unref_threadsafe_function(env, deliver_);
  // Hooks run in reverse order: this one, which joins the thread, before that of the thread-safe function that it calls.
  napi_add_env_cleanup_hook(env, OnExit, this);
  queue_ = std::make_shared<KvCommitQueue>(std::move(store));
}

KvCommitThread::~KvCommitThread() {
  // Where the environment went first, Node has freed the thread-safe function, and the thread is joined.
  if (exited_) return;
  napi_remove_env_cleanup_hook(env_, OnExit, this);
  queue_->Stop();
  napi_release_threadsafe_function(deliver_, napi_tsfn_abort);
}

void KvCommitThread::Submit(std::unique_ptr<KvCommitJob> job) {
  if (under_way_++ == 0) napi_ref_threadsafe_function(env_, deliver_);
  queue_->Submit(std::make_unique<Task>(deliver_, std::move(job)));
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
  self->queue_->Stop();
  self->exited_ = true;
}

}  // namespace seguro
