// Messages that wait for their first transmission: one queue a stream, made on first use, and whose turn it
// is (RFC 9260 §6.5, §6.9; RFC 8260 §3 for the scheduling of streams; RFC 3758 §4.1 TR3 for lifetimes; RFC 7496 §3.2 for
// priorities).
//
// Without I-DATA streams take turns by whole messages: all fragments of a message have consecutive TSNs (RFC 9260 §6.9).
// With it (RFC 8260 §2.2.2) a turn is one chunk, and each stream has one message under way.
#pragma once

#include <array>
#include <optional>

#include "pollrtc/result.h"
#include "sctp/association.h"
#include "sctp/stream_scheduler.h"
#include "sctp/stream_set.h"
#include "sctp/tx_message.h"

namespace pollrtc::sctp {

class TxQueue {
 public:
  // Counted for each message in the limit of all streams together, so that small ones do not cost more than
  // it says.
  static constexpr std::size_t kMessageOverhead = 128;
  // Up to this size a message fits one chunk of any path. With I-DATA it goes in one, and does not wait for those under
  // way, since the peer never holds a part of it.
  static constexpr std::size_t kSingleChunk = 400;

  explicit TxQueue(const Environment& env, SchedulerPolicy policy = SchedulerPolicy::WeightedFair);

  // Errors: InvalidArgument (empty), InvalidState (a message in pieces is open on the stream), BufferFull, OutOfMemory.
  // Stream range and the peer's largest message are the caller's to check. Stale messages at the head of the stream's queue
  // make room first, then those of a lower priority.
  Status push(Time now, const SendOptions& options, Bytes payload);
  // A message in pieces: the first call for a stream begins it, `last` ends it; `options` count with the first.
  Status push_piece(Time now, const SendOptions& options, Bytes piece, bool last);
  // The message in pieces that is not finished on this stream, or kNoMessage.
  TxMessageId open_message(StreamId stream) const;
  // Any stream that has one.
  std::optional<StreamId> any_open() const;

  // Limits of reliability are heeded only when the peer can be told what was given up (SCTP-PR-13).
  void set_partial_reliability(bool supported) { partial_reliability_ = supported; }
  bool is_expired(const TxMessage& message, Time now) const {
    return partial_reliability_ && message.expires <= now;
  }
  std::uint32_t max_retransmits(const TxMessage& message) const {
    return partial_reliability_ ? message.max_retransmits : TxMessage::kUnlimited;
  }
  // Both ends speak I-DATA. Before the first message.
  void set_interleaving(bool on) { interleaving_ = on; }
  bool interleaving() const { return interleaving_; }
  // What the peer offered to hold at the start. With I-DATA the messages under way together keep to half of it: a peer that
  // gives messages out whole could else come to hold nothing but parts, with no room for what would complete one.
  void set_peer_window(std::size_t bytes) { under_way_limit_ = bytes / 2; }

  bool is_single_chunk(const TxMessage& message) const {
    return interleaving_ && !message.begun && !message.in_pieces && message.size <= kSingleChunk;
  }

  // The message whose turn it is; without a push in between it stays the same until it is sent or given up. Messages that
  // expired before they got a TSN vanish here (TR3). kNoMessage: nothing to send.
  TxMessageId current(Time now);
  // The next `length` bytes of the current message get a TSN. Gives the message its number with the first of
  // them.
  struct Fragment {
    TxMessageId message = kNoMessage;
    std::uint32_t offset = 0;
    Fsn fsn;
    std::uint16_t length = 0;
    bool begin = false, end = false;
  };
  Fragment take(std::size_t length);
  // The message is abandoned: what was not sent of it never will be. True: something was unsent, or still to come.
  bool abandon(TxMessageId id);

  std::size_t buffered_amount(StreamId stream) const;
  std::size_t buffered_total() const { return buffered_total_; }
  bool empty() const { return buffered_total_ == 0; }  // of streams that wait for their reset, too
  void set_low_threshold(StreamId stream, std::size_t bytes);
  // A stream whose buffered amount came down to its threshold, from above it.
  std::optional<StreamId> pop_low();
  bool has_low() const { return low_head_ != kNone; }
  void set_weight(StreamId stream, std::uint16_t weight);
  void set_next_ssn(StreamId stream, Ssn ssn);  // these two for tests of wrap-around
  void set_next_mid(StreamId stream, bool unordered, Mid mid);

  // Resetting (RFC 6525 §5.1.2): messages pushed after pause() wait; is_drained() says that those before have
  // TSNs.
  bool pause(StreamId stream);  // false: no memory
  bool is_drained(StreamId stream) const;
  void resume(StreamId stream, bool restart_numbers);
  // Its numbers and settings, as soon as it holds no message: there is one entry for each stream that is used, not for each
  // that ever was.
  void forget(StreamId stream);

  TxMessages& messages() { return messages_; }
  const TxMessages& messages() const { return messages_; }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Stream {  // small, since there may be 65,535
    StreamScheduler::Share share;
    std::array<Mid, 2> next_number;  // of ordered and of unordered messages (RFC 8260 §2.1)
    TxMessageId head = kNoMessage, tail = kNoMessage;
    TxMessageId last_before_pause = kNoMessage;
    TxMessageId open = kNoMessage;  // in pieces, not finished; nothing comes behind it
    std::uint32_t next_low = kNone, next_held = kNone;
    std::uint32_t buffered = 0, low_threshold = 0;
    StreamId id{};
    bool is_waiting = false;  // for its turn
    bool is_held = false;     // until the messages under way leave room for its next one
    bool is_low = false;      // in the list of those to report
    bool is_paused = false;
    bool is_over = false;  // to be forgotten
  };
  struct Candidate {  // to be given up for a message of a higher priority
    std::uint16_t priority;
    std::uint32_t position;
    TxMessageId message;
  };

  std::uint32_t index_of(const Stream& stream) const;
  Stream* find(StreamId id);
  const Stream* find(StreamId id) const;
  Stream* find_or_make(StreamId id);
  bool is_sendable(const Stream& stream) const;
  bool may_begin(const Stream& stream, const TxMessage& message) const;
  void hold(Stream& stream);
  void let_one_go();
  void end_under_way(const TxMessage& message);
  void activate(Stream& stream);
  void end_turn();
  void free_if_over(Stream& stream);
  void unlink_head(Stream& stream);
  bool has_expired_head(Time now, const Stream& stream) const {
    return stream.head != kNoMessage && is_expired(messages_[stream.head], now) &&
           !messages_[stream.head].begun;
  }
  void drop_expired(Time now, Stream& stream);
  void lower(Stream& stream, const TxMessage& message, std::size_t bytes);
  TxMessageId enqueue(Time now, Stream& stream, const SendOptions& options, Bytes payload, bool in_pieces);
  void count_in(Stream& stream, const TxMessage& message, std::size_t bytes);
  // tx_discard.cpp
  Status make_room(const Stream& stream, std::size_t bytes, const SendOptions& options);
  bool discard_below(const Stream& stream, std::size_t bytes, int priority);
  bool collect_below(const Stream& stream, int priority, Vec<Candidate>& found) const;
  void unlink_abandoned(Stream& stream);
  bool fits_stream(const Stream& stream, std::size_t bytes) const {
    return stream.buffered + bytes <= limit_stream_;
  }
  bool fits_total(std::size_t bytes) const { return charged_ + bytes <= limit_total_; }

  std::size_t limit_stream_, limit_total_;
  bool partial_reliability_ = true;
  bool interleaving_ = false;
  TxMessages messages_;
  Vec<Stream> streams_;
  FlatMap<std::uint16_t, std::uint32_t> by_id_;
  // Streams that nothing was sent on yet: a peer that makes us reset thousands costs a bit for each.
  StreamSet paused_unused_;
  StreamScheduler scheduler_;
  std::uint32_t turn_ = kNone;  // the stream that has begun a message others must wait for
  std::uint64_t turn_bytes_ = 0;
  std::size_t under_way_ = 0;  // bytes of messages whose first ones have a TSN and whose last ones have not
  std::size_t under_way_limit_ = static_cast<std::size_t>(-1);
  std::uint32_t held_head_ = kNone, held_tail_ = kNone;
  std::uint32_t let_go_ = kNone;  // the one of them that waits for its turn now
  std::uint32_t low_head_ = kNone, low_tail_ = kNone;
  std::uint32_t free_head_ = kNone;  // of streams_, by next_low
  std::size_t buffered_total_ = 0;
  std::size_t charged_ = 0;      // payload and overhead of all that waits
  std::size_t discardable_ = 0;  // messages of the priority policy that have no TSN yet
};

}  // namespace pollrtc::sctp
