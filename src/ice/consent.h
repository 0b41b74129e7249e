// Consent to send on one pair (RFC 7675 §5.1): a check every 4 to 6 seconds, and an end 30 seconds after the last answer.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pollrtc/types.h"

namespace pollrtc::ice {

class Consent {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(5);  // times 0.8 to 1.2, drawn for each: plan()
  static constexpr Duration kExpiry = std::chrono::seconds(30);
  static constexpr Duration kLeast = kInterval * 8 / 10, kLongest = kInterval * 12 / 10;
  // A check that was answered is followed after the longest of so many such draws, one that was not after the shortest: an idle
  // connection costs as little as it may, and a path that loses packets is asked more often before its consent ends.
  static constexpr std::size_t kDraws = 8;
  // Two checks in a row without an answer, the second given this long, and the path counts as interrupted. One lost
  // packet is no interruption, and asking sooner than after 4 s is not allowed.
  static constexpr int kInterruptedAfter = 2;
  // Data that the peer acknowledges is a sign of life, but no consent. After so many checks without an answer the path counts
  // as interrupted whatever comes, while there is time to find another.
  static constexpr int kInterruptedAnyway = 4;
  static constexpr Duration kAnswerGrace = std::chrono::seconds(1);

  // Checks are sent at multiples of this, so that a process with thousands of connections wakes up for many of them at once.
  static constexpr Duration kGrid = std::chrono::milliseconds(20);

  // When the next check is sent: if this one was answered by then, and if it was not.
  struct Plan {
    Time answered, unanswered;
  };
  // Each byte of `random` is a draw. A part of the transaction's id will do: whoever could learn from it when the next check is sent
  // sees that one too.
  static Plan plan(Time now, std::uint64_t random);

  // A check of ours was answered. The first answer gives consent; its plan is heeded unless there is one already.
  void on_answer(Time now, const Plan& first);
  void on_check_sent(Time now, const Plan& next);
  // DEVIATION RFC 7675 §5.1: the other end's check has come, and ours goes with the answer if it may by now, 4 s after the one
  // before, whatever its own wait: so both ends are woken up twice by two checks, not three times.
  void on_request(Time now) {
    if (now >= earliest_check_) next_check_ = std::min(next_check_, now);
  }
  // Data of ours was acknowledged. That gives no consent (RFC 7675 §5.1).
  void on_data();

  Time last_answer() const { return last_answer_; }
  Time next_check() const { return next_check_; }
  Time expires() const { return last_answer_ + kExpiry; }
  // When the path becomes interrupted if nothing more is heard; kNever as long as too few checks went unanswered.
  // It does not move until there is an answer or a sign of life, however many checks follow.
  Time interrupted_at() const { return interrupted_at_; }
  // A check of ours waits for its answer, and nothing was heard since.
  bool is_doubtful() const { return silent_ != 0; }
  // Without checks of our own (ICE-lite), what the other end's checks are worth: a sign of life.
  void on_sign_of_life(Time now) {
    last_answer_ = now;
    interrupted_at_ = now + kInterruptedAfter * kLongest + kAnswerGrace;
  }

 private:
  Time last_answer_{};
  Time next_check_ = kNever, earliest_check_ = kNever, answered_check_ = kNever;
  Time interrupted_at_ = kNever;
  int unanswered_ = 0;  // checks since the last answer
  int silent_ = 0;      // checks since the last sign of life
};

}  // namespace pollrtc::ice
