// A lane's way back to its session, which may be gone: acknowledgements, and looking for what the client answers to them.
#pragma once

#include <memory>
#include <vector>

#include "ring_mailbox.h"
#include "ring_session.h"

namespace seguro {

/** Gives the lane what it takes, from the beginning on; says where it stopped. For whoever has the session's intake. */
std::vector<RingItem>::iterator GiveToLane(Lane *lane, std::vector<RingItem> *items);

class RingLaneOwner : public LaneOwner {
 public:
  RingLaneOwner(std::weak_ptr<RingSession> session, std::shared_ptr<RingMailbox> mailbox)
      : session_(std::move(session)), mailbox_(std::move(mailbox)) {}

  bool Acknowledge(const LaneHeight &height, bool look) override;
  void Look(Lane *lane, const KvOthers *others) override;
  void Room() override { Tell(RingMailbox::Command::kResume); }
  void WantsEnd() override { Tell(RingMailbox::Command::kStopLane); }
  void Ended() override { Tell(RingMailbox::Command::kLaneEnded); }

 private:
  void Tell(RingMailbox::Command command) {
    if (auto session = session_.lock()) mailbox_->Tell(command, std::move(session));
  }

  const std::weak_ptr<RingSession> session_;
  const std::shared_ptr<RingMailbox> mailbox_;
  /** Whose intake the committing thread has. */
  std::shared_ptr<RingSession> looking_;
};

}  // namespace seguro
