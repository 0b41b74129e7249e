// The messages handed in by the user, from send() until the peer has acknowledged their last byte. The queue
// and the chunks in flight refer to a message by its number here; its payload is copied once and never moves.
//
// A message in pieces has a window instead: the bytes from the first one that is not acknowledged to the last one handed
// in, at their offset modulo the capacity, a power of two. Its offsets may wrap, so it can be of any size. No chunk of it
// lies across the end of the window, and a larger window keeps it so, since its end is an end of the smaller one too.
#pragma once

#include <bit>

#include "base/memory.h"
#include "sctp/internal_types.h"
#include "sctp/tx_outcomes.h"

namespace pollrtc::sctp {

using TxMessageId = std::uint32_t;
inline constexpr TxMessageId kNoMessage = 0xFFFFFFFF;

struct TxMessage {
  explicit TxMessage(const Memory& memory) : payload(memory) {}
  Buffer payload;
  StreamId stream{};
  Mid number;  // given with the first TSN: the MID; without I-DATA its lower half is the SSN
  Fsn next_fsn;
  Ppid ppid{};
  bool unordered = false;
  bool abandoned = false;  // RFC 3758 §3.4
  bool queued = false;     // the queue still refers to it
  bool in_pieces = false;
  bool begun = false;        // its first bytes have a TSN
  bool open = false;         // in pieces, and the last one has not come
  bool counted = true;       // in the amount that the stream has buffered
  bool discardable = false;  // RFC 7496 §3.2, with this priority; 0 is the highest
  std::uint16_t priority = 0;
  std::uint32_t max_retransmits = kUnlimited;  // RFC 7496 §3.1
  Time expires = kNever;                       // RFC 3758 §4.1
  std::uint32_t size = 0;                      // bytes handed in
  std::uint32_t sent = 0;                      // bytes that have a TSN
  std::uint32_t acknowledged = 0;              // in pieces: bytes that are gone
  std::uint32_t chunks = 0;                    // of it in flight or not yet passed by the cumulative ack
  Tsn last_tsn;                                // of those, when there are any
  TxMessageId next = kNoMessage;               // in its stream's queue, or among the free ones
  std::uint32_t outcome = TxOutcomes::kNone;   // its place among the messages that somebody asked about

  static constexpr std::uint32_t kUnlimited = 0xFFFFFFFF;

  std::uint32_t unsent() const { return size - sent; }
  // Of it, what may go into one chunk.
  std::uint32_t unsent_in_one_piece() const {
    return in_pieces ? std::min(unsent(), capacity() - (sent & (capacity() - 1))) : unsent();
  }
  Bytes bytes_at(std::uint32_t offset, std::size_t length) const {
    return Bytes(payload).subspan(in_pieces ? offset & (capacity() - 1) : offset, length);
  }
  // More of a message in pieces. False: no memory, nothing changed.
  [[nodiscard]] bool append(const Memory& memory, Bytes piece) {
    const std::size_t kept = size - acknowledged;
    if (kept + piece.size() > payload.size()) {
      Buffer larger(memory);
      if (!larger.resize_discarding(std::bit_ceil(std::max(kept + piece.size(), kSmallestWindow))))
        return false;
      for (std::uint32_t at = acknowledged; at != size;) {
        const std::uint32_t count = std::min(size - at, capacity() - (at & (capacity() - 1)));
        put(larger, at, bytes_at(at, count));
        at += count;
      }
      payload = std::move(larger);
    }
    put(payload, size, piece);
    size += static_cast<std::uint32_t>(piece.size());
    return true;
  }

 private:
  static constexpr std::size_t kSmallestWindow = 16 * 1024;
  std::uint32_t capacity() const { return static_cast<std::uint32_t>(payload.size()); }
  static void put(Buffer& window, std::uint32_t offset, Bytes bytes) {
    const std::size_t from = offset & (window.size() - 1),
                      first = std::min(bytes.size(), window.size() - from);
    if (first != 0) std::memcpy(window.data() + from, bytes.data(), first);
    if (first != bytes.size()) std::memcpy(window.data(), bytes.data() + first, bytes.size() - first);
  }
};

class TxMessages {
 public:
  TxMessages(const Memory& memory, std::size_t most_outcomes)
      : messages_(memory), memory_(memory), outcomes_(memory, most_outcomes) {}

  // A message with a copy of `payload`; kNoMessage: no memory.
  TxMessageId add(Bytes payload, bool in_pieces = false) {
    if (free_ == kNoMessage) {
      if (!messages_.push_back(TxMessage(memory_))) return kNoMessage;
      free_ = static_cast<TxMessageId>(messages_.size() - 1);
    }
    const TxMessageId id = free_;
    TxMessage& message = messages_[id];
    if (in_pieces ? !message.append(memory_, payload) : !message.payload.assign(payload)) return kNoMessage;
    message.in_pieces = in_pieces;
    message.size = static_cast<std::uint32_t>(payload.size());
    free_ = std::exchange(message.next, kNoMessage);
    ++count_;
    return id;
  }
  [[nodiscard]] bool append(TxMessageId id, Bytes piece) { return messages_[id].append(memory_, piece); }
  // When neither the queue nor a chunk refers to it any more.
  void free_if_unused(TxMessageId id) {
    TxMessage& message = messages_[id];
    if (message.queued || message.chunks != 0) return;
    tell_end(message, message.abandoned ? MessageOutcome::Abandoned : MessageOutcome::Acknowledged);
    message = TxMessage(memory_);
    message.next = std::exchange(free_, id);
    --count_;
  }
  TxMessage& operator[](TxMessageId id) { return messages_[id]; }
  const TxMessage& operator[](TxMessageId id) const { return messages_[id]; }
  std::size_t count() const { return count_; }
  const Memory& memory() const { return memory_; }

  // There is none, so the table goes.
  void rest() {
    if (count_ != 0) return;
    messages_ = Vec<TxMessage>(memory_);
    free_ = kNoMessage;
  }

  TxOutcomes& outcomes() { return outcomes_; }
  void tell_sent(const TxMessage& message) {
    if (message.outcome != TxOutcomes::kNone) outcomes_.on_sent(message.outcome);
  }
  // The last word; what is told later is not heard.
  void tell_end(TxMessage& message, MessageOutcome outcome) {
    if (message.outcome == TxOutcomes::kNone) return;
    outcomes_.on_end(std::exchange(message.outcome, TxOutcomes::kNone), outcome);
  }

 private:
  friend struct Inspector;  // of tests, which look at the accounts

  Vec<TxMessage> messages_;
  Memory memory_;
  TxMessageId free_ = kNoMessage;
  std::size_t count_ = 0;
  TxOutcomes outcomes_;
};

}  // namespace pollrtc::sctp
