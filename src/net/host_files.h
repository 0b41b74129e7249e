// What a machine says about names in its files: hosts(5) and resolv.conf(5). Pure functions on their text.
#pragma once

#include <string_view>

#include "net/dns_query.h"

namespace pollrtc::net {

// Adds the addresses that `hosts` gives for `name`, port 0.
void find_in_hosts(std::string_view hosts, std::string_view name, DnsAddresses& out);

// The first three name servers; this machine itself when none is named. `search`, `domain` and `options`
// count for nothing: names of servers in a configuration are whole names.
FixedVec<Address, 3> name_servers_in(std::string_view resolv_conf);

// RFC 6761 §6.3: "localhost" and all below it is this machine, without asking.
bool is_localhost_name(std::string_view name);
// RFC 6762 §3: names below "local" belong to multicast DNS. ICE-MDNS-01: they are never sent to a name
// server, which would learn them and could answer anything.
bool is_multicast_dns_name(std::string_view name);

}  // namespace pollrtc::net
