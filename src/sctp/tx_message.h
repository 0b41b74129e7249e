// The messages handed in by the user, from send() until the peer has acknowledged their last byte. The queue
// and the chunks in flight refer to a message by its number here; its payload is copied once and never moves.
#pragma once

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
  Ssn ssn;  // given with the first TSN
  Ppid ppid{};
  bool unordered = false;
  bool abandoned = false;                      // RFC 3758 §3.4
  bool queued = false;                         // the queue still refers to it
  std::uint32_t max_retransmits = kUnlimited;  // RFC 7496 §3.1
  Time expires = kNever;                       // RFC 3758 §4.1
  std::uint32_t sent = 0;                      // bytes that have a TSN
  std::uint32_t chunks = 0;                    // of it in flight or not yet passed by the cumulative ack
  TxMessageId next = kNoMessage;               // in its stream's queue, or among the free ones
  std::uint32_t outcome = TxOutcomes::kNone;   // its place among the messages that somebody asked about

  static constexpr std::uint32_t kUnlimited = 0xFFFFFFFF;
};

class TxMessages {
 public:
  TxMessages(const Memory& memory, std::size_t most_outcomes)
      : messages_(memory), memory_(memory), outcomes_(memory, most_outcomes) {}

  // A message with a copy of `payload`; kNoMessage: no memory.
  TxMessageId add(Bytes payload) {
    if (free_ == kNoMessage) {
      if (!messages_.push_back(TxMessage(memory_))) return kNoMessage;
      free_ = static_cast<TxMessageId>(messages_.size() - 1);
    }
    const TxMessageId id = free_;
    TxMessage& message = messages_[id];
    if (!message.payload.assign(payload)) return kNoMessage;
    free_ = std::exchange(message.next, kNoMessage);
    ++count_;
    return id;
  }
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
  Vec<TxMessage> messages_;
  Memory memory_;
  TxMessageId free_ = kNoMessage;
  std::size_t count_ = 0;
  TxOutcomes outcomes_;
};

}  // namespace pollrtc::sctp
