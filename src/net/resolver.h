// Resolver: host names to addresses, without blocking and without threads.
//
//   auto id = resolver.resolve(now, "stun.example.org", 3478);
//   each turn of the loop:  resolver.watch(poller);  ...sleep until resolver.next_timeout()...
//   resolver.step(now);
//                           while (resolver.poll_result(result)) ...
//
// Literals, "localhost" and hosts(5) are answered at once, in the next poll_result(); other names go to the name servers of
// resolv.conf(5) by c-ares (name_query.h), or to the caller's HostResolver.
#pragma once

#include "base/memory.h"
#include "net/name_query.h"
#include "pollrtc/resolver.h"

namespace pollrtc::net {

class Resolver {
 public:
  static constexpr std::size_t kMaxLookups = 8;
  using Id = std::uint32_t;

  struct Answer {
    Id id = 0;
    NameAddresses addresses;  // with the port asked for; empty when the name cannot be resolved
  };

  struct Config {
    HostResolver hook;  // used when its start and poll are set
    NameQuery::Config query;
  };

  explicit Resolver(Environment& environment) : Resolver(environment, Config{}) {}
  Resolver(Environment& environment, const Config& config);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  Result<Id> resolve(Time now, std::string_view host, std::uint16_t port);
  void cancel(Id id);  // no answer will come; an unknown id is no error

  void watch(Poller& poller) const;
  // Reads, retransmits, gives up: whatever is due.
  void step(Time now);
  // With a hook that is waited for: a few milliseconds ahead, since only asking tells.
  Time next_timeout(Time now) const;
  bool poll_result(Answer& out);

 private:
  struct Lookup {
    explicit Lookup(const Memory& memory) : query(memory) {}
    Id id = 0;
    std::uint16_t port = 0;
    bool by_hook = false;
    bool done = false;
    NameAddresses addresses;
    NameQuery query;
  };

  Status begin(Time now, Lookup& lookup, std::string_view host);
  void poll_hook(Lookup& lookup);
  void take_outcome(Lookup& lookup);
  std::size_t most_addresses() const;
  bool has_hook() const { return config_.hook.start != nullptr && config_.hook.poll != nullptr; }

  Environment& environment_;
  Config config_;
  Id next_id_ = 1;
  FixedVec<Owned<Lookup>, kMaxLookups> lookups_;
};

}  // namespace pollrtc::net
