#include "net/socket_address.h"

#include <netinet/in.h>

#include <cstring>

#include "base/address.h"

namespace pollrtc::net {

SocketAddress to_socket_address(const Address& address) {
  SocketAddress out;
  if (address.family == Address::Family::IPv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, address.ip.data(), 4);
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
  } else if (address.family == Address::Family::IPv6) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port);
    in.sin6_scope_id = address.scope_id;
    std::memcpy(&in.sin6_addr, address.ip.data(), 16);
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
  }
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
  out.storage.ss_len = static_cast<decltype(out.storage.ss_len)>(out.size);
#endif
  return out;
}

Address from_socket_address(const sockaddr* address) {
  Address out;
  if (address == nullptr) return out;
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof in);
    std::memcpy(out.ip.data(), &in.sin_addr, 4);
    out.port = ntohs(in.sin_port);
    out.family = Address::Family::IPv4;
  } else if (address->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof in);
    std::memcpy(out.ip.data(), &in.sin6_addr, 16);
    out.port = ntohs(in.sin6_port);
    out.family = Address::Family::IPv6;
    if (is_link_local(out)) out.scope_id = in.sin6_scope_id;
  }
  return out;
}

}  // namespace pollrtc::net
