// The DNS query keeps the promises of an engine, talking to a toy name server.
#include "unit/engine_laws.h"

#include <deque>

#include "base/address.h"
#include "net/dns_query.h"
#include "support/bytes.h"

using namespace pollrtc;
using namespace pollrtc::net;

namespace {

// End 0 asks, end 1 answers A and fails at AAAA.
struct DnsEnd {
  using Event = DnsQuery::Event;
  std::optional<DnsQuery> query;
  std::deque<test::ByteVector> replies;

  Drop handle_datagram(Time now, const Path& path, Bytes datagram) {
    if (query) return query->handle_datagram(now, path, datagram);
    test::ByteVector reply = test::to_vector(datagram);
    const bool asks_a = reply[reply.size() - 3] == 1;
    reply[2] = 0x81;
    reply[3] = asks_a ? 0x80 : 0x82;
    if (asks_a) {
      reply[7] = 1;
      const auto record = test::hex("c00c 0001 0001 00000000 0004 c0000201");
      reply.insert(reply.end(), record.begin(), record.end());
    }
    replies.push_back(reply);
    return Drop::None;
  }
  std::optional<Transmit> poll_transmit(Time now, MutBytes out) {
    if (query) return query->poll_transmit(now, out);
    if (replies.empty()) return std::nullopt;
    const test::ByteVector reply = replies.front();
    replies.pop_front();
    std::copy(reply.begin(), reply.end(), out.begin());
    return Transmit{{test::kLawEnds[1], test::kLawEnds[0], Transport::Udp}, reply.size()};
  }
  void handle_timeout(Time now) {
    if (query) query->handle_timeout(now);
  }
  Time next_timeout() const { return query ? query->next_timeout() : kNever; }
  bool poll_event(Event& event) { return query && query->poll_event(event); }
};

template <bool kServerAnswers>
struct DnsSubject {
  using Engine = DnsEnd;
  static constexpr bool kReproducible = true;
  std::unique_ptr<DnsEnd> make(Environment& environment, Time now, int end) {
    if (end == 1 && !kServerAnswers) return nullptr;
    auto engine = std::make_unique<DnsEnd>();
    if (end == 1) return engine;
    DnsServers servers;
    if (!servers.addresses.push_back(test::kLawEnds[1])) return nullptr;
    engine->query.emplace(environment, servers);
    return engine->query->start(now, "stun.example") ? std::move(engine) : nullptr;
  }
  void on_event(DnsEnd& engine, Time, int, const DnsEnd::Event&, std::string& outcome) {
    outcome += "done";
    for (const Address& address : engine.query->addresses())
      outcome += " " + std::string(ip_text(address).view());
  }
  void collect(DnsEnd&, Time, int, std::string&) {}
};

}  // namespace

TEST_CASE("engine laws: DnsQuery") {
  test::check_engine_laws<DnsSubject<true>>();
  test::check_engine_laws<DnsSubject<false>>();
  test::LawRun<DnsSubject<true>> run(1, test::Schedule::DrainLate);
  CHECK(run.run() == "");
  CHECK(run.outcome()[0] == "done 192.0.2.1");
}
