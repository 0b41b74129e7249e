#include "base/serial.h"

#include "support/catch.h"

using namespace pollrtc;
using Ssn = Serial<struct SsnTag, std::uint16_t>;

TEST_CASE("serial numbers compare across the wrap, RFC 1982 §3.2") {
  CHECK(Ssn(65535) < Ssn(0));
  CHECK(Ssn(0) > Ssn(65535));
  CHECK(Ssn(0) < Ssn(32767));
  CHECK_FALSE(Ssn(0) < Ssn(32768));  // exactly half the space: neither
  CHECK_FALSE(Ssn(32768) < Ssn(0));
  CHECK(Ssn(5) <= Ssn(5));
  CHECK((Ssn(65535) + 2) == Ssn(1));
  CHECK(Ssn(1).distance_from(Ssn(65534)) == 3);
}
