#include "sctp/rx_fragments.h"

#include <vector>

#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;

TEST_CASE("a fragment table finds what was put in by key and by TSN, whatever was taken out") {
  for (const bool interleaved : {false, true}) {
    TestEnvironment environment;
    FragmentTable table(environment.env.memory, interleaved);
    std::vector<bool> in(2000, false);
    const auto key_of = [interleaved](std::uint32_t at) {
      return interleaved ? FragmentKey::of(StreamId{static_cast<std::uint16_t>(at % 7)}, at % 2 == 0,
                                           Mid(at % 11), Fsn(at))
                         : FragmentKey::of(Tsn(at * 3));
    };
    std::uint64_t state = 7;
    for (int step = 0; step < 50000; ++step) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const auto at = static_cast<std::uint32_t>((state >> 33) % in.size());
      if (in[at]) {
        REQUIRE(table.erase(key_of(at)));
      } else {
        REQUIRE(table.insert(key_of(at), Tsn(at * 3)) != nullptr);
      }
      in[at] = !in[at];
      if (step % 1000 != 0) continue;
      std::size_t count = 0;
      for (std::uint32_t i = 0; i < in.size(); ++i) {
        const Fragment* const found = table.find(key_of(i));
        if ((found != nullptr) != in[i]) FAIL("position " << i);
        if (table.find_tsn(Tsn(i * 3)) != found) FAIL("TSN " << i * 3);
        count += in[i] ? 1 : 0;
      }
      CHECK(table.size() == count);
    }
  }
}

}  // namespace pollrtc::sctp
