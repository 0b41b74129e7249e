// Windows of every size and readers that stop: whatever fits the receive buffer arrives, in time, whichever fragment the
// window refuses (RFC 9260 §6.1 A, §6.2). The invariants are checked at every call.
#include <deque>

#include "sim/checked_association.h"
#include "sim/inspector.h"
#include "sim/message_ledger.h"
#include "sim/packet_pair.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kPacket = 1188;
using sctp::kWindowOverhead;

enum class Kind : std::uint8_t { Data, IData };
constexpr std::initializer_list<Kind> kBothKinds = {Kind::Data, Kind::IData};

constexpr std::size_t payload_of(Kind kind) {
  return kPacket - 12 - (kind == Kind::Data ? 16 : 20);
}  // of a full chunk

// The largest message that a buffer of this size holds, in fragments of which the first and the last may be short, and
// one in between, cut around a chunk that went again.
std::uint32_t largest_message(std::size_t window, Kind kind) {
  std::size_t size = window - kWindowOverhead;
  while (size + (size / payload_of(kind) + 3) * kWindowOverhead > window) --size;
  return static_cast<std::uint32_t>(size);
}

AssociationOptions options(std::uint64_t seed, std::uint32_t window, Kind kind) {
  AssociationOptions options;
  options.limits.sctp_rx_window = options.limits.sctp_rx_window_max = window;
  options.config.interleaving = kind == Kind::IData;
  options.config.mtu = kPacket;
  options.config.max_message_rx = largest_message(window, kind);
  options.config.initial_tsn = options.peer_initial_tsn = 1000;
  options.seed = seed;
  return options;
}

// One end sends, the other reads when it is told to.
class Transfer {
 public:
  Transfer(std::uint64_t seed, std::uint32_t window, Kind kind, const LinkConfig& link = {})
      : sender(options(2 * seed, 1024 * 1024, kind)),
        reader(options(2 * seed + 1, window, kind)),
        pair(seed, sender, reader, LinkConfig{}),
        ledger(seed) {
    static_cast<void>(sender.connect(pair.world.now()));
    REQUIRE(
        pair.world.run_until([this] { return sender.state() == sctp::AssociationState::Established; }, 10s));
    pair.a_to_b().config = pair.b_to_a().config = link;
    pair.b.after_input = [this](Time) {
      if (reads) read(SIZE_MAX);
    };
    pair.b.on_event = [this](Time, const sctp::Association::Event& event) {
      if (std::holds_alternative<sctp::Association::MessageTooLarge>(event)) ++too_large;
    };
  }
  void send(std::uint16_t stream, std::size_t size, bool unordered = false) {
    sctp::SendOptions options{.stream = stream, .unordered = unordered};
    const auto message = ledger.next(options, size);
    REQUIRE(sender.send(pair.world.now(), options, message));
    ledger.sent(options, size);
  }
  void read(std::size_t most) {
    for (std::size_t i = 0; i < most; ++i) {
      sctp::Message message = reader.make_message();
      if (!reader.receive(pair.world.now(), message)) return;
      ledger.received(message);
      reader.release(pair.world.now(), message.charge);
    }
  }
  void start_reading() {
    reads = true;
    read(SIZE_MAX);
  }
  bool arrives_within(Duration limit) {
    return pair.world.run_until([this] { return ledger.missing() == 0; }, limit);
  }

  CheckedAssociation sender, reader;
  PacketPair<CheckedAssociation> pair;
  MessageLedger ledger;
  bool reads = true;
  int too_large = 0;  // messages given up, though each is within the limit
};

// From one packet to 64 KiB, none of them round.
std::vector<std::uint32_t> windows() {
  std::vector<std::uint32_t> found = {1500, 1501, 1627, 65535, 65536};
  for (std::uint32_t window = 1699; window < 65536; window += window / 7 + 13) found.push_back(window);
  return found;
}

}  // namespace

TEST_CASE("every size of message passes every size of window", "[SCTP-DATA-12][SCTP-DATA-13][SCTP-DATA-06]") {
  for (const Kind kind : kBothKinds) {
    for (const std::uint32_t window : windows()) {
      const std::size_t most = largest_message(window, kind), payload = payload_of(kind);
      Transfer t(window, window, kind);
      for (const std::size_t size : {most, most - 1, most / 2, most / 2 + 1, std::size_t{8}, most})
        t.send(0, size);
      for (std::size_t fragments = 1; fragments * payload + 1 <= most && fragments < 8; ++fragments)
        for (const std::size_t size : {fragments * payload - 1, fragments * payload, fragments * payload + 1})
          t.send(static_cast<std::uint16_t>(fragments % 3), size);
      INFO("window " << window << (kind == Kind::Data ? "" : ", I-DATA"));
      CHECK(t.arrives_within(30s));
      CHECK(t.too_large == 0);
    }
  }
}

TEST_CASE("the same on three streams over a bad network", "[SCTP-DATA-12][SCTP-DATA-06]") {
  const LinkConfig link{.delay = 10ms, .jitter = 10ms, .loss = 0.1, .duplicate = 0.05};
  for (const Kind kind : kBothKinds) {
    for (const std::uint32_t window : windows()) {
      const std::size_t most = largest_message(window, kind);
      Transfer t(window, window, kind, link);
      for (std::uint16_t i = 0; i < 18; ++i) t.send(i % 3, most - i % 6 * most / 7, i % 2 == 0);
      INFO("window " << window << (kind == Kind::Data ? "" : ", I-DATA"));
      CHECK(t.arrives_within(120s));
      CHECK(t.too_large == 0);
    }
  }
}

// The buffer is filled with what nobody reads, so that of the next message any number of last bytes is refused.
TEST_CASE("a window that refuses only the last fragment opens when the reader comes back",
          "[SCTP-DATA-12][SCTP-DATA-13][SCTP-DATA-17]") {
  for (const Kind kind : kBothKinds) {
    const std::size_t payload = payload_of(kind);
    for (std::size_t filler = 8; filler < 2 * payload; filler += 97) {
      for (const std::size_t fragments : {1u, 2u, 5u}) {
        const auto window = static_cast<std::uint32_t>(7 * (payload + kWindowOverhead));
        Transfer t(filler, window, kind);
        t.reads = false;
        t.send(0, filler);
        t.send(1, fragments * payload - filler % 5);
        t.send(2, 3 * payload + filler % 3);
        t.send(1, 2 * payload);
        t.pair.world.run_for(5s);
        t.start_reading();
        INFO("filler " << filler << ", fragments " << fragments << (kind == Kind::Data ? "" : ", I-DATA"));
        CHECK(t.arrives_within(10s));
        CHECK(t.too_large == 0);
      }
    }
  }
}

TEST_CASE("a reader that stops for minutes and starts again loses nothing, and the sender wakes up at once",
          "[SCTP-DATA-11][SCTP-DATA-13][SCTP-DATA-18]") {
  for (const Kind kind : kBothKinds) {
    for (const std::uint32_t window : {1500u, 3001u, 9973u, 65536u}) {
      Transfer t(window, window, kind);
      const std::size_t most = largest_message(window, kind);
      for (int round = 0; round < 4; ++round) {
        t.reads = false;
        for (const std::size_t size : {most, most / 3, most / 2, most})
          t.send(static_cast<std::uint16_t>(round % 2), size);
        t.pair.world.run_for(std::chrono::minutes(5));
        CHECK_FALSE(t.sender.ended());  // the peer answers its probes: no error (§6.1 A)
        t.start_reading();
        INFO("window " << window << ", round " << round << (kind == Kind::Data ? "" : ", I-DATA"));
        CHECK(t.arrives_within(5s));
        CHECK(t.too_large == 0);
      }
    }
  }
}

TEST_CASE("a reader that takes one message a second is never overrun and never forgotten",
          "[SCTP-DATA-11][SCTP-DATA-18]") {
  for (const Kind kind : kBothKinds) {
    for (const std::uint32_t window : {1500u, 4999u, 20011u}) {
      Transfer t(window, window, kind);
      t.reads = false;
      const std::size_t size = largest_message(window, kind) / 2;
      for (int i = 0; i < 40; ++i) t.send(0, size);
      for (int second = 0; second < 200 && t.ledger.missing() != 0; ++second) {
        t.pair.world.run_for(1s);
        t.read(1);
      }
      INFO("window " << window << (kind == Kind::Data ? "" : ", I-DATA"));
      CHECK(t.ledger.missing() == 0);
    }
  }
}

// What comes above the last TSN of a reset waits for it, on every stream. It is small, so that its overhead fills the window
// while the sender still sees room; and then what the reset waits for comes again, more than the last bit of a window.
TEST_CASE("a reset that waits for a lost message, with the window full of what waits for the reset",
          "[SCTP-DATA-12][SCTP-RST-03]") {
  for (const Kind kind : kBothKinds) {
    for (const std::uint32_t window : {4001u, 9973u, 20011u}) {
      for (const bool unordered : {false, true}) {
        Transfer t(window, window, kind);
        t.pair.a_to_b().config.cut = true;
        t.send(0, std::min<std::size_t>(largest_message(window, kind), 4000));
        t.pair.world.run_for(1ms);
        t.pair.a_to_b().config.cut = false;
        REQUIRE(t.sender.reset_stream(t.pair.world.now(), 0));
        for (int i = 0; i < 1000; ++i) t.send(static_cast<std::uint16_t>(1 + i % 3), 8, unordered);
        t.send(0, 8);
        INFO("window " << window << (kind == Kind::Data ? "" : ", I-DATA"));
        CHECK(t.arrives_within(30s));
      }
    }
  }
}
