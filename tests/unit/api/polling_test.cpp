// When things happen: in poll() and nowhere else, however often or seldom it is called, whatever clock, sockets and memory do.
#include <tuple>

#include "base/bytes.h"
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

TEST_CASE("nothing happens outside poll: no signal, no socket read, no memory taken", "[API-01][API-25]") {
  SimPair t;
  t.connect();
  t.b.machine.poll = nullptr;  // its datagrams wait, its deadlines pass
  t.b.machine.time_to_deadline = nullptr;
  REQUIRE(t.ours->send("one"));
  t.world.run_for(3s);
  const std::size_t receives = t.b.machine.receives, sends = t.b.machine.sends;
  const auto log = t.b.log;
  const std::size_t allocations = t.b.machine.environment.allocations();
  CHECK(t.theirs->get_available_packet_count() == 0);
  CHECK(t.b.connection->get_connection_state() == ConnectionState::Connected);
  (void)t.b.connection->get_stats();
  (void)t.b.connection->get_time_to_next_deadline();
  (void)t.theirs->get_stats();
  CHECK(t.theirs->poll());
  CHECK(t.b.machine.receives == receives);
  CHECK(t.b.machine.sends == sends);
  CHECK(t.b.machine.environment.allocations() == allocations);
  CHECK(t.b.log == log);
  // A call sends what it has to say, and reads nothing.
  REQUIRE(t.theirs->send("two"));
  CHECK(t.b.machine.sends > sends);
  CHECK(t.b.machine.receives == receives);
  CHECK(t.b.log == log);
  REQUIRE(t.b.connection->poll());
  CHECK(t.b.log.back() == "message");
  CHECK(take(t.theirs) == "one");
}

TEST_CASE("what a call brings about is told by the next poll, not by it nor by the calls after it",
          "[API-25]") {
  SimPair t;
  t.connect();
  const auto log = t.a.log;
  const ChannelPtr second = t.a.create("second");
  CHECK(second->get_ready_state() == ChannelState::Open);
  REQUIRE(t.ours->send("x"));
  REQUIRE(t.a.connection->add_ice_candidate("0", 0, "candidate:1 1 udp 1 192.0.2.9 9 typ host"));
  t.ours->close();
  CHECK(t.a.log == log);
  REQUIRE(t.a.connection->poll());
  CHECK(t.a.count("opened") == 2);
}

TEST_CASE("messages that are held leave together, by flush() or by poll()", "[API-01]") {
  SimPair t([](Configuration& configuration) { configuration.hold_messages = true; });
  t.connect();
  t.a.machine.poll = nullptr;
  t.a.machine.time_to_deadline = nullptr;
  const std::string message(64, 'x');
  const std::size_t before = t.a.machine.sends;
  for (int i = 0; i < 30; ++i) REQUIRE(t.ours->send(message));
  CHECK(t.a.machine.sends == before);
  CHECK(t.a.connection->get_time_to_next_deadline() == Duration::zero());
  t.a.connection->flush();
  CHECK(t.a.machine.sends > before);
  CHECK(t.a.machine.sends <= before + 3);
  REQUIRE(t.run_until([&] { return t.theirs->get_available_packet_count() == 30; }, 1s));
  REQUIRE(t.a.connection->poll());
  const std::size_t between = t.a.machine.sends;
  REQUIRE(t.ours->send_piece(as_bytes(message), false));
  REQUIRE(t.ours->send_piece(as_bytes(message), true));
  CHECK(t.a.machine.sends == between);
  REQUIRE(t.a.connection->poll());
  CHECK(t.a.machine.sends > between);
  REQUIRE(t.run_until([&] { return t.theirs->get_available_packet_count() == 31; }, 1s));
}

TEST_CASE("what is sent before the end leaves before it, gathered or held as it may be", "[API-01]") {
  for (const bool holds : {false, true}) {
    SimPair t([&](Configuration& configuration) { configuration.hold_messages = holds; });
    t.connect();
    for (int i = 0; i < 40; ++i) REQUIRE(t.ours->send("x"));
    t.a.connection->close();
    REQUIRE(t.run_until([&] { return t.theirs->get_ready_state() == ChannelState::Closed; }, 1s));
    CHECK(t.theirs->get_available_packet_count() == 40);
  }
}

TEST_CASE("an unused connection costs nothing, and an idle one takes no memory to poll", "[API-16]") {
  SimPair t;
  const std::size_t before = t.a.machine.environment.allocations();
  for (int i = 0; i < 1000; ++i) REQUIRE(t.a.connection->poll());
  CHECK(t.a.machine.environment.allocations() == before);
  CHECK(t.a.machine.sends + t.a.machine.receives == 0);
  {
    PeerConnection never_polled;
    REQUIRE(never_polled.initialize(t.a.machine.configuration()));
    REQUIRE(never_polled.create_data_channel("x"));
    REQUIRE(never_polled.create_offer());
  }
  CHECK(t.a.machine.open_sockets == 0);
  CHECK(t.a.machine.environment.bytes_in_use() == 0);

  t.connect();
  const std::size_t allocations = t.a.machine.environment.allocations(), sends = t.a.machine.sends;
  for (int i = 0; i < 10'000; ++i) REQUIRE(t.a.connection->poll());  // the clock stands still
  CHECK(t.a.machine.environment.allocations() == allocations);
  CHECK(t.a.machine.sends == sends);
}

TEST_CASE("polled every ten seconds, or ten thousand times a second: it works", "[API-16][API-18]") {
  for (const Duration step : std::initializer_list<Duration>{10s, 100us}) {
    SimPair t;
    t.connect();
    for (SimEnd* end : {&t.a, &t.b}) {
      end->machine.poll = nullptr;
      end->machine.time_to_deadline = nullptr;
    }
    const std::size_t sends = t.a.machine.sends;
    const int turns = step == 10s ? 60 : 20'000;
    for (int i = 0; i < turns; ++i) {
      if (i % (turns / 20) == 0) REQUIRE(t.ours->send(std::string("message ") + std::to_string(i)));
      t.world.run_for(step);
      REQUIRE(t.a.connection->poll());
      REQUIRE(t.b.connection->poll());
    }
    CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
    CHECK(t.b.connection->get_connection_state() == ConnectionState::Connected);
    CHECK(t.theirs->get_available_packet_count() == 20);
    CHECK(t.a.machine.sends - sends < 500);
  }
}

TEST_CASE("polling at the announced times is as good as polling each millisecond too", "[API-18]") {
  // The same seeds: were a deadline announced too late, the polls between would find something to do.
  struct Trace {
    static void look(void* context, const TappedPacket& packet) {
      if (packet.layer == PacketLayer::Udp)
        static_cast<Trace*>(context)->lines.push_back(
            {packet.time.time_since_epoch().count(), packet.path.local.ip[3], packet.is_sent});
    }
    std::vector<std::tuple<std::int64_t, int, bool>> lines;
  };
  Trace traces[2];
  for (const bool each_millisecond : {false, true}) {
    Trace& trace = traces[each_millisecond];
    SimPair t([&](Configuration& c) { c.tap = {Trace::look, &trace}; });
    t.world.set_link(SimPair::kA, SimPair::kB, {.delay = 10ms, .loss = 0.1});
    const ChannelPtr channel = t.a.create();
    REQUIRE(t.a.connection->create_offer());
    int sent = 0;
    for (int millisecond = 0; millisecond < 60'000; ++millisecond) {
      t.world.run_for(1ms);
      if (each_millisecond) {
        REQUIRE(t.a.connection->poll());
        REQUIRE(t.b.connection->poll());
      }
      if (millisecond % 1000 == 999 && channel->get_ready_state() == ChannelState::Open && channel->send("x"))
        ++sent;
    }
    CHECK(sent >= 50);
    CHECK(t.b.count("message") >= 50);
  }
  CHECK(traces[0].lines.size() > 200);
  CHECK(traces[0].lines == traces[1].lines);
}

TEST_CASE("a clock that stands still, jumps or goes back", "[API-17]") {
  SimPair t;
  t.connect();
  SECTION("back by a second, again and again") {
    t.a.machine.bend_time = [&](Time now) { return now - 1s * (now.time_since_epoch() / 1s % 2); };
    for (int i = 0; i < 60; ++i) {
      REQUIRE(t.ours->send("x"));
      t.world.run_for(1s);
    }
    t.a.machine.bend_time = nullptr;
    t.world.run_for(5s);
    CHECK(t.theirs->get_available_packet_count() == 60);
    CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
  }
  SECTION("still for twenty seconds, then on") {
    const Time stopped = t.world.now();
    const std::size_t sends = t.a.machine.sends;
    t.a.machine.time_to_deadline = nullptr;
    t.a.machine.bend_time = [&](Time) { return stopped; };
    for (int i = 0; i < 20; ++i) {
      REQUIRE(t.ours->send("x"));
      t.world.run_for(1s);
      for (int k = 0; k < 50; ++k) REQUIRE(t.a.connection->poll());
    }
    CHECK(t.a.machine.sends - sends < 200);
    t.a.machine.bend_time = nullptr;
    t.a.machine.time_to_deadline = [&] { return t.a.connection->get_time_to_next_deadline(); };
    t.world.run_for(10s);
    CHECK(t.theirs->get_available_packet_count() == 20);
    CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
  }
  SECTION("an hour forward: consent has run out, and a restart brings the connection back") {
    REQUIRE(t.ours->send("before"));
    const std::size_t sends = t.a.machine.sends;
    t.a.machine.bend_time = [](Time now) { return now + 1h; };
    t.world.run_for(10s);
    CHECK(t.a.machine.sends - sends < 50);
    CHECK(t.a.count("failed") == 1);
    CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
    REQUIRE(t.ours->send("after"));
    t.world.run_for(1s);
    CHECK(t.theirs->get_available_packet_count() == 2);
  }
  SECTION("an hour forward, and nobody to restart with: no burst, no timer that hangs") {
    t.a.connection->session_description_created = nullptr;
    REQUIRE(t.ours->send("before"));
    const std::size_t sends = t.a.machine.sends;
    t.a.machine.bend_time = [](Time now) { return now + 1h; };
    t.world.run_for(10s);
    CHECK(t.a.machine.sends - sends < 30);
    // Consent has run out by that clock (RFC 7675 §5.1), so it has to end; what matters is that it does so cleanly.
    CHECK(t.a.connection->get_connection_state() == ConnectionState::Failed);
    CHECK(t.a.log.back() == "failed");
    t.world.run_for(Limits().ice_restart_window);
    CHECK(t.ours->get_ready_state() == ChannelState::Closed);
    CHECK_FALSE(t.a.connection->get_time_to_next_deadline());
    REQUIRE(t.a.connection->initialize(t.a.machine.configuration()));
    CHECK(t.a.connection->get_connection_state() == ConnectionState::New);
  }
}

TEST_CASE("whatever a socket says, at every call: no spin, and it goes on", "[API-23]") {
  using enum Network::Outcome;
  for (const Network::Outcome outcome : std::initializer_list<Network::Outcome>{
           WouldBlock, Truncated, TooLarge, Unreachable, Refused, Error}) {
    for (std::size_t at = 0; at < 30; at += 2) {
      for (const bool sending : {true, false}) {
        INFO("outcome " << static_cast<int>(outcome) << " at call " << at
                        << (sending ? " of send" : " of receive"));
        SimPair t;
        auto& outcomes = sending ? t.a.machine.send_outcomes : t.a.machine.receive_outcomes;
        outcomes.assign(at, Done);
        outcomes.insert(outcomes.end(), 3, outcome);
        const ChannelPtr channel = t.a.create();
        REQUIRE(t.a.connection->create_offer());
        REQUIRE(t.run_until([&] { return channel->get_ready_state() == ChannelState::Open; }));
        REQUIRE(channel->send("x"));
        REQUIRE(t.run_until([&] { return t.b.count("message") == 1; }));
        CHECK(t.a.machine.sends < 200);
        CHECK(t.a.machine.receives < 2000);
      }
    }
  }
}

TEST_CASE("a socket that stays full is tried again in measure, and loses nothing", "[API-23][API-09]") {
  SimPair t;
  t.connect();
  const std::size_t sends = t.a.machine.sends;
  t.a.machine.send_outcomes.assign(100, Network::Outcome::WouldBlock);
  REQUIRE(t.ours->send("through in the end"));
  CHECK(t.a.machine.sends == sends + 1);  // one try, and no more in this call
  t.world.run_for(50ms);
  CHECK(t.a.machine.sends <= sends + 120);  // once a millisecond, and for each datagram that came
  REQUIRE(t.run_until([&] { return t.theirs->get_available_packet_count() == 1; }));
}

TEST_CASE("memory that runs out at any place: an error or a close, no crash, no leak", "[API-22]") {
  const auto certificate = generate_certificate();
  REQUIRE(certificate);
  std::size_t needed = 0;
  for (std::size_t n = 0;; ++n) {
    INFO("allocation " << n);
    bool is_refused = false;
    {
      sim::World world(1);
      SimEnd a(world, 1), b(world, 2);
      a.machine.environment.env.log.level = LogLevel::Off;
      if (n != 0) {  // the run without a failure comes first
        a.machine.environment.fail_allocation(n - 1);
        b.machine.environment.fail_allocation(n - 1);
      }
      const auto run = [&] {
        for (SimEnd* end : {&a, &b}) {
          Configuration configuration = end->machine.configuration();
          configuration.certificate = *certificate;
          if (!end->connection->initialize(configuration)) return false;
        }
        signal_between(world, a.connection, b.connection, 5ms);
        b.connection->data_channel_received = [&](const ChannelPtr& channel) {
          b.channels.push_back(channel);
        };
        const auto channel = a.connection->create_data_channel("chat");
        if (!channel || !a.connection->create_offer()) return false;
        const auto has_ended = [](const SimEnd& end) {
          return end.connection->get_connection_state() >= ConnectionState::Failed;
        };
        bool is_sent = false;
        return world.run_until(
                   [&] {
                     if (!is_sent && (*channel)->get_ready_state() == ChannelState::Open)
                       is_sent = (*channel)->send("x").has_value();
                     return has_ended(a) || has_ended(b) ||
                            (!b.channels.empty() && b.channels[0]->get_available_packet_count() == 1);
                   },
                   60s) &&
               !has_ended(a) && !has_ended(b);
      };
      const bool is_through = run();
      is_refused =
          a.machine.environment.refused_allocations() + b.machine.environment.refused_allocations() != 0;
      if (n == 0) {
        REQUIRE(is_through);
        needed = std::max(a.machine.environment.allocations(), b.machine.environment.allocations());
        CHECK(needed > 20);
      }
      a.connection.reset();
      b.connection.reset();
      b.channels.clear();
      CHECK(a.machine.environment.bytes_in_use() == 0);
      CHECK(b.machine.environment.bytes_in_use() == 0);
      CHECK(a.machine.open_sockets + b.machine.open_sockets == 0);
    }
    if (n > needed && !is_refused) break;
    REQUIRE(n < 2000);
  }
}

TEST_CASE(
    "a connection that is silent gives back what only handshakes and traffic need, and loses nothing by it") {
  SimPair t;
  t.connect();
  REQUIRE(t.ours->send("before"));
  t.world.run_for(500ms);
  CHECK(take(t.theirs) == "before");
  const std::size_t busy = t.a.machine.environment.bytes_in_use();
  t.world.run_for(10s);
  const std::size_t idle = t.a.machine.environment.bytes_in_use();
  CHECK(idle < busy);
  CHECK(idle < 36 * 1024);
  CHECK(t.b.machine.environment.bytes_in_use() < 36 * 1024);
  REQUIRE(t.ours->send("after"));
  REQUIRE(t.theirs->send("and back"));
  t.world.run_for(500ms);
  CHECK(take(t.theirs) == "after");
  CHECK(take(t.ours) == "and back");
  t.world.run_for(10min);  // HEARTBEATs come and go
  REQUIRE(t.theirs->send("still"));
  t.world.run_for(500ms);
  CHECK(take(t.ours) == "still");
  CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
}
