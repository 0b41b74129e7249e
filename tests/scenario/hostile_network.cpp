// Whole connections on a network that lies: errors of ICMP that somebody forges, and a peer that takes data and gives no
// consent.
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

const Address kAliceHome = Address::v4(192, 0, 2, 1, 5000), kBobHome = Address::v4(192, 0, 2, 2, 5000);

// RFC 7675 §5.1, seen from the wire: when each address last answered a check, and what went there otherwise.
struct ConsentWatch {
  ConsentWatch(sim::World& world, End& end, sim::Host& host, const Address& home) {
    world.stop_listening(host, home);
    world.listen(host, home, [&, this](Time now, const Path& path, Bytes datagram) {
      if (datagram.size() > 20 && datagram[0] == 1 && datagram[1] == 1) answered[path.remote] = now;
      (void)end.peer.handle_datagram(now, path, datagram);
    });
    end.node.on_send = [this](Time now, const Path& path, Bytes datagram) {
      if (datagram[0] < 4) return;
      ++others;
      const auto last = answered.find(path.remote);
      if (last == answered.end() || now - last->second > 30s) ++without_consent;
    };
  }
  std::map<Address, Time> answered;
  int others = 0, without_consent = 0;
};

// A message each way every 100 ms, until `stop`.
void chatter(TwoPeers& t, std::pair<ChannelHandle, ChannelHandle> channels, const bool& stop) {
  if (stop) return;
  (void)t.alice.send(channels.first, "there");
  (void)t.bob.send(channels.second, "back");
  t.world.after(100ms, [&t, channels, &stop] { chatter(t, channels, stop); });
}

}  // namespace

TEST_CASE("nothing but STUN goes to an address that answered no check in the last 30 s", "[INV-7]") {
  for (std::uint64_t seed = 720; seed < 740; ++seed) {
    sim::Host *alice_host = nullptr, *bob_host = nullptr;
    TwoPeers t(
        seed,
        [&](sim::World& world) -> sim::Host& {
          return *(alice_host = &world.add_host({kAliceHome.with_port(0)}));
        },
        [&](sim::World& world) -> sim::Host& {
          return *(bob_host = &world.add_host({kBobHome.with_port(0)}));
        });
    t.world.set_link(kAliceHome, kBobHome, {.loss = 0.2, .duplicate = 0.05});
    ConsentWatch of_alice(t.world, t.alice, *alice_host, kAliceHome),
        of_bob(t.world, t.bob, *bob_host, kBobHome);
    const auto channels = t.connect();
    bool stop = false;
    chatter(t, channels, stop);
    t.world.run_for(60s);
    t.world.set_link(kAliceHome, kBobHome, {.cut = true});
    t.world.run_for(90s);
    stop = true;
    for (const ConsentWatch* watch : {&of_alice, &of_bob}) {
      CHECK(watch->others > 100);
      CHECK(watch->without_consent == 0);
    }
  }
}

TEST_CASE("whoever forges ICMP for all we send fails no pair, ends no consent and shrinks no packet",
          "[ATK-25]") {
  for (std::uint64_t seed = 700; seed < 704; ++seed) {
    const PeerConfig config{.max_ip_packet = 1500};
    TwoPeers t(seed, {.mtu = 1500}, config, config);
    const auto channels = t.connect();
    t.run_until([&] { return t.alice.peer.stats().sctp_mtu > 1400; }, 30s);
    const std::uint32_t mtu = t.alice.peer.stats().sctp_mtu;
    std::size_t forged = 0;
    for (End* end : {&t.alice, &t.bob})
      end->node.on_send = [&, end](Time, const Path& path, Bytes datagram) {
        // At once, and once more from elsewhere; as much quoted as RFC 1812 §4.3.2.3 lets a router quote.
        t.world.after(1us, [&t, &forged, end, path, copy = test::to_vector(datagram)] {
          const Bytes quoted = Bytes(copy).first(std::min<std::size_t>(copy.size(), 548));
          end->peer.handle_icmp_error(t.world.now(), path, quoted);
          end->peer.handle_icmp_error(t.world.now(), {path.local, path.remote.with_port(1)}, quoted);
          ++forged;
        });
      };
    for (int i = 0; i < 30; ++i) {
      t.world.run_for(3s);
      speak(t, channels);
    }
    CHECK(forged > 150);
    CHECK(t.alice.peer.stats().sctp_mtu >= mtu);
    for (const End* end : {&t.alice, &t.bob})
      CHECK(end->states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
  }
}

TEST_CASE("a peer that acknowledges data and answers no check: sending ends with consent",
          "[ATK-30][ICE-CONS-04]") {
  sim::Host* host = nullptr;
  TwoPeers t(
      710,
      [&](sim::World& world) -> sim::Host& { return *(host = &world.add_host({kAliceHome.with_port(0)})); },
      [](sim::World& world) -> sim::Host& { return world.add_host({kBobHome.with_port(0)}); });
  const auto channels = t.connect();
  t.world.run_for(2s);
  Time last_answer = t.world.now(), last_data{}, silent_since{};
  bool is_deaf = false;
  t.world.stop_listening(*host, kAliceHome);
  t.world.listen(*host, kAliceHome, [&](Time now, const Path& path, Bytes datagram) {
    const bool is_answer = datagram.size() > 20 && datagram[0] == 1;
    if (is_answer && is_deaf) return;
    if (is_answer) last_answer = now;
    (void)t.alice.peer.handle_datagram(now, path, datagram);
  });
  t.alice.node.on_send = [&](Time now, const Path&, Bytes datagram) {
    if (datagram[0] >= 20) last_data = now;
  };
  bool stop = false;
  chatter(t, channels, stop);
  t.world.run_for(20s);
  CHECK(t.both_connected());
  is_deaf = true;
  t.run_until([&] { return t.alice.peer.connection_state() == ConnectionState::Disconnected; }, 30s);
  silent_since = t.world.now();
  CHECK(silent_since - last_answer > 15s);  // data came all the time
  CHECK(silent_since - last_answer < 26s);  // but there is time left for a restart
  t.world.run_for(40s);
  stop = true;
  CHECK(last_data - last_answer <= 30s);
  CHECK(last_data - last_answer > 29s);
  CHECK(t.alice.peer.connection_state() == ConnectionState::Failed);
  CHECK(t.alice.peer.stats().close_reason == Close::ConsentExpired);
}
