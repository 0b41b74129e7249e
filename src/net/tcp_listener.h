// TcpListener: a non-blocking listening socket, for connections that others open.
#pragma once

#include <optional>

#include "net/tcp_socket.h"
#include "net/udp_socket.h"

namespace pollrtc::net {

class TcpListener {
 public:
  struct Accepted {
    TcpSocket socket;
    Address remote;
  };

  // Bound to one address, as UdpSocket::bind() is.
  static Result<TcpListener> listen(const Address& local, PortRange ports = {}, std::uint32_t first_try = 0);

  int fd() const { return fd_.get(); }
  const Address& local() const { return local_; }  // with the port it got
  // The next that waits; the system keeps a few of them. Nothing: nobody waits now, or see is_stuck().
  std::optional<Accepted> accept();
  // The last accept() was refused (no descriptor is left, say), so that whoever waits goes on waiting and the socket stays
  // readable: to be asked again after a while.
  bool is_stuck() const { return is_stuck_; }

 private:
  FileDescriptor fd_;
  Address local_;
  bool is_stuck_ = false;
};

}  // namespace pollrtc::net
