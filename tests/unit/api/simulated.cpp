#include "unit/api/simulated.h"

#include <algorithm>

#include "support/catch.h"

namespace pollrtc::test {
namespace {

// What a test has asked for next; Done when it has asked for nothing.
Network::Outcome next_of(std::deque<Network::Outcome>& outcomes) {
  if (outcomes.empty()) return Network::Outcome::Done;
  const Network::Outcome outcome = outcomes.front();
  outcomes.pop_front();
  return outcome;
}

}  // namespace

Machine::Machine(sim::World& world, const Address& ip, std::uint64_t seed)
    : environment(seed), world_(world), host_(world.add_host({ip})), ip_(ip) {
  world_.add_actor(*this);
}
Machine::~Machine() { world_.remove_actor(*this); }

Configuration Machine::configuration() {
  Configuration c;
  c.rng = environment.env.rng;
  c.memory = environment.env.memory;
  c.network = {.now = now,
               .list_addresses = list_addresses,
               .open = open,
               .close = close,
               .send = send,
               .receive = receive,
               .context = this};
  return c;
}

bool Machine::find_addresses(void* context, std::span<const Address> addresses, std::span<bool> is_there) {
  const Machine& m = self(context);
  if (m.listing_fails) return false;
  for (std::size_t i = 0; i < addresses.size(); ++i) is_there[i] = m.ip_ && m.ip_->same_ip(addresses[i]);
  return true;
}

void Machine::join(MulticastLink& link, Configuration& configuration) {
  link.machines.push_back(this);
  multicast_ = &link;
  configuration.network.open_multicast = open_multicast;
}

void Machine::move_to(const std::optional<Address>& ip) {
  ip_ = ip;
  world_.change_addresses(host_, ip ? std::vector<Address>{*ip} : std::vector<Address>{});
}

void Machine::add_address(const Address& ip) {
  chosen = std::vector<Address>{*ip_, ip};
  world_.change_addresses(host_, *chosen);
}

Time Machine::next_timeout() const {
  const auto wait = time_to_deadline ? time_to_deadline() : std::nullopt;
  return wait ? world_.now() + *wait : kNever;
}

void Machine::pump(Time) {
  if (has_mail_) poll_now();
}

void Machine::send_multicast(const Address& remote, Bytes datagram) {
  const std::vector<std::uint8_t> bytes(datagram.begin(), datagram.end());
  const bool to_group = remote == Address::v4(224, 0, 0, 251, 5353);
  multicast_->sent.push_back({this, bytes, to_group});
  if (!to_group) return;  // nobody here asks for answers by unicast
  const Address source = ip_ ? ip_->with_port(5353) : Address{};
  for (Machine* const machine : multicast_->machines)
    world_.after(1ms, [machine, source, bytes] {
      for (Socket& socket : machine->sockets_)
        if (socket.is_group && socket.is_open) socket.inbox.push_back({source, bytes});
      machine->has_mail_ = true;
    });
}

void Machine::poll_now() {
  has_mail_ = false;
  ++polls;
  if (poll) poll();
}

Time Machine::now(void* context) {
  const Machine& m = self(context);
  return m.bend_time ? m.bend_time(m.world_.now()) : m.world_.now();
}

std::size_t Machine::list_addresses(void* context, bool, std::span<Address> out) {
  Machine& m = self(context);
  if (m.listing_fails) return 0;
  if (m.chosen) {
    const std::size_t count = std::min(out.size(), m.chosen->size());
    std::copy_n(m.chosen->begin(), count, out.begin());
    return count;
  }
  if (out.empty() || !m.ip_) return 0;
  out[0] = *m.ip_;
  return 1;
}

int Machine::open(void* context, const Address& local, std::uint16_t, std::uint16_t, Address& bound) {
  Machine& m = self(context);
  bound = local.with_port(m.next_port_++);
  const std::size_t number = m.sockets_.size();
  m.sockets_.push_back({bound, {}, true});
  ++m.open_sockets;
  m.world_.listen(m.host_, bound, [&m, number](Time, const Path& path, Bytes datagram) {
    m.sockets_[number].inbox.push_back({path.remote, {datagram.begin(), datagram.end()}});
    m.has_mail_ = true;
  });
  return static_cast<int>(number);
}

void Machine::close(void* context, int socket) {
  Machine& m = self(context);
  Socket& closed = m.sockets_[static_cast<std::size_t>(socket)];
  CHECK(closed.is_open);
  closed.is_open = false;
  closed.inbox.clear();
  --m.open_sockets;
  if (closed.is_group) return;
  m.world_.stop_listening(m.host_, closed.local);
}

Network::Outcome Machine::send(void* context, int socket, const Address& remote, Bytes datagram) {
  Machine& m = self(context);
  ++m.sends;
  if (const auto outcome = next_of(m.send_outcomes); outcome != Network::Outcome::Done) return outcome;
  const Address& local = m.sockets_[static_cast<std::size_t>(socket)].local;
  if (m.sockets_[static_cast<std::size_t>(socket)].is_group) {
    m.send_multicast(remote, datagram);
  } else {
    m.world_.send(m.host_, Path{local, remote}, datagram);
  }
  return Network::Outcome::Done;
}

int Machine::open_multicast(void* context, const Address& local) {
  Machine& m = self(context);
  for (const Socket& socket : m.sockets_)
    if (socket.is_group && socket.is_open) return -1;
  m.sockets_.push_back({local.with_port(5353), {}, true, true});
  ++m.open_sockets;
  return static_cast<int>(m.sockets_.size()) - 1;
}

Network::Outcome Machine::receive(void* context, int socket, MutBytes buffer, std::size_t& size,
                                  Address& source) {
  Machine& m = self(context);
  ++m.receives;
  if (const auto outcome = next_of(m.receive_outcomes); outcome != Network::Outcome::Done) return outcome;
  auto& inbox = m.sockets_[static_cast<std::size_t>(socket)].inbox;
  if (inbox.empty()) return Network::Outcome::WouldBlock;
  const Datagram datagram = std::move(inbox.front());
  inbox.pop_front();
  size = std::min(datagram.bytes.size(), buffer.size());
  std::copy_n(datagram.bytes.begin(), size, buffer.begin());
  source = datagram.source;
  return datagram.bytes.size() <= buffer.size() ? Network::Outcome::Done : Network::Outcome::Truncated;
}

void signal_between(sim::World& world, const std::shared_ptr<PeerConnection>& a,
                    const std::shared_ptr<PeerConnection>& b, Duration delay) {
  const auto forward = [&world, delay](PeerConnection& from, const std::shared_ptr<PeerConnection>& to) {
    const std::weak_ptr<PeerConnection> other = to;
    from.session_description_created = [&world, delay, other](const std::string& type,
                                                              const std::string& sdp) {
      world.after(delay, [other, type, sdp] {
        if (const auto c = other.lock()) (void)c->set_remote_description(type, sdp);
      });
    };
    from.ice_candidate_created = [&world, delay, other](const std::string& media, int index,
                                                        const std::string& name) {
      world.after(delay, [other, media, index, name] {
        if (const auto c = other.lock()) (void)c->add_ice_candidate(media, index, name);
      });
    };
  };
  forward(*a, b);
  forward(*b, a);
}

}  // namespace pollrtc::test
