#include "net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#if defined(__linux__)
#include <netpacket/packet.h>
#endif

#include <charconv>
#include <cstddef>
#include <cstring>

#include "base/address.h"
#include "base/bytes.h"
#include "net/file_descriptor.h"
#include "net/socket_address.h"

namespace pollrtc::net {
namespace {

// The flags of an address in /proc/net/if_inet6 (linux/if_addr.h, the low byte).
constexpr unsigned kTemporary = 0x01;
constexpr unsigned kDadFailed = 0x08;
constexpr unsigned kDeprecated = 0x20;
constexpr unsigned kTentative = 0x40;

std::uint8_t prefix_length_of(const sockaddr* mask, Address::Family family) {
  const bool v4 = family == Address::Family::IPv4;
  if (mask == nullptr) return v4 ? 32 : 128;
  // Not by from_socket_address: BSD leaves the family of a mask unset.
  const auto* ip = reinterpret_cast<const std::uint8_t*>(mask) +
                   (v4 ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr));
  std::uint8_t bits = 0;
  for (const std::uint8_t byte : Bytes(ip, v4 ? 4 : 16))
    for (unsigned b = byte; b != 0; b &= b - 1) ++bits;
  return bits;
}

// The list has the numbers itself, with the link-layer addresses; the system, when they are not there, wants a socket for each
// question.
unsigned index_of(const ifaddrs* list, const char* name) {
  if (name == nullptr) return 0;
#if defined(__linux__)
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_PACKET) continue;
    if (std::strcmp(entry->ifa_name, name) != 0) continue;
    const int index = reinterpret_cast<const sockaddr_ll*>(entry->ifa_addr)->sll_ifindex;
    if (index > 0) return static_cast<unsigned>(index);
  }
#endif
  return if_nametoindex(name);
}

bool add_address(const ifaddrs* list, const ifaddrs& entry, Vec<LocalAddress>& out) {
  LocalAddress local;
  local.address = from_socket_address(entry.ifa_addr);
  if (!local.address.is_valid()) return true;  // a link-layer address
  local.address.port = 0;
  const auto name = FixedString<32>::from(entry.ifa_name == nullptr ? "" : entry.ifa_name);
  if (name) local.interface_name = *name;
  local.interface_index = index_of(list, entry.ifa_name);
  if (is_link_local(local.address) && local.address.family == Address::Family::IPv6 &&
      local.address.scope_id == 0)
    local.address.scope_id = local.interface_index;
  local.prefix_length = prefix_length_of(entry.ifa_netmask, local.address.family);
  local.is_up = (entry.ifa_flags & IFF_UP) != 0 && (entry.ifa_flags & IFF_RUNNING) != 0;
  local.is_loopback = (entry.ifa_flags & IFF_LOOPBACK) != 0;
  local.is_point_to_point = (entry.ifa_flags & IFF_POINTOPOINT) != 0;
  return out.push_back(local);
}

void read_ipv6_flags([[maybe_unused]] std::span<LocalAddress> addresses) {
#if defined(__linux__)
  const FileDescriptor file = FileDescriptor::open_for_reading("/proc/net/if_inet6");
  if (file.is_open()) read_if_inet6(file, addresses);
#endif
}

bool may_be_a_candidate(const AddressPolicy& policy, const LocalAddress& local) {
  const Address& a = local.address;
  const bool v6 = a.family == Address::Family::IPv6;
  if (!local.is_up || !a.is_valid() || !(v6 ? policy.ipv6 : policy.ipv4)) return false;
  if ((local.is_loopback || is_loopback(a)) && !policy.loopback) return false;
  if (is_unspecified(a) || is_multicast(a) || is_broadcast(a)) return false;
  if (is_ipv4_compatible(a) || is_ipv4_mapped(a) || is_site_local(a)) return false;
  if (v6 && is_link_local(a) && a.scope_id == 0) return false;  // nobody could send from it
  // RFC 8835 §3.3: a deprecated temporary address is left alone; a deprecated permanent one may be all there
  // is.
  return !local.is_tentative && !(local.is_temporary && local.is_deprecated);
}

bool same_prefix(const LocalAddress& a, const LocalAddress& b) {
  if (a.prefix_length != b.prefix_length) return false;
  for (std::size_t bit = 0; bit < a.prefix_length && bit < 128; ++bit) {
    const unsigned mask = 0x80u >> (bit % 8);
    if (((a.address.ip[bit / 8] ^ b.address.ip[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

// RFC 8445 §5.1.1.1: beside an address that hides where its user has been, one that shows it would undo the
// hiding.
bool gives_away(const LocalAddress& local, std::span<const LocalAddress> all) {
  if (local.address.family != Address::Family::IPv6 || local.is_temporary || local.is_loopback) return false;
  for (const LocalAddress& other : all) {
    if (!other.is_temporary) continue;
    if (is_link_local(local.address)) return true;
    // By index, and by prefix: another network's address is no secret of this one.
    if (other.interface_index == local.interface_index && same_prefix(local, other)) return true;
  }
  return false;
}

template <class Predicate>
void remove_where(Vec<LocalAddress>& addresses, Predicate predicate) {
  for (std::size_t i = 0; i < addresses.size();) {
    if (predicate(i)) {
      addresses.erase(i);
    } else {
      ++i;
    }
  }
}

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t end = std::min(line.find(' ', begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::optional<unsigned> hex_number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "fe800000000000000123456789abcdef 02 40 20 80 eth0": address, index, prefix length, scope, flags, name; all
// in hex.
void apply_line(std::string_view line, std::span<LocalAddress> addresses) {
  const std::string_view ip = take_word(line);
  const auto index = hex_number(take_word(line));
  take_word(line);
  take_word(line);
  const auto flags = hex_number(take_word(line));
  if (ip.size() != 32 || !index || !flags) return;
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t i = 0; i < 16; ++i) {
    const auto byte = hex_number(ip.substr(2 * i, 2));
    if (!byte) return;
    bytes[i] = static_cast<std::uint8_t>(*byte);
  }
  for (LocalAddress& local : addresses) {
    if (local.address.family != Address::Family::IPv6 || local.address.ip != bytes) continue;
    if (local.interface_index != *index) continue;
    local.is_temporary = (*flags & kTemporary) != 0;
    local.is_deprecated = (*flags & kDeprecated) != 0;
    local.is_tentative = (*flags & (kTentative | kDadFailed)) != 0;
  }
}

}  // namespace

Status list_local_addresses(Vec<LocalAddress>& out) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return fail(ErrorCode::Network, "the system does not list its interfaces");
  bool fits = true;
  for (const ifaddrs* entry = list; entry != nullptr && fits; entry = entry->ifa_next)
    fits = add_address(list, *entry, out);
  freeifaddrs(list);
  if (!fits) return fail(ErrorCode::OutOfMemory, "no memory for the list of interfaces");
  read_ipv6_flags({out.data(), out.size()});
  return {};
}

void select_addresses(const AddressPolicy& policy, Vec<LocalAddress>& addresses) {
  remove_where(addresses, [&](std::size_t i) { return !may_be_a_candidate(policy, addresses[i]); });
  remove_where(addresses, [&](std::size_t i) {
    return gives_away(addresses[i], {addresses.data(), addresses.size()});
  });
  remove_where(addresses, [&](std::size_t i) {
    return std::any_of(addresses.begin(), addresses.begin() + i,
                       [&](const LocalAddress& before) { return before.address == addresses[i].address; });
  });
  if (addresses.size() > policy.most) addresses.erase(policy.most, addresses.size() - policy.most);
}

bool is_in_use(std::span<const LocalAddress> addresses, const Address& address) {
  return std::any_of(addresses.begin(), addresses.end(), [&](const LocalAddress& local) {
    return local.is_up && local.address.same_ip(address);
  });
}

std::size_t apply_if_inet6(std::string_view text, std::span<LocalAddress> addresses) {
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != text.npos; begin = end + 1)
    apply_line(text.substr(begin, end - begin), addresses);
  return begin;
}

// Piece by piece: there is a line for each address, and no end to how many a machine can have. A line that fills `text` is none
// of the system's, and the last that is read.
void read_if_inet6(const FileDescriptor& file, std::span<LocalAddress> addresses) {
  std::array<std::uint8_t, 4096> text;
  std::size_t size = 0;
  while (const std::size_t got = file.read(MutBytes(text).subspan(size))) {
    size += got;
    const std::size_t used = apply_if_inet6(as_text(Bytes(text).first(size)), addresses);
    std::copy(text.begin() + used, text.begin() + size, text.begin());
    size -= used;
  }
}

}  // namespace pollrtc::net
