// Transactions under way: their ids, when to send a request again, when to give up (RFC 8489 §5, §6.2.1), and what was
// said in the request, so that each copy has the same bytes.
#pragma once

#include "base/fit.h"
#include "base/memory.h"
#include "ice/stun_message.h"

namespace pollrtc::stun {

// Sent at 0, RTO, 3 RTO, 7 RTO ... 63 RTO; given up 16 RTO after the last, at 79 RTO: 39.5 s when RTO is 500 ms.
class Retransmission {
 public:
  static constexpr int kRc = 7;
  static constexpr int kRm = 16;
  static constexpr Duration kMinRto = std::chrono::milliseconds(500);

  enum class Step : std::uint8_t { Wait, Send, Fail };

  Retransmission() = default;
  // The first copy counts as sent now. `rc` 1 is a request that is never repeated.
  Retransmission(Time now, Duration rto, int rc = kRc, int rm = kRm);

  Step step(Time now);  // what is due; counted as done
  Time due() const { return due_; }
  int copies() const { return copies_; }
  // No more copies, but the answer is still awaited for as long as it would have been (RFC 8445 §7.3.1.4).
  void cancel();

 private:
  Time due_ = kNever;      // of the next copy or, after the last, of giving up
  Time give_up_ = kNever;  // the whole schedule's end
  Duration interval_{};    // from the copy before to the next
  Duration last_wait_{};   // Rm * RTO
  int copies_ = 0;
  int rc_ = kRc;
};

enum class Purpose : std::uint8_t { Check, Nomination, Consent, Server };

struct Transaction {
  TransactionId id{};
  Purpose purpose = Purpose::Check;
  std::uint32_t target = 0;  // the pair's id, or the number of the gatherer's probe
  Path path;
  Retransmission timer;
  Time started{};
  std::uint64_t tie_breaker = 0;  // as said in the request, like the next one and the two flags
  std::uint32_t priority = 0;
  std::uint8_t unanswered = 0;  // copies that went to an address that never answered
  bool controlling = false;
  bool use_candidate = false;
  bool is_cancelled = false;
  bool is_owed = true;              // a copy is to be written at the next poll
  bool integrity_violated = false;  // an answer came that someone else wrote (RFC 8489 §9.1.4)
};

// At most `limit` of them. Small enough to be searched from end to end.
class TransactionTable {
 public:
  TransactionTable(const Memory& memory, std::size_t limit) : items_(memory), limit_(limit) {}

  // Null when the limit is reached or there is no memory. When it is full, one that is only waiting for a late answer
  // makes room. The pointer is good until the next change.
  Transaction* add(const Transaction& transaction);
  Transaction* find(const TransactionId& id);
  const Transaction& newest() const { return items_.back(); }  // what add() has just put in
  void erase(const Transaction* transaction);
  template <class Condition>
  void erase_if(Condition condition) {
    for (std::size_t i = items_.size(); i-- > 0;)
      if (condition(items_[i])) items_.erase(i);
  }
  void clear() { items_.clear(); }
  void fit() { pollrtc::fit(items_, 2); }  // so that a check of consent asks for no memory

  Transaction* begin() { return items_.begin(); }
  Transaction* end() { return items_.end(); }
  const Transaction* begin() const { return items_.begin(); }
  const Transaction* end() const { return items_.end(); }
  std::size_t size() const { return items_.size(); }

 private:
  Vec<Transaction> items_;
  std::size_t limit_;
};

}  // namespace pollrtc::stun
