// The operating system's sockets behind the hooks of pollrtc/network.h.
#pragma once

#include <vector>

#include "net/udp_socket.h"
#include "pollrtc/environment.h"
#include "pollrtc/network.h"

namespace pollrtc::detail {

// What Configuration and UdpMux::Config have in common. InvalidArgument: a DSCP of more than six bits, or a network in part.
Status check_network_settings(int dscp, const Network& network);

class SystemNetwork {
 public:
  // `dscp` marks all that its sockets send (RFC 8837); negative: nothing is marked.
  // `offload`: runs of datagrams go to the system and come from it as one (Configuration::udp_offload, and that of UdpMux::Config).
  explicit SystemNetwork(const Environment& environment, int dscp = -1, bool offload = true)
      : environment_(environment), dscp_(dscp), offload_(offload) {}
  SystemNetwork(const SystemNetwork&) = delete;
  SystemNetwork& operator=(const SystemNetwork&) = delete;

  // Good as long as this object; the sockets they open are closed with it.
  Network hooks();

  // What poll(2) watches.
  int descriptor(int socket) const { return sockets_[static_cast<std::size_t>(socket)].fd(); }

 private:
  static Time now(void*);
  static net::UdpSocket& udp(void* context, int socket) {
    return static_cast<SystemNetwork*>(context)->sockets_[static_cast<std::size_t>(socket)];
  }
  static std::size_t list_addresses(void* context, bool loopback, std::span<Address> out);
  static bool find_addresses(void* context, std::span<const Address> addresses, std::span<bool> is_there);
  static int open(void* context, const Address& local, std::uint16_t first, std::uint16_t last,
                  Address& bound);
  static void close(void* context, int socket);
  static Network::Outcome send(void* context, int socket, const Address& remote, Bytes datagram);
  static Network::Outcome send_whole(void* context, int socket, const Address& remote, Bytes datagram);
  static Network::Outcome receive(void* context, int socket, MutBytes buffer, std::size_t& size,
                                  Address& source);
  static Network::Outcome send_run(void* context, int socket, const Address& remote, Bytes datagrams,
                                   std::size_t segment, bool whole, std::size_t& taken);
  static Network::Outcome receive_run(void* context, int socket, MutBytes buffer, std::size_t& size,
                                      std::size_t& segment, Address& source);
  static std::uint32_t overflows(void* context, int socket);
  static bool receive_error(void* context, int socket, MutBytes quoted, std::size_t& size, Address& remote);
  static int open_multicast(void* context, const Address& local);

  const Environment& environment_;
  int dscp_;
  bool offload_;
  struct Link {  // where the group of multicast DNS is joined
    int socket;
    std::uint32_t interface_index;
    Address::Family family;
  };

  std::vector<net::UdpSocket> sockets_;  // a closed one leaves its place empty, but for the last
  std::vector<Link> links_;
};

}  // namespace pollrtc::detail
