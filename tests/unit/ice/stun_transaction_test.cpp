#include "ice/stun_transaction.h"

#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using stun::Retransmission;
using Step = Retransmission::Step;

TEST_CASE("a request goes out at 0, 500, 1500, 3500, 7500, 15500, 31500 ms and is given up at 39500",
          "[STUN-07]") {
  Retransmission timer(Time{}, 500ms);
  std::vector<std::int64_t> sends{0};
  std::int64_t gave_up = 0;
  while (gave_up == 0) {
    const Time now = timer.due();
    CHECK(timer.step(now - 1us) == Step::Wait);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    switch (timer.step(now)) {
      case Step::Send:
        sends.push_back(ms);
        break;
      case Step::Fail:
        gave_up = ms;
        break;
      case Step::Wait:
        FAIL("due, but nothing to do");
    }
  }
  CHECK(sends == std::vector<std::int64_t>{0, 500, 1500, 3500, 7500, 15500, 31500});
  CHECK(gave_up == 39500);
  CHECK(timer.copies() == 7);
}

TEST_CASE("RTO, Rc and Rm can be chosen", "[STUN-07]") {
  Retransmission timer(Time{}, 1s, 3, 4);
  CHECK(timer.due() == Time{} + 1s);
  CHECK(timer.step(timer.due()) == Step::Send);
  CHECK(timer.due() == Time{} + 3s);
  CHECK(timer.step(timer.due()) == Step::Send);
  CHECK(timer.due() == Time{} + 7s);
  CHECK(timer.step(timer.due()) == Step::Fail);
}

TEST_CASE("a request that is never repeated waits its time and fails") {
  Retransmission timer(Time{}, 30s, 1, 1);
  CHECK(timer.due() == Time{} + 30s);
  CHECK(timer.step(Time{} + 30s) == Step::Fail);
}

TEST_CASE("after a pause of the process one copy goes out, not all that were missed") {
  Retransmission timer(Time{}, 500ms);
  CHECK(timer.step(Time{} + 10min) == Step::Send);
  CHECK(timer.step(Time{} + 10min) == Step::Wait);
  CHECK(timer.due() == Time{} + 10min + 1s);
}

TEST_CASE("a cancelled transaction sends no more and waits as long as it would have", "[ICE-CHK-07]") {
  Retransmission timer(Time{}, 500ms);
  CHECK(timer.step(Time{} + 500ms) == Step::Send);
  timer.cancel();
  CHECK(timer.due() == Time{} + 39500ms);
  CHECK(timer.step(Time{} + 39s) == Step::Wait);
  CHECK(timer.step(Time{} + 39500ms) == Step::Fail);
}

TEST_CASE("the table holds its limit, and a cancelled transaction makes room") {
  TestEnvironment environment;
  stun::TransactionTable table(environment.env.memory, 3);
  stun::Transaction t;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    t.id[0] = i;
    REQUIRE(table.add(t) != nullptr);
  }
  t.id[0] = 4;
  CHECK(table.add(t) == nullptr);
  stun::TransactionId second{2};
  table.find(second)->is_cancelled = true;
  CHECK(table.add(t) != nullptr);
  CHECK(table.find(second) == nullptr);
  CHECK(table.size() == 3);
  table.erase(table.find(stun::TransactionId{4}));
  CHECK(table.size() == 2);
  environment.fail_allocations_after(0);
  stun::TransactionTable empty(environment.env.memory, 3);
  CHECK(empty.add(t) == nullptr);
}

}  // namespace pollrtc::test
