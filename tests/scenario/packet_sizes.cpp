// How large our packets are, and when the first of them leaves: base sizes, path MTU discovery through all layers, and DTLS
// before SCTP.
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

constexpr std::size_t kTurnChannel = 4;  // counted, though nobody relays here

std::size_t ip_size(const Path& path, Bytes datagram) {
  return datagram.size() + (path.remote.family == Address::Family::IPv6 ? 48 : 28) + kTurnChannel;
}
bool is_application_data(Bytes datagram) { return datagram[0] == 23; }

// The largest IP packet with SCTP inside that left either end.
struct Sizes {
  explicit Sizes(TwoPeers& t) {
    for (End* end : {&t.alice, &t.bob}) {
      end->node.on_send = [this](Time, const Path& path, Bytes datagram) {
        if (is_application_data(datagram)) largest = std::max(largest, ip_size(path, datagram));
      };
    }
  }
  std::size_t largest = 0;
};

void transfer(TwoPeers& t, ChannelHandle from, ChannelHandle to) {
  const std::size_t before = t.bob.channels[to].messages.size();
  for (int i = 0; i < 5; ++i) REQUIRE(t.alice.send(from, std::string(30000, 'x'), false));
  t.run_until([&] { return t.bob.channels[to].messages.size() == before + 5; }, 60s);
}

HostMaker host(const Address& address) {
  return [address](sim::World& world) -> sim::Host& { return world.add_host({address}); };
}

}  // namespace

TEST_CASE("without discovery no packet is larger than 1200 bytes on IPv4 and 1280 on IPv6",
          "[SCTP-PMTU-01]") {
  TwoPeers four(1);
  Sizes sizes4(four);
  const auto [a4, b4] = four.connect();
  transfer(four, a4, b4);
  four.world.run_for(30s);
  CHECK(sizes4.largest <= 1200);
  CHECK(sizes4.largest > 1200 - 12);  // a multiple of four, and room for the largest of our cipher suites
  CHECK(four.alice.peer.stats().sctp_mtu == 1128);

  TwoPeers six(2, host(*parse_ip("2001:db8::1")), host(*parse_ip("2001:db8::2")));
  Sizes sizes6(six);
  const auto [a6, b6] = six.connect();
  transfer(six, a6, b6);
  CHECK(sizes6.largest <= 1280);
  CHECK(sizes6.largest > 1280 - 12);
  CHECK(six.alice.peer.stats().sctp_mtu == 1188);
}

TEST_CASE("with discovery packets grow to what the path carries, and to the ceiling", "[SCTP-PMTU-02]") {
  struct Case {
    std::size_t path;
    std::uint16_t ceiling;
    std::size_t found;  // IP packet, give or take the rounding
  };
  std::uint64_t seed = 10;
  for (const Case& c : std::initializer_list<Case>{{1500, 1500, 1500},
                                                   {1204, 1500, 1200},
                                                   {1420, 1500, 1420},
                                                   {9000, 1500, 1500},
                                                   {65535, 9000, 9000}}) {
    CAPTURE(c.path, c.ceiling);
    const PeerConfig config{.max_ip_packet = c.ceiling};
    TwoPeers t(++seed, sim::LinkConfig{.mtu = c.path}, config, config);
    const auto [a, b] = t.connect();
    t.world.run_for(20s);
    Sizes sizes(t);  // after the search: data alone
    transfer(t, a, b);
    CHECK(sizes.largest <= c.found);
    CHECK(sizes.largest > c.found - 24);
    CHECK(t.alice.peer.stats().sctp_mtu + 61 <= c.found);
  }
}

TEST_CASE("an end that cannot forbid fragments neither probes nor asks for it", "[SCTP-PMTU-02]") {
  TwoPeers t(20, {}, {.max_ip_packet = 0}, {.max_ip_packet = 1500});
  bool probed = false;
  t.alice.node.on_send = [&](Time, const Path& path, Bytes datagram) {
    probed |= ip_size(path, datagram) > 1200;
  };
  const auto [a, b] = t.connect();
  transfer(t, a, b);
  t.world.run_for(20s);
  CHECK_FALSE(probed);
  CHECK(t.bob.peer.stats().sctp_mtu > 1128);
}

TEST_CASE("no SCTP packet leaves an end before its DTLS handshake is over", "[SCTP-INIT-23]") {
  for (std::uint64_t seed = 30; seed < 36; ++seed) {
    TwoPeers t(seed, {.delay = 20ms, .loss = seed % 2 == 0 ? 0.0 : 0.2});
    int sealed = 0;
    for (End* end : {&t.alice, &t.bob}) {
      end->node.on_send = [&sealed, end](Time, const Path&, Bytes datagram) {
        // Nothing but STUN and DTLS (RFC 7983), so no SCTP in the clear; and application data only under the keys.
        REQUIRE((datagram[0] <= 3 || (datagram[0] >= 20 && datagram[0] <= 63)));
        if (!is_application_data(datagram)) return;
        ++sealed;
        REQUIRE_FALSE(end->peer.stats().dtls_version.empty());
        REQUIRE(end->peer.connection_state() == ConnectionState::Connected);
      };
    }
    t.connect();
    CHECK(sealed > 0);
  }
}
