#include "base/timers.h"

#include "support/catch.h"

using namespace pollrtc;
using namespace std::chrono_literals;

namespace {
enum class Timer { A, B, C, Count_ };
constexpr Time at(Duration d) { return Time(d); }
}  // namespace

TEST_CASE("timers come out in the order of their deadlines, each once") {
  TimerTable<Timer> timers;
  CHECK(timers.next() == kNever);
  timers.set(Timer::C, at(1s));
  timers.set(Timer::A, at(2s));
  CHECK(timers.next() == at(1s));
  CHECK_FALSE(timers.pop_expired(at(1s) - 1us));
  CHECK(timers.pop_expired(at(5s)) == Timer::C);
  CHECK(timers.pop_expired(at(5s)) == Timer::A);
  CHECK_FALSE(timers.pop_expired(at(5s)));
  timers.set(Timer::B, at(3s));
  timers.stop(Timer::B);
  CHECK_FALSE(timers.is_running(Timer::B));
  CHECK(timers.next() == kNever);
}

TEST_CASE("back-off doubles up to its maximum") {
  Backoff b(1s, 5s);
  CHECK(b.current() == Duration(1s));
  b.grow();
  b.grow();
  CHECK(b.current() == Duration(4s));
  b.grow();
  CHECK(b.current() == Duration(5s));
  b.reset();
  CHECK(b.current() == Duration(1s));
}
