// A whole peer and its TURN server: what becomes of allocations and permissions when sockets and generations go.
#include "pollrtc/peer.h"
#include "sim/turn_server.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using sim::TurnServer;
using stun::Method;

namespace {

const Address kBase = *parse_ip("192.0.2.1", 4000), kServer = *parse_ip("203.0.113.9", 3478);

struct Rig {
  Rig() : alice(make(environment)), bob(make(bob_environment)) {}
  static Peer make(TestEnvironment& environment) {
    auto peer = Peer::create(environment.env, PeerConfig{}, Time{});
    REQUIRE(peer);
    return *std::move(peer);
  }
  void exchange() {
    ByteVector out(2560);
    while (const auto transmit = alice.poll_transmit(now, out)) {
      if (transmit->path.remote != kServer) continue;
      const Address seen = outside.is_valid() ? outside : transmit->path.local;
      for (const auto& reply : server.handle(seen, kServer, Bytes(out).first(transmit->size)))
        if (reply.to == seen) alice.handle_datagram(now, transmit->path, reply.bytes);
    }
    for (Peer::Event event; alice.poll_event(event);) continue;
  }
  void wait(Duration time) {
    const Time end = now + time;
    exchange();
    while (alice.next_timeout() <= end) {
      now = std::max(now, alice.next_timeout());
      alice.handle_timeout(now);
      exchange();
    }
    now = end;
  }
  void offer(bool is_restart = false) {
    text = *alice.create_offer(now, {.ice_restart = is_restart});
    REQUIRE(alice.set_local_description(now, SdpType::Offer, text));
  }
  void answer() {
    REQUIRE(bob.set_remote_description(now, SdpType::Offer, text));
    const auto reply = bob.create_answer(now);
    REQUIRE(reply);
    REQUIRE(bob.set_local_description(now, SdpType::Answer, *reply));
    REQUIRE(alice.set_remote_description(now, SdpType::Answer, *reply));
  }
  void add_remote(const Address& address) {
    const std::string line =
        "candidate:1 1 udp 2130706431 " + std::string(ip_text(address).view()) + " 6000 typ host";
    REQUIRE(alice.add_remote_candidate(now, "0", 0, line));
  }
  std::size_t permissions_asked(const Address& peer) const {
    return static_cast<std::size_t>(
        std::count_if(server.requests.begin(), server.requests.end(), [&](const auto& request) {
          const auto message = *stun::Message::parse(request.second, stun::Usage::Turn);
          const auto named = message.xor_address(stun::Attribute::XorPeerAddress);
          return request.first == Method::CreatePermission && named && named->same_ip(peer) &&
                 message.has(stun::Attribute::MessageIntegrity);
        }));
  }

  Time now{};
  TestEnvironment environment{3}, bob_environment{4};
  Peer alice, bob;
  TurnServer server{kServer};
  Address outside;  // what a NAT makes of our address; invalid: there is none
  std::string text;
};

}  // namespace

TEST_CASE("an interface that comes back at the same port is asked from again", "[TURN-16]") {
  Rig rig;
  REQUIRE(rig.alice.create_channel(rig.now, {.label = "chat"}));
  rig.offer();
  REQUIRE(rig.alice.add_turn_server(rig.now,
                                    {std::span(&kServer, 1), TurnTransport::Udp, "", "alice", "secret"}));
  for (int i = 1; i <= 10; ++i) {  // more often than there may be allocations
    REQUIRE(rig.alice.add_local_address(rig.now, kBase));
    rig.wait(1s);
    REQUIRE(rig.server.allocations.count(kBase) == 1);
    REQUIRE(rig.alice.remove_local_address(rig.now, kBase));
    rig.server.requests.clear();
    rig.wait(1s);
    CHECK(rig.server.count(Method::Refresh) == 0);
    rig.server.allocations.clear();
  }
}

TEST_CASE("a server without room for an allocation is asked for our address all the same", "[ICE-GATH-10]") {
  for (const int code : {0, 401, 403, 437, 486, 508}) {
    Rig rig;
    rig.outside = *parse_ip("198.51.100.200", 999);
    if (code != 0) rig.server.refusals[Method::Allocate].push_back({code});
    if (code == 401) rig.server.password = "another";
    REQUIRE(rig.alice.create_channel(rig.now, {.label = "chat"}));
    rig.offer();
    REQUIRE(rig.alice.add_turn_server(rig.now,
                                      {std::span(&kServer, 1), TurnTransport::Udp, "", "alice", "secret"}));
    REQUIRE(rig.alice.add_local_address(rig.now, kBase));
    rig.alice.local_addresses_done(rig.now);
    rig.wait(1s);
    INFO("code " << code);
    const bool is_full = code == 486 || code == 508;
    CHECK(rig.server.count(Method::Binding) == (is_full ? 1 : 0));
    const std::string text = rig.alice.local_description();
    CHECK((text.find("typ srflx") != std::string::npos) == (code == 0 || is_full));
    CHECK((text.find("typ relay") != std::string::npos) == (code == 0));
    CHECK(rig.alice.gathering_state() == GatheringState::Complete);
  }
}

TEST_CASE("a restart while a server is waited for: the end of the new gathering is the application's to say",
          "[ICE-RST-02][SDP-59]") {
  const bool is_undone = GENERATE(false, true);
  Rig rig;
  REQUIRE(rig.alice.create_channel(rig.now, {.label = "chat"}));
  rig.offer();
  const Address silent = *parse_ip("203.0.113.77", 3478);
  REQUIRE(
      rig.alice.add_turn_server(rig.now, {std::span(&silent, 1), TurnTransport::Udp, "", "alice", "secret"}));
  REQUIRE(rig.alice.add_local_address(rig.now, kBase));
  rig.alice.local_addresses_done(rig.now);
  rig.wait(1s);
  rig.answer();
  REQUIRE(rig.alice.gathering_state() == GatheringState::Gathering);  // the server may answer yet
  rig.offer(true);
  REQUIRE(rig.alice.add_local_address(rig.now, kBase));
  if (is_undone) REQUIRE(rig.alice.set_local_description(rig.now, SdpType::Rollback, ""));
  CHECK(rig.alice.gathering_state() == GatheringState::Gathering);
  rig.wait(38s +
           800ms);  // the server is given up 39.5 s after it was asked; gathering would be cut off after 40 s
  REQUIRE(rig.now == Time{39s + 800ms});
  CHECK(rig.alice.gathering_state() == (is_undone ? GatheringState::Complete : GatheringState::Gathering));
  rig.alice.local_addresses_done(rig.now);
  rig.wait(1ms);
  CHECK(rig.alice.gathering_state() == GatheringState::Complete);
}

TEST_CASE("a permission that only a past generation wanted is not refreshed", "[TURN-10][ICE-RST-01]") {
  const Address first = *parse_ip("198.51.100.1", 6000), second = *parse_ip("198.51.100.2", 6000);
  Rig rig;
  REQUIRE(rig.alice.create_channel(rig.now, {.label = "chat"}));
  rig.offer();
  REQUIRE(rig.alice.add_turn_server(rig.now,
                                    {std::span(&kServer, 1), TurnTransport::Udp, "", "alice", "secret"}));
  REQUIRE(rig.alice.add_local_address(rig.now, kBase));
  rig.wait(1s);
  rig.answer();
  rig.add_remote(first);
  rig.wait(1s);
  CHECK(rig.permissions_asked(first) == 1);
  rig.offer(true);
  rig.wait(1s);
  rig.answer();  // nothing was ever selected: the first generation goes at once
  rig.add_remote(second);
  rig.wait(1s);
  CHECK(rig.permissions_asked(second) == 1);
  rig.offer(true);  // what keeps the connection alive without a path
  rig.wait(290s);
  CHECK(rig.permissions_asked(first) == 1);
  CHECK(rig.permissions_asked(second) == 2);
}

}  // namespace pollrtc::test
