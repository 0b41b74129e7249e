// Ranges of TSNs in ascending order, apart from each other: what the peer has gap-acknowledged (RFC 9260
// §3.3.4).
#pragma once

#include "base/memory.h"
#include "sctp/internal_types.h"

namespace pollrtc::sctp {

// Offsets from some TSN, both included.
struct GapRange {
  std::uint32_t first = 0, last = 0;
  friend constexpr bool operator==(const GapRange&, const GapRange&) = default;
};
using GapRanges = Vec<GapRange>;

// Calls visit(first, last) for each maximal part of `a` that `b` does not cover. O(ranges of a + ranges of
// b).
template <class Visit>
void for_each_difference(const GapRanges& a, const GapRanges& b, Visit visit) {
  std::size_t j = 0;
  for (const GapRange& range : a) {
    std::uint32_t from = range.first;
    while (j < b.size() && b[j].last < from) ++j;
    for (std::size_t k = j; from <= range.last; ++k) {
      if (k == b.size() || b[k].first > range.last) {
        visit(from, range.last);
        break;
      }
      if (b[k].first > from) visit(from, b[k].first - 1);
      from = b[k].last + 1;
      j = k;
    }
  }
}

}  // namespace pollrtc::sctp
