// The reader's methods: each takes a fresh snapshot, and takes another when a live writer was faster.
#include "pier_reader.h"

#include <utility>

#include "addon.h"
#include "pier_work.h"

namespace seguro {

using pier::Events;
using pier::Snapshot;

// A ship commits at most every fraction of a millisecond, a run of events takes less: a second attempt is rare, so many mean trouble.
constexpr int kAttempts = 1000;
constexpr size_t kMetaValueBytesMax = size_t{16} << 20;

// `read` gives an optional: nothing when its snapshot went stale.
template <typename Read>
auto PierReader::WithSnapshot(State &state, Read read) {
  std::lock_guard guard(state.one_at_a_time);
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    Snapshot snapshot(state.file);
    try {
      if (state.free_transaction != snapshot.meta().transaction) {
        state.free_transaction.reset();
        state.free_pages = ReadFreePages(snapshot);
        if (!snapshot.Intact()) {
          continue;
        }
        state.free_transaction = snapshot.meta().transaction;
      }
      auto result = read(snapshot, attempt);
      if (result) {
        return *result;
      }
    } catch (const PierFault &) {
      if (snapshot.Intact()) {
        throw;
      }
    }
  }
  throw PierFault("pier-busy", state.file->path() + " changes too fast to be read", "try again when the ship is quieter");
}

void PierReader::Define(Napi::Env env, Napi::Object exports) {
  exports.Set("PierReader", DefineClass(env, "PierReader",
                                        {InstanceMethod("measure", &PierReader::Measure), InstanceMethod("walk", &PierReader::Walk),
                                         InstanceMethod("readMeta", &PierReader::ReadMeta), InstanceMethod("nextRun", &PierReader::NextRun),
                                         InstanceMethod("close", &PierReader::Close)}));
}

PierReader::PierReader(const Napi::CallbackInfo &info) : ObjectWrap(info), state_(std::make_shared<State>()) {
  try {
    state_->file = std::make_shared<const pier::File>(info[0].As<Napi::String>().Utf8Value());
  } catch (const PierFault &fault) {
    throw Napi::Error(info.Env(), FaultError(info.Env(), fault));
  }
}

std::shared_ptr<PierReader::State> PierReader::Use(Napi::Env env) const {
  if (!state_) {
    throw Napi::Error(env, FaultError(env, PierFault("pier-closed", "this reader is closed")));
  }
  return state_;
}

void PierReader::Close(const Napi::CallbackInfo &) { state_.reset(); }

static void SetSpan(Napi::Env env, Napi::Object object, const pier::Span &span) {
  object.Set("firstId", Napi::BigInt::New(env, span.first_id));
  object.Set("lastId", Napi::BigInt::New(env, span.last_id));
  object.Set("count", Napi::BigInt::New(env, span.count));
}

Napi::Value PierReader::Measure(const Napi::CallbackInfo &info) {
  struct Answer {
    pier::Span span;
    uint64_t transaction = 0;
    uint64_t file_bytes = 0;
  };
  auto state = Use(info.Env());
  auto answer = std::make_shared<Answer>();
  return PierWork::Start(
      info.Env(), Napi::Value(),
      [state, answer] {
        *answer = WithSnapshot(*state, [&](const Snapshot &snapshot, int) {
          Answer found = {Events(snapshot, state->free_pages).Measure(), snapshot.meta().transaction, state->file->LengthBytes()};
          return snapshot.Intact() ? std::optional(found) : std::nullopt;
        });
      },
      [answer](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        SetSpan(env, out, answer->span);
        out.Set("transaction", Napi::BigInt::New(env, answer->transaction));
        out.Set("fileBytes", Napi::Number::New(env, static_cast<double>(answer->file_bytes)));
        return out;
      });
}

Napi::Value PierReader::Walk(const Napi::CallbackInfo &info) {
  auto state = Use(info.Env());
  auto answer = std::make_shared<pier::Survey>();
  return PierWork::Start(
      info.Env(), Napi::Value(),
      [state, answer] {
        WithSnapshot(*state, [&](const Snapshot &snapshot, int) {
          return Events(snapshot, state->free_pages).Walk(*answer) ? std::optional(true) : std::nullopt;
        });
      },
      [answer](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        SetSpan(env, out, answer->span);
        out.Set("payloadBytes", Napi::BigInt::New(env, answer->payload_bytes));
        out.Set("largestBytes", Napi::Number::New(env, static_cast<double>(answer->largest_bytes)));
        out.Set("shortEvents", Napi::BigInt::New(env, answer->short_events));
        out.Set("firstShortId", Napi::BigInt::New(env, answer->first_short_id));
        return out;
      });
}

using MetaEntries = std::vector<std::pair<std::vector<uint8_t>, std::vector<uint8_t>>>;

static MetaEntries ReadMetaTable(const Snapshot &snapshot, const pier::FreePages &free_pages) {
  MetaEntries entries;
  pier::NamedTree table = FindTable(snapshot, "META", 0, &free_pages);
  pier::TreeCursor cursor(snapshot, table.tree, "META", &free_pages);
  for (bool on = table.found && cursor.First(); on; on = cursor.Next()) {
    const pier::Node &node = cursor.node();
    std::vector<uint8_t> key(node.key, node.key + node.key_bytes);
    if (!entries.empty() && key <= entries.back().first) {
      throw snapshot.Damaged(cursor.leaf_page(), "(table META) is out of order");
    }
    entries.emplace_back(std::move(key), ReadSmallValue(snapshot, node, "a value of META", kMetaValueBytesMax));
  }
  CheckCount(snapshot, entries.size(), table.tree, "META");
  return entries;
}

Napi::Value PierReader::ReadMeta(const Napi::CallbackInfo &info) {
  auto state = Use(info.Env());
  auto answer = std::make_shared<MetaEntries>();
  return PierWork::Start(
      info.Env(), Napi::Value(),
      [state, answer] {
        *answer = WithSnapshot(*state, [&](const Snapshot &snapshot, int) {
          MetaEntries entries = ReadMetaTable(snapshot, state->free_pages);
          return snapshot.Intact() ? std::optional(std::move(entries)) : std::nullopt;
        });
      },
      [answer](Napi::Env env) -> Napi::Value {
        Napi::Array out = Napi::Array::New(env, answer->size());
        for (size_t i = 0; i < answer->size(); i++) {
          const auto &[key, value] = (*answer)[i];
          Napi::Array pair = Napi::Array::New(env, 2);
          pair.Set(uint32_t{0}, Napi::Buffer<uint8_t>::Copy(env, key.data(), key.size()));
          pair.Set(uint32_t{1}, Napi::Buffer<uint8_t>::Copy(env, value.data(), value.size()));
          out.Set(static_cast<uint32_t>(i), pair);
        }
        return out;
      });
}

// nextRun(fromId, offsetBytes, into, acceptZeroPages): what was packed into `into`, or null at the log's end.
Napi::Value PierReader::NextRun(const Napi::CallbackInfo &info) {
  auto state = Use(info.Env());
  bool lossless = false;
  auto into = info[2].As<Napi::Uint8Array>();
  Events::Request request;
  request.from_id = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
  request.offset_bytes = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
  request.to = into.Data();
  request.room_bytes = into.ByteLength();
  request.accept_zero_pages = info[3].As<Napi::Boolean>().Value();
  request.in_pieces = false;
  auto answer = std::make_shared<std::optional<pier::Run>>();
  return PierWork::Start(
      info.Env(), into,
      [state, answer, request]() mutable {
        pier::Run run = WithSnapshot(*state, [&](const Snapshot &snapshot, int attempt) {
          Events events(snapshot, state->free_pages);
          if (request.from_id > events.LastId()) {
            return snapshot.Intact() ? std::optional(pier::Run()) : std::nullopt;
          }
          // An event that could not be copied within one snapshot is copied piece by piece.
          request.in_pieces = attempt > 0 && request.room_bytes >= size_t{64};
          return events.Pack(request, state->large);
        });
        if (run.count > 0) {
          *answer = run;
        }
      },
      [answer](Napi::Env env) -> Napi::Value {
        if (!*answer) {
          return env.Null();
        }
        const pier::Run &run = **answer;
        Napi::Object out = Napi::Object::New(env);
        SetSpan(env, out, {run.first_id, run.last_id, run.count});
        out.Set("lengthBytes", Napi::Number::New(env, static_cast<double>(run.bytes)));
        out.Set("offsetBytes", Napi::Number::New(env, static_cast<double>(run.offset_bytes)));
        out.Set("totalBytes", Napi::Number::New(env, static_cast<double>(run.total_bytes)));
        out.Set("shortEvents", Napi::Number::New(env, static_cast<double>(run.short_events)));
        return out;
      });
}

void InitPierReader(Napi::Env env, Napi::Object exports) { PierReader::Define(env, exports); }

}  // namespace seguro
