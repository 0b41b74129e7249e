// Restarts of ICE by PeerConnection: asked for, by itself when the network changes, and by both ends at once.
#include "unit/api/simulated_pair.h"

namespace pollrtc::test {
namespace {

const Address kElsewhere = Address::v4(198, 51, 100, 7, 0);

// Numbers from one end to the other, one every 20 ms, as long as it lives.
struct Numbers {
  Numbers(SimPair& p, const ChannelPtr& out, const ChannelPtr& in) : pair(p), from(out), to(in) {
    to->message_received = [this] { received.push_back(take(to)); };
    step();
  }
  ~Numbers() { *alive = false; }
  void step() {
    pair.world.after(20ms, [this, is_alive = alive] {
      if (!*is_alive) return;
      if (from->send_text(std::to_string(sent))) ++sent;
      step();
    });
  }
  void finish() {
    *alive = false;
    CHECK(pair.run_until([&] { return received.size() == sent; }));
    for (std::size_t i = 0; i < received.size(); ++i) REQUIRE(received[i] == std::to_string(i));
  }
  SimPair& pair;
  ChannelPtr from, to;
  std::size_t sent = 0;
  std::vector<std::string> received;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

}  // namespace

TEST_CASE("restart_ice(): an offer by the signal, the channels stay", "[ICE-RST-01]") {
  SimPair p;
  CHECK(p.a.connection->restart_ice().error() == ErrorCode::InvalidState);  // nothing yet
  p.connect();
  Numbers numbers(p, p.ours, p.theirs);
  for (const bool by_offerer : {true, false, true}) {
    SimEnd& one = by_offerer ? p.a : p.b;
    const std::size_t sockets = one.machine.open_sockets;
    REQUIRE(one.connection->restart_ice());
    CHECK(one.connection->get_signaling_state() == SignalingState::HaveLocalOffer);
    CHECK(one.connection->restart_ice().error() == ErrorCode::InvalidState);
    p.world.run_for(5s);
    CHECK(one.connection->get_signaling_state() == SignalingState::Stable);
    CHECK(one.connection->get_gathering_state() == GatheringState::Complete);
    CHECK(one.machine.open_sockets == sockets);
  }
  numbers.finish();
  CHECK(p.a.count("disconnected") == 0);
  p.a.connection->close();
  CHECK(p.a.connection->restart_ice().error() == ErrorCode::InvalidState);
}

TEST_CASE("both ends restart at once: the one that answered first gives way", "[ICE-RST-01][ICE-RST-04]") {
  SimPair p;
  p.connect();
  Numbers numbers(p, p.ours, p.theirs);
  std::vector<Status> statuses;
  for (SimEnd* end : {&p.a, &p.b}) {
    PeerConnection& other = end == &p.a ? *p.b.connection : *p.a.connection;
    end->connection->session_description_created = [&](const std::string& type, const std::string& sdp) {
      p.world.after(10ms, [&, type, sdp] { statuses.push_back(other.set_remote_description(type, sdp)); });
    };
  }
  REQUIRE(p.a.connection->restart_ice());
  REQUIRE(p.b.connection->restart_ice());
  p.world.run_for(5s);
  REQUIRE(statuses.size() == 3);  // two offers, and the answer to one of them
  for (const Status& status : statuses) CHECK(status);
  for (const SimEnd* end : {&p.a, &p.b}) {
    CHECK(end->connection->get_signaling_state() == SignalingState::Stable);
    CHECK(end->connection->get_connection_state() == ConnectionState::Connected);
  }
  REQUIRE(p.b.connection->restart_ice());
  p.world.run_for(60s);
  CHECK(p.a.connection->get_connection_state() == ConnectionState::Connected);
  numbers.finish();
}

TEST_CASE("a malformed offer that crosses a restart takes nothing back, and is refused at either end") {
  SimPair p;
  p.connect();
  for (SimEnd* end : {&p.a, &p.b}) {
    REQUIRE(end->connection->restart_ice());
    CHECK(end->connection->set_remote_description("offer", "v=0\r\nno description").error() ==
          ErrorCode::ParseFailed);
    CHECK(end->connection->get_signaling_state() == SignalingState::HaveLocalOffer);
    p.world.run_for(5s);  // the restart goes on
    CHECK(end->connection->get_signaling_state() == SignalingState::Stable);
  }
}

TEST_CASE("an address changes in mid-transfer: noticed, restarted, and on within 35 s", "[ICE-NAT-04]") {
  const bool offerer_moves = GENERATE(true, false);
  const auto gap = GENERATE(Duration(0s), Duration(5s), Duration(20s));  // without any address
  SimPair p;
  p.connect();
  Numbers there(p, p.ours, p.theirs), back(p, p.theirs, p.ours);
  p.world.run_for(1s);
  SimEnd& mover = offerer_moves ? p.a : p.b;
  mover.machine.move_to(std::nullopt);
  p.world.run_for(gap);
  mover.machine.move_to(kElsewhere);
  const std::size_t before = there.received.size(), before_back = back.received.size();
  CHECK(p.run_until(
      [&] { return there.received.size() > before + 100 && back.received.size() > before_back + 100; },
      35s - gap));
  CHECK(mover.connection->get_stats().selected_path->local.same_ip(kElsewhere));
  CHECK(mover.machine.open_sockets == 1);
  p.world.run_for(40s);
  there.finish();
  back.finish();
  for (const SimEnd* end : {&p.a, &p.b})
    CHECK(end->connection->get_connection_state() == ConnectionState::Connected);
}

TEST_CASE("a socket stays while its address does, whatever would be chosen today, and goes with it",
          "[ICE-NAT-04]") {
  const bool has_hook = GENERATE(true, false);
  SimPair p([&](Configuration& c) {
    if (has_hook) c.network.find_addresses = Machine::find_addresses;
  });
  p.connect();
  Machine& machine = p.a.machine;
  if (has_hook) {
    SECTION("the system does not list its addresses") { machine.listing_fails = true; }
    SECTION("the address is deprecated: nothing is chosen") { machine.chosen.emplace(); }
    SECTION("another one takes its place") { machine.chosen = {kElsewhere}; }
  } else {
    SECTION("the list is full, so there may be more") { machine.chosen.emplace(64, kElsewhere); }
  }
  p.world.run_for(10s);
  CHECK(machine.open_sockets == 1);
  CHECK(p.a.count("disconnected") == 0);
  REQUIRE(p.ours->send_text("still here"));
  p.world.run_for(1s);
  CHECK(p.b.count("message") == 1);

  machine.chosen.reset();
  machine.listing_fails = false;
  p.world.run_for(2s);
  CHECK(machine.open_sockets == 1);
  machine.move_to(std::nullopt);
  p.world.run_for(7s);
  CHECK(machine.open_sockets == 0);
  CHECK(p.a.count("disconnected") == 1);
}

TEST_CASE("without the wish nothing restarts by itself, and the loss of the path is the end",
          "[ICE-NAT-04]") {
  SimPair p([](Configuration& c) { c.restart_ice_automatically = false; });
  p.connect();
  p.b.machine.move_to(kElsewhere);
  p.world.run_for(40s);
  CHECK(p.a.connection->get_signaling_state() != SignalingState::HaveLocalOffer);
  CHECK(p.a.log.back() == "failed");
}

TEST_CASE("to an end that does not trickle the answer goes in one piece, once gathering is over",
          "[ICE-GATH-17]") {
  const bool trickles = GENERATE(true, false);
  SimPair p;
  std::string offer, answer;
  std::size_t candidates = 0;
  p.a.connection->session_description_created = [&](const std::string&, const std::string& sdp) {
    offer = sdp;
  };
  p.b.connection->session_description_created = [&](const std::string&, const std::string& sdp) {
    answer = sdp;
    CHECK((p.b.connection->get_gathering_state() == GatheringState::Complete || trickles));
  };
  p.b.connection->ice_candidate_created = [&](const std::string&, int, const std::string&) { ++candidates; };
  p.a.create();
  REQUIRE(p.a.connection->create_offer());
  REQUIRE(p.run_until([&] { return !offer.empty(); }, 1s));
  const std::string line = "a=ice-options:trickle ice2\r\n";
  REQUIRE(offer.find(line) != std::string::npos);
  if (!trickles) offer.erase(offer.find(line), line.size());
  REQUIRE(p.b.connection->set_remote_description("offer", offer));
  p.world.run_for(1s);
  CHECK((answer.find("a=candidate:") != std::string::npos) == !trickles);
  CHECK((answer.find("a=end-of-candidates") != std::string::npos) == !trickles);
  CHECK((answer.find("trickle") != std::string::npos) == trickles);
  CHECK(candidates == (trickles ? 1 : 0));
}

TEST_CASE("a server behind a one-to-one NAT announces how it looks from outside") {
  SimPair p;
  const auto with = [&](const std::string& internal, const std::string& external) {
    Configuration c = p.a.machine.configuration();
    c.nat_1_1_internal = internal;
    c.nat_1_1_external = external;
    return p.a.connection->initialize(c);
  };
  CHECK(with("192.0.2.1", "").error() == ErrorCode::InvalidArgument);
  CHECK(with("", "203.0.113.5").error() == ErrorCode::InvalidArgument);
  CHECK(with("192.0.2.1", "somewhere").error() == ErrorCode::InvalidArgument);
  REQUIRE(with("192.0.2.1", "203.0.113.5"));
  std::vector<std::string> lines;
  p.a.connection->ice_candidate_created = [&](const std::string&, int, const std::string& line) {
    lines.push_back(line);
  };
  REQUIRE(p.a.connection->create_data_channel("chat"));
  REQUIRE(p.a.connection->create_offer());
  p.world.run_for(1s);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find("203.0.113.5 5000 typ host") != std::string::npos);
  CHECK(lines[0].find("192.0.2.1") == std::string::npos);
}

}  // namespace pollrtc::test
