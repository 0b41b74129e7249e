#include "peer/signaling.h"

#include "support/catch.h"

using namespace pollrtc;

// One row a state; columns: local offer, pranswer, answer, rollback, then the same of the remote end. '-' is
// an error, other letters are the next state (RFC 9429 §3.2).
TEST_CASE("every signaling state takes exactly the descriptions that JSEP allows", "[SDP-11]") {
  // S stable, l have-local-offer, r have-remote-offer, p have-local-pranswer, q have-remote-pranswer, c
  // closed
  const std::pair<char, const char*> table[] = {
      {'S', "l---r---"}, {'l', "l--S-qSS"}, {'r', "-pSSr--S"},
      {'p', "-pSS---S"}, {'q', "---S-qSS"}, {'c', "--------"},
  };
  const std::string letters = "Slrpqc";
  for (const auto& [state, row] : table) {
    for (int column = 0; column < 8; ++column) {
      const Side side = column < 4 ? Side::Local : Side::Remote;
      const SdpType types[] = {SdpType::Offer, SdpType::Pranswer, SdpType::Answer, SdpType::Rollback};
      INFO("state " << state << " column " << column);
      const auto next =
          next_signaling_state(static_cast<SignalingState>(letters.find(state)), side, types[column % 4]);
      CHECK((next ? letters[static_cast<std::size_t>(*next)] : '-') == row[column]);
    }
  }
}

TEST_CASE("names of descriptions are read as they are written") {
  for (const SdpType type : {SdpType::Offer, SdpType::Pranswer, SdpType::Answer, SdpType::Rollback})
    CHECK(sdp_type_from(name_of(type)) == type);
  CHECK_FALSE(sdp_type_from("Offer"));
  CHECK_FALSE(sdp_type_from(""));
}
