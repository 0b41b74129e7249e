#include "sctp/rx_reassembly.h"

#include <algorithm>

namespace pollrtc::sctp {

namespace {
constexpr std::size_t kSmallestWindow = 1500;  // less is announced as 0
// Of the numbers of streams: one for each channel wherever its stream lies, and for all streams when that is an eighth of the
// window.
std::size_t most_pages(const Limits& limits) {
  constexpr std::size_t kPageBytes = 320;
  return std::max<std::size_t>({limits.dc_channels, limits.sctp_rx_window_max / 8 / kPageBytes, 1});
}
constexpr std::size_t kMaxNotes = 64;  // MessageTooLarge events not yet taken; more say nothing new
}  // namespace

RxReassembly::RxReassembly(const Environment& env, std::size_t max_message, bool interleaving)
    : memory_(env.memory),
      window_(env.limits.sctp_rx_window),
      max_message_(max_message),
      max_chunks_(env.limits.sctp_chunks_queued),
      interleaving_(interleaving),
      fragments_(env.memory, interleaving),
      span_(env.limits.sctp_tsn_span),
      steps_left_(span_),
      held_(env.memory),
      waiting_(env.memory),
      deferred_(env.memory),
      next_number_(env.memory, most_pages(env.limits)),
      unordered_skipped_(env.memory, most_pages(env.limits)),
      reset_streams_(env.memory),
      in_pieces_(env.memory),
      too_large_(env.memory) {}

std::size_t RxReassembly::a_rwnd() const {
  const std::size_t free = window_ > used_ ? window_ - used_ : 0;
  return free < kSmallestWindow ? 0 : free;
}

bool RxReassembly::has_room(const DataChunk& chunk) const {
  return fits_window(chunk) && fragments_.size() + held_count_ < max_chunks_;
}

FragmentKey RxReassembly::key_of(const DataChunk& chunk) const {
  return interleaving_ ? FragmentKey::of(chunk.stream, chunk.unordered, chunk.mid, chunk.fsn)
                       : FragmentKey::of(chunk.tsn);
}

// Not for fragments so small that they are mostly overhead: book-keeping has no more than half the window.
bool RxReassembly::has_reserve(const DataChunk& chunk) const {
  return used_ + chunk.payload.size() + kOverhead <= window_ + max_message_ &&
         (fragments_.size() + held_count_ + 1) * kOverhead <= window_ / 2;
}

RxReassembly::Added RxReassembly::add(const DataChunk& chunk, bool is_next) {
  if (interleaving_ && defer_above_ && chunk.tsn > *defer_above_)
    return park(chunk) ? Added::Accepted : Added::NoRoom;
  if (is_skipped(chunk)) return Added::Accepted;  // it came too late: received, but not kept
  const FragmentKey key = key_of(chunk);
  // The FSN may wrap (RFC 8260 §2.1), but nothing precedes the first fragment.
  const bool has_left = !interleaving_ || !chunk.begin;
  const Fragment* const left = has_left ? fragments_.find(key.at(key.position - 1)) : nullptr;
  const Fragment* const right = fragments_.find(key.at(key.position + 1));
  if (contradicts(chunk, left, right)) return Added::Violation;
  // All TSNs before it have come or were skipped, so its beginning never will: a peer may give up a message of which it has yet to
  // send the rest.
  if (!interleaving_ && is_next && !chunk.begin && left == nullptr) {
    if (right != nullptr && !right->begin) drop_run(key.at(key.position + 1));
    return Added::Accepted;
  }

  Run run;
  run.first = run.last = key.position;
  run.begins = chunk.begin;
  run.ends = chunk.end;
  run.bytes = chunk.payload.size();
  if (left != nullptr && !left->end) {
    run.left = true;
    run.first = left->other_end;
    const Fragment& first = run.first == left->key.position ? *left : *fragments_.find(key.at(run.first));
    run.begins = first.begin;
    run.left_bytes = left->run_bytes;
    run.bytes += run.left_bytes;
    run.left_too_large = left->too_large;
    run.left_given = first.given;  // the anchor is the first
  }
  if (right != nullptr && !right->begin) {
    run.right = true;
    run.last = right->other_end;
    run.ends = fragments_.find(key.at(run.last))->end;
    run.right_bytes = right->run_bytes;
    run.bytes += run.right_bytes;
    run.right_too_large = right->too_large;
  }
  if (run.left_too_large || run.right_too_large || run.bytes > max_message_) return add_too_large(chunk, run);
  if (run.begins && run.ends && !run.left_given) return complete(chunk, run);
  const Added added = add_fragment(chunk, run);
  if (added != Added::Accepted || !is_due_in_pieces(chunk, run, is_next) || give(key, run)) return added;
  // Without memory for a piece the fragment stays, and goes with the next one. Behind the last there is no next.
  if (!run.ends) return added;
  take_back(key, run);
  return Added::NoRoom;
}

// The fragment that has joined its neighbours to `run` goes again.
void RxReassembly::take_back(const FragmentKey& key, const Run& run) {
  erase_fragment(key);
  const auto tie_rest = [&](std::uint32_t first, std::uint32_t last, std::size_t bytes) {
    Run rest;
    rest.first = first;
    rest.last = last;
    rest.bytes = bytes;
    tie_ends(key, rest, false);
  };
  if (run.left) tie_rest(run.first, key.position - 1, run.left_bytes);
  if (run.right) tie_rest(key.position + 1, run.last, run.right_bytes);
}

// RFC 9260 §3.3.1, §6.9: what adjacent TSNs can be, and with I-DATA adjacent FSNs of one message. A fragment whose
// neighbours are gone already (delivered, or skipped by a FORWARD TSN) is not judged.
bool RxReassembly::contradicts(const DataChunk& chunk, const Fragment* left, const Fragment* right) {
  // An FSN that is there already came under another TSN.
  if (interleaving_ && fragments_.find(key_of(chunk)) != nullptr) return true;
  if (left == nullptr && right == nullptr) return false;
  const auto is_same_message = [this, &chunk](const Fragment& other) {
    return other.stream == chunk.stream && other.unordered == chunk.unordered &&
           (chunk.unordered || other.number == number_of(chunk));
  };
  if (left != nullptr && (left->end != chunk.begin || (!left->end && !is_same_message(*left)))) return true;
  return right != nullptr && (right->begin != chunk.end || (!right->begin && !is_same_message(*right)));
}

Fragment* RxReassembly::insert_fragment(const DataChunk& chunk, const FragmentKey& key, Bytes payload) {
  Fragment* const fragment = fragments_.insert(key, chunk.tsn);
  if (fragment == nullptr) return nullptr;
  if (!payload.empty() && !fragment->payload.assign(payload)) {
    fragments_.erase(key);
    return nullptr;
  }
  fragment->stream = chunk.stream;
  fragment->number = number_of(chunk);
  fragment->fsn = chunk.fsn;
  fragment->ppid = chunk.ppid;
  fragment->unordered = chunk.unordered;
  fragment->begin = chunk.begin;
  fragment->end = chunk.end;
  used_ += payload.size() + kOverhead;
  if (fragments_.size() == 1 || chunk.tsn > fragment_high_) fragment_high_ = chunk.tsn;
  return fragment;
}

void RxReassembly::erase_fragment(const FragmentKey& key) {
  const Fragment* const fragment = fragments_.find(key);
  if (fragment == nullptr) return;
  if (!fragment->given) used_ -= fragment->payload.size() + kOverhead;
  fragments_.erase(key);
}

void RxReassembly::tie_ends(const FragmentKey& key, const Run& run, bool too_large) {
  tie(*fragments_.find(key.at(run.first)), run.last, run, too_large);
  if (run.last != run.first) tie(*fragments_.find(key.at(run.last)), run.first, run, too_large);
}

void RxReassembly::tie(Fragment& end, std::uint32_t other_end, const Run& run, bool too_large) {
  end.other_end = other_end;
  end.run_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(run.bytes, 0xFFFFFFFF));
  end.too_large = too_large;
}

RxReassembly::Added RxReassembly::add_fragment(const DataChunk& chunk, const Run& run) {
  const FragmentKey key = key_of(chunk);
  Fragment* const fresh = insert_fragment(chunk, key, chunk.payload);
  if (fresh == nullptr) return Added::NoRoom;
  if (run.right) {
    tie_ends(key, run, false);
  } else {  // the common case: it is the end itself
    tie(*fresh, run.first, run, false);
    if (run.left) tie(*fragments_.find(key.at(run.first)), run.last, run, false);
  }
  return Added::Accepted;
}

// The last missing piece: it goes from the packet into its place in the message, without being held in between.
RxReassembly::Added RxReassembly::complete(const DataChunk& chunk, const Run& run) {
  const FragmentKey key = key_of(chunk);
  // To be thrown out again to make room, a message that waits must know its TSNs. Those of I-DATA lie anywhere.
  const bool keeps_tsns = interleaving_ && run.first != run.last && must_wait(chunk);
  const std::uint32_t tsns = keeps_tsns ? run.last - run.first + 1 : 0;
  const std::uint32_t id = new_held(chunk.stream, chunk.unordered, run.bytes + tsns * sizeof(Tsn));
  if (id == kNone) return Added::NoRoom;
  Held& held = held_[id];
  held.number = number_of(chunk);
  held.first = interleaving_ ? chunk.tsn : Tsn(run.first);
  held.last = interleaving_ ? chunk.tsn : Tsn(run.last);
  held.tsns = tsns;
  std::uint8_t* to = held.message.payload.data();
  std::uint8_t* tsn_to = to + run.bytes;
  for (std::uint32_t at = run.first; at != run.last + 1; ++at) {
    const Fragment* const fragment = at == key.position ? nullptr : fragments_.find(key.at(at));
    const Bytes piece = fragment == nullptr ? chunk.payload : Bytes(fragment->payload);
    std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
    if (tsns == 0) continue;
    const Tsn tsn = fragment == nullptr ? chunk.tsn : fragment->tsn;
    held.first = std::min(held.first, tsn);
    store_u32(tsn_to, tsn.value());
    tsn_to += sizeof(Tsn);
  }
  // All fragments should carry the same PPID; if not, the first one's counts (SCTP-DATA-14).
  held.message.ppid = value_of(run.left ? fragments_.find(key.at(run.first))->ppid : chunk.ppid);
  if (!deliver(id)) {
    free_held(id);
    return Added::NoRoom;
  }
  if (run.first != run.last) drop_run(key, run.first, run.last);
  return Added::Accepted;
}

// A message above the limit is not kept, but its fragments must be told from others as they come: of its run only the
// two ends stay, without payload, and when it is whole it takes its place in the order and vanishes there.
RxReassembly::Added RxReassembly::add_too_large(const DataChunk& chunk, const Run& run) {
  const FragmentKey key = key_of(chunk);
  const bool is_whole = run.begins && run.ends;
  std::uint32_t id = kNone;
  if (is_whole) {
    id = new_held(chunk.stream, chunk.unordered, 0);
    if (id == kNone) return Added::NoRoom;
    held_[id].too_large = true;
    held_[id].number = number_of(chunk);
    held_[id].first = interleaving_ ? chunk.tsn : Tsn(run.first);
    held_[id].last = interleaving_ ? chunk.tsn : Tsn(run.last);
  } else if (insert_fragment(chunk, key, {}) == nullptr) {
    return Added::NoRoom;
  }
  if (run.left_given) {  // what the user has of it comes to an end; here it goes on like any other
    Fragment* const anchor = fragments_.find(key.at(run.first));
    anchor->given = false;
    used_ += kOverhead;
    abandon_open(chunk.stream);
  }
  if (is_whole && !deliver(id)) {
    free_held(id);
    return Added::NoRoom;
  }
  const auto drop_inner = [&](std::uint32_t position) {
    if (is_whole || (position != run.first && position != run.last)) erase_fragment(key.at(position));
  };
  drop_inner(key.position);
  if (run.left) {
    strip(key, run.first, key.position - 1, run.left_too_large);
    drop_inner(key.position - 1);
  }
  if (run.right) {
    strip(key, key.position + 1, run.last, run.right_too_large);
    drop_inner(key.position + 1);
  }
  if (is_whole) {
    erase_fragment(key.at(run.first));
    erase_fragment(key.at(run.last));
  } else {
    tie_ends(key, run, true);
  }
  if (!run.left_too_large && !run.right_too_large) note_too_large(chunk.stream);
  return Added::Accepted;
}

// Leaves of the run first..last the two ends, without payload.
void RxReassembly::strip(const FragmentKey& key, std::uint32_t first, std::uint32_t last,
                         bool stripped_before) {
  if (stripped_before) return;
  for (std::uint32_t at = first; at != last + 1; ++at) {
    if (at != first && at != last) {
      erase_fragment(key.at(at));
      continue;
    }
    Fragment* const end = fragments_.find(key.at(at));
    used_ -= end->payload.size();
    end->payload = Buffer(memory_);
  }
}

void RxReassembly::drop_run(const FragmentKey& key, std::uint32_t first, std::uint32_t last) {
  for (std::uint32_t at = first; at != last + 1; ++at) erase_fragment(key.at(at));
}

void RxReassembly::note_too_large(StreamId stream) {
  if (too_large_.size() < kMaxNotes) static_cast<void>(too_large_.push_back(stream));
}

std::optional<StreamId> RxReassembly::pop_too_large() {
  if (too_large_.empty()) return std::nullopt;
  const StreamId stream = too_large_.front();
  too_large_.pop_front();
  return stream;
}

}  // namespace pollrtc::sctp
