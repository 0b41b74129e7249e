// Messages that wait for their first transmission: one queue a stream, made on first use, and whose turn it
// is (RFC 9260 §6.5, §6.9; RFC 8260 §3 for the scheduling of streams; RFC 3758 §4.1 TR3 for lifetimes).
//
// Streams take turns by whole messages: all fragments of a message have consecutive TSNs (RFC 9260 §6.9).
// With I-DATA (RFC 8260) the turn may change after each fragment; take() is the only place that would know.
#pragma once

#include <optional>

#include "pollrtc/result.h"
#include "sctp/association.h"
#include "sctp/tx_message.h"

namespace pollrtc::sctp {

class TxQueue {
 public:
  // Counted for each message in the limit of all streams together, so that small ones do not cost more than
  // it says.
  static constexpr std::size_t kMessageOverhead = 128;

  explicit TxQueue(const Environment& env);

  // Errors: InvalidArgument (empty), BufferFull, OutOfMemory. Stream range and the peer's largest message are
  // the caller's to check. Stale messages at the head of the stream's queue make room first.
  Status push(Time now, const SendOptions& options, Bytes payload);

  // Limits of reliability are heeded only when the peer can be told what was given up (SCTP-PR-13).
  void set_partial_reliability(bool supported) { partial_reliability_ = supported; }
  bool is_expired(const TxMessage& message, Time now) const {
    return partial_reliability_ && message.expires <= now;
  }
  std::uint32_t max_retransmits(const TxMessage& message) const {
    return partial_reliability_ ? message.max_retransmits : TxMessage::kUnlimited;
  }

  // The message whose turn it is; it stays the same until it is sent or given up. Messages that expired
  // before they got a TSN vanish here (TR3). kNoMessage: nothing to send.
  TxMessageId current(Time now);
  // The next `length` bytes of the current message get a TSN. Gives the message its SSN with the first of
  // them.
  struct Fragment {
    TxMessageId message = kNoMessage;
    std::uint32_t offset = 0;
    std::uint16_t length = 0;
    bool begin = false, end = false;
  };
  Fragment take(std::size_t length);
  // The message is abandoned: what was not sent of it never will be. True: something was unsent.
  bool abandon(TxMessageId id);

  std::size_t buffered_amount(StreamId stream) const;
  std::size_t buffered_total() const { return buffered_total_; }
  bool empty() const { return buffered_total_ == 0; }  // of streams that wait for their reset, too
  void set_low_threshold(StreamId stream, std::size_t bytes);
  // A stream whose buffered amount came down to its threshold, from above it.
  std::optional<StreamId> pop_low();
  void set_weight(StreamId stream, std::uint16_t weight);
  void set_next_ssn(StreamId stream, Ssn ssn);  // for tests of wrap-around

  // Resetting (RFC 6525 §5.1.2): messages pushed after pause() wait; is_drained() says that those before have
  // TSNs.
  bool pause(StreamId stream);  // false: no memory
  bool is_drained(StreamId stream) const;
  void resume(StreamId stream, bool restart_ssn);

  TxMessages& messages() { return messages_; }
  const TxMessages& messages() const { return messages_; }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Stream {
    StreamId id{};
    Ssn next_ssn;
    std::uint16_t weight = 256;  // RFC 8831 §6.4: "normal"; kept for the scheduler that will use it
    bool is_active = false;      // in the ring of those whose turn comes
    bool is_low = false;         // in the list of those to report
    bool is_paused = false;
    TxMessageId head = kNoMessage, tail = kNoMessage;
    TxMessageId last_before_pause = kNoMessage;
    std::uint32_t next_active = kNone, next_low = kNone;
    std::size_t buffered = 0;
    std::size_t low_threshold = 0;
  };

  std::uint32_t index_of(const Stream& stream) const;
  Stream* find(StreamId id);
  const Stream* find(StreamId id) const;
  Stream* find_or_make(StreamId id);
  bool is_sendable(const Stream& stream) const;
  void activate(Stream& stream);
  void unlink_head(Stream& stream);
  void rotate();
  void drop_expired(Time now, Stream& stream);
  void lower(Stream& stream, std::size_t bytes);

  std::size_t limit_stream_, limit_total_;
  bool partial_reliability_ = true;
  TxMessages messages_;
  Vec<Stream> streams_;
  FlatMap<std::uint16_t, std::uint32_t> by_id_;
  std::uint32_t active_head_ = kNone, active_tail_ = kNone;
  std::uint32_t low_head_ = kNone, low_tail_ = kNone;
  TxMessageId current_ = kNoMessage;
  std::size_t buffered_total_ = 0;
  std::size_t charged_ = 0;  // payload and overhead of all that waits
};

}  // namespace pollrtc::sctp
