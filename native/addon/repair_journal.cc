// The JavaScript face of a damaged commit log; typed and explained in src/store/journal-damage.ts. Both calls block: a person waits for nothing else.
#include <napi.h>

#include <utility>
#include <vector>

#include "addon.h"
#include "journal/disk.h"
#include "journal_repair.h"
#include "kv_failure.h"

namespace seguro {

static KvOptions OptionsOf(const Napi::Object &given) {
  KvOptions options;
  options.dir = given.Get("dir").As<Napi::String>().Utf8Value();
  options.holder = given.Get("holder").As<Napi::String>().Utf8Value();
  options.map_bytes = static_cast<uint64_t>(given.Get("mapBytes").As<Napi::Number>().Int64Value());
  options.segment_bytes = static_cast<uint64_t>(given.Get("segmentBytes").As<Napi::Number>().Int64Value());
  options.create = false;
  return options;
}

static std::vector<uint8_t> BytesOf(const Napi::Value &value) {
  auto bytes = value.As<Napi::Uint8Array>();
  return std::vector<uint8_t>(bytes.Data(), bytes.Data() + bytes.ByteLength());
}

static Napi::Object ReportObject(Napi::Env env, const journal::DamageReport &report) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("file", report.file);
  object.Set("offset", static_cast<double>(report.offset_bytes));
  object.Set("what", report.what);
  object.Set("firstLost", Napi::BigInt::New(env, report.first_lost));
  object.Set("lastLost", Napi::BigInt::New(env, report.last_lost));
  return object;
}

static Napi::Value Throw(Napi::Env env, const KvFailure &failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("code", failure.code());
  throw error;
}

static Napi::Value Inspect(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  try {
    std::optional<JournalDamage> damage = JournalInspect(OptionsOf(info[0].As<Napi::Object>()), journal::RealDisk());
    if (!damage) return env.Null();
    Napi::Array reports = Napi::Array::New(env);
    for (const journal::DamageReport &report : damage->reports) reports.Set(reports.Length(), ReportObject(env, report));
    Napi::Array puts = Napi::Array::New(env);
    for (const JournalLostPut &put : damage->lost_puts) {
      Napi::Object row = Napi::Object::New(env);
      row.Set("key", Napi::Buffer<uint8_t>::Copy(env, put.key.data(), put.key.size()));
      row.Set("head", Napi::Buffer<uint8_t>::Copy(env, put.head.data(), put.head.size()));
      puts.Set(puts.Length(), row);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("places", reports);
    object.Set("lastKept", Napi::BigInt::New(env, damage->last_kept));
    object.Set("wholeLostRecords", static_cast<double>(damage->whole_lost_records));
    object.Set("lostRows", puts);
    return object;
  } catch (const KvFailure &failure) {
    return Throw(env, failure);
  }
}

static Napi::Value Cut(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  bool lossless = false;
  uint64_t last_kept = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
  JournalRows rows;
  auto given = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < given.Length(); i++) {
    auto row = given.Get(i).As<Napi::Object>();
    rows.emplace_back(BytesOf(row.Get("key")), BytesOf(row.Get("value")));
  }
  try {
    journal::CutReport report = JournalCut(OptionsOf(info[0].As<Napi::Object>()), journal::RealDisk(), last_kept, rows);
    Napi::Object object = Napi::Object::New(env);
    object.Set("aside", report.aside);
    object.Set("asideFiles", static_cast<double>(report.aside_files));
    return object;
  } catch (const KvFailure &failure) {
    return Throw(env, failure);
  }
}

void InitRepairJournal(Napi::Env env, Napi::Object exports) {
  exports.Set("inspectJournal", Napi::Function::New(env, Inspect, "inspectJournal"));
  exports.Set("cutJournal", Napi::Function::New(env, Cut, "cutJournal"));
}

}  // namespace seguro
