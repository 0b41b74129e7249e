// Time, bytes and addresses: the vocabulary of every call in pollrtc.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#if defined(_WIN32)
#define POLLRTC_API
#else
// What libpollrtc.so shows; every other name is hidden.
#define POLLRTC_API __attribute__((visibility("default")))
#endif

namespace pollrtc {

using Bytes = std::span<const std::uint8_t>;  // somebody else's, to read
using MutBytes = std::span<std::uint8_t>;     // somebody else's, to write

// A chrono clock that cannot be asked for the time: it has no now(). Every engine is told the time by its
// caller, so a test can run in virtual time and two runs with the same inputs give the same bytes. The epoch
// is the caller's choice; only differences matter. Resolution is one microsecond.
struct Clock {
  // The names that std::chrono wants:
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;
};

// A length of time, in microseconds.
using Duration = Clock::duration;
// A moment on the caller's clock.
using Time = Clock::time_point;

// "No deadline": what next_timeout() returns when an engine waits for nothing.
inline constexpr Time kNever = Time::max();

// An IPv4 or IPv6 transport address. An IPv4 address stands in the first four bytes of `ip`; the others are
// zero, so that comparison is comparison of all fields. `scope_id` is the interface index of an IPv6
// link-local address, else 0.
struct Address {
  // The numbers are STUN's (RFC 8489 §14.1).
  enum class Family : std::uint8_t { None = 0, IPv4 = 1, IPv6 = 2 };

  std::array<std::uint8_t, 16> ip{};  // in network order
  std::uint32_t scope_id = 0;         // interface index of an IPv6 link-local address
  std::uint16_t port = 0;             // in host order; 0: none, or any
  Family family = Family::None;       // None: no address

  // The IPv4 address a.b.c.d with this port.
  static constexpr Address v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                              std::uint16_t port) {
    Address address;
    address.ip = {a, b, c, d};
    address.port = port;
    address.family = Family::IPv4;
    return address;
  }

  constexpr bool is_valid() const { return family != Family::None; }  // not the empty address
  // The bytes that go on the wire: four or sixteen of them.
  constexpr Bytes ip_bytes() const {
    return Bytes(ip).first(family == Family::IPv4 ? 4 : family == Family::IPv6 ? 16 : 0);
  }
  // Equal but for the port.
  constexpr bool same_ip(const Address& other) const {
    return family == other.family && ip == other.ip && scope_id == other.scope_id;
  }
  // The same address with another port.
  constexpr Address with_port(std::uint16_t new_port) const {
    Address copy = *this;
    copy.port = new_port;
    return copy;
  }
  friend constexpr bool operator==(const Address&, const Address&) = default;
  friend constexpr auto operator<=>(const Address&, const Address&) = default;
};

// How datagrams of a path travel; Tcp: framed in a stream (RFC 4571).
enum class Transport : std::uint8_t { Udp, Tcp };

// Which way a datagram came or goes: our own address and the other end's.
struct Path {
  Address local;                         // of one of our sockets, or a relayed address of ours
  Address remote;                        // the other end's, as seen from here
  Transport transport = Transport::Udp;  // Tcp: the path is a connection between the two (RFC 6544)
  friend constexpr bool operator==(const Path&, const Path&) = default;
};

// What became of a message whose sender asked to be told.
enum class MessageOutcome : std::uint8_t {
  Sent,          // all of it has left this end for the first time; one of the others follows
  Acknowledged,  // the other end has all of it, for good
  Abandoned      // given up: its limit of reliability was reached, before or after some of it was sent
};

// What poll_transmit() answers: the first `size` bytes of the caller's buffer are to be sent along `path`.
struct Transmit {
  Path path;             // from where, and where to
  std::size_t size = 0;  // in bytes
  // Must not be cut on the way, neither by routers nor by the sending system (IPv4: DF set). Only when
  // PeerConfig::max_ip_packet asked for path MTU discovery.
  bool dont_fragment = false;
};

}  // namespace pollrtc
