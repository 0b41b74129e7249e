// DnsQuery: finds the addresses of one name by asking name servers over UDP. A NetworkEngine: no socket, no
// clock. Read first: RFC 1035 §4 and §7, RFC 5452 §9 (what makes answers hard to forge), RFC 8305 §3 (A and
// AAAA side by side).
#pragma once

#include <array>

#include "base/drop_counters.h"
#include "base/engine.h"
#include "net/dns_message.h"
#include "pollrtc/environment.h"
#include "pollrtc/result.h"

namespace pollrtc::net {

struct DnsServers {
  FixedVec<Address, 3> addresses;                       // asked in turn (resolv.conf(5): three count)
  Duration attempt = std::chrono::seconds(1);           // then the next server is asked
  Duration total = std::chrono::seconds(5);             // then whatever came is the answer
  Duration straggler = std::chrono::milliseconds(500);  // how long addresses of one family wait for the other
};

class DnsQuery {
 public:
  struct Event {};  // it is over: addresses() is the answer, empty when there is none

  DnsQuery(Environment& environment, const DnsServers& servers);

  // Once. `name` must be a host name and no literal.
  Status start(Time now, std::string_view name);

  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  // The local address of the Path is left invalid: the socket's family has to be the remote's.
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  bool is_done() const { return done_; }
  // IPv6 and IPv4 take turns, so that a limit never leaves out a family.
  const DnsAddresses& addresses() const { return result_; }
  const DropCounters& drops() const { return drops_; }

 private:
  struct Ask {  // one of the two questions
    DnsQuestion question;
    DnsAddresses addresses;
    std::size_t server = 0;    // which one is being asked
    std::size_t refusals = 0;  // servers that could not say
    Time next_attempt = kNever;
    bool owed = false;  // the question is to be sent
    bool over = false;
  };

  Drop on_response(Time now, Ask& ask, Bytes datagram);
  void try_next_server(Time now, Ask& ask);
  void finish_if_over(Time now);
  void finish();
  bool is_server(const Address& address) const;
  std::size_t most_answers() const;

  Environment& environment_;
  DnsServers servers_;
  std::array<Ask, 2> asks_;  // AAAA, A
  DnsAddresses result_;
  DropCounters drops_;
  Time give_up_ = kNever;
  bool started_ = false, done_ = false, event_owed_ = false;
};

static_assert(NetworkEngine<DnsQuery>);

}  // namespace pollrtc::net
