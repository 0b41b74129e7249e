#include "ice/consent.h"

#include <algorithm>

namespace pollrtc::ice {

namespace {

// Who polls late, or has another check to send first, is to send this one within 6 s nevertheless.
constexpr Duration kSlack = std::chrono::milliseconds(100);

// The multiple of kGrid beside the wait that was drawn, which lies between the two bounds as that does.
Time next_check_after(Time now, Duration::rep draw) {
  const Time due = now + Consent::kLeast + draw * (Consent::kLongest - kSlack - Consent::kLeast) / 255;
  const Time before = due - due.time_since_epoch() % Consent::kGrid;
  return before >= now + Consent::kLeast ? before : before + Consent::kGrid;
}

}  // namespace

Consent::Plan Consent::plan(Time now, std::uint64_t random) {
  static_assert(kDraws == sizeof random);
  std::uint64_t least = 255, greatest = 0;
  for (std::size_t i = 0; i < kDraws; ++i) {
    const std::uint64_t draw = random >> (8 * i) & 255;
    least = std::min(least, draw);
    greatest = std::max(greatest, draw);
  }
  return {next_check_after(now, static_cast<Duration::rep>(greatest)),
          next_check_after(now, static_cast<Duration::rep>(least))};
}

void Consent::on_answer(Time now, const Plan& first) {
  last_answer_ = now;
  unanswered_ = silent_ = 0;
  interrupted_at_ = kNever;
  // A connectivity check that was answered is as good as a consent check.
  if (next_check_ == kNever) {
    answered_check_ = first.answered;
    earliest_check_ = now + kLeast;
  }
  next_check_ = answered_check_;
}

void Consent::on_check_sent(Time now, const Plan& next) {
  next_check_ = next.unanswered;
  answered_check_ = next.answered;
  earliest_check_ = now + kLeast;
  ++unanswered_;
  ++silent_;
  if (silent_ == kInterruptedAfter || unanswered_ == kInterruptedAnyway)
    interrupted_at_ = std::min(interrupted_at_, now + kAnswerGrace);
}

void Consent::on_data() {
  if (unanswered_ >= kInterruptedAnyway) return;
  silent_ = 0;
  interrupted_at_ = kNever;
}

}  // namespace pollrtc::ice
