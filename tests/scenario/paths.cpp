// How two peers find a path: through NATs with the help of a STUN server, over IPv6, past hidden addresses and a conflict
// of roles, with and without trickling.
#include "scenario/signalling.h"
#include "scenario/stun_server.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

const Address kStun = Address::v4(203, 0, 113, 1, 3478);
const Address kAliceNat = Address::v4(198, 51, 100, 1, 0), kBobNat = Address::v4(198, 51, 100, 2, 0);

// Both behind NATs of their own, with the same private address even.
struct BehindNats {
  BehindNats(std::uint64_t seed, const sim::NatConfig& of_alice, const sim::NatConfig& of_bob)
      : t(seed, behind(of_alice, kAliceNat), behind(of_bob, kBobNat)), server(t.world, kStun) {
    t.alice.stun_servers = t.bob.stun_servers = {kStun};
  }
  static HostMaker behind(const sim::NatConfig& config, const Address& public_ip) {
    return [config, public_ip](sim::World& world) -> sim::Host& {
      return world.add_host({Address::v4(192, 168, 0, 2, 0)}, &world.add_nat(config, public_ip));
    };
  }
  TwoPeers t;
  StunServer server;
};

Address ip(std::string_view text) { return *parse_ip(text); }

}  // namespace

TEST_CASE("peers behind NATs meet at their server-reflexive addresses") {
  const std::pair<sim::NatConfig, sim::NatConfig> kinds[] = {
      {sim::NatConfig::full_cone(), sim::NatConfig::full_cone()},
      {sim::NatConfig::full_cone(), sim::NatConfig::port_restricted()},
      {sim::NatConfig::port_restricted(), sim::NatConfig::full_cone()},
      {sim::NatConfig::restricted(), sim::NatConfig::port_restricted()},
      {sim::NatConfig::port_restricted(), sim::NatConfig::port_restricted()},
  };
  std::uint64_t seed = 0;
  for (const auto& [of_alice, of_bob] : kinds) {
    INFO("kinds " << seed);
    BehindNats network(++seed, of_alice, of_bob);
    TwoPeers& t = network.t;
    speak(t, t.connect());
    CHECK(network.server.requests() >= 2);
    const PeerStats a = t.alice.peer.stats(), b = t.bob.peer.stats();
    REQUIRE(a.selected_path);
    REQUIRE(b.selected_path);
    CHECK(a.selected_path->remote.same_ip(kBobNat));
    CHECK(b.selected_path->remote.same_ip(kAliceNat));
    CHECK(a.remote_type != CandidateType::Host);
    t.world.run_for(150s);  // consent keeps the bindings of the NATs alive
    speak(t, {ChannelHandle{0}, t.bob.announced[0]});
  }
}

TEST_CASE("a NAT that maps by destination is passed with a peer-reflexive address") {
  for (const auto& other : {sim::NatConfig::full_cone(), sim::NatConfig::restricted()}) {
    for (const bool alice_is_symmetric : {true, false}) {
      BehindNats network(9, alice_is_symmetric ? sim::NatConfig::symmetric() : other,
                         alice_is_symmetric ? other : sim::NatConfig::symmetric());
      TwoPeers& t = network.t;
      speak(t, t.connect());
      const PeerStats of_other = (alice_is_symmetric ? t.bob : t.alice).peer.stats();
      CHECK(of_other.remote_type == CandidateType::PeerReflexive);
    }
  }
}

TEST_CASE("two NATs that only a relay would pass: both ends fail, and say so") {
  BehindNats network(10, sim::NatConfig::symmetric(), sim::NatConfig::symmetric());
  TwoPeers& t = network.t;
  const ChannelHandle a = t.alice.create({.label = "never"});
  t.negotiate();
  t.run_until(
      [&] {
        return t.alice.peer.connection_state() == ConnectionState::Failed &&
               t.bob.peer.connection_state() == ConnectionState::Failed;
      },
      120s);
  CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Failed});
  CHECK(t.alice.channels[a].events.empty());
  t.world.run_for(Limits().ice_restart_window);
  CHECK(t.alice.channels[a].events == std::vector<std::string>{"closed:IceFailed"});
  CHECK(t.bob.peer.stats().close_reason == Close::IceFailed);
}

TEST_CASE("two machines behind one NAT meet in their own network") {
  sim::Nat* nat = nullptr;
  const auto maker = [&](std::uint8_t last) {
    return [&nat, last](sim::World& world) -> sim::Host& {
      if (nat == nullptr) nat = &world.add_nat(sim::NatConfig::symmetric(), kAliceNat);
      return world.add_host({Address::v4(192, 168, 0, last, 0)}, nat);
    };
  };
  TwoPeers t(11, maker(2), maker(3));
  StunServer server(t.world, kStun);
  t.alice.stun_servers = t.bob.stun_servers = {kStun};
  speak(t, t.connect());
  CHECK(t.alice.peer.stats().remote_type == CandidateType::Host);
}

TEST_CASE("a STUN server that never answers holds nobody up") {
  TwoPeers t(12);
  t.alice.stun_servers = t.bob.stun_servers = {kStun};
  const Time begin = t.world.now();
  speak(t, t.connect());
  CHECK(t.world.now() - begin < 3s);
}

TEST_CASE("IPv6 alone") {
  const auto maker = [](const char* address) {
    return [address](sim::World& world) -> sim::Host& { return world.add_host({ip(address)}); };
  };
  TwoPeers t(13, maker("2001:db8::1"), maker("2001:db8::2"));
  speak(t, t.connect());
  CHECK(t.alice.peer.stats().selected_path->remote.family == Address::Family::IPv6);
}

TEST_CASE("of two families the one that works is taken") {
  for (const bool v6_works : {true, false}) {
    const auto maker = [](const char* v4, const char* v6) {
      return [v4, v6](sim::World& world) -> sim::Host& { return world.add_host({ip(v4), ip(v6)}); };
    };
    TwoPeers t(14, maker("192.0.2.1", "2001:db8::1"), maker("192.0.2.2", "2001:db8::2"));
    sim::LinkConfig cut;
    cut.cut = true;
    const char* const dead[2] = {v6_works ? "192.0.2.1" : "2001:db8::1",
                                 v6_works ? "192.0.2.2" : "2001:db8::2"};
    t.world.set_link(ip(dead[0]), ip(dead[1]), cut);
    speak(t, t.connect());
    CHECK((t.alice.peer.stats().selected_path->remote.family == Address::Family::IPv6) == v6_works);
    CHECK(t.alice.candidates.size() == 3);  // one of each family, and the end of them
  }
}

TEST_CASE("an end that hides its addresses behind .local names is reached all the same") {
  for (const bool alice_hides : {true, false}) {
    TwoPeers t(15);
    End& hidden = alice_hides ? t.alice : t.bob;
    End& open = alice_hides ? t.bob : t.alice;
    const std::string address = alice_hides ? "192.0.2.1" : "192.0.2.2";
    hidden.edit_candidate = [&](Peer::LocalCandidate& c) {
      if (!c.line.empty()) c.line = replaced(c.line, address, "1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
    };
    speak(t, t.connect());
    CHECK(open.peer.stats().remote_type == CandidateType::PeerReflexive);
  }
}

TEST_CASE("both ends believe that they control: the conflict is settled, and they connect") {
  for (std::uint64_t seed = 16; seed < 24; ++seed) {  // the tie-breakers are random
    TwoPeers t(seed);
    const ChannelHandle a = t.alice.create({.label = "a"}), b = t.bob.create({.label = "b"});
    const Time now = t.world.now();
    const auto offer_a = t.alice.peer.create_offer(now), offer_b = t.bob.peer.create_offer(now);
    REQUIRE(offer_a);
    REQUIRE(offer_b);
    REQUIRE(t.alice.peer.set_local_description(now, SdpType::Offer, *offer_a));
    REQUIRE(t.bob.peer.set_local_description(now, SdpType::Offer, *offer_b));
    REQUIRE(t.alice.peer.set_remote_description(now, SdpType::Answer,
                                                replaced(*offer_b, "setup:actpass", "setup:active")));
    REQUIRE(t.bob.peer.set_remote_description(now, SdpType::Answer,
                                              replaced(*offer_a, "setup:actpass", "setup:passive")));
    t.run_until(
        [&] {
          return t.alice.channel_state(a) == ChannelState::Open &&
                 t.bob.channel_state(b) == ChannelState::Open && !t.bob.announced.empty();
        },
        30s);
    speak(t, {a, t.bob.announced[0]});
    const auto conflict = static_cast<std::size_t>(Drop::IceRoleConflict);
    const PeerStats of_a = t.alice.peer.stats(), of_b = t.bob.peer.stats();
    CHECK(of_a.drops[conflict] + of_b.drops[conflict] >= 1);
  }
}

TEST_CASE("an end that cannot trickle gets one description with all candidates in it, and gives such a one",
          "[ICE-GATH-17]") {
  TwoPeers t(24);
  t.alice.other = t.bob.other = nullptr;  // nothing is signalled but the descriptions
  const ChannelHandle a = t.alice.create({.label = "whole"});
  const auto offer = t.alice.peer.create_offer(t.world.now());
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  const auto gathered = [](const End& end) {
    return [&end] { return end.peer.gathering_state() == GatheringState::Complete; };
  };
  t.run_until(gathered(t.alice), 5s);
  CHECK(attribute(t.alice.peer.local_description(), "ice-options") == "trickle ice2");
  const std::string whole_offer = without_lines(t.alice.peer.local_description(), "a=ice-options:");
  CHECK(whole_offer.find("a=candidate:") != std::string::npos);
  CHECK(whole_offer.find("a=end-of-candidates") != std::string::npos);
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, whole_offer));
  CHECK(t.bob.peer.can_trickle() == false);
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  t.run_until(gathered(t.bob), 5s);
  REQUIRE(
      t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, t.bob.peer.local_description()));
  t.run_until([&] { return t.alice.channel_state(a) == ChannelState::Open && !t.bob.announced.empty(); },
              30s);
  speak(t, {a, t.bob.announced[0]});
}

TEST_CASE("candidates that overtake their description are kept for it", "[API-44]") {
  TwoPeers t(25);
  const ChannelHandle a = t.alice.create({.label = "early"});
  t.alice.signalling_delay = 10ms;
  const auto offer = t.alice.peer.create_offer(t.world.now());
  REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
  t.world.run_for(1s);
  REQUIRE(t.alice.candidates.size() == 2);  // one, and the end of them: both are with Bob
  t.bob.other = nullptr;                    // Alice must not learn Bob's from him: his check has to find her
  REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
  const auto answer = t.bob.peer.create_answer(t.world.now());
  REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
  REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
  t.run_until([&] { return t.alice.channel_state(a) == ChannelState::Open && !t.bob.announced.empty(); },
              30s);
  speak(t, {a, t.bob.announced[0]});
}
