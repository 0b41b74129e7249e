// Reading, printing and classifying addresses.
#pragma once

#include <optional>
#include <string_view>

#include "pollrtc/fixed_string.h"
#include "pollrtc/types.h"

namespace pollrtc {

using AddressText = FixedString<64>;

// "192.0.2.1" or "2001:db8::1"; a zone ("%eth0") is refused, since a name of an interface means nothing elsewhere.
std::optional<Address> parse_ip(std::string_view text, std::uint16_t port = 0);
// The address alone, RFC 5952 form for IPv6; and "192.0.2.1:80" or "[2001:db8::1]:80" for logs.
AddressText ip_text(const Address& address);
AddressText address_text(const Address& address);

// ::ffff:a.b.c.d as the IPv4 address that it means; any other as it is. Ask policy questions of the result, so that a
// mapped loopback address is a loopback address.
Address unmapped(const Address& address);

bool is_unspecified(const Address& address);
bool is_loopback(const Address& address);
bool is_link_local(const Address& address);
bool is_multicast(const Address& address);
bool is_broadcast(const Address& address);        // 255.255.255.255
bool is_site_local(const Address& address);       // fec0::/10
bool is_ipv4_compatible(const Address& address);  // ::a.b.c.d
bool is_ipv4_mapped(const Address& address);      // ::ffff:a.b.c.d

}  // namespace pollrtc
