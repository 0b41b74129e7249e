// The laws of an engine (base/engine.h) for turn::Client and ice::Relays, on random walks over all their calls with a server that
// refuses, is silent, lies and forgets: a deadline is a promise, draining ends, work and memory are bounded, the same inputs
// give the same bytes, an allocation that fails is an ordinary result.
#include <random>

#include "ice/relays.h"
#include "support/catch.h"
#include "unit/ice/turn_rig.h"

namespace pollrtc::test {
namespace {

const Address kOwn = at("192.0.2.1", 4000);
constexpr int kCodes[] = {300, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 500, 508};
constexpr int kMostWrites = 300;

struct Dice {
  explicit Dice(std::uint64_t seed) : random(seed) {}
  std::size_t operator()(std::size_t n) { return static_cast<std::size_t>(random() % n); }
  std::mt19937_64 random;
};

Address some_peer(Dice& pick) {
  return Address::v4(192, 0, 2, static_cast<std::uint8_t>(100 + pick(90)),
                     static_cast<std::uint16_t>(1 + pick(2)));
}

// The server changes its mind.
void vary(TurnServer& server, Dice& pick) {
  static constexpr Method kMethods[] = {Method::Allocate, Method::Refresh, Method::CreatePermission,
                                        Method::ChannelBind};
  const Method method = kMethods[pick(4)];
  switch (pick(8)) {
    case 0:
      server.is_silent = pick(3) == 0;
      break;
    case 1:
      server.signs = pick(4) != 0;
      break;
    case 2:
      server.nonce = "nonce " + std::to_string(pick(1000));
      break;
    case 3:
      server.allocations.clear();
      break;
    case 4:
      server.lifetime = static_cast<std::uint32_t>(pick(3) == 0 ? pick(3) : 600);
      break;
    default:
      server.refusals[method].push_back({kCodes[pick(std::size(kCodes))], pick(2) == 0});
  }
}

void walk_client(TestEnvironment& environment, std::uint64_t seed, int steps, std::string& out) {
  Dice pick(seed);
  environment.env.limits = pick(2) == 0 ? Limits::small() : Limits();
  turn::Account account(environment.env.memory);
  if (!account.username.assign(as_bytes("alice")) || !account.password.assign(as_bytes("secret"))) return;
  TurnServer server(at("203.0.113.9", 3478));
  server.is_lax = true;  // start() may come twice
  Client client(environment.env, account, {server.address, pick(2) == 0, pick(2) == 0});
  Time now{};
  std::vector<ByteVector> mail;
  ByteVector buffer(2560);
  const auto drain = [&] {
    int writes = 0;
    while (const std::size_t size = client.poll_packet(now, buffer)) {
      REQUIRE(++writes < kMostWrites);
      const Bytes packet = Bytes(buffer).first(size);
      out += to_hex(packet);
      for (const auto& reply : server.handle(kOwn, server.address, packet)) mail.push_back(reply.bytes);
    }
    Client::Event event;
    for (int events = 0; client.poll_event(event); ++events) REQUIRE(events < kMostWrites);
  };
  for (int step = 0; step < steps; ++step) {
    switch (pick(18)) {
      case 0:
        client.start(now);
        break;
      case 1:
      case 2:
        (void)client.want_permission(now, some_peer(pick));
        break;
      case 3:
        client.start_waiting(now);
        break;
      case 4:
        client.bind_channel(now, some_peer(pick));
        break;
      case 5:
        if (pick(3) == 0) client.forget_permission(some_peer(pick));
        if (pick(9) == 0) client.forget_permissions([&](const Address&) { return pick(2) == 0; });
        break;
      case 6:
        if (pick(9) == 0) client.refresh(now);
        if (pick(200) == 0) client.reject(now, 440, "of no use");
        if (pick(200) == 0) client.on_connection_lost(now, "lost");
        if (pick(300) == 0) client.close(now);
        break;
      case 7: {
        const Address to = some_peer(pick);
        const std::size_t room = client.headroom(to), size = pick(1200);
        const std::size_t wrapped = client.wrap(now, to, buffer, size);
        REQUIRE((wrapped == 0 || (client.is_permitted(now, to) && wrapped >= room + size)));
        break;
      }
      case 8:
        if (pick(12) == 0) vary(server, pick);
        break;
      case 9:
      case 14:
        drain();
        break;
      case 10:
      case 15:
        for (const ByteVector& bytes : std::exchange(mail, {})) {
          ByteVector copy = bytes;
          if (pick(20) == 0) copy[pick(copy.size())] ^= 1;
          const Client::Input got = client.handle(now, copy);
          REQUIRE((!got.is_data || client.is_permitted(now, got.peer)));
          if (pick(10) == 0) (void)client.handle(now, copy);  // twice
        }
        break;
      default: {
        const Time due = client.next_timeout();
        if (due == kNever || pick(3) != 0) break;
        now = std::max(now, due) + Duration(pick(8) == 0 ? pick(400'000'000) : 0);
        client.handle_timeout(now);
        REQUIRE(client.next_timeout() > now);
      }
    }
    if (client.state() == ClientState::Ended) REQUIRE(client.next_timeout() == kNever);
    REQUIRE((client.state() == ClientState::Allocated || client.relayed().empty()));
  }
  drain();
}

void walk_relays(TestEnvironment& environment, std::uint64_t seed, int steps, std::string& out) {
  using ice::Relays;
  Dice pick(seed);
  environment.env.limits = pick(2) == 0 ? Limits::small() : Limits();
  Relays relays(environment.env);
  TurnServer server(at("203.0.113.9", 3478));
  server.is_lax = true;  // it stands for several
  server.relay_v4 = at("203.0.113.9", 50000);
  const Address addresses[] = {server.address, server.address.with_port(3479), at("198.51.100.3", 3478)};
  Time now{};
  ByteVector buffer(2560);
  std::vector<StreamId> streams;
  std::vector<std::pair<Path, ByteVector>> mail;
  std::vector<std::pair<StreamId, ByteVector>> stream_mail;
  std::vector<Address> relayed;
  std::size_t allocated = 0;
  const auto base = [&] { return kOwn.with_port(static_cast<std::uint16_t>(4000 + pick(3))); };
  const auto drain = [&] {
    int writes = 0;
    while (const auto t = relays.poll_transmit(now, buffer)) {
      REQUIRE(++writes < kMostWrites);
      const Bytes packet = Bytes(buffer).first(t->size);
      out += to_hex(packet);
      for (const auto& reply : server.handle(t->path.local, server.address, packet))
        mail.emplace_back(t->path, reply.bytes);
    }
    for (const StreamId stream : streams)
      while (const std::size_t size = relays.poll_stream(now, stream, buffer)) {
        REQUIRE(++writes < kMostWrites);
        const Address client =
            kOwn.with_port(static_cast<std::uint16_t>(20000 + static_cast<std::uint32_t>(stream)));
        for (const auto& reply : server.handle(client, server.address, Bytes(buffer).first(size)))
          stream_mail.emplace_back(stream, reply.bytes);
      }
    Relays::Event event;
    for (int events = 0; relays.poll_event(event); ++events) {
      REQUIRE(events < kMostWrites);
      if (const auto* made = std::get_if<Relays::Allocated>(&event)) {
        relayed.push_back(made->relayed);
        REQUIRE(relays.owns(made->relayed));
        ++allocated;
      }
      if (const auto* lost = std::get_if<Relays::Lost>(&event)) {
        std::erase(relayed, lost->relayed);
        REQUIRE_FALSE(relays.owns(lost->relayed));
      }
      if (const auto* needed = std::get_if<Relays::StreamNeeded>(&event)) streams.push_back(needed->stream);
      if (const auto* done = std::get_if<Relays::StreamDone>(&event)) std::erase(streams, done->stream);
    }
  };
  for (int step = 0; step < steps; ++step) {
    const Address through = relayed.empty() ? at("203.0.113.9", 50000) : relayed[pick(relayed.size())];
    switch (pick(20)) {
      case 0:
        (void)relays.add_base(now, base());
        break;
      case 1:
        if (pick(6) == 0) (void)relays.remove_base(now, base());
        break;
      case 2: {
        const std::span<const Address> some(addresses, 1 + pick(3));
        const TurnTransport transport = pick(3) == 0 ? TurnTransport::Tcp : TurnTransport::Udp;
        (void)relays.add_server(now, {some, transport, "", pick(4) == 0 ? "bob" : "alice", "secret"});
        break;
      }
      case 3:
      case 4:
        (void)relays.want_permission(now, through, some_peer(pick));
        break;
      case 5:
        relays.bind_channel(now, {through, some_peer(pick)});
        break;
      case 6: {
        const Path path{through, some_peer(pick)};
        const std::size_t room = relays.headroom(path), size = pick(1200);
        (void)relays.can_send(path);
        const bool is_relayed = relays.owns(path.local);
        if (const auto sent = relays.wrap(now, path, buffer, size); sent && is_relayed)
          REQUIRE((sent->size >= size + room && relays.is_permitted(now, path.local, path.remote)));
        break;
      }
      case 7:
        if (pick(12) == 0) vary(server, pick);
        break;
      case 8:
      case 16:
        drain();
        break;
      case 9:
      case 17:
        for (const auto& [path, bytes] : std::exchange(mail, {})) {
          const auto inner = relays.unwrap(now, path, bytes);
          if (inner && inner->is_data)
            REQUIRE(relays.is_permitted(now, inner->path.local, inner->path.remote));
        }
        break;
      case 10:
      case 18:
        for (const auto& [stream, bytes] : std::exchange(stream_mail, {})) {
          Bytes chunk = bytes;
          for (int packets = 0; relays.next_from_stream(now, stream, chunk); ++packets)
            REQUIRE(packets < 100);
        }
        break;
      case 11:
        if (!streams.empty()) relays.stream_opened(now, streams[pick(streams.size())]);
        if (!streams.empty() && pick(9) == 0)
          relays.stream_closed(now, streams[pick(streams.size())], "reset");
        break;
      case 12:
        if (pick(9) == 0)
          relays.forget_permissions([&](const Address&, const Address&) { return pick(2) == 0; });
        if (pick(400) == 0) relays.close(now);
        break;
      default: {
        const Time due = relays.next_timeout();
        if (due == kNever || pick(3) != 0) break;
        now = std::max(now, due) + Duration(pick(8) == 0 ? pick(400'000'000) : 0);
        relays.handle_timeout(now);
        REQUIRE(relays.next_timeout() > now);
      }
    }
  }
  drain();
  REQUIRE(relayed.size() <= 2u * environment.env.limits.turn_allocations);
}

using Walk = void (*)(TestEnvironment&, std::uint64_t, int, std::string&);

}  // namespace

TEST_CASE(
    "a TURN client, and the relays: any order of calls is legal, each deadline brings a later one, draining "
    "ends") {
  for (const Walk walk : std::initializer_list<Walk>{walk_client, walk_relays}) {
    int long_ones = 0;
    for (std::uint64_t seed = 1; seed <= 120; ++seed) {
      INFO((walk == walk_client ? "client" : "relays") << ", seed " << seed);
      TestEnvironment one(seed), two(seed);
      std::string bytes, again;
      walk(one, seed, 1500, bytes);
      CHECK(one.bytes_in_use() == 0);
      long_ones += bytes.size() > 3000;  // it came as far as permissions and data
      if (seed % 10 != 0) continue;
      walk(two, seed, 1500, again);
      CHECK(again == bytes);
    }
    CHECK(long_ones > 25);
  }
}

TEST_CASE("a TURN client, and the relays: every allocation may fail") {
  for (const Walk walk : std::initializer_list<Walk>{walk_client, walk_relays})
    for (std::size_t successes = 0; successes < 80; ++successes) {
      TestEnvironment environment(5);
      environment.fail_allocations_after(successes);
      std::string bytes;
      walk(environment, 21, 300, bytes);
      CHECK(environment.bytes_in_use() == 0);
    }
}

TEST_CASE("a wrong call to a TURN client or the relays changes nothing and owes nothing") {
  TurnRig rig;
  const Address peer = at("192.0.2.50", 9);
  // Before it has an allocation.
  rig.client->bind_channel(rig.now, peer);
  rig.client->forget_permission(peer);
  rig.client->refresh(rig.now);
  rig.client->start_waiting(rig.now);
  ByteVector out(1500);
  CHECK(rig.client->poll_packet(rig.now, out) == 0);
  CHECK(rig.client->wrap(rig.now, peer, out, 10) == 0);
  CHECK(rig.client->next_timeout() == kNever);
  rig.start();
  REQUIRE(rig.client->state() == ClientState::Allocated);
  const Time due = rig.client->next_timeout();
  // For a peer that has no permission; started twice; an answer that nobody waits for.
  rig.client->bind_channel(rig.now, peer);
  rig.client->start(rig.now);
  rig.client->forget_permission(peer);
  CHECK(rig.client->handle_packet(rig.now, {}) != Drop::None);
  CHECK(rig.client->poll_packet(rig.now, out) == 0);
  CHECK(rig.client->next_timeout() == due);
  CHECK(rig.client->wrap(rig.now, peer, out, 10) == 0);

  TestEnvironment environment(1);
  ice::Relays relays(environment.env);
  CHECK_FALSE(relays.remove_base(Time{}, kOwn));
  CHECK_FALSE(relays.want_permission(Time{}, kOwn, peer));
  relays.bind_channel(Time{}, {kOwn, peer});
  relays.stream_opened(Time{}, StreamId{7});
  relays.stream_closed(Time{}, StreamId{7}, "none of ours");
  Bytes chunk = out;
  CHECK_FALSE(relays.next_from_stream(Time{}, StreamId{7}, chunk));
  CHECK(relays.poll_stream(Time{}, StreamId{7}, out) == 0);
  const auto as_it_is = relays.wrap(Time{}, {kOwn, peer}, out, 10);  // no relay's: nothing is put around it
  CHECK((as_it_is && as_it_is->size == 10 && as_it_is->path == Path{kOwn, peer}));
  CHECK_FALSE(relays.unwrap(Time{}, {kOwn, peer}, out));
  CHECK(relays.add_server(Time{}, {}).error() == ErrorCode::InvalidArgument);
  CHECK_FALSE(relays.poll_transmit(Time{}, out));
  CHECK(relays.next_timeout() == kNever);
  CHECK_FALSE(relays.is_pending());
  ice::Relays::Event event;
  CHECK_FALSE(relays.poll_event(event));
}

}  // namespace pollrtc::test
