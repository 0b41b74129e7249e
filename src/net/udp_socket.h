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

// Of the system's errors: what became of a datagram, and whether the error may be about an earlier one. Those come from ICMP,
// which some systems hand to the next call; they are hints that anybody on the path can forge (RFC 8445 takes none as an
// answer), so they are passed over.
SendResult send_result_of(int error);
bool is_about_an_earlier_send(int error);

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
  // Less than `size`, after take_runs(true) only: several datagrams one behind another, each that long and the last perhaps
  // shorter.
  std::size_t segment = 0;
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

  // A run: datagrams to one remote that lie one behind another, each `segment` bytes and the last perhaps less. Where the
  // system can, they go with few calls (UDP GSO), else with one each. `taken`: the bytes that have been dealt with, whole
  // datagrams from the front, sent or lost; WouldBlock: the others can go once the socket is writable.
  SendResult send_run(const Address& remote, Bytes datagrams, std::size_t segment, bool dont_fragment,
                      std::size_t& taken);
  // From now on receive() may bring a run (UDP GRO), or no more. It wants a buffer of kLargestRun then: a smaller one can be
  // found too small for datagrams that would have fitted one by one.
  void take_runs(bool on);
  static constexpr std::size_t kLargestRun = 65536;
  // Neither is asked of the system again: for networks whose drivers do it wrong.
  void forbid_runs();
  // Datagrams that the system threw away since bind() because the socket's buffer was full; counted when the next one is
  // received. Modulo 2^32; systems other than Linux do not tell.
  std::uint32_t overflows() const { return overflows_; }

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
  enum class Runs : std::uint8_t { Unknown, Forbidden, Supported };
  void set_dont_fragment(bool on);
  Address scoped(const Address& remote) const;
  bool may_send_runs();
  SendResult send_gathered(const Address& remote, Bytes datagrams, std::size_t segment);
  bool is_to_be_sent_again(int error, bool& once_more);

  FileDescriptor fd_;
  Address local_;
  bool dont_fragment_ = false;  // as the socket is set now
  bool keeps_errors_ = false;
  Runs runs_ = Runs::Unknown;
  bool takes_runs_ = false;
  std::uint8_t refused_runs_ = 0;  // in a row
  std::uint32_t overflows_ = 0;
  bool has_met_error_ = false;  // a call did: the queue of errors may hold what it was about
  std::uint8_t unasked_ = 0;    // receive_error() in a row without a look into that queue
};

}  // namespace pollrtc::net
