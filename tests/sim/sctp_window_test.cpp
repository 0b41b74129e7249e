// Windows of every size and readers that stop: whatever fits the receive buffer arrives, in time, whichever fragment the
// window refuses (RFC 9260 §6.1 A, §6.2). The invariants are checked at every call.
#include <deque>

#include "sim/checked_association.h"
#include "sim/message_ledger.h"
#include "sim/packet_pair.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kPacket = 1188;
constexpr std::size_t kPayload = kPacket - 12 - 16;  // of a full DATA chunk
constexpr std::size_t kOverhead = 128;               // charged for each fragment and message

// The largest message that a buffer of this size holds, in fragments of which the first and the last may be short, and
// one in between, cut around a chunk that went again.
std::uint32_t largest_message(std::size_t window) {
  std::size_t size = window - kOverhead;
  while (size + (size / kPayload + 3) * kOverhead > window) --size;
  return static_cast<std::uint32_t>(size);
}

AssociationOptions options(std::uint64_t seed, std::uint32_t window) {
  AssociationOptions options;
  options.limits.sctp_rx_window = options.limits.sctp_rx_window_max = window;
  // With I-DATA, messages of several streams come side by side, and a window of one message is not enough.
  options.config.interleaving = false;
  options.config.mtu = kPacket;
  options.config.max_message_rx = largest_message(window);
  options.config.initial_tsn = options.peer_initial_tsn = 1000;
  options.seed = seed;
  return options;
}

// One end sends, the other reads when it is told to.
class Transfer {
 public:
  Transfer(std::uint64_t seed, std::uint32_t window, const LinkConfig& link)
      : sender(options(2 * seed, 1024 * 1024)),
        reader(options(2 * seed + 1, window)),
        pair(seed, sender, reader, LinkConfig{}),
        ledger(seed) {
    static_cast<void>(sender.connect(pair.world.now()));
    REQUIRE(
        pair.world.run_until([this] { return sender.state() == sctp::AssociationState::Established; }, 10s));
    pair.a_to_b().config = pair.b_to_a().config = link;
    pair.b.after_input = [this](Time) {
      if (reads) read(SIZE_MAX);
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
};

// From one packet to 64 KiB, none of them round.
std::vector<std::uint32_t> windows() {
  std::vector<std::uint32_t> found = {1500, 1501, 1627, 65535, 65536};
  for (std::uint32_t window = 1699; window < 65536; window += window / 7 + 13) found.push_back(window);
  return found;
}

}  // namespace

TEST_CASE("every size of message passes every size of window", "[SCTP-DATA-12][SCTP-DATA-13][SCTP-DATA-06]") {
  for (const std::uint32_t window : windows()) {
    const std::size_t most = largest_message(window);
    Transfer t(window, window, {});
    for (const std::size_t size : {most, most - 1, most / 2, most / 2 + 1, std::size_t{8}, most})
      t.send(0, size);
    for (std::size_t fragments = 1; fragments * kPayload + 1 <= most && fragments < 8; ++fragments)
      for (const std::size_t size :
           {fragments * kPayload - 1, fragments * kPayload, fragments * kPayload + 1})
        t.send(static_cast<std::uint16_t>(fragments % 3), size);
    INFO("window " << window);
    CHECK(t.arrives_within(30s));
  }
}

TEST_CASE("the same on three streams over a bad network", "[SCTP-DATA-12][SCTP-DATA-06]") {
  const LinkConfig link{.delay = 10ms, .jitter = 10ms, .loss = 0.1, .duplicate = 0.05};
  for (const std::uint32_t window : windows()) {
    const std::size_t most = largest_message(window);
    Transfer t(window, window, link);
    for (std::uint16_t i = 0; i < 18; ++i) t.send(i % 3, most - i % 6 * most / 7, i % 2 == 0);
    INFO("window " << window);
    CHECK(t.arrives_within(120s));
  }
}

// The buffer is filled with what nobody reads, so that of the next message any number of last bytes is refused.
TEST_CASE("a window that refuses only the last fragment opens when the reader comes back",
          "[SCTP-DATA-12][SCTP-DATA-13][SCTP-DATA-17]") {
  for (std::size_t filler = 8; filler < 2 * kPayload; filler += 97) {
    for (const std::size_t fragments : {1u, 2u, 5u}) {
      const auto window = static_cast<std::uint32_t>(7 * (kPayload + kOverhead));
      Transfer t(filler, window, {});
      t.reads = false;
      t.send(0, filler);
      t.send(1, fragments * kPayload - filler % 5);
      t.send(2, 3 * kPayload + filler % 3);
      t.send(1, 2 * kPayload);
      t.pair.world.run_for(5s);
      t.start_reading();
      INFO("filler " << filler << ", fragments " << fragments);
      CHECK(t.arrives_within(10s));
    }
  }
}

TEST_CASE("a reader that stops for minutes and starts again loses nothing, and the sender wakes up at once",
          "[SCTP-DATA-11][SCTP-DATA-13][SCTP-DATA-18]") {
  for (const std::uint32_t window : {1500u, 3001u, 9973u, 65536u}) {
    Transfer t(window, window, {});
    const std::size_t most = largest_message(window);
    for (int round = 0; round < 4; ++round) {
      t.reads = false;
      for (const std::size_t size : {most, most / 3, most / 2, most})
        t.send(static_cast<std::uint16_t>(round % 2), size);
      t.pair.world.run_for(std::chrono::minutes(5));
      CHECK_FALSE(t.sender.ended());  // the peer answers its probes: no error (§6.1 A)
      t.start_reading();
      INFO("window " << window << ", round " << round);
      CHECK(t.arrives_within(5s));
    }
  }
}

TEST_CASE("a reader that takes one message a second is never overrun and never forgotten",
          "[SCTP-DATA-11][SCTP-DATA-18]") {
  for (const std::uint32_t window : {1500u, 4999u, 20011u}) {
    Transfer t(window, window, {});
    t.reads = false;
    const std::size_t size = largest_message(window) / 2;
    for (int i = 0; i < 40; ++i) t.send(0, size);
    for (int second = 0; second < 200 && t.ledger.missing() != 0; ++second) {
      t.pair.world.run_for(1s);
      t.read(1);
    }
    INFO("window " << window);
    CHECK(t.ledger.missing() == 0);
  }
}
