// Merging the layers: of those that know a key, the newest decides.
#include "journal_snapshot.h"

#include "journal_place.h"

namespace seguro {

static KvSlice SliceOf(const std::string &text) { return {reinterpret_cast<const uint8_t *>(text.data()), text.size()}; }

JournalSnapshot::JournalSnapshot(const std::unique_lock<std::mutex> &, const JournalViews &views, LmdbStore &base, JournalFiles &files)
    : reading_(files.BeginReading()),
      file_reader_(files),
      layer_count_(views.frozen.overlay == nullptr ? 1 : 2),
      layers_{Layer{views.active, JournalOverlayCursor(views.active)}, Layer{views.frozen, JournalOverlayCursor(views.frozen)}},
      base_(base) {}

bool JournalSnapshot::Covered(const KvSlice &key, size_t layers) const {
  for (size_t i = 0; i < layers; i++) {
    if (layers_[i].view.moment.cover->Find(key) != nullptr) return true;
  }
  return false;
}

bool JournalSnapshot::Get(const KvSlice &key, JournalFound *found) const {
  for (size_t i = 0; i < layer_count_; i++) {
    JournalOverlayCursor cursor(layers_[i].view);
    if (cursor.SeekFrom(key) && KvCompare(cursor.key(), key) == 0) {
      *found = {cursor.present() ? cursor.value() : KvSlice{}, false};
      return cursor.present();
    }
    if (layers_[i].view.moment.cover->Find(key) != nullptr) return false;
  }
  found->in_file = JournalIsFiled(key);
  return base_.Get(key, &found->bytes);
}

KvSlice JournalSnapshot::Load(const KvSlice &key, const JournalFound &found) {
  return found.in_file ? file_reader_.Read(key, JournalLoadPlace(key, found.bytes)) : found.bytes;
}

KvSlice JournalSnapshot::Show(const KvSlice &key, const JournalFound &found) {
  return found.in_file ? file_reader_.Show(key, JournalLoadPlace(key, found.bytes)) : found.bytes;
}

bool JournalSnapshot::SeekFrom(const KvSlice &key) { return Seek(key, true); }

bool JournalSnapshot::SeekBefore(const KvSlice &key) { return Seek(key, false); }

bool JournalSnapshot::Seek(const KvSlice &key, bool forward) {
  forward_ = forward;
  for (size_t i = 0; i < layer_count_; i++) {
    Layer &layer = layers_[i];
    layer.on_row = forward ? layer.cursor.SeekFrom(key) : layer.cursor.SeekBefore(key);
  }
  base_on_row_ = forward ? base_.SeekFrom(key) : base_.SeekBefore(key);
  LeaveCovered();
  return Settle();
}

void JournalSnapshot::LeaveCovered() {
  for (size_t i = 0; base_on_row_ && i < layer_count_;) {
    const JournalCover::Interval *interval = layers_[i].view.moment.cover->Find(base_.key());
    if (interval == nullptr) {
      i++;
      continue;
    }
    base_on_row_ = forward_ ? base_.SeekFrom(SliceOf(interval->to)) : base_.SeekBefore(SliceOf(interval->from));
    // The row behind it may lie in another layer's interval.
    i = 0;
  }
}

bool JournalSnapshot::Nearest(KvSlice *nearest) const {
  bool found = false;
  auto consider = [&](const KvSlice &key) {
    int order = found ? KvCompare(key, *nearest) : 0;
    if (!found || (forward_ ? order < 0 : order > 0)) *nearest = key;
    found = true;
  };
  for (size_t i = 0; i < layer_count_; i++) {
    if (layers_[i].on_row) consider(layers_[i].cursor.key());
  }
  if (base_on_row_) consider(base_.key());
  return found;
}

bool JournalSnapshot::Decide(const KvSlice &nearest) {
  key_ = nearest;
  for (size_t i = 0; i < layer_count_; i++) {
    const Layer &layer = layers_[i];
    if (layer.on_row && KvCompare(layer.cursor.key(), nearest) == 0) {
      if (Covered(nearest, i) || !layer.cursor.present()) return false;
      found_ = {layer.cursor.value(), false};
      return true;
    }
  }
  found_ = {base_.value(), JournalIsFiled(nearest)};
  return true;
}

void JournalSnapshot::Skip(const KvSlice &key) {
  for (size_t i = 0; i < layer_count_; i++) {
    Layer &layer = layers_[i];
    if (layer.on_row && KvCompare(layer.cursor.key(), key) == 0) layer.on_row = forward_ ? layer.cursor.Next() : layer.cursor.Previous();
  }
  if (base_on_row_ && KvCompare(base_.key(), key) == 0) {
    base_on_row_ = forward_ ? base_.Next() : base_.Previous();
    LeaveCovered();
  }
}

bool JournalSnapshot::Settle() {
  KvSlice nearest{};
  while (Nearest(&nearest)) {
    if (Decide(nearest)) return true;
    Skip(nearest);
  }
  return false;
}

bool JournalSnapshot::MoveOn() {
  Skip(key_);
  return Settle();
}

}  // namespace seguro
