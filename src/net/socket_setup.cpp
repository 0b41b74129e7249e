#include "net/socket_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/socket_address.h"

namespace pollrtc::net {
namespace {

// How many ports of a range are tried: a range can have 65535, and each costs two system calls.
constexpr std::uint32_t kMaxPortTries = 1024;

bool bind_address(int fd, const Address& local) {
  const SocketAddress address = to_socket_address(local);
  return ::bind(fd, address.get(), address.size) == 0;
}

}  // namespace

FileDescriptor open_socket(bool v6, int type) {
  const int protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
#if defined(SOCK_NONBLOCK) && defined(SOCK_CLOEXEC)
  return FileDescriptor(::socket(v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
#else
  FileDescriptor fd(::socket(v6 ? AF_INET6 : AF_INET, type, protocol));
  if (!fd.is_open()) return fd;
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0)
    return FileDescriptor();
  return fd;
#endif
}

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool keep_to_v6(int fd) { return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1); }

void keep_silent([[maybe_unused]] int fd) {
#if defined(SO_NOSIGPIPE)
  set_option(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

bool bind_to(int fd, const Address& local, PortRange ports, std::uint32_t first_try) {
  if (ports.first == 0) return bind_address(fd, local.with_port(0));
  const std::uint32_t count = std::uint32_t{ports.last} - ports.first + 1;
  const std::uint32_t tries = count < kMaxPortTries ? count : kMaxPortTries;
  for (std::uint32_t i = 0; i < tries; ++i) {
    const auto port = static_cast<std::uint16_t>(ports.first + (first_try % count + i) % count);
    if (bind_address(fd, local.with_port(port))) return true;
    if (errno != EADDRINUSE && errno != EACCES) return false;
  }
  return false;
}

Address local_name_of(int fd) {
  SocketAddress name;
  name.size = sizeof name.storage;
  return getsockname(fd, name.get(), &name.size) == 0 ? from_socket_address(name.get()) : Address{};
}

}  // namespace pollrtc::net
