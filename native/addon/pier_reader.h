// PierReader: one log folder's data.mdb, read in runs of records off the main thread. Used through src/pier/read.ts.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <optional>

#include "pier_events.h"

namespace seguro {

class PierReader : public Napi::ObjectWrap<PierReader> {
 public:
  static void Define(Napi::Env env, Napi::Object exports);
  explicit PierReader(const Napi::CallbackInfo &info);

 private:
  // Held by every work under way, so that closing or collecting the reader never pulls the file from under one.
  struct State {
    std::shared_ptr<const pier::File> file;
    std::mutex one_at_a_time;
    std::optional<pier::LargeEvent> large;
    // Of the transaction read last: a pier at rest has its list read once.
    std::optional<uint64_t> free_transaction;
    pier::FreePages free_pages;
  };

  Napi::Value Measure(const Napi::CallbackInfo &info);
  Napi::Value Walk(const Napi::CallbackInfo &info);
  Napi::Value ReadMeta(const Napi::CallbackInfo &info);
  Napi::Value NextRun(const Napi::CallbackInfo &info);
  void Close(const Napi::CallbackInfo &info);
  template <typename Read>
  static auto WithSnapshot(State &state, Read read);
  std::shared_ptr<State> Use(Napi::Env env) const;

  std::shared_ptr<State> state_;
};

}  // namespace seguro
