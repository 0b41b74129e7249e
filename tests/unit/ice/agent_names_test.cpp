// The agent and hidden addresses: names of remote candidates, and names in the place of our own addresses.
#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {

namespace {

constexpr const char* kName = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
constexpr const char* kOurName = "87a17803-6e1a-4dfb-9b26-89fe7b54e2c2.local";

FixedString<64> text(std::string_view name) { return *FixedString<64>::from(name); }

Candidate named(std::string_view name = kName, std::uint16_t port = kRemote.port) {
  Candidate c;
  c.mdns_name = text(name);
  c.mdns_port = port;
  c.priority = 2130706431;
  c.foundation = *FixedString<32>::from("1");
  return c;
}

std::vector<std::string> names_wanted(Agent& agent) {
  std::vector<std::string> names;
  for (FixedString<64> name; agent.next_name(name);) names.emplace_back(name.view());
  return names;
}

std::vector<Candidate> told(Agent& agent) {
  std::vector<Candidate> candidates;
  for (const auto& event : poll_events(agent))
    if (const auto* local = std::get_if<Agent::LocalCandidate>(&event))
      candidates.push_back(local->candidate);
  return candidates;
}

}  // namespace

TEST_CASE("a name is asked for once, and its candidate is checked when it is known",
          "[ICE-MDNS-01][ICE-MDNS-02]") {
  Solo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, named()));
  REQUIRE(s.agent.add_remote_candidate(s.now, named()));
  REQUIRE(s.agent.add_remote_candidate(s.now, named(kName, 6001)));
  CHECK(names_wanted(s.agent) == std::vector<std::string>{kName});
  CHECK(s.agent.stats().pairs == 0);
  s.agent.on_name_resolved(s.now, "another.local", kRemote);
  CHECK(s.agent.stats().pairs == 0);
  s.agent.end_of_remote_candidates(s.now);  // they came before it
  s.agent.on_name_resolved(s.now, kName, kRemote.with_port(0));
  CHECK(s.agent.stats().pairs == 2);
  CHECK(s.agent.stats().candidates_ignored == 0);
  const auto requests = s.sent();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].first.remote.same_ip(kRemote));
  CHECK(names_wanted(s.agent).empty());
}

TEST_CASE("the name of a TCP candidate is asked for where TCP is allowed, and its address is connected to",
          "[ICE-MDNS-01][ICE-MDNS-02]") {
  Candidate passive = named();
  passive.transport = Transport::Tcp;
  passive.tcp_type = TcpType::Passive;
  Candidate active = named(kOurName, 9);
  active.transport = Transport::Tcp;
  active.tcp_type = TcpType::Active;

  Solo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, passive));
  REQUIRE(s.agent.add_remote_candidate(s.now, active));
  CHECK(s.agent.stats().candidates_ignored == 1);  // the active one: its end connects
  CHECK(names_wanted(s.agent).empty());            // by UDP alone

  Side side(7);
  Agent& agent = *side.agent;
  Forger peer;
  const Time now{};
  REQUIRE(agent.add_local_address(now, kLocal, false));
  const bool comes_before_ours = GENERATE(true, false);
  if (comes_before_ours) REQUIRE(agent.add_remote_candidate(now, passive));
  // A listening socket connects to nobody.
  REQUIRE(agent.add_tcp_address(now, kLocal, TcpType::Passive, false));
  CHECK(names_wanted(agent).empty());
  REQUIRE(agent.add_tcp_address(now, kLocal, TcpType::Active, false));
  agent.local_addresses_done(now);
  poll_events(agent);
  REQUIRE(agent.set_remote_credentials(now, peer.ufrag, peer.pwd, false));
  if (!comes_before_ours) REQUIRE(agent.add_remote_candidate(now, passive));
  CHECK(names_wanted(agent) == std::vector<std::string>{kName});
  agent.on_name_resolved(now, kName, kRemote.with_port(0));
  CHECK(agent.stats().pairs == 1);
  const auto sent = poll_all(agent, now);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].first == Path{kLocal.with_port(9), kRemote, Transport::Tcp});
}

TEST_CASE("a hidden address is told by its name on its TCP candidates as well", "[ICE-MDNS-04]") {
  Side side(3);
  Agent& agent = *side.agent;
  REQUIRE(agent.add_tcp_address(Time{}, kLocal, TcpType::Passive, false, {}, text(kOurName)));
  REQUIRE(agent.add_tcp_address(Time{}, kLocal, TcpType::Active, false, {}, text(kOurName)));
  const auto candidates = told(agent);
  REQUIRE(candidates.size() == 2);
  for (const Candidate& c : candidates) {
    CHECK(c.mdns_name == kOurName);
    CHECK(c.mdns_port == (c.tcp_type == TcpType::Active ? 9 : kLocal.port));
    CHECK_FALSE(c.address.is_valid());
    CHECK_FALSE(c.base.is_valid());
    CHECK_FALSE(c.related.is_valid());
  }
}

TEST_CASE("a name that nobody knows costs its candidate, and is no error", "[ICE-MDNS-02]") {
  Solo s;
  REQUIRE(s.agent.add_remote_candidate(s.now, named()));
  CHECK(names_wanted(s.agent).size() == 1);
  s.agent.on_name_resolved(s.now, kName, Address{});
  CHECK(s.agent.stats().candidates_ignored == 1);
  CHECK(s.agent.stats().pairs == 0);
  CHECK(s.agent.state() == AgentState::Checking);
}

TEST_CASE("a name that means what is never checked leads to no check", "[ATK-31][ATK-04]") {
  for (const char* bad :
       {"224.0.0.251", "127.0.0.1", "0.0.0.0", "255.255.255.255", "ff02::fb", "::1", "::ffff:127.0.0.1"}) {
    Solo s;
    REQUIRE(s.agent.add_remote_candidate(s.now, named()));
    CHECK(names_wanted(s.agent).size() == 1);
    s.agent.on_name_resolved(s.now, kName, addr(bad, 0));
    CHECK(s.agent.stats().pairs == 0);
    CHECK(s.requests_for(5s).empty());
  }
}

TEST_CASE("under policy relay, and by a lite end, names are not even asked for", "[ICE-MDNS-02]") {
  for (const bool lite : {false, true}) {
    Solo s(ice::AgentConfig{.lite = lite, .relay_only = !lite});
    CHECK(s.agent.add_remote_candidate(s.now, named()));
    CHECK(names_wanted(s.agent).empty());
    CHECK(s.agent.stats().candidates_ignored == 1);
  }
}

TEST_CASE("so many names at once, and so many in all",
          "[ICE-MDNS-01][ATK-31][lim.ice.remote_candidates][lim.ice.mdns_names]") {
  Limits limits;
  limits.ice_mdns_names = 16;
  limits.ice_remote_candidates = 64;
  Solo s(ice::AgentConfig{}, true, limits);
  std::size_t asked = 0;
  bool is_full = false;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i) + "712db-ea17-4bcf-a596-105139dfd8bf.local";
    const Status status = s.agent.add_remote_candidate(s.now, named(name));
    if (!status) is_full = is_full || status.error() == ErrorCode::LimitReached;
    if (i == 500) CHECK(asked == 16);  // none of them has been resolved so far
    for (const std::string& wanted : names_wanted(s.agent)) {
      ++asked;
      if (i > 500) s.agent.on_name_resolved(s.now, wanted, Address{});
    }
    if (i == 500)
      for (int k = 0; k < 16; ++k)
        s.agent.on_name_resolved(s.now, std::to_string(k) + "712db-ea17-4bcf-a596-105139dfd8bf.local",
                                 Address{});
  }
  CHECK(asked == 64);
  CHECK(is_full);
}

TEST_CASE("names of another generation wait for nothing", "[ICE-MDNS-02]") {
  Solo s(ice::AgentConfig{}, false);
  Candidate foreign = named();
  foreign.ufrag = *FixedString<256>::from("elsewhere");
  REQUIRE(s.agent.add_remote_candidate(s.now, foreign));
  s.know_peer();
  CHECK(names_wanted(s.agent).empty());
  REQUIRE(s.agent.add_remote_candidate(s.now, foreign));
  CHECK(names_wanted(s.agent).empty());
  // A name may come before the credentials do.
  Solo early(ice::AgentConfig{}, false);
  REQUIRE(early.agent.add_remote_candidate(early.now, named()));
  CHECK(names_wanted(early.agent).size() == 1);
  early.agent.on_name_resolved(early.now, kName, kRemote);
  early.know_peer();
  CHECK(early.agent.stats().pairs == 1);
}

TEST_CASE("a relayed candidate is never paired with a name, and no permission is asked for it",
          "[ICE-MDNS-03]") {
  const Address relayed = addr("198.51.100.77", 50000), mapped = addr("203.0.113.1", 4000),
                server = addr("203.0.113.9", 3478);
  for (const bool relay_comes_first : {false, true}) {
    Side side(3);
    Agent& agent = *side.agent;
    REQUIRE(agent.add_local_address(Time{}, kLocal, false));
    REQUIRE(agent.set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
    const auto add_relay = [&] {
      REQUIRE(agent.add_relayed(Time{}, {relayed, mapped, kLocal, server, TurnTransport::Udp}));
      poll_events(agent);
    };
    if (relay_comes_first) add_relay();
    REQUIRE(agent.add_remote_candidate(Time{}, named()));
    CHECK(names_wanted(agent).size() == 1);
    agent.on_name_resolved(Time{}, kName, kRemote);
    if (!relay_comes_first) add_relay();
    poll_events(agent);
    CHECK(agent.stats().pairs == 1);
    Path wanted;
    CHECK_FALSE(agent.next_permission(wanted));
    for (Time now{}; now < Time(5s); now += 10ms) {
      agent.handle_timeout(now);
      for (const auto& [path, bytes] : poll_all(agent, now)) CHECK(path.local != relayed);
    }
    // Once the other end has signalled the address as it is, it is no secret.
    Candidate open = named();
    open.mdns_name = {};
    open.address = kRemote;
    REQUIRE(agent.add_remote_candidate(Time(5s), open));
    REQUIRE(agent.next_permission(wanted));
    CHECK(wanted.remote.same_ip(kRemote));
  }
}

TEST_CASE("a hidden address is told by its name, and in no other way", "[ICE-MDNS-04]") {
  Side side(3);
  Agent& agent = *side.agent;
  REQUIRE(agent.add_local_address(Time{}, kLocal, false, {}, text(kOurName)));
  const Address server = addr("203.0.113.9", 3478), mapped = addr("203.0.113.1", 4000);
  REQUIRE(agent.add_server(Time{}, server));
  auto candidates = told(agent);
  REQUIRE(candidates.size() == 1);
  CHECK(candidates[0].type == CandidateType::Host);
  CHECK(candidates[0].mdns_name == kOurName);
  CHECK(candidates[0].mdns_port == kLocal.port);
  CHECK_FALSE(candidates[0].address.is_valid());
  CHECK_FALSE(candidates[0].base.is_valid());

  // The reflexive candidate says nothing of where it comes from.
  const bool is_direct = GENERATE(false, true);
  agent.handle_timeout(Time{});
  const auto sent = poll_all(agent, Time{});
  REQUIRE(sent.size() == 1);
  CHECK(agent.handle_datagram(Time(1ms), {kLocal, server},
                              Forger{}.success(sent[0].second, is_direct ? kLocal : mapped)) == Drop::None);
  // Without a NAT it is the same address, and still not redundant: of the host candidate only the name is known.
  REQUIRE(agent.add_relayed(Time(1ms),
                            {addr("198.51.100.77", 50000), mapped, kLocal, server, TurnTransport::Udp}));
  candidates = told(agent);
  REQUIRE(candidates.size() >= 2);
  bool has_reflexive = false;
  for (const Candidate& c : candidates) {
    CHECK(c.type != CandidateType::Host);
    CHECK_FALSE(c.related.is_valid());
    has_reflexive = has_reflexive || c.address == (is_direct ? kLocal : mapped);
  }
  CHECK(has_reflexive);
}

TEST_CASE("statistics name what is hidden, and say whether a remote address was ever signalled",
          "[ICE-MDNS-05]") {
  Side side(7);
  Agent& agent = *side.agent;
  REQUIRE(agent.add_local_address(Time{}, kLocal, false, {}, text(kOurName)));
  agent.local_addresses_done(Time{});
  poll_events(agent);
  Forger peer;
  REQUIRE(agent.set_remote_credentials(Time{}, peer.ufrag, peer.pwd, false));
  const bool by_name = GENERATE(true, false);
  if (by_name) {
    REQUIRE(agent.add_remote_candidate(Time{}, named()));
    CHECK(names_wanted(agent).size() == 1);
    agent.on_name_resolved(Time{}, kName, kRemote);
  } else {
    REQUIRE(agent.handle_datagram(Time{}, kPath, peer.request(agent, {})) == Drop::None);
  }
  for (const auto& [path, bytes] : poll_all(agent, Time{}))
    if (is_request(bytes))
      REQUIRE(agent.handle_datagram(Time{}, kPath, peer.success(bytes, kLocal)) == Drop::None);
  const auto stats = agent.stats();
  REQUIRE(stats.selected_local);
  CHECK(stats.selected_local->mdns_name == kOurName);
  CHECK(stats.selected_remote->mdns_name == (by_name ? std::string_view(kName) : std::string_view()));
  CHECK(stats.is_remote_signalled == by_name);
}

}  // namespace pollrtc::test
