// PeerConnections in a simulated network and virtual time: a machine of a World behind the hooks of pollrtc/network.h,
// polled when a datagram has come or a deadline is due, as a good loop would.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "pollrtc/multiplayer_peer.h"
#include "sim/world.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;

class Machine;

// A link that carries multicast: what one machine sends to the group reaches all that have joined it, itself included.
struct MulticastLink {
  struct Sent {
    const Machine* from;
    std::vector<std::uint8_t> bytes;
    bool to_group;
  };
  std::vector<Machine*> machines;
  std::vector<Sent> sent;
};

class Machine final : public sim::Actor {
 public:
  Machine(sim::World& world, const Address& ip, std::uint64_t seed)
      : environment(seed), world_(world), host_(world.add_host({ip})), ip_(ip) {
    world_.add_actor(*this);
  }
  ~Machine() override { world_.remove_actor(*this); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Configuration configuration() {
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

  // The hook that tells what the machine has from what it would choose; not in configuration() by itself.
  static bool find_addresses(void* context, std::span<const Address> addresses, std::span<bool> is_there) {
    const Machine& m = self(context);
    if (m.listing_fails) return false;
    for (std::size_t i = 0; i < addresses.size(); ++i) is_there[i] = m.ip_ && m.ip_->same_ip(addresses[i]);
    return true;
  }

  // Puts the machine on that link, and the hook for it into the configuration.
  void join(MulticastLink& link, Configuration& configuration) {
    link.machines.push_back(this);
    multicast_ = &link;
    configuration.network.open_multicast = open_multicast;
  }

  // Its interface has this address from now on; nothing: it is gone.
  void move_to(const std::optional<Address>& ip) {
    ip_ = ip;
    world_.change_addresses(host_, ip ? std::vector<Address>{*ip} : std::vector<Address>{});
  }

  // Its interface has this one as well.
  void add_address(const Address& ip) {
    chosen = std::vector<Address>{*ip_, ip};
    world_.change_addresses(host_, *chosen);
  }

  // What polls, and when it wants to be polled; kept for as long as the machine.
  std::function<void()> poll;
  std::function<std::optional<Duration>()> time_to_deadline;

  // Faults to order: what the next calls say instead of doing their work.
  std::deque<Network::Outcome> send_outcomes, receive_outcomes;
  // What list_addresses names instead of the address it has, and whether the system lists nothing for now.
  std::optional<std::vector<Address>> chosen;
  bool listing_fails = false;
  // What the machine sees of the time; nothing: the world's.
  std::function<Time(Time)> bend_time;
  std::size_t sends = 0, receives = 0, open_sockets = 0, polls = 0;

  test::TestEnvironment environment;

  Time next_timeout() const override {
    const auto wait = time_to_deadline ? time_to_deadline() : std::nullopt;
    return wait ? world_.now() + *wait : kNever;
  }
  void on_timeout(Time) override { poll_now(); }
  void pump(Time) override {
    if (has_mail_) poll_now();
  }

  // As if the machine had a socket on the link.
  void send_multicast(const Address& remote, Bytes datagram) {
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

 private:
  struct Datagram {
    Address source;
    std::vector<std::uint8_t> bytes;
  };
  struct Socket {
    Address local;
    std::deque<Datagram> inbox;
    bool is_open = true;
    bool is_group = false;  // hears multicast, and nothing else
  };

  void poll_now() {
    has_mail_ = false;
    ++polls;
    if (poll) poll();
  }
  static Machine& self(void* context) { return *static_cast<Machine*>(context); }
  static Time now(void* context) {
    const Machine& m = self(context);
    return m.bend_time ? m.bend_time(m.world_.now()) : m.world_.now();
  }
  static std::size_t list_addresses(void* context, bool, std::span<Address> out) {
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
  static int open(void* context, const Address& local, std::uint16_t, std::uint16_t, Address& bound) {
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
  static void close(void* context, int socket) {
    Machine& m = self(context);
    Socket& closed = m.sockets_[static_cast<std::size_t>(socket)];
    CHECK(closed.is_open);
    closed.is_open = false;
    closed.inbox.clear();
    --m.open_sockets;
    if (closed.is_group) return;
    m.world_.stop_listening(m.host_, closed.local);
  }
  static Network::Outcome send(void* context, int socket, const Address& remote, Bytes datagram) {
    Machine& m = self(context);
    ++m.sends;
    if (!m.send_outcomes.empty()) {
      const Network::Outcome outcome = m.send_outcomes.front();
      m.send_outcomes.pop_front();
      if (outcome != Network::Outcome::Done) return outcome;
    }
    const Address& local = m.sockets_[static_cast<std::size_t>(socket)].local;
    if (m.sockets_[static_cast<std::size_t>(socket)].is_group) {
      m.send_multicast(remote, datagram);
    } else {
      m.world_.send(m.host_, Path{local, remote}, datagram);
    }
    return Network::Outcome::Done;
  }
  static int open_multicast(void* context, const Address& local) {
    Machine& m = self(context);
    for (const Socket& socket : m.sockets_)
      if (socket.is_group && socket.is_open) return -1;
    m.sockets_.push_back({local.with_port(5353), {}, true, true});
    ++m.open_sockets;
    return static_cast<int>(m.sockets_.size()) - 1;
  }
  static Network::Outcome receive(void* context, int socket, MutBytes buffer, std::size_t& size,
                                  Address& source) {
    Machine& m = self(context);
    ++m.receives;
    if (!m.receive_outcomes.empty()) {
      const Network::Outcome outcome = m.receive_outcomes.front();
      m.receive_outcomes.pop_front();
      if (outcome != Network::Outcome::Done) return outcome;
    }
    auto& inbox = m.sockets_[static_cast<std::size_t>(socket)].inbox;
    if (inbox.empty()) return Network::Outcome::WouldBlock;
    const Datagram datagram = std::move(inbox.front());
    inbox.pop_front();
    size = std::min(datagram.bytes.size(), buffer.size());
    std::copy_n(datagram.bytes.begin(), size, buffer.begin());
    source = datagram.source;
    return datagram.bytes.size() <= buffer.size() ? Network::Outcome::Done : Network::Outcome::Truncated;
  }

  sim::World& world_;
  sim::Host& host_;
  std::optional<Address> ip_;
  std::deque<Socket> sockets_;
  std::uint16_t next_port_ = 5000;
  bool has_mail_ = false;
  MulticastLink* multicast_ = nullptr;
};

// Signalling between two connections: what one's signals say reaches the other's calls, a moment later.
inline void signal_between(sim::World& world, const std::shared_ptr<PeerConnection>& a,
                           const std::shared_ptr<PeerConnection>& b, Duration delay = 20ms) {
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
