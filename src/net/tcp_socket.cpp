#include "net/tcp_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "net/socket_address.h"
#include "net/socket_setup.h"

namespace pollrtc::net {
namespace {

#if defined(MSG_NOSIGNAL)
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // SO_NOSIGPIPE is set instead
#endif

// accept() gives a socket that blocks.
bool make_ready(int fd) { return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0; }

// What nobody acknowledged for so long is lost, and the connection with it: the system would try for a quarter of an hour,
// and ICE gives a silent path up after half a minute.
[[maybe_unused]] constexpr int kUserTimeoutMs = 15000;

bool is_later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

}  // namespace

void TcpSocket::prepare() {
  // What goes through is datagrams, none of which should wait.
  static_cast<void>(set_option(fd(), IPPROTO_TCP, TCP_NODELAY, 1));
#if defined(TCP_USER_TIMEOUT)
  static_cast<void>(set_option(fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs));
#endif
  keep_silent(fd());
}

Result<TcpSocket> TcpSocket::connect(const Address& remote, const Address& local) {
  TcpSocket tcp;
  tcp.fd_ = open_socket(remote.family == Address::Family::IPv6, SOCK_STREAM);
  if (!tcp.fd_.is_open()) return fail(ErrorCode::Network, "the system gives no TCP socket");
  tcp.prepare();
  if (local.is_valid() && !bind_to(tcp.fd(), local, {}, 0))
    return fail(ErrorCode::Network, "the address to connect from is gone");
  const SocketAddress address = to_socket_address(remote);
  if (::connect(tcp.fd(), address.get(), address.size) == 0) {
    tcp.state_ = State::Open;
  } else if (errno == EINPROGRESS || errno == EINTR) {
    tcp.state_ = State::Connecting;
  } else {
    return fail(ErrorCode::Network, "no connection could be begun");
  }
  return tcp;
}

TcpSocket TcpSocket::of_accepted(FileDescriptor fd) {
  TcpSocket tcp;
  if (!make_ready(fd.get())) return tcp;
  tcp.fd_ = std::move(fd);
  tcp.state_ = State::Open;
  tcp.prepare();
  return tcp;
}

TcpSocket::State TcpSocket::check() {
  if (state_ != State::Connecting) return state_;
  pollfd entry{};
  entry.fd = fd();
  entry.events = POLLOUT;
  if (::poll(&entry, 1, 0) <= 0) return state_;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    close();
  } else {
    state_ = State::Open;
  }
  return state_;
}

TcpSocket::Transfer TcpSocket::receive(MutBytes buffer) {
  if (state_ != State::Open) return {0, state_ == State::Closed};
  for (;;) {
    const ssize_t got = recv(fd(), buffer.data(), buffer.size(), 0);
    if (got > 0) return {static_cast<std::size_t>(got), false};
    if (got == 0) return {0, true};
    if (errno == EINTR) continue;
    return {0, !is_later(errno)};
  }
}

TcpSocket::Transfer TcpSocket::send(Bytes bytes) {
  if (state_ != State::Open) return {0, state_ == State::Closed};
  for (;;) {
    const ssize_t sent = ::send(fd(), bytes.data(), bytes.size(), kSendFlags);
    if (sent >= 0) return {static_cast<std::size_t>(sent), false};
    if (errno == EINTR) continue;
    return {0, !is_later(errno)};
  }
}

Address TcpSocket::local() const {
  SocketAddress name;
  name.size = sizeof name.storage;
  return getsockname(fd(), name.get(), &name.size) == 0 ? from_socket_address(name.get()) : Address{};
}

void TcpSocket::close() {
  fd_ = FileDescriptor();
  state_ = State::Closed;
}

}  // namespace pollrtc::net
