// What holds of an association whatever its peer does: the invariants of tests/sim/sctp_invariants.h that need no honest
// peer, for fuzz targets. A broken one aborts.
#pragma once

#include <algorithm>
#include <map>

#include "sim/inspector.h"
#include "sim/sctp_wire.h"
#include "support.h"

namespace pollrtc {

class SctpWatch {
 public:
  explicit SctpWatch(const Limits& limits)
      : memory_(384u * 1024 + std::max(limits.sctp_rx_window, limits.sctp_rx_window_max)) {}

  void on_received(Bytes chunks) {
    ++packets_in_;
    sctp::ChunkWalker walker(chunks);
    sctp::ChunkView chunk;
    while (walker.next(chunk) == sctp::Walk::Item) reset_answered_ |= chunk.type == sim::wire::kReConfig;
  }

  void on_sent(const sctp::Association& association, Bytes bytes) {
    using namespace sim::wire;
    check(bytes.size() <= association.stats().mtu || is_larger_on_purpose(association, bytes));  // INV-6
    if (echoes(bytes)) return on_reply();
    const Packet packet = read_strictly(bytes);  // INV-13
    bool is_reply = false;
    Sent& sent = sent_[packet.tag];
    for (const Chunk& chunk : packet.chunks) {
      check_state(chunk, association.state());
      is_reply |= chunk.type == kInitAck || chunk.type == kError || chunk.type == kCookieAck ||
                  chunk.type == kShutdownComplete;
      if (chunk.type == kSack) on_sack(association, sent, sack_of(chunk));
      if (chunk.type == kData || chunk.type == kIData) on_data(association, sent, u32(chunk.value, 0));
      if (chunk.type == kReConfig) is_reply |= on_reconfig(sent, chunk);
    }
    if (is_reply) on_reply();
  }

  void on_taken(const sctp::Message& message) {
    check(message.charge ==
          sctp::window_held_by(message.payload, message.abandoned, message.charge));  // INV-12
    taken_ += message.charge;
  }
  void on_released(std::size_t charge) { taken_ -= std::min(taken_, charge); }

  // After every step. `heap`: bytes in use.
  void check_all(const sctp::Association& association, std::size_t heap) {
    const sim::SctpFacts facts = look(association);
    check(facts.accounts_agree && facts.cwnd >= facts.pmdcs);  // INV-3
    check(association.next_timeout() >= Time{});               // INV-4
    most_own_ = std::max(most_own_, facts.own_bytes);
    check(heap <= memory_ + 2 * most_own_);                                      // INV-5
    check(facts.rx_used == sctp::Inspector::window_held(association) + taken_);  // INV-12
    check(!facts.t3_must_run || facts.t3_runs);                                  // INV-14
  }

 private:
  struct Sent {  // to one tag
    bool has_sacked = false, has_sent = false, has_asked = false;
    std::uint32_t cumulative = 0, highest = 0, request = 0;
  };

  static sim::SctpFacts look(const sctp::Association& association) {
    sim::SctpFacts facts;
    facts.state = static_cast<sim::SctpState>(association.state());
    sctp::Inspector::look(association, facts);
    return facts;
  }
  // An answer to a HEARTBEAT holds what the peer put there, which may be anything.
  static bool echoes(Bytes packet) {
    sctp::ChunkWalker walker(packet.subspan(sctp::kCommonHeader));
    sctp::ChunkView chunk;
    while (walker.next(chunk) == sctp::Walk::Item)
      if (chunk.type == sim::wire::kHeartbeatAck) return true;
    return false;
  }
  // A probe, which IP must not cut; or what was made for a wider path, which it may: one chunk, or replies.
  static bool is_larger_on_purpose(const sctp::Association& association, Bytes packet) {
    return association.dont_fragment() == (packet[sctp::kCommonHeader] == sim::wire::kHeartbeat);
  }
  // INV-8. The state is that after the call: poll_packet() moves it, when it does, before it writes anything.
  static void check_state(const sim::wire::Chunk& chunk, sctp::AssociationState state) {
    using enum sctp::AssociationState;
    using namespace sim::wire;
    const bool may_send = state == Established || state == ShutdownPending || state == ShutdownReceived;
    switch (chunk.type) {
      case kData:
      case kIData:
      case kForwardTsn:
      case kIForwardTsn:
        return check(may_send);
      case kSack:
        return check(state >= Established && state != ShutdownAckSent);
      case kCookieEcho:
        return check(state == CookieEchoed);
      case kShutdown:
        return check(state == ShutdownSent);
      case kShutdownAck:
        return check(state == ShutdownAckSent);
      default:
        return;
    }
  }
  static void on_sack(const sctp::Association& association, Sent& sent, const sim::wire::Sack& sack) {
    const auto back = static_cast<std::int32_t>(sack.cumulative - sent.cumulative);
    check(!sent.has_sacked || back >= 0);  // INV-11
    sent.has_sacked = true;
    sent.cumulative = sack.cumulative;
    const sctp::RxReassembly& held = sctp::Inspector::tcb(association)->rx.reassembly();
    check(sack.a_rwnd == 0 || held.used() + sack.a_rwnd <= held.window());  // INV-12
  }
  static void on_data(const sctp::Association& association, Sent& sent, std::uint32_t tsn) {
    const bool is_new = !sent.has_sent || static_cast<std::int32_t>(tsn - sent.highest) > 0;
    if (!is_new) return;
    sent.has_sent = true;
    sent.highest = tsn;
    const sim::SctpFacts facts = look(association);
    check(association.stats().outstanding_bytes < facts.cwnd + facts.pmdcs);  // INV-3
  }
  // INV-15: the next number only when the peer has said something of the last. True: it answers a request.
  bool on_reconfig(Sent& sent, const sim::wire::Chunk& chunk) {
    bool answers = false;
    for (const sim::wire::Parameter& parameter : sim::wire::parameters_of(chunk.value)) {
      if (parameter.type == 16) answers = true;
      if (parameter.type != 13) continue;
      const std::uint32_t number = sim::wire::u32(parameter.value, 0);
      check(!sent.has_asked || number == sent.request || (number == sent.request + 1 && reset_answered_));
      if (!sent.has_asked || number != sent.request) reset_answered_ = false;
      sent.has_asked = true;
      sent.request = number;
    }
    return answers;
  }
  void on_reply() { check(++replies_ <= packets_in_); }  // INV-16

  std::size_t memory_, most_own_ = 0;
  std::size_t taken_ = 0;  // of the window, by messages that were received and not released
  std::size_t packets_in_ = 0, replies_ = 0;
  bool reset_answered_ = false;
  std::map<std::uint32_t, Sent> sent_;  // by tag: another one with each set-up
};

}  // namespace pollrtc
