// What a peer takes for an address of its own, and what becomes of one that goes.
#include "base/address.h"
#include "pollrtc/peer.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;

namespace {

const Address kHere = Address::v4(192, 0, 2, 1, 4000);
constexpr std::string_view kHidden = "a3c1e9f0-5b7d-4c2e-8f10-0123456789ab.local";

struct Rig {
  Rig() {
    auto made = Peer::create(environment.env, PeerConfig{}, now);
    REQUIRE(made);
    peer.emplace(*std::move(made));
    REQUIRE(peer->create_channel(now, {.label = "x"}));
    const auto offer = peer->create_offer(now);
    REQUIRE(offer);
    REQUIRE(peer->set_local_description(now, SdpType::Offer, *offer));
  }
  std::size_t candidates() {
    std::size_t count = 0;
    for (Peer::Event event; peer->poll_event(event);)
      if (const auto* c = std::get_if<Peer::LocalCandidate>(&event)) count += c->line.empty() ? 0 : 1;
    return count;
  }
  Time now{1h};
  TestEnvironment environment{5};
  std::optional<Peer> peer;
};

}  // namespace

TEST_CASE("a name that hides an address is a fresh UUID in .local, and not beside an announced address") {
  Rig rig;
  for (const std::string_view name :
       {"host.local", "a3c1e9f0-5b7d-4c2e-8f10-0123456789ab", "a3c1e9f05b7d4c2e8f100123456789ab.local"})
    CHECK(rig.peer->add_local_address(rig.now, kHere, {}, name).error() == ErrorCode::InvalidArgument);
  CHECK(rig.peer->add_local_address(rig.now, kHere, Address::v4(198, 51, 100, 1, 4000), kHidden).error() ==
        ErrorCode::InvalidArgument);
  CHECK(rig.peer->add_local_tcp_address(rig.now, kHere, TcpType::Passive, {}, "host.local").error() ==
        ErrorCode::InvalidArgument);
  CHECK(rig.candidates() == 0);
  CHECK(rig.peer->add_local_address(rig.now, kHere, {}, kHidden));
  CHECK(rig.candidates() == 1);
}

TEST_CASE("what is announced must be an address of the same family that somebody could reach") {
  Rig rig;
  for (const Address& announced :
       {Address::v4(0, 0, 0, 0, 4000), Address::v4(224, 0, 0, 1, 4000), *parse_ip("2001:db8::1", 4000)}) {
    CHECK(rig.peer->add_local_address(rig.now, kHere, announced).error() == ErrorCode::Refused);
    CHECK(rig.peer->add_local_tcp_address(rig.now, kHere, TcpType::Passive, announced).error() ==
          ErrorCode::Refused);
  }
  CHECK(rig.candidates() == 0);
}

TEST_CASE("TCP candidates are active or passive, and go with their address") {
  Rig rig;
  for (const TcpType direction : {TcpType::None, TcpType::So})
    CHECK(rig.peer->add_local_tcp_address(rig.now, kHere, direction).error() == ErrorCode::NotSupported);
  CHECK(rig.peer->remove_local_tcp_address(rig.now, kHere).error() == ErrorCode::NotFound);
  CHECK(rig.peer->add_local_tcp_address(rig.now, kHere, TcpType::Active));
  CHECK(rig.peer->add_local_tcp_address(rig.now, kHere, TcpType::Passive));
  CHECK(rig.peer->add_local_tcp_address(rig.now, kHere, TcpType::Passive).error() ==
        ErrorCode::AlreadyExists);
  CHECK(rig.candidates() == 2);
  CHECK(rig.peer->remove_local_tcp_address(rig.now, Address::v4(192, 0, 2, 2, 0)).error() ==
        ErrorCode::NotFound);
  CHECK(rig.peer->remove_local_tcp_address(rig.now, kHere.with_port(0)));
  CHECK(rig.peer->remove_local_tcp_address(rig.now, kHere).error() == ErrorCode::NotFound);
}

}  // namespace pollrtc::test
