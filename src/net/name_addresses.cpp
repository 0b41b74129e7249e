// What is made of the addresses that a name query finds, whoever finds them.
#include "base/address.h"
#include "net/name_query.h"

namespace pollrtc::net {

bool is_usable_dns_address(const Address& address) {
  const Address a = unmapped(address);
  const bool v6_link_local = a.family == Address::Family::IPv6 && is_link_local(a);  // no zone comes with it
  const bool this_network = a.family == Address::Family::IPv4 && a.ip[0] == 0;
  return a.is_valid() && !is_unspecified(a) && !this_network && !is_loopback(a) && !is_multicast(a) &&
         !is_broadcast(a) && !is_ipv4_mapped(address) && !v6_link_local;
}

NameAddresses NameQuery::addresses(std::size_t most) const {
  NameAddresses all;
  for (std::size_t i = 0; i < kMaxNameAddresses; ++i)
    for (const Ask& ask : asks_)
      if (i < ask.addresses.size() && all.size() < most)
        static_cast<void>(all.push_back(ask.addresses[i]));  // full: the first ones are enough
  return all;
}

}  // namespace pollrtc::net
