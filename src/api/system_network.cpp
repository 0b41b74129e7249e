#include "api/system_network.h"

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "net/clock.h"
#include "net/interfaces.h"
#include "net/mdns_message.h"

namespace pollrtc::detail {
namespace {

SystemNetwork& self(void* context) { return *static_cast<SystemNetwork*>(context); }

Network::Outcome outcome_of(net::SendResult result) {
  using enum net::SendResult;
  switch (result) {
    case Sent:
      return Network::Outcome::Done;
    case WouldBlock:
      return Network::Outcome::WouldBlock;
    case TooLarge:
      return Network::Outcome::TooLarge;
    case Unreachable:
      return Network::Outcome::Unreachable;
    case Refused:
      return Network::Outcome::Refused;
    case Error:
      break;
  }
  return Network::Outcome::Error;
}

Network::Outcome outcome_of(net::ReceiveResult result) {
  using enum net::ReceiveResult;
  switch (result) {
    case Received:
      return Network::Outcome::Done;
    case Nothing:
      return Network::Outcome::WouldBlock;
    case Truncated:
      return Network::Outcome::Truncated;
    case Error:
      break;
  }
  return Network::Outcome::Error;
}

}  // namespace

Status check_network_settings(int dscp, const Network& network) {
  if (dscp > 63) return fail(ErrorCode::InvalidArgument, "a DSCP is at most 63");
  if (network.is_set() && !network.is_whole())
    return fail(ErrorCode::InvalidArgument, "of the hooks of a network some are missing");
  return {};
}

Network SystemNetwork::hooks() {
  Network network;
  network.now = now;
  network.list_addresses = list_addresses;
  network.find_addresses = find_addresses;
  network.open = open;
  network.close = close;
  network.send = send;
  if (net::UdpSocket::can_forbid_fragments()) network.send_whole = send_whole;
  network.receive = receive;
  network.send_run = send_run;
  network.receive_run = receive_run;
  network.overflows = overflows;
  network.receive_error = receive_error;
  network.open_multicast = open_multicast;
  network.context = this;
  return network;
}

Time SystemNetwork::now(void*) { return net::monotonic_now(); }

std::size_t SystemNetwork::list_addresses(void* context, bool loopback, std::span<Address> out) {
  Vec<net::LocalAddress> addresses(self(context).environment_.memory);
  if (!net::list_local_addresses(addresses)) return 0;
  net::AddressPolicy policy;
  policy.loopback = loopback;
  policy.most = out.size();
  net::select_addresses(policy, addresses);
  std::size_t count = 0;
  for (const net::LocalAddress& local : addresses) out[count++] = local.address;
  return count;
}

bool SystemNetwork::find_addresses(void* context, std::span<const Address> addresses,
                                   std::span<bool> is_there) {
  Vec<net::LocalAddress> present(self(context).environment_.memory);
  if (!net::list_local_addresses(present)) return false;  // a flood of descriptors, say
  for (std::size_t i = 0; i < addresses.size(); ++i)
    is_there[i] = net::is_in_use({present.data(), present.size()}, addresses[i]);
  return true;
}

int SystemNetwork::open(void* context, const Address& local, std::uint16_t first, std::uint16_t last,
                        Address& bound) {
  SystemNetwork& network = self(context);
  const std::uint32_t first_try = random_u32(network.environment_.rng).value_or(0);
  Result<net::UdpSocket> socket = net::UdpSocket::bind(local, net::PortRange{first, last}, first_try);
  if (!socket) {
    POLLRTC_LOG(network.environment_, Info, "api", "cannot bind an address: {}", socket.error().detail());
    return -1;
  }
  bound = socket->local();
  socket->keep_errors();
  if (!network.offload_) socket->forbid_runs();
  if (network.dscp_ >= 0) socket->set_dscp(static_cast<std::uint8_t>(network.dscp_));
  network.sockets_.push_back(*std::move(socket));
  return static_cast<int>(network.sockets_.size()) - 1;
}

void SystemNetwork::close(void* context, int socket) {
  std::erase_if(self(context).links_, [&](const Link& link) { return link.socket == socket; });
  auto& sockets = self(context).sockets_;
  sockets[static_cast<std::size_t>(socket)] = net::UdpSocket();
  while (!sockets.empty() && !sockets.back().is_open()) sockets.pop_back();
}

Network::Outcome SystemNetwork::send(void* context, int socket, const Address& remote, Bytes datagram) {
  return outcome_of(udp(context, socket).send_to(remote, datagram));
}

Network::Outcome SystemNetwork::send_whole(void* context, int socket, const Address& remote, Bytes datagram) {
  return outcome_of(udp(context, socket).send_to(remote, datagram, true));
}

Network::Outcome SystemNetwork::send_run(void* context, int socket, const Address& remote, Bytes datagrams,
                                         std::size_t segment, bool whole, std::size_t& taken) {
  return outcome_of(udp(context, socket).send_run(remote, datagrams, segment, whole, taken));
}

Network::Outcome SystemNetwork::receive(void* context, int socket, MutBytes buffer, std::size_t& size,
                                        Address& source) {
  std::size_t segment = 0;
  return receive_run(context, socket, buffer.first(std::min(buffer.size(), net::UdpSocket::kLargestRun - 1)),
                     size, segment, source);
}

Network::Outcome SystemNetwork::receive_run(void* context, int socket, MutBytes buffer, std::size_t& size,
                                            std::size_t& segment, Address& source) {
  net::UdpSocket& from = udp(context, socket);
  from.take_runs(buffer.size() >= net::UdpSocket::kLargestRun);
  const net::Received received = from.receive(buffer);
  size = received.size;
  segment = received.segment;
  source = received.source;
  return outcome_of(received.result);
}

std::uint32_t SystemNetwork::overflows(void* context, int socket) { return udp(context, socket).overflows(); }

bool SystemNetwork::receive_error(void* context, int socket, MutBytes quoted, std::size_t& size,
                                  Address& remote) {
  return udp(context, socket).receive_error(quoted, size, remote);
}

int SystemNetwork::open_multicast(void* context, const Address& local) {
  SystemNetwork& network = self(context);
  Vec<net::LocalAddress> all(network.environment_.memory);
  if (!net::list_local_addresses(all)) return -1;
  const auto own = std::find_if(all.begin(), all.end(), [&](const net::LocalAddress& a) {
    return a.address.same_ip(local.with_port(0));
  });
  if (own == all.end()) return -1;
  if (std::any_of(network.links_.begin(), network.links_.end(), [&](const Link& link) {
        return link.interface_index == own->interface_index && link.family == local.family;
      }))
    return -1;
  Result<net::UdpSocket> socket =
      net::UdpSocket::join(local, own->interface_index, net::mdns_group(local.family));
  if (!socket) {
    POLLRTC_LOG(network.environment_, Info, "api", "no multicast DNS on {}: {}", own->interface_name.view(),
                socket.error().detail());
    return -1;
  }
  network.sockets_.push_back(*std::move(socket));
  const int number = static_cast<int>(network.sockets_.size()) - 1;
  network.links_.push_back({number, own->interface_index, local.family});
  return number;
}

}  // namespace pollrtc::detail
