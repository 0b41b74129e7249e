// The second half of rx_reassembly.h: complete messages, in order or not, on their way to the user (RFC 9260 §6.6), and
// what skips or restarts the order: FORWARD TSN (RFC 3758 §3.6) and stream reset (RFC 6525 §5.2.2).
#include <algorithm>

#include "sctp/rx_reassembly.h"

namespace pollrtc::sctp {

std::uint32_t RxReassembly::new_held(const DataChunk& chunk, const Run& run, std::size_t bytes) {
  if (free_held_ == kNone) {
    if (!held_.push_back(Held(memory_))) return kNone;
    free_held_ = static_cast<std::uint32_t>(held_.size() - 1);
  }
  const std::uint32_t id = free_held_;
  Held& held = held_[id];
  if (!held.message.payload.resize_discarding(bytes)) return kNone;
  free_held_ = std::exchange(held.next, kNone);
  ++held_count_;
  held.message.stream = value_of(chunk.stream);
  held.message.ppid = value_of(chunk.ppid);
  held.message.unordered = chunk.unordered;
  held.message.charge = bytes + kOverhead;
  held.first = Tsn(run.first);
  held.last = Tsn(run.last);
  held.ssn = chunk.ssn;
  held.too_large = false;
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

Ssn* RxReassembly::next_ssn(StreamId stream) {
  const std::size_t at = value_of(stream);
  while (next_ssn_.size() <= at)
    if (!next_ssn_.push_back(Ssn(0))) return nullptr;
  return &next_ssn_[at];
}

std::size_t RxReassembly::waiting_position(StreamId stream, Ssn ssn) const {
  const Waiting* const at = std::lower_bound(
      waiting_.begin(), waiting_.end(), stream, [ssn](const Waiting& entry, StreamId wanted) {
        return entry.stream != wanted ? entry.stream < wanted : entry.ssn < ssn;
      });
  return static_cast<std::size_t>(at - waiting_.begin());
}

bool RxReassembly::deliver(std::uint32_t id) {
  const Held& held = held_[id];
  const StreamId stream{held.message.stream};
  if (defer_above_ && held.first > *defer_above_) return deferred_.push_back(id);
  if (held.message.unordered) {
    make_ready(id);
    return true;
  }
  Ssn* const next = next_ssn(stream);
  if (next == nullptr) return false;
  if (held.ssn == *next) {
    ++*next;
    make_ready(id);
    deliver_waiting(stream);
    return true;
  }
  const std::size_t at = waiting_position(stream, held.ssn);
  const bool is_taken = at < waiting_.size() && waiting_[at].stream == stream && waiting_[at].ssn == held.ssn;
  if (!(held.ssn > *next) ||
      is_taken) {  // skipped before, or a number used twice: received, but not delivered
    free_held(id);
    return true;
  }
  return waiting_.insert(at, Waiting{stream, held.ssn, id});
}

void RxReassembly::make_ready(std::uint32_t id) {
  if (held_[id].too_large) return free_held(id);
  if (ready_head_ == kNone) {
    ready_head_ = id;
  } else {
    held_[ready_tail_].next = id;
  }
  ready_tail_ = id;
  ++ready_count_;
}

void RxReassembly::deliver_waiting(StreamId stream) {
  if (waiting_.empty()) return;
  Ssn& next = next_ssn_[value_of(stream)];
  const std::size_t from = waiting_position(stream, next);
  std::size_t count = 0;
  for (; from + count < waiting_.size(); ++count, ++next) {
    const Waiting& entry = waiting_[from + count];
    if (entry.stream != stream || entry.ssn != next) break;
    make_ready(entry.held);
  }
  if (count != 0) waiting_.erase(from, count);
}

void RxReassembly::on_forward_tsn(Tsn old_cumulative, const ForwardTsnChunk& forward) {
  drop_unfinished(old_cumulative, forward.new_cumulative_tsn);
  for (std::size_t i = 0; i < forward.skipped_count(); ++i) {
    const SkippedStream skipped = forward.skipped(i);
    Ssn* const next = next_ssn(skipped.stream);
    if (next == nullptr || skipped.ssn < *next) continue;
    const std::size_t from = waiting_position(skipped.stream, *next);
    std::size_t count = 0;
    for (; from + count < waiting_.size(); ++count) {
      const Waiting& entry = waiting_[from + count];
      if (entry.stream != skipped.stream || entry.ssn > skipped.ssn) break;
      make_ready(entry.held);
    }
    if (count != 0) waiting_.erase(from, count);
    *next = skipped.ssn + 1;
    deliver_waiting(skipped.stream);
  }
}

// Every unfinished message with a TSN at or below the new point, with the fragments it has above it. Time: the lesser
// of the TSNs passed and the fragments held.
void RxReassembly::drop_unfinished(Tsn old_cumulative, Tsn new_cumulative) {
  if (fragments_.size() == 0) return;
  const FragmentKey key = FragmentKey::of(new_cumulative);
  if (const Fragment* const at = fragments_.find(key); at != nullptr && !at->end) {
    bool more = true;
    for (std::uint32_t position = key.position + 1; more; ++position) {
      const Fragment* const above = fragments_.find(key.at(position));
      more = above != nullptr && !above->end;
      erase_fragment(key.at(position));
    }
  }
  Tsn from = old_cumulative + 1;
  if (const Fragment* const at = fragments_.find(FragmentKey::of(old_cumulative)); at != nullptr)
    from = Tsn(at->other_end);
  const auto drop = [this, new_cumulative](const FragmentKey& dropped) {
    const Fragment* const fragment = fragments_.find(dropped);
    if (fragment == nullptr) return;
    const Tsn other(fragment->other_end);
    if (fragment->too_large && other > new_cumulative) erase_fragment(FragmentKey::of(other));
    erase_fragment(dropped);
  };
  if (new_cumulative.distance_from(from) < fragments_.size()) {
    for (Tsn tsn = from; tsn <= new_cumulative; ++tsn) drop(FragmentKey::of(tsn));
    return;
  }
  for (std::size_t i = 0; i < fragments_.size();) {
    const FragmentKey found = fragments_.at(i).key;
    if (Tsn(found.position) <= new_cumulative) {
      drop(found);
    } else {
      ++i;
    }
  }
}

void RxReassembly::drop_waiting(StreamId stream) {
  const std::size_t from =
      static_cast<std::size_t>(std::lower_bound(waiting_.begin(), waiting_.end(), stream,
                                                [](const Waiting& e, StreamId s) { return e.stream < s; }) -
                               waiting_.begin());
  std::size_t count = 0;
  for (; from + count < waiting_.size() && waiting_[from + count].stream == stream; ++count)
    free_held(waiting_[from + count].held);
  if (count != 0) waiting_.erase(from, count);
}

void RxReassembly::reset_stream(StreamId stream) {
  drop_waiting(stream);
  if (value_of(stream) < next_ssn_.size()) next_ssn_[value_of(stream)] = Ssn(0);
}

void RxReassembly::reset_all_streams() {
  for (const Waiting& entry : waiting_) free_held(entry.held);
  waiting_.clear();
  next_ssn_.clear();
}

void RxReassembly::set_next_ssn(StreamId stream, Ssn ssn) {
  if (Ssn* const next = next_ssn(stream)) *next = ssn;
}

void RxReassembly::release_deferred() {
  defer_above_.reset();
  for (const std::uint32_t id : deferred_)
    if (!deliver(id)) free_held(id);  // no memory for its place in the order: lost, like its stream
  deferred_.clear();
}

bool RxReassembly::receive(Message& out) {
  if (ready_head_ == kNone) return false;
  const std::uint32_t id = ready_head_;
  Held& held = held_[id];
  ready_head_ = held.next;
  --ready_count_;
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
