#include "sim/nat.h"

#include <algorithm>

namespace pollrtc::sim {
namespace {

// The part of an address that a rule looks at.
Address part(NatRule rule, const Address& remote) {
  if (rule == NatRule::EndpointIndependent) return {};
  return rule == NatRule::AddressDependent ? remote.with_port(0) : remote;
}

}  // namespace

bool can_be_punched(const NatConfig& a, const NatConfig& b) {
  const bool keeps_a = a.mapping == NatRule::EndpointIndependent,
             keeps_b = b.mapping == NatRule::EndpointIndependent;
  if (keeps_a && keeps_b) return true;
  if (!keeps_a && !keeps_b) return false;
  // The one that shows each remote another port is heard from a port that nobody was told of.
  return (keeps_a ? a : b).filtering != NatRule::AddressAndPortDependent;
}

std::optional<Address> Nat::outbound(Time now, const Address& inner, const Address& remote) {
  if (inner.family != public_ip_.family || remote.family != public_ip_.family) return std::nullopt;
  if (config.blocks_udp) return std::nullopt;
  expire(now);
  const Address towards = part(config.mapping, remote);
  auto mapping = std::find_if(mappings_.begin(), mappings_.end(),
                              [&](const Mapping& m) { return m.inner == inner && m.towards == towards; });
  if (mapping == mappings_.end()) {
    const auto port = free_port(inner);
    if (!port) return std::nullopt;
    mapping = mappings_.insert(mappings_.end(), Mapping{inner, towards, *port, now, {}});
  }
  mapping->used = now;
  mapping->permitted[part(config.filtering, remote)] = now;
  return public_ip_.with_port(mapping->port);
}

std::optional<Address> Nat::inbound(Time now, const Address& remote, const Address& external) {
  expire(now);
  // With overlapping ports two may have spoken to that remote: it answers who spoke last.
  Mapping* mapping = nullptr;
  Time* last = nullptr;
  for (Mapping& candidate : mappings_) {
    if (candidate.port != external.port) continue;
    const auto permission = candidate.permitted.find(part(config.filtering, remote));
    if (permission == candidate.permitted.end() || (last != nullptr && permission->second <= *last)) continue;
    mapping = &candidate;
    last = &permission->second;
  }
  if (mapping == nullptr) return std::nullopt;
  if (config.inbound_refreshes) mapping->used = *last = now;
  return mapping->inner;
}

void Nat::forget() {
  mappings_.clear();
  next_port_ = static_cast<std::uint16_t>(next_port_ + 100);
}

void Nat::expire(Time now) {
  std::erase_if(mappings_, [&](const Mapping& m) { return now - m.used >= config.lifetime; });
  for (Mapping& mapping : mappings_)
    std::erase_if(mapping.permitted, [&](const auto& p) { return now - p.second >= config.lifetime; });
}

std::optional<std::uint16_t> Nat::free_port(const Address& inner) {
  const auto is_free = [this](std::uint16_t port) {
    return std::none_of(mappings_.begin(), mappings_.end(), [&](const Mapping& m) { return m.port == port; });
  };
  if (config.preserves_ports && (config.overlaps_ports || is_free(inner.port))) return inner.port;
  for (int tries = 0; tries < 45000; ++tries) {
    const std::uint16_t port = next_port_;
    next_port_ = next_port_ == 65535 ? std::uint16_t{20000} : static_cast<std::uint16_t>(next_port_ + 1);
    if (is_free(port)) return port;
  }
  return std::nullopt;
}

}  // namespace pollrtc::sim
