// ICE restarts of connections that have Failed: their path was lost for longer than consent lasts, or there never was one.
// DTLS and SCTP live on meanwhile, and the channels with them.
#include "scenario/signalling.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::scenario;

namespace {

constexpr OfferOptions kRestart{.ice_restart = true};

void cut(TwoPeers& t, bool is_cut) {
  t.world.link(TwoPeers::kAlice, TwoPeers::kBob).config.cut = is_cut;
  t.world.link(TwoPeers::kBob, TwoPeers::kAlice).config.cut = is_cut;
}

bool both(const TwoPeers& t, ConnectionState state) {
  return t.alice.peer.connection_state() == state && t.bob.peer.connection_state() == state;
}

// Idle when it is lost: nothing is on its way.
Time fail(TwoPeers& t) {
  t.world.run_for(2s);
  cut(t, true);
  t.run_until([&] { return both(t, ConnectionState::Failed); }, 60s);
  return t.world.now();
}

constexpr ConnectionState kThereAndBack[] = {ConnectionState::Connecting,   ConnectionState::Connected,
                                             ConnectionState::Disconnected, ConnectionState::Failed,
                                             ConnectionState::Connecting,   ConnectionState::Connected};

}  // namespace

TEST_CASE(
    "a path lost for minutes: a restart by either end brings the connection back, with all its messages",
    "[ICE-CONS-02][ICE-RST-01][API-31]") {
  for (const Duration silence : std::initializer_list<Duration>{60s, 150s, 250s}) {
    for (const bool alice_restarts : {true, false}) {
      INFO("silent for " << silence.count() / 1'000'000 << " s, alice restarts: " << alice_restarts);
      TwoPeers t(81, {.delay = 20ms});
      const auto [a, b] = t.connect();
      REQUIRE(t.alice.send(a, "before"));
      t.world.run_for(1s);
      const Time lost = t.world.now();
      cut(t, true);
      for (int i = 0; i < 50; ++i) {
        REQUIRE(t.alice.send(a, "into the dark " + std::to_string(i)));
        REQUIRE(t.bob.send(b, "back " + std::to_string(i)));
      }
      t.run_until([&] { return both(t, ConnectionState::Failed); }, 60s);
      CHECK(t.alice.peer.stats().close_reason == Close::ConsentExpired);
      CHECK(t.alice.peer.signaling_state() == SignalingState::Stable);
      CHECK(t.alice.channel_state(a) == ChannelState::Open);
      REQUIRE(t.alice.send(a, "while it has failed"));  // waits with the others
      const ChannelHandle second = t.alice.create({.label = "second"});
      const std::uint64_t out = t.alice.node.datagrams_out() + t.bob.node.datagrams_out();
      t.world.run_for(silence - (t.world.now() - lost));
      CHECK(t.alice.node.datagrams_out() + t.bob.node.datagrams_out() == out);  // not a word without consent
      CHECK(t.bob.channels[b].messages.size() == 1);

      cut(t, false);
      t.world.run_for(2s);
      CHECK(both(t, ConnectionState::Failed));  // nothing but a restart brings it back
      CHECK(t.alice.node.datagrams_out() + t.bob.node.datagrams_out() == out);
      const std::string before = attribute(t.alice.peer.local_description(), "ice-ufrag");
      End &one = alice_restarts ? t.alice : t.bob, &other = alice_restarts ? t.bob : t.alice;
      t.negotiate(one, other, kRestart);
      t.run_until(
          [&, a = a, b = b] {
            return t.bob.channels[b].messages.size() == 52 && t.alice.channels[a].messages.size() == 50;
          },
          10s);
      CHECK(attribute(t.alice.peer.local_description(), "ice-ufrag") != before);
      for (std::size_t i = 0; i < 50; ++i) {
        CHECK(t.bob.channels[b].messages[i + 1].data == "into the dark " + std::to_string(i));
        CHECK(t.alice.channels[a].messages[i].data == "back " + std::to_string(i));
      }
      CHECK(t.bob.channels[b].messages.back().data == "while it has failed");
      t.world.run_for(60s);
      CHECK(t.both_connected());
      for (const End* end : {&t.alice, &t.bob}) {
        CHECK(end->states == std::vector(std::begin(kThereAndBack), std::end(kThereAndBack)));
        CHECK(end->peer.stats().close_reason == Close::None);
      }
      CHECK(t.alice.channels[a].events == std::vector<std::string>{"open"});
      CHECK(t.alice.channel_state(second) == ChannelState::Open);
    }
  }
}

TEST_CASE("nobody restarts it: the channels close when the window does, with the reason of the failure",
          "[API-31]") {
  for (const Duration window : std::initializer_list<Duration>{0s, 30s, 300s, Duration::max()}) {
    INFO("a window of " << window.count() / 1'000'000 << " s");
    Limits limits;
    limits.ice_restart_window = window;
    TwoPeers t(82, {}, {}, {}, limits);
    const auto [a, b] = t.connect();
    const Time failed = fail(t);
    if (window == Duration::max()) {
      t.world.run_for(2400s);
      CHECK(t.alice.channel_state(a) == ChannelState::Open);
      continue;
    }
    if (window != 0s) {
      t.world.run_for(window - 8s - (t.world.now() - failed));
      CHECK(t.alice.channel_state(a) == ChannelState::Open);
      t.world.run_for(8s);
    }
    for (End* end : {&t.alice, &t.bob}) {
      CHECK(end->channels[end == &t.alice ? a : b].events.back() == "closed:ConsentExpired");
      CHECK(end->peer.stats().close_reason == Close::ConsentExpired);
      CHECK(end->peer.signaling_state() == SignalingState::Closed);
      CHECK(end->peer.create_offer(t.world.now(), kRestart).error() == ErrorCode::Closed);
      CHECK(end->peer.next_timeout() == kNever);
      CHECK(end->states.back() == ConnectionState::Failed);
      CHECK(std::count(end->states.begin(), end->states.end(), ConnectionState::Failed) == 1);
    }
  }
}

TEST_CASE(
    "where there is no path SCTP counts no errors: what was on its way arrives after a restart, however late",
    "[SCTP-HB-03][lim.ice.restart_window]") {
  Limits patient;
  patient.ice_restart_window = 3600s;
  TwoPeers t(83, {}, {}, {}, patient);
  const auto [a, b] = t.connect();
  t.world.run_for(2s);
  cut(t, true);
  REQUIRE(t.alice.send(a, "late"));
  t.world.run_for(1200s);  // four times what a hundred timeouts take
  CHECK(t.alice.peer.connection_state() == ConnectionState::Failed);
  CHECK(t.alice.channel_state(a) == ChannelState::Open);
  CHECK(t.bob.channel_state(b) == ChannelState::Open);
  cut(t, false);
  t.negotiate(t.alice, t.bob, kRestart);
  t.world.run_for(30s);
  CHECK(t.both_connected());
  REQUIRE(t.bob.channels[b].messages.size() == 1);
  CHECK(t.bob.channels[b].messages[0].data == "late");
}

TEST_CASE("the window is counted from the first failure: restarts that find nothing do not prolong it") {
  TwoPeers t(84);
  const auto [a, b] = t.connect();
  const Time failed = fail(t);
  int restarts = 0;
  const auto is_over = [&] {
    return t.alice.peer.signaling_state() == SignalingState::Closed ||
           t.bob.peer.signaling_state() == SignalingState::Closed;
  };
  while (!is_over() && restarts < 20) {
    ++restarts;
    t.negotiate(t.alice, t.bob, kRestart);
    t.world.run_for(1s);
    CHECK(both(t, ConnectionState::Connecting));
    CHECK(t.alice.peer.stats().close_reason == Close::None);
    t.run_until([&] { return both(t, ConnectionState::Failed); }, 60s);
  }
  t.world.run_for(10s);
  CHECK(restarts == 8);  // 40 s each
  CHECK(t.world.now() - failed >= 300s);
  CHECK(t.world.now() - failed < 345s);
  CHECK(t.alice.channels[a].events.back() == "closed:ConsentExpired");
  CHECK(t.bob.channels[b].events.back() == "closed:ConsentExpired");
}

TEST_CASE("there never was a path: the connection fails, and a restart makes it after all", "[ICE-CHK-13]") {
  TwoPeers t(85);
  cut(t, true);
  const ChannelHandle a = t.alice.create({.label = "late"});
  t.negotiate();
  t.run_until([&] { return both(t, ConnectionState::Failed); }, 120s);
  CHECK(t.alice.peer.stats().close_reason == Close::IceFailed);
  CHECK(t.alice.channel_state(a) == ChannelState::Connecting);
  t.world.run_for(60s);
  cut(t, false);
  t.negotiate(t.bob, t.alice, kRestart);
  t.run_until([&] { return t.alice.channel_state(a) == ChannelState::Open && !t.bob.announced.empty(); },
              10s);
  CHECK(t.alice.states == std::vector{ConnectionState::Connecting, ConnectionState::Failed,
                                      ConnectionState::Connecting, ConnectionState::Connected});
  speak(t, {a, t.bob.announced.front()});
}

TEST_CASE("a restart whose answer is late: consent expires and the connection has Failed, until it comes",
          "[ICE-CONS-02][ICE-RST-04]") {
  for (const bool is_taken_back : {false, true}) {
    TwoPeers t(86);
    const auto channels = t.connect();
    cut(t, true);
    t.run_until([&] { return both(t, ConnectionState::Disconnected); }, 30s);
    const auto offer = t.alice.peer.create_offer(t.world.now(), kRestart);
    REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
    t.run_until([&] { return both(t, ConnectionState::Failed); }, 60s);
    t.world.run_for(60s);
    CHECK(both(t, ConnectionState::Failed));
    cut(t, false);
    if (is_taken_back) {
      REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Rollback, {}));
      t.world.run_for(5s);
      CHECK(both(t, ConnectionState::Failed));
      t.negotiate(t.bob, t.alice, kRestart);
    } else {
      const std::string text = t.alice.peer.local_description();
      REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, text));
      const auto answer = t.bob.peer.create_answer(t.world.now());
      REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
      CHECK(t.bob.peer.connection_state() == ConnectionState::Connecting);
      REQUIRE(t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer));
      CHECK(t.alice.peer.connection_state() == ConnectionState::Connecting);
    }
    t.run_until([&] { return t.both_connected(); }, 10s);
    speak(t, channels);
    for (const End* end : {&t.alice, &t.bob})
      CHECK(std::vector(end->states.end() - 3, end->states.end()) ==
            std::vector{ConnectionState::Failed, ConnectionState::Connecting, ConnectionState::Connected});
  }
}

TEST_CASE("one that has Failed is closed by its user, and stays closed", "[API-47]") {
  TwoPeers t(87);
  const auto [a, b] = t.connect();
  fail(t);
  cut(t, false);
  const auto out = t.alice.node.datagrams_out();
  t.alice.peer.close(t.world.now());
  t.world.run_for(400s);
  CHECK(t.alice.peer.connection_state() == ConnectionState::Closed);
  CHECK(t.alice.peer.next_timeout() == kNever);
  CHECK(t.alice.node.datagrams_out() == out);  // there is no consent to say goodbye by
  CHECK(t.alice.channel_state(a) == ChannelState::Closed);
  CHECK(t.bob.channels[b].events.back() == "closed:ConsentExpired");
}

TEST_CASE("a failed connection that ends for want of memory as it is restarted fails once, not twice",
          "[API-22]") {
  int ended = 0;
  // So many events wait, until the next one needs memory for the queue.
  for (int waiting = 0; waiting < 9; ++waiting) {
    for (std::size_t n = 0;; ++n) {
      TwoPeers t(24);
      t.connect();
      fail(t);
      const auto offer = t.alice.peer.create_offer(t.world.now(), kRestart);
      REQUIRE(offer);
      REQUIRE(t.alice.peer.set_local_description(t.world.now(), SdpType::Offer, *offer));
      REQUIRE(t.bob.peer.set_remote_description(t.world.now(), SdpType::Offer, *offer));
      const auto answer = t.bob.peer.create_answer(t.world.now());
      REQUIRE(answer);
      REQUIRE(t.bob.peer.set_local_description(t.world.now(), SdpType::Answer, *answer));
      t.world.run_for(1s);
      for (int i = 0; i < waiting; ++i)
        REQUIRE(t.alice.peer.create_channel(t.world.now(), {.label = "one more"}));
      INFO(waiting << " events, allocation " << n);
      const std::size_t refused = t.alice.environment.refused_allocations();
      t.alice.environment.fail_allocation(n);
      (void)t.alice.peer.set_remote_description(t.world.now(), SdpType::Answer, *answer);
      const bool is_enough = t.alice.environment.refused_allocations() == refused;
      t.alice.environment.fail_allocation(SIZE_MAX);
      t.world.run_for(1s);
      const auto& states = t.alice.states;
      CHECK(std::adjacent_find(states.begin(), states.end()) == states.end());
      if (t.alice.peer.signaling_state() == SignalingState::Closed) {
        ++ended;
        CHECK(states.back() == ConnectionState::Failed);
      }
      if (is_enough) break;
    }
  }
  CHECK(ended > 0);
}
