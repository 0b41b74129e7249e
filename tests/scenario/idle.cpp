// Connections that nobody uses: what they still say, what they cost in memory, and what they notice.
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

// What one end sends and gets, by kind.
struct Seen {
  int checks = 0, records = 0, packets = 0;
  static void note(void* context, const TappedPacket& packet) {
    Seen& seen = *static_cast<Seen*>(context);
    if (packet.layer == PacketLayer::Sctp) return void(++seen.packets);
    ++(packet.bytes[0] <= 3 ? seen.checks : seen.records);
  }
};

struct Idle {
  explicit Idle(std::uint64_t seed, std::uint16_t max_ip_packet = 1500)
      : t(seed, {}, config(max_ip_packet, &seen), config(max_ip_packet, nullptr)) {
    handles = t.connect();
    t.world.run_for(30s);  // the search for the largest packet is over
  }
  static PeerConfig config(std::uint16_t max_ip_packet, Seen* seen) {
    PeerConfig config;
    config.max_ip_packet = max_ip_packet;
    if (seen != nullptr) config.tap = {Seen::note, seen};
    return config;
  }
  void cut(bool is_cut) {
    t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.cut = is_cut;
    t.world.link(TwoPeers::kBob, TwoPeers::kAlice).config.cut = is_cut;
  }
  Seen seen;
  TwoPeers t;
  std::pair<ChannelHandle, ChannelHandle> handles;
};

}  // namespace

TEST_CASE("a connection that nobody uses sends checks of consent and nothing else, for hours") {
  Idle idle(1);
  idle.seen = {};
  const std::size_t allocations = idle.t.alice.environment.allocations();
  idle.t.world.run_for(120min);
  CHECK(idle.seen.packets == 0);
  CHECK(idle.seen.records == 0);
  // A check each 4 to 6 s from either end, and its answer.
  CHECK(idle.seen.checks >= 4 * 120 * 60 / 6 - 4);
  CHECK(idle.seen.checks <= 4 * 120 * 60 / 4 + 4);
  CHECK(idle.t.alice.environment.allocations() == allocations);
  REQUIRE(idle.t.both_connected());
  // It is there at once when it is needed, either way.
  const Time asked = idle.t.world.now();
  REQUIRE(idle.t.alice.send(idle.handles.first, "ping"));
  idle.t.run_until([&] { return !idle.t.bob.channels[idle.handles.second].messages.empty(); }, 1s);
  REQUIRE(idle.t.bob.send(idle.handles.second, "pong"));
  idle.t.run_until([&] { return !idle.t.alice.channels[idle.handles.first].messages.empty(); }, 1s);
  CHECK(idle.t.world.now() - asked < 100ms);
  // And silent again.
  idle.t.world.run_for(30s);
  idle.seen = {};
  idle.t.world.run_for(10min);
  CHECK(idle.seen.packets == 0);
}

// docs/performance.md; what Environment::memory gave out.
TEST_CASE(
    "a connection that nobody uses holds less than 15 kB, and after a large message no more than its tables "
    "have grown") {
  for (std::uint64_t seed = 2; seed < 8; ++seed) {  // the ends wake up in another order
    CAPTURE(seed);
    Idle idle(seed);
    for (const auto* const end : {&idle.t.alice, &idle.t.bob})
      CHECK(end->environment.bytes_in_use() < 15'000);
    REQUIRE(idle.t.alice.send(idle.handles.first, std::string(100'000, 'x')));
    idle.t.run_until([&] { return !idle.t.bob.channels[idle.handles.second].messages.empty(); }, 1s);
    CHECK(idle.t.alice.environment.bytes_in_use() > 24'000);
    idle.t.world.run_for(30s);
    for (const auto* const end : {&idle.t.alice, &idle.t.bob})
      CHECK(end->environment.bytes_in_use() < 24'000);
  }
}

// So that of connections that are set up one after another few hold the memory of a handshake at once.
TEST_CASE(
    "the memory of the handshake goes 100 ms after the last record, that of later records after a second") {
  Seen seen;
  TwoPeers t(4, {}, Idle::config(1200, &seen), Idle::config(1200, nullptr));
  const auto in_use = [&] { return t.alice.environment.bytes_in_use(); };
  // How long after the last record less than `bytes` are held.
  const auto wait_for_rest = [&](std::size_t bytes) {
    Time last = t.world.now();
    for (int records = seen.records; in_use() >= bytes && t.world.now() - last < 20s; t.world.run_for(1ms))
      if (std::exchange(records, seen.records) != seen.records) last = t.world.now();
    return t.world.now() - last;
  };
  const auto [a, b] = t.connect();
  const std::size_t connected = in_use();
  const Duration first = wait_for_rest(16'000);
  CHECK(connected > 20'000);
  CHECK(first >= 99ms);
  CHECK(first <= 102ms);
  const std::size_t at_rest = in_use();
  REQUIRE(t.alice.send(a, "hello"));
  t.run_until([&, b = b] { return !t.bob.channels[b].messages.empty(); }, 1s);
  CHECK(in_use() > at_rest + 2'000);
  const Duration later = wait_for_rest(at_rest + 1'000);
  CHECK(later >= 999ms);
  CHECK(later <= 1002ms);
}

// Found by sim_peers, seed 1014135: T3 runs out while DTLS rests, and to wake it there is no memory.
TEST_CASE("who rests, and lacks the memory to wake, has no deadline in the past") {
  const auto seed = static_cast<std::uint64_t>(GENERATE(1, 2, 3));  // when checks of consent fall due
  CAPTURE(seed);
  Idle idle(seed);
  Peer& alice = idle.t.alice.peer;
  const auto& environment = idle.t.alice.environment;
  idle.cut(true);
  REQUIRE(idle.t.alice.send(idle.handles.first, "lost"));
  idle.t.world.run_for(1ms);
  const std::size_t awake = environment.bytes_in_use();
  idle.t.run_until([&] { return environment.bytes_in_use() + 2'000 < awake; },
                   20s);  // between two times of T3
  idle.t.alice.environment.fail_allocations_after(0);
  std::array<std::uint8_t, 1500> out;
  for (Time now = idle.t.world.now(); alice.connection_state() != ConnectionState::Failed;) {
    now = std::max(now, alice.next_timeout());
    alice.handle_timeout(now);
    REQUIRE(alice.next_timeout() > now);
    while (alice.poll_transmit(now, out)) {
    }
  }
  CHECK(environment.refused_allocations() > 0);
}

TEST_CASE("what waits for the next message goes back once a second has passed without one") {
  Idle idle(3);
  const auto count = [&] { return idle.t.bob.channels[idle.handles.second].messages.size(); };
  const auto in_use = [&] { return idle.t.alice.environment.bytes_in_use(); };
  const auto live = [&](Duration time) {
    for (const Time end = idle.t.world.now() + time; idle.t.world.now() < end;) {
      idle.t.world.run_for(50ms);
      idle.t.alice.peer.handle_timeout(idle.t.world.now());
    }
  };
  for (std::size_t i = 1; i <= 20; ++i) {  // whenever it looks, a message has just gone
    live(300ms);
    REQUIRE(idle.t.alice.send(idle.handles.first, std::string(100'000, 'x')));
    idle.t.run_until([&] { return count() == i; }, 5s);
    live(50ms);
    CHECK(in_use() > 100'000);
  }
  const std::size_t before = in_use();
  live(2100ms);  // it looks once a second
  CHECK(in_use() + 100'000 < before);
}

TEST_CASE("a connection that nobody uses notices within the time of consent that the other end is gone") {
  for (const std::uint64_t seed : std::initializer_list<std::uint64_t>{1, 2, 3, 4, 5}) {
    CAPTURE(seed);
    Idle idle(seed);
    idle.t.world.run_for(10min);
    idle.cut(true);
    const Time gone = idle.t.world.now();
    const auto state = [&] { return idle.t.alice.peer.connection_state(); };
    idle.t.run_until([&] { return state() == ConnectionState::Disconnected; }, 20s);
    idle.t.run_until([&] { return state() == ConnectionState::Failed; }, 31s);
    CHECK(idle.t.world.now() - gone <= 31s);
  }
}

TEST_CASE("a connection that nobody uses stands a pause of the path, and its end is told to the other") {
  Idle idle(7);
  idle.t.world.run_for(10min);
  idle.cut(true);
  idle.t.world.run_for(20s);
  CHECK(idle.t.alice.peer.connection_state() == ConnectionState::Disconnected);
  idle.cut(false);
  idle.t.run_until([&] { return idle.t.both_connected(); }, 10s);
  idle.t.world.run_for(10min);
  REQUIRE(idle.t.both_connected());
  idle.t.alice.peer.close(idle.t.world.now());
  idle.t.run_until([&] { return idle.t.bob.peer.connection_state() == ConnectionState::Closed; }, 1s);
  CHECK(idle.t.bob.channels[idle.handles.second].events.back() == "closed:RemoteAbort");
}
