// ICE-TCP: two peers where no UDP gets through.
#include "scenario/signalling.h"
#include "scenario/tcp_network.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

constexpr Address kAliceTcp = Address::v4(192, 0, 2, 1, 7001), kBobTcp = Address::v4(192, 0, 2, 2, 7002);

// Both have UDP candidates too, unless they are told otherwise; the network lets none of their datagrams through.
struct TcpPeers {
  explicit TcpPeers(std::uint64_t seed, bool alice_listens = true, bool bob_listens = true,
                    double udp_loss = 1)
      : t(seed, {.loss = udp_loss}), net(t.world, 10ms) {
    net.join(t.alice, kAliceTcp, alice_listens);
    net.join(t.bob, kBobTcp, bob_listens);
    if (udp_loss != 1) return;
    // Such a network does not even lose them silently for ever: what matters is that nothing arrives.
    t.alice.udp = t.bob.udp = seed % 2 == 0;
  }
  void talk(ChannelHandle a, ChannelHandle b, const std::string& text) {
    REQUIRE(t.alice.send(a, text));
    REQUIRE(t.bob.send(b, text));
    t.run_until(
        [&] {
          const auto& at_bob = t.bob.channels[b].messages;
          const auto& at_alice = t.alice.channels[a].messages;
          return !at_bob.empty() && !at_alice.empty() && at_bob.back().data == text &&
                 at_alice.back().data == text;
        },
        30s);
  }
  bool is_tcp(const End& end) const {
    const auto path = end.peer.stats().selected_path;
    return path && path->transport == Transport::Tcp;
  }

  TwoPeers t;
  TcpNetwork net;
};

}  // namespace

TEST_CASE("with UDP blocked the peers meet over TCP, whoever of them can be connected to",
          "[ICE-TCP-01][ICE-TCP-02][ICE-TCP-05][ICE-TCP-06]") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const bool alice_listens = seed % 3 != 0, bob_listens = seed % 3 != 1;
    TcpPeers p(seed, alice_listens, bob_listens);
    const auto [a, b] = p.t.connect();
    CHECK(p.is_tcp(p.t.alice));
    CHECK(p.is_tcp(p.t.bob));
    p.talk(a, b, "hello");
    p.talk(a, b, std::string(200'000, 'x'));
    p.t.world.run_for(1s);
    CHECK(p.net.open_connections() == 1);  // the others were closed when one was chosen
    CHECK(p.t.alice.peer.stats().drops[static_cast<std::size_t>(Drop::TcpNotStun)] == 0);
    // Consent keeps it for as long as anybody wants it.
    p.t.world.run_for(120s);
    CHECK(p.t.both_connected());
    p.talk(a, b, "still there");
    p.t.alice.peer.close(p.t.world.now());
    p.t.run_until([&] { return p.t.bob.peer.connection_state() == ConnectionState::Closed; }, 5s);
    p.t.world.run_for(1s);
    CHECK(p.net.open_connections() == 0);
  }
}

TEST_CASE("where UDP gets through it is taken, and every TCP connection is closed",
          "[ICE-TCP-04][ICE-TCP-07]") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    TcpPeers p(seed, true, true, 0);
    const auto [a, b] = p.t.connect();
    p.t.world.run_for(3s);
    CHECK_FALSE(p.is_tcp(p.t.alice));
    CHECK_FALSE(p.is_tcp(p.t.bob));
    CHECK(p.net.open_connections() == 0);
    p.talk(a, b, "hello");
  }
}

TEST_CASE("a connection that breaks is made anew, and nothing is lost", "[ICE-TCP-08]") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    TcpPeers p(seed, seed % 3 != 0, seed % 3 != 1);
    const auto [a, b] = p.t.connect();
    p.talk(a, b, "before");
    p.t.world.run_for(5s);
    int restarts = 0;
    p.t.alice.on_restart_needed = p.t.bob.on_restart_needed = [&] { ++restarts; };
    for (int round = 0; round < 3; ++round) {
      p.net.reset_all();
      p.t.world.run_for(1ms);
      CHECK_FALSE(p.t.alice.peer.stats().selected_path);
      p.talk(a, b, "round " + std::to_string(round));
      p.t.run_until([&] { return p.t.both_connected(); }, 5s);
    }
    CHECK(restarts == 0);
    CHECK(p.is_tcp(p.t.alice));
    CHECK(p.net.open_connections() == 1);
  }
}

TEST_CASE("what a connection does not take waits with its channel, and is not lost") {
  TcpPeers p(2);
  const auto handles = p.t.connect();
  const auto send = [&](int count) {
    const std::size_t before = p.t.bob.channels[handles.second].messages.size();
    for (int i = 0; i < count; ++i) REQUIRE(p.t.alice.send(handles.first, std::string(100'000, 'x')));
    return before + static_cast<std::size_t>(count);
  };
  const auto have_come = [&](std::size_t count) {
    p.t.run_until([&] { return p.t.bob.channels[handles.second].messages.size() == count; }, 30s);
  };
  for (int i = 0; i < 5; ++i)
    have_come(send(8));  // so that the window is larger than what a connection holds
  CHECK(p.t.alice.peer.stats().sctp_cwnd > 2 * p.t.alice.environment.env.limits.ice_tcp_buffer);
  const std::uint64_t before = p.t.alice.peer.stats().sctp_retransmitted_chunks;
  p.net.stalls = true;
  const std::size_t count = send(8);
  p.t.world.run_for(20ms);
  CHECK(p.t.alice.peer.stats().sctp_outstanding < p.t.alice.environment.env.limits.ice_tcp_buffer);
  p.net.stalls = false;
  have_come(count);
  CHECK(p.t.alice.peer.stats().sctp_retransmitted_chunks == before);
}

TEST_CASE("when it cannot be made anew the offerer is told to restart ICE", "[ICE-TCP-08]") {
  for (const bool alice_listens : {true, false}) {
    TcpPeers p(alice_listens ? 1 : 3, alice_listens, !alice_listens);
    p.t.connect();
    p.t.world.run_for(2s);
    int restarts = 0;
    p.t.alice.on_restart_needed = [&] { ++restarts; };
    p.t.bob.on_restart_needed = [&] { FAIL("not the offerer"); };
    p.net.refuses = true;
    p.net.reset_all();
    p.t.world.run_for(10s);
    CHECK(restarts == 1);
    CHECK(p.t.alice.peer.connection_state() == ConnectionState::Disconnected);
  }
}

TEST_CASE("an ICE restart leaves the connection alone, and with another way chosen it is closed",
          "[ICE-TCP-09]") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    TcpPeers p(seed, false, true);
    const auto [a, b] = p.t.connect();
    p.t.world.run_for(1s);
    REQUIRE(p.net.open_connections() == 1);
    const std::size_t before = p.net.opened;
    // UDP gets through from now on, so the restart will choose it.
    p.t.world.set_link(TwoPeers::kAlice, TwoPeers::kBob, {});
    p.t.alice.udp = p.t.bob.udp = true;
    p.t.negotiate(p.t.alice, p.t.bob, {.ice_restart = true});
    p.t.world.run_for(p.t.alice.signalling_delay + 5ms);
    CHECK(p.net.open_connections() >= 1);
    CHECK(p.is_tcp(p.t.alice));
    p.talk(a, b, "meanwhile");
    p.t.run_until([&] { return !p.is_tcp(p.t.alice) && !p.is_tcp(p.t.bob); }, 10s);
    CHECK(p.net.opened >= before);
    p.t.world.run_for(4s);  // what is on its way over the old path is still taken for three
    CHECK(p.net.open_connections() == 0);
    p.talk(a, b, "after");
  }
}

TEST_CASE("a restart that finds the same pair again keeps its connection", "[ICE-TCP-09]") {
  TcpPeers p(1, false, true);
  const auto [a, b] = p.t.connect();
  p.t.world.run_for(1s);
  const std::size_t before = p.net.opened;
  p.t.negotiate(p.t.alice, p.t.bob, {.ice_restart = true});
  p.t.world.run_for(10s);
  CHECK(p.t.alice.peer.signaling_state() == SignalingState::Stable);
  CHECK(p.t.both_connected());
  CHECK(p.net.opened == before);  // the same addresses, so the same connection serves
  CHECK(p.net.open_connections() == 1);
  p.talk(a, b, "after");
}
