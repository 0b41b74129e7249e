// Clock and entropy.
#include <algorithm>

#include "net/clock.h"
#include "net/entropy.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::net;

TEST_CASE("the monotonic clock does not go back, and the calendar is past 2020") {
  const Time a = monotonic_now(), b = monotonic_now();
  CHECK(b >= a);
  CHECK(unix_seconds() > 1577836800);
}

TEST_CASE("entropy fills all of it, differently each time, in any size") {
  const Rng rng = system_rng();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{256}, std::size_t{257}, std::size_t{5000}}) {
    test::ByteVector a(size), b(size);
    REQUIRE(rng.fill(rng.context, a));
    REQUIRE(rng.fill(rng.context, b));
    if (size < 16) continue;
    CHECK(a != b);
    CHECK(std::count(a.end() - 16, a.end(), 0) < 8);  // the tail was filled too
  }
}
