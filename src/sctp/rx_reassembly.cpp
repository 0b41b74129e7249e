#include "sctp/rx_reassembly.h"

#include <algorithm>

namespace pollrtc::sctp {

namespace {
constexpr std::size_t kSmallestWindow = 1500;  // less is announced as 0
constexpr std::size_t kMaxNotes = 64;          // MessageTooLarge events not yet taken; more say nothing new
}  // namespace

RxReassembly::RxReassembly(const Environment& env, std::size_t max_message)
    : memory_(env.memory),
      window_(env.limits.sctp_rx_window),
      max_message_(max_message),
      max_chunks_(env.limits.sctp_chunks_queued),
      fragments_(env.memory),
      held_(env.memory),
      waiting_(env.memory),
      deferred_(env.memory),
      next_ssn_(env.memory),
      too_large_(env.memory) {}

std::size_t RxReassembly::a_rwnd() const {
  const std::size_t free = window_ > used_ ? window_ - used_ : 0;
  return free < kSmallestWindow ? 0 : free;
}

bool RxReassembly::has_room(const DataChunk& chunk) const {
  return used_ + chunk.payload.size() + kOverhead <= window_ && fragments_.size() + held_count_ < max_chunks_;
}

RxReassembly::Added RxReassembly::add(const DataChunk& chunk) {
  if (!has_room(chunk)) return Added::NoRoom;
  const FragmentKey key = FragmentKey::of(chunk.tsn);
  const Fragment* const left = fragments_.find(key.at(key.position - 1));
  const Fragment* const right = fragments_.find(key.at(key.position + 1));
  if (contradicts(chunk, left, right)) return Added::Violation;

  Run run;
  run.first = run.last = key.position;
  run.begins = chunk.begin;
  run.ends = chunk.end;
  run.bytes = chunk.payload.size();
  if (left != nullptr && !left->end) {
    run.left = true;
    run.first = left->other_end;
    run.begins = fragments_.find(key.at(run.first))->begin;
    run.bytes += left->run_bytes;
    run.left_too_large = left->too_large;
  }
  if (right != nullptr && !right->begin) {
    run.right = true;
    run.last = right->other_end;
    run.ends = fragments_.find(key.at(run.last))->end;
    run.bytes += right->run_bytes;
    run.right_too_large = right->too_large;
  }
  if (run.left_too_large || run.right_too_large || run.bytes > max_message_) return add_too_large(chunk, run);
  return run.begins && run.ends ? complete(chunk, run) : add_fragment(chunk, run);
}

// RFC 9260 §3.3.1, §6.9: what adjacent TSNs can be. A fragment whose neighbours are gone already (delivered, or skipped
// by a FORWARD TSN) is not judged: it is held like any other, charged to the window, until a FORWARD TSN passes it.
bool RxReassembly::contradicts(const DataChunk& chunk, const Fragment* left, const Fragment* right) const {
  const auto is_same_message = [&chunk](const Fragment& other) {
    return other.stream == chunk.stream && other.unordered == chunk.unordered &&
           (chunk.unordered || other.ssn == chunk.ssn);
  };
  if (left != nullptr && (left->end != chunk.begin || (!left->end && !is_same_message(*left)))) return true;
  return right != nullptr && (right->begin != chunk.end || (!right->begin && !is_same_message(*right)));
}

Fragment* RxReassembly::insert_fragment(const DataChunk& chunk, Bytes payload) {
  const FragmentKey key = FragmentKey::of(chunk.tsn);
  Fragment* const fragment = fragments_.insert(key);
  if (fragment == nullptr) return nullptr;
  if (!payload.empty() && !fragment->payload.assign(payload)) {
    fragments_.erase(key);
    return nullptr;
  }
  fragment->stream = chunk.stream;
  fragment->ssn = chunk.ssn;
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
  used_ -= fragment->payload.size() + kOverhead;
  fragments_.erase(key);
}

void RxReassembly::tie_ends(const FragmentKey& key, const Run& run, bool too_large) {
  for (const auto& [near, far] : {std::pair(run.first, run.last), std::pair(run.last, run.first)}) {
    Fragment* const end = fragments_.find(key.at(near));
    end->other_end = far;
    end->run_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(run.bytes, 0xFFFFFFFF));
    end->too_large = too_large;
  }
}

RxReassembly::Added RxReassembly::add_fragment(const DataChunk& chunk, const Run& run) {
  if (insert_fragment(chunk, chunk.payload) == nullptr) return Added::NoRoom;
  tie_ends(FragmentKey::of(chunk.tsn), run, false);
  return Added::Accepted;
}

// The last missing piece: it goes from the packet into its place in the message, without being held in between.
RxReassembly::Added RxReassembly::complete(const DataChunk& chunk, const Run& run) {
  const FragmentKey key = FragmentKey::of(chunk.tsn);
  const std::uint32_t id = new_held(chunk, run, run.bytes);
  if (id == kNone) return Added::NoRoom;
  Message& message = held_[id].message;
  std::uint8_t* to = message.payload.data();
  for (std::uint32_t at = run.first; at != run.last + 1; ++at) {
    Bytes piece = chunk.payload;
    if (at != key.position) piece = fragments_.find(key.at(at))->payload;
    std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  // All fragments should carry the same PPID; if not, the first one's counts (SCTP-DATA-14).
  if (run.left) message.ppid = value_of(fragments_.find(key.at(run.first))->ppid);
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
  const FragmentKey key = FragmentKey::of(chunk.tsn);
  const bool is_whole = run.begins && run.ends;
  if (is_whole) {
    const std::uint32_t id = new_held(chunk, run, 0);
    if (id == kNone) return Added::NoRoom;
    held_[id].too_large = true;
    if (!deliver(id)) {
      free_held(id);
      return Added::NoRoom;
    }
  } else if (insert_fragment(chunk, {}) == nullptr) {
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

bool RxReassembly::give_up_message_before(Tsn tsn) {
  const FragmentKey key = FragmentKey::of(tsn - 1);
  const Fragment* const last = fragments_.find(key);
  if (last == nullptr || last->end || last->too_large) return false;
  Run run;
  run.last = key.position;
  run.first = last->other_end;
  run.bytes = last->run_bytes;
  const StreamId stream = last->stream;
  strip(key, run.first, run.last, false);
  tie_ends(key, run, true);
  note_too_large(stream);
  return true;
}

std::optional<RxReassembly::TsnRange> RxReassembly::evict_highest(Tsn above) {
  // Fragments first. fragment_high_ only ever comes down here, so a full buffer costs its span once.
  if (fragments_.size() != 0) {
    for (; fragment_high_ > above; fragment_high_ = fragment_high_ - 1) {
      const FragmentKey key = FragmentKey::of(fragment_high_);
      const Fragment* const fragment = fragments_.find(key);
      if (fragment == nullptr || fragment->too_large) continue;
      Run rest;  // nothing is held above it, so it is the last of its run
      rest.first = fragment->other_end;
      rest.last = key.position - 1;
      rest.bytes = fragment->run_bytes - fragment->payload.size();
      const bool is_alone = rest.first == key.position;
      erase_fragment(key);
      if (!is_alone) tie_ends(key, rest, false);
      return TsnRange{fragment_high_, fragment_high_};
    }
  }
  // Then a message that waits for its turn: the last of its stream.
  if (waiting_.empty()) return std::nullopt;
  const std::uint32_t id = waiting_.back().held;
  const TsnRange range{held_[id].first, held_[id].last};
  if (!(range.first > above)) return std::nullopt;
  waiting_.pop_back();
  free_held(id);
  return range;
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
