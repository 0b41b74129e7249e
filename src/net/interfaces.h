// The addresses of this machine, and which of them become host candidates (RFC 8445 §5.1.1.1, RFC 8835 §3.3).
#pragma once

#include <string_view>

#include "base/memory.h"
#include "net/file_descriptor.h"
#include "pollrtc/fixed_string.h"
#include "pollrtc/result.h"
#include "pollrtc/types.h"

namespace pollrtc::net {

struct LocalAddress {
  Address address;  // port 0
  FixedString<32> interface_name;
  std::uint32_t interface_index = 0;
  std::uint8_t prefix_length = 0;
  bool is_up = false;  // up and running
  bool is_loopback = false;
  bool is_point_to_point = false;
  // IPv6 only, and only where the system tells (Linux).
  bool is_temporary = false;   // RFC 8981: made to be forgotten, so that it does not follow its user about
  bool is_deprecated = false;  // no new conversations should start from it
  bool is_tentative = false;   // not yet, or never, known to be ours alone
};

struct AddressPolicy {
  bool loopback = false;  // for tests, and for two programs on one machine
  bool ipv4 = true;
  bool ipv6 = true;
  std::size_t most = 64;  // how many addresses at the most (Limits.ice_local_candidates)
};

// Everything the system lists, unfiltered, in its order.
Status list_local_addresses(Vec<LocalAddress>& out);

// Keeps what the policy and RFC 8445 §5.1.1.1 allow, without doubles, in the order given.
void select_addresses(const AddressPolicy& policy, Vec<LocalAddress>& addresses);

// Whether sockets at that address still serve. One that select_addresses leaves out may: a deprecated one, or a permanent
// one beside which a temporary one has appeared.
bool is_in_use(std::span<const LocalAddress> addresses, const Address& address);

// Takes whole lines of Linux's /proc/net/if_inet6 and sets the IPv6 flags of the addresses they name. Other lines count for
// nothing, and one without its end is left: of its flags there may be more to come. How much it has taken.
std::size_t apply_if_inet6(std::string_view text, std::span<LocalAddress> addresses);
// The same with all of a file.
void read_if_inet6(const FileDescriptor& file, std::span<LocalAddress> addresses);

}  // namespace pollrtc::net
