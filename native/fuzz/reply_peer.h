// The sidecar's end of a session whose answers a fuzzer's input dictates, in place of libseguro's stream transport: good greetings and
// frames, spoilt ones and raw bytes, handed over in pieces of any size. What the client says is checked, and remembered for the answers.
#pragma once

#include <sanitizer/asan_interface.h>

#include "reply_listener.h"

class Peer {
 public:
  explicit Peer(Input *input) : input_(input) {}

  /** The greatest event that the client has sent whole. */
  uint64_t Sent() const { return listener_.sent; }
  int64_t now_ms = 1000;

  /** False: nobody listens. */
  bool Connect() {
    if (input_->AtEnd() || input_->Byte() == 255) {
      return false;
    }
    chunk_bytes_ = input_->Byte();
    answers_.clear();
    listener_.Begin();
    greeted_ = 0;
    return true;
  }

  /** Time passes only here: as long as the input has answers, hardly any. */
  void Wait(int timeout_ms) { now_ms += input_->AtEnd() || timeout_ms < 1 ? timeout_ms : 1; }

  int64_t Send(const struct iovec *pieces, unsigned count) {
    size_t most = input_->Byte() % 8 == 7 ? input_->Byte() : SIZE_MAX;
    size_t moved = 0;
    for (unsigned i = 0; i < count; i++) {
      size_t bytes = std::min(most - moved, pieces[i].iov_len);
      listener_.Hear(static_cast<const uint8_t *>(pieces[i].iov_base), bytes);
      moved += bytes;
    }
    return static_cast<int64_t>(moved);
  }

  int64_t Receive(const struct iovec *pieces, unsigned count) {
    if (answers_.empty() && (input_->AtEnd() || !Answer())) {
      return SEGURO_TRANSPORT_CLOSED;
    }
    size_t left = chunk_bytes_ == 0 ? answers_.size() : std::min<size_t>(chunk_bytes_, answers_.size());
    size_t moved = 0;
    for (unsigned i = 0; i < count; i++) {
      auto into = static_cast<uint8_t *>(pieces[i].iov_base);
      size_t bytes = std::min(left, pieces[i].iov_len);
      ASAN_UNPOISON_MEMORY_REGION(into, pieces[i].iov_len);
      std::copy_n(answers_.begin() + static_cast<ptrdiff_t>(moved), bytes, into);
      if (i == count - 1) {
        // The last piece is the client's receive buffer, which is larger than what has come: nothing behind that may be read.
        ASAN_POISON_MEMORY_REGION(into + bytes, pieces[i].iov_len - bytes);
      }
      moved += bytes;
      left -= bytes;
    }
    answers_.erase(answers_.begin(), answers_.begin() + static_cast<ptrdiff_t>(moved));
    return static_cast<int64_t>(moved);
  }

 private:
  /** A small number, or one at an edge. */
  uint64_t Number() {
    static const uint64_t edges[] = {SEGURO_EVENT_ID_MAX, SEGURO_EVENT_ID_MAX + 1, UINT64_MAX, UINT32_MAX, UINT64_MAX - 7};
    uint8_t byte = input_->Byte();
    return byte < 250 ? byte % 16 : edges[byte % 5];
  }

  Bytes Numbers(unsigned count) {
    Bytes body;
    for (unsigned i = 0; i < count; i++) {
      Add64(&body, Number());
    }
    return body;
  }

  static void Add64(Bytes *body, uint64_t value) {
    body->resize(body->size() + 8);
    seguro_store_u64(body->data() + body->size() - 8, value);
  }

  static void Add32(Bytes *body, uint64_t low, uint64_t high) { Add64(body, low | high << 32); }

  size_t AddSlice(Bytes *body, size_t most) {
    size_t bytes;
    const uint8_t *at = input_->Slice(input_->Byte() % (most + 1), &bytes);
    body->insert(body->end(), at, at + bytes);
    return bytes;
  }

  void Say(const char *text) { answers_.insert(answers_.end(), text, text + std::strlen(text) + 1); }

  /** Now and then with a byte of the body changed, with another length than it has, or with padding that is not zero. */
  void SayFrame(uint8_t type, uint32_t request, Bytes body) {
    uint8_t fault = input_->Byte();
    if (fault % 16 == 15 && !body.empty()) {
      body[input_->Byte() % body.size()] ^= input_->Byte();
    }
    uint8_t head[SEGURO_FRAME_HEADER_BYTES];
    uint32_t body_bytes = static_cast<uint32_t>(body.size()) + (fault % 16 == 14 ? input_->Byte() : 0);
    seguro_frame_store(head, {body_bytes, type, static_cast<uint8_t>(fault % 16 == 13 ? 1 : 0), request});
    body.resize(seguro_align8(body.size()), fault == 12 ? 1 : 0);
    answers_.insert(answers_.end(), head, head + sizeof head);
    answers_.insert(answers_.end(), body.begin(), body.end());
  }

  void SayGreeting() {
    static const char *const texts[] = {"SEGURO 0 1", "IDENTIFY 1", "WELCOME ~zod 12"};
    if (greeted_ < 3) {
      Say(texts[greeted_++]);
    } else {
      SayOpened();
    }
  }

  void SayOpened() {
    uint64_t height = Number(), base = height == 0 ? 0 : 1, digest_id = input_->Byte() % 4 == 3 ? height : 0;
    Bytes body;
    Add32(&body, 1, (input_->Byte() % 4 == 3 ? 1 : 0) | 1 << 8);
    Add64(&body, base);
    Add64(&body, height);
    Add64(&body, digest_id);
    body.resize(64);
    for (uint64_t value : {UINT64_C(1), UINT64_C(1000), UINT64_C(4000), UINT64_C(1) << 20, UINT64_C(0)}) {
      Add64(&body, value);
    }
    Add64(&body, input_->Byte() % 16 == 15 ? Number() : 0);
    SayFrame(SEGURO_FRAME_OPENED, 0, body);
  }

  void SayRecords() {
    Bytes body;
    uint64_t id = Number();
    for (unsigned count = input_->Byte() % 4 + 1; count > 0; count--, id++) {
      Bytes payload;
      AddSlice(&payload, 40);
      size_t at = body.size();
      body.resize(at + SEGURO_RECORD_HEADER_BYTES);
      seguro_record_header_write(body.data() + at, id, payload.data(), payload.size());
      body.insert(body.end(), payload.begin(), payload.end());
      body.resize(seguro_align8(body.size()));
    }
    if (input_->Byte() % 8 == 7) {
      body.resize(body.size() - 8);  // what is left of the last record may come with the next frame, or never
    }
    SayFrame(SEGURO_FRAME_RECORDS, listener_.read, body);
  }

  void SayError() {
    Bytes texts;
    size_t name = AddSlice(&texts, 60), text = AddSlice(&texts, 60), hint = AddSlice(&texts, 60);
    Bytes body;
    Add32(&body, input_->Byte(), input_->Byte() % 4);
    Add64(&body, Number());
    Add64(&body, name | text << 16 | hint << 32);
    body.insert(body.end(), texts.begin(), texts.end());
    SayFrame(SEGURO_FRAME_ERROR, input_->Byte() % 2 == 0 ? listener_.asked : listener_.read, body);
  }

  /** The kind of answer that the client waits for. */
  void SayAnswer() {
    Bytes body, data;
    size_t key, value;
    switch (listener_.asked_type) {
      case SEGURO_FRAME_META_GET:
        value = AddSlice(&data, 60);
        Add32(&body, 1, value);
        break;
      case SEGURO_FRAME_META_LIST:
        key = AddSlice(&data, 20);
        value = AddSlice(&data, 60);
        Add32(&body, key, value);
        break;
      case SEGURO_FRAME_EPOCH_LIST:
        value = AddSlice(&data, 20);
        body = Numbers(2);
        Add32(&body, 7, value);
        break;
      case SEGURO_FRAME_FILE_GET:
        value = AddSlice(&data, 200);
        Add64(&body, value + Number());
        Add64(&body, value);
        break;
      case SEGURO_FRAME_DIGEST:
      case SEGURO_FRAME_PING:
        body = listener_.asked_body;
        body.resize(listener_.asked_type == SEGURO_FRAME_PING ? 8 : 40);
        break;
      default:
        break;
    }
    body.insert(body.end(), data.begin(), data.end());
    static const uint8_t types[] = {SEGURO_FRAME_META_IS, SEGURO_FRAME_OK,  SEGURO_FRAME_META_LISTED, SEGURO_FRAME_OK,
                                    SEGURO_FRAME_EPOCHS,  SEGURO_FRAME_OK,  SEGURO_FRAME_FILE_IS,     SEGURO_FRAME_DIGEST_IS,
                                    SEGURO_FRAME_OK,      SEGURO_FRAME_PONG};
    uint8_t type = listener_.asked_type >= SEGURO_FRAME_META_GET && listener_.asked_type <= SEGURO_FRAME_PING
                       ? types[listener_.asked_type - SEGURO_FRAME_META_GET]
                       : static_cast<uint8_t>(SEGURO_FRAME_OK);
    SayFrame(type, listener_.asked, body);
  }

  /** One turn of the input. False: the connection ends. */
  bool Answer() {
    Bytes body;
    switch (input_->Byte() % 12) {
      case 0:
        AddSlice(&answers_, 255);
        return true;
      case 1:
        SayGreeting();
        return true;
      case 2:
        while (greeted_ < 3) {
          SayGreeting();
        }
        SayOpened();
        return true;
      case 3:
        body = Numbers(2);
        body.resize(48);
        SayFrame(SEGURO_FRAME_HEIGHT, 0, body);
        return true;
      case 4:
        SayRecords();
        return true;
      case 5:
        SayFrame(SEGURO_FRAME_SENT, listener_.read, Numbers(3));
        return true;
      case 6:
        SayError();
        return true;
      case 7: {
        uint8_t type = input_->Byte();
        AddSlice(&body, 255);
        SayFrame(type, input_->Byte() % 4, body);
        return true;
      }
      case 8:
        SayFrame(SEGURO_FRAME_LIVE, listener_.read, Numbers(1));
        return true;
      case 9:
        return input_->Byte() % 4 != 0;
      default:
        SayAnswer();
        return true;
    }
  }

  Input *input_;
  Bytes answers_;
  Listener listener_;
  uint8_t chunk_bytes_ = 0;
  unsigned greeted_ = 0;
};
