#include "ice/checklist.h"

#include "base/address.h"
#include "ice/nomination.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace ice;

namespace {

struct List {
  explicit List(std::size_t limit = 100) : list(environment.env.memory, limit) {}
  Pair* add(std::uint64_t priority, std::uint32_t foundation) {
    Pair pair;
    pair.path.local = *parse_ip("192.0.2.1", 1);
    pair.path.remote = *parse_ip("192.0.2.2", ++port);
    pair.priority = pair.valid_priority = priority;
    pair.foundation = foundation;
    return list.add(pair);
  }
  TestEnvironment environment;
  Checklist list;
  std::uint16_t port = 0;
};

}  // namespace

TEST_CASE("of those that wait, the best goes first, whichever came first", "[ICE-CHK-19]") {
  List l;
  for (const std::uint64_t priority : std::initializer_list<std::uint64_t>{5, 9, 7})
    l.add(priority, static_cast<std::uint32_t>(priority));
  for (const std::uint64_t priority : std::initializer_list<std::uint64_t>{9, 7, 5}) {
    Pair* const next = l.list.next_ordinary();
    REQUIRE(next != nullptr);
    CHECK(next->priority == priority);
    next->state = PairState::InProgress;
  }
}

TEST_CASE("the best pair of a foundation waits, the others are frozen", "[ICE-CHK-19][ICE-CHK-20]") {
  List l;
  const std::uint32_t a = l.add(10, 1)->id, b = l.add(5, 1)->id, c = l.add(7, 2)->id;
  CHECK(l.list.find(a)->state == PairState::Waiting);
  CHECK(l.list.find(b)->state == PairState::Frozen);
  CHECK(l.list.find(c)->state == PairState::Waiting);
  SECTION("a better one that comes later waits as well") { CHECK(l.add(20, 1)->state == PairState::Waiting); }
  SECTION("one of a foundation that works waits, however low") {
    l.list.find(a)->state = PairState::Succeeded;
    CHECK(l.add(1, 1)->state == PairState::Waiting);
  }
  SECTION("success thaws its foundation") {
    l.list.thaw(1);
    CHECK(l.list.find(b)->state == PairState::Waiting);
  }
  SECTION("ordinary checks take the best that waits, then thaw what is not busy") {
    CHECK(l.list.next_ordinary()->id == a);
    l.list.find(a)->state = PairState::InProgress;
    CHECK(l.list.next_ordinary()->id == c);
    l.list.find(c)->state = PairState::InProgress;
    CHECK_FALSE(l.list.has_work());
    CHECK(l.list.next_ordinary() == nullptr);  // b's foundation is busy
    l.list.find(a)->state = PairState::Failed;
    CHECK(l.list.has_work());
    CHECK(l.list.next_ordinary()->id == b);
    CHECK(l.list.find(b)->state == PairState::Waiting);
  }
  SECTION("triggered checks are taken in the order they were asked for, each once") {
    l.list.trigger(*l.list.find(b));
    l.list.trigger(*l.list.find(a));
    l.list.trigger(*l.list.find(b));
    CHECK(l.list.find(b)->state == PairState::Waiting);
    CHECK(l.list.next_triggered()->id == b);
    l.list.find(b)->queued = 0;
    CHECK(l.list.next_triggered()->id == a);
  }
}

TEST_CASE("a full list: failed pairs go first, then lower ones nobody checked", "[ICE-CHK-20][ICE-CHK-01]") {
  List l(3);
  const std::uint32_t a = l.add(10, 1)->id, b = l.add(20, 2)->id;
  REQUIRE(l.add(30, 3) != nullptr);
  CHECK(l.add(5, 4) == nullptr);
  CHECK(l.list.size() == 3);
  l.list.find(b)->state = PairState::Failed;
  REQUIRE(l.add(5, 4) != nullptr);
  CHECK(l.list.find(b) == nullptr);
  REQUIRE(l.add(15, 5) != nullptr);  // takes the place of 5
  CHECK(l.list.find(a) != nullptr);
  l.list.find(a)->state = PairState::InProgress;
  for (Pair& pair : l.list) pair.state = PairState::InProgress;
  CHECK(l.add(1000, 6) == nullptr);
}

TEST_CASE("a pair that carries data, or was nominated, makes room for nobody", "[ICE-CHK-01]") {
  List l(3);
  Pair &valid = *l.add(10, 1), &nominated = *l.add(20, 2), &plain = *l.add(30, 3);
  const std::uint32_t kept[] = {valid.id, nominated.id, plain.id};
  valid.is_valid = true;
  nominated.is_nominated = true;
  plain.state = PairState::InProgress;
  for (const PairState state : std::initializer_list<PairState>{PairState::Failed, PairState::Waiting}) {
    valid.state = nominated.state = state;  // as after a check that was made once more
    CHECK(l.add(1000, 4) == nullptr);
    for (const std::uint32_t id : kept) CHECK(l.list.find(id) != nullptr);
  }
}

TEST_CASE("ordinary checks leave retired pairs alone, and those whose triggered check is due",
          "[ICE-CHK-19]") {
  List l;
  Pair &retired = *l.add(30, 1), &queued = *l.add(20, 2), &plain = *l.add(10, 3);
  const std::uint32_t id = plain.id;
  retired.is_retired = true;
  l.list.trigger(queued);
  CHECK(l.list.next_ordinary()->id == id);
  plain.state = PairState::InProgress;
  CHECK(l.list.next_ordinary() == nullptr);
  CHECK(l.list.has_work());  // the triggered one
}

TEST_CASE("data takes the best nominated pair, else the best valid one", "[ICE-NOM-02]") {
  List l;
  const std::uint32_t a = l.add(10, 1)->id, b = l.add(20, 2)->id, c = l.add(30, 3)->id;
  CHECK(l.list.best(Time{}) == nullptr);
  l.list.find(a)->is_valid = l.list.find(b)->is_valid = true;
  CHECK(l.list.best(Time{})->id == b);
  l.list.find(a)->is_nominated = true;
  CHECK(l.list.best(Time{})->id == a);
  l.list.find(c)->is_valid = l.list.find(c)->is_nominated = true;
  CHECK(l.list.best(Time{})->id == c);
}

TEST_CASE("role conflict: four cases and equality", "[ICE-CHK-04]") {
  using enum RoleVerdict;
  CHECK(resolve_role_conflict(true, 5, true, 4) == RefuseWith487);
  CHECK(resolve_role_conflict(true, 5, true, 5) == RefuseWith487);
  CHECK(resolve_role_conflict(true, 5, true, 6) == BecomeControlled);
  CHECK(resolve_role_conflict(false, 5, false, 4) == BecomeControlling);
  CHECK(resolve_role_conflict(false, 5, false, 5) == BecomeControlling);
  CHECK(resolve_role_conflict(false, 5, false, 6) == RefuseWith487);
  CHECK(resolve_role_conflict(true, 5, false, 9) == NoConflict);
  CHECK(resolve_role_conflict(false, 5, true, 0) == NoConflict);
}

TEST_CASE("the best valid pair is nominated, unless a straighter one is still being checked") {
  std::array<Pair, 2> pairs;
  Pair &valid = pairs[0], &pending = pairs[1];
  valid.is_valid = true;
  valid.state = PairState::Succeeded;
  pending.state = PairState::InProgress;
  const auto choose = [&](int valid_way, int pending_way, bool over) {
    return choose_nominee(
        pairs, [&](const Pair& pair) { return &pair == &valid ? valid_way : pending_way; },
        [&](int way) {
          CHECK(way == valid_way);
          return over;
        });
  };
  CHECK(choose(2, 2, false) == &valid);
  CHECK(choose(1, 2, false) == nullptr);
  CHECK(choose(1, 2, true) == &valid);
  CHECK(choose(2, 1, false) == &valid);
  pending.state = PairState::Failed;
  CHECK(choose(1, 2, false) == &valid);
  valid.is_valid = false;
  CHECK(choose(2, 2, true) == nullptr);
  CHECK(directness(CandidateType::Host, CandidateType::Host) >
        directness(CandidateType::Host, CandidateType::ServerReflexive));
  CHECK(directness(CandidateType::Host, CandidateType::ServerReflexive) >
        directness(CandidateType::Relayed, CandidateType::Host));
}

TEST_CASE(
    "a consent check follows within 4 to 6 seconds, on a grid: late after one that was answered, else soon",
    "[ICE-CONS-01]") {
  using namespace std::chrono_literals;
  Duration low = Duration::max(), high{}, answered{}, unanswered{};
  constexpr int kTimes = 100000;
  for (int i = 0; i < kTimes; ++i) {
    const Time now(1h + Duration(i * 7919));
    const Consent::Plan plan =
        Consent::plan(now, static_cast<std::uint64_t>(i + 1) * 0x9E3779B97F4A7C15u ^ 0x5555);
    answered += plan.answered - now;
    unanswered += plan.unanswered - now;
    low = std::min({low, plan.answered - now, plan.unanswered - now});
    high = std::max({high, plan.answered - now, plan.unanswered - now});
    for (const Time check : {plan.answered, plan.unanswered})
      if (check.time_since_epoch() % Consent::kGrid != 0us) FAIL("off the grid: " << i);
  }
  CHECK(low >= 4s);
  CHECK(low < 4010ms);
  CHECK(high > 5880ms);
  CHECK(high <= 5900ms);  // and it leaves a little later, with other checks or a slow poll before it
  CHECK(answered / kTimes > 5600ms);
  CHECK(unanswered / kTimes < 4300ms);
  // Each of the eight draws counts.
  const Time now(1h);
  for (unsigned i = 0; i < 64; i += 8) {
    CHECK(Consent::plan(now, std::uint64_t{255} << i).answered == now + 5900ms);
    CHECK(Consent::plan(now, ~(std::uint64_t{255} << i)).unanswered == now + 4s);
  }
}

TEST_CASE("a check whose answer comes is followed later than was planned, however late that is",
          "[ICE-CONS-01]") {
  using namespace std::chrono_literals;
  constexpr std::uint64_t kRandom = 0x4080'4080'4080'4080;  // draws of a quarter and a half
  Consent consent;
  Time now(1h);
  consent.on_answer(now, Consent::plan(now, kRandom));
  CHECK(consent.next_check() - now == 4940ms);
  now = consent.next_check();
  consent.on_check_sent(now, Consent::plan(now, kRandom));
  CHECK(consent.next_check() - now == 4460ms);
  consent.on_answer(now + 100ms, {});
  CHECK(consent.next_check() - now == 4940ms);
  // The answer to this one comes after the next was sent, which is as good.
  now = consent.next_check();
  consent.on_check_sent(now, Consent::plan(now, kRandom));
  now = consent.next_check();
  consent.on_check_sent(now, Consent::plan(now, kRandom));
  CHECK(consent.next_check() - now == 4460ms);
  consent.on_answer(now + 100ms, {});
  CHECK(consent.next_check() - now == 4940ms);
}

}  // namespace pollrtc::test
