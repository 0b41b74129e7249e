#include "sctp/tx_queue.h"

namespace pollrtc::sctp {

TxQueue::TxQueue(const Environment& env)
    : limit_stream_(env.limits.sctp_tx_buffer_channel),
      limit_total_(env.limits.sctp_tx_buffer),
      messages_(env.memory, env.limits.sctp_outcomes),
      streams_(env.memory),
      by_id_(env.memory) {}

const TxQueue::Stream* TxQueue::find(StreamId id) const {
  const std::uint32_t* const at = by_id_.find(value_of(id));
  return at == nullptr ? nullptr : &streams_[*at];
}

TxQueue::Stream* TxQueue::find(StreamId id) {
  std::uint32_t* const at = by_id_.find(value_of(id));
  return at == nullptr ? nullptr : &streams_[*at];
}

TxQueue::Stream* TxQueue::find_or_make(StreamId id) {
  if (Stream* const stream = find(id)) return stream;
  Stream fresh;
  fresh.id = id;
  if (!streams_.push_back(fresh)) return nullptr;
  if (by_id_.insert(value_of(id), static_cast<std::uint32_t>(streams_.size() - 1)) == nullptr) {
    streams_.pop_back();
    return nullptr;
  }
  return &streams_.back();
}

std::uint32_t TxQueue::index_of(const Stream& stream) const {
  return static_cast<std::uint32_t>(&stream - streams_.begin());
}

Status TxQueue::push(Time now, const SendOptions& options, Bytes payload) {
  if (payload.empty()) return fail(ErrorCode::InvalidArgument, "a message has at least one byte");
  Stream* const stream = find_or_make(StreamId{options.stream});
  if (stream == nullptr) return fail(ErrorCode::OutOfMemory, "no memory for a stream");
  drop_expired(now, *stream);
  if (!options.beyond_limits && stream->buffered + payload.size() > limit_stream_)
    return fail(ErrorCode::BufferFull, "the stream's buffer is full");
  if (!options.beyond_limits && charged_ + payload.size() + kMessageOverhead > limit_total_)
    return fail(ErrorCode::BufferFull, "the buffer of all streams is full");
  if (options.report && messages_.outcomes().is_full())
    return fail(ErrorCode::LimitReached, "Limits::sctp_outcomes messages are asked about already");
  const TxMessageId id = messages_.add(payload);
  if (id == kNoMessage) return fail(ErrorCode::OutOfMemory, "no memory for the message");

  TxMessage& message = messages_[id];
  if (options.report) {
    message.outcome = messages_.outcomes().open(*options.report, stream->id);
    if (message.outcome == TxOutcomes::kNone) {
      messages_.free_if_unused(id);
      return fail(ErrorCode::OutOfMemory, "no memory to remember who asked");
    }
  }
  message.stream = stream->id;
  message.ppid = Ppid{options.ppid};
  message.unordered = options.unordered;
  message.queued = true;
  if (options.max_retransmits) message.max_retransmits = *options.max_retransmits;
  if (options.lifetime) message.expires = now + std::min(*options.lifetime, Duration(kNever - now));
  if (stream->head == kNoMessage) {
    stream->head = id;
  } else {
    messages_[stream->tail].next = id;
  }
  stream->tail = id;
  stream->buffered += payload.size();
  buffered_total_ += payload.size();
  charged_ += payload.size() + kMessageOverhead;
  activate(*stream);
  return {};
}

bool TxQueue::is_sendable(const Stream& stream) const {
  return stream.head != kNoMessage && (!stream.is_paused || stream.last_before_pause != kNoMessage);
}

// Puts the stream at the end of those whose turn comes.
void TxQueue::activate(Stream& stream) {
  if (stream.is_active || !is_sendable(stream)) return;
  stream.is_active = true;
  stream.next_active = kNone;
  const std::uint32_t index = index_of(stream);
  if (active_head_ == kNone) {
    active_head_ = index;
  } else {
    streams_[active_tail_].next_active = index;
  }
  active_tail_ = index;
}

// The stream whose turn it was goes to the end, or leaves when it has nothing to send.
void TxQueue::rotate() {
  Stream& stream = streams_[active_head_];
  active_head_ = stream.next_active;
  stream.is_active = false;
  activate(stream);
}

void TxQueue::unlink_head(Stream& stream) {
  const TxMessageId id = stream.head;
  TxMessage& message = messages_[id];
  stream.head = std::exchange(message.next, kNoMessage);
  if (stream.head == kNoMessage) stream.tail = kNoMessage;
  if (stream.last_before_pause == id) stream.last_before_pause = kNoMessage;
  message.queued = false;
  charged_ -= kMessageOverhead;
}

void TxQueue::drop_expired(Time now, Stream& stream) {
  while (stream.head != kNoMessage && stream.head != current_) {
    const TxMessageId id = stream.head;
    if (!is_expired(messages_[id], now)) return;
    messages_[id].abandoned = true;
    lower(stream, messages_[id].payload.size());
    unlink_head(stream);
    messages_.free_if_unused(id);
  }
}

void TxQueue::lower(Stream& stream, std::size_t bytes) {
  const bool was_above = stream.buffered > stream.low_threshold;
  stream.buffered -= bytes;
  buffered_total_ -= bytes;
  charged_ -= bytes;
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
  if (current_ != kNoMessage) return current_;
  while (active_head_ != kNone) {
    Stream& stream = streams_[active_head_];
    drop_expired(now, stream);
    if (is_sendable(stream)) return stream.head;
    rotate();
  }
  return kNoMessage;
}

TxQueue::Fragment TxQueue::take(std::size_t length) {
  Stream& stream = streams_[active_head_];
  const TxMessageId id = stream.head;
  TxMessage& message = messages_[id];
  POLLRTC_ASSERT(length != 0 && message.sent + length <= message.payload.size());
  Fragment fragment;
  fragment.message = id;
  fragment.offset = message.sent;
  fragment.length = static_cast<std::uint16_t>(length);
  fragment.begin = message.sent == 0;
  if (fragment.begin && !message.unordered) message.ssn = stream.next_ssn++;
  message.sent += fragment.length;
  fragment.end = message.sent == message.payload.size();
  lower(stream, length);
  if (fragment.end) {
    messages_.tell_sent(message);
    current_ = kNoMessage;
    unlink_head(stream);
    rotate();
  } else {
    current_ = id;
  }
  return fragment;
}

bool TxQueue::abandon(TxMessageId id) {
  TxMessage& message = messages_[id];
  message.abandoned = true;
  messages_.tell_end(message, MessageOutcome::Abandoned);
  if (!message.queued) return false;
  POLLRTC_ASSERT(id == current_);
  Stream& stream = streams_[active_head_];
  lower(stream, message.payload.size() - message.sent);
  unlink_head(stream);
  current_ = kNoMessage;
  rotate();
  return true;
}

std::size_t TxQueue::buffered_amount(StreamId id) const {
  const Stream* const stream = find(id);
  return stream == nullptr ? 0 : stream->buffered;
}

void TxQueue::set_low_threshold(StreamId id, std::size_t bytes) {
  if (Stream* const stream = find_or_make(id)) stream->low_threshold = bytes;
}

std::optional<StreamId> TxQueue::pop_low() {
  if (low_head_ == kNone) return std::nullopt;
  Stream& stream = streams_[low_head_];
  low_head_ = stream.next_low;
  stream.is_low = false;
  return stream.id;
}

void TxQueue::set_weight(StreamId id, std::uint16_t weight) {
  if (Stream* const stream = find_or_make(id)) stream->weight = weight;
}

bool TxQueue::pause(StreamId id) {
  Stream* const stream = find_or_make(id);
  if (stream == nullptr) return false;
  stream->is_paused = true;
  stream->last_before_pause = stream->tail;
  return true;
}

bool TxQueue::is_drained(StreamId id) const {
  const Stream* const stream = find(id);
  return stream == nullptr ||
         (stream->is_paused ? stream->last_before_pause == kNoMessage : stream->head == kNoMessage);
}

void TxQueue::resume(StreamId id, bool restart_ssn) {
  Stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->is_paused = false;
  stream->last_before_pause = kNoMessage;
  if (restart_ssn) stream->next_ssn = Ssn(0);
  activate(*stream);
}

void TxQueue::set_next_ssn(StreamId id, Ssn ssn) {
  if (Stream* const stream = find_or_make(id)) stream->next_ssn = ssn;
}

}  // namespace pollrtc::sctp
