// Reads a group of commits out of JavaScript's flat list, applies it, and settles the promise.
#include "kv_commit_job.h"

#include <new>
#include <stdexcept>
#include <utility>

#include "kv_failure.h"

namespace seguro {
namespace {

/// Walks the flat list: per member the number of checks and of writes; per check key and value or null; per write its kind, then key and
/// number of pieces and the pieces, or key, or from and to.
class OperationReader {
 public:
  OperationReader(Napi::Env env, Napi::Array list) : env_(env), list_(list), length_(list.Length()) {}

  bool AtEnd() const { return at_ == length_; }

  uint32_t Count() {
    uint32_t value = 0;
    if (napi_get_value_uint32(env_, Next(), &value) != napi_ok)
      throw Napi::TypeError::New(env_, "a number was expected in the list of operations");
    return value;
  }

  KvSlice Bytes() { return SliceOf(Next()); }

  bool BytesOrNull(KvSlice *slice) {
    napi_value value = Next();
    napi_valuetype type = napi_undefined;
    napi_typeof(env_, value, &type);
    if (type == napi_null) return false;
    *slice = SliceOf(value);
    return true;
  }

 private:
  napi_value Next() {
    napi_value value = nullptr;
    if (at_ >= length_ || napi_get_element(env_, list_, at_++, &value) != napi_ok) {
      throw Napi::TypeError::New(env_, "the list of operations ends early");
    }
    return value;
  }

  KvSlice SliceOf(napi_value value) {
    napi_typedarray_type type;
    size_t size = 0;
    void *data = nullptr;
    if (napi_get_typedarray_info(env_, value, &type, &size, &data, nullptr, nullptr) != napi_ok || type != napi_uint8_array) {
      throw Napi::TypeError::New(env_, "a Uint8Array was expected in the list of operations");
    }
    return KvSlice{static_cast<const uint8_t *>(data), size};
  }

  Napi::Env env_;
  Napi::Array list_;
  uint32_t length_;
  uint32_t at_ = 0;
};

KvWrite ReadWrite(Napi::Env env, OperationReader &reader) {
  KvWrite write{};
  uint32_t kind = reader.Count();
  if (kind > KvWrite::kDeleteRange) throw Napi::TypeError::New(env, "an unknown kind of write");
  write.kind = static_cast<KvWrite::Kind>(kind);
  write.key = reader.Bytes();
  if (write.kind == KvWrite::kDeleteRange) write.to = reader.Bytes();
  if (write.kind == KvWrite::kPut) {
    uint32_t pieces = reader.Count();
    for (uint32_t i = 0; i < pieces; i++) write.pieces.push_back(reader.Bytes());
  }
  return write;
}

KvGroup ReadGroup(Napi::Env env, Napi::Array operations) {
  OperationReader reader(env, operations);
  KvGroup group;
  while (!reader.AtEnd()) {
    KvMember &member = group.emplace_back();
    uint32_t checks = reader.Count();
    uint32_t writes = reader.Count();
    for (uint32_t i = 0; i < checks; i++) {
      KvCheck check{};
      check.key = reader.Bytes();
      check.present = reader.BytesOrNull(&check.value);
      member.checks.push_back(check);
    }
    for (uint32_t i = 0; i < writes; i++) member.writes.push_back(ReadWrite(env, reader));
  }
  return group;
}

}  // namespace

void KvReject(Napi::Env env, const Napi::Promise::Deferred &deferred, const std::string &code, const std::string &message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", code);
  deferred.Reject(error.Value());
}

KvCommitJob::KvCommitJob(Napi::Env env, std::shared_ptr<KvStore> store, Napi::Array operations)
    : store_(std::move(store)), deferred_(env), operations_(Napi::Persistent(operations)), group_(ReadGroup(env, operations)) {}

void KvCommitJob::Run() {
  try {
    outcomes_ = store_->Commit(group_);
  } catch (const KvFailure &failure) {
    code_ = failure.code();
    message_ = failure.what();
  } catch (const std::length_error &error) {
    not_allowed_ = true;
    message_ = error.what();
  } catch (const std::bad_alloc &) {
    code_ = "store-failed";
    message_ = "there is not enough memory for a commit";
  }
}

void KvCommitJob::Settle(Napi::Env env) {
  if (not_allowed_) {
    deferred_.Reject(Napi::RangeError::New(env, message_).Value());
    return;
  }
  if (!code_.empty()) {
    KvReject(env, deferred_, code_, message_);
    return;
  }
  deferred_.Resolve(Napi::Buffer<uint8_t>::Copy(env, outcomes_.data(), outcomes_.size()));
}

}  // namespace seguro
