// TcpSocket: a non-blocking TCP connection, one that this end opens or one that was accepted (TcpListener).
#pragma once

#include "net/file_descriptor.h"
#include "pollrtc/result.h"
#include "pollrtc/types.h"

namespace pollrtc::net {

class TcpSocket {
 public:
  enum class State : std::uint8_t { Closed, Connecting, Open };
  struct Transfer {
    std::size_t size = 0;
    bool is_over = false;  // the connection has ended, in whatever way
  };

  TcpSocket() = default;  // not open

  // Begins to connect; check() tells how that goes. From the IP address of `local`, when it is valid.
  static Result<TcpSocket> connect(const Address& remote, const Address& local = {});
  // Not open when the system refuses what such a socket needs.
  static TcpSocket of_accepted(FileDescriptor fd);

  State state() const { return state_; }
  int fd() const { return fd_.get(); }
  // The address it is bound to since it was connected; invalid when the system does not tell.
  Address local() const;
  // Looks after a connection that is being made. Closed: it was refused, or nobody answered.
  State check();
  Transfer receive(MutBytes buffer);  // size 0: nothing now
  Transfer send(Bytes bytes);         // how many were taken
  void close();

 private:
  void prepare();

  FileDescriptor fd_;
  State state_ = State::Closed;
};

}  // namespace pollrtc::net
