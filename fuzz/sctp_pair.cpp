// Two associations, and the fuzzer is the network between them and the users at both ends: it drops, reorders, repeats,
// damages and delays packets, and calls what a user may call, in any order. Every call is held to the invariants
// (tests/sim/sctp_invariants.h), every message is accounted for; at the end the network is good, and what is reliable
// must arrive.
#include <cstdio>
#include <deque>
#include <vector>

#include "base/bytes.h"
#include "sim/checked_association.h"
#include "sim/inspector.h"
#include "sim/message_ledger.h"
#include "support.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;

namespace {

using Packet = std::vector<std::uint8_t>;

struct Side {
  Side(const AssociationOptions& options, MessageLedger& sends, MessageLedger& receives)
      : association(options), out(sends), in(receives) {}
  CheckedAssociation association;
  MessageLedger& out;
  MessageLedger& in;
  std::deque<Packet> on_the_way;  // that it has sent
  std::deque<std::size_t> held;   // charges not yet released
};

class Program {
 public:
  explicit Program(Bytes input) : in_(input), a_to_b_(1), b_to_a_(2) {
    const std::uint8_t first = in_.u8(), second = in_.u8();
    AssociationOptions a = options(first), b = options(second);
    a.config.initial_tsn = b.peer_initial_tsn = 0xFFFFFFF0u + (first >> 4);
    b.config.initial_tsn = a.peer_initial_tsn = 0x7FFFFFF8u + (second >> 4);
    if ((first & 8) != 0) a.first_numbers = b.first_numbers = {{0, 0xFFFFFFFD}, {1, 0xFFFFFFFF}};
    protects_ = a.config.announce_zero_checksum || b.config.announce_zero_checksum;
    a_.emplace(a, a_to_b_, b_to_a_);
    b_.emplace(b, b_to_a_, a_to_b_);
  }

  void run() {
    static_cast<void>(a_->association.connect(now_));
    for (int steps = 0; steps < 300 && !in_.rest().empty(); ++steps) {
      step(in_.u8());
      collect(*a_);
      collect(*b_);
    }
    heal();
    a_->association.close();
    b_->association.close();
  }

 private:
  static AssociationOptions options(std::uint8_t bits) {
    AssociationOptions options;
    options.limits = Limits::small();
    options.config.mtu = 508;
    if ((bits & 1) != 0) options.limits.sctp_rx_window = 4001;
    if ((bits & 16) != 0) options.limits.sctp_rx_window_max = options.limits.sctp_rx_window;
    if ((bits & 2) != 0) options.limits.sctp_tsn_span = 20;
    options.config.max_message_rx = options.limits.sctp_rx_window / 2;
    options.config.announce_zero_checksum = (bits & 4) != 0;
    return options;
  }

  void step(std::uint8_t what) {
    Side& side = (what & 0x80) != 0 ? *b_ : *a_;
    Side& other = &side == &*a_ ? *b_ : *a_;
    switch (what & 0x0F) {
      case 0:
      case 1:
        return deliver(side, other, 0);
      case 2:
        return deliver(side, other, in_.u8());
      case 3:
        return drop(side, in_.u8());
      case 4:
        return repeat(side, in_.u8());
      case 5:
        return damage(side, other, in_.u8());
      case 6:
        return pass_time(std::chrono::milliseconds(in_.u8() * 4));
      case 7:
        return next_timeout();
      case 8:
      case 9:
        return send(side);
      case 10:
        return read(side, in_.u8() % 8 + 1u);
      case 11:
        return release(side, in_.u8() % 4);
      case 12:
        return reset(side);
      case 13:
        return deliver_all(side, other);
      case 14:
        return drop(side, 0);
      default:
        return rare_call(side);
    }
  }

  void rare_call(Side& side) {
    switch (in_.u8() % 16) {
      case 0:
        // Before it is up there is nothing to shut down: that is an abort.
        aborted_ |= side.association.state() < sctp::AssociationState::Established;
        return side.association.shutdown(now_);
      case 1:
        aborted_ = true;
        return side.association.abort(now_);
      case 2:
        return pass_time(100s);
      default:
        static_cast<void>(side.association.connect(now_));
    }
  }

  void give(Side& to, const Packet& packet) { static_cast<void>(to.association.handle_packet(now_, packet)); }
  void deliver(Side& from, Side& to, std::size_t which) {
    if (from.on_the_way.empty()) return;
    which %= from.on_the_way.size();
    const Packet packet = std::move(from.on_the_way[which]);
    from.on_the_way.erase(from.on_the_way.begin() + static_cast<std::ptrdiff_t>(which));
    give(to, packet);
  }
  void deliver_all(Side& from, Side& to) {
    for (std::size_t count = from.on_the_way.size(); count != 0; --count) deliver(from, to, 0);
  }
  static void drop(Side& from, std::size_t which) {
    if (from.on_the_way.empty()) return;
    which %= from.on_the_way.size();
    from.on_the_way.erase(from.on_the_way.begin() + static_cast<std::ptrdiff_t>(which));
  }
  static void repeat(Side& from, std::size_t which) {
    if (from.on_the_way.empty() || from.on_the_way.size() > 200) return;
    from.on_the_way.push_back(from.on_the_way[which % from.on_the_way.size()]);
  }
  // Damage that DTLS would let through is none it can have, and damage that the checksum does not show neither.
  void damage(Side& from, Side& to, std::size_t which) {
    if (from.on_the_way.empty()) return;
    Packet packet = from.on_the_way[which % from.on_the_way.size()];
    for (int flips = in_.u8() % 3; flips >= 0; --flips)
      packet[in_.u16() % packet.size()] ^= static_cast<std::uint8_t>(in_.u8() | 1);
    if (!protects_ && !wire::has_good_checksum(packet, false)) give(to, packet);
  }

  void pass_time(Duration duration) {
    now_ += duration;
    for (Side* side : {&*a_, &*b_}) side->association.handle_timeout(now_);
  }
  void next_timeout() {
    const Time due = std::min(a_->association.next_timeout(), b_->association.next_timeout());
    if (due == kNever) return;
    now_ = std::max(now_, due);
    for (Side* side : {&*a_, &*b_}) side->association.handle_timeout(now_);
  }

  void send(Side& side) {
    const std::uint8_t bits = in_.u8();
    sctp::SendOptions options;
    options.stream = bits & 3;
    options.unordered = (bits & 4) != 0;
    if ((bits & 24) == 8) options.max_retransmits = bits >> 7;
    if ((bits & 24) == 16) options.lifetime = std::chrono::milliseconds(in_.u8() * 8);
    const std::size_t sizes[] = {8, 9, 400, 480, 481, 960, 1500, 2000};
    const std::size_t size = sizes[bits >> 5];
    const auto message = side.out.next(options, size);
    if (side.association.association().buffered_total() > 20'000) return;
    if (side.association.send(now_, options, message)) side.out.sent(options, size);
  }
  void read(Side& side, std::size_t most) {
    for (std::size_t i = 0; i < most; ++i) {
      sctp::Message message = side.association.make_message();
      if (!side.association.receive(now_, message)) return;
      side.in.received(message);
      side.held.push_back(message.charge);
    }
  }
  void release(Side& side, std::size_t keep) {
    for (; side.held.size() > keep; side.held.pop_front()) side.association.release(now_, side.held.front());
  }
  void reset(Side& side) {
    const std::uint16_t stream = in_.u8() & 3;
    if (side.association.reset_stream(now_, stream)) side.out.reset(stream);
  }

  // What the end owes goes onto its way.
  void collect(Side& side) {
    std::uint8_t out[1500];
    for (int packets = 0; const std::size_t size = side.association.poll_packet(now_, out); ++packets) {
      check(packets < 5000);
      if (side.on_the_way.size() < 1000) side.on_the_way.emplace_back(out, out + size);
    }
    CheckedAssociation::Event event;
    for (int events = 0; side.association.poll_event(event); ++events) check(events < 5000);
  }

  // A good network and good users: all is there within the 120 s of INV-9, unless an end had to give up. But the input may have been
  // a network of such round trips, or such losses, that the standard's own timeout is up to a minute by now (RFC 9260
  // §6.3.1, §6.3.3): then within four of these, since what is sent again may be refused by a window and wait for another.
  void heal() {
    const Time end = now_ + std::max<Duration>(120s, 4 * std::max(rto_of(*a_), rto_of(*b_)));
    while (!is_done() && now_ < end) {
      for (Side* side : {&*a_, &*b_}) {
        collect(*side);
        read(*side, SIZE_MAX);
        release(*side, 0);
      }
      if (is_done()) break;
      if (a_->on_the_way.empty() && b_->on_the_way.empty()) {
        const Time before = now_;
        next_timeout();
        if (now_ == before && a_->association.next_timeout() == kNever &&
            b_->association.next_timeout() == kNever)
          break;
        continue;
      }
      now_ += 10ms;
      deliver_all(*a_, *b_);
      deliver_all(*b_, *a_);
      for (Side* side : {&*a_, &*b_}) side->association.handle_timeout(now_);
    }
    for (Side* side : {&*a_, &*b_}) read(*side, SIZE_MAX);  // what came whole before the end
    const bool may_be_missing = aborted_ || had_to_give_up(a_->association) ||
                                had_to_give_up(b_->association) || goes_by_another_tag(*a_, *b_) ||
                                goes_by_another_tag(*b_, *a_);
    if (may_be_missing || (a_to_b_.missing() == 0 && b_to_a_.missing() == 0)) return;
    std::fprintf(stderr, "%zu and %zu messages are missing; a is %s, b %s\n", a_to_b_.missing(),
                 b_to_a_.missing(), name_of(a_->association.state()).data(),
                 name_of(b_->association.state()).data());
    check(false);
  }
  static Duration rto_of(const Side& end) {
    const sctp::Tcb* const tcb = sctp::Inspector::tcb(end.association.association());
    return tcb == nullptr ? Duration::zero() : tcb->tx.rto().current();
  }
  bool is_done() const {
    if (a_->association.ended() || b_->association.ended())
      return a_->association.ended() && b_->association.ended();
    return a_to_b_.missing() == 0 && b_to_a_.missing() == 0;
  }
  // RFC 9260 has a hole here, which takes a cookie of more than its life of 60 s, and more than one copy of it. The first is called stale,
  // so its sender tries anew (§5.2.6); then another is taken, since both tags are those of the association (§5.2.4 step 3). The new
  // INIT is answered with a new tag (§5.2.2), and the COOKIE ACK for the old cookie passes for that of the new one.
  static bool goes_by_another_tag(const Side& end, const Side& other) {
    const sctp::Tcb* const tcb = sctp::Inspector::tcb(end.association.association());
    return tcb != nullptr &&
           value_of(tcb->peer_tag) != sctp::Inspector::local_tag(other.association.association());
  }
  static bool had_to_give_up(const CheckedAssociation& end) {
    if (!end.ended()) return false;
    const Close reason = end.ended()->reason;
    if (reason == Close::Local || reason == Close::Remote || reason == Close::RemoteAbort) return false;
    check(reason == Close::SctpUnreachable || reason == Close::SctpSetupFailed);
    return true;
  }

  ByteReader in_;
  Time now_{};
  MessageLedger a_to_b_, b_to_a_;
  std::optional<Side> a_, b_;
  bool protects_ = false, aborted_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Program(Bytes(data, size)).run();
  return 0;
}
