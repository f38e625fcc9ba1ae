// Fuzzes the assembler: the input is a program of pushes, begun events, takes and raw bytes. Whatever it does, what comes out must be the
// completed prefix of what went in, in checked runs and whole events.
#include <map>
#include <vector>

#include "core_assembler.h"
#include "core_records.h"
#include "input.h"

namespace {

using seguro::AssembledInfo;
using seguro::AssemblerCore;
using seguro::AssemblerStatus;

class Session {
 public:
  explicit Session(Input input) : input_(input), options_(Options(&input_)), core_(options_) {}

  void Run() {
    while (!input_.AtEnd() && core_.status() == AssemblerStatus::kOk) {
      Step(input_.Byte());
    }
    if (core_.status() == AssemblerStatus::kOk && event_left_ > 0) {
      sent_.resize(event_at_);  // an event that never ended counts for nothing
    }
    while (Take(true)) {
    }
    FUZZ_CHECK(received_.size() == core_.completed_bytes());
    FUZZ_CHECK(received_.size() <= sent_.size());
    FUZZ_CHECK(std::equal(received_.begin(), received_.end(), sent_.begin()));
    FUZZ_CHECK(records_ == core_.completed_count());
    if (core_.at_boundary() || core_.status() != AssemblerStatus::kOk) {
      FUZZ_CHECK(core_.held_bytes() == 0);
    }
    FUZZ_CHECK(core_.status() != AssemblerStatus::kOk || !core_.at_boundary() || received_.size() == sent_.size());
  }

 private:
  static seguro::AssemblerOptions Options(Input *input) {
    seguro::AssemblerOptions options;
    options.run_bytes = 1u + input->Byte() * 16u;
    options.piece_bytes = 32u + (input->Byte() & 31u) * 8u;
    options.event_bytes_max = input->Short();
    return options;
  }

  void Step(uint8_t op) {
    switch (op % 8) {
      case 0:
      case 1:
        return PushRecord(op);
      case 2:
        Take(false);
        return;
      case 3:
        Take(true);
        return;
      case 4:
        return PushRaw();
      case 5:
        return BeginEvent();
      case 6:
        return PushPayload();
      default:
        if (core_.at_boundary()) {
          id_ = expected_ = input_.Short();
          core_.Expect(id_);
        }
    }
  }

  /** A good record, cut in two; its id goes on, or falls back, or leaves a gap. */
  void PushRecord(uint8_t op) {
    uint64_t id = NextId(op >> 3);
    size_t length;
    const uint8_t *payload = input_.Slice(input_.Short() % 700, &length);
    std::vector<uint8_t> record(seguro_record_bytes(length));
    std::copy(payload, payload + length, record.begin() + SEGURO_RECORD_HEADER_BYTES);
    seguro_record_header_write(record.data(), id, record.data() + SEGURO_RECORD_HEADER_BYTES, length);
    bool fits = core_.at_boundary() && length <= options_.event_bytes_max && id > 0 && (expected_ == 0 || id <= expected_);
    size_t cut = input_.Short() % record.size();
    PushStream(record.data(), cut);
    if (core_.status() == AssemblerStatus::kOk) {
      PushStream(record.data() + cut, record.size() - cut);
    }
    if (event_left_ == 0 && fits) {
      FUZZ_CHECK(core_.status() == AssemblerStatus::kOk && core_.at_boundary());
      expected_ = id + 1;
    }
    id_ = id + 1;
  }

  uint64_t NextId(unsigned how) {
    switch (how % 8) {
      case 0:
        return id_ > 3 ? id_ - 3 : 1;
      case 1:
        return id_ + 1;
      default:
        return id_ == 0 ? 1 : id_;
    }
  }

  void PushRaw() {
    size_t size;
    const uint8_t *bytes = input_.Slice(input_.Byte(), &size);
    PushStream(bytes, size);
    expected_ = 1;  // from here on we do not know; only id 1 is certainly no gap
  }

  void PushStream(const uint8_t *bytes, size_t size) {
    if (event_left_ > 0) {
      FUZZ_CHECK(size == 0 || core_.Push(bytes, size) == AssemblerStatus::kBadRecord);
      if (size > 0) {
        sent_.resize(event_at_);
      }
      return;
    }
    sent_.insert(sent_.end(), bytes, bytes + size);
    core_.Push(bytes, size);
  }

  void BeginEvent() {
    bool boundary = core_.at_boundary();
    uint64_t id = NextId(2);
    uint64_t length = input_.Short() % 2000;
    size_t sent_before = sent_.size();
    if (core_.BeginEvent(id, length) != AssemblerStatus::kOk) {
      return;
    }
    FUZZ_CHECK(boundary);
    event_at_ = sent_before;
    event_id_ = id;
    event_left_ = event_length_ = length;
    sent_.resize(event_at_ + SEGURO_RECORD_HEADER_BYTES);
    EndEvent();
  }

  void PushPayload() {
    size_t size;
    const uint8_t *bytes = input_.Slice(input_.Short(), &size);
    bool fits = size <= event_left_;
    AssemblerStatus status = core_.PushPayload(bytes, size);
    FUZZ_CHECK((status == AssemblerStatus::kOk) == (fits || size == 0));
    if (status != AssemblerStatus::kOk) {
      if (event_left_ > 0) {
        sent_.resize(event_at_);
      }
      return;
    }
    if (size > 0) {
      sent_.insert(sent_.end(), bytes, bytes + size);
      event_left_ -= size;
      EndEvent();
    }
  }

  void EndEvent() {
    if (event_left_ == 0) {
      uint8_t *record = sent_.data() + event_at_;
      seguro_record_header_write(record, event_id_, record + SEGURO_RECORD_HEADER_BYTES, event_length_);
      sent_.resize(event_at_ + seguro_record_bytes(event_length_));
      FUZZ_CHECK(core_.at_boundary());
      id_ = expected_ = event_id_ + 1;
    }
  }

  bool Take(bool owned) {
    AssembledInfo info = core_.Next();
    if (info.kind == AssembledInfo::kNone) {
      return false;
    }
    std::vector<uint8_t> bytes(info.size_bytes);
    if (owned) {
      seguro::ByteBuffer buffer = core_.TakeOwned();
      FUZZ_CHECK(buffer.size() == bytes.size());
      std::copy(buffer.data(), buffer.data() + buffer.size(), bytes.begin());
    } else {
      core_.TakeInto(bytes.data());
    }
    if (info.kind == AssembledInfo::kRun) {
      FUZZ_CHECK(pieces_.empty());
      seguro::RecordsChecked checked = seguro::CheckRecords(bytes.data(), bytes.size(), info.first_id, UINT64_MAX);
      FUZZ_CHECK(checked.error == nullptr && checked.count == info.count && info.last_id == info.first_id + info.count - 1);
      Receive(bytes, info.count);
    } else {
      TakePiece(info, std::move(bytes));
    }
    return true;
  }

  void TakePiece(const AssembledInfo &info, std::vector<uint8_t> bytes) {
    FUZZ_CHECK(pieces_.count(info.index) == 0);
    pieces_[info.index] = std::move(bytes);
    if (!info.last) {
      return;
    }
    std::vector<uint8_t> record;
    uint64_t index = 0;
    for (const auto &[at, piece] : pieces_) {
      FUZZ_CHECK(at == index++);
      FUZZ_CHECK(index == pieces_.size() || piece.size() == options_.piece_bytes);
      record.insert(record.end(), piece.begin(), piece.end());
    }
    pieces_.clear();
    uint64_t record_bytes = 0;
    FUZZ_CHECK(seguro::CheckRecord(record.data(), record.size(), info.first_id, &record_bytes) == nullptr);
    FUZZ_CHECK(record_bytes == record.size() && record_bytes == info.record_bytes);
    Receive(record, 1);
  }

  void Receive(const std::vector<uint8_t> &bytes, uint64_t records) {
    received_.insert(received_.end(), bytes.begin(), bytes.end());
    records_ += records;
  }

  Input input_;
  seguro::AssemblerOptions options_;
  AssemblerCore core_;
  std::vector<uint8_t> sent_;  // as a record stream; a begun event with the header it must get
  std::vector<uint8_t> received_;
  std::map<uint64_t, std::vector<uint8_t>> pieces_;
  uint64_t records_ = 0;
  uint64_t id_ = 0;
  uint64_t expected_ = 0;
  size_t event_at_ = 0;
  uint64_t event_id_ = 0;
  uint64_t event_length_ = 0;
  uint64_t event_left_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Session(Input(data, size)).Run();
  return 0;
}
