// NameQuery: the addresses of one host name, from hosts(5) or else from name servers, by c-ares. Nothing in it waits: c-ares'
// sockets are watched by our Poller, and its timeouts are deadlines of ours. Read first: ares_getaddrinfo(3), ares_process_fd(3),
// RFC 8305 §3 (A and AAAA side by side).
//
// Each query is a channel of its own: so resolv.conf(5) is read anew (networks change), and the ports that c-ares asks from are
// this query's alone, which nobody can foresee (RFC 5452 §9.2). What c-ares allocates comes from malloc.
//
// Compiled from name_query_none.cpp when c-ares is left out (-Dcares=disabled): then start() says NotSupported.
#pragma once

#include <array>
#include <string_view>

#include "base/fixed_vec.h"
#include "net/poller.h"
#include "pollrtc/result.h"
#include "pollrtc/types.h"

struct ares_channeldata;  // what ares_channel points to
struct ares_addrinfo;

namespace pollrtc::net {

inline constexpr std::size_t kMaxNameAddresses = 16;
using NameAddresses = FixedVec<Address, kMaxNameAddresses>;

// What a name server may say. Loopback is not among it: a stranger's name must not make us talk to ourselves.
bool is_usable_dns_address(const Address& address);

class NameQuery {
 public:
  static constexpr Duration kTotal = std::chrono::seconds(5);  // then whatever came is the answer
  static constexpr Duration kStraggler =
      std::chrono::milliseconds(500);  // how long addresses of one family wait for the other

  struct Config {
    const char* servers_file = nullptr;          // null: /etc/resolv.conf
    FixedVec<Address, 3> servers;                // asked instead of those that the file names
    Duration attempt = std::chrono::seconds(1);  // then the next server is asked, or the same one again
    bool hosts_from_environment = false;         // CARES_HOSTS names the hosts(5) file
  };

  explicit NameQuery(const Memory& memory) : poller_(memory) {}
  ~NameQuery();
  NameQuery(const NameQuery&) = delete;
  NameQuery& operator=(const NameQuery&) = delete;

  static bool is_available();

  // Once. `name` is a host name and no literal, taken as a whole name: no search list is appended. It may be done when this
  // returns. Errors: NotSupported, OutOfMemory, Network.
  Status start(Time now, const Config& config, std::string_view name);
  void watch(Poller& poller) const;
  // Reads, sends again, gives up: whatever is due.
  void step(Time now);
  Time next_timeout(Time now) const;

  bool is_done() const { return done_; }
  // Port 0. IPv6 and IPv4 take turns, so that a limit never leaves out a family.
  NameAddresses addresses(std::size_t most) const;

 private:
  struct Ask {  // for the addresses of one family
    NameAddresses addresses;
    bool over = false;
    bool trusted = false;  // from hosts(5), not from the network
  };
  struct Watched {
    int fd;
    bool read, write;
  };

  Status open(const Config& config, const char* lookups);
  void ask(const char* name, bool by_hosts_file, bool hosts_from_environment);
  void finish_if_over(Time now);
  void close();
  static void on_socket(void* context, int fd, int readable, int writable);
  static void on_answer(void* context, int status, int timeouts, ares_addrinfo* result);

  ares_channeldata* channel_ = nullptr;
  std::array<Ask, 2> asks_;  // AAAA, A
  // c-ares has a UDP and a TCP socket for each server: resolv.conf(5) names three, its file may name more.
  FixedVec<Watched, 32> watched_;
  Poller poller_;
  Time give_up_ = kNever;
  bool done_ = false;
};

}  // namespace pollrtc::net
