// Bounds and losses: what comes before its channel, floods of channels, partial reliability, ends at any moment.
#include <cstdio>
#include <set>

#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

std::vector<std::string> texts(const ChannelLog& log) {
  std::vector<std::string> list;
  for (const ReceivedMessage& m : log.messages) list.push_back(m.data);
  return list;
}

// "000", "001" ... sent in that order.
std::string nth(int n) {
  char text[8];
  std::snprintf(text, sizeof text, "%03d", n);
  return text;
}

void lose(TwoPeers& t, double loss) {
  t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.loss = loss;
  t.world.link(TwoPeers::kBob, TwoPeers::kAlice).config.loss = loss;
}

// One channel of this kind; 300 messages at 5 ms under loss; what arrived, a minute after the loss has ended.
std::vector<std::string> send_under_loss(std::uint64_t seed, const ChannelOptions& options) {
  TwoPeers t(seed);
  const auto [a, b] = t.connect(options);
  t.world.run_for(5s);  // all of the set-up is acknowledged
  lose(t, 0.2);
  for (int i = 0; i < 300; ++i) {
    REQUIRE(t.alice.send(a, nth(i)));
    t.world.run_for(5ms);
  }
  lose(t, 0);
  t.world.run_for(60s);
  CHECK(t.alice.peer.channel(a)->buffered_amount == 0);
  REQUIRE(t.alice.send(a, "last"));
  t.world.run_for(5s);
  auto got = texts(t.bob.channels[b]);
  REQUIRE_FALSE(got.empty());
  CHECK(got.back() == "last");  // the channel is as good as new
  got.pop_back();
  CHECK(std::set<std::string>(got.begin(), got.end()).size() == got.size());  // none twice
  return got;
}

}  // namespace

TEST_CASE("without retransmissions what is lost stays lost, and the rest keeps its order") {
  const auto got = send_under_loss(1, {.label = "u", .max_retransmits = 0});
  CHECK(got.size() < 290);
  CHECK(got.size() > 150);
  CHECK(std::is_sorted(got.begin(), got.end()));
}

TEST_CASE("unordered: a message does not wait for one that was lost before it") {
  const auto got = send_under_loss(2, {.label = "u", .ordered = false});
  CHECK(got.size() == 300);
  CHECK_FALSE(std::is_sorted(got.begin(), got.end()));
}

TEST_CASE("ordered and reliable: all, in order") {
  const auto got = send_under_loss(3, {.label = "r"});
  CHECK(got.size() == 300);
  CHECK(std::is_sorted(got.begin(), got.end()));
}

TEST_CASE("unordered without retransmissions: a subset") {
  const auto got = send_under_loss(4, {.label = "u", .ordered = false, .max_retransmits = 0});
  CHECK(got.size() < 290);
  CHECK(got.size() > 150);
}

TEST_CASE("reliability holds for both directions of a channel that one end opened", "[DCEP-08]") {
  TwoPeers t(5);
  const auto [a, b] = t.connect({.label = "u", .max_retransmits = 0});
  t.world.run_for(5s);
  lose(t, 0.2);
  for (int i = 0; i < 300; ++i) {
    REQUIRE(t.bob.send(b, nth(i)));
    t.world.run_for(5ms);
  }
  lose(t, 0);
  t.world.run_for(60s);
  const auto got = texts(t.alice.channels[a]);
  CHECK(got.size() < 290);
  CHECK(std::is_sorted(got.begin(), got.end()));
}

TEST_CASE("a message whose life time is over is given up, one still alive is not", "[DCEP-23]") {
  TwoPeers t(6);
  const auto [a, b] = t.connect({.label = "short", .max_lifetime_ms = 500});
  t.world.run_for(5s);
  const auto cut = [&](bool is_cut) {
    t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.cut = is_cut;
    t.world.link(TwoPeers::kBob, TwoPeers::kAlice).config.cut = is_cut;
  };
  cut(true);
  REQUIRE(t.alice.send(a, "dies"));
  t.world.run_for(3s);
  cut(false);
  t.world.run_for(20s);
  CHECK(t.bob.channels[b].messages.empty());
  REQUIRE(t.alice.send(a, "lives"));
  t.world.run_for(1s);
  CHECK(texts(t.bob.channels[b]) == std::vector<std::string>{"lives"});
  CHECK(t.both_connected());
}

TEST_CASE("data for a negotiated channel that is created late is kept for it", "[DCEP-05]") {
  TwoPeers t(7);
  t.connect();
  const ChannelOptions late{.label = "late", .negotiated = true, .id = 100};
  const ChannelHandle a = t.alice.create(late);
  REQUIRE(t.alice.send(a, "one"));
  REQUIRE(t.alice.send(a, ""));
  REQUIRE(t.alice.send(a, "three", false));
  t.world.run_for(1s);
  const ChannelHandle b = t.bob.create(late);
  t.world.run_for(1s);
  CHECK(t.bob.channels[b].messages ==
        std::vector<ReceivedMessage>{{"one", true}, {"", true}, {"three", false}});
  CHECK(t.bob.channels[b].events == std::vector<std::string>{"open"});
}

TEST_CASE("more of it than the limit closes that channel, and no other", "[DCEP-05]") {
  TwoPeers t(8);
  const auto first = t.connect();
  const ChannelHandle a = t.alice.create({.negotiated = true, .id = 100});
  const ChannelHandle patient = t.alice.create({.negotiated = true, .id = 102});
  REQUIRE(t.alice.send(patient, "kept"));
  for (int i = 0; i < 5; ++i) REQUIRE(t.alice.send(a, std::string(16 * 1024, 'x')));
  t.world.run_for(2s);
  CHECK(t.alice.channels[a].events == std::vector<std::string>{"open", "closing", "closed:Remote"});
  CHECK(t.bob.peer.stats().drops[static_cast<std::size_t>(Drop::ChannelLimit)] >= 1);
  const ChannelHandle b = t.bob.create({.negotiated = true, .id = 102});
  t.world.run_for(1s);
  CHECK(texts(t.bob.channels[b]) == std::vector<std::string>{"kept"});
  speak(t, first);
}

TEST_CASE("data kept for a stream is not given to a channel opened after that stream's end", "[DCEP-05]") {
  TwoPeers t(9);
  t.connect();                                                            // id 1
  const ChannelHandle a = t.alice.create({.negotiated = true, .id = 0});  // an id of Bob's parity
  REQUIRE(t.alice.send(a, "for the negotiated one"));
  REQUIRE(t.alice.peer.close_channel(t.world.now(), a));
  t.world.run_for(5s);
  const ChannelHandle b = t.bob.create({.label = "another"});
  CHECK(t.bob.peer.channel(b)->id == 0);
  t.world.run_for(5s);
  CHECK(t.bob.channels[b].messages.empty());
}

TEST_CASE("a flood of OPENs: so many channels, the rest closed, memory bounded, the first one lives",
          "[ATK-15]") {
  Limits many;
  many.dc_channels = 65535;
  TwoPeers t(10, {}, {}, {}, many, Limits{});
  t.alice.environment.env.log.level = LogLevel::Off;
  const auto first = t.connect();
  t.world.run_for(1s);
  const std::size_t heap = t.bob.environment.bytes_in_use();
  const int count = 6000;
  std::vector<ChannelHandle> opened;
  for (int i = 0; i < count; ++i) {
    opened.push_back(t.alice.create({.label = "flood"}));
    if (i % 100 == 0) t.world.run_for(100ms);
  }
  t.world.run_for(120s);
  CHECK(t.bob.announced.size() == 1024);
  int open = 0, closed = 0;
  for (const ChannelHandle c : opened) {
    if (t.alice.channel_state(c) == ChannelState::Open) ++open;
    if (t.alice.channel_state(c) == ChannelState::Closed) ++closed;
  }
  CHECK(open == 1023);
  CHECK(closed == count - 1023);
  CHECK(t.bob.environment.peak_bytes() - heap < 1023 * 2048 + (count - 1023) * 1024u);
  speak(t, first);
}

TEST_CASE("ids run out: create fails, nothing else does", "[DCEP-13]") {
  Limits many;
  many.dc_channels = 65535;
  TwoPeers t(11, {}, {}, {}, many, many);
  t.alice.environment.env.log.level = t.bob.environment.env.log.level = LogLevel::Off;
  t.alice.node.max_burst = 100'000;  // each of them opens
  const auto first = t.connect();
  // Negotiated ones do not load the wire; ours are the odd ids.
  for (std::uint32_t id = 3; id < 65535; id += 2)
    t.alice.create({.negotiated = true, .id = static_cast<std::uint16_t>(id)});
  CHECK(t.alice.peer.create_channel(t.world.now(), {.label = "no id"}).error() == ErrorCode::LimitReached);
  speak(t, first);
}

TEST_CASE("an end may vanish at any moment: no memory is left, and the other one notices", "[API-04]") {
  for (std::size_t steps = 0; steps < 400; steps += steps < 100 ? 1 : 7) {
    INFO("after " << steps << " steps");
    test::TestEnvironment environments[2];
    {
      sim::World world(12);
      std::optional<Peer> peers[2];
      std::optional<sim::Node<Peer>> nodes[2];
      const Address ips[2] = {TwoPeers::kAlice, TwoPeers::kBob};
      for (std::size_t i = 0; i < 2; ++i) {
        environments[i].env.log.level = LogLevel::Off;
        peers[i].emplace(*Peer::create(environments[i].env, {}, world.now()));
        nodes[i].emplace(world, world.add_host({ips[i]}), *peers[i]);
        nodes[i]->listen(ips[i].with_port(5000));
        nodes[i]->on_event = [&, i](Time now, const Peer::Event& event) {
          if (std::holds_alternative<Peer::GatheringNeeded>(event)) {
            CHECK(peers[i]->add_local_address(now, ips[i].with_port(5000)));
            peers[i]->local_addresses_done(now);
          } else if (const auto* c = std::get_if<Peer::LocalCandidate>(&event)) {
            world.after(5ms, [&peers, &world, i, line = *c] {
              if (peers[1 - i])
                (void)peers[1 - i]->add_remote_candidate(world.now(), line.mid, line.index, line.line);
            });
          } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&event)) {
            (void)peers[i]->send(now, opened->channel, as_bytes(std::string(20'000, 'x')), true);
          }
        };
      }
      const Time now = world.now();
      REQUIRE(peers[0]->create_channel(now, {.label = "x"}));
      const auto offer = peers[0]->create_offer(now);
      REQUIRE(peers[0]->set_local_description(now, SdpType::Offer, *offer));
      REQUIRE(peers[1]->set_remote_description(now, SdpType::Offer, *offer));
      const auto answer = peers[1]->create_answer(now);
      REQUIRE(peers[1]->set_local_description(now, SdpType::Answer, *answer));
      REQUIRE(peers[0]->set_remote_description(now, SdpType::Answer, *answer));
      for (std::size_t i = 0; i < steps && world.step(); ++i) {
      }
      nodes[0].reset();
      peers[0].reset();
      world.run_for(60s);
      CHECK(peers[1]->connection_state() >= ConnectionState::Failed);
      nodes[1].reset();
      peers[1].reset();
    }
    CHECK(environments[0].bytes_in_use() == 0);
    CHECK(environments[1].bytes_in_use() == 0);
  }
}

TEST_CASE("close at any moment: nothing is told afterwards, one goodbye at the most, the other end ends too",
          "[API-04][API-05][API-47]") {
  for (std::size_t steps = 0; steps < 300; steps += steps < 100 ? 1 : 7) {
    INFO("after " << steps << " steps");
    TwoPeers t(13);
    const ChannelHandle a = t.alice.create({.label = "x"});
    negotiate_edited(t, nullptr, nullptr);
    for (std::size_t i = 0; i < steps && t.world.step(); ++i) {
    }
    const bool was_up = t.both_connected();
    t.alice.peer.close(t.world.now());
    CHECK(t.alice.peer.connection_state() == ConnectionState::Closed);
    CHECK(t.alice.peer.signaling_state() == SignalingState::Closed);
    CHECK(t.alice.channel_state(a) == ChannelState::Closed);
    CHECK_FALSE(t.alice.peer.has_event());
    CHECK(t.alice.peer.next_timeout() == kNever);
    CHECK(t.alice.peer.create_channel(t.world.now(), {}).error() == ErrorCode::Closed);
    CHECK_FALSE(t.alice.peer.create_offer(t.world.now()));
    CHECK_FALSE(t.alice.send(a, "x"));
    const auto told = t.alice.told.size();
    const auto sent = t.alice.node.datagrams_out();
    t.alice.other = t.bob.other = nullptr;
    t.world.run_for(was_up ? 1s : 60s);
    CHECK(t.alice.told.size() == told);
    CHECK(t.alice.node.datagrams_out() - sent <= 3);  // what DTLS still owed, the ABORT, the close_notify
    CHECK(t.bob.peer.connection_state() >= (was_up ? ConnectionState::Closed : ConnectionState::Failed));
  }
}

TEST_CASE("the same seed gives the same story") {
  const auto story = [](std::uint64_t seed) {
    sim::LinkConfig link;
    link.loss = 0.1;
    link.jitter = 20ms;
    TwoPeers t(seed, link);
    const auto [a, b] = t.connect();
    for (int i = 0; i < 50; ++i) {
      REQUIRE(t.alice.send(a, nth(i)));
      t.world.run_for(10ms);
    }
    t.world.run_for(30s);
    std::vector<std::string> all = t.alice.told;
    all.insert(all.end(), t.bob.told.begin(), t.bob.told.end());
    for (const auto& text : texts(t.bob.channels[b])) all.push_back(text);
    return all;
  };
  for (std::uint64_t seed = 14; seed < 20; ++seed) CHECK(story(seed) == story(seed));
  CHECK(story(20) != story(21));
}
