// TCP candidates in the agent, with a peer made by hand and connections that only the test knows of.
#include "ice/nomination.h"
#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {

namespace {

const Address kListener = addr("192.0.2.1", 5000), kActive = addr("192.0.2.1", 9);
const Address kTheirListener = addr("192.0.2.2", 7000), kTheirPort = addr("192.0.2.2", 40001);
const Path kOut{kActive, kTheirListener, Transport::Tcp};  // a connection of ours
const Path kIn{kListener, kTheirPort, Transport::Tcp};     // one of theirs

Candidate tcp_candidate(const Address& address, TcpType direction, std::uint32_t priority = 1518280447) {
  Candidate c;
  c.address = address;
  c.priority = priority;
  c.transport = Transport::Tcp;
  c.tcp_type = direction;
  c.foundation = *FixedString<32>::from("9");
  return c;
}

// An agent with both kinds of TCP candidates and, on demand, a UDP socket at the same port.
struct TcpSolo {
  explicit TcpSolo(bool controlling = true, bool with_udp = false, const ice::AgentConfig& given = {},
                   bool knows_peer = true)
      : side(7, config(given, controlling)), agent(*side.agent) {
    if (with_udp) REQUIRE(agent.add_local_address(now, kListener, false));
    REQUIRE(agent.add_tcp_address(now, kListener, TcpType::Passive, false));
    REQUIRE(agent.add_tcp_address(now, kListener.with_port(1234), TcpType::Active, false));
    agent.local_addresses_done(now);
    for (const Agent::Event& event : poll_events(agent))
      if (const auto* local = std::get_if<Agent::LocalCandidate>(&event))
        candidates.push_back(local->candidate);
    if (knows_peer) know_peer();
  }
  static ice::AgentConfig config(ice::AgentConfig c, bool controlling) {
    c.controlling = controlling;
    return c;
  }
  void know_peer() { REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false)); }
  Drop receive(const ByteVector& bytes, const Path& path) { return agent.handle_datagram(now, path, bytes); }
  // What is sent at once, and as time passes up to `limit`.
  std::vector<Side::Sent> sent_for(Duration limit) {
    std::vector<Side::Sent> out;
    const Time end = now + limit;
    for (bool more = true; more;) {
      for (auto& [path, bytes] : poll_all(agent, now)) out.push_back({now, path, bytes});
      more = agent.next_timeout() <= end;
      if (!more) break;
      now = std::max(now, agent.next_timeout());
      agent.handle_timeout(now);
    }
    now = end;
    return out;
  }
  std::vector<Side::Sent> requests_for(Duration limit) {
    std::vector<Side::Sent> out = sent_for(limit);
    std::erase_if(out, [](const Side::Sent& s) { return !is_request(s.bytes); });
    return out;
  }
  // Answers every request on `path` for a while; the peer sees us at `mapped`.
  void answer(const Path& path, Duration limit, const Address& mapped = addr("192.0.2.1", 50001)) {
    const Time end = now + limit;
    for (;;) {
      for (auto& [along, bytes] : poll_all(agent, now))
        if (along == path && is_request(bytes)) receive(peer.success(bytes, mapped), path);
      if (agent.next_timeout() > end) break;
      now = std::max(now, agent.next_timeout());
      agent.handle_timeout(now);
    }
    now = end;
  }
  Forger::Ask ask(bool nominates = false) const {
    Forger::Ask a;
    a.controlling = !agent.is_controlling();
    a.use_candidate = nominates;
    return a;
  }

  Time now{};
  Side side;
  Agent& agent;
  Forger peer;
  std::vector<Candidate> candidates;
};

bool is_on(const std::vector<Side::Sent>& sent, const Path& path) {
  return std::any_of(sent.begin(), sent.end(), [&](const Side::Sent& s) { return s.path == path; });
}

}  // namespace

TEST_CASE("TCP host candidates: an active one with port 9, a passive one with its own",
          "[ICE-TCP-03][ICE-TCP-04]") {
  const TcpSolo s(true, true);
  REQUIRE(s.candidates.size() == 3);
  CHECK(s.candidates[0].transport == Transport::Udp);
  CHECK(s.candidates[1].tcp_type == TcpType::Active);
  CHECK(s.candidates[1].address == kActive);
  CHECK(s.candidates[2].tcp_type == TcpType::Passive);
  CHECK(s.candidates[2].address == kListener);
  // 2^13 * direction + 8191, the most that is left when there is one address.
  CHECK(s.candidates[1].priority == (90u << 24) + ((6u * 8192 + 8191) << 8) + 255);
  CHECK(s.candidates[2].priority == (90u << 24) + ((4u * 8192 + 8191) << 8) + 255);
  CHECK(s.candidates[1].foundation == s.candidates[2].foundation);
  CHECK_FALSE(s.candidates[0].foundation == s.candidates[1].foundation);
}

TEST_CASE("several addresses: each TCP candidate of a direction has a preference of its own",
          "[ICE-TCP-04]") {
  Side side(3);
  for (const char* ip : {"192.0.2.1", "192.0.2.7", "2001:db8::1"}) {
    REQUIRE(side.agent->add_tcp_address(Time{}, addr(ip, 5000), TcpType::Passive, false));
    REQUIRE(side.agent->add_tcp_address(Time{}, addr(ip, 0), TcpType::Active, false));
  }
  std::set<std::uint32_t> priorities;
  std::uint32_t lowest_active = UINT32_MAX, highest_passive = 0;
  for (const Agent::Event& event : poll_events(*side.agent)) {
    const auto* local = std::get_if<Agent::LocalCandidate>(&event);
    if (local == nullptr) continue;
    const Candidate& c = local->candidate;
    priorities.insert(c.priority);
    if (c.tcp_type == TcpType::Active) lowest_active = std::min(lowest_active, c.priority);
    if (c.tcp_type == TcpType::Passive) highest_passive = std::max(highest_passive, c.priority);
  }
  CHECK(priorities.size() == 6);
  CHECK(lowest_active > highest_passive);
}

TEST_CASE("a lite end listens and never connects; under the relay policy there is neither",
          "[ICE-TCP-03][ICE-TCP-07]") {
  const TcpSolo lite(false, false, {.lite = true});
  REQUIRE(lite.candidates.size() == 1);
  CHECK(lite.candidates[0].tcp_type == TcpType::Passive);
  const TcpSolo relay(true, false, {.relay_only = true});
  CHECK(relay.candidates.empty());
}

TEST_CASE("active goes to passive; nothing else is paired, least of all UDP with TCP", "[ICE-TCP-02]") {
  TcpSolo s(true, true);
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  CHECK(s.agent.stats().pairs == 1);
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(addr("192.0.2.3", 9), TcpType::Active)));
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(addr("192.0.2.3", 7001), TcpType::So)));
  CHECK(s.agent.stats().pairs == 1);
  Candidate udp = tcp_candidate(kTheirListener, TcpType::None);  // the same address, by UDP
  udp.transport = Transport::Udp;
  REQUIRE(s.agent.add_remote_candidate(s.now, udp));
  CHECK(s.agent.stats().pairs == 2);
  const auto requests = s.requests_for(400ms);
  for (const Side::Sent& sent : requests)
    CHECK((sent.path == kOut || sent.path == Path{kListener, kTheirListener, Transport::Udp}));
  CHECK(is_on(requests, kOut));
}

TEST_CASE("a check over TCP is sent once, and has failed after 39.5 s", "[ICE-TCP-05][STUN-15]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  CHECK(s.requests_for(39'499ms).size() == 1);
  CHECK(s.agent.state() == AgentState::Checking);
  CHECK(s.agent.keeps_connection(kOut));
  CHECK(s.requests_for(2ms).empty());
  CHECK_FALSE(s.agent.keeps_connection(kOut));
  CHECK(s.agent.state() == AgentState::Failed);
}

TEST_CASE("a connection that cannot be made fails its check at once", "[ICE-TCP-05][STUN-15]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  REQUIRE(s.agent.add_remote_candidate(
      s.now, tcp_candidate(kTheirListener.with_port(7001), TcpType::Passive, 1518280446)));
  REQUIRE(is_on(s.requests_for(10ms), kOut));
  s.agent.on_connection_closed(s.now, kOut, false);
  CHECK_FALSE(s.agent.keeps_connection(kOut));
  // The other pair is checked all the same, and the failed one not again.
  const auto later = s.requests_for(20s);
  CHECK_FALSE(is_on(later, kOut));
  CHECK(is_on(later, {kActive, kTheirListener.with_port(7001), Transport::Tcp}));
}

TEST_CASE("what is no STUN on a connection of ours fails every pair with that candidate", "[ICE-TCP-05]") {
  TcpSolo s;
  REQUIRE(s.agent.add_tcp_address(s.now, addr("192.0.2.9", 0), TcpType::Active, false).error() ==
          ErrorCode::InvalidState);  // gathering is over
  Side two(9);
  Agent& agent = *two.agent;
  for (const char* ip : {"192.0.2.1", "192.0.2.9"})
    REQUIRE(agent.add_tcp_address(Time{}, addr(ip, 0), TcpType::Active, false));
  agent.local_addresses_done(Time{});
  poll_events(agent);
  REQUIRE(agent.set_remote_credentials(Time{}, s.peer.ufrag, s.peer.pwd, false));
  REQUIRE(agent.add_remote_candidate(Time{}, tcp_candidate(kTheirListener, TcpType::Passive)));
  REQUIRE(agent.stats().pairs == 2);
  const Path other{addr("192.0.2.9", 9), kTheirListener, Transport::Tcp};
  REQUIRE(agent.keeps_connection(kOut));
  REQUIRE(agent.keeps_connection(other));
  agent.on_connection_closed(Time{}, kOut, true);
  CHECK_FALSE(agent.keeps_connection(kOut));
  CHECK_FALSE(agent.keeps_connection(other));
}

TEST_CASE("over TCP an answer that somebody else wrote ends the check", "[STUN-17]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  const auto requests = s.requests_for(10ms);
  REQUIRE(requests.size() == 1);
  Forger other = s.peer;
  other.pwd = "another0password000000";
  CHECK(s.receive(other.success(requests[0].bytes, kListener), kOut) == Drop::StunIntegrity);
  CHECK(s.receive(s.peer.success(requests[0].bytes, kListener), kOut) == Drop::StunNoTransaction);
  CHECK_FALSE(s.agent.keeps_connection(kOut));
}

TEST_CASE("a check on a passive candidate is answered on its connection, and brings its pair to life",
          "[ICE-TCP-02][ICE-TCP-06][ICE-CHK-25]") {
  TcpSolo s(false);
  CHECK(s.receive(s.peer.request(s.agent, s.ask()), kIn) == Drop::None);
  const auto sent = s.sent_for(60ms);
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].path == kIn);
  CHECK(stun::Message::parse(sent[0].bytes)->xor_mapped_address() == kTheirPort);
  CHECK(sent[1].path == kIn);
  CHECK(is_request(sent[1].bytes));
  // PRIORITY: what a peer-reflexive candidate on the passive base would have.
  CHECK(stun::Message::parse(sent[1].bytes)->u32(stun::Attribute::Priority) ==
        ice::candidate_priority(CandidateType::PeerReflexive, 4u * 8192 + 8191, 1, Transport::Tcp));
  CHECK(s.agent.keeps_connection(kIn));
  s.receive(s.peer.success(sent[1].bytes, kListener), kIn);
  CHECK(s.agent.selected_path() == kIn);
  CHECK(s.agent.stats().selected_remote->type == CandidateType::PeerReflexive);
  CHECK(s.agent.stats().selected_remote->tcp_type == TcpType::Active);
}

TEST_CASE("a stranger's check is refused, and its connection is of no use to anybody", "[ICE-TCP-06]") {
  TcpSolo s(false);
  Forger::Ask ask = s.ask();
  ask.key = "another0password000000";
  CHECK(s.receive(s.peer.request(s.agent, ask), kIn) == Drop::StunIntegrity);
  CHECK_FALSE(s.agent.keeps_connection(kIn));
  CHECK(s.agent.stats().pairs == 0);
  // By UDP nobody is there, though the port is the same.
  CHECK(s.receive(s.peer.request(s.agent, s.ask()), {kListener, kTheirPort, Transport::Udp}) ==
        Drop::UnknownPath);
}

TEST_CASE("a good check from before the answer keeps its connection", "[ICE-TCP-06]") {
  TcpSolo s(false, false, {}, false);
  CHECK(s.receive(s.peer.request(s.agent, s.ask()), kIn) == Drop::None);
  CHECK(s.agent.keeps_connection(kIn));
  s.know_peer();
  CHECK(s.agent.keeps_connection(kIn));
  CHECK(is_on(s.requests_for(60ms), kIn));
}

TEST_CASE("consent is asked for over TCP too, and its end is the end", "[ICE-CONS-07]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  s.answer(kOut, 60s);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.agent.stats().consent_checks_sent >= 9);
  CHECK(s.now - s.agent.stats().last_consent <= 6s);
  s.requests_for(30s);
  CHECK(s.agent.state() == AgentState::Failed);
  CHECK_FALSE(s.agent.keeps_connection(kOut));
}

TEST_CASE("with TCP the nomination is a request of its own, and then only its connection stays",
          "[ICE-TCP-07]") {
  TcpSolo s(true, true);
  const Path second{kActive, kTheirListener.with_port(7001), Transport::Tcp};
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(second.remote, TcpType::Passive, 1518280446)));
  std::vector<bool> with_flag;
  const auto answer_one = [&](const Path& path) {
    for (const Side::Sent& sent : s.requests_for(60ms)) {
      if (sent.path != path) continue;
      with_flag.push_back(stun::Message::parse(sent.bytes)->has(stun::Attribute::UseCandidate));
      s.receive(s.peer.success(sent.bytes, addr("192.0.2.1", 50001)), path);
    }
  };
  answer_one(kOut);
  REQUIRE(s.agent.is_validated(kOut));  // data may flow from here on
  CHECK(s.agent.selected_path() == kOut);
  CHECK(s.agent.keeps_connection(kOut));
  CHECK(s.agent.keeps_connection(second));  // not completed yet
  for (int i = 0; i < 10 && s.agent.state() != AgentState::Completed; ++i) answer_one(kOut);
  REQUIRE(s.agent.state() == AgentState::Completed);
  CHECK(with_flag == std::vector<bool>{false, true});
  CHECK(s.agent.keeps_connection(kOut));
  CHECK_FALSE(s.agent.keeps_connection(second));
}

TEST_CASE("a way by UDP that is still being checked is waited for before TCP is nominated", "[ICE-TCP-04]") {
  CHECK(ice::directness(CandidateType::Host, CandidateType::Host, Transport::Udp) >
        ice::directness(CandidateType::Host, CandidateType::Host, Transport::Tcp));
  TcpSolo s(true, true);
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  Candidate udp = tcp_candidate(kTheirListener, TcpType::None, 2130706431);
  udp.transport = Transport::Udp;
  REQUIRE(s.agent.add_remote_candidate(s.now, udp));
  const auto sent = s.requests_for(60ms);
  for (const Side::Sent& request : sent)
    if (request.path == kOut) s.receive(s.peer.success(request.bytes, kListener), kOut);
  REQUIRE(s.agent.is_validated(kOut));
  s.requests_for(100ms);
  CHECK(s.agent.state() == AgentState::Connected);
  for (const Side::Sent& request : sent)
    if (request.path != kOut) s.receive(s.peer.success(request.bytes, kListener), request.path);
  s.answer({kListener, kTheirListener, Transport::Udp}, 300ms, kListener);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.agent.selected_path()->transport == Transport::Udp);
  CHECK_FALSE(s.agent.keeps_connection(kOut));
}

TEST_CASE(
    "the active end connects anew when the selected connection is lost; no data before its check succeeds",
    "[ICE-TCP-08][ICE-CONS-06]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  s.answer(kOut, 2s);
  REQUIRE(s.agent.state() == AgentState::Completed);
  s.agent.on_connection_closed(s.now, kOut, false);
  CHECK_FALSE(s.agent.selected_path());
  CHECK_FALSE(s.agent.is_validated(kOut));
  CHECK(s.agent.state() == AgentState::Disconnected);  // not Failed: nobody has signed the FIN
  CHECK(s.agent.is_reconnecting());
  CHECK(s.agent.keeps_connection(kOut));
  const auto requests = s.requests_for(60ms);
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].path == kOut);
  CHECK_FALSE(s.agent.selected_path());
  s.receive(s.peer.success(requests[0].bytes, addr("192.0.2.1", 50002)), kOut);
  CHECK(s.agent.selected_path() == kOut);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK_FALSE(s.agent.is_reconnecting());
  s.answer(kOut, 60s);
  CHECK(s.agent.state() == AgentState::Completed);
}

TEST_CASE("a connection that is lost while its pair is being nominated is made anew, and nominated then",
          "[ICE-TCP-08]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  const auto next_request = [&] {
    for (;;) {
      const auto requests = s.requests_for(60ms);
      if (requests.empty()) continue;
      REQUIRE(requests.size() == 1);
      REQUIRE(requests[0].path == kOut);
      return requests[0].bytes;
    }
  };
  const auto nominates = [](const ByteVector& bytes) {
    return stun::Message::parse(bytes)->has(stun::Attribute::UseCandidate);
  };
  s.receive(s.peer.success(next_request(), addr("192.0.2.1", 50001)), kOut);
  REQUIRE(nominates(next_request()));
  s.agent.on_connection_closed(s.now, kOut, false);
  CHECK(s.agent.keeps_connection(kOut));
  CHECK_FALSE(s.agent.is_validated(kOut));  // no data before the new connection's check succeeds
  const ByteVector check = next_request();
  CHECK_FALSE(nominates(check));
  s.receive(s.peer.success(check, addr("192.0.2.1", 50002)), kOut);
  const ByteVector nomination = next_request();
  REQUIRE(nominates(nomination));
  s.receive(s.peer.success(nomination, addr("192.0.2.1", 50002)), kOut);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK(s.agent.selected_path() == kOut);
  s.answer(kOut, 60s);
  CHECK(s.agent.state() == AgentState::Completed);
}

TEST_CASE("a lost connection that cannot be made anew is given up", "[ICE-TCP-08]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  s.answer(kOut, 2s);
  s.agent.on_connection_closed(s.now, kOut, false);
  REQUIRE(s.requests_for(60ms).size() == 1);
  s.agent.on_connection_closed(s.now, kOut, false);
  CHECK_FALSE(s.agent.is_reconnecting());
  CHECK(s.requests_for(1s).empty());
  CHECK_FALSE(s.agent.selected_path());
  s.requests_for(40s);
  CHECK(s.agent.state() == AgentState::Failed);
}

TEST_CASE("whoever closes the connection after each check is left alone after sixteen times",
          "[ICE-TCP-08]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  s.answer(kOut, 2s);
  int connections = 0;
  for (; connections < 100; ++connections) {
    s.agent.on_connection_closed(s.now, kOut, false);
    if (!s.agent.is_reconnecting()) break;
    s.answer(kOut, 60ms);
    REQUIRE(s.agent.selected_path() == kOut);
  }
  CHECK(connections == 16);
  CHECK(s.requests_for(1s).empty());
}

TEST_CASE("the passive end waits, and takes the connection that the other one makes", "[ICE-TCP-08]") {
  const bool controlling = GENERATE(true, false);
  TcpSolo s(controlling);
  REQUIRE(s.receive(s.peer.request(s.agent, s.ask(!controlling)), kIn) == Drop::None);
  s.answer(kIn, 2s, kListener);
  REQUIRE(s.agent.state() == AgentState::Completed);
  s.agent.on_connection_closed(s.now, kIn, false);
  CHECK_FALSE(s.agent.selected_path());
  CHECK(s.agent.is_reconnecting());
  CHECK(s.requests_for(500ms).empty());
  // The new one comes from another port, and data waits for our own check on it.
  const Path again{kListener, kTheirPort.with_port(40002), Transport::Tcp};
  REQUIRE(s.receive(s.peer.request(s.agent, s.ask()), again) == Drop::None);
  CHECK_FALSE(s.agent.selected_path());
  CHECK(s.agent.keeps_connection(again));
  s.answer(again, 1s, kListener);
  CHECK(s.agent.selected_path() == again);
  CHECK(s.agent.state() == AgentState::Completed);
  CHECK_FALSE(s.agent.is_reconnecting());  // though the time in which it might have come is not over
  CHECK_FALSE(s.agent.keeps_connection(kIn));
}

TEST_CASE("when nobody comes back the passive end stops waiting after five seconds", "[ICE-TCP-08]") {
  TcpSolo s(false);
  REQUIRE(s.receive(s.peer.request(s.agent, s.ask(true)), kIn) == Drop::None);
  s.answer(kIn, 2s, kListener);
  s.agent.on_connection_closed(s.now, kIn, false);
  s.requests_for(4'999ms);
  CHECK(s.agent.is_reconnecting());
  CHECK(s.agent.next_timeout() == s.now + 1ms);
  s.requests_for(2ms);
  CHECK_FALSE(s.agent.is_reconnecting());
  s.requests_for(30s);
  CHECK(s.agent.state() == AgentState::Failed);
}

TEST_CASE("connections that come and go leave nothing behind", "[ICE-TCP-06][ICE-TCP-08]") {
  TcpSolo s(false);
  REQUIRE(s.receive(s.peer.request(s.agent, s.ask(true)), kIn) == Drop::None);
  s.answer(kIn, 2s, kListener);
  Path last = kIn;
  for (std::uint16_t i = 0; i < 100; ++i) {
    s.agent.on_connection_closed(s.now, last, false);
    last.remote.port = static_cast<std::uint16_t>(50000 + i);
    REQUIRE(s.receive(s.peer.request(s.agent, s.ask()), last) == Drop::None);
    s.answer(last, 200ms, kListener);
    REQUIRE(s.agent.selected_path() == last);
  }
  CHECK(s.agent.stats().pairs <= 2);
  CHECK(s.agent.stats().remote_candidates <= 2);
  // Of two at a time each has a place of its own: that of one that is gone, and a new one.
  const std::uint16_t places = s.agent.stats().remote_candidates;
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{51001, 51002})
    REQUIRE(s.receive(s.peer.request(s.agent, s.ask(true)),
                      {kListener, kTheirPort.with_port(port), Transport::Tcp}) == Drop::None);
  CHECK(s.agent.stats().remote_candidates == places + 1);
}

TEST_CASE("an interface that is gone takes its TCP candidates with it", "[ICE-TCP-08]") {
  TcpSolo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, tcp_candidate(kTheirListener, TcpType::Passive)));
  s.answer(kOut, 2s);
  CHECK(s.agent.remove_tcp_addresses(s.now, addr("192.0.2.77", 0)).error() == ErrorCode::NotFound);
  REQUIRE(s.agent.remove_tcp_addresses(s.now, kListener));
  CHECK(s.agent.remove_tcp_addresses(s.now, kListener).error() == ErrorCode::NotFound);
  CHECK_FALSE(s.agent.selected_path());
  CHECK_FALSE(s.agent.is_reconnecting());
  CHECK(s.requests_for(1s).empty());
  CHECK(s.receive(s.peer.request(s.agent, s.ask()), kIn) == Drop::UnknownPath);
}

}  // namespace pollrtc::test
