// The third policy of partial reliability: when the send buffer is full, messages of a lower priority are given up for one
// of a higher (RFC 7496 §3.2). Part of tx_queue.h.
//
// Only messages that have no TSN yet: they take up the buffer, and nobody need be told of them.
#include <algorithm>

#include "sctp/tx_queue.h"

namespace pollrtc::sctp {

// Nothing is given up unless it makes room enough.
Status TxQueue::make_room(const Stream& stream, std::size_t bytes, const SendOptions& options) {
  if (options.beyond_limits || (fits_stream(stream, bytes) && fits_total(bytes + kMessageOverhead)))
    return {};
  const bool stream_is_full = !fits_stream(stream, bytes);
  // A message without a priority is reliable, or has limits of its own, and stands above all that have one.
  const int priority = options.discard_priority ? *options.discard_priority : -1;
  if (discardable_ != 0 && discard_below(stream, bytes, priority)) return {};
  return fail(ErrorCode::BufferFull,
              stream_is_full ? "the stream's buffer is full" : "the buffer of all streams is full");
}

// The lowest priority first, and of one priority the message that was handed in last. When the stream itself is full, only
// its own messages help.
bool TxQueue::discard_below(const Stream& stream, std::size_t bytes, int priority) {
  Vec<Candidate> found(messages_.memory());
  const bool stream_is_full = !fits_stream(stream, bytes);
  for (const Stream& other : streams_) {
    if (stream_is_full && &other != &stream) continue;
    if (!collect_below(other, priority, found)) return false;
  }
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.position > b.position;
  });
  std::size_t freed = 0, freed_here = 0, count = 0;
  const auto is_enough = [&] {
    return stream.buffered + bytes <= limit_stream_ + freed_here &&
           charged_ + bytes + kMessageOverhead <= limit_total_ + freed;
  };
  for (; count < found.size() && !is_enough(); ++count) {
    const TxMessage& message = messages_[found[count].message];
    if (message.stream == stream.id && message.counted) freed_here += message.size;
    freed += message.size + kMessageOverhead;
  }
  if (!is_enough()) return false;
  for (std::size_t i = 0; i < count; ++i) messages_[found[i].message].abandoned = true;
  for (Stream& other : streams_) unlink_abandoned(other);
  for (std::size_t i = 0; i < count; ++i) messages_.free_if_unused(found[i].message);
  return true;
}

bool TxQueue::collect_below(const Stream& stream, int priority, Vec<Candidate>& found) const {
  for (TxMessageId id = stream.head; id != kNoMessage; id = messages_[id].next) {
    const TxMessage& message = messages_[id];
    if (!message.discardable || int{message.priority} <= priority) continue;
    if (!found.push_back({message.priority, static_cast<std::uint32_t>(found.size()), id})) return false;
  }
  return true;
}

// Wherever in the queue they are; none of them has a TSN.
void TxQueue::unlink_abandoned(Stream& stream) {
  TxMessageId kept = kNoMessage, kept_before_pause = kNoMessage;
  bool before_pause = stream.last_before_pause != kNoMessage;
  for (TxMessageId id = stream.head; id != kNoMessage;) {
    TxMessage& message = messages_[id];
    const TxMessageId next = message.next;
    const bool was_last_before_pause = id == stream.last_before_pause;
    if (message.abandoned) {
      (kept == kNoMessage ? stream.head : messages_[kept].next) = next;
      message.next = kNoMessage;
      message.queued = message.open = false;
      if (stream.open == id) stream.open = kNoMessage;
      if (std::exchange(message.discardable, false)) --discardable_;
      charged_ -= kMessageOverhead;
      lower(stream, message, message.size);
    } else {
      kept = id;
      if (before_pause) kept_before_pause = id;
    }
    if (was_last_before_pause) before_pause = false;
    id = next;
  }
  stream.tail = kept;
  stream.last_before_pause = kept_before_pause;
}

}  // namespace pollrtc::sctp
