// The walk of docs/architecture.md as a running program: one message from its sender's call to its reader's.
#include "scenario/two_peers.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

TEST_CASE("two peers meet, speak and part", "[API-26][API-40][SCTP-INIT-01]") {
  TwoPeers t(1);
  const auto [a, b] = t.connect();
  CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
  CHECK(t.bob.states == std::vector{ConnectionState::Connecting, ConnectionState::Connected});
  CHECK(t.alice.channels[a].events == std::vector<std::string>{"open"});
  CHECK(t.bob.channels[b].events == std::vector<std::string>{"announced"});
  CHECK(t.bob.peer.channel(b)->label == "chat");

  REQUIRE(t.alice.send(a, "hello"));
  REQUIRE(t.bob.send(b, "and to you", false));
  t.world.run_for(1s);
  CHECK(t.bob.channels[b].messages == std::vector<ReceivedMessage>{{"hello", true}});
  CHECK(t.alice.channels[a].messages == std::vector<ReceivedMessage>{{"and to you", false}});

  t.alice.peer.close(t.world.now());
  CHECK(t.alice.peer.connection_state() == ConnectionState::Closed);
  CHECK(t.alice.peer.signaling_state() == SignalingState::Closed);
  t.world.run_for(1s);
  CHECK(t.bob.peer.connection_state() == ConnectionState::Closed);
  CHECK(t.bob.channels[b].events.back() == "closed:RemoteAbort");
  CHECK(t.alice.channels[a].events == std::vector<std::string>{"open"});  // nothing after its own close()
}

TEST_CASE("the set-up takes four round trips of the network at the most, signalling aside") {
  sim::LinkConfig link;
  link.delay = 100ms;
  TwoPeers t(2, link);
  t.alice.signalling_delay = t.bob.signalling_delay = 0ms;
  const Time start = t.world.now();
  t.connect();
  // ICE 1, DTLS 1.2 2, SCTP 2 less the half that DCEP's OPEN rides along (facts: the classic set-up).
  CHECK(t.world.now() - start <= 1100ms);
}
