// A TURN server that means harm (ATK-17): whatever it says, for ten minutes, what it makes us send and hold is bounded. The
// figures are printed.
#include "ice/relays.h"
#include "support/catch.h"
#include "unit/ice/turn_rig.h"

namespace pollrtc::test {
namespace {

using ice::Relays;

const Address kServer = at("203.0.113.9", 3478), kBase = at("192.0.2.1", 5000);

// The relays of a connection that has this server alone, and wants a permission and a channel of each allocation.
struct Victim {
  explicit Victim(const std::function<void(TurnServer&)>& edit) {
    edit(server);
    REQUIRE(relays.add_base(now, kBase));
    REQUIRE(relays.add_server(now, {std::span(&kServer, 1), TurnTransport::Udp, "", "alice", "secret"}));
  }
  void turn() {
    ByteVector out(2560);
    while (const auto t = relays.poll_transmit(now, out)) {
      REQUIRE(++datagrams_out < 100'000);
      bytes_out += t->size;
      to.insert(t->path.remote);
      if (on_request) on_request(server);
      for (const auto& reply : server.handle(kBase, server.address, Bytes(out).first(t->size)))
        hit(reply.bytes);
    }
    Relays::Event event;
    while (relays.poll_event(event)) {
      if (const auto* made = std::get_if<Relays::Allocated>(&event)) {
        ++allocated;
        (void)relays.want_permission(now, made->relayed, at("192.0.2.50", 9));
      }
      if (const auto* p = std::get_if<Relays::Permission>(&event); p != nullptr && p->granted)
        relays.bind_channel(now, {p->relayed, p->peer.with_port(9)});
      if (const auto* lost = std::get_if<Relays::Failed>(&event)) failures.push_back(lost->code);
    }
  }
  void hit(Bytes bytes) {
    bytes_in += bytes.size();
    (void)relays.unwrap(now, {kBase, kServer}, bytes);
    heap = std::max(heap, environment.bytes_in_use());
  }
  void run(Duration time) {
    const Time end = now + time;
    turn();
    while (relays.next_timeout() <= end) {
      now = std::max(now, relays.next_timeout());
      relays.handle_timeout(now);
      REQUIRE(relays.next_timeout() > now);
      turn();
    }
    now = end;
  }
  void tell(std::string_view what) const {
    WARN("ATK-17, " << what << ": " << bytes_in << " bytes in, " << datagrams_out << " datagrams and "
                    << bytes_out << " bytes out, heap " << heap << " at most, " << failures.size()
                    << " failures told");
  }

  Time now{};
  TestEnvironment environment{9};
  TurnServer server{kServer};
  Relays relays{environment.env};
  std::function<void(TurnServer&)> on_request;  // before each answer
  std::set<Address> to;
  std::vector<int> failures;
  std::uint64_t bytes_in = 0, bytes_out = 0, datagrams_out = 0, allocated = 0;
  std::size_t heap = 0;
};

struct Hostility {
  const char* what;
  std::function<void(TurnServer&)> edit, on_request;
  std::uint64_t most_datagrams;
  int code;  // that is told in the end; 0: it is no failure
};

void always(TurnServer& server, const TurnServer::Refusal& refusal) {
  for (const Method method :
       {Method::Allocate, Method::Refresh, Method::CreatePermission, Method::ChannelBind})
    server.refusals[method] = {refusal};
  server.bare_refusals = {refusal};
}

}  // namespace

TEST_CASE("figures: a hostile TURN server ends, or is bounded, whatever it says", "[ATK-17]") {
  const auto redirect = [](TurnServer& s) {
    always(s, {300, true,
               [](stun::Writer& w) { w.address(Attribute::AlternateServer, at("203.0.113.10", 3478)); }});
  };
  const std::vector<Hostility> all = {
      {"401 for ever",
       {},
       [](TurnServer& s) {
         always(s, {401, false});
       },
       8,
       401},
      {"438 with another nonce for ever", {}, [](TurnServer& s) { s.nonce += "x"; }, 8, 438},
      {"a redirection for ever", {}, redirect, 16, 300},
      {"a realm of 760 bytes", [](TurnServer& s) { s.realm = std::string(760, 'r'); }, {}, 60, 0},
      {"a lifetime of one second", [](TurnServer& s) { s.lifetime = 1; }, {}, 200, 0},
      {"a lifetime of 0", [](TurnServer& s) { s.lifetime = 0; }, {}, 200, 0},
      {"a lifetime of 136 years", [](TurnServer& s) { s.lifetime = 0xFFFFFFFF; }, {}, 60, 0},
      {"500 for ever",
       {},
       [](TurnServer& s) {
         always(s, {500, false});
       },
       60,
       500},
      {"silence", [](TurnServer& s) { s.is_silent = true; }, {}, 8, 701},
      {"it relays from our own address", [](TurnServer& s) { s.relay_v4 = kBase; }, {}, 30, -1},
  };
  for (const Hostility& one : all) {
    INFO(one.what);
    Victim v(one.edit ? one.edit : [](TurnServer&) {});
    v.on_request = one.on_request;
    v.run(600s);
    v.tell(one.what);
    CHECK(v.datagrams_out <= one.most_datagrams);
    CHECK(v.heap <= 16 * 1024);
    CHECK(v.to.size() <= 2);
    if (one.code > 0) {
      CHECK_FALSE(v.failures.empty());
      CHECK(v.allocated == 0);
      CHECK_FALSE(v.relays.is_pending());
    }
  }
}

TEST_CASE("figures: Data indications of 64 KiB, and a flood of them, are not kept", "[ATK-17][ATK-28]") {
  Victim v([](TurnServer&) {});
  v.run(5s);
  REQUIRE(v.allocated == 1);
  const std::size_t heap = v.environment.bytes_in_use();
  const std::uint64_t out = v.datagrams_out;
  v.heap = 0;
  const ByteVector large = TurnServer::data_indication(at("192.0.2.50", 9), ByteVector(65000, 1));
  const ByteVector small = TurnServer::data_indication(at("192.0.2.51", 9), ByteVector(100, 1));
  for (int i = 0; i < 1000; ++i) {
    v.hit(large);
    v.hit(small);
    v.turn();
  }
  v.tell("Data indications");
  CHECK(v.heap <= heap);
  CHECK(v.datagrams_out == out);
}

}  // namespace pollrtc::test
