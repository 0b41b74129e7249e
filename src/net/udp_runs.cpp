// Runs of datagrams: UDP GSO and GRO of Linux. A call for each datagram is what bulk transfers spend most of their time in;
// sendmmsg and recvmmsg save the call and little else.
//
// That a kernel knows GSO is asked when the first run goes: one that does not would ignore the wish and send the run as one
// datagram. That it can do it here shows when it goes: EIO from drivers that do not compute checksums, EINVAL where a
// segment is larger than the interface takes. Then the datagrams go one by one.
#include <errno.h>
#include <sys/uio.h>

#include <algorithm>

#include "net/socket_address.h"
#include "net/udp_control.h"
#include "net/udp_socket.h"

namespace pollrtc::net {
namespace {

constexpr std::size_t kMostSegments = 64;   // UDP_MAX_SEGMENTS of kernels before 6.9
constexpr std::size_t kMostBytes = 65'487;  // what a UDP datagram over IPv6 holds, less its header
// A route can refuse runs of one size and take others; so many refusals in a row mean that it takes none.
constexpr std::uint8_t kMostRefusals = 8;

}  // namespace

SendResult UdpSocket::send_run(const Address& remote, Bytes datagrams, std::size_t segment,
                               bool dont_fragment, std::size_t& taken) {
  taken = 0;
  SendResult result = SendResult::Sent;
  while (taken < datagrams.size()) {
    const Bytes rest = datagrams.subspan(taken);
    const std::size_t together = std::min(kMostSegments, segment == 0 ? 0 : kMostBytes / segment) * segment;
    const Bytes gathered = rest.first(std::min(rest.size(), together));
    if (gathered.size() > segment && may_send_runs()) {
      if (dont_fragment != dont_fragment_) set_dont_fragment(dont_fragment);
      result = send_gathered(remote, gathered, segment);
      if (result == SendResult::WouldBlock) return result;
      if (result != SendResult::TooLarge) {
        taken += gathered.size();
        continue;
      }
    }
    // One by one, all that would have gone together: asking again after each would be in vain.
    const std::size_t end = taken + std::max(gathered.size(), std::min(segment, rest.size()));
    do {
      const Bytes datagram = datagrams.subspan(taken, std::min(segment, datagrams.size() - taken));
      result = send_to(remote, datagram, dont_fragment);
      if (result == SendResult::WouldBlock) return result;
      taken += datagram.size();
      if (segment == 0) return result;
    } while (taken < end);
  }
  return result;
}

#if defined(__linux__)

bool UdpSocket::may_send_runs() {
  if (runs_ == Runs::Unknown) {
    int size = 0;
    socklen_t length = sizeof size;
    const bool is_known = getsockopt(fd(), kUdpLevel, kUdpSegment, &size, &length) == 0;
    runs_ = is_known ? Runs::Supported : Runs::Forbidden;
  }
  return runs_ == Runs::Supported;
}

// TooLarge: not as a run.
SendResult UdpSocket::send_gathered(const Address& remote, Bytes datagrams, std::size_t segment) {
  if (remote.family != local_.family) return SendResult::Unreachable;
  SocketAddress address = to_socket_address(scoped(remote));
  iovec part{const_cast<std::uint8_t*>(datagrams.data()), datagrams.size()};
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
  message.msg_name = address.get();
  message.msg_namelen = address.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const wish = CMSG_FIRSTHDR(&message);
  wish->cmsg_level = kUdpLevel;
  wish->cmsg_type = kUdpSegment;
  wish->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto size = static_cast<std::uint16_t>(segment);
  std::memcpy(CMSG_DATA(wish), &size, sizeof size);
  for (bool once_more = keeps_errors_;;) {
    if (sendmsg(fd(), &message, MSG_NOSIGNAL) >= 0) {
      refused_runs_ = 0;
      return SendResult::Sent;
    }
    // First of all: a router's "fragmentation needed" has the number of a refusal (EMSGSIZE).
    if (is_to_be_sent_again(errno, once_more)) continue;
    const bool is_refusal = errno == EINVAL || errno == EMSGSIZE || errno == EOPNOTSUPP;
    if (errno == EIO || (is_refusal && ++refused_runs_ == kMostRefusals)) runs_ = Runs::Forbidden;
    return errno == EIO || is_refusal ? SendResult::TooLarge : send_result_of(errno);
  }
}

void UdpSocket::take_runs(bool on) {
  if (on == takes_runs_ || runs_ == Runs::Forbidden) return;
  takes_runs_ = on;
  set_option(fd(), kUdpLevel, kUdpGro, on ? 1 : 0);  // a kernel without it goes on bringing them one by one
}

#else

bool UdpSocket::may_send_runs() { return false; }
SendResult UdpSocket::send_gathered(const Address&, Bytes, std::size_t) { return SendResult::TooLarge; }
void UdpSocket::take_runs(bool) {}

#endif

void UdpSocket::forbid_runs() {
  take_runs(false);
  runs_ = Runs::Forbidden;
}

}  // namespace pollrtc::net
