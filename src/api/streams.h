// The TCP connections that a Peer asks for, and those that come to it: sockets to streams and back.
#pragma once

#include <span>
#include <vector>

#include "net/poller.h"
#include "net/tcp_listener.h"
#include "pollrtc/peer.h"

namespace pollrtc::detail {

class Streams {
 public:
  void open(Peer& peer, StreamId stream, const Address& remote, const Address& local);
  // Its last bytes go out if they can, and it is closed.
  void finish(Peer& peer, StreamId stream);
  // False: no listening socket could be had there. `bound` is what it got.
  bool listen(const Address& local, net::PortRange ports, std::uint32_t first_try, Address& bound);
  void stop_listening(const Address& ip);
  void close() {
    streams_.clear();
    listeners_.clear();
    accept_again_ = kNever;
  }
  // Their own ends, as many as fit; and an end to those that have theirs at `local`, which this machine has no more.
  std::size_t local_addresses(std::span<Address> out) const;
  void drop_from(Peer& peer, const Address& local);
  // The peer has ended: nobody will ask anything of those that are being made any more.
  void drop_unused();

  // True when there is more than one turn of the loop should take. `now`: by the clock of next_accept().
  bool read(Peer& peer, Time now);
  // Did anything move?
  bool write(Peer& peer);

  // Neither this nor sockets() names listening sockets while the system has nothing to accept with: they are readable all
  // the time then, and read() tries again at next_accept().
  void watch(net::Poller& poller) const;
  Time next_accept() const { return accept_again_; }
  bool empty() const { return streams_.empty() && listeners_.empty(); }
  bool wants_to_write() const;  // a loop that watches for reading only must come again
  std::size_t sockets(std::span<int> out) const;

 private:
  struct Stream {
    StreamId id{};
    net::TcpSocket socket;
    std::vector<std::uint8_t> out;  // taken from the peer, not yet by the system
    std::size_t sent = 0;           // of those
  };
  bool accept(Peer& peer, Time now);
  std::span<const net::TcpListener> watched_listeners() const {
    return accept_again_ == kNever ? std::span(listeners_) : std::span<const net::TcpListener>();
  }
  bool write_one(Peer& peer, Stream& stream);
  void drop(Peer& peer, StreamId stream, std::string_view why);

  std::vector<Stream> streams_;
  std::vector<net::TcpListener> listeners_;
  Time accept_again_ = kNever;  // else nobody is accepted before
};

}  // namespace pollrtc::detail
