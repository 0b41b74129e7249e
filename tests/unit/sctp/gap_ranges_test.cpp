#include "sctp/gap_ranges.h"

#include <vector>

#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

namespace {
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

Pairs difference(const Pairs& a, const Pairs& b) {
  const Memory memory = default_memory();
  GapRanges x(memory), y(memory);
  for (const auto& [first, last] : a) REQUIRE(x.push_back({first, last}));
  for (const auto& [first, last] : b) REQUIRE(y.push_back({first, last}));
  Pairs parts;
  for_each_difference(x, y,
                      [&parts](std::uint32_t first, std::uint32_t last) { parts.emplace_back(first, last); });
  return parts;
}
}  // namespace

TEST_CASE("the difference of two lists of ranges") {
  CHECK(difference({}, {{1, 5}}).empty());
  CHECK(difference({{2, 4}}, {}) == Pairs{{2, 4}});
  CHECK(difference({{2, 4}}, {{2, 4}}).empty());
  CHECK(difference({{2, 9}}, {{4, 5}}) == Pairs{{2, 3}, {6, 9}});
  CHECK(difference({{2, 9}}, {{1, 3}, {5, 6}, {9, 12}}) == Pairs{{4, 4}, {7, 8}});
  CHECK(difference({{2, 3}, {5, 6}, {8, 9}}, {{3, 8}}) == Pairs{{2, 2}, {9, 9}});
  CHECK(difference({{5, 6}, {10, 20}}, {{1, 2}, {15, 15}}) == Pairs{{5, 6}, {10, 14}, {16, 20}});
}

TEST_CASE("the difference agrees with sets, for every pair of small lists") {
  // Each list is a bit mask of 8 positions.
  const auto ranges = [](unsigned mask) {
    Pairs list;
    for (std::uint32_t i = 1; i <= 8; ++i) {
      if ((mask >> (i - 1) & 1) == 0) continue;
      if (!list.empty() && list.back().second + 1 == i) {
        list.back().second = i;
      } else {
        list.emplace_back(i, i);
      }
    }
    return list;
  };
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; b += 3) {
      unsigned got = 0;
      for (const auto& [first, last] : difference(ranges(a), ranges(b)))
        for (std::uint32_t i = first; i <= last; ++i) got |= 1u << (i - 1);
      if (got != (a & ~b)) FAIL(a << " minus " << b);
    }
}

}  // namespace pollrtc::sctp
