// What the system says beside a datagram, and what we say: control messages of recvmsg and sendmsg (udp(7), socket(7)).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "pollrtc/types.h"

namespace pollrtc::net {

#if defined(__linux__)
// By number, since the headers of the C library may be older than the kernel.
inline constexpr int kUdpLevel = 17, kUdpSegment = 103, kUdpGro = 104;  // SOL_UDP, UDP_SEGMENT, UDP_GRO
#endif

// Room for what receive() reads: the size of a segment, and the count of datagrams that were lost.
struct ReceiveControl {
  alignas(
      cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(std::uint32_t))> bytes;
  void lend_to(msghdr& message) {
    message.msg_control = bytes.data();
    message.msg_controllen = bytes.size();
  }
};

// Leaves alone what the system did not tell.
inline void read_control([[maybe_unused]] msghdr& message, [[maybe_unused]] std::size_t& segment,
                         [[maybe_unused]] std::uint32_t& overflows) {
#if defined(__linux__)
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == kUdpLevel && part->cmsg_type == kUdpGro &&
        part->cmsg_len >= CMSG_LEN(sizeof(int))) {
      int size = 0;
      std::memcpy(&size, CMSG_DATA(part), sizeof size);
      if (size > 0) segment = static_cast<std::size_t>(size);
    }
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL &&
        part->cmsg_len >= CMSG_LEN(sizeof overflows))
      std::memcpy(&overflows, CMSG_DATA(part), sizeof overflows);
  }
#endif
}

}  // namespace pollrtc::net
