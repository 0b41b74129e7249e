#include "api/c_platform.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <tuple>

#include "api/c_handles.h"

namespace pollrtc::detail {
namespace {

constexpr std::size_t kMostAddresses = 64;

Address address_of(const pollrtc_address& given) {
  Address address;
  if (given.family != 4 && given.family != 6) return address;
  address.family = given.family == 4 ? Address::Family::IPv4 : Address::Family::IPv6;
  std::copy_n(given.ip, given.family == 4 ? 4 : 16, address.ip.begin());
  address.scope_id = given.family == 4 ? 0 : given.scope_id;
  address.port = given.port;
  return address;
}

const pollrtc_network& network_of(void* context) { return static_cast<Platform*>(context)->network; }
const pollrtc_resolver& resolver_of(void* context) { return static_cast<Platform*>(context)->resolver; }

Network::Outcome outcome_of(pollrtc_io io) {
  const bool is_known = io >= POLLRTC_IO_DONE && io <= POLLRTC_IO_ERROR;
  return is_known ? static_cast<Network::Outcome>(io) : Network::Outcome::Error;
}
static_assert(static_cast<int>(Network::Outcome::Done) == POLLRTC_IO_DONE);
static_assert(static_cast<int>(Network::Outcome::Error) == POLLRTC_IO_ERROR);

bool fill(void* context, MutBytes out) {
  const pollrtc_random& random = static_cast<Platform*>(context)->random;
  return random.fill(random.context, out.data(), out.size()) != 0;
}

Time now(void* context) {
  const pollrtc_network& network = network_of(context);
  return Time(Duration(network.now(network.context)));
}

std::size_t list_addresses(void* context, bool loopback, std::span<Address> out) {
  const pollrtc_network& network = network_of(context);
  std::array<pollrtc_address, kMostAddresses> list{};
  const std::size_t most = std::min(out.size(), list.size());
  const std::size_t count =
      std::min(network.list_addresses(network.context, loopback ? 1 : 0, list.data(), most), most);
  std::transform(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count), out.begin(), address_of);
  return count;
}

bool find_addresses(void* context, std::span<const Address> addresses, std::span<bool> is_there) {
  const pollrtc_network& network = network_of(context);
  std::array<pollrtc_address, kMostAddresses> list{};
  std::array<std::uint8_t, kMostAddresses> answers{};
  for (std::size_t done = 0; done < addresses.size(); done += kMostAddresses) {
    const std::span<const Address> part =
        addresses.subspan(done, std::min(addresses.size() - done, kMostAddresses));
    std::transform(part.begin(), part.end(), list.begin(), c_address);
    if (network.find_addresses(network.context, list.data(), part.size(), answers.data()) == 0) return false;
    for (std::size_t i = 0; i < part.size(); ++i) is_there[done + i] = answers[i] != 0;
  }
  return true;
}

int open(void* context, const Address& local, std::uint16_t first, std::uint16_t last, Address& bound) {
  const pollrtc_network& network = network_of(context);
  const pollrtc_address wanted = c_address(local);
  pollrtc_address got{};
  const int socket = network.open(network.context, &wanted, first, last, &got);
  bound = address_of(got);
  return socket;
}

void close(void* context, int socket) {
  const pollrtc_network& network = network_of(context);
  network.close(network.context, socket);
}

Network::Outcome send(void* context, int socket, const Address& remote, Bytes datagram) {
  const pollrtc_network& network = network_of(context);
  const pollrtc_address to = c_address(remote);
  return outcome_of(network.send(network.context, socket, &to, datagram.data(), datagram.size()));
}
Network::Outcome send_whole(void* context, int socket, const Address& remote, Bytes datagram) {
  const pollrtc_network& network = network_of(context);
  const pollrtc_address to = c_address(remote);
  return outcome_of(network.send_whole(network.context, socket, &to, datagram.data(), datagram.size()));
}
int open_multicast(void* context, const Address& local) {
  const pollrtc_network& network = network_of(context);
  const pollrtc_address at = c_address(local);
  return network.open_multicast(network.context, &at);
}

Network::Outcome receive(void* context, int socket, MutBytes buffer, std::size_t& size, Address& source) {
  const pollrtc_network& network = network_of(context);
  pollrtc_address from{};
  size = 0;
  const Network::Outcome outcome =
      outcome_of(network.receive(network.context, socket, buffer.data(), buffer.size(), &size, &from));
  source = address_of(from);
  size = std::min(size, buffer.size());
  return outcome;
}

bool receive_error(void* context, int socket, MutBytes quoted, std::size_t& size, Address& remote) {
  const pollrtc_network& network = network_of(context);
  pollrtc_address to{};
  size = 0;
  if (network.receive_error(network.context, socket, quoted.data(), quoted.size(), &size, &to) == 0)
    return false;
  remote = address_of(to);
  size = std::min(size, quoted.size());
  return true;
}

bool start(void* context, std::uint32_t id, std::string_view host) {
  const pollrtc_resolver& resolver = resolver_of(context);
  return resolver.start(resolver.context, id, std::string(host).c_str()) != 0;
}
bool poll(void* context, std::uint32_t id, std::span<Address> out, std::size_t& count) {
  const pollrtc_resolver& resolver = resolver_of(context);
  std::array<pollrtc_address, kMostAddresses> list{};
  const std::size_t most = std::min(out.size(), list.size());
  count = 0;
  if (resolver.poll(resolver.context, id, list.data(), most, &count) == 0) return false;
  count = std::min(count, most);
  std::transform(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count), out.begin(), address_of);
  return true;
}
void cancel(void* context, std::uint32_t id) {
  const pollrtc_resolver& resolver = resolver_of(context);
  resolver.cancel(resolver.context, id);
}

}  // namespace

pollrtc_address c_address(const Address& address) {
  pollrtc_address out{};
  if (!address.is_valid()) return out;
  std::copy(address.ip.begin(), address.ip.end(), out.ip);
  out.scope_id = address.scope_id;
  out.port = address.port;
  out.family = address.family == Address::Family::IPv4 ? 4 : 6;
  return out;
}

bool Platform::read(const pollrtc_memory* given_memory, const pollrtc_random* given_random,
                    const pollrtc_network* given_network, const pollrtc_resolver* given_resolver) {
  if (given_memory != nullptr) memory = *given_memory;
  if (given_random != nullptr) random = *given_random;
  const auto known_network = known_part(given_network);
  const auto known_resolver = known_part(given_resolver);
  if (!known_network || !known_resolver) return false;
  network = *known_network;
  resolver = *known_resolver;
  const bool has_memory = memory.allocate != nullptr && memory.release != nullptr;
  const bool has_network = network.now != nullptr && network.list_addresses != nullptr &&
                           network.open != nullptr && network.close != nullptr && network.send != nullptr &&
                           network.receive != nullptr;
  const bool has_resolver =
      resolver.start != nullptr && resolver.poll != nullptr && resolver.cancel != nullptr;
  return (given_memory == nullptr || has_memory) && (given_random == nullptr || random.fill != nullptr) &&
         (given_network == nullptr || has_network) && (given_resolver == nullptr || has_resolver);
}

bool Platform::is_same(const Platform& other) const {
  const auto tie = [](const Platform& p) {
    const pollrtc_network& n = p.network;
    return std::tuple(p.memory.allocate, p.memory.release, p.memory.context, p.random.fill, p.random.context,
                      n.now, n.list_addresses, n.find_addresses, n.open, n.close, n.send, n.send_whole,
                      n.receive, n.open_multicast, n.receive_error, n.context, p.resolver.start,
                      p.resolver.poll, p.resolver.cancel, p.resolver.context);
  };
  return tie(*this) == tie(other);
}

Rng Platform::rng_hooks() {
  if (random.fill == nullptr) return {};
  return {fill, this};
}

Network Platform::network_hooks() {
  Network to;
  if (network.now == nullptr) return to;
  to.now = now;
  to.list_addresses = list_addresses;
  if (network.find_addresses != nullptr) to.find_addresses = find_addresses;
  to.open = open;
  to.close = close;
  to.send = send;
  if (network.send_whole != nullptr) to.send_whole = send_whole;
  to.receive = receive;
  if (network.receive_error != nullptr) to.receive_error = receive_error;
  if (network.open_multicast != nullptr) to.open_multicast = open_multicast;
  to.context = this;
  return to;
}

void Platform::apply(Configuration& configuration) {
  if (memory.allocate != nullptr) configuration.memory = {memory.allocate, memory.release, memory.context};
  configuration.rng = rng_hooks();
  configuration.network = network_hooks();
  if (resolver.start != nullptr) configuration.resolver = {start, poll, cancel, this};
}

}  // namespace pollrtc::detail
