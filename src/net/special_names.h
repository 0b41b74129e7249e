// Names that no name server is asked for (RFC 6761, RFC 6762 §3).
#pragma once

#include <string_view>

namespace pollrtc::net {

// RFC 6761 §6.3: "localhost" and all below it is this machine, without asking.
bool is_localhost_name(std::string_view name);
// RFC 6761 §6.4 and RFC 7686 §2: there are no names below "invalid", and those below "onion" are none of DNS.
bool is_never_resolved(std::string_view name);
// RFC 6762 §3: names below "local" belong to multicast DNS. ICE-MDNS-01: they are never sent to a name server, which
// would learn them and could answer anything.
bool is_multicast_dns_name(std::string_view name);

}  // namespace pollrtc::net
