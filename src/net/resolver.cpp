#include "net/resolver.h"

#include "base/address.h"
#include "net/dns_message.h"
#include "net/special_names.h"

namespace pollrtc::net {
namespace {

constexpr Duration kHookInterval = std::chrono::milliseconds(10);

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
  auto lookup = Owned<Lookup>::make(environment_.memory, environment_.memory);
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
  if (is_never_resolved(host)) return fail(ErrorCode::NotFound, "a name of a kind that is never resolved");
  if (has_hook()) {
    lookup.by_hook = config_.hook.start(config_.hook.context, lookup.id, host);
    return lookup.by_hook ? Status()
                          : fail(ErrorCode::Network, "the resolver given by the caller refused the name");
  }
  if (is_multicast_dns_name(host))
    return fail(ErrorCode::NotSupported, "a .local name belongs to multicast DNS");
  if (const Status status = lookup.query.start(now, config_.query, host); !status) return status;
  take_outcome(lookup);
  return {};
}

void Resolver::take_outcome(Lookup& lookup) {
  if (!lookup.query.is_done()) return;
  lookup.addresses = lookup.query.addresses(most_addresses());
  lookup.done = true;
}

std::size_t Resolver::most_addresses() const {
  return std::min<std::size_t>(environment_.limits.dns_answers, kMaxNameAddresses);
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
  for (const auto& lookup : lookups_) lookup->query.watch(poller);
}

void Resolver::step(Time now) {
  for (auto& lookup : lookups_) {
    if (lookup->done) continue;
    if (lookup->by_hook) {
      poll_hook(*lookup);
    } else {
      lookup->query.step(now);
      take_outcome(*lookup);
    }
  }
}

void Resolver::poll_hook(Lookup& lookup) {
  std::array<Address, kMaxNameAddresses> found;
  std::size_t count = 0;
  const std::size_t most = most_addresses();
  if (!config_.hook.poll(config_.hook.context, lookup.id, std::span(found).first(most), count)) return;
  for (std::size_t i = 0; i < count && i < most; ++i)
    if (found[i].is_valid()) static_cast<void>(lookup.addresses.push_back(found[i]));
  lookup.done = true;
}

Time Resolver::next_timeout(Time now) const {
  Time next = kNever;
  for (const auto& lookup : lookups_) {
    if (lookup->done) return now;
    next = std::min(next, lookup->by_hook ? now + kHookInterval : lookup->query.next_timeout(now));
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
