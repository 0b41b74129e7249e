#include "ice/consent.h"

#include <algorithm>

namespace pollrtc::ice {

Duration Consent::wait_from(std::uint32_t random) {
  const Duration span = kLongest - kLeast;
  return kLeast + Duration(static_cast<Duration::rep>(random % static_cast<std::uint32_t>(span.count() + 1)));
}

Time Consent::on_grid(Time now, Time due) {
  const Time before = due - due.time_since_epoch() % kGrid;
  return before >= now + kLeast ? before : before + kGrid;
}

void Consent::on_answer(Time now, Time next) {
  last_answer_ = now;
  unanswered_ = silent_ = 0;
  interrupted_at_ = kNever;
  // A connectivity check that was answered is as good as a consent check; one already planned keeps its time.
  if (next_check_ != kNever) return;
  next_check_ = next;
  earliest_check_ = now + kLeast;
}

void Consent::on_check_sent(Time now, Time next) {
  next_check_ = next;
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
