// Nat: a network address translator in the terms of RFC 4787: §4.1 mapping, §4.3 lifetime, §5 filtering, §6 hairpinning.
// One public IPv4 address; behind another NAT if World::add_nat() says so.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "pollrtc/types.h"

namespace pollrtc::sim {

enum class NatRule : std::uint8_t { EndpointIndependent, AddressDependent, AddressAndPortDependent };

struct NatConfig {
  NatRule mapping = NatRule::EndpointIndependent;
  NatRule filtering = NatRule::AddressAndPortDependent;
  bool hairpin = true;
  Duration lifetime = std::chrono::minutes(2);  // REQ-5: not shorter, says the RFC
  bool inbound_refreshes = false;               // REQ-6: outbound traffic always does
  bool preserves_ports = false;                 // the inner port is taken when it is free (RFC 4787 §4.2.1)
  bool overlaps_ports = false;  // and when it is not: two inner hosts share it, told apart by the remote
  bool blocks_udp = false;      // a firewall that lets nothing out

  // The four names that are still in use. "Symmetric" is the one that needs a relay.
  static NatConfig full_cone() { return {NatRule::EndpointIndependent, NatRule::EndpointIndependent}; }
  static NatConfig restricted() { return {NatRule::EndpointIndependent, NatRule::AddressDependent}; }
  static NatConfig blocked() {
    NatConfig config;
    config.blocks_udp = true;
    return config;
  }
  static NatConfig port_restricted() {
    return {NatRule::EndpointIndependent, NatRule::AddressAndPortDependent};
  }
  static NatConfig symmetric() {
    return {NatRule::AddressAndPortDependent, NatRule::AddressAndPortDependent};
  }
};

// Whether two hosts behind such NATs meet by the addresses that a STUN server tells them (RFC 5128 §3.3), without luck.
bool can_be_punched(const NatConfig& a, const NatConfig& b);

class Nat {
 public:
  Nat(const NatConfig& initial, const Address& public_ip)
      : config(initial), public_ip_(public_ip.with_port(0)) {}

  // The external address that a datagram from `inner` to `remote` gets; makes or refreshes the mapping.
  // Nothing when it cannot be translated (another family, ports used up).
  std::optional<Address> outbound(Time now, const Address& inner, const Address& remote);
  // Whose it is, when the filter lets it in.
  std::optional<Address> inbound(Time now, const Address& remote, const Address& external);
  // A reboot: all mappings are gone, and no port comes back soon.
  void forget();

  const Address& public_ip() const { return public_ip_; }
  std::size_t mappings() const { return mappings_.size(); }

  NatConfig config;

 private:
  struct Mapping {
    Address inner;
    Address towards;  // as much of the remote address as the mapping depends on
    std::uint16_t port = 0;
    Time used{};
    std::map<Address, Time>
        permitted;  // as much of each remote address as the filter looks at, and when it was used
  };
  void expire(Time now);
  std::optional<std::uint16_t> free_port(const Address& inner);

  Address public_ip_;
  std::vector<Mapping> mappings_;
  std::uint16_t next_port_ = 20000;
};

}  // namespace pollrtc::sim
