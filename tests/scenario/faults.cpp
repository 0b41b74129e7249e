// Whole sessions over bad networks: each of them connects, and delivers every reliable message once, in order.
#include "scenario/two_peers.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

sim::LinkConfig random_link(sim::Random& random) {
  sim::LinkConfig link;
  link.delay = 1ms + random.up_to(120ms);
  link.jitter = random.up_to(60ms);
  link.jitter_reorders = true;
  link.loss = random.real() * 0.20;
  link.duplicate = random.real() * 0.10;
  return link;
}

std::string numbered(const std::string& who, int n, std::size_t size) {
  std::string text = who + std::to_string(n) + ":";
  while (text.size() < size) text += static_cast<char>('a' + (n + static_cast<int>(text.size())) % 26);
  return text;
}

}  // namespace

TEST_CASE("sessions with loss, reordering and duplication deliver every reliable message once, in order",
          "[SCTP-DATA-06][DTLS-10]") {
  sim::for_each_seed(1, 500, [](std::uint64_t seed) {
    sim::Random random(seed);
    TwoPeers t(seed, random_link(random));
    const auto [a, b] = t.connect();
    const int count = 12;
    std::vector<ReceivedMessage> from_alice, from_bob;
    for (int i = 0; i < count; ++i) {
      const std::size_t sizes[] = {1, 40, 1191, 5000, 16384};
      from_alice.push_back({numbered("a", i, sizes[random.index(5)]), random.chance(0.5)});
      from_bob.push_back({numbered("b", i, sizes[random.index(5)]), random.chance(0.5)});
      REQUIRE(t.alice.send(a, from_alice.back().data, from_alice.back().is_text));
      REQUIRE(t.bob.send(b, from_bob.back().data, from_bob.back().is_text));
      t.world.run_for(random.up_to(20ms));
    }
    const auto all_there = [&, a = a, b = b] {
      return t.bob.channels[b].messages.size() >= from_alice.size() &&
             t.alice.channels[a].messages.size() >= from_bob.size();
    };
    t.run_until(all_there, 120s);
    t.world.run_for(5s);  // long enough for a duplicate to show
    CHECK(t.bob.channels[b].messages == from_alice);
    CHECK(t.alice.channels[a].messages == from_bob);
    CHECK(t.alice.states.back() !=
          ConnectionState::Failed);  // two lost consent checks in a row disconnect for a while
    CHECK(t.bob.states.back() != ConnectionState::Failed);
  });
}

TEST_CASE("forty channels at once over a bad network lose nothing and mix nothing up", "[SCTP-DATA-06]") {
  sim::for_each_seed(1, 100, [](std::uint64_t seed) {
    sim::Random random(seed);
    TwoPeers t(seed, random_link(random));
    t.connect();
    std::vector<ChannelHandle> ours;
    for (int i = 0; i < 20; ++i) ours.push_back(t.alice.create({.label = "alice's " + std::to_string(i)}));
    for (int i = 0; i < 20; ++i) t.bob.create({.label = "bob's " + std::to_string(i)});
    const auto all_open = [&] { return t.alice.announced.size() == 20 && t.bob.announced.size() == 21; };
    t.run_until(all_open, 120s);
    // Each end of each channel says the label three times, all at once.
    const auto labels = [&](End& end) {
      std::map<std::string, ChannelHandle> found;
      for (auto& [handle, log] : end.channels) found[std::string(end.peer.channel(handle)->label)] = handle;
      return found;
    };
    const auto of_alice = labels(t.alice), of_bob = labels(t.bob);
    REQUIRE(of_alice.size() == 41);
    REQUIRE(of_bob.size() == 41);
    for (int round = 0; round < 3; ++round) {
      for (const auto& [label, handle] : of_alice) REQUIRE(t.alice.send(handle, label));
      for (const auto& [label, handle] : of_bob) REQUIRE(t.bob.send(handle, label));
    }
    const auto all_there = [&] {
      for (auto& [label, handle] : of_alice)
        if (t.alice.channels[handle].messages.size() < 3) return false;
      for (auto& [label, handle] : of_bob)
        if (t.bob.channels[handle].messages.size() < 3) return false;
      return true;
    };
    t.run_until(all_there, 120s);
    for (auto& [label, handle] : of_alice)
      CHECK(t.alice.channels[handle].messages == std::vector<ReceivedMessage>(3, {label, true}));
    for (auto& [label, handle] : of_bob)
      CHECK(t.bob.channels[handle].messages == std::vector<ReceivedMessage>(3, {label, true}));
  });
}

TEST_CASE("an end that goes silent is noticed: disconnected, then failed, and in the end its channels close",
          "[API-31][ICE-CONS-02]") {
  TwoPeers t(3);
  const auto [a, b] = t.connect();
  t.world.run_for(1s);
  t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.cut = true;
  t.world.link(TwoPeers::kBob, TwoPeers::kAlice).config.cut = true;
  const Time cut = t.world.now();
  REQUIRE(t.world.run_until([&] { return t.alice.peer.connection_state() == ConnectionState::Failed; }, 60s));
  CHECK(t.world.now() - cut >= 24s);  // the last answer may be almost six seconds old when the line is cut
  CHECK(t.world.now() - cut <= 37s);
  t.world.run_for(10s);
  const std::vector expected{ConnectionState::Connecting, ConnectionState::Connected,
                             ConnectionState::Disconnected, ConnectionState::Failed};
  CHECK(t.alice.states == expected);
  CHECK(t.bob.states == expected);
  // They wait for a restart of ICE, which does not come.
  CHECK(t.alice.channels[a].events.back() == "open");
  const auto sent = t.alice.node.datagrams_out();
  t.world.run_for(Limits().ice_restart_window);
  CHECK(t.alice.node.datagrams_out() == sent);  // and it is quiet from then on
  CHECK(t.alice.states == expected);
  CHECK(t.bob.states == expected);
  CHECK(t.alice.channels[a].events.back() == "closed:ConsentExpired");
  CHECK(t.bob.channels[b].events.back() == "closed:ConsentExpired");
}

TEST_CASE("a line that comes back before consent expires loses nothing", "[API-31]") {
  TwoPeers t(4);
  const auto [a, b] = t.connect();
  t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.cut = true;
  REQUIRE(t.alice.send(a, "late"));
  t.world.run_for(15s);
  CHECK(t.alice.peer.connection_state() == ConnectionState::Disconnected);
  t.world.heal();
  REQUIRE(t.world.run_until([&, b = b] { return !t.bob.channels[b].messages.empty(); }, 60s));
  t.world.run_for(10s);
  CHECK(t.both_connected());
  CHECK(t.bob.channels[b].messages == std::vector<ReceivedMessage>{{"late", true}});
}

TEST_CASE("garbage is counted by reason and changes nothing", "[ATK-01]") {
  TwoPeers t(5);
  const auto [a, b] = t.connect();
  const std::size_t heap = t.alice.environment.bytes_in_use();
  const auto total_drops = [&] {
    std::uint64_t sum = 0;
    for (const std::uint64_t n : t.alice.peer.stats().drops) sum += n;
    return sum;
  };
  const std::uint64_t drops = total_drops();
  sim::Random random(5);
  const Path from_stranger{TwoPeers::kAlice.with_port(5000), Address::v4(203, 0, 113, 9, 999)};
  const Path from_bob{TwoPeers::kAlice.with_port(5000), TwoPeers::kBob.with_port(5000)};
  std::array<std::uint8_t, 1500> out;
  const int count = 20'000;
  for (int i = 0; i < count; ++i) {
    std::vector<std::uint8_t> bytes(random.index(200));
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    const Drop drop =
        t.alice.peer.handle_datagram(t.world.now(), i % 2 == 0 ? from_stranger : from_bob, bytes);
    CHECK(drop != Drop::None);
    CHECK_FALSE(t.alice.peer.poll_transmit(t.world.now(), out));  // no reply to any of them
  }
  CHECK(total_drops() == drops + count);
  CHECK(t.alice.environment.bytes_in_use() == heap);
  CHECK(t.both_connected());
  REQUIRE(t.bob.send(b, "still here"));
  t.world.run_for(1s);
  CHECK(t.alice.channels[a].messages.size() == 1);
}
