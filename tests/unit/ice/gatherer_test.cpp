#include "ice/gatherer.h"

#include <set>

#include "base/address.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace ice;
using namespace std::chrono_literals;

namespace {

Address ip(std::string_view text, std::uint16_t port = 9000) { return *parse_ip(text, port); }

struct Fixture {
  explicit Fixture(const Limits& limits = {}, bool relay_only = false)
      : gatherer(environment.env.memory, limits, relay_only) {}
  std::vector<CandidateFacts> announced() {
    std::vector<CandidateFacts> out;
    while (Gatherer::Local* local = gatherer.next_unannounced()) {
      local->is_announced = true;
      out.push_back(local->candidate);
    }
    return out;
  }
  void answer(Time now, const Address& mapped) {
    Probe* const probe = gatherer.next_probe();
    REQUIRE(probe != nullptr);
    probe->state = Probe::State::Running;
    gatherer.on_answer(now, *probe, mapped);
  }
  TestEnvironment environment;
  Gatherer gatherer;
};

}  // namespace

TEST_CASE("IPv6 first, with IPv4 mixed in after a head start", "[ICE-GATH-15][ICE-GATH-07]") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1"), false));
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.2"), false));
  for (const auto* text :
       {"2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8::5", "2001:db8::6"})
    REQUIRE(f.gatherer.add_base(Time{}, ip(text), false));
  auto candidates = f.announced();
  REQUIRE(candidates.size() == 8);
  std::sort(candidates.begin(), candidates.end(),
            [](const auto& a, const auto& b) { return a.priority > b.priority; });
  std::string families;
  for (const CandidateFacts& c : candidates)
    families += c.address.family == Address::Family::IPv6 ? '6' : '4';
  CHECK(families == "66664664");
  std::set<std::uint32_t> priorities;
  for (const CandidateFacts& c : candidates) priorities.insert(c.priority);
  CHECK(priorities.size() == 8);
}

TEST_CASE("a single address has local preference 65535", "[ICE-GATH-07]") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1"), false));
  CHECK(f.announced().at(0).priority == 2130706431);
}

TEST_CASE("foundations are equal exactly for same type, base address and server", "[ICE-GATH-02]") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", 1000), false));
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", 1001), false));
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.9", 1000), false));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.1", 3478)));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.2", 3478)));
  for (std::uint16_t i = 0; i < 6; ++i)
    f.answer(Time{}, ip("203.0.113.5", static_cast<std::uint16_t>(100 + i)));
  std::vector<CandidateFacts> c = f.announced();
  REQUIRE(c.size() == 9);
  CHECK(c[0].foundation == c[1].foundation);
  CHECK_FALSE(c[0].foundation == c[2].foundation);
  std::set<std::string> reflexive;
  for (std::size_t i = 3; i < 9; ++i) {
    CHECK(c[i].type == CandidateType::ServerReflexive);
    CHECK(c[i].related == c[i].base);
    reflexive.insert(std::string(c[i].foundation.view()));
    CHECK_FALSE(c[i].foundation == c[0].foundation);
  }
  CHECK(reflexive.size() == 4);  // two base addresses, two servers
  std::set<std::uint32_t> priorities;
  for (const CandidateFacts& candidate : c) priorities.insert(candidate.priority);
  CHECK(priorities.size() == 9);
}

TEST_CASE("a redundant reflexive candidate is not signalled", "[ICE-GATH-03]") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", 1000), false));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.1", 3478)));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.2", 3478)));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.3", 3478)));
  f.gatherer.done(Time{});
  f.answer(Time{}, ip("192.0.2.1", 1000));  // no NAT at all
  f.answer(Time{}, ip("203.0.113.5", 77));
  CHECK_FALSE(f.gatherer.is_over());
  f.answer(Time{}, ip("203.0.113.5", 77));
  CHECK(f.announced().size() == 2);
  CHECK(f.gatherer.is_over());
}

TEST_CASE("a lying server's address does not become a candidate", "[ATK-18]") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", 1000), false));
  std::uint16_t port = 4000;
  for (const auto* lie : {"127.0.0.1", "224.0.0.1", "0.0.0.0", "2001:db8::1"}) {
    REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.1", ++port)));
    f.answer(Time{}, ip(lie));
  }
  CHECK(f.announced().size() == 1);
}

TEST_CASE("gathering is cut off after 40 s, whatever is pending", "[ICE-GATH-04]") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{} + 1s, ip("192.0.2.1", 1000), false));
  REQUIRE(f.gatherer.add_server(Time{} + 2s, ip("198.51.100.1", 3478)));
  CHECK(f.gatherer.next_timeout(false) == Time{} + 41s);
  f.gatherer.tick(Time{} + 41s - 1us, false);
  CHECK_FALSE(f.gatherer.is_over());
  CHECK(f.gatherer.has_waiting_probe());
  f.gatherer.tick(Time{} + 41s, false);
  CHECK(f.gatherer.is_over());
  CHECK_FALSE(f.gatherer.has_waiting_probe());
  CHECK(f.gatherer.next_timeout(false) == kNever);
  CHECK(f.gatherer.add_server(Time{} + 42s, ip("198.51.100.2", 3478)).error() == ErrorCode::InvalidState);
}

TEST_CASE("the cut-off ends questions, not the keepalives of what was found", "[ICE-GATH-04][ICE-GATH-09]") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", 1000), false));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.1", 3478)));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.2", 3478)));
  f.answer(Time{} + 24s, ip("203.0.113.5", 77));
  REQUIRE(f.gatherer.next_probe() != nullptr);
  f.gatherer.tick(Time{} + 39s, true);  // a keepalive waits for its turn, and so does the other question
  f.gatherer.tick(Time{} + 40s, true);
  CHECK(f.gatherer.is_over());
  Probe* const waiting = f.gatherer.next_probe();
  REQUIRE(waiting != nullptr);
  CHECK(waiting->server == ip("198.51.100.1", 3478));
  waiting->state = Probe::State::Running;
  CHECK_FALSE(f.gatherer.has_waiting_probe());
}

TEST_CASE("what was to be asked from a socket that is gone is not waited for") {
  Fixture f;
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", 1000), false));
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.2", 1000), false));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.1", 3478)));
  f.gatherer.done(Time{});
  f.answer(Time{}, ip("203.0.113.5", 77));
  CHECK_FALSE(f.gatherer.is_over());
  REQUIRE(f.gatherer.remove_base(ip("192.0.2.2", 1000)));
  CHECK_FALSE(f.gatherer.has_waiting_probe());
  CHECK(f.gatherer.is_over());
}

TEST_CASE("policy relay: no host or reflexive candidate", "[ICE-GATH-05]") {
  Fixture f({}, true);
  REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", 1000), false));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.1", 3478)));
  f.gatherer.done(Time{});
  CHECK(f.announced().empty());
  CHECK_FALSE(f.gatherer.has_waiting_probe());
  CHECK(f.gatherer.is_over());
}

TEST_CASE("RTO of gathering grows with the questions", "[ICE-GATH-08]") {
  Fixture f;
  for (std::uint16_t i = 0; i < 12; ++i)
    REQUIRE(f.gatherer.add_base(Time{}, ip("192.0.2.1", static_cast<std::uint16_t>(1000 + i)), false));
  REQUIRE(f.gatherer.add_server(Time{}, ip("198.51.100.1", 3478)));
  CHECK(f.gatherer.rto(50ms) == 600ms);
  Fixture small;
  CHECK(small.gatherer.rto(50ms) == 500ms);
}

TEST_CASE("limits: one below, at, and above", "[lim.ice.local_candidates]") {
  Limits limits;
  limits.ice_local_candidates = 2;
  Fixture f(limits);
  CHECK(f.gatherer.add_base(Time{}, ip("192.0.2.1"), false));
  CHECK(f.gatherer.add_base(Time{}, ip("192.0.2.2"), false));
  CHECK(f.gatherer.add_base(Time{}, ip("192.0.2.3"), false).error() == ErrorCode::LimitReached);
  CHECK(f.gatherer.add_base(Time{}, ip("192.0.2.2"), false).error() == ErrorCode::AlreadyExists);
  CHECK(f.gatherer.add_base(Time{}, ip("224.0.0.1"), false).error() == ErrorCode::Refused);
  // A mapped address there is no room for is the base itself.
  CHECK(f.gatherer.identify(1, ip("203.0.113.1"), 7) == 1);
}

TEST_CASE("without memory nothing changes") {
  Fixture f;
  f.environment.fail_allocations_after(0);
  CHECK(f.gatherer.add_base(Time{}, ip("192.0.2.1"), false).error() == ErrorCode::OutOfMemory);
  CHECK(f.gatherer.locals().empty());
  f.environment.fail_allocations_after(1);
  CHECK(f.gatherer.add_base(Time{}, ip("192.0.2.1"), false));
  CHECK(f.gatherer.add_server(Time{}, ip("198.51.100.1", 3478)).error() == ErrorCode::OutOfMemory);
  CHECK_FALSE(f.gatherer.has_waiting_probe());
}

}  // namespace pollrtc::test
