#include "net/tcp_listener.h"

#include <errno.h>
#include <sys/socket.h>

#include "net/socket_address.h"

namespace pollrtc::net {
namespace {

// How many may wait to be accepted. Nobody but the peer has reason to come.
constexpr int kBacklog = 16;
// Connections that are gone again before they were accepted, in one go.
constexpr int kMaxAborted = 16;

}  // namespace

Result<TcpListener> TcpListener::listen(const Address& local, PortRange ports, std::uint32_t first_try) {
  if (!local.is_valid()) return fail(ErrorCode::InvalidArgument, "a socket needs an address to be bound to");
  if (!ports.is_valid())
    return fail(ErrorCode::InvalidArgument, "a port range runs from 1 or more upwards, or is 0 to 0");
  const bool v6 = local.family == Address::Family::IPv6;
  TcpListener listener;
  listener.fd_ = open_socket(v6, SOCK_STREAM);
  if (!listener.fd_.is_open()) return fail(ErrorCode::Network, "the system gives no TCP socket");
  if (v6 && !keep_to_v6(listener.fd()))
    return fail(ErrorCode::Network, "the system keeps IPv6 sockets open to IPv4");
  // Else a port stays taken for minutes after its connections have ended.
  static_cast<void>(set_option(listener.fd(), SOL_SOCKET, SO_REUSEADDR, 1));
  if (!bind_to(listener.fd(), local, ports, first_try))
    return fail(ErrorCode::Network, "no port of this address could be bound");
  if (::listen(listener.fd(), kBacklog) != 0) return fail(ErrorCode::Network, "the system does not listen");
  listener.local_ = local_name_of(listener.fd());
  if (!listener.local_.is_valid())
    return fail(ErrorCode::Network, "the system does not tell the port it chose");
  return listener;
}

std::optional<TcpListener::Accepted> TcpListener::accept() {
  is_stuck_ = false;
  for (int aborted = 0; aborted < kMaxAborted;) {
    SocketAddress source;
    source.size = sizeof source.storage;
    FileDescriptor fd(::accept(this->fd(), source.get(), &source.size));
    if (fd.is_open()) {
      TcpSocket socket = TcpSocket::of_accepted(std::move(fd));
      if (socket.state() != TcpSocket::State::Open) return std::nullopt;
      return Accepted{std::move(socket), from_socket_address(source.get())};
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
    if (errno != ECONNABORTED && errno != EPROTO) {
      is_stuck_ = true;  // EMFILE, ENFILE, ENOBUFS, ENOMEM; or what a security module forbids
      return std::nullopt;
    }
    ++aborted;
  }
  return std::nullopt;
}

}  // namespace pollrtc::net
