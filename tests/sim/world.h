// World: a virtual clock, a network of hosts, links and NATs, and the actors that live in it.
//
//   sim::World world(seed);
//   sim::Nat& nat = world.add_nat(sim::NatConfig::port_restricted(), *parse_ip("198.51.100.1"));
//   sim::Host& alice = world.add_host({*parse_ip("192.168.0.2")}, &nat);
//   sim::Node<ice::Agent> node(world, alice, agent);      // node.h
//   node.listen(*parse_ip("192.168.0.2", 5000));
//   world.run_until([&] { return done; }, 30s);
//
// Nothing sleeps: the clock jumps to the next datagram or deadline. Same seed and same calls, same trace.
#pragma once

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "sim/link.h"
#include "sim/nat.h"
#include "sim/trace.h"
#include "sim/violation.h"

namespace pollrtc::sim {

// Something with deadlines; a Node is one.
class Actor {
 public:
  virtual ~Actor() = default;
  virtual Time next_timeout() const = 0;
  virtual void on_timeout(Time now) = 0;
  // Sends and reports what the engine owes: called after each event, since a test may have called the engine too.
  virtual void pump(Time now) = 0;
};

// A machine: its addresses, on the public network or behind a NAT.
class Host {
 public:
  const std::vector<Address>& addresses() const { return addresses_; }
  bool has(const Address& address) const;

 private:
  friend class World;
  Host(std::vector<Address> addresses, std::size_t realm) : addresses_(std::move(addresses)), realm_(realm) {}
  std::vector<Address> addresses_;
  std::size_t realm_;
};

class World {
 public:
  using Receiver = std::function<void(Time now, const Path& path, Bytes datagram)>;

  explicit World(std::uint64_t seed);
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Time now() const { return now_; }
  Random& random() { return random_; }
  Trace& trace() { return trace_; }

  // Building. The references stay good.
  Host& add_host(std::vector<Address> ips, Nat* behind = nullptr);
  // `behind` is a NAT further out: `public_ip` is then an address in its network.
  Nat& add_nat(const NatConfig& config, const Address& public_ip, Nat* behind = nullptr);
  // The host's address changes: what listens on the old one hears nothing any more.
  void change_addresses(Host& host, std::vector<Address> ips);
  void set_default_link(const LinkConfig& config) { default_link_ = config; }  // for links not used so far
  // One direction, and both; ports do not matter. Behind a NAT, the NAT's public address is the one to name; `lan` names
  // the NAT when both ends are behind the same one and speak directly.
  Link& link(const Address& from, const Address& to, const Nat* lan = nullptr);
  void set_link(const Address& a, const Address& b, const LinkConfig& config, const Nat* lan = nullptr);
  // From now on every link is what `shape` says, those of old and those to come, until it is called again.
  using Shape = std::function<LinkConfig(const Address& from, const Address& to)>;
  void shape_links(Shape shape);
  // All faults of all links end, NATs stay what they are.
  void heal();

  // Living.
  void listen(const Host& host, const Address& local, Receiver receiver);
  void stop_listening(const Host& host, const Address& local);
  void send(const Host& host, const Path& path, Bytes datagram, bool dont_fragment = true);
  void at(Time when, std::function<void()> action);
  void after(Duration wait, std::function<void()> action) { at(now_ + wait, std::move(action)); }
  void add_actor(Actor& actor) { actors_.push_back(&actor); }
  void remove_actor(Actor& actor) { std::erase(actors_, &actor); }

  // Running. step() does the next thing; false when nothing will ever happen again.
  bool step();
  void run_until(Time end);
  void run_for(Duration time) { run_until(now_ + time); }
  // True as soon as the condition holds; false when `limit` has passed without it.
  bool run_until(const std::function<bool()>& condition, Duration limit);

 private:
  struct Event {
    Time when;
    std::uint64_t number;  // of equal times the earlier one goes first
    std::function<void()> action;
    bool operator>(const Event& other) const {
      return when != other.when ? when > other.when : number > other.number;
    }
  };
  struct Key {  // a place in a realm; realm 0 is the public network, others are behind NAT number realm - 1
    std::size_t realm;
    Address a, b;
    auto operator<=>(const Key&) const = default;
  };

  std::size_t realm_of(const Nat* nat) const;
  Nat* nat_at(std::size_t realm, const Address& ip);
  bool has_host(std::size_t realm, const Address& ip) const;
  Link& link_in(std::size_t realm, const Address& from, const Address& to);
  void route(std::size_t realm, const Address& from, const Address& to, Bytes datagram, bool dont_fragment);
  void travel(std::size_t realm, const Address& from, const Address& to, Bytes datagram, bool dont_fragment);
  void arrive(std::size_t realm, const Address& from, Address to, Bytes datagram);
  void pump_all();
  Time next_event() const;
  void advance_to(Time when);

  Time now_{};
  Random random_;
  Trace trace_;
  std::ofstream dump_;
  LinkConfig default_link_;
  Shape shape_;
  std::uint64_t next_number_ = 0, steps_at_this_time_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Nat>> nats_;
  std::vector<std::size_t> realm_around_;  // of each NAT, the realm that its public address is in
  std::map<Key, Link> links_;
  std::map<Key, Receiver> receivers_;
  std::vector<Actor*> actors_;
};

}  // namespace pollrtc::sim
