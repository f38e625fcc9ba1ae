// PierTableWriter: one new data.mdb, written off the main thread. Used through src/pier/write.ts.
#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

#include "pier_table.h"

namespace seguro {

class PierTableWriter : public Napi::ObjectWrap<PierTableWriter> {
 public:
  static void Define(Napi::Env env, Napi::Object exports);
  explicit PierTableWriter(const Napi::CallbackInfo &info);

 private:
  struct State {
    std::mutex one_at_a_time;
    std::unique_ptr<pier::TableWriter> table;  // null once it is finished or has failed
  };

  Napi::Value Append(const Napi::CallbackInfo &info);
  Napi::Value Finish(const Napi::CallbackInfo &info);
  Napi::Value Abort(const Napi::CallbackInfo &info);
  template <typename Work>
  Napi::Value Run(const Napi::CallbackInfo &info, Napi::Value keep, Work work);

  std::shared_ptr<State> state_;
};

}  // namespace seguro
