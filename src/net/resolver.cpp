#include "net/resolver.h"

#include "base/address.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/host_files.h"

namespace pollrtc::net {
namespace {

constexpr std::size_t kMaxFile = 64 * 1024;  // of hosts(5); what lies behind is not read
constexpr std::size_t kReadsAStep =
    64;  // datagrams taken from one socket, so that a flood cannot hold the loop
constexpr Duration kHookInterval = std::chrono::milliseconds(10);

// A small local file, read in one go: no wait that a network could lengthen.
bool read_file(const char* path, Buffer& out) {
  const FileDescriptor file = FileDescriptor::open_for_reading(path);
  if (!file.is_open() || !out.resize_discarding(kMaxFile)) return false;
  out.truncate(file.read(out.writable()));
  return true;
}

DnsServers servers_from(Environment& environment, const Resolver::Config& config) {
  DnsServers servers = config.servers;
  if (!servers.addresses.empty()) return servers;
  Buffer text(environment.memory);
  const bool readable = read_file(config.servers_file, text);
  servers.addresses = name_servers_in(readable ? as_text(text) : std::string_view());
  return servers;
}

std::string_view without_brackets(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' ? host.substr(1, host.size() - 2)
                                                                      : host;
}

}  // namespace

Resolver::Resolver(Environment& environment, const Config& config)
    : environment_(environment), config_(config) {}

Resolver::~Resolver() {
  while (!lookups_.empty()) cancel(lookups_.back()->id);
}

Result<Resolver::Id> Resolver::resolve(Time now, std::string_view host, std::uint16_t port) {
  if (lookups_.full()) return fail(ErrorCode::LimitReached, "too many names are being resolved");
  auto lookup = Owned<Lookup>::make(environment_.memory, environment_, servers_from(environment_, config_));
  if (!lookup) return fail(ErrorCode::OutOfMemory, "no memory to resolve a name");
  lookup->id = next_id_;
  lookup->port = port;
  if (const Status status = begin(now, *lookup, host); !status) return Unexpected{status.error()};
  static_cast<void>(lookups_.push_back(std::move(lookup)));  // asked above whether it is full
  return next_id_++;
}

Status Resolver::begin(Time now, Lookup& lookup, std::string_view host) {
  if (const auto literal = parse_ip(without_brackets(host))) {
    static_cast<void>(lookup.addresses.push_back(*literal));
    lookup.done = true;
    return {};
  }
  if (!DnsName::from_text(host)) return fail(ErrorCode::InvalidArgument, "not a host name");
  if (is_localhost_name(host)) {
    static_cast<void>(lookup.addresses.push_back(*parse_ip("::1")));
    static_cast<void>(lookup.addresses.push_back(*parse_ip("127.0.0.1")));
    lookup.done = true;
    return {};
  }
  if (has_hook()) {
    lookup.by_hook = config_.hook.start(config_.hook.context, lookup.id, host);
    return lookup.by_hook ? Status()
                          : fail(ErrorCode::Network, "the resolver given by the caller refused the name");
  }
  Buffer hosts(environment_.memory);
  if (read_file(config_.hosts_file, hosts)) find_in_hosts(as_text(hosts), host, lookup.addresses);
  if (!lookup.addresses.empty()) {
    lookup.done = true;
    return {};
  }
  if (is_multicast_dns_name(host))
    return fail(ErrorCode::NotSupported, "a .local name belongs to multicast DNS");
  if (const Status status = lookup.query.start(now, host); !status) return status;
  write(now, lookup);
  return {};
}

void Resolver::cancel(Id id) {
  for (std::size_t i = 0; i < lookups_.size(); ++i) {
    if (lookups_[i]->id != id) continue;
    if (lookups_[i]->by_hook && !lookups_[i]->done && config_.hook.cancel != nullptr)
      config_.hook.cancel(config_.hook.context, id);
    return lookups_.erase(i);
  }
}

void Resolver::watch(Poller& poller) const {
  for (const auto& lookup : lookups_)
    for (const UdpSocket* socket : {&lookup->v4, &lookup->v6})
      if (socket->is_open())
        static_cast<void>(poller.add(socket->fd()));  // no room: the deadlines still drive us
}

void Resolver::step(Time now) {
  for (auto& lookup : lookups_) {
    if (lookup->done) continue;
    if (lookup->by_hook) {
      poll_hook(*lookup);
      continue;
    }
    read(now, *lookup, lookup->v4);
    read(now, *lookup, lookup->v6);
    if (lookup->query.next_timeout() <= now) lookup->query.handle_timeout(now);
    write(now, *lookup);
    if (!lookup->query.is_done()) continue;
    lookup->addresses = lookup->query.addresses();
    lookup->done = true;
    lookup->v4 = UdpSocket();
    lookup->v6 = UdpSocket();
  }
}

void Resolver::read(Time now, Lookup& lookup, UdpSocket& socket) {
  if (!socket.is_open()) return;
  std::array<std::uint8_t, kMaxDnsMessage> buffer;
  for (std::size_t i = 0; i < kReadsAStep; ++i) {
    const Received received = socket.receive(buffer);
    if (received.result == ReceiveResult::Nothing || received.result == ReceiveResult::Error) return;
    if (received.result == ReceiveResult::Truncated)
      continue;  // longer than a server may answer without EDNS
    const Path path{socket.local(), received.source, Transport::Udp};
    const Drop drop = lookup.query.handle_datagram(now, path, Bytes(buffer).first(received.size));
    if (drop != Drop::None) POLLRTC_LOG(environment_, Debug, "net", "DNS: dropped, {}", name_of(drop));
  }
}

// What cannot be sent is lost, and asked again at the next attempt.
void Resolver::write(Time now, Lookup& lookup) {
  std::array<std::uint8_t, kMaxDnsMessage> buffer;
  while (const auto transmit = lookup.query.poll_transmit(now, buffer)) {
    const Address& server = transmit->path.remote;
    UdpSocket& socket = server.family == Address::Family::IPv4 ? lookup.v4 : lookup.v6;
    if (!socket.is_open()) {
      Address any;
      any.family = server.family;
      auto bound = UdpSocket::bind(any);
      if (!bound) continue;
      socket = std::move(*bound);
    }
    socket.send_to(server, Bytes(buffer).first(transmit->size));
  }
}

void Resolver::poll_hook(Lookup& lookup) {
  std::array<Address, kMaxDnsAnswers> found;
  std::size_t count = 0;
  const std::size_t most = std::min<std::size_t>(environment_.limits.dns_answers, found.size());
  if (!config_.hook.poll(config_.hook.context, lookup.id, std::span(found).first(most), count)) return;
  for (std::size_t i = 0; i < count && i < most; ++i)
    if (found[i].is_valid()) static_cast<void>(lookup.addresses.push_back(found[i]));
  lookup.done = true;
}

Time Resolver::next_timeout(Time now) const {
  Time next = kNever;
  for (const auto& lookup : lookups_) {
    if (lookup->done) return now;
    next = std::min(next, lookup->by_hook ? now + kHookInterval : lookup->query.next_timeout());
  }
  return next;
}

bool Resolver::poll_result(Answer& out) {
  for (std::size_t i = 0; i < lookups_.size(); ++i) {
    const Lookup& lookup = *lookups_[i];
    if (!lookup.done) continue;
    out.id = lookup.id;
    out.addresses = lookup.addresses;
    for (Address& address : out.addresses) address.port = lookup.port;
    lookups_.erase(i);
    return true;
  }
  return false;
}

}  // namespace pollrtc::net
