// Path MTU discovery as a plain value: the states of RFC 8899 §5.2.
#include "sctp/path_mtu.h"

#include "support/catch.h"

namespace pollrtc::sctp {

using namespace std::chrono_literals;
using State = PathMtu::State;

namespace {

// IPv4 with UDP, a TURN channel and DTLS 1.2 AES-GCM.
constexpr PathSizes kIpv4{.base = 1131, .max_ip = 1500, .below = 69};
constexpr Duration kRto = 400ms;

struct Fixture {
  explicit Fixture(const PathSizes& sizes = kIpv4) : mtu(sizes) { mtu.start(now); }
  std::uint32_t send() {
    const std::uint32_t size = mtu.probe_due();
    REQUIRE(size != 0);
    mtu.on_probe_sent(now, kRto);
    CHECK(mtu.probe_due() == 0);
    return size;
  }
  void answer() {
    now += 50ms;
    mtu.on_probe_acked(now);
  }
  void lose() {
    now = mtu.next_timeout();
    REQUIRE(now != kNever);
    mtu.handle_timeout(now);
    CHECK(mtu.next_timeout() > now);
  }
  // Probes until the search ends, on a path of `ip` bytes: how many went out.
  int run(std::uint32_t ip) {
    int probes = 0;
    while (mtu.state() == State::Base || mtu.state() == State::Searching) {
      ++probes;
      REQUIRE(probes < 100);
      if (send() + 69 <= ip) {
        answer();
      } else {
        lose();
      }
    }
    return probes;
  }
  PathMtu mtu;
  Time now{1s};
};

}  // namespace

TEST_CASE("before any probe was answered the base size holds", "[SCTP-PMTU-01]") {
  Fixture f;
  CHECK(f.mtu.state() == State::Base);
  CHECK(f.mtu.size() == 1128);
  CHECK(f.send() == 1128);
  CHECK(f.mtu.size() == 1128);
  f.answer();
  CHECK(f.mtu.state() == State::Searching);
  CHECK(f.mtu.size() == 1128);
  CHECK(f.mtu.probe_due() > 1128);
  CHECK(f.mtu.size() == 1128);
}

TEST_CASE("nobody can set DF: no probe, and the base size for ever", "[SCTP-PMTU-02][SCTP-PMTU-01]") {
  Fixture f({.base = 1131, .max_ip = 0, .below = 69});
  CHECK(f.mtu.state() == State::Disabled);
  CHECK(f.mtu.probe_due() == 0);
  CHECK(f.mtu.next_timeout() == kNever);
  f.mtu.on_black_hole(f.now);
  f.mtu.handle_timeout(f.now + 10000s);
  CHECK(f.mtu.probe_due() == 0);
  CHECK(f.mtu.size() == 1128);
}

TEST_CASE("the search finds what the path carries, headers counted, and never goes above the ceiling",
          "[SCTP-PMTU-02]") {
  struct Case {
    std::uint32_t path, found;
  };
  for (const Case& c : std::initializer_list<Case>{{1200, 1200},
                                                   {1276, 1200},
                                                   {1280, 1280},
                                                   {1420, 1420},
                                                   {1436, 1420},
                                                   {1492, 1492},
                                                   {1496, 1492},
                                                   {1500, 1500},
                                                   {9000, 1500}}) {
    Fixture f;
    f.run(c.path);
    CAPTURE(c.path);
    CHECK(f.mtu.state() == State::SearchComplete);
    CHECK(f.mtu.size() == ((c.found - 69) & ~3u));
  }
  Fixture jumbo({.base = 1131, .max_ip = 9000, .below = 69});
  jumbo.run(100000);
  CHECK(jumbo.mtu.size() == ((9000 - 69) & ~3u));
  Fixture loopback({.base = 1131, .max_ip = 65535, .below = 69});
  loopback.run(100000);
  CHECK(loopback.mtu.size() == PathMtu::kLargest);
  Fixture between({.base = 1131, .max_ip = 1450, .below = 69});
  between.run(100000);
  CHECK(between.mtu.size() == ((1450 - 69) & ~3u));
}

TEST_CASE("a size is given up after three probes, and a single loss costs nothing", "[SCTP-PMTU-04]") {
  Fixture f;
  f.send();
  f.answer();
  const std::uint32_t first = f.send();
  f.lose();
  CHECK(f.send() == first);
  f.lose();
  CHECK(f.send() == first);
  f.answer();
  CHECK(f.mtu.size() == first);
  const std::uint32_t second = f.send();  // the count begins anew
  REQUIRE(second > first);
  f.lose();
  CHECK(f.send() == second);
  f.lose();
  CHECK(f.mtu.state() == State::Searching);
  CHECK(f.send() == second);
  f.lose();
  CHECK(f.mtu.state() == State::SearchComplete);
  CHECK(f.mtu.size() == first);
  CHECK(f.mtu.probe_due() == 0);
}

TEST_CASE("the probe timer is a second at least; one probe is out at a time",
          "[SCTP-PMTU-04][SCTP-PMTU-03]") {
  PathMtu mtu(kIpv4);
  const Time now{1s};
  for (const Duration rto : std::initializer_list<Duration>{1us, 400ms, 500ms, 501ms, 3s, 60s}) {
    mtu.set_path(kIpv4);
    mtu.start(now);
    mtu.on_probe_sent(now, rto);
    CHECK(mtu.probe_due() == 0);
    const Duration wait = mtu.next_timeout() - now;
    CHECK(wait >= 1s);
    CHECK(wait >= std::min<Duration>(2 * rto, 15s));  // so probes are more than a round trip apart
    mtu.handle_timeout(mtu.next_timeout() - 1us);
    CHECK(mtu.probe_due() == 0);
    mtu.handle_timeout(mtu.next_timeout());
    CHECK(mtu.probe_due() != 0);
  }
}

TEST_CASE(
    "ten minutes later the search begins again, from the size that works; nothing is confirmed meanwhile",
    "[SCTP-PMTU-04]") {
  Fixture f;
  f.run(1420);
  const std::uint32_t found = f.mtu.size();
  CHECK(f.mtu.next_timeout() == f.now + 600s);  // no confirmation timer
  f.mtu.on_data_progress(f.now);
  CHECK(f.mtu.next_timeout() == f.now + 600s);
  f.now = f.mtu.next_timeout();
  f.mtu.handle_timeout(f.now);
  CHECK(f.mtu.state() == State::Searching);
  CHECK(f.mtu.size() == found);
  CHECK(f.send() > found);
  f.answer();
  CHECK(f.mtu.size() > found);
}

TEST_CASE("a black hole leads back to the base size, and from there up again", "[SCTP-PMTU-05]") {
  Fixture f;
  f.run(1500);
  REQUIRE(f.mtu.size() == 1428);
  f.mtu.on_black_hole(f.now);
  CHECK(f.mtu.state() == State::Base);
  CHECK(f.mtu.size() == 1128);
  f.run(1280);
  CHECK(f.mtu.state() == State::SearchComplete);
  CHECK(f.mtu.size() == 1208);

  Fixture searching;
  searching.send();
  searching.answer();
  searching.send();
  searching.mtu.on_black_hole(searching.now);
  CHECK(searching.mtu.state() == State::Base);
  searching.mtu.on_probe_acked(searching.now);  // of the larger probe: it was given up
  CHECK(searching.mtu.state() == State::Base);
}

TEST_CASE("probes that vanish while data arrives do not shrink the packets", "[SCTP-PMTU-05]") {
  Fixture f;
  f.mtu.on_data_progress(f.now);
  CHECK(f.run(1000) == 3);
  CHECK(f.mtu.state() == State::SearchComplete);
  CHECK(f.mtu.size() == 1128);
  SECTION("until data vanishes too") {
    f.mtu.on_black_hole(f.now);
    CHECK(f.mtu.state() == State::Error);
    CHECK(f.mtu.size() == PathMtu::kSmallest);
  }
  SECTION("and the search goes on later") {
    f.mtu.on_data_progress(f.now);
    f.lose();  // the raise timer
    CHECK(f.mtu.state() == State::Searching);
    f.run(1500);
    CHECK(f.mtu.size() + 69 <= 1500);
    CHECK(f.mtu.size() > 1128);
    f.mtu.on_black_hole(f.now);
    CHECK(f.mtu.state() == State::Base);  // a probe has shown since that they arrive
  }
}

TEST_CASE("a silent path is not searched again; the search that is owed comes with the next data") {
  Fixture f;
  f.run(1300);
  REQUIRE(f.mtu.state() == State::SearchComplete);
  const Time over = f.now;
  f.lose();  // the raise timer
  CHECK(f.now == over + PathMtu::kRaiseTimer);
  CHECK(f.mtu.state() == State::SearchComplete);
  CHECK(f.mtu.probe_due() == 0);
  CHECK(f.mtu.next_timeout() == kNever);
  f.now += 10000s;
  f.mtu.on_data_progress(f.now);
  CHECK(f.mtu.state() == State::Searching);
  f.run(1500);
  CHECK(f.mtu.size() > 1300 - 69);
  CHECK(f.mtu.next_timeout() == f.now + PathMtu::kRaiseTimer);
  SECTION("another path owes none") {
    f.lose();
    f.mtu.set_path(kIpv4);
    f.mtu.on_data_progress(f.now);
    CHECK(f.mtu.state() == State::Disabled);
    CHECK(f.mtu.probe_due() == 0);
  }
  SECTION("a used one is searched by the timer") {
    f.mtu.on_data_progress(f.now);
    f.lose();
    CHECK(f.mtu.next_timeout() == f.now + PathMtu::kRaiseTimer);  // nothing larger is worth trying
    f.mtu.on_data_progress(f.now);
  }
}

TEST_CASE("after an outage the base size is tried as soon as data arrives again", "[SCTP-PMTU-05]") {
  Fixture f;
  CHECK(f.run(0) == 3);
  REQUIRE(f.mtu.state() == State::Error);
  CHECK(f.mtu.probe_due() == 0);
  f.mtu.on_data_progress(f.now);
  CHECK(f.send() == 1128);
  f.lose();
  CHECK(f.mtu.state() == State::Error);
  f.mtu.on_data_progress(f.now);
  CHECK(f.mtu.probe_due() == 0);  // once; then after the pause
  f.lose();
  f.send();
  f.answer();
  CHECK(f.mtu.size() == 1128);
}

TEST_CASE("a path below the base size means ERROR with a smaller size, until the base works again",
          "[SCTP-PMTU-05]") {
  Fixture f;
  CHECK(f.run(1000) == 3);
  CHECK(f.mtu.state() == State::Error);
  CHECK(f.mtu.size() == PathMtu::kSmallest);
  for (int i = 0; i < 3; ++i) {
    CHECK(f.mtu.probe_due() == 0);
    f.lose();  // the pause
    CHECK(f.send() == 1128);
    CHECK(f.mtu.size() == PathMtu::kSmallest);
    f.lose();
    CHECK(f.mtu.state() == State::Error);
  }
  f.lose();
  f.send();
  f.answer();
  CHECK(f.mtu.state() == State::Searching);
  CHECK(f.mtu.size() == 1128);
  f.mtu.on_black_hole(f.now);
  f.run(1000);
  f.mtu.on_black_hole(f.now);  // already as small as can be
  CHECK(f.mtu.state() == State::Error);
}

TEST_CASE("another path is searched from its own base size", "[SCTP-CC-08][SCTP-PMTU-01]") {
  Fixture f;
  f.run(1500);
  f.mtu.set_path({.base = 1191, .max_ip = 1500, .below = 89});
  CHECK(f.mtu.size() == 1188);
  CHECK(f.mtu.state() == State::Disabled);
  CHECK(f.mtu.next_timeout() == kNever);
  f.mtu.start(f.now);
  CHECK(f.send() == 1188);
  f.answer();
  while (f.mtu.state() == State::Searching) {
    f.send();
    f.answer();
  }
  CHECK(f.mtu.size() == ((1500 - 89) & ~3u));
}

TEST_CASE("answers that nobody waits for change nothing", "[SCTP-PMTU-02]") {
  Fixture f;
  f.mtu.on_probe_acked(f.now);  // before the probe went out
  CHECK(f.mtu.state() == State::Base);
  f.run(1420);
  const std::uint32_t found = f.mtu.size();
  f.mtu.on_probe_acked(f.now);
  CHECK(f.mtu.size() == found);
  CHECK(f.mtu.state() == State::SearchComplete);
}

}  // namespace pollrtc::sctp
