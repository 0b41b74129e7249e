#include "ice/checklist.h"

#include <tuple>

namespace pollrtc::ice {

Pair* Checklist::add(Pair pair) {
  POLLRTC_ASSERT(find(pair.path) == nullptr);
  if (is_full() && !make_room_for(pair)) return nullptr;
  pair.id = ++last_id_;
  pair.state = first_state_of(pair);
  return pairs_.push_back(pair) ? &pairs_.back() : nullptr;
}

// RFC 8838 §10: failed pairs go first, then the lowest that nobody has begun to check.
bool Checklist::make_room_for(const Pair& pair) {
  Pair* victim = nullptr;
  for (Pair& p : pairs_) {
    if (p.is_valid || p.is_nominated) continue;
    if (p.state == PairState::Failed && !p.is_spent) {
      victim = &p;
      break;
    }
    const bool is_untouched = p.state <= PairState::Waiting && p.queued == 0;
    if (is_untouched && p.priority < pair.priority && (victim == nullptr || p.priority < victim->priority))
      victim = &p;
  }
  if (victim == nullptr) return false;
  pairs_.erase(static_cast<std::size_t>(victim - pairs_.begin()));
  return true;
}

// RFC 8838 §12: Waiting when it is the best of its foundation, or when that foundation is known to work.
PairState Checklist::first_state_of(const Pair& pair) const {
  bool is_best = true;
  for (const Pair& p : pairs_) {
    if (p.foundation != pair.foundation) continue;
    if (p.state == PairState::Succeeded) return PairState::Waiting;
    if (p.priority > pair.priority) is_best = false;
  }
  return is_best ? PairState::Waiting : PairState::Frozen;
}

Pair* Checklist::find(const Path& path) {
  for (Pair& pair : pairs_)
    if (pair.path == path) return &pair;
  return nullptr;
}

Pair* Checklist::find(std::uint32_t id) {
  for (Pair& pair : pairs_)
    if (pair.id == id) return &pair;
  return nullptr;
}

void Checklist::trigger(Pair& pair) {
  pair.state = PairState::Waiting;
  if (pair.queued == 0) pair.queued = ++last_queued_;
}

Pair* Checklist::next_triggered() {
  Pair* first = nullptr;
  for (Pair& pair : pairs_)
    if (pair.queued != 0 && (first == nullptr || pair.queued < first->queued)) first = &pair;
  return first;
}

// RFC 8445 §6.1.4.2: a frozen pair may go when no pair of its foundation waits or is being checked.
bool Checklist::can_thaw(const Pair& pair) const {
  return pair.state == PairState::Frozen && !pair.is_retired &&
         std::none_of(begin(), end(), [&pair](const Pair& p) {
           return p.foundation == pair.foundation &&
                  (p.state == PairState::Waiting || p.state == PairState::InProgress);
         });
}

Pair* Checklist::next_ordinary() {
  Pair* best = nullptr;
  for (Pair& pair : pairs_) {
    if (pair.state != PairState::Waiting || pair.is_retired || pair.queued != 0) continue;
    if (best == nullptr || pair.priority > best->priority) best = &pair;
  }
  if (best != nullptr) return best;
  for (Pair& pair : pairs_)  // nothing waits: thaw the best of those that may; the next call finds the next
    if ((best == nullptr || pair.priority > best->priority) && can_thaw(pair)) best = &pair;
  if (best != nullptr) best->state = PairState::Waiting;
  return best;
}

bool Checklist::has_work() const {
  return std::any_of(begin(), end(), [this](const Pair& pair) {
    return pair.queued != 0 || (!pair.is_retired && pair.state == PairState::Waiting) || can_thaw(pair);
  });
}

void Checklist::thaw(std::uint32_t foundation) {
  for (Pair& pair : pairs_)
    if (pair.state == PairState::Frozen && pair.foundation == foundation) pair.state = PairState::Waiting;
}

const Pair* Checklist::best(Time now) const {
  const auto rank = [now](const Pair& pair) {
    const bool answers = now < pair.consent.interrupted_at();
    return std::tuple(pair.is_nominated, !pair.is_cut, answers, pair.nomination, pair.valid_priority);
  };
  const Pair* best = nullptr;
  for (const Pair& pair : pairs_) {
    if (!pair.is_valid || (pair.is_retired && !pair.is_nominated)) continue;
    if (best == nullptr || rank(pair) > rank(*best)) best = &pair;
  }
  return best;
}

std::size_t Checklist::count_unfinished() const {
  return static_cast<std::size_t>(std::count_if(begin(), end(), [](const Pair& pair) {
    return !pair.is_retired && (pair.state == PairState::Waiting || pair.state == PairState::InProgress);
  }));
}

}  // namespace pollrtc::ice
