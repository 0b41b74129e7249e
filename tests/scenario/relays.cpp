// Relays that go in mid-transfer: their connection breaks, the server dies or forgets us, or a NAT moves us away from them.
#include "scenario/signalling.h"
#include "scenario/turn_service.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

const Address kTurn = Address::v4(203, 0, 113, 2, 3478), kSpare = Address::v4(203, 0, 113, 3, 3478);

// Two ends with relayed candidates alone, Alice behind a NAT, and numbers that go from her to Bob every 10 ms.
struct Relayed {
  Relayed(std::uint64_t seed, TurnTransport transport)
      : t(
            seed,
            [this](sim::World& world) -> sim::Host& {
              nat = &world.add_nat(sim::NatConfig::port_restricted(), Address::v4(198, 51, 100, 1, 0));
              return world.add_host({Address::v4(192, 168, 0, 2, 0)}, nat);
            },
            [](sim::World& world) -> sim::Host& { return world.add_host({Address::v4(192, 0, 2, 2, 0)}); },
            PeerConfig{.relay_only = true}),
        turn(t.world, kTurn) {
    for (End* end : {&t.alice, &t.bob})
      turn.serve(*end, Address::v4(198, 51, 100, end == &t.alice ? 1 : 2, 0), {transport});
    t.alice.on_restart_needed = [this] { ++restarts_asked; };
    std::tie(a, b) = t.connect();
    step();
    t.world.run_for(2s);
  }
  ~Relayed() { *alive = false; }
  void step() {
    t.world.after(10ms, [this, is_alive = alive] {
      if (!*is_alive) return;
      if (t.alice.send(a, std::to_string(sent))) ++sent;
      step();
    });
  }
  std::size_t received() { return t.bob.channels[b].messages.size(); }
  // Data goes on within 35 s of `since`, and all that was sent has come, once and in order.
  void recovers(Time since) {
    t.run_until([this] { return restarts_asked != 0; }, 20s);
    CHECK(t.alice.peer.connection_state() == ConnectionState::Disconnected);
    t.negotiate(t.alice, t.bob, {.ice_restart = true});
    const std::size_t before = received();
    t.run_until([&] { return received() > before + 100; }, since + 35s - t.world.now());
    *alive = false;
    t.run_until([this] { return received() == sent; }, 30s);
    for (std::size_t i = 0; i < sent; ++i) REQUIRE(t.bob.channels[b].messages[i].data == std::to_string(i));
    CHECK(t.both_connected());
    CHECK(t.alice.peer.stats().local_type == CandidateType::Relayed);
  }

  sim::Nat* nat = nullptr;
  TwoPeers t;
  TurnService turn;
  ChannelHandle a{}, b{};
  std::size_t sent = 0;
  int restarts_asked = 0;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

}  // namespace

TEST_CASE(
    "the connection to a relay breaks: the path is interrupted, not failed, and a restart asks for another",
    "[TURN-16][ICE-RST-01]") {
  Relayed r(800, TurnTransport::Tcp);
  const Time then = r.t.world.now();
  r.turn.reset_connections();
  r.recovers(then);
  CHECK(r.t.world.now() - then < 10s);
}

TEST_CASE("a NAT gives us another address, to which our allocation does not belong",
          "[TURN-29][ICE-NAT-03]") {
  Relayed r(801, TurnTransport::Udp);
  const Time then = r.t.world.now();
  r.nat->forget();
  r.recovers(then);
}

TEST_CASE("the server in use dies, and another stands by", "[TURN-16]") {
  Relayed r(802, TurnTransport::Udp);
  TurnService spare(r.t.world, kSpare);
  for (End* end : {&r.t.alice, &r.t.bob})
    spare.serve(*end, Address::v4(198, 51, 100, end == &r.t.alice ? 1 : 2, 0), {TurnTransport::Udp});
  const Time then = r.t.world.now();
  r.turn.server.is_silent = true;
  r.recovers(then);
}

// A socket may give many kilobytes at once, and small messages lie close in them.
TEST_CASE("a hundred records in one piece of a relay's stream are a hundred packets") {
  Relayed r(803, TurnTransport::Tcp);
  *r.alive = false;
  r.t.run_until([&] { return r.received() == r.sent; }, 5s);
  const auto limit = [&] { return r.t.bob.peer.stats().drops[static_cast<std::size_t>(Drop::DtlsLimit)]; };
  const std::size_t before = r.received();
  const std::uint64_t records = r.t.bob.peer.stats().datagrams_received;
  r.turn.hold_connections();
  for (int i = 0; i < 120; ++i) r.t.world.after(i * 1ms, [&r] { REQUIRE(r.t.alice.send(r.a, "small")); });
  r.t.world.run_for(150ms);
  REQUIRE(r.received() == before);
  r.turn.let_go_connections();
  CHECK(r.t.bob.peer.stats().datagrams_received >= records + 100);
  CHECK(limit() == 0);
  CHECK(r.received() == before);  // nobody has asked for events yet
  r.t.world.run_for(1ms);
  CHECK(r.received() == before + 120);
}
