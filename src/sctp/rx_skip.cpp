// The third part of rx_reassembly.h: what will not come, or must go. FORWARD TSN (RFC 3758 §3.6) and I-FORWARD-TSN
// (RFC 8260 §2.3.1) skip messages, a stream reset begins anew (RFC 6525 §5.2.2), and a full window asks for sacrifices
// (RFC 9260 §6.2).
#include <algorithm>

#include "sctp/rx_reassembly.h"

namespace pollrtc::sctp {

// All ordered messages up to this number, or all unordered ones: what is held of the former and whole becomes deliverable.
void RxReassembly::skip(StreamId stream, bool unordered, Mid up_to) {
  const InPieces* const pieces = in_pieces_.find(value_of(stream));
  if (pieces != nullptr && pieces->is_open && pieces->unordered == unordered && pieces->number <= up_to)
    abandon_open(stream);
  if (!unordered) {
    Mid* const next = next_number_.find(stream);
    if (next == nullptr || up_to < *next) return;
    *next = up_to + 1;
    return deliver_waiting(stream);
  }
  if (Mid* const skipped = unordered_skipped_.find(stream)) *skipped = std::max(*skipped, up_to + 1);
}

// The reset is performed with this packet if its last TSN is below `point`, and no stream that it resets has sent anything since
// (RFC 6525 §5.1.2). Once a packet, since it takes a walk over what is held.
bool RxReassembly::let_through(Tsn point) {
  if (!defer_above_ || point <= *defer_above_ || std::exchange(has_let_through_, true)) return true;
  const Tsn before = *defer_above_;
  defer_above_ = point;
  if (give_deferred()) return true;
  defer_above_ = before;  // for another try
  return false;
}

// A number for each of its streams, which means what none means.
bool RxReassembly::reserve(const ForwardTsnChunk& forward) {
  if (!let_through(forward.new_cumulative_tsn)) return false;
  for (std::size_t i = 0; i < forward.skipped_count(); ++i)
    if (next_number(forward.skipped(i).stream) == nullptr) return false;
  return true;
}

// As above; of unordered messages, which have no number that means none, those are skipped here already.
bool RxReassembly::reserve(const IForwardTsnChunk& forward) {
  if (!let_through(forward.new_cumulative_tsn)) return false;
  for (std::size_t i = 0; i < forward.skipped_count(); ++i) {
    const SkippedMessages skipped = forward.skipped(i);
    const bool has_number = skipped.unordered
                                ? unordered_skipped_.find(skipped.stream) != nullptr ||
                                      unordered_skipped_.set(skipped.stream, skipped.mid + 1) != nullptr
                                : next_number(skipped.stream) != nullptr;
    if (!has_number) return false;
  }
  return true;
}

void RxReassembly::on_forward_tsn(Tsn old_cumulative, const ForwardTsnChunk& forward) {
  drop_unfinished(old_cumulative, forward.new_cumulative_tsn);
  for (std::size_t i = 0; i < forward.skipped_count(); ++i) {
    const SkippedStream skipped = forward.skipped(i);
    const Mid* const next = next_number_.find(skipped.stream);
    if (next != nullptr) skip(skipped.stream, false, order_of(skipped.ssn.value(), *next));
  }
}

void RxReassembly::on_i_forward_tsn(const IForwardTsnChunk& forward) {
  for (std::size_t i = 0; i < forward.skipped_count(); ++i) {
    const SkippedMessages skipped = forward.skipped(i);
    skip(skipped.stream, skipped.unordered, skipped.mid);
  }
  has_skipped_ |= forward.skipped_count() != 0;
}

void RxReassembly::end_of_packet() {
  steps_left_ = span_;
  has_let_through_ = false;
  if (!std::exchange(has_skipped_, false)) return;
  for (std::size_t i = 0; i < fragments_.size();) {
    const Fragment& fragment = fragments_.at(i);
    DataChunk chunk;
    chunk.stream = fragment.stream;
    chunk.unordered = fragment.unordered;
    chunk.mid = Mid(fragment.number);
    if (!fragment.key.is_parked() && is_skipped(chunk)) {
      erase_fragment(FragmentKey(fragment.key));
    } else {
      ++i;
    }
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
  // What begins in the middle of a message right above it is the rest of one that was skipped.
  const FragmentKey above = key.at(key.position + 1);
  if (const Fragment* const rest = fragments_.find(above);
      rest != nullptr && !rest->begin && fragments_.find(key) == nullptr)
    drop_run(above);
  Tsn from = old_cumulative + 1;
  if (const Fragment* const at = fragments_.find(FragmentKey::of(old_cumulative)); at != nullptr)
    from = Tsn(at->other_end);
  if (new_cumulative.distance_from(from) < fragments_.size()) {
    for (Tsn tsn = from; tsn <= new_cumulative; ++tsn) drop_fragment(FragmentKey::of(tsn), new_cumulative);
    return;
  }
  for (std::size_t i = 0; i < fragments_.size();) {
    const FragmentKey found = fragments_.at(i).key;
    if (Tsn(found.position) <= new_cumulative) {
      drop_fragment(found, new_cumulative);
    } else {
      ++i;
    }
  }
}

// Adjacent fragments that no beginning will come for.
void RxReassembly::drop_run(const FragmentKey& first) {
  const Fragment& fragment = *fragments_.find(first);
  const std::uint32_t last = fragment.other_end;
  if (fragment.too_large) {  // of which the ends alone are kept
    if (last != first.position) erase_fragment(first.at(last));
    return erase_fragment(first);
  }
  for (std::uint32_t position = first.position; position != last + 1; ++position)
    erase_fragment(first.at(position));
}

void RxReassembly::drop_fragment(const FragmentKey& key, Tsn new_cumulative) {
  const Fragment* const fragment = fragments_.find(key);
  if (fragment == nullptr) return;
  if (fragment->given) return abandon_open(fragment->stream);
  const Tsn other(fragment->other_end);
  if (fragment->too_large && other > new_cumulative) erase_fragment(FragmentKey::of(other));
  erase_fragment(key);
}

void RxReassembly::reset_stream(StreamId stream) {
  abandon_open(stream);
  drop_waiting(stream);
  next_number_.erase(stream);
  unordered_skipped_.erase(stream);
  if (reset_streams_.reserve()) reset_streams_.insert(stream);
}

void RxReassembly::reset_all_streams() {
  for (std::size_t i = 0; i < in_pieces_.size(); ++i) abandon_open(StreamId{in_pieces_.begin()[i].key});
  waiting_.for_each([this](const WaitingMessage& message) { free_held(message.held); });
  waiting_.clear();
  next_number_.clear();
  unordered_skipped_.clear();
  all_streams_reset_ = true;
}

// Nothing will complete them, and with I-DATA the messages to come have the same numbers. A fragment above `last` goes too:
// until its request is answered the sender begins nothing new on these streams (RFC 6525 §5.1.2), so it belongs to a
// message of before, or to one that spans the reset and that no honest sender makes. What is parked came for the time after.
void RxReassembly::drop_before_reset() {
  if (!all_streams_reset_ && reset_streams_.empty()) return;
  for (std::size_t i = 0; i < fragments_.size();) {
    const Fragment& fragment = fragments_.at(i);
    const bool is_reset = all_streams_reset_ || reset_streams_.contains(fragment.stream);
    if (is_reset && !fragment.key.is_parked()) {
      erase_fragment(FragmentKey(fragment.key));
    } else {
      ++i;
    }
  }
  all_streams_reset_ = false;
  reset_streams_.clear();
}

// I-DATA above the last TSN before a reset: its MID may mean a message of the time after it, so nothing is made of it
// before.
bool RxReassembly::park(const DataChunk& chunk) {
  return insert_fragment(chunk, FragmentKey::parked(chunk.tsn), chunk.payload) != nullptr;
}

bool RxReassembly::release_deferred() {
  defer_above_.reset();
  owes_release_ = !give_deferred();
  return !owes_release_;
}

// What may not wait any longer. False: there was no memory for all of it.
bool RxReassembly::give_deferred() {
  bool has_memory = true;
  std::size_t left = 0;
  for (std::size_t i = 0; i < deferred_.size(); ++i) {
    const std::uint32_t id = deferred_[i];
    const bool waits = defer_above_ && held_[id].first > *defer_above_;
    if (!waits && deliver(id)) continue;
    has_memory = has_memory && waits;
    deferred_[left++] = id;
  }
  deferred_.erase(left, deferred_.size() - left);
  return (!interleaving_ || unpark()) && has_memory;
}

// Backwards: what is put in again, or takes the place of one taken out, is none that is still to be looked at.
bool RxReassembly::unpark() {
  bool has_memory = true;
  for (std::size_t i = fragments_.size(); i-- > 0;) {
    if (i >= fragments_.size() || !fragments_.at(i).key.is_parked()) continue;
    if (defer_above_ && fragments_.at(i).tsn > *defer_above_) continue;
    Fragment fragment = std::move(fragments_.at(i));
    DataChunk chunk;
    chunk.tsn = fragment.tsn;
    chunk.stream = fragment.stream;
    chunk.mid = Mid(fragment.number);
    chunk.fsn = fragment.fsn;
    chunk.ppid = fragment.ppid;
    chunk.unordered = fragment.unordered;
    chunk.begin = fragment.begin;
    chunk.end = fragment.end;
    chunk.payload = fragment.payload;
    used_ -= chunk.payload.size();
    erase_fragment(fragment.key);
    // What contradicts is lost, like its message.
    if (add(chunk) != Added::NoRoom) continue;
    has_memory = false;
    used_ += chunk.payload.size() + kOverhead;
    // Back into the place that it has just left, for which the table still has the memory.
    *fragments_.insert(fragment.key, fragment.tsn) = std::move(fragment);
  }
  return has_memory;
}

bool RxReassembly::evict_highest(Tsn above, RxTracker& tracker) {
  return evict_fragment(above, tracker) || evict_deferred(above, tracker) || evict_waiting(above, tracker);
}

// fragment_high_ only ever comes down here, so a full buffer costs its span once. Not more than that for a packet: its
// chunks might send it up again by turns.
bool RxReassembly::evict_fragment(Tsn above, RxTracker& tracker) {
  if (fragments_.size() == 0) return false;
  for (; fragment_high_ > above && steps_left_ != 0; --steps_left_, fragment_high_ = fragment_high_ - 1) {
    const Fragment* const fragment = fragments_.find_tsn(fragment_high_);
    if (fragment == nullptr || fragment->too_large || fragment->given || !shrink_run(*fragment)) continue;
    tracker.forget(fragment_high_);
    return true;
  }
  return false;
}

// A message that waits for a reset, which waits for a lower TSN: if it stayed, that one might never find room.
bool RxReassembly::evict_deferred(Tsn above, RxTracker& tracker) {
  if (deferred_.empty()) return false;
  const std::uint32_t id = deferred_.back();
  const Held& held = held_[id];
  if (held.first < above) return false;
  for (Tsn at = held.first; at <= held.last; ++at) tracker.forget(at);
  deferred_.pop_back();
  free_held(id);
  return true;
}

// A message that waits for its turn: the last of its stream.
bool RxReassembly::evict_waiting(Tsn above, RxTracker& tracker) {
  if (waiting_.empty()) return false;
  const std::uint32_t id = waiting_.last().held;
  const Held& held = held_[id];
  if (held.first < above || (interleaving_ && held.too_large)) return false;
  const Bytes tsns = Bytes(held.message.payload).last(held.tsns * sizeof(Tsn));
  for (Tsn at = held.first; tsns.empty() && at <= held.last; ++at) tracker.forget(at);
  for (std::size_t i = 0; i < tsns.size(); i += sizeof(Tsn)) tracker.forget(Tsn(load_u32(tsns.data() + i)));
  waiting_.remove_last();
  free_held(id);
  return true;
}

// Takes the fragment out of its run. False: it lies in the midst of it, which the TSNs of no sane peer make so.
bool RxReassembly::shrink_run(const Fragment& fragment) {
  const FragmentKey key = fragment.key;
  const Fragment* const right = fragments_.find(key.at(key.position + 1));
  const Fragment* const left = fragments_.find(key.at(key.position - 1));
  const bool has_right = !fragment.end && right != nullptr && !right->begin && !key.is_parked();
  const bool has_left = !fragment.begin && left != nullptr && !left->end && !key.is_parked();
  if (has_left && has_right) return false;
  Run rest;
  rest.first = has_right ? key.position + 1 : fragment.other_end;
  rest.last = has_right ? fragment.other_end : key.position - 1;
  rest.bytes = fragment.run_bytes - fragment.payload.size();
  erase_fragment(key);
  if (has_left || has_right) tie_ends(key, rest, false);
  return true;
}

// The end of the run that the chunk continues.
const Fragment* RxReassembly::end_before(const DataChunk& chunk) {
  if (interleaving_ && chunk.begin) return nullptr;
  const FragmentKey key = key_of(chunk);
  const Fragment* const part = fragments_.find(key.at(key.position - 1));
  return part == nullptr || part->end || part->too_large || part->given ? nullptr : part;
}

bool RxReassembly::give_before(const DataChunk& chunk) {
  const Fragment* const part = end_before(chunk);
  if (part == nullptr) return false;
  const FragmentKey key = part->key;
  Run run;
  run.last = key.position;
  run.first = part->other_end;
  run.bytes = part->run_bytes;
  run.begins = fragments_.find(key.at(run.first))->begin;
  return is_due_in_pieces(chunk, run, true) && give(key, run);
}

bool RxReassembly::give_up_for(const DataChunk& chunk) {
  const Fragment* part = end_before(chunk);
  if (part == nullptr && interleaving_) part = largest_unfinished();
  if (part == nullptr) return false;
  give_up(*part);
  return true;
}

Fragment* RxReassembly::largest_unfinished() {
  Fragment* largest = nullptr;
  for (std::size_t i = 0; i < fragments_.size(); ++i) {
    Fragment& fragment = fragments_.at(i);
    const bool is_last = fragments_.find(fragment.key.at(fragment.key.position + 1)) == nullptr;
    if (!is_last || fragment.too_large || fragment.given || fragment.key.is_parked()) continue;
    if (largest == nullptr || fragment.run_bytes > largest->run_bytes) largest = &fragment;
  }
  return largest;
}

// `part` is an end of its run.
void RxReassembly::give_up(const Fragment& part) {
  const FragmentKey key = part.key;
  const StreamId stream = part.stream;
  Run run;
  run.bytes = part.run_bytes;
  run.last = key.position;
  run.first = part.other_end;
  strip(key, run.first, run.last, false);
  tie_ends(key, run, true);
  note_too_large(stream);
}

}  // namespace pollrtc::sctp
