// Several servers, several addresses, streams: the layer between sockets and ICE.
#include "ice/relays.h"

#include "sim/turn_server.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using ice::Relays;
using sim::TurnServer;
using stun::Method;

namespace {

Address at(std::string_view ip, std::uint16_t port) { return *parse_ip(ip, port); }

const Address kBase = at("192.0.2.1", 4000), kPeer = at("192.0.2.50", 6000);

struct Rig {
  explicit Rig(const Limits& limits = {}) {
    environment.env.limits = limits;
    relays = std::make_unique<Relays>(environment.env);
  }
  TurnServer& add_host(std::string_view ip) {
    servers.push_back(std::make_unique<TurnServer>(at(ip, 3478)));
    servers.back()->relay_v4 = at("198.51.100." + std::to_string(70 + servers.size()), 50000);
    return *servers.back();
  }
  Status add(const std::vector<Address>& addresses, TurnTransport transport = TurnTransport::Udp) {
    return relays->add_server(now, {addresses, transport, "turn.example.org", "alice", "secret"});
  }
  Status add_as(std::string_view host, std::string_view user, const std::vector<Address>& addresses) {
    return relays->add_server(now, {addresses, TurnTransport::Udp, host, user, "secret"});
  }
  // What is to be sent, kept back: a packet for each server and account.
  std::vector<std::pair<Path, ByteVector>> take_sent() {
    std::vector<std::pair<Path, ByteVector>> taken;
    ByteVector out(2560);
    while (const auto transmit = relays->poll_transmit(now, out))
      taken.emplace_back(transmit->path, to_vector(Bytes(out).first(transmit->size)));
    return taken;
  }
  // Of two accounts on one server the requests without credentials, the second of which leaves a pace later ...
  std::vector<std::pair<Path, ByteVector>> take_asked() {
    auto asked = take_sent();
    relays->handle_timeout(now += Relays::kPace);
    for (auto& later : take_sent()) asked.push_back(std::move(later));
    return asked;
  }
  // ... and those with them.
  std::vector<std::pair<Path, ByteVector>> take_proven() {
    for (const auto& request : take_asked()) relays->unwrap(now, request.first, answer_to(request));
    return take_sent();
  }
  ByteVector answer_to(const std::pair<Path, ByteVector>& request) {
    const auto replies =
        server_at(request.first.remote)->handle(request.first.local, request.first.remote, request.second);
    return replies.empty() ? ByteVector() : replies[0].bytes;
  }
  TurnServer* server_at(const Address& address) {
    for (const auto& server : servers)
      if (server->address == address) return server.get();
    return nullptr;
  }
  void exchange() {
    ByteVector out(2560);
    for (bool quiet = false; !quiet;) {
      quiet = true;
      while (const auto transmit = relays->poll_transmit(now, out)) {
        quiet = false;
        sent.push_back(transmit->path);
        TurnServer* const server = server_at(transmit->path.remote);
        if (server == nullptr) continue;
        for (const auto& reply :
             server->handle(transmit->path.local, transmit->path.remote, Bytes(out).first(transmit->size)))
          if (reply.to == transmit->path.local) relays->unwrap(now, transmit->path, reply.bytes);
      }
      for (const auto& [stream, server] : streams) {
        while (const std::size_t size = relays->poll_stream(now, stream, out)) {
          quiet = false;
          written[stream].insert(written[stream].end(), out.begin(),
                                 out.begin() + static_cast<std::ptrdiff_t>(size));
        }
        serve(stream);
      }
      for (Relays::Event event; relays->poll_event(event);) {
        quiet = false;
        events.push_back(event);
        if (const auto* needed = std::get_if<Relays::StreamNeeded>(&event)) {
          if (opens_streams) streams[needed->stream] = needed->server;
          if (opens_streams) relays->stream_opened(now, needed->stream);
        }
        if (const auto* done = std::get_if<Relays::StreamDone>(&event)) streams.erase(done->stream);
      }
    }
  }
  void serve(StreamId stream) {
    turn::StreamFramer framer(environment.env.memory);
    ByteVector all = std::move(written[stream]);
    written[stream].clear();
    TurnServer* const server = server_at(streams[stream]);
    const Address client = at("192.0.2.1", static_cast<std::uint16_t>(40000 + static_cast<unsigned>(stream)));
    Bytes chunk = all;
    while (const auto frame = framer.next(chunk))
      for (const auto& reply : server->handle(client, server->address, *frame)) {
        if (reply.to == client) feed(stream, reply.bytes);
      }
  }
  void feed(StreamId stream, const ByteVector& bytes) {
    Bytes chunk = bytes;
    while (const auto unwrapped = relays->next_from_stream(now, stream, chunk))
      if (unwrapped->is_data) data.push_back({unwrapped->path, to_vector(unwrapped->bytes)});
  }
  void wait(Duration time) {
    const Time end = now + time;
    while (relays->next_timeout() <= end) {
      now = std::max(now, relays->next_timeout());
      relays->handle_timeout(now);
      REQUIRE(relays->next_timeout() > now);
      exchange();
    }
    now = end;
  }
  template <class E>
  std::vector<E> all() const {
    std::vector<E> found;
    for (const auto& event : events)
      if (const auto* e = std::get_if<E>(&event)) found.push_back(*e);
    return found;
  }

  Time now{};
  TestEnvironment environment{5};
  std::unique_ptr<Relays> relays;
  std::vector<std::unique_ptr<TurnServer>> servers;
  std::vector<Relays::Event> events;
  std::vector<Path> sent;
  std::map<StreamId, Address> streams;
  std::map<StreamId, ByteVector> written;
  std::vector<std::pair<Path, ByteVector>> data;
  bool opens_streams = true;
};

}  // namespace

TEST_CASE("a TURN server whose port is unreachable is given up at once, whom the error is not about is not",
          "[STUN-31]") {
  Rig rig;
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  const Address gone = at("203.0.113.9", 3478), silent = at("203.0.113.10", 3478);
  REQUIRE(rig.add({gone}));
  REQUIRE(rig.add({silent}));
  std::map<Address, ByteVector> requests;
  ByteVector out(2560);
  for (int i = 0; i < 3; ++i) {
    rig.relays->handle_timeout(rig.now += Relays::kPace);
    while (const auto transmit = rig.relays->poll_transmit(rig.now, out))
      requests[transmit->path.remote] = to_vector(Bytes(out).first(transmit->size));
  }
  REQUIRE(requests.size() == 2);
  rig.relays->handle_icmp_error(rig.now, {kBase, silent}, requests[gone]);
  rig.relays->handle_icmp_error(rig.now, {kBase, gone.with_port(1)}, requests[gone]);
  rig.relays->handle_icmp_error(rig.now, {kBase.with_port(1), gone}, requests[gone]);
  rig.exchange();
  CHECK(rig.all<Relays::Failed>().empty());
  rig.relays->handle_icmp_error(rig.now, {kBase, gone}, requests[gone]);
  rig.exchange();
  REQUIRE(rig.all<Relays::Failed>().size() == 1);
  CHECK(rig.all<Relays::Failed>()[0].server == gone);
  CHECK(rig.relays->is_pending());  // the other one
}

TEST_CASE("as many sockets as there may be local candidates, and not one more") {
  Limits limits;
  limits.ice_local_candidates = 3;
  Rig rig(limits);
  for (const char* ip : {"192.0.2.1", "192.0.2.2", "192.0.2.3"})
    CHECK(rig.relays->add_base(rig.now, at(ip, 5000)));
  CHECK(rig.relays->add_base(rig.now, at("192.0.2.3", 5000)));  // known already
  CHECK(rig.relays->add_base(rig.now, at("192.0.2.4", 5000)).error() == ErrorCode::LimitReached);
}

TEST_CASE("two servers give two relayed addresses, begun one after the other", "[TURN-21]") {
  Rig rig;
  TurnServer& one = rig.add_host("203.0.113.1");
  TurnServer& two = rig.add_host("203.0.113.2");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add({one.address}));
  REQUIRE(rig.add({two.address}));
  CHECK(rig.relays->is_pending());
  rig.exchange();
  CHECK(two.requests.empty());  // paced
  rig.wait(60ms);
  const auto made = rig.all<Relays::Allocated>();
  REQUIRE(made.size() == 2);
  CHECK(made[0].relayed == at("198.51.100.71", 50000));
  CHECK(made[0].mapped == kBase);
  CHECK(made[0].base == kBase);
  CHECK(made[1].relayed == at("198.51.100.72", 50000));
  CHECK_FALSE(rig.relays->is_pending());
  CHECK(rig.relays->owns(made[0].relayed));
  CHECK_FALSE(rig.relays->owns(kBase));
  // The permission of one is none of the other's.
  REQUIRE(rig.relays->want_permission(rig.now, made[1].relayed, kPeer));
  rig.wait(100ms);
  REQUIRE(rig.all<Relays::Permission>().size() == 1);
  CHECK(rig.all<Relays::Permission>()[0].relayed == made[1].relayed);
  CHECK(rig.all<Relays::Permission>()[0].granted);
  CHECK(one.count(Method::CreatePermission) == 0);
}

TEST_CASE("a server with two addresses is asked at both, and the first that answers is taken",
          "[TURN-36][STUN-30]") {
  for (const bool v6_answers : {true, false}) {
    Rig rig;
    TurnServer& four = rig.add_host("203.0.113.1");
    TurnServer& six = rig.add_host("2001:db8::1");
    six.is_silent = !v6_answers;
    REQUIRE(rig.relays->add_base(rig.now, kBase));
    REQUIRE(rig.relays->add_base(rig.now, at("2001:db8::99", 4000)));
    REQUIRE(rig.add({six.address, four.address}));
    rig.exchange();
    rig.wait(1s);
    REQUIRE(rig.all<Relays::Allocated>().size() == 1);
    CHECK(rig.all<Relays::Allocated>()[0].server == (v6_answers ? six.address : four.address));
    CHECK(four.allocations.size() + six.allocations.size() == 1);
    CHECK(rig.all<Relays::Failed>().empty());
    CHECK_FALSE(rig.relays->is_pending());
  }
  // Both have answered before either knew: the second allocation is deleted.
  Rig both;
  TurnServer& four = both.add_host("203.0.113.1");
  REQUIRE(both.relays->add_base(both.now, kBase));
  REQUIRE(both.relays->add_base(both.now, at("192.0.2.2", 4000)));
  REQUIRE(both.add({four.address}));
  both.exchange();
  both.wait(1s);
  CHECK(both.all<Relays::Allocated>().size() == 2);  // one for each of our addresses, on the same server
}

TEST_CASE("streams race as RFC 8305 has it", "[TURN-36][STUN-30]") {
  Rig rig;
  TurnServer& four = rig.add_host("203.0.113.1");
  TurnServer& six = rig.add_host("2001:db8::1");
  rig.opens_streams = false;
  REQUIRE(rig.add({six.address, four.address}, TurnTransport::Tcp));
  rig.exchange();
  REQUIRE(rig.all<Relays::StreamNeeded>().size() == 1);
  CHECK(rig.all<Relays::StreamNeeded>()[0].server == six.address);
  rig.wait(249ms);
  CHECK(rig.all<Relays::StreamNeeded>().size() == 1);
  rig.wait(2ms);
  const auto needed = rig.all<Relays::StreamNeeded>();
  REQUIRE(needed.size() == 2);
  CHECK(needed[1].server == four.address);
  // The second is there first; the first is not wanted any more.
  rig.streams[needed[1].stream] = four.address;
  rig.relays->stream_opened(rig.now, needed[1].stream);
  rig.exchange();
  REQUIRE(rig.all<Relays::StreamDone>().size() == 1);
  CHECK(rig.all<Relays::StreamDone>()[0].stream == needed[0].stream);
  CHECK(rig.all<Relays::Allocated>().size() == 1);
  CHECK(six.requests.empty());
}

TEST_CASE("a connection that is not made ends none that may still be", "[TURN-36][STUN-30]") {
  const bool is_refused = GENERATE(true, false);
  Rig rig;
  TurnServer& four = rig.add_host("203.0.113.1");
  const Address six = at("2001:db8::1", 3478);
  rig.opens_streams = false;
  REQUIRE(rig.add({six, four.address}, TurnTransport::Tcp));
  rig.exchange();
  rig.wait(1s);
  const auto needed = rig.all<Relays::StreamNeeded>();
  REQUIRE(needed.size() == 2);
  if (is_refused) {
    rig.relays->stream_closed(rig.now, needed[0].stream, "refused");
    rig.relays->handle_timeout(rig.now);
  } else {
    rig.wait(Relays::kConnectTimeout - 800ms);  // the first has waited long enough, the second has not
  }
  rig.exchange();
  CHECK(rig.all<Relays::Failed>().size() == 1);
  CHECK(rig.all<Relays::StreamDone>().size() == 1);
  REQUIRE(rig.relays->is_pending());
  rig.streams[needed[1].stream] = four.address;
  rig.relays->stream_opened(rig.now, needed[1].stream);
  rig.exchange();
  CHECK(rig.all<Relays::Allocated>().size() == 1);
}

TEST_CASE("a stream carries requests and data, and its end is the allocation's",
          "[TURN-37][TURN-16][STUN-15][lim.turn.stream_buffer]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.add({server.address}, TurnTransport::Tls));
  rig.exchange();
  const auto needed = rig.all<Relays::StreamNeeded>();
  REQUIRE(needed.size() == 1);
  CHECK(needed[0].is_tls);
  CHECK(needed[0].name == "turn.example.org");
  REQUIRE(rig.all<Relays::Allocated>().size() == 1);
  const Address relayed = rig.all<Relays::Allocated>()[0].relayed;
  CHECK_FALSE(rig.all<Relays::Allocated>()[0].base.is_valid());
  REQUIRE(rig.relays->want_permission(rig.now, relayed, kPeer));
  rig.wait(100ms);
  const Path path{relayed, kPeer};
  rig.relays->bind_channel(rig.now, path);
  rig.exchange();
  ByteVector out(1500);
  REQUIRE(rig.relays->headroom(path) == 4);
  std::copy_n("hello", 5, out.begin() + 4);
  CHECK_FALSE(rig.relays->wrap(rig.now, path, out, 5));  // it went into the stream
  rig.exchange();
  CHECK(server.channel_data_received == 1);
  // From the peer.
  const auto back = server.handle(kPeer, relayed, as_bytes("back"));
  REQUIRE(back.size() == 1);
  rig.feed(needed[0].stream, back[0].bytes);
  REQUIRE(rig.data.size() == 1);
  CHECK(rig.data[0].first == path);
  CHECK(as_text(rig.data[0].second) == "back");
  // Half of the buffer is for data; more waits where it is.
  std::size_t taken = 0;
  for (; rig.relays->can_send(path); taken += 1004)
    static_cast<void>(rig.relays->wrap(rig.now, path, out, 1000));
  CHECK(taken >= rig.environment.env.limits.turn_stream_buffer / 2);
  CHECK(taken < rig.environment.env.limits.turn_stream_buffer / 2 + 1004);
  // A full connection takes no more, and says so; what is sent all the same is lost.
  for (int i = 0; i < 100; ++i) static_cast<void>(rig.relays->wrap(rig.now, path, out, 1000));
  CHECK_FALSE(rig.relays->can_send(path));
  std::size_t waiting = 0;
  while (const std::size_t size = rig.relays->poll_stream(rig.now, needed[0].stream, out)) waiting += size;
  CHECK(waiting <= rig.environment.env.limits.turn_stream_buffer);
  CHECK(waiting > rig.environment.env.limits.turn_stream_buffer - 2000);
  CHECK(rig.relays->can_send(path));
  // Reset.
  rig.relays->stream_closed(rig.now, needed[0].stream, "reset");
  rig.exchange();
  REQUIRE(rig.all<Relays::Lost>().size() == 1);
  CHECK(rig.all<Relays::Lost>()[0].relayed == relayed);
  REQUIRE(rig.all<Relays::Failed>().size() == 1);
  CHECK(rig.all<Relays::Failed>()[0].code == turn::kUnreachable);
  CHECK_FALSE(rig.relays->owns(relayed));
  CHECK(rig.relays->empty());
}

TEST_CASE("a stream that holds garbage is closed", "[TURN-15]") {
  for (const std::string_view garbage : {"16030100", "0001 0000 00000000 000000000000000000000000"}) {
    Rig rig;
    TurnServer& server = rig.add_host("203.0.113.1");
    REQUIRE(rig.add({server.address}, TurnTransport::Tcp));
    rig.exchange();
    const StreamId stream = rig.all<Relays::StreamNeeded>()[0].stream;
    REQUIRE(rig.all<Relays::Allocated>().size() == 1);
    rig.feed(stream, hex(garbage));
    rig.exchange();
    CHECK(rig.all<Relays::StreamDone>().size() == 1);
    CHECK(rig.all<Relays::Lost>().size() == 1);
  }
}

TEST_CASE("nobody ends a stream by sending long datagrams to its relayed address", "[TURN-15]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.add({server.address}, TurnTransport::Tcp));
  rig.exchange();
  const StreamId stream = rig.all<Relays::StreamNeeded>()[0].stream;
  const Address relayed = rig.all<Relays::Allocated>()[0].relayed;
  REQUIRE(rig.relays->want_permission(rig.now, relayed, kPeer));
  rig.wait(100ms);
  for (const std::size_t size : {2600u, 5000u, 8000u, 20000u}) {
    const auto relayed_on = server.handle(kPeer, relayed, ByteVector(size, 7));
    REQUIRE(relayed_on.size() == 1);
    rig.feed(stream, relayed_on[0].bytes);
    rig.exchange();
  }
  CHECK(rig.data.empty());
  CHECK(rig.relays->drops()[Drop::TurnLimit] == 4);
  CHECK(rig.all<Relays::StreamDone>().empty());
  CHECK(rig.all<Relays::Lost>().empty());
  rig.feed(stream, server.handle(kPeer, relayed, as_bytes("hello"))[0].bytes);
  CHECK(rig.data.size() == 1);
}

TEST_CASE("a connection that is not made in time is given up", "[TURN-16]") {
  Rig rig;
  rig.opens_streams = false;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.add({server.address}, TurnTransport::Tcp));
  rig.exchange();
  rig.wait(39s);
  CHECK(rig.relays->is_pending());
  rig.wait(1s);
  CHECK_FALSE(rig.relays->is_pending());
  CHECK(rig.all<Relays::Failed>().size() == 1);
}

TEST_CASE("ChannelData and indications are unwrapped once, and only from their server", "[TURN-14]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add({server.address}));
  rig.exchange();
  const Address relayed = rig.all<Relays::Allocated>()[0].relayed;
  REQUIRE(rig.relays->want_permission(rig.now, relayed, kPeer));
  rig.wait(100ms);
  const Path way{kBase, server.address};
  // A datagram of the peer that looks like the server's own: it comes out as the peer's.
  ByteVector inner(100);
  stun::Writer w(inner, stun::Class::Success, {5}, Method::Allocate);
  inner.resize(w.finish());
  const auto outer = TurnServer::data_indication(kPeer, inner);
  const auto unwrapped = rig.relays->unwrap(rig.now, way, outer);
  REQUIRE(unwrapped);
  CHECK(unwrapped->is_data);
  CHECK(unwrapped->path == Path{relayed, kPeer});
  CHECK(equal(unwrapped->bytes, inner));
  // From elsewhere, and to another socket of ours: none of the server's.
  CHECK_FALSE(rig.relays->unwrap(rig.now, {kBase, kPeer}, outer));
  CHECK_FALSE(rig.relays->unwrap(rig.now, {at("192.0.2.2", 4000), server.address}, outer));
  // Binding is between ICE and the server's STUN side; DTLS from its address is nothing of TURN's.
  ByteVector binding(100);
  stun::Writer b(binding, stun::Class::Success, {5});
  binding.resize(b.finish());
  CHECK_FALSE(rig.relays->unwrap(rig.now, way, binding));
  CHECK_FALSE(rig.relays->unwrap(rig.now, way, hex("16fefd00")));
}

TEST_CASE("a server that relays from an address of our own is not believed", "[ATK-17][TURN-09]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  server.relay_v4 = kBase;
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add({server.address}));
  rig.exchange();
  CHECK(rig.all<Relays::Allocated>().empty());
  CHECK(rig.all<Relays::Failed>().size() == 1);
  CHECK(server.allocations.empty());
  CHECK_FALSE(rig.relays->owns(kBase));
}

TEST_CASE("servers and allocations are limited, and what is given is checked",
          "[lim.turn.servers][lim.turn.allocations]") {
  Limits limits;
  limits.turn_servers = 2;
  limits.turn_allocations = 3;
  Rig rig(limits);
  for (int i = 1; i <= 2; ++i)
    REQUIRE(rig.relays->add_base(rig.now, at("192.0.2." + std::to_string(i), 4000)));
  const Address one = at("203.0.113.1", 3478);
  CHECK(rig.relays->add_server(rig.now, {std::span(&one, 1), TurnTransport::Udp, "", "", "x"}).error() ==
        ErrorCode::InvalidArgument);
  CHECK(rig.relays
            ->add_server(rig.now, {std::span(&one, 1), TurnTransport::Udp, "", "x", std::string(509, 'x')})
            .error() == ErrorCode::InvalidArgument);
  CHECK(rig.relays->add_server(rig.now, {std::span(&one, 1), TurnTransport::Tls, "", "x", "x"}).error() ==
        ErrorCode::InvalidArgument);
  CHECK(rig.add({}).error() == ErrorCode::Refused);
  CHECK(rig.add({at("0.0.0.0", 1)}).error() == ErrorCode::Refused);
  REQUIRE(rig.add({one}));
  REQUIRE(rig.add({at("203.0.113.2", 3478)}));
  CHECK(rig.add({at("203.0.113.3", 3478)}).error() == ErrorCode::LimitReached);
  rig.exchange();
  rig.wait(1s);
  CHECK(std::set<std::pair<Address, Address>>([&] {
          std::set<std::pair<Address, Address>> ways;
          for (const Path& path : rig.sent) ways.insert({path.local, path.remote});
          return ways;
        }())
            .size() == 3);
}

TEST_CASE("a socket that goes takes its allocations along, and leaves their places to others", "[TURN-16]") {
  Limits limits;
  limits.turn_allocations = 2;
  limits.ice_local_candidates = 2;
  Rig rig(limits);
  TurnServer& server = rig.add_host("203.0.113.1");
  const Address other = at("192.0.2.2", 4000);
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.relays->add_base(rig.now, other));
  REQUIRE(rig.add({server.address}));
  rig.wait(1s);
  REQUIRE(rig.all<Relays::Allocated>().size() == 2);
  const Address relayed = rig.all<Relays::Allocated>()[0].relayed;
  REQUIRE(rig.all<Relays::Allocated>()[0].base == kBase);
  for (int flaps = 1; flaps <= 3; ++flaps) {
    rig.sent.clear();
    rig.events.clear();
    rig.relays->remove_base(rig.now, kBase);
    rig.exchange();
    rig.wait(50s);
    REQUIRE(rig.all<Relays::Lost>().size() == 1);
    if (flaps == 1) CHECK(rig.all<Relays::Lost>()[0].relayed == relayed);
    CHECK(rig.all<Relays::Failed>().empty());  // it is our own doing
    CHECK_FALSE(rig.relays->owns(relayed));
    for (const Path& path : rig.sent) CHECK(path.local == other);
    // Back at the same port: asked from anew.
    server.allocations.erase(kBase);
    REQUIRE(rig.relays->add_base(rig.now, kBase));
    rig.wait(1s);
    REQUIRE(rig.all<Relays::Allocated>().size() == 1);
    CHECK(rig.all<Relays::Allocated>()[0].base == kBase);
  }
  // Other ports take the places of those that went, and what has not begun yet does not begin.
  rig.events.clear();
  rig.sent.clear();
  for (std::uint16_t port = 4001; port < 4080; ++port) {
    rig.relays->remove_base(rig.now, kBase.with_port(static_cast<std::uint16_t>(port - 1)));
    rig.exchange();
    REQUIRE(rig.relays->add_base(rig.now, kBase.with_port(port)));
  }
  CHECK(rig.relays->is_pending());
  rig.wait(1s);
  REQUIRE(rig.all<Relays::Allocated>().size() == 1);
  CHECK(rig.all<Relays::Allocated>()[0].base == kBase.with_port(4079));
  for (const Path& path : rig.sent) CHECK((path.local == other || path.local == kBase.with_port(4079)));
  rig.relays->remove_base(rig.now, at("192.0.2.9", 1));  // no base: nothing happens
  rig.exchange();
  CHECK(rig.all<Relays::Lost>().size() == 1);
}

TEST_CASE("gathering anew keeps what stands, and leaves who asked for it alone", "[TURN-25]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add({server.address}));
  rig.exchange();
  REQUIRE(rig.add({server.address}));
  rig.wait(1s);
  CHECK(server.count(Method::Allocate) == 2);
  for (const auto& [code, wait] :
       {std::pair{486, Duration(60s)}, std::pair{508, Duration(60s)}, std::pair{437, Duration(120s)}}) {
    Rig refused;
    TurnServer& busy = refused.add_host("203.0.113.1");
    busy.refusals[Method::Allocate].push_back({code});
    REQUIRE(refused.relays->add_base(refused.now, kBase));
    REQUIRE(refused.add({busy.address}));
    refused.exchange();
    REQUIRE(refused.all<Relays::Failed>().size() == 1);
    CHECK(refused.all<Relays::Failed>()[0].code == code);
    refused.wait(wait - 1s);
    REQUIRE(refused.add({busy.address}));
    refused.wait(500ms);
    CHECK(busy.count(Method::Allocate) == 2);
    refused.wait(1s);
    REQUIRE(refused.add({busy.address}));
    refused.wait(1s);
    CHECK(busy.count(Method::Allocate) == 4);
    CHECK(refused.all<Relays::Allocated>().size() == 1);
  }
}

TEST_CASE("gathering anew finds out that a NAT gave us another address: the server knows us no more",
          "[TURN-29][ICE-NAT-03]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add({server.address}));
  rig.exchange();
  server.allocations.clear();
  REQUIRE(rig.add({server.address}));
  CHECK(rig.relays->is_pending());  // gathering waits for the answer, and for what replaces the allocation
  rig.wait(1s);
  CHECK_FALSE(rig.relays->is_pending());
  CHECK(rig.all<Relays::Lost>().size() == 1);
  CHECK(rig.all<Relays::Failed>().empty());
  REQUIRE(rig.all<Relays::Allocated>().size() == 2);
  CHECK(rig.all<Relays::Allocated>()[1].base == kBase);
  CHECK(server.allocations.size() == 1);
  // Nobody asked: then it is a failure like any other.
  server.allocations.clear();
  rig.wait(700s);
  CHECK(rig.all<Relays::Failed>().size() == 1);
  CHECK(rig.all<Relays::Allocated>().size() == 2);
  // A server that says nothing does not hold gathering up for long.
  Rig silent;
  TurnServer& dead = silent.add_host("203.0.113.1");
  REQUIRE(silent.relays->add_base(silent.now, kBase));
  REQUIRE(silent.add({dead.address}));
  silent.exchange();
  dead.is_silent = true;
  REQUIRE(silent.add({dead.address}));
  silent.wait(9s);
  CHECK(silent.relays->is_pending());
  silent.wait(2s);
  CHECK_FALSE(silent.relays->is_pending());
}

TEST_CASE("one server by two names is asked once, and holds nothing up") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add_as("a.example.org", "alice", {server.address}));
  REQUIRE(rig.add_as("", "alice", {server.address, server.address}));
  rig.exchange();
  REQUIRE(rig.add_as("b.example.org", "alice", {server.address}));
  rig.exchange();
  rig.wait(1s);
  CHECK_FALSE(rig.relays->is_pending());
  CHECK(server.count(Method::Allocate) == 2);  // without and with credentials
  CHECK(rig.all<Relays::Allocated>().size() == 1);
  // A socket that comes later: the same.
  REQUIRE(rig.relays->add_base(rig.now, at("192.0.2.2", 4000)));
  rig.wait(1s);
  CHECK(server.count(Method::Allocate) == 4);
  CHECK_FALSE(rig.relays->is_pending());
  CHECK(rig.all<Relays::Failed>().empty());
  // Restarts of ICE name all of them again.
  for (const std::string_view name : {"a.example.org", "b.example.org", ""})
    REQUIRE(rig.add_as(name, "alice", {server.address}));
  rig.wait(60s);
  CHECK(server.count(Method::Allocate) == 4);
  CHECK(server.count(Method::Refresh) == 2);
  CHECK(rig.all<Relays::Failed>().empty());
}

TEST_CASE("a silent server of two names fails once, and leaves a place to another") {
  Limits limits;
  limits.turn_allocations = 2;
  Rig rig(limits);
  TurnServer& silent = rig.add_host("203.0.113.1");
  silent.is_silent = true;
  TurnServer& other = rig.add_host("203.0.113.2");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add_as("a.example.org", "alice", {silent.address}));
  REQUIRE(rig.add_as("b.example.org", "alice", {silent.address}));
  REQUIRE(rig.add({other.address}));
  rig.wait(39s);
  CHECK(rig.all<Relays::Allocated>().size() == 1);
  CHECK(rig.relays->is_pending());
  rig.wait(1s);
  CHECK_FALSE(rig.relays->is_pending());
  CHECK(rig.all<Relays::Failed>().size() == 1);
}

TEST_CASE("of two accounts on one server the first that works is taken") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  SECTION("the second does not") {
    REQUIRE(rig.add_as("a.example.org", "alice", {server.address}));
    REQUIRE(rig.add_as("b.example.org", "bob", {server.address}));
    rig.exchange();
    rig.wait(1s);
    CHECK(rig.all<Relays::Failed>().empty());
  }
  SECTION("the first does not") {
    REQUIRE(rig.add_as("b.example.org", "bob", {server.address}));
    REQUIRE(rig.add_as("a.example.org", "alice", {server.address}));
    rig.exchange();
    rig.wait(1s);
    REQUIRE(rig.all<Relays::Failed>().size() == 1);
    CHECK(rig.all<Relays::Failed>()[0].code == 401);
  }
  SECTION("the first does not, as the second is still being asked for") {
    REQUIRE(rig.add_as("b.example.org", "bob", {server.address}));
    REQUIRE(rig.add_as("a.example.org", "alice", {server.address}));
    const auto proven = rig.take_proven();
    REQUIRE(proven.size() == 2);
    rig.relays->unwrap(rig.now, proven[0].first, rig.answer_to(proven[0]));
    rig.exchange();
    REQUIRE(rig.all<Relays::Failed>().size() == 1);
    CHECK(rig.all<Relays::Failed>()[0].code == 401);
    CHECK(rig.relays->is_pending());
    rig.relays->unwrap(rig.now, proven[1].first, rig.answer_to(proven[1]));
    rig.exchange();
  }
  SECTION("both are asked for, and each hears its answers, whatever their order") {
    REQUIRE(rig.add_as("b.example.org", "bob", {server.address}));
    REQUIRE(rig.add_as("a.example.org", "alice", {server.address}));
    const auto asked = rig.take_asked();
    REQUIRE(asked.size() == 2);
    const ByteVector to_first = rig.answer_to(asked[0]), to_second = rig.answer_to(asked[1]);
    CHECK(rig.relays->unwrap(rig.now, asked[1].first, to_second)->drop == Drop::None);
    CHECK(rig.relays->unwrap(rig.now, asked[0].first, to_first)->drop == Drop::None);
    CHECK(rig.relays->unwrap(rig.now, asked[0].first, to_first)->drop == Drop::StunNoTransaction);
    // Nothing is deleted for the one that comes too late: it would be the other's.
    const auto proven = rig.take_sent();
    REQUIRE(proven.size() == 2);
    rig.relays->unwrap(rig.now, proven[1].first, rig.answer_to(proven[1]));
    CHECK(rig.all<Relays::Failed>().empty());
    rig.exchange();
    rig.wait(60s);
    CHECK(server.count(Method::Refresh) == 0);
    CHECK(rig.all<Relays::Failed>().empty());
  }
  SECTION("both work, and the second learns first that there can be but one") {
    REQUIRE(rig.add_as("a.example.org", "alice", {server.address}));
    REQUIRE(rig.add_as("b.example.org", "bob", {server.address}));
    const auto proven = rig.take_proven();
    REQUIRE(proven.size() == 2);
    const ByteVector granted = rig.answer_to(proven[0]);
    server.user = "bob";
    rig.relays->unwrap(rig.now, proven[1].first, rig.answer_to(proven[1]));
    rig.exchange();
    CHECK(rig.relays->is_pending());
    server.user = "alice";
    rig.relays->unwrap(rig.now, proven[0].first, granted);
    rig.exchange();
    CHECK(rig.all<Relays::Failed>().empty());
  }
  CHECK_FALSE(rig.relays->is_pending());
  REQUIRE(rig.all<Relays::Allocated>().size() == 1);
  // What comes by it is for who has it.
  const Address relayed = rig.all<Relays::Allocated>()[0].relayed;
  REQUIRE(rig.add_as("c.example.org", "carol", {server.address}));
  REQUIRE(rig.relays->want_permission(rig.now, relayed, kPeer));
  rig.wait(1s);
  CHECK(rig.relays->is_permitted(rig.now, relayed, kPeer));
  const auto data = TurnServer::data_indication(kPeer, as_bytes("hello"));
  const auto unwrapped = rig.relays->unwrap(rig.now, {kBase, server.address}, data);
  REQUIRE(unwrapped);
  CHECK(unwrapped->is_data);
  CHECK_FALSE(rig.relays->is_pending());
  CHECK(server.allocations.size() == 1);
}

TEST_CASE("gathering anew knows a server whose name has its addresses in another order, or not all of them",
          "[TURN-29][ICE-NAT-03]") {
  Rig rig;
  TurnServer& one = rig.add_host("203.0.113.1");
  TurnServer& two = rig.add_host("203.0.113.2");
  const Address six = at("2001:db8::1", 3478);
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add({six, one.address, two.address}));
  rig.exchange();
  rig.wait(1s);
  REQUIRE(rig.all<Relays::Allocated>().size() == 1);
  std::size_t refreshed = 0;
  for (const auto& addresses :
       {std::vector{two.address, one.address}, std::vector{one.address}, std::vector{two.address, six}}) {
    REQUIRE(rig.add(addresses));
    CHECK(rig.relays->is_pending());
    rig.wait(1s);
    CHECK_FALSE(rig.relays->is_pending());
    CHECK(one.count(Method::Refresh) == ++refreshed);
  }
  CHECK(one.count(Method::Allocate) == 2);
  CHECK(two.requests.empty());
  // It is no more, and one of its addresses has moved: that one is asked.
  one.is_silent = true;
  rig.wait(1200s);
  REQUIRE(rig.all<Relays::Failed>().size() == 1);
  TurnServer& three = rig.add_host("203.0.113.3");
  REQUIRE(rig.add({three.address, one.address}));
  rig.wait(1s);
  REQUIRE(rig.all<Relays::Allocated>().size() == 2);
  CHECK(rig.all<Relays::Allocated>()[1].server == three.address);
  CHECK(two.requests.empty());
  // A name that had other addresses for a while: both allocations are verified.
  one.is_silent = false;
  rig.add_host("203.0.113.4");
  REQUIRE(rig.add({at("203.0.113.4", 3478)}));
  rig.wait(1s);
  REQUIRE(rig.all<Relays::Allocated>().size() == 3);
  TurnServer& four = *rig.servers.back();
  REQUIRE(rig.add({at("203.0.113.4", 3478), three.address}));
  rig.wait(1s);
  CHECK(three.count(Method::Refresh) == 1);
  CHECK(four.count(Method::Refresh) == 1);
  CHECK(rig.all<Relays::Allocated>().size() == 3);
}

TEST_CASE("a server that sends us on to where we are already is no failure", "[TURN-39]") {
  Rig rig;
  TurnServer& one = rig.add_host("203.0.113.1");
  TurnServer& two = rig.add_host("203.0.113.2");
  const auto send_on = [&] {
    one.refusals[Method::Allocate].push_back(
        {300, true, [&](auto& w) { w.address(stun::Attribute::AlternateServer, two.address); }});
  };
  send_on();
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  SECTION("another server of ours") {
    REQUIRE(rig.add({two.address}));
    rig.wait(1s);
    REQUIRE(rig.add({one.address}));
    rig.wait(1s);
    CHECK(two.count(Method::Allocate) == 2);
  }
  SECTION("that is being asked") {
    two.is_silent = true;
    REQUIRE(rig.add({two.address}));
    REQUIRE(rig.add({one.address}));
    rig.exchange();
    rig.wait(100ms);
    CHECK(one.count(Method::Allocate) == 2);
    two.is_silent = false;
    rig.wait(1s);
  }
  SECTION("another of its own addresses, which was slower") {
    REQUIRE(rig.add({one.address, two.address}));
    rig.exchange();
    rig.wait(1s);
  }
  CHECK_FALSE(rig.relays->is_pending());
  REQUIRE(rig.all<Relays::Allocated>().size() == 1);
  CHECK(rig.all<Relays::Allocated>()[0].server == two.address);
  rig.wait(60s);
  CHECK(rig.all<Relays::Failed>().empty());
  CHECK(one.allocations.size() + two.allocations.size() == 1);
  CHECK(two.count(Method::Refresh) == 0);
}

TEST_CASE("half a frame of the connection that sent us on is none of the next", "[TURN-15][TURN-39]") {
  Rig rig;
  TurnServer& one = rig.add_host("203.0.113.1");
  TurnServer& two = rig.add_host("203.0.113.2");
  one.refusals[Method::Allocate].push_back(
      {300, true, [&](auto& w) { w.address(stun::Attribute::AlternateServer, two.address); }});
  REQUIRE(rig.add({one.address}, TurnTransport::Tcp));
  rig.opens_streams = false;
  rig.exchange();
  REQUIRE(rig.all<Relays::StreamNeeded>().size() == 1);
  const StreamId first = rig.all<Relays::StreamNeeded>()[0].stream;
  rig.relays->stream_opened(rig.now, first);
  // By hand: the request without credentials, its answer, the one with them, and the answer to that with half a frame behind it.
  const Address client = at("192.0.2.1", 40000);
  ByteVector out(2560);
  for (const bool is_last : {false, true}) {
    const std::size_t size = rig.relays->poll_stream(rig.now, first, out);
    const auto replies = one.handle(client, one.address, Bytes(out).first(size));
    REQUIRE(replies.size() == 1);
    ByteVector bytes = replies[0].bytes;
    if (is_last) bytes.insert(bytes.end(), {0x40, 0x00, 0x00});
    rig.feed(first, bytes);
  }
  rig.opens_streams = true;
  rig.exchange();
  REQUIRE(rig.all<Relays::StreamNeeded>().size() == 2);
  CHECK(rig.all<Relays::StreamNeeded>()[1].server == two.address);
  REQUIRE(rig.all<Relays::Allocated>().size() == 1);
  CHECK(rig.all<Relays::Allocated>()[0].server == two.address);
}

TEST_CASE("closing deletes what there is", "[TURN-17]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.add({server.address}));
  REQUIRE(rig.add({server.address}, TurnTransport::Tcp));
  rig.exchange();
  rig.wait(1s);
  CHECK(server.allocations.size() == 2);
  rig.relays->close(rig.now);
  rig.relays->close(rig.now);
  CHECK(rig.relays->next_timeout() == kNever);
  rig.exchange();
  CHECK(server.allocations.empty());
  CHECK(rig.all<Relays::Failed>().empty());
  CHECK_FALSE(rig.relays->add_base(rig.now, at("192.0.2.9", 1)));
}

TEST_CASE("the address that answered first is forgotten with the last allocation there", "[TURN-25]") {
  for (const bool asks_again : {false, true}) {
    Rig rig;
    TurnServer& four = rig.add_host("203.0.113.1");
    TurnServer& six = rig.add_host("2001:db8::1");
    const Address base6 = at("2001:db8::99", 4000);
    REQUIRE(rig.relays->add_base(rig.now, base6));
    REQUIRE(rig.add({six.address, four.address}));
    rig.exchange();
    rig.wait(1s);
    REQUIRE(rig.all<Relays::Allocated>().size() == 1);
    CHECK(rig.all<Relays::Allocated>()[0].server == six.address);
    // The network with IPv6 goes, one with IPv4 alone comes.
    rig.relays->remove_base(rig.now, base6);
    rig.exchange();
    rig.wait(5s);
    REQUIRE(rig.all<Relays::Lost>().size() == 1);
    REQUIRE(rig.relays->add_base(rig.now, kBase));
    if (asks_again) REQUIRE(rig.add({six.address, four.address}));
    rig.exchange();
    rig.wait(60s);
    CAPTURE(asks_again);
    CHECK(rig.all<Relays::Allocated>().size() == 2);
    CHECK(four.count(Method::Allocate) == 2);
  }
}

TEST_CASE("a full server is asked from no other socket for a minute", "[TURN-25]") {
  for (const int code : {486, 508}) {
    Rig rig;
    TurnServer& server = rig.add_host("203.0.113.1");
    for (int i = 0; i < 9; ++i) server.refusals[Method::Allocate].push_back({code});
    REQUIRE(rig.relays->add_base(rig.now, kBase));
    REQUIRE(rig.relays->add_base(rig.now, at("192.0.2.2", 4000)));
    REQUIRE(rig.add({server.address}));
    rig.exchange();
    CHECK(server.count(Method::Allocate) == 2);
    rig.wait(10s);
    CHECK(server.count(Method::Allocate) == 2);
    REQUIRE(rig.relays->add_base(rig.now, at("192.0.2.3", 4000)));
    rig.wait(10s);
    CHECK(server.count(Method::Allocate) == 2);
  }
}

TEST_CASE("the end of another allocation does not shorten the minute that a full server wants", "[TURN-25]") {
  Rig rig;
  TurnServer& server = rig.add_host("203.0.113.1");
  const Address other = at("192.0.2.2", 4000);
  REQUIRE(rig.relays->add_base(rig.now, kBase));
  REQUIRE(rig.relays->add_base(rig.now, other));
  REQUIRE(rig.add({server.address}));
  rig.exchange();
  REQUIRE(rig.all<Relays::Allocated>().size() == 1);
  server.refusals[Method::Allocate].push_back({486});
  rig.wait(1s);
  REQUIRE(rig.all<Relays::Failed>().size() == 1);
  const std::size_t before = server.count(Method::Allocate);
  rig.relays->remove_base(rig.now, kBase);
  rig.exchange();
  rig.wait(1s);
  REQUIRE(rig.add({server.address}));
  rig.wait(10s);
  CHECK(server.count(Method::Allocate) == before);
}

}  // namespace pollrtc::test
