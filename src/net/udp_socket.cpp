#include "net/udp_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <sys/uio.h>
#if defined(__linux__)
#include <linux/errqueue.h>
#endif

#include <array>
#include <cstring>
#include <utility>

#include "base/address.h"
#include "net/socket_address.h"
#include "net/udp_control.h"

namespace pollrtc::net {
namespace {

// Chromium and others lose datagrams in the usual 208 KiB while one thread is busy; the system may give less.
constexpr int kBufferBytes = 4 * 1024 * 1024;
// How many errors left over from earlier sends one receive() takes off the socket before it gives up.
constexpr int kMaxPendingErrors = 16;
// How many receive_error() ask for nothing, when no call has met an error, before one asks all the same.
constexpr std::uint8_t kUnasked = 32;

#if defined(MSG_NOSIGNAL)
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // SO_NOSIGPIPE is set instead
#endif

// Linux cuts the wish at its maximum, which the administrator of a machine may pass; BSD refuses what is above it.
void ask_for_buffer(int fd, int option) {
#if defined(SO_RCVBUFFORCE) && defined(SO_SNDBUFFORCE)
  if (set_option(fd, SOL_SOCKET, option == SO_RCVBUF ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, kBufferBytes)) return;
#endif
  for (int size = kBufferBytes; size >= 64 * 1024; size /= 2)
    if (set_option(fd, SOL_SOCKET, option, size)) return;
}

bool prepare(int fd, bool v6) {
  if (v6 && !keep_to_v6(fd)) return false;
  keep_silent(fd);
  ask_for_buffer(fd, SO_RCVBUF);
  ask_for_buffer(fd, SO_SNDBUF);
#if defined(SO_RXQ_OVFL)
  set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
#endif
  return true;
}

// Bound to the group, a socket hears only what was sent to the group; MULTICAST_ALL would add what came in by other interfaces
// that somebody else has joined it on.
constexpr int kMulticastTtl = 255;  // RFC 6762 §11

bool join_v4(int fd, std::uint32_t index, const Address& local, const Address& group) {
  ip_mreqn request{};
  std::copy_n(group.ip.begin(), 4, reinterpret_cast<std::uint8_t*>(&request.imr_multiaddr));
  std::copy_n(local.ip.begin(), 4, reinterpret_cast<std::uint8_t*>(&request.imr_address));
  request.imr_ifindex = static_cast<int>(index);
#if defined(IP_MULTICAST_ALL)
  if (!set_option(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0)) return false;
#endif
  return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0 &&
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request) == 0 &&
         set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, kMulticastTtl) &&
         set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1) &&
         set_option(fd, IPPROTO_IP, IP_TTL, kMulticastTtl);
}

bool join_v6(int fd, std::uint32_t index, const Address& group) {
  ipv6_mreq request{};
  std::copy_n(group.ip.begin(), 16, reinterpret_cast<std::uint8_t*>(&request.ipv6mr_multiaddr));
  request.ipv6mr_interface = index;
#if defined(IPV6_MULTICAST_ALL)
  if (!set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)) return false;
#endif
  return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) == 0 &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index)) &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kMulticastTtl) &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1) &&
         set_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kMulticastTtl);
}

}  // namespace

SendResult send_result_of(int error) {
  switch (error) {
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
      return SendResult::WouldBlock;
    case EMSGSIZE:
      return SendResult::TooLarge;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:  // our own address is gone from its interface
      return SendResult::Unreachable;
    case ECONNREFUSED:
    case EPERM:
    case EACCES:
      return SendResult::Refused;
    default:  // ENOBUFS too: BSD calls such a socket writable, so waiting for that would spin
      return SendResult::Error;
  }
}

// What Linux makes of ICMP (RFC 792, 1122 §3.2.2.1, 1812 §5.2.7.1) and ICMPv6 (RFC 4443 §3), and BSD of the same. A firewall of
// this machine says EACCES, too, and says it again.
bool is_about_an_earlier_send(int error) {
  switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EMSGSIZE:
    case ENETDOWN:
    case EHOSTDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:  // source route failed
    case EACCES:      // ICMPv6: administratively prohibited, a policy, or a route that rejects
#if defined(ENONET)
    case ENONET:  // source host isolated
#endif
      return true;
    default:
      return false;
  }
}

Result<UdpSocket> UdpSocket::bind(const Address& local, PortRange ports, std::uint32_t first_try) {
  if (!local.is_valid()) return fail(ErrorCode::InvalidArgument, "a socket needs an address to be bound to");
  if (!ports.is_valid())
    return fail(ErrorCode::InvalidArgument, "a port range runs from 1 or more upwards, or is 0 to 0");
  const bool v6 = local.family == Address::Family::IPv6;
  UdpSocket udp;
  udp.fd_ = open_socket(v6, SOCK_DGRAM);
  if (!udp.fd_.is_open()) return fail(ErrorCode::Network, "the system gives no UDP socket");
  if (!prepare(udp.fd(), v6)) return fail(ErrorCode::Network, "the system keeps IPv6 sockets open to IPv4");
  if (!bind_to(udp.fd(), local, ports, first_try))
    return fail(ErrorCode::Network, "no port of this address could be bound");
  udp.local_ = local_name_of(udp.fd());
  if (!udp.local_.is_valid()) return fail(ErrorCode::Network, "the system does not tell the port it chose");
  udp.set_dont_fragment(false);
  return udp;
}

Result<UdpSocket> UdpSocket::join(const Address& local, std::uint32_t interface_index, const Address& group) {
  const bool v6 = local.family == Address::Family::IPv6;
  UdpSocket udp;
  udp.fd_ = open_socket(v6, SOCK_DGRAM);
  if (!udp.fd_.is_open()) return fail(ErrorCode::Network, "the system gives no UDP socket");
  const int fd = udp.fd();
  bool is_ready = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
#if defined(SO_REUSEPORT)
  set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
#endif
  const PortRange port{group.port, group.port};
  Address scoped = group;
  if (v6) {
    scoped.scope_id = interface_index;
    is_ready =
        is_ready && keep_to_v6(fd) && bind_to(fd, scoped, port, 0) && join_v6(fd, interface_index, group);
  } else {
    is_ready = is_ready && bind_to(fd, scoped, port, 0) && join_v4(fd, interface_index, local, group);
  }
  if (!is_ready) return fail(ErrorCode::Network, "the multicast group cannot be joined");
  udp.local_ = local.with_port(group.port);
  return udp;
}

Received UdpSocket::receive(MutBytes buffer) {
  SocketAddress source;
  ReceiveControl control;
  iovec part{buffer.data(), buffer.size()};
  for (int errors = 0; errors < kMaxPendingErrors;) {
    msghdr message{};
    message.msg_name = &source.storage;
    message.msg_namelen = sizeof source.storage;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    control.lend_to(message);
    const ssize_t got = recvmsg(fd(), &message, 0);
    if (got >= 0) {
      const bool whole = (message.msg_flags & MSG_TRUNC) == 0;
      const auto size = static_cast<std::size_t>(got);
      Received received{whole ? ReceiveResult::Received : ReceiveResult::Truncated, size,
                        from_socket_address(source.get()), size};
      read_control(message, received.segment, overflows_);
      return received;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOMEM || errno == ENOBUFS) return {};
    if (errno == EBADF || errno == ENOTSOCK || errno == EFAULT) return {ReceiveResult::Error, 0, {}, 0};
    has_met_error_ = true;  // reading has no others of its own
    ++errors;
  }
  return {};
}

// A link-local address from a peer has no zone that means anything here: ours is meant.
Address UdpSocket::scoped(const Address& remote) const {
  Address scoped = remote;
  if (remote.scope_id == 0 && is_link_local(remote)) scoped.scope_id = local_.scope_id;
  return scoped;
}

SendResult UdpSocket::send_to(const Address& remote, Bytes datagram, bool dont_fragment) {
  if (dont_fragment != dont_fragment_) set_dont_fragment(dont_fragment);
  if (remote.family != local_.family) return SendResult::Unreachable;
  const SocketAddress address = to_socket_address(scoped(remote));
  for (bool once_more = keeps_errors_;;) {
    const ssize_t sent =
        sendto(fd(), datagram.data(), datagram.size(), kSendFlags, address.get(), address.size);
    if (sent >= 0) return SendResult::Sent;
    if (!is_to_be_sent_again(errno, once_more)) return send_result_of(errno);
  }
}

// After a call that failed so. A socket that keeps errors hands the next call the last of them, whatever that call is about;
// the queue it is in must be read then, or poll(2) comes back at once for ever.
bool UdpSocket::is_to_be_sent_again(int error, bool& once_more) {
  if (error == EINTR) return true;
  if (error != EAGAIN && error != EWOULDBLOCK) has_met_error_ = true;
  return is_about_an_earlier_send(error) && std::exchange(once_more, false);
}

#if defined(__linux__)
namespace {

// Host and network unreachable may pass, and are no such verdict.
bool is_hard(const sock_extended_err& error) {
  constexpr std::uint8_t kUnreachable4 = 3, kProtocol4 = 2, kPort4 = 3;  // RFC 792
  constexpr std::uint8_t kUnreachable6 = 1, kPort6 = 4;                  // RFC 4443 §3.1
  if (error.ee_origin == SO_EE_ORIGIN_ICMP)
    return error.ee_type == kUnreachable4 && (error.ee_code == kProtocol4 || error.ee_code == kPort4);
  return error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == kUnreachable6 && error.ee_code == kPort6;
}

bool tells_hard_error(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    const bool is_error = (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
                          (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR);
    sock_extended_err error;
    if (!is_error || part->cmsg_len < CMSG_LEN(sizeof error)) continue;
    std::memcpy(&error, CMSG_DATA(part), sizeof error);
    if (is_hard(error)) return true;
  }
  return false;
}

}  // namespace

void UdpSocket::keep_errors() {
  const bool v6 = local_.family == Address::Family::IPv6;
  keeps_errors_ =
      v6 ? set_option(fd(), IPPROTO_IPV6, IPV6_RECVERR, 1) : set_option(fd(), IPPROTO_IP, IP_RECVERR, 1);
}

// An error that comes is also told to the next call that reads or sends, so that without one there is nothing to ask for. But
// that may have been a call of somebody else's (event loops ask for SO_ERROR when poll(2) names a socket for its error), so
// now and then the queue is looked into all the same.
bool UdpSocket::receive_error(MutBytes quoted, std::size_t& size, Address& remote) {
  if (!keeps_errors_) return false;
  if (!has_met_error_ && ++unasked_ < kUnasked) return false;
  unasked_ = 0;
  for (int errors = 0; errors < kMaxPendingErrors; ++errors) {
    SocketAddress destination;
    iovec part{quoted.data(), quoted.size()};
    alignas(cmsghdr) std::array<std::uint8_t, 512> control;
    msghdr message{};
    message.msg_name = &destination.storage;
    message.msg_namelen = sizeof destination.storage;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = recvmsg(fd(), &message, MSG_ERRQUEUE);
    if (got < 0) {
      has_met_error_ = false;
      return false;
    }
    if (!tells_hard_error(message)) continue;
    size = static_cast<std::size_t>(got);
    remote = from_socket_address(destination.get());
    return true;
  }
  return false;
}
#else
void UdpSocket::keep_errors() {}
bool UdpSocket::receive_error(MutBytes, std::size_t&, Address&) { return false; }
#endif

void UdpSocket::set_dscp(std::uint8_t dscp) {
  const int traffic_class = (dscp & 0x3f) << 2;
  if (local_.family == Address::Family::IPv6) {
    set_option(fd(), IPPROTO_IPV6, IPV6_TCLASS, traffic_class);
  } else {
    set_option(fd(), IPPROTO_IP, IP_TOS, traffic_class);
  }
}

bool UdpSocket::can_forbid_fragments() {
#if defined(IP_MTU_DISCOVER) || (defined(IP_DONTFRAG) && defined(IPV6_DONTFRAG))
  return true;
#else
  return false;
#endif
}

void UdpSocket::set_dont_fragment(bool on) {
  dont_fragment_ = on;
  const bool v6 = local_.family == Address::Family::IPv6;
#if defined(IP_MTU_DISCOVER)
  // "Probe" sets DF and asks nothing but the interface's MTU; "dont" cuts here or lets a router cut.
  if (v6) {
    set_option(fd(), IPPROTO_IPV6, IPV6_MTU_DISCOVER, on ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
  } else {
    set_option(fd(), IPPROTO_IP, IP_MTU_DISCOVER, on ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
  }
#else
#if defined(IPV6_DONTFRAG)
  if (v6) set_option(fd(), IPPROTO_IPV6, IPV6_DONTFRAG, on ? 1 : 0);
#endif
#if defined(IP_DONTFRAG)
  if (!v6) set_option(fd(), IPPROTO_IP, IP_DONTFRAG, on ? 1 : 0);
#endif
  static_cast<void>(v6), static_cast<void>(on);
#endif
}

}  // namespace pollrtc::net
