// The window into an association through which tests and fuzz targets see what no user may: the accounts of the chunks in
// flight, the timers, what is held.
#pragma once

#include "sctp/tcb.h"
#include "sim/sctp_invariants.h"

namespace pollrtc::sctp {

// What is charged to the receive window beside its payload, for each fragment and each message.
inline constexpr std::size_t kWindowOverhead = 128;
// What a message of which the user has not given the charge back must hold of the window, or what it says, if that is more. The end
// of a message in pieces that was given up holds nothing.
inline std::size_t window_held_by(Bytes payload, bool abandoned, std::size_t charge) {
  return abandoned ? charge : std::max(charge, payload.size() + kWindowOverhead);
}

struct Inspector {
  static const Tcb* tcb(const Association& association) { return association.tcb_.get(); }
  static const AssociationConfig& config(const Association& association) { return association.config_; }
  static std::uint32_t local_tag(const Association& association) { return value_of(association.local_tag_); }
  static std::uint32_t initial_tsn(const Association& association) {
    return association.local_initial_tsn_.value();
  }

  static void look(const Association& association, sim::SctpFacts& facts) {
    const Tcb* const tcb = association.tcb_.get();
    if (tcb == nullptr) {
      facts.cwnd = facts.pmdcs = 1;
      return;
    }
    const TxOutstanding& tx = tcb->tx;
    std::size_t flight = 0, payload = 0, kept = 0, marked = 0;
    for (std::size_t i = 0; i < tx.chunks_.size(); ++i) {
      const TxOutstanding::Chunk& chunk = tx.chunks_[i];
      kept += chunk.length;
      marked += chunk.fate == TxOutstanding::Fate::Marked ? 1 : 0;
      if (chunk.fate != TxOutstanding::Fate::InFlight) continue;
      flight += tx.wire_size(chunk);
      payload += chunk.length;
    }
    facts.accounts_agree = flight == tx.flight_bytes_ && payload == tx.flight_payload_ &&
                           kept == tx.kept_bytes_ && marked == tx.marked_count_;
    facts.cwnd =
        std::max(tx.cwnd(), tx.window());  // in a recovery the flight comes down to cwnd step by step
    facts.pmdcs = tx.congestion_.pmdcs();
    facts.t3_runs = tx.t3_due_ != kNever;
    facts.t3_must_run = facts.state >= sim::SctpState::Established &&
                        (tx.flight_bytes_ != 0 || tx.advanced_ack_point_ != tx.cumulative_);
    facts.rx_used = window_used(association);
    // A message stays whole until the last of it is acknowledged, and with I-DATA many may be under way.
    facts.own_bytes =
        512 * (tcb->queue.messages().count() + 1) + 128 * tx.chunks_.size() + 256 * tx.packets_.size();
    for (const TxMessage& message : tcb->queue.messages().messages_)
      facts.own_bytes += message.payload.size();
  }

  static std::size_t window_used(const Association& association) {
    return association.tcb_ ? association.tcb_->rx.reassembly().used() : 0;
  }
  // Of the receive window, what the fragments and messages take that the user has not got: counted anew, whatever was charged.
  static std::size_t window_held(const Association& association) {
    const Tcb* const tcb = association.tcb_.get();
    if (tcb == nullptr) return 0;
    const RxReassembly& rx = tcb->rx.reassembly();
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < rx.fragments_.size(); ++i) {
      const Fragment& fragment = rx.fragments_.at(i);
      if (!fragment.given) bytes += window_held_by(fragment.payload, false, 0);
    }
    // Neither a free place nor an end that is kept ready has a payload.
    for (const RxReassembly::Held& held : rx.held_)
      if (!held.message.payload.empty() || held.too_large)
        bytes += window_held_by(held.message.payload, false, 0);
    // The list of its TSNs is cut off when its turn has come; the room is still there.
    for (std::uint32_t at = rx.ready_head_; at != RxReassembly::kNone; at = rx.held_[at].next)
      bytes += rx.held_[at].tsns * sizeof(Tsn);
    return bytes;
  }

  static void set_next_number(Association& association, std::uint16_t stream, bool unordered,
                              std::uint32_t number) {
    association.tcb_->queue.set_next_mid(StreamId{stream}, unordered, Mid(number));
    association.tcb_->rx.reassembly().set_next_mid(StreamId{stream}, unordered, Mid(number));
  }
};

}  // namespace pollrtc::sctp
