#include "sctp/tx_queue.h"

namespace pollrtc::sctp {

namespace {
constexpr std::uint32_t kMostBuffered =
    0xFFF00000;  // of a stream, with what goes beyond its limit a number of 32 bits
}

TxQueue::TxQueue(const Environment& env, SchedulerPolicy policy)
    : limit_stream_(std::min<std::uint32_t>(env.limits.sctp_tx_buffer_channel, kMostBuffered)),
      limit_total_(env.limits.sctp_tx_buffer),
      messages_(env.memory, env.limits.sctp_outcomes),
      streams_(env.memory),
      by_id_(env.memory),
      paused_unused_(env.memory),
      scheduler_(env.memory, policy) {}

const TxQueue::Stream* TxQueue::find(StreamId id) const {
  const std::uint32_t* const at = by_id_.find(value_of(id));
  return at == nullptr ? nullptr : &streams_[*at];
}

TxQueue::Stream* TxQueue::find(StreamId id) {
  std::uint32_t* const at = by_id_.find(value_of(id));
  return at == nullptr ? nullptr : &streams_[*at];
}

TxQueue::Stream* TxQueue::find_or_make(StreamId id) {
  if (Stream* const stream = find(id)) {
    stream->is_over = false;
    return stream;
  }
  Stream fresh;
  fresh.id = id;
  fresh.is_paused = paused_unused_.contains(id);
  if (free_head_ == kNone) {
    if (!streams_.push_back(Stream{})) return nullptr;
    if (!scheduler_.reserve(std::bit_ceil(streams_.size()))) {
      streams_.pop_back();
      return nullptr;
    }
    free_head_ = static_cast<std::uint32_t>(streams_.size() - 1);
  }
  if (by_id_.insert(value_of(id), free_head_) == nullptr) return nullptr;
  Stream& stream = streams_[free_head_];
  free_head_ = std::exchange(stream, fresh).next_low;
  paused_unused_.erase(id);
  return &stream;
}

void TxQueue::forget(StreamId id) {
  Stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->is_over = true;
  free_if_over(*stream);
}

void TxQueue::free_if_over(Stream& stream) {
  if (!stream.is_over || stream.head != kNoMessage || stream.is_waiting || stream.is_held || stream.is_low ||
      stream.is_paused)
    return;
  const std::uint32_t index = index_of(stream);
  if (turn_ == index) return;
  by_id_.erase(value_of(stream.id));
  stream = Stream{};
  stream.next_low = std::exchange(free_head_, index);
}

std::uint32_t TxQueue::index_of(const Stream& stream) const {
  return static_cast<std::uint32_t>(&stream - streams_.begin());
}

Status TxQueue::push(Time now, const SendOptions& options, Bytes payload) {
  if (payload.empty()) return fail(ErrorCode::InvalidArgument, "a message has at least one byte");
  Stream* const stream = find_or_make(StreamId{options.stream});
  if (stream == nullptr) return fail(ErrorCode::OutOfMemory, "no memory for a stream");
  if (stream->open != kNoMessage) return fail(ErrorCode::InvalidState, "a message in pieces is not finished");
  if (has_expired_head(now, *stream)) drop_expired(now, *stream);
  if (options.report && messages_.outcomes().is_full())
    return fail(ErrorCode::LimitReached, "Limits::sctp_outcomes messages are asked about already");
  if (const Status room = make_room(*stream, payload.size(), options); !room) return room;
  if (enqueue(now, *stream, options, payload, false) == kNoMessage)
    return fail(ErrorCode::OutOfMemory, "no memory for the message");
  return {};
}

Status TxQueue::push_piece(Time now, const SendOptions& options, Bytes piece, bool last) {
  if (piece.empty()) return fail(ErrorCode::InvalidArgument, "a piece has at least one byte");
  Stream* const stream = find_or_make(StreamId{options.stream});
  if (stream == nullptr) return fail(ErrorCode::OutOfMemory, "no memory for a stream");
  drop_expired(now, *stream);
  if (stream->open == kNoMessage) {
    if (const Status room = make_room(*stream, piece.size(), options); !room) return room;
    const TxMessageId id = enqueue(now, *stream, options, piece, true);
    if (id == kNoMessage) return fail(ErrorCode::OutOfMemory, "no memory for the message");
    stream->open = id;
  } else {
    if (!fits_stream(*stream, piece.size()))
      return fail(ErrorCode::BufferFull, "the stream's buffer is full");
    if (!fits_total(piece.size())) return fail(ErrorCode::BufferFull, "the buffer of all streams is full");
    if (!messages_.append(stream->open, piece))
      return fail(ErrorCode::OutOfMemory, "no memory for the piece");
    count_in(*stream, messages_[stream->open], piece.size());
  }
  messages_[stream->open].open = !last;
  if (last) stream->open = kNoMessage;
  activate(*stream);
  return {};
}

TxMessageId TxQueue::enqueue(Time now, Stream& stream, const SendOptions& options, Bytes payload,
                             bool in_pieces) {
  const TxMessageId id = messages_.add(payload, in_pieces);
  if (id == kNoMessage) return kNoMessage;
  TxMessage& message = messages_[id];
  if (options.report) {
    message.outcome = messages_.outcomes().open(*options.report);
    if (message.outcome == TxOutcomes::kNone) {
      messages_.free_if_unused(id);
      return kNoMessage;
    }
  }
  message.stream = stream.id;
  message.ppid = Ppid{options.ppid};
  message.unordered = options.unordered;
  message.counted = !options.beyond_limits;
  message.queued = true;
  if (options.max_retransmits) message.max_retransmits = *options.max_retransmits;
  if (options.lifetime) message.expires = now + std::min(*options.lifetime, Duration(kNever - now));
  if (options.discard_priority) {
    message.discardable = true;
    message.priority = *options.discard_priority;
    ++discardable_;
  }
  if (stream.head == kNoMessage) {
    stream.head = id;
  } else {
    messages_[stream.tail].next = id;
  }
  stream.tail = id;
  charged_ += kMessageOverhead;
  count_in(stream, message, payload.size());
  activate(stream);
  return id;
}

void TxQueue::count_in(Stream& stream, const TxMessage& message, std::size_t bytes) {
  if (message.counted) stream.buffered += static_cast<std::uint32_t>(bytes);
  buffered_total_ += bytes;
  charged_ += bytes;
}

TxMessageId TxQueue::open_message(StreamId id) const {
  const Stream* const stream = find(id);
  return stream == nullptr ? kNoMessage : stream->open;
}

std::optional<StreamId> TxQueue::any_open() const {
  for (const Stream& stream : streams_)
    if (stream.open != kNoMessage) return stream.id;
  return std::nullopt;
}

bool TxQueue::is_sendable(const Stream& stream) const {
  return stream.head != kNoMessage && messages_[stream.head].unsent() != 0 &&
         (!stream.is_paused || stream.last_before_pause != kNoMessage);
}

// From now on the stream waits for its turn, if it has something to send and does not wait or have its turn already.
void TxQueue::activate(Stream& stream) {
  if (stream.is_waiting || stream.is_held || turn_ == index_of(stream) || !is_sendable(stream)) return;
  stream.is_waiting = true;
  scheduler_.add(index_of(stream), stream.share);
}

void TxQueue::end_turn() {
  Stream& stream = streams_[turn_];
  StreamScheduler::charge(stream.share, std::exchange(turn_bytes_, 0));
  turn_ = kNone;
  activate(stream);
}

void TxQueue::unlink_head(Stream& stream) {
  const TxMessageId id = stream.head;
  TxMessage& message = messages_[id];
  stream.head = std::exchange(message.next, kNoMessage);
  if (stream.head == kNoMessage) stream.tail = kNoMessage;
  if (stream.last_before_pause == id) stream.last_before_pause = kNoMessage;
  if (stream.open == id) stream.open = kNoMessage;
  message.queued = message.open = false;
  charged_ -= kMessageOverhead;
}

void TxQueue::drop_expired(Time now, Stream& stream) {
  while (has_expired_head(now, stream)) {
    const TxMessageId id = stream.head;
    TxMessage& message = messages_[id];
    message.abandoned = true;
    if (std::exchange(message.discardable, false)) --discardable_;
    lower(stream, message, message.size);
    unlink_head(stream);
    messages_.free_if_unused(id);
  }
}

void TxQueue::lower(Stream& stream, const TxMessage& message, std::size_t bytes) {
  buffered_total_ -= bytes;
  charged_ -= bytes;
  if (!message.counted) return;
  const bool was_above = stream.buffered > stream.low_threshold;
  stream.buffered -= static_cast<std::uint32_t>(bytes);
  if (!was_above || stream.buffered > stream.low_threshold || stream.is_low) return;
  stream.is_low = true;
  stream.next_low = kNone;
  const std::uint32_t index = index_of(stream);
  if (low_head_ == kNone) {
    low_head_ = index;
  } else {
    streams_[low_tail_].next_low = index;
  }
  low_tail_ = index;
}

TxMessageId TxQueue::current(Time now) {
  // A message in pieces whose next one has not come keeps its turn: without I-DATA nothing may come in between.
  if (turn_ != kNone) return is_sendable(streams_[turn_]) ? streams_[turn_].head : kNoMessage;
  while (!scheduler_.empty()) {
    Stream& stream = streams_[scheduler_.first()];
    if (has_expired_head(now, stream)) drop_expired(now, stream);
    const bool can_send = is_sendable(stream);
    if (can_send && may_begin(stream, messages_[stream.head])) return stream.head;
    scheduler_.pop_first();
    stream.is_waiting = false;
    if (can_send) {
      hold(stream);
    } else {
      if (let_go_ == index_of(stream)) let_go_ = kNone;  // for a message that is gone
      let_one_go();
    }
  }
  return kNoMessage;
}

// One may always be under way, however large, and one of a single chunk passes in any case. A message in pieces is none that
// the peer could hold as a whole. Who has been held longer comes first, or there would never be room for the largest.
bool TxQueue::may_begin(const Stream& stream, const TxMessage& message) const {
  if (!interleaving_ || message.begun || message.in_pieces || under_way_ == 0 || is_single_chunk(message))
    return true;
  const bool is_first = let_go_ == index_of(stream) || (let_go_ == kNone && held_head_ == kNone);
  return is_first && under_way_ + message.size <= under_way_limit_;
}

// Behind the others; one that was let go and found too little room stays the first.
void TxQueue::hold(Stream& stream) {
  const std::uint32_t index = index_of(stream);
  const bool was_first = let_go_ == index;
  if (was_first) let_go_ = kNone;
  stream.is_held = true;
  stream.next_held = was_first ? held_head_ : kNone;
  if (held_head_ == kNone) {
    held_head_ = held_tail_ = index;
  } else if (was_first) {
    held_head_ = index;
  } else {
    streams_[held_tail_].next_held = index;
    held_tail_ = index;
  }
}

// Called for each message that begins or ends, and for each stream that has nothing to send when its turn comes: so there is
// always one under way, or one that may begin. One at a time: it begins, or is held again, or has nothing to send.
void TxQueue::let_one_go() {
  while (let_go_ == kNone && held_head_ != kNone) {
    Stream& stream = streams_[held_head_];
    const std::uint32_t index = std::exchange(held_head_, stream.next_held);
    stream.is_held = false;
    activate(stream);
    if (stream.is_waiting) let_go_ = index;
  }
}

void TxQueue::end_under_way(const TxMessage& message) {
  if (!message.in_pieces) under_way_ -= message.size;  // only those in pieces may end before they have begun
  let_one_go();
}

TxQueue::Fragment TxQueue::take(std::size_t length) {
  if (turn_ == kNone) {
    turn_ = scheduler_.first();
    streams_[turn_].is_waiting = false;
    scheduler_.begin_turn(streams_[turn_].share);
  }
  Stream& stream = streams_[turn_];
  const TxMessageId id = stream.head;
  TxMessage& message = messages_[id];
  POLLRTC_ASSERT(length != 0 && length <= message.unsent());
  Fragment fragment;
  fragment.message = id;
  fragment.offset = message.sent;
  fragment.length = static_cast<std::uint16_t>(length);
  fragment.begin = !message.begun;
  if (fragment.begin) {
    message.begun = true;
    message.number = stream.next_number[message.unordered ? 1 : 0]++;
    if (std::exchange(message.discardable, false)) --discardable_;
    if (!message.in_pieces) under_way_ += message.size;
    if (let_go_ == turn_) let_go_ = kNone;
  }
  fragment.fsn = message.next_fsn++;
  message.sent += fragment.length;
  fragment.end = message.unsent() == 0 && !message.open;
  lower(stream, message, length);
  turn_bytes_ += length;
  if (fragment.end) unlink_head(stream);
  if (fragment.end || interleaving_) end_turn();
  if (fragment.end) {
    messages_.tell_sent(message);
    end_under_way(message);
  } else if (fragment.begin) {
    let_one_go();
  }
  return fragment;
}

bool TxQueue::abandon(TxMessageId id) {
  TxMessage& message = messages_[id];
  POLLRTC_ASSERT(message.begun || message.in_pieces);
  message.abandoned = true;
  messages_.tell_end(message, MessageOutcome::Abandoned);
  if (!message.queued) return false;
  Stream& stream = *find(message.stream);
  if (id != stream.head) {  // in pieces and not begun, behind others that stay
    unlink_abandoned(stream);
    return true;
  }
  if (std::exchange(message.discardable, false)) --discardable_;
  lower(stream, message, message.unsent());
  unlink_head(stream);
  if (turn_ == index_of(stream)) {
    end_turn();
  } else {
    activate(stream);
  }
  end_under_way(message);
  return true;
}

std::size_t TxQueue::buffered_amount(StreamId id) const {
  const Stream* const stream = find(id);
  return stream == nullptr ? 0 : stream->buffered;
}

void TxQueue::set_low_threshold(StreamId id, std::size_t bytes) {
  if (Stream* const stream = find_or_make(id)) {
    stream->low_threshold = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, 0xFFFFFFFF));
  }
}

std::optional<StreamId> TxQueue::pop_low() {
  if (low_head_ == kNone) return std::nullopt;
  Stream& stream = streams_[low_head_];
  low_head_ = stream.next_low;
  stream.is_low = false;
  const StreamId id = stream.id;
  free_if_over(stream);
  return id;
}

void TxQueue::set_weight(StreamId id, std::uint16_t weight) {
  if (Stream* const stream = find_or_make(id)) stream->share.weight = weight;
}

bool TxQueue::pause(StreamId id) {
  Stream* const stream = find(id);
  if (stream == nullptr) {
    if (!paused_unused_.reserve()) return false;
    paused_unused_.insert(id);
    return true;
  }
  stream->is_paused = true;
  stream->last_before_pause = stream->tail;
  return true;
}

bool TxQueue::is_drained(StreamId id) const {
  const Stream* const stream = find(id);
  return stream == nullptr ||
         (stream->is_paused ? stream->last_before_pause == kNoMessage : stream->head == kNoMessage);
}

void TxQueue::resume(StreamId id, bool restart_numbers) {
  paused_unused_.erase(id);
  Stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->is_paused = false;
  if (restart_numbers) {
    stream->next_number = {};
    stream->is_over =
        stream->head == kNoMessage;  // else it goes on: those that waited have numbers of its new life
  }
  activate(*stream);
  free_if_over(*stream);
}

void TxQueue::set_next_ssn(StreamId id, Ssn ssn) { set_next_mid(id, false, Mid(ssn.value())); }

void TxQueue::set_next_mid(StreamId id, bool unordered, Mid mid) {
  if (Stream* const stream = find_or_make(id)) stream->next_number[unordered ? 1 : 0] = mid;
}

}  // namespace pollrtc::sctp
