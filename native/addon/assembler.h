// The assembler as JavaScript sees it: one object a session, its figures in memory that both sides read without a call.
#pragma once

#include <napi.h>

#include "core_assembler.h"

namespace seguro {

/**
 * JavaScript's `Assembler`, wrapped by src/native/assembler.ts. After every call the figures below are in the array that came with the
 * constructor (a BigUint64Array of kStateSlots).
 */
class Assembler : public Napi::ObjectWrap<Assembler> {
 public:
  /** Slots of the state array; src/native/assembler.ts has the same numbers. */
  enum Slot {
    kKind,
    kSize,
    kFirstId,
    kLastId,
    kCount,
    kIndex,
    kRecordBytes,
    kLast,
    kBoundary,
    kFailedId,
    kHeld,
    kDoneBytes,
    kDoneCount,
    kStateSlots
  };

  static Napi::Function Define(Napi::Env env);
  explicit Assembler(const Napi::CallbackInfo &info);

 private:
  void Expect(const Napi::CallbackInfo &info);
  Napi::Value Push(const Napi::CallbackInfo &info);
  Napi::Value BeginEvent(const Napi::CallbackInfo &info);
  Napi::Value PushPayload(const Napi::CallbackInfo &info);
  void TakeInto(const Napi::CallbackInfo &info);
  Napi::Value TakeOwned(const Napi::CallbackInfo &info);
  Napi::Value Report(Napi::Env env, AssemblerStatus status);
  void Publish();

  AssemblerCore core_;
  uint64_t *state_ = nullptr;
  Napi::ObjectReference state_array_;
};

}  // namespace seguro
