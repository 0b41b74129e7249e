// UdpMux: one UDP port for many connections: for servers that have a single port open, and for those whom a socket for each
// connection costs too much.
//
//   auto mux = std::make_shared<UdpMux>(UdpMux::Config{.port = 3478});
//   configuration.udp_mux = mux;                  // of each connection
//   mux->poll(timeout);                           // polls those of its connections that something is due for
//
// There is one socket for each local address. What comes is told apart by the address it comes from; a check (STUN Binding
// request) by the user name in it, so that a peer whose NAT gave it another address is found again, and an answer by its
// transaction. A check for nobody is refused, within Limits::stun_errors_per_second, and leaves no trace. Two connections
// to one and the same remote address and port cannot be told apart: such a peer can serve one connection at a time only. A
// TURN server tells its clients apart in just that way, so a connection that has one by UDP opens a socket of its own beside, for
// each local address and from its own port range: for relayed candidates alone. Multicast DNS is a connection's own as well.
//
// UdpMux::poll() costs what is due and no more, however many connections there are. They can also be polled as usual, each by
// itself or by poll_all(): whoever polls one reads for all of them, and what is for another waits there and makes it due
// (PeerConnection::get_time_to_next_deadline() is then zero).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "pollrtc/environment.h"
#include "pollrtc/network.h"
#include "pollrtc/result.h"

namespace pollrtc {

namespace detail {
class MuxCore;
class ConnectionCore;
}  // namespace detail

class PeerConnection;

// One UDP port for many connections; see the top of this file.
class POLLRTC_API UdpMux {
 public:
  // What a mux is made with.
  struct Config {
    std::uint16_t port = 0;   // of all its sockets; 0: the system's choice, for each
    int dscp = -1;            // RFC 8837: 0..63; negative: the system's
    bool udp_offload = true;  // see Configuration::udp_offload
    // Remote addresses known at a time, of all connections and of one. When there are more, what comes from further ones is
    // lost, except checks and answers.
    std::size_t max_addresses = 65536, max_addresses_each = 128;
    std::size_t max_waiting = 256;  // datagrams that wait for one connection to be polled
    Limits limits;  // of these, the bounds on STUN errors to strangers, and ice_local_candidates for open()
    LogSink log;    // none: nothing is logged
    // Left empty: the operating system's. What the hooks point to must outlive the mux and its connections.
    Rng rng;
    Network network;  // its sockets and clock
  };
  // Counts since it was made.
  struct Stats {
    // at present: those with a socket here, and remote addresses known to be theirs
    std::size_t connections = 0, addresses = 0;
    std::uint64_t strangers_refused = 0;  // checks for nobody that were answered with an error
    std::uint64_t dropped = 0;            // datagrams for nobody, or for one who had too many waiting
    // Datagrams that the system dropped because the buffer of a socket here was full (Network::overflows). Nobody knows whose
    // they were, so the connections' own Drop::SocketOverflow does not count them.
    std::uint64_t overflows = 0;
  };

  // Opens nothing yet: sockets come with open(), or with the first connection that gathers. A Config that is no good (a dscp above
  // 63, a Network without some of its hooks) is InvalidArgument to open() and to PeerConnection::initialize().
  explicit UdpMux(const Config& config);
  UdpMux() : UdpMux(Config()) {}
  ~UdpMux();
  UdpMux(const UdpMux&) = delete;
  UdpMux& operator=(const UdpMux&) = delete;

  // Opens them now, one for each address that the machine has at this moment (loopback only where there is no other), so that a
  // server learns at its start whether it can have the port. Without this call connections make do with the addresses where they
  // can. Network: at one of them another program has the port, or there is none to open it at; nothing has changed then.
  Status open();

  // Sleeps until something is to be done for one of its connections, or until `timeout` has passed, and polls those. Handlers
  // may make connections, and destroy any, and the mux. With a Network of yours it does not sleep. InvalidState: called from
  // inside a signal of one of its connections.
  Status poll(Duration timeout = Duration::zero());

  Stats get_stats() const;  // at this moment

 private:
  friend class detail::ConnectionCore;
  std::shared_ptr<detail::MuxCore> core_;
};

}  // namespace pollrtc
