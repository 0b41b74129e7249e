#include "sctp/rx_fragments.h"

#include <vector>

#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;

TEST_CASE("a fragment table finds what was put in, whatever was taken out") {
  TestEnvironment environment;
  FragmentTable table(environment.env.memory);
  std::vector<bool> in(2000, false);
  std::uint64_t state = 7;
  for (int step = 0; step < 50000; ++step) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto at = static_cast<std::uint32_t>((state >> 33) % in.size());
    const FragmentKey key = FragmentKey::of(Tsn(at * 3));
    if (in[at]) {
      REQUIRE(table.erase(key));
    } else {
      REQUIRE(table.insert(key) != nullptr);
    }
    in[at] = !in[at];
    if (step % 1000 != 0) continue;
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < in.size(); ++i) {
      const Fragment* const found = table.find(FragmentKey::of(Tsn(i * 3)));
      if ((found != nullptr) != in[i]) FAIL("position " << i);
      count += in[i] ? 1 : 0;
    }
    CHECK(table.size() == count);
  }
}

}  // namespace pollrtc::sctp
