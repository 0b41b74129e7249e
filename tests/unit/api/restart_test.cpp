// Restarts of ICE by PeerConnection: asked for, by itself when the network changes, and by both ends at once.
#include "support/catch.h"
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

TEST_CASE(
    "offers that crossed at the start, then two restarts at once: the answerer of the first exchange gives "
    "way",
    "[ICE-RST-04][SDP-48]") {
  SimPair p;
  const auto hand_on = p.a.connection->session_description_created;
  SessionDescription of_b;
  p.a.connection->session_description_created = {};
  const auto from_b = p.b.connection->session_description_created;
  p.b.connection->session_description_created = [&](const std::string& type, const std::string& sdp) {
    of_b = {type, sdp};
  };
  for (SimEnd* end : {&p.a, &p.b}) {
    end->create(end == &p.a ? "from a" : "from b");
    REQUIRE(end->connection->create_offer());
  }
  p.world.run_for(1s);
  p.a.connection->session_description_created = hand_on;
  p.b.connection->session_description_created = from_b;
  REQUIRE(p.a.connection->set_local_description("rollback", ""));
  REQUIRE(p.a.connection->set_remote_description(of_b));
  REQUIRE(p.run_until([&] { return p.a.channels.size() == 2 && p.b.channels.size() == 2; }));
  for (int i = 0; i < 2; ++i) {
    REQUIRE(p.a.connection->restart_ice());
    REQUIRE(p.b.connection->restart_ice());
    p.world.run_for(5s);
    for (const SimEnd* end : {&p.a, &p.b}) {
      CHECK(end->connection->get_signaling_state() == SignalingState::Stable);
      CHECK(end->connection->get_connection_state() == ConnectionState::Connected);
    }
  }
}

TEST_CASE(
    "who sleeps until a deadline, with nothing to send, finds the address that came after ICE had failed",
    "[API-18][ICE-NAT-04]") {
  const bool offerer_moves = GENERATE(true, false);
  SimPair p;
  p.connect();
  SimEnd& mover = offerer_moves ? p.a : p.b;
  mover.machine.move_to(std::nullopt);
  p.world.run_for(120s);
  REQUIRE(mover.connection->get_connection_state() == ConnectionState::Failed);
  const std::size_t polls = mover.machine.polls;
  p.world.run_for(10s);
  CHECK(mover.machine.polls <= polls + 12);
  mover.machine.move_to(kElsewhere);
  CHECK(p.run_until([&] { return mover.connection->get_connection_state() == ConnectionState::Connected; },
                    5s));
  p.world.run_for(60s);
  for (const SimEnd* end : {&p.a, &p.b})
    CHECK(end->connection->get_connection_state() == ConnectionState::Connected);
  REQUIRE(p.ours->send("there again"));
  CHECK(p.run_until([&] { return p.b.count("message") == 1; }, 5s));
}

TEST_CASE("both machines sleep for a minute: with nothing to send, the first look afterwards restarts ICE",
          "[API-18]") {
  SimPair p;
  p.connect();
  const auto wake = [](SimEnd& end) { return std::pair(end.machine.poll, end.machine.time_to_deadline); };
  const auto a = wake(p.a), b = wake(p.b);
  for (SimEnd* end : {&p.a, &p.b}) {
    end->machine.poll = [] {};
    end->machine.time_to_deadline = [] { return std::optional<Duration>(); };
  }
  p.world.run_for(60s);
  std::tie(p.a.machine.poll, p.a.machine.time_to_deadline) = a;
  std::tie(p.b.machine.poll, p.b.machine.time_to_deadline) = b;
  const auto is_up = [](const SimEnd& end) {
    return end.connection->get_connection_state() == ConnectionState::Connected &&
           end.connection->get_signaling_state() == SignalingState::Stable;
  };
  p.a.machine.poll();
  p.b.machine.poll();
  CHECK_FALSE(is_up(p.a));
  CHECK(p.run_until([&] { return is_up(p.a) && is_up(p.b); }, 10s));
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

TEST_CASE(
    "an offer that is well formed and refused takes nothing back when it crosses a restart, at either end",
    "[SDP-03]") {
  SimPair p;
  std::map<SimEnd*, std::string> said;  // the last offer of each
  for (SimEnd* end : {&p.a, &p.b}) {
    const auto hand_on = end->connection->session_description_created;
    end->connection->session_description_created = [&said, end, hand_on](const std::string& type,
                                                                         const std::string& sdp) {
      if (type == "offer") said[end] = sdp;
      hand_on(type, sdp);
    };
  }
  p.connect();
  for (SimEnd* end : {&p.a, &p.b}) {
    REQUIRE(end->connection->restart_ice());
    p.world.run_for(5s);
  }
  const auto edited = [](std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  for (SimEnd* end : {&p.b, &p.a}) {
    const std::string& theirs = said[end == &p.a ? &p.b : &p.a];
    REQUIRE(end->connection->restart_ice());
    const std::pair<std::string, ErrorCode> refused[] = {
        {edited(theirs, "a=setup:", "a=x-setup:"), ErrorCode::Refused},
        {edited(theirs, "a=sctp-port:5000", "a=sctp-port:5001"), ErrorCode::NotSupported}};
    for (const auto& [text, why] : refused) {
      const Status status = end->connection->set_remote_description("offer", text);
      REQUIRE_FALSE(status);
      CHECK(status.error() == why);
      CHECK(end->connection->get_signaling_state() == SignalingState::HaveLocalOffer);
    }
    const std::string before = said[end];
    p.world.run_for(5s);  // the restart goes on, with the offer that was made for it
    CHECK(said[end] != before);
    CHECK(end->connection->get_signaling_state() == SignalingState::Stable);
    CHECK(end->connection->get_connection_state() == ConnectionState::Connected);
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

TEST_CASE("restart_ice() when the path has failed: the channels go on where they stopped", "[ICE-CONS-02]") {
  SimPair p([](Configuration& c) { c.restart_ice_automatically = false; });
  p.connect();
  Numbers there(p, p.ours, p.theirs), back(p, p.theirs, p.ours);
  p.world.run_for(1s);
  p.cut(true);
  p.world.run_for(100s);
  CHECK(p.a.log.back() == "failed");
  const std::size_t so_far = there.received.size();
  p.cut(false);
  p.world.run_for(1s);
  const std::size_t sockets = p.a.machine.open_sockets;
  SimEnd& one = GENERATE(true, false) ? p.a : p.b;
  REQUIRE(one.connection->restart_ice());
  CHECK(one.connection->get_connection_state() == ConnectionState::Failed);  // it is an offer, as yet
  REQUIRE(p.run_until(
      [&] { return there.received.size() == there.sent && back.received.size() == back.sent; }, 5s));
  CHECK(there.received.size() > so_far + 1000);
  there.finish();
  back.finish();
  CHECK(p.a.machine.open_sockets == sockets);
  for (const SimEnd* end : {&p.a, &p.b}) {
    CHECK(std::vector(end->log.end() - 4, end->log.end()) ==
          std::vector<std::string>{"disconnected", "failed", "connecting", "connected"});
  }
}

TEST_CASE("the offer of a restart is lost with the path: it is given again, the same, with its candidates",
          "[ICE-CONS-02]") {
  SimPair p([](Configuration& c) { c.restart_ice_automatically = false; });
  p.connect();
  p.cut(true);
  REQUIRE(
      p.run_until([&] { return p.a.connection->get_connection_state() == ConnectionState::Disconnected; }));
  const auto signal = p.a.connection->session_description_created;
  std::vector<std::string> offers;
  p.a.connection->session_description_created = [&](const std::string& type, const std::string& sdp) {
    offers.push_back(sdp);
    CHECK(p.a.connection->set_local_description(type, sdp));
    if (offers.size() > 1) signal(type, sdp);
  };
  p.a.connection->ice_candidate_created = nullptr;
  REQUIRE(p.a.connection->restart_ice());
  CHECK(p.a.connection->restart_ice().error() == ErrorCode::InvalidState);
  REQUIRE(p.run_until([&] { return p.a.connection->get_connection_state() == ConnectionState::Failed; }));
  p.world.run_for(60s);
  CHECK(p.a.connection->get_signaling_state() == SignalingState::HaveLocalOffer);
  p.cut(false);
  REQUIRE(p.a.connection->restart_ice());
  REQUIRE(
      p.run_until([&] { return p.a.connection->get_connection_state() == ConnectionState::Connected; }, 5s));
  REQUIRE(offers.size() == 2);
  const auto line = [](const std::string& sdp, std::string_view name) {
    const std::size_t at = sdp.find(name);
    return at == std::string::npos ? std::string() : sdp.substr(at, sdp.find('\r', at) - at);
  };
  CHECK(line(offers[0], "a=ice-ufrag") == line(offers[1], "a=ice-ufrag"));
  CHECK(line(offers[0], "a=candidate").empty());
  CHECK_FALSE(line(offers[1], "a=candidate").empty());
  REQUIRE(p.ours->send_text("again"));
  p.world.run_for(1s);
  CHECK(p.b.count("message") == 1);
}

TEST_CASE("a network that comes back after the path has failed: restarted without being asked",
          "[ICE-NAT-04]") {
  const bool offerer_moves = GENERATE(true, false);
  SimPair p;
  p.connect();
  Numbers there(p, p.ours, p.theirs), back(p, p.theirs, p.ours);
  SimEnd& mover = offerer_moves ? p.a : p.b;
  mover.machine.move_to(std::nullopt);
  p.world.run_for(120s);
  CHECK(mover.connection->get_connection_state() == ConnectionState::Failed);
  mover.machine.move_to(kElsewhere);
  const std::size_t before = there.received.size(), before_back = back.received.size();
  CHECK(p.run_until(
      [&] { return there.received.size() > before + 100 && back.received.size() > before_back + 100; }, 45s));
  CHECK(mover.machine.open_sockets == 1);
  there.finish();
  back.finish();
}

TEST_CASE("when the window has closed there is nothing to restart", "[API-31]") {
  SimPair p([](Configuration& c) {
    c.limits.ice_restart_window = 10s;
    c.restart_ice_automatically = false;
  });
  p.connect();
  p.cut(true);
  p.world.run_for(50s);
  CHECK(p.a.connection->get_connection_state() == ConnectionState::Failed);
  CHECK(p.a.connection->restart_ice().error() == ErrorCode::InvalidState);
  CHECK(p.ours->get_ready_state() == ChannelState::Closed);
  CHECK_FALSE(p.a.connection->get_time_to_next_deadline());
}

TEST_CASE("to an end that does not trickle the answer goes in one piece, once gathering is over",
          "[ICE-GATH-17][SDP-61]") {
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
