// UdpSocket: a non-blocking UDP socket bound to one address.
//
// Bound to one local address, so each datagram's Path is known without asking for packet information, and an
// answer leaves from the address that was asked (RFC 8445 §7.3).
#pragma once

#include "net/socket_setup.h"
#include "pollrtc/result.h"
#include "pollrtc/types.h"

namespace pollrtc::net {

// None of these ends the socket: a datagram that did not go out is a lost datagram, and the engines know
// loss.
enum class SendResult : std::uint8_t {
  Sent,
  WouldBlock,   // the socket's buffer is full: the same datagram can go once the socket is writable
  TooLarge,     // larger than the path or the system takes
  Unreachable,  // no route, or the network is down
  Refused,      // a firewall of this machine says no, or an earlier datagram met a closed port
  Error,        // lost for another reason: an interface queue is full, memory is short
};

enum class ReceiveResult : std::uint8_t {
  Received,
  Nothing,    // come again when the socket is readable
  Truncated,  // a datagram that did not fit the buffer; it is gone
  Error,      // the socket is broken
};

struct Received {
  ReceiveResult result = ReceiveResult::Nothing;
  std::size_t size = 0;
  Address source;
};

class UdpSocket {
 public:
  UdpSocket() = default;  // not open

  // The port comes from `ports`, not from `local`. In a range the search begins at a place that `first_try`
  // chooses (any number, best a random one), so that a stranger cannot foretell the port and neighbours do
  // not all try the same.
  static Result<UdpSocket> bind(const Address& local, PortRange ports = {}, std::uint32_t first_try = 0);

  // A socket beside others on port 5353 that hears what is sent to the multicast `group` (with that port) on the interface of
  // that index, nothing else, and speaks to it there: Network::open_multicast. `local` is our address on it.
  static Result<UdpSocket> join(const Address& local, std::uint32_t interface_index, const Address& group);

  bool is_open() const { return fd_.is_open(); }
  int fd() const { return fd_.get(); }
  const Address& local() const { return local_; }  // with the port it got

  Received receive(MutBytes buffer);
  // `dont_fragment`: neither this system nor a router may cut it (RFC 8899 §3 item 2); what the system thinks it knows of the
  // path MTU is not asked either, since anybody can forge the ICMP that it comes from. Else it may be cut: small packets get
  // through a smaller path in pieces, where DF would lose them without a word.
  SendResult send_to(const Address& remote, Bytes datagram, bool dont_fragment = false);

  // From now on receive_error() gives the errors of ICMP that say for certain that nobody listens (RFC 1122 §4.1.3.3, hard
  // errors: port or protocol unreachable), one a call: the beginning of the datagram that met it, and where that was sent.
  // False: there is none now. Systems other than Linux tell of none.
  void keep_errors();
  bool receive_error(MutBytes quoted, std::size_t& size, Address& remote);

  // The six bits of RFC 2474 that ask for a kind of treatment on the way (RFC 8837); a wish, so failure is no
  // error.
  void set_dscp(std::uint8_t dscp);
  // Whether this system heeds `dont_fragment`.
  static bool can_forbid_fragments();

 private:
  void set_dont_fragment(bool on);

  FileDescriptor fd_;
  Address local_;
  bool dont_fragment_ = false;  // as the socket is set now
  bool keeps_errors_ = false;
  bool has_met_error_ = false;  // a call did: the queue of errors may hold what it was about
};

}  // namespace pollrtc::net
