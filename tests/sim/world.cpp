#include "sim/world.h"

#include <algorithm>
#include <cstdlib>

#include "base/address.h"

namespace pollrtc::sim {
namespace {

// So many events without the clock moving mean that it never will.
constexpr std::uint64_t kMaxStepsAtOneTime = 1'000'000;

std::size_t header_bytes(const Address& address) { return address.family == Address::Family::IPv6 ? 48 : 28; }

}  // namespace

bool Host::has(const Address& address) const {
  return std::any_of(addresses_.begin(), addresses_.end(),
                     [&](const Address& a) { return a.same_ip(address); });
}

World::World(std::uint64_t seed) : random_(seed) {
  if (const char* path = std::getenv("POLLRTC_TRACE")) {
    dump_.open(path, std::ios::app);
    dump_ << "# seed " << seed << '\n';
    trace_.dump_to(&dump_);
  }
}

Host& World::add_host(std::vector<Address> ips, Nat* behind) {
  hosts_.push_back(std::unique_ptr<Host>(new Host(std::move(ips), realm_of(behind))));
  return *hosts_.back();
}

Nat& World::add_nat(const NatConfig& config, const Address& public_ip, Nat* behind) {
  realm_around_.push_back(realm_of(behind));
  nats_.push_back(std::make_unique<Nat>(config, public_ip));
  return *nats_.back();
}

void World::change_addresses(Host& host, std::vector<Address> ips) { host.addresses_ = std::move(ips); }

std::size_t World::realm_of(const Nat* nat) const {
  if (nat == nullptr) return 0;
  for (std::size_t i = 0; i < nats_.size(); ++i)
    if (nats_[i].get() == nat) return i + 1;
  throw std::invalid_argument("a NAT of another world");
}

Nat* World::nat_at(std::size_t realm, const Address& ip) {
  for (std::size_t i = 0; i < nats_.size(); ++i)
    if (realm_around_[i] == realm && nats_[i]->public_ip().same_ip(ip)) return nats_[i].get();
  return nullptr;
}

bool World::has_host(std::size_t realm, const Address& ip) const {
  return std::any_of(hosts_.begin(), hosts_.end(),
                     [&](const auto& h) { return h->realm_ == realm && h->has(ip); });
}

Link& World::link_in(std::size_t realm, const Address& from, const Address& to) {
  const Key key{realm, from.with_port(0), to.with_port(0)};
  const auto known = links_.find(key);
  if (known != links_.end()) return known->second;
  return links_.emplace(key, Link(shape_ ? shape_(from, to) : default_link_, random_.fork())).first->second;
}

void World::shape_links(Shape shape) {
  shape_ = std::move(shape);
  for (auto& [key, link] : links_) link.config = shape_(key.a, key.b);
}

Link& World::link(const Address& from, const Address& to, const Nat* lan) {
  return link_in(realm_of(lan), from, to);
}

void World::set_link(const Address& a, const Address& b, const LinkConfig& config, const Nat* lan) {
  link(a, b, lan).config = config;
  link(b, a, lan).config = config;
}

void World::heal() {
  default_link_ = default_link_.healed();
  for (auto& [key, link] : links_) link.config = link.config.healed();
}

void World::listen(const Host& host, const Address& local, Receiver receiver) {
  if (!host.has(local)) throw std::invalid_argument("the host has no such address");
  const Key key{host.realm_, local, {}};
  if (!receivers_.emplace(key, std::move(receiver)).second) throw std::invalid_argument("the port is taken");
}

void World::stop_listening(const Host& host, const Address& local) {
  receivers_.erase(Key{host.realm_, local, {}});
}

void World::send(const Host& host, const Path& path, Bytes datagram, bool dont_fragment) {
  trace_.record(now_, Fate::Sent, path.local, path.remote, datagram);
  if (!host.has(path.local) || path.local.family != path.remote.family)
    return trace_.record(now_, Fate::NoRoute, path.local, path.remote, datagram);
  route(host.realm_, path.local, path.remote, datagram, dont_fragment);
}

void World::route(std::size_t realm, const Address& from, const Address& to, Bytes datagram,
                  bool dont_fragment) {
  if (realm == 0 || has_host(realm, to) || nat_at(realm, to) != nullptr)
    return travel(realm, from, to, datagram, dont_fragment);
  Nat& nat = *nats_[realm - 1];
  if (nat.public_ip().same_ip(to) && !nat.config.hairpin)
    return trace_.record(now_, Fate::Filtered, from, to, datagram);
  // RFC 4787 REQ-9 a): a hairpinned datagram, too, shows the external address of its sender.
  const auto external = nat.outbound(now_, from, to);
  if (!external) return trace_.record(now_, Fate::NoRoute, from, to, datagram);
  // To its own public address it sends nothing out: it turns the datagram round (REQ-9).
  const std::size_t around = realm_around_[realm - 1];
  if (nat.public_ip().same_ip(to)) return travel(around, *external, to, datagram, dont_fragment);
  route(around, *external, to, datagram, dont_fragment);
}

void World::travel(std::size_t realm, const Address& from, const Address& to, Bytes datagram,
                   bool dont_fragment) {
  if (!has_host(realm, to) && nat_at(realm, to) == nullptr)
    return trace_.record(now_, Fate::NoRoute, from, to, datagram);
  Link::Result result = link_in(realm, from, to).send(now_, datagram, header_bytes(from), dont_fragment);
  if (result.fate != Fate::Sent) return trace_.record(now_, result.fate, from, to, datagram);
  for (Link::Copy& copy : result.copies)
    at(copy.arrival,
       [this, realm, from, to, bytes = std::move(copy.bytes)] { arrive(realm, from, to, bytes); });
}

void World::arrive(std::size_t realm, const Address& from, Address to, Bytes datagram) {
  while (Nat* const nat = nat_at(realm, to)) {
    const auto inner = nat->inbound(now_, from, to);
    if (!inner) return trace_.record(now_, Fate::Filtered, from, to, datagram);
    realm = realm_of(nat);
    to = *inner;
  }
  const auto receiver = receivers_.find(Key{realm, to, {}});
  // A NAT may still know an address that its host has no more.
  if (receiver == receivers_.end() || !has_host(realm, to))
    return trace_.record(now_, Fate::NoListener, from, to, datagram);
  trace_.record(now_, Fate::Delivered, from, to, datagram);
  const Receiver call = receiver->second;  // a copy: it may stop listening while it runs
  call(now_, Path{to, from, Transport::Udp}, datagram);
}

void World::at(Time when, std::function<void()> action) {
  events_.push(Event{std::max(when, now_), next_number_++, std::move(action)});
}

void World::pump_all() {
  for (std::size_t i = 0; i < actors_.size(); ++i) actors_[i]->pump(now_);
}

Time World::next_event() const {
  Time next = events_.empty() ? kNever : events_.top().when;
  for (const Actor* actor : actors_) next = std::min(next, actor->next_timeout());
  return next == kNever ? next : std::max(next, now_);
}

void World::advance_to(Time when) {
  if (when != now_) {
    now_ = when;
    steps_at_this_time_ = 0;
  } else if (++steps_at_this_time_ > kMaxStepsAtOneTime) {
    throw Violation("the world stands still: a million events at one time");
  }
}

bool World::step() {
  pump_all();
  const Time next = next_event();
  if (next == kNever) return false;
  advance_to(next);
  // Datagrams before deadlines of the same instant, so that an answer that came in time counts.
  if (!events_.empty() && events_.top().when <= now_) {
    const std::function<void()> action = std::move(const_cast<Event&>(events_.top()).action);
    events_.pop();
    action();
  } else {
    for (std::size_t i = 0; i < actors_.size(); ++i)
      if (actors_[i]->next_timeout() <= now_) actors_[i]->on_timeout(now_);
  }
  pump_all();
  return true;
}

void World::run_until(Time end) {
  pump_all();
  while (next_event() <= end && step()) {
  }
  now_ = std::max(now_, end);
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const Time end = now_ + limit;
  pump_all();
  while (!condition()) {
    if (next_event() > end) {
      now_ = end;
      return false;
    }
    if (!step()) return false;
  }
  return true;
}

}  // namespace pollrtc::sim
