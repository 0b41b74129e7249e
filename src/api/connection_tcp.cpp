// Host candidates by TCP (RFC 6544): a listening socket on each address, and the address to connect from.
#include <algorithm>

#include "api/connection_core.h"
#include "base/log.h"
#include "base/random.h"

namespace pollrtc::detail {

bool ConnectionCore::has_socket_at(const Address& ip) const {
  const auto is_there = [&](const Address& local) { return local.same_ip(ip); };
  return std::any_of(sockets_.begin(), sockets_.end(), [&](const Socket& s) { return is_there(s.local); }) ||
         std::any_of(tcp_locals_.begin(), tcp_locals_.end(), is_there);
}

void ConnectionCore::open_tcp(std::span<const Address> addresses) {
  if (configuration_.ice_transport_policy == IceTransportPolicy::Relay) return;
  const net::PortRange ports{configuration_.port_range_begin, configuration_.port_range_end};
  for (const Address& address : addresses) {
    if (std::any_of(tcp_locals_.begin(), tcp_locals_.end(),
                    [&](const Address& local) { return local.same_ip(address); }))
      continue;
    Address bound;
    if (!streams_.listen(address, ports, random_u32(environment_.rng).value_or(0), bound)) {
      POLLRTC_LOG(environment_, Info, "api", "cannot listen on an address");
      bound = address.with_port(0);  // it can still be connected from
    }
    const bool has_names = has_socket_at(bound);  // by UDP
    if (!has_names) names_.add_address(now(), bound);
    if (add_tcp_to_peer(bound)) {
      tcp_locals_.push_back(bound);
    } else {
      if (!has_names) names_.remove_address(now(), bound);
      streams_.stop_listening(bound);
    }
  }
}

bool ConnectionCore::add_tcp_to_peer(const Address& bound) {
  const Address announced = announced_as(bound);
  const auto name = hidden_as(bound, announced);
  if (!name) return false;
  const auto add = [&](TcpType direction) {
    return peer_->add_local_tcp_address(now(), bound, direction, announced, name->view()).has_value();
  };
  const bool is_active = add(TcpType::Active);
  const bool is_passive = bound.port != 0 && add(TcpType::Passive);
  return is_active || is_passive;
}

void ConnectionCore::close_lost_tcp() {
  for (std::size_t i = tcp_locals_.size(); i-- > 0;) {
    bool is_there = true;
    const Address local = tcp_locals_[i];
    if (!find_addresses(std::span(&local, 1), std::span(&is_there, 1)) || is_there) continue;
    (void)peer_->remove_local_tcp_address(now(), local);
    names_.remove_address(now(), local);
    streams_.stop_listening(local);
    tcp_locals_.erase(tcp_locals_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace pollrtc::detail
