// Address to and from what the socket calls take.
#pragma once

#include <sys/socket.h>

#include "pollrtc/types.h"

namespace pollrtc::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const Address& address);
// Invalid when the family is neither IPv4 nor IPv6. The scope id stays only on link-local addresses, so that
// two spellings of one global address compare equal.
Address from_socket_address(const sockaddr* address);

}  // namespace pollrtc::net
