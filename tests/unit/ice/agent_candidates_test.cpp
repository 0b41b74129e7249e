// One agent and a peer made by hand: remote candidates and credentials that are taken, ignored or refused.
#include <map>
#include <set>

#include "solo.h"
#include "support/catch.h"

namespace pollrtc::test {

TEST_CASE("remote candidates: what is ignored, and what is an error", "[ICE-CHK-12][ICE-CHK-29][ATK-04]") {
  Solo s;
  CHECK(s.add_candidate(addr("224.0.0.251", 5353)));
  CHECK(s.add_candidate(addr("255.255.255.255", 1)));
  CHECK(s.add_candidate(addr("0.0.0.0", 9)));
  CHECK(s.add_candidate(addr("192.0.2.9", 0)));
  CHECK(s.add_candidate(addr("::ffff:224.0.0.1", 1)));
  Candidate c;
  c.mdns_name = *FixedString<64>::from("1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
  CHECK(s.agent.add_remote_candidate(s.now, c));
  c = {};
  c.address = kRemote;
  c.transport = Transport::Tcp;
  CHECK(s.agent.add_remote_candidate(s.now, c));
  c.transport = Transport::Udp;
  c.component = 2;
  CHECK(s.agent.add_remote_candidate(s.now, c));
  c.component = 1;
  c.ufrag = *FixedString<256>::from("older");
  CHECK(s.agent.add_remote_candidate(s.now, c));
  CHECK(s.agent.stats().candidates_ignored == 9);  // the name has no port
  CHECK(s.agent.stats().remote_candidates == 0);
  // Loopback is kept, but not paired with a socket that is not loopback; mapped forms are what they mean.
  CHECK(s.add_candidate(addr("127.0.0.1", 80)));
  CHECK(s.add_candidate(addr("::ffff:127.0.0.1", 81)));
  CHECK(s.agent.stats().pairs == 0);
  CHECK(s.add_candidate(addr("::ffff:192.0.2.2", 6000)));
  CHECK(s.agent.stats().pairs == 1);
  s.agent.end_of_remote_candidates(s.now);
  CHECK(s.add_candidate(kRemote.with_port(1)));
  CHECK(s.agent.stats().pairs == 1);
  CHECK(s.agent.state() == AgentState::Checking);
}

TEST_CASE("loopback is checked from loopback, or when the configuration says so", "[ATK-04]") {
  Side side(5, {.allow_remote_loopback = true});
  REQUIRE(side.agent->add_local_address(Time{}, kLocal, false));
  poll_events(*side.agent);
  REQUIRE(side.agent->set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
  Candidate c;
  c.address = addr("127.0.0.1", 80);
  c.priority = 1;
  REQUIRE(side.agent->add_remote_candidate(Time{}, c));
  CHECK(side.agent->stats().pairs == 1);
  Side home(6);
  REQUIRE(home.agent->add_local_address(Time{}, addr("127.0.0.1", 90), true));
  poll_events(*home.agent);
  REQUIRE(home.agent->set_remote_credentials(Time{}, "peer", "0123456789abcdefghijkl", false));
  REQUIRE(home.agent->add_remote_candidate(Time{}, c));
  CHECK(home.agent->stats().pairs == 1);
}

TEST_CASE("a thousand candidates of a third party: the limit, paced, and a bounded number of packets",
          "[ATK-02][ATK-03][lim.ice.pairs]") {
  Limits limits;
  limits.ice_pairs = 20;
  Solo s(true, true, limits);
  for (std::uint16_t i = 0; i < 1000; ++i) {
    const Status status = s.add_candidate(addr("203.0.113.66", static_cast<std::uint16_t>(1000 + i)),
                                          1000u + i, std::to_string(i));
    CHECK(status.has_value() == (i < 64));
    if (!status) CHECK(status.error() == ErrorCode::LimitReached);
  }
  CHECK(s.agent.stats().remote_candidates == 64);
  CHECK(s.agent.stats().pairs == 20);
  std::size_t sent = 0;
  for (int i = 0; i < 300; ++i) {
    sent += s.requests_for(1s).size();
    // It even asks for more, from every address.
    for (std::uint16_t k = 0; k < 4; ++k)
      s.receive(s.peer.request(s.agent, {.controlling = false}),
                {kLocal, addr("203.0.113.66", static_cast<std::uint16_t>(1000 + (i * 4 + k) % 64))});
    sent += s.requests_for(0ms).size();
  }
  CHECK(sent <= 20 * 7);
  CHECK(sent > 100);
}

TEST_CASE("credentials: of the right length, another set would be a restart", "[ICE-CRED-01][ICE-CRED-02]") {
  Solo s(false, false);
  CHECK(s.agent.local_ufrag().size() >= 4);
  CHECK(s.agent.local_ufrag().size() <= 32);
  CHECK(s.agent.local_pwd().size() >= 22);
  CHECK(s.agent.set_remote_credentials(s.now, "abc", s.peer.pwd, false).error() ==
        ErrorCode::InvalidArgument);
  CHECK(s.agent.set_remote_credentials(s.now, "abcd", "short", false).error() == ErrorCode::InvalidArgument);
  CHECK(s.agent.state() == AgentState::New);
  s.know_peer();
  CHECK(s.agent.state() == AgentState::Checking);
  CHECK(s.agent.set_remote_credentials(s.now, s.peer.ufrag, s.peer.pwd, false));
  CHECK(s.agent.set_remote_credentials(s.now, "other", s.peer.pwd, false).error() == ErrorCode::InvalidState);
  std::set<std::string> drawn;
  std::map<std::size_t, std::set<char>> ufrag_chars, pwd_chars;  // by their place
  TestEnvironment environment(99);
  for (int i = 0; i < 1000; ++i) {
    Agent agent(environment.env, {});
    REQUIRE(agent.start(Time{}));
    drawn.insert(std::string(agent.local_pwd()));
    for (std::size_t at = 0; at < agent.local_ufrag().size(); ++at)
      ufrag_chars[at].insert(agent.local_ufrag()[at]);
    for (std::size_t at = 0; at < agent.local_pwd().size(); ++at) pwd_chars[at].insert(agent.local_pwd()[at]);
  }
  CHECK(drawn.size() == 1000);
  // 24 and 128 bits, at six a character: so many places, at each of which all 64 occur.
  const auto is_random = [](const auto& place) { return place.second.size() == 64; };
  CHECK(std::count_if(ufrag_chars.begin(), ufrag_chars.end(), is_random) >= 4);
  CHECK(std::count_if(pwd_chars.begin(), pwd_chars.end(), is_random) >= 22);
}

TEST_CASE("a remote candidate that a check showed is paired with no local one but that it came to",
          "[ICE-CHK-06]") {
  Side side(7, ice::AgentConfig{}, Limits());
  Agent& agent = *side.agent;
  Forger peer;
  REQUIRE(agent.add_local_address(Time{}, kLocal, false));
  poll_events(agent);
  REQUIRE(agent.set_remote_credentials(Time{}, peer.ufrag, peer.pwd, false));
  CHECK(agent.handle_datagram(Time{}, kPath, peer.request(agent, {})) == Drop::None);
  CHECK(agent.stats().pairs == 1);
  REQUIRE(agent.add_local_address(Time{}, kLocal.with_port(5001), false));
  poll_events(agent);
  CHECK(agent.stats().pairs == 1);
}

}  // namespace pollrtc::test
