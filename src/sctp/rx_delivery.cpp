// The second part of rx_reassembly.h: complete messages, in order or not, on their way to the user (RFC 9260 §6.6).
#include <algorithm>

#include "sctp/rx_reassembly.h"

namespace pollrtc::sctp {

std::uint32_t RxReassembly::new_held(StreamId stream, bool unordered, std::size_t bytes) {
  if (free_held_ == kNone) {
    if (!held_.push_back(Held(memory_))) return kNone;
    free_held_ = static_cast<std::uint32_t>(held_.size() - 1);
  }
  const std::uint32_t id = free_held_;
  Held& held = held_[id];
  if (!held.message.payload.resize_discarding(bytes)) return kNone;
  free_held_ = std::exchange(held.next, kNone);
  ++held_count_;
  held.message.stream = value_of(stream);
  held.message.unordered = unordered;
  held.message.charge = bytes + kOverhead;
  used_ += held.message.charge;
  return id;
}

void RxReassembly::free_held(std::uint32_t id) {
  Held& held = held_[id];
  used_ -= held.message.charge;
  held = Held(memory_);
  held.next = std::exchange(free_held_, id);
  --held_count_;
}

Mid* RxReassembly::next_number(StreamId stream) {
  Mid* const known = next_number_.find(stream);
  return known != nullptr ? known : next_number_.set(stream, Mid(0));
}

// An SSN is the lower half of a number that counts on: the one nearest to what is next (RFC 1982 arithmetic with 16 bits).
Mid RxReassembly::order_of(std::uint32_t number, Mid next) const {
  if (interleaving_) return Mid(number);
  const auto ahead = static_cast<std::int16_t>(static_cast<std::uint16_t>(number - next.value()));
  return next + static_cast<std::uint32_t>(std::int32_t{ahead});
}

// I-DATA of a message that has been delivered, or that an I-FORWARD-TSN has skipped: nothing waits for it. With DATA the
// TSN says as much.
bool RxReassembly::is_skipped(const DataChunk& chunk) {
  if (!interleaving_) return false;
  if (!chunk.unordered) {
    const Mid* const next = next_number_.find(chunk.stream);
    return chunk.mid < (next == nullptr ? Mid(0) : *next);
  }
  Mid* const skipped = unordered_skipped_.find(chunk.stream);
  if (skipped == nullptr || chunk.mid < *skipped) return skipped != nullptr;
  // It follows at a distance, so that a MID of today is never half the number space away from it.
  constexpr std::uint32_t kDistance = 1u << 30;
  if (chunk.mid.distance_from(*skipped) > kDistance) *skipped = chunk.mid - kDistance;
  return false;
}

// Whether this message, once whole, will not be given out at once.
bool RxReassembly::must_wait(const DataChunk& chunk) {
  if (is_open(chunk.stream)) return true;
  if (chunk.unordered) return false;
  const Mid* const known = next_number_.find(chunk.stream);
  const Mid next = known == nullptr ? Mid(0) : *known;
  return order_of(number_of(chunk), next) != next;
}

bool RxReassembly::deliver(std::uint32_t id) {
  const Held& held = held_[id];
  const StreamId stream{held.message.stream};
  const bool unordered = held.message.unordered;
  if (defer_above_ && held.first > *defer_above_) {
    const std::uint32_t* const after =
        std::partition_point(deferred_.begin(), deferred_.end(),
                             [this, &held](std::uint32_t other) { return held_[other].first < held.first; });
    return deferred_.insert(static_cast<std::size_t>(after - deferred_.begin()), id);
  }
  Mid number = interleaving_ ? Mid(held.number) : Mid(held.first.value());
  if (!unordered) {
    Mid* const next = next_number(stream);
    if (next == nullptr) return false;
    number = order_of(held.number, *next);
    if (number < *next) {  // skipped before: received, but not delivered
      free_held(id);
      return true;
    }
    if (number == *next && !is_open(stream)) {
      ++*next;
      make_ready(id);
      deliver_waiting(stream);
      return true;
    }
  } else if (!is_open(stream)) {
    make_ready(id);
    return true;
  }
  const WaitingMessages::Added added = waiting_.add({stream, unordered, number, id});
  if (added == WaitingMessages::Added::Taken) free_held(id);  // a number used twice
  return added != WaitingMessages::Added::NoMemory;
}

void RxReassembly::make_ready(std::uint32_t id) {
  Held& held = held_[id];
  if (held.too_large) return free_held(id);
  if (const std::size_t behind = held.tsns * sizeof(Tsn); behind != 0)
    held.message.payload.truncate(held.message.payload.size() - behind);
  if (ready_head_ == kNone) {
    ready_head_ = id;
  } else {
    held_[ready_tail_].next = id;
  }
  ready_tail_ = id;
}

// Those whose turn has come: by number, or because the order has been moved past them (RFC 3758 §3.6).
void RxReassembly::deliver_waiting(StreamId stream) {
  if (waiting_.empty() || is_open(stream)) return;
  Mid* const next = next_number_.find(stream);
  if (next == nullptr) return;
  for (const WaitingMessage* first; (first = waiting_.first(stream, false)) != nullptr;) {
    if (first->number > *next) break;
    if (first->number == *next) ++*next;
    make_ready(first->held);
    waiting_.remove_first(stream, false);
  }
}

void RxReassembly::drop_waiting(StreamId stream) {
  for (const bool unordered : std::initializer_list<bool>{false, true}) {
    while (const WaitingMessage* const first = waiting_.first(stream, unordered)) {
      free_held(first->held);
      waiting_.remove_first(stream, unordered);
    }
  }
}

void RxReassembly::set_next_ssn(StreamId stream, Ssn ssn) { set_next_mid(stream, false, Mid(ssn.value())); }

void RxReassembly::set_next_mid(StreamId stream, bool unordered, Mid mid) {
  static_cast<void>((unordered ? unordered_skipped_ : next_number_).set(stream, mid));
}

bool RxReassembly::receive(Message& out) {
  if (ready_head_ == kNone) return false;
  const std::uint32_t id = ready_head_;
  Held& held = held_[id];
  ready_head_ = held.next;
  user_charge_ += held.message.charge;
  out = std::move(held.message);
  held = Held(memory_);
  held.next = std::exchange(free_held_, id);
  --held_count_;
  return true;
}

std::size_t RxReassembly::release(std::size_t charge) {
  charge = std::min(charge, user_charge_);
  user_charge_ -= charge;
  used_ -= charge;
  return charge;
}

}  // namespace pollrtc::sctp
