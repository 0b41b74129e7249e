// A candidate line as a peer may signal it. What is accepted can be sent to, and is the same after a round trip.
#include "base/address.h"
#include "base/bytes.h"
#include "sdp/candidate_line.h"
#include "support.h"

using namespace pollrtc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto candidate = sdp::parse_candidate(as_text(Bytes(data, size)));
  if (!candidate) {
    check(!candidate.error().detail().empty());
    return 0;
  }
  check(candidate->component == 1 && candidate->priority >= 1 && candidate->priority <= 0x7FFFFFFF);
  check(candidate->address.is_valid() == candidate->mdns_name.empty());
  if (candidate->address.is_valid()) {
    check(candidate->address.port != 0 && !is_ipv4_mapped(candidate->address));
    check(!is_multicast(candidate->address) && !is_unspecified(candidate->address));
  }
  const std::string line = sdp::write_candidate(*candidate, false);
  check(line.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  const auto again = sdp::parse_candidate(line);
  check(again.has_value() && *again == *candidate && sdp::write_candidate(*again, false) == line);
  check(sdp::parse_candidate(sdp::write_candidate(*candidate, true)).has_value());
  return 0;
}
