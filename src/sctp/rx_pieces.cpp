// The fourth part of rx_reassembly.h: messages given out before they are whole (RFC 9260 §6.9 calls it partial delivery), on
// streams for which the user asked for it.
//
// What has been given out leaves one fragment behind, the anchor: without payload, not charged, at the last position given.
// What comes next joins it like any other neighbour, so all rules of runs hold for a message in pieces too.
#include "sctp/rx_reassembly.h"

namespace pollrtc::sctp {

Status RxReassembly::receive_in_pieces(StreamId stream, bool on) {
  InPieces* pieces = in_pieces_.find(value_of(stream));
  if (pieces != nullptr && !on && !pieces->is_open) {
    in_pieces_.erase(value_of(stream));
    return {};
  }
  if (pieces == nullptr) {
    if (!on) return {};
    pieces = in_pieces_.insert(value_of(stream), InPieces{});
    if (pieces == nullptr) return fail(ErrorCode::OutOfMemory, "no memory for a stream in pieces");
  }
  pieces->on = on;
  return {};
}

bool RxReassembly::is_open(StreamId stream) const {
  if (in_pieces_.empty()) return false;
  const InPieces* const pieces = in_pieces_.find(value_of(stream));
  return pieces != nullptr && pieces->is_open;
}

// One message of a stream at a time. An unordered one begins only when nothing before it is missing, so that it never stands
// in the way of one that was sent earlier.
bool RxReassembly::is_due_in_pieces(const DataChunk& chunk, const Run& run, bool is_next) {
  if (in_pieces_.empty()) return false;
  const InPieces* const pieces = in_pieces_.find(value_of(chunk.stream));
  if (pieces == nullptr) return false;
  if (pieces->is_open) return run.left_given;
  if (!pieces->on || !run.begins) return false;
  if (defer_above_ && !interleaving_ && Tsn(run.first) > *defer_above_) return false;
  if (chunk.unordered) return is_next;
  Mid* const next = next_number(chunk.stream);
  return next != nullptr && order_of(number_of(chunk), *next) == *next;
}

// The run's payload goes to the user, without what was given before. False: no memory, nothing changed.
bool RxReassembly::give(const FragmentKey& key, const Run& run) {
  const Fragment& first = *fragments_.find(key.at(run.first));
  const StreamId stream = first.stream;
  InPieces& pieces = *in_pieces_.find(value_of(stream));
  const bool begins = !pieces.is_open;
  if (begins) {
    if (pieces.end = new_held(stream, first.unordered, 0); pieces.end == kNone) return false;
    Message& end = held_[pieces.end].message;  // not charged: it is only kept ready
    used_ -= std::exchange(end.charge, 0);
    end.begins = false;
    end.abandoned = true;
    end.ppid = value_of(first.ppid);
    pieces.ppid = first.ppid;
    pieces.unordered = first.unordered;
    pieces.number = first.unordered ? Mid(first.number) : *next_number_.find(stream);
  }
  const std::uint32_t from = begins ? run.first : run.first + 1;
  const std::uint32_t id = gather_piece(key, from, run);
  if (id == kNone) {
    if (begins) free_held(std::exchange(pieces.end, kNone));
    return false;
  }
  Message& piece = held_[id].message;
  piece.ppid = value_of(pieces.ppid);
  piece.begins = begins;
  piece.ends = run.ends;
  pieces.is_open = true;
  for (std::uint32_t at = run.first; at != run.last; ++at) erase_fragment(key.at(at));
  if (run.ends) {
    erase_fragment(key.at(run.last));
  } else {
    Fragment& anchor = *fragments_.find(key.at(run.last));
    used_ -= anchor.payload.size() + kOverhead;
    anchor.payload = Buffer(memory_);
    anchor.given = anchor.begin = true;
    anchor.other_end = run.last;
    anchor.run_bytes = static_cast<std::uint32_t>(run.bytes);
    pieces.anchor = anchor.key;
  }
  make_ready(id);
  if (run.ends) close_open(stream, true);
  return true;
}

// A single fragment, the common case, is handed on as it is.
std::uint32_t RxReassembly::gather_piece(const FragmentKey& key, std::uint32_t from, const Run& run) {
  std::size_t bytes = 0;
  for (std::uint32_t at = from; at != run.last + 1; ++at)
    bytes += fragments_.find(key.at(at))->payload.size();
  Fragment& first = *fragments_.find(key.at(from));
  const bool is_single = from == run.last;
  const std::uint32_t id = new_held(first.stream, first.unordered, is_single ? 0 : bytes);
  if (id == kNone) return kNone;
  Message& piece = held_[id].message;
  if (is_single) {
    piece.payload = std::move(first.payload);
    first.payload = Buffer(memory_);
    used_ -= bytes;
    piece.charge += bytes;
    used_ += bytes;
    return id;
  }
  std::uint8_t* to = piece.payload.data();
  for (std::uint32_t at = from; at != run.last + 1; ++at) {
    const Buffer& part = fragments_.find(key.at(at))->payload;
    std::memcpy(to, part.data(), part.size());
    to += part.size();
  }
  return id;
}

// What had to wait for the message to be over is given out.
void RxReassembly::close_open(StreamId stream, bool is_whole) {
  InPieces& pieces = *in_pieces_.find(value_of(stream));
  pieces.is_open = false;
  if (is_whole) free_held(pieces.end);
  pieces.end = kNone;
  if (is_whole && !pieces.unordered) ++*next_number_.find(stream);
  while (const WaitingMessage* const first = waiting_.first(stream, true)) {
    make_ready(first->held);
    waiting_.remove_first(stream, true);
  }
  deliver_waiting(stream);
}

void RxReassembly::set_next_fsn(StreamId stream, Fsn fsn) {
  InPieces& pieces = *in_pieces_.find(value_of(stream));
  const Fragment& old = *fragments_.find(pieces.anchor);
  const FragmentKey key = pieces.anchor.at(fsn.value() - 1);
  const std::uint32_t run_bytes = old.run_bytes;
  const Tsn tsn = old.tsn;
  DataChunk chunk;
  chunk.tsn = tsn;
  chunk.stream = old.stream;
  chunk.mid = Mid(old.number);
  chunk.unordered = old.unordered;
  erase_fragment(FragmentKey(pieces.anchor));
  Fragment* const anchor = insert_fragment(chunk, key, {});
  if (anchor == nullptr) return;
  used_ -= kOverhead;
  anchor->given = anchor->begin = true;
  anchor->run_bytes = run_bytes;
  pieces.anchor = key;
}

// The user learns that the rest will not come. Where the order goes on is the caller's to say.
void RxReassembly::abandon_open(StreamId stream) {
  const InPieces* const pieces = in_pieces_.find(value_of(stream));
  if (pieces == nullptr || !pieces->is_open) return;
  if (const Fragment* const anchor = fragments_.find(pieces->anchor); anchor != nullptr && anchor->given)
    erase_fragment(FragmentKey(pieces->anchor));
  make_ready(pieces->end);
  close_open(stream, false);
}

}  // namespace pollrtc::sctp
