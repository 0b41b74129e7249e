// Network: the sockets and the clock below a PeerConnection, as hooks. Left empty, the operating system's are used;
// a machine with a network stack of its own, or a simulator, gives these.
//
// None of them may block or call back into the connection. They are called from inside the connection's own calls only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pollrtc/types.h"

namespace pollrtc {

// The hooks; each is given `context` first.
struct Network {
  // What became of a datagram.
  enum class Outcome : std::uint8_t {
    Done,         // sent, or received
    WouldBlock,   // nothing to read; or no room: the same datagram is tried again later
    Truncated,    // a datagram that did not fit the buffer; it is gone
    TooLarge,     // of a datagram to be sent, as all that follow: it is lost, the socket lives on
    Unreachable,  // no route, or the network is down
    Refused,      // a firewall says no, or an earlier datagram met a closed port
    Error,        // anything else
  };

  // Only differences count. May stand still; should it go back, the connection's own time stands still.
  Time (*now)(void* context) = nullptr;
  // Writes addresses of this machine that may become candidates now, loopback ones among them only when asked for; how
  // many there are (at most out.size()). Ports do not matter. One that is left out keeps the socket it has, see below.
  std::size_t (*list_addresses)(void* context, bool loopback, std::span<Address> out) = nullptr;
  // Looks which of `addresses` this machine still has, fit for a new candidate or not, and sets `is_there` of the same size.
  // False: the system does not say now, and nothing is taken for gone. Asked once a second; the sockets of an address
  // that went are closed. Empty: those are there that list_addresses names, unless it has filled its span of 64.
  bool (*find_addresses)(void* context, std::span<const Address> addresses,
                         std::span<bool> is_there) = nullptr;
  // A UDP socket at that address and a port of first..last (0: any), `bound` the whole address. Negative: it cannot be.
  int (*open)(void* context, const Address& local, std::uint16_t first, std::uint16_t last,
              Address& bound) = nullptr;
  // Closes a socket that open() or open_multicast() gave.
  void (*close)(void* context, int socket) = nullptr;
  // Sends one datagram from that socket, now or never: WouldBlock when there is no room.
  Outcome (*send)(void* context, int socket, const Address& remote, Bytes datagram) = nullptr;
  // The same for a datagram that neither this machine nor a router may cut (IPv4: DF set). Empty: that cannot be asked for,
  // and there is no path MTU discovery.
  Outcome (*send_whole)(void* context, int socket, const Address& remote, Bytes datagram) = nullptr;
  // Takes one datagram: its size, and who sent it. WouldBlock when none waits.
  Outcome (*receive)(void* context, int socket, MutBytes buffer, std::size_t& size,
                     Address& source) = nullptr;
  // Several datagrams to one remote with one call: they lie one behind another, each `segment` bytes and the last perhaps
  // less, and must go as `send` would send each; `whole` as `send_whole` would. Sets `taken` to the bytes, whole datagrams
  // from the front, that have been dealt with, sent or lost: with WouldBlock the others are tried again later, else it is all
  // of them. Empty: each goes by itself.
  Outcome (*send_run)(void* context, int socket, const Address& remote, Bytes datagrams, std::size_t segment,
                      bool whole, std::size_t& taken) = nullptr;
  // As `receive`, but may bring several datagrams of one source, lying in the same way. The buffer holds 65,536 bytes or more
  // while much comes, and less at other times, when it need not bring more than one. Empty: `receive` is called.
  Outcome (*receive_run)(void* context, int socket, MutBytes buffer, std::size_t& size, std::size_t& segment,
                         Address& source) = nullptr;
  // How many datagrams to this socket the system has thrown away since it was opened because nobody read them in time; counts
  // on from 2^32 - 1 to 0. Empty: that is not known.
  std::uint32_t (*overflows)(void* context, int socket) = nullptr;
  // The next hard error of ICMP (port or protocol unreachable) that came for a datagram of this socket's: the beginning of
  // that datagram, and where it was sent. False: there is none. Asked after each reading. Empty: nothing is heard of them,
  // and what meets a closed port costs the time until its answer is overdue.
  bool (*receive_error)(void* context, int socket, MutBytes quoted, std::size_t& size,
                        Address& remote) = nullptr;
  // A socket for multicast DNS (RFC 6762) on the link that `local`, an address of this machine, is on: bound to port 5353 as
  // others may be too, and the group of that family joined (224.0.0.251, ff02::fb). `send` to the group goes out on that link
  // alone, with TTL 255, and also to the others on this machine; from `receive` comes what was sent to the group on that link
  // and nothing else, so no datagram by unicast. Negative: it cannot be, or the link has one already. Empty: names of remote
  // candidates are not resolved, and nobody answers for ours.
  int (*open_multicast)(void* context, const Address& local) = nullptr;
  void* context = nullptr;  // handed to all of them

  bool is_set() const { return now != nullptr; }  // one was given; then is_whole() is asked for
  // All of them, or none; but find_addresses, send_whole, send_run, receive_run, overflows, receive_error and open_multicast
  // may be left out.
  bool is_whole() const {
    return list_addresses != nullptr && open != nullptr && close != nullptr && send != nullptr &&
           receive != nullptr;
  }
};

}  // namespace pollrtc
