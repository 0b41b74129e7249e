#include "peer/demux.h"

#include "support/catch.h"

using namespace pollrtc;

TEST_CASE("the first byte says whose a datagram is", "[STUN-11]") {
  for (int first = 0; first < 256; ++first) {
    INFO(first);
    const Protocol expected = first < 4                      ? Protocol::Stun
                              : first >= 16 && first <= 19   ? Protocol::Zrtp
                              : first >= 20 && first <= 63   ? Protocol::Dtls
                              : first >= 64 && first <= 79   ? Protocol::TurnChannel
                              : first >= 128 && first <= 191 ? Protocol::Rtp
                                                             : Protocol::Unknown;
    CHECK(protocol_of(static_cast<std::uint8_t>(first)) == expected);
  }
}
