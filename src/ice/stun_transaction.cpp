#include "ice/stun_transaction.h"

namespace pollrtc::stun {

Retransmission::Retransmission(Time now, Duration rto, int rc, int rm)
    : due_(now + rto), interval_(rto), last_wait_(rm * rto), copies_(1), rc_(rc) {
  give_up_ = now + ((std::int64_t{1} << (rc - 1)) - 1) * rto + last_wait_;
  if (rc == 1) due_ = give_up_;
}

Retransmission::Step Retransmission::step(Time now) {
  if (now < due_) return Step::Wait;
  if (copies_ >= rc_) return Step::Fail;
  ++copies_;
  interval_ *= 2;
  // From now, not from when it was due: after a pause of the whole process there is no burst of missed copies.
  due_ = now + (copies_ == rc_ ? last_wait_ : interval_);
  return Step::Send;
}

void Retransmission::cancel() {
  rc_ = copies_;  // they are counted as they were: a single one, answered late, still measures the round trip
  due_ = give_up_;
}

Transaction* TransactionTable::add(const Transaction& transaction) {
  if (items_.size() >= limit_) {
    Transaction* const late =
        std::find_if(items_.begin(), items_.end(), [](const Transaction& t) { return t.is_cancelled; });
    if (late == items_.end()) return nullptr;
    erase(late);
  }
  return items_.push_back(transaction) ? &items_.back() : nullptr;
}

Transaction* TransactionTable::find(const TransactionId& id) {
  for (Transaction& transaction : items_)
    if (transaction.id == id) return &transaction;
  return nullptr;
}

void TransactionTable::erase(const Transaction* transaction) {
  items_.erase(static_cast<std::size_t>(transaction - items_.begin()));
}

}  // namespace pollrtc::stun
