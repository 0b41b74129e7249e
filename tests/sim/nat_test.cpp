#include "sim/nat.h"

#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace std::chrono_literals;

namespace {
constexpr Time at(Duration d) { return Time(d); }
const Address kPublic = Address::v4(198, 51, 100, 1, 0);
const Address kInner = Address::v4(192, 168, 0, 2, 5000);
const Address kServer = Address::v4(203, 0, 113, 1, 3478);
const Address kServerOtherPort = kServer.with_port(3479);
const Address kOther = Address::v4(203, 0, 113, 2, 3478);
}  // namespace

TEST_CASE("mapping: which datagrams share an external port (RFC 4787 §4.1)") {
  const auto ports = [](NatRule mapping) {
    NatConfig config;
    config.mapping = mapping;
    Nat nat(config, kPublic);
    const auto first = nat.outbound(at(0s), kInner, kServer), again = nat.outbound(at(1s), kInner, kServer);
    REQUIRE(first);
    CHECK(first == again);
    CHECK(first->same_ip(kPublic));
    CHECK(nat.outbound(at(1s), kInner.with_port(5001), kServer) != first);
    return std::pair(nat.outbound(at(1s), kInner, kServerOtherPort) == first,
                     nat.outbound(at(1s), kInner, kOther) == first);
  };
  CHECK(ports(NatRule::EndpointIndependent) == std::pair(true, true));
  CHECK(ports(NatRule::AddressDependent) == std::pair(true, false));
  CHECK(ports(NatRule::AddressAndPortDependent) == std::pair(false, false));
}

TEST_CASE("filtering: who may answer (RFC 4787 §5)") {
  const auto lets_in = [](NatRule filtering, const Address& remote) {
    NatConfig config;
    config.filtering = filtering;
    Nat nat(config, kPublic);
    const auto external = nat.outbound(at(0s), kInner, kServer);
    const auto inner = nat.inbound(at(1s), remote, *external);
    if (inner) CHECK(*inner == kInner);
    return inner.has_value();
  };
  for (const NatRule rule :
       {NatRule::EndpointIndependent, NatRule::AddressDependent, NatRule::AddressAndPortDependent})
    CHECK(lets_in(rule, kServer));
  CHECK(lets_in(NatRule::EndpointIndependent, kOther));
  CHECK(lets_in(NatRule::AddressDependent, kServerOtherPort));
  CHECK_FALSE(lets_in(NatRule::AddressDependent, kOther));
  CHECK_FALSE(lets_in(NatRule::AddressAndPortDependent, kServerOtherPort));
  Nat nat({}, kPublic);
  CHECK_FALSE(nat.inbound(at(0s), kServer, kPublic.with_port(20000)));  // nothing was ever sent
}

TEST_CASE("a mapping dies unless outbound traffic keeps it (RFC 4787 §4.3)") {
  Nat nat({}, kPublic);
  const auto external = nat.outbound(at(0s), kInner, kServer);
  CHECK(nat.inbound(at(119s), kServer, *external));
  CHECK_FALSE(nat.inbound(at(120s), kServer, *external));  // what came in did not count
  const auto second = nat.outbound(at(200s), kInner, kServer);
  CHECK(second != external);
  nat.outbound(at(300s), kInner, kServer);
  CHECK(nat.inbound(at(400s), kServer, *second));
  nat.config.inbound_refreshes = true;
  CHECK(nat.inbound(at(410s), kServer, *second));
  CHECK(nat.inbound(at(525s), kServer, *second));
  nat.forget();
  CHECK_FALSE(nat.inbound(at(525s), kServer, *second));
}

TEST_CASE("two hosts meet by the addresses that a STUN server tells them as can_be_punched() says") {
  const Address outer[] = {Address::v4(198, 51, 100, 1, 0), Address::v4(198, 51, 100, 2, 0)};
  const Address inner = Address::v4(192, 168, 0, 2, 5000);
  for (std::uint32_t rules = 0; rules < 81; ++rules) {
    NatConfig configs[2];
    configs[0].mapping = static_cast<NatRule>(rules % 3);
    configs[0].filtering = static_cast<NatRule>(rules / 3 % 3);
    configs[1].mapping = static_cast<NatRule>(rules / 9 % 3);
    configs[1].filtering = static_cast<NatRule>(rules / 27);
    Nat nats[] = {{configs[0], outer[0]}, {configs[1], outer[1]}};
    Address seen[2];
    for (int end : {0, 1}) seen[end] = nats[end].outbound(at(0s), inner, kServer).value();
    // A check of either end: there, and its answer from where it went back to where it came from (RFC 8445 §7.2.5.2.1).
    bool meet = false;
    for (const int from : {0, 1, 0}) {
      const int to = 1 - from;
      const auto source = nats[from].outbound(at(1s), inner, seen[to]);
      if (!nats[to].inbound(at(1s), *source, seen[to])) continue;
      meet |= nats[to].outbound(at(1s), inner, *source) == seen[to] &&
              nats[from].inbound(at(1s), seen[to], *source);
    }
    INFO(rules);
    CHECK(meet == can_be_punched(configs[0], configs[1]));
  }
}

TEST_CASE("what it cannot translate it refuses") {
  Nat nat({}, kPublic);
  Address v6;
  v6.family = Address::Family::IPv6;
  CHECK_FALSE(nat.outbound(at(0s), v6, kServer));
  CHECK_FALSE(nat.outbound(at(0s), kInner, v6));
}
