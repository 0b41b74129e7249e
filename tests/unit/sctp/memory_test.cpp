// What an association costs in memory: little while it idles, and nothing for streams that nobody has used, of which
// every INIT offers 65,535 (RFC 8831 §6.2).
#include "support/catch.h"
#include "two_associations.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;

namespace {

// With room above what was measured on a 64-bit machine: 4,696 bytes, and 112 and 4 for a stream.
constexpr std::size_t kIdle = 8 * 1024;
constexpr std::size_t kStreamOut = 192, kStreamIn = 16;

void use_streams(TwoAssociations& net, std::uint16_t first, std::uint16_t count) {
  const ByteVector message(4, 1);
  for (std::uint16_t i = 0; i < count; ++i) {
    const auto stream = static_cast<std::uint16_t>(first + i);
    REQUIRE(net.a.association->send(net.now, {.stream = stream}, message));
    if (i % 32 == 31) net.run_for(1s);
  }
  net.run_for(1s);
}

}  // namespace

TEST_CASE("an idle association is small, and streams that nobody uses cost nothing", "[SCTP-INIT-04]") {
  Limits few;
  few.sctp_streams = 1;
  TwoAssociations net, small({}, 1, few);
  net.connect();
  small.connect();
  net.run_for(1s);
  small.run_for(1s);
  const std::size_t idle = net.a.environment.bytes_in_use();
  INFO("idle: " << idle << " bytes of heap and " << sizeof(Association));
  CHECK(idle + sizeof(Association) <= kIdle);
  CHECK(idle == small.a.environment.bytes_in_use());
}

TEST_CASE("a stream in use costs a bounded amount at its sender and its receiver") {
  TwoAssociations net;
  net.connect();
  use_streams(net, 0, 64);  // what is made once
  const std::size_t out = net.a.environment.bytes_in_use(), in = net.b.environment.bytes_in_use();
  use_streams(net, 64, 1000);
  INFO("out " << net.a.environment.bytes_in_use() - out << ", in " << net.b.environment.bytes_in_use() - in);
  CHECK(net.a.environment.bytes_in_use() - out <= 1000 * kStreamOut);
  CHECK(net.b.environment.bytes_in_use() - in <= 1000 * kStreamIn);
}

TEST_CASE("the highest stream alone costs no more than a place for each below it") {
  TwoAssociations net;
  net.connect();
  const std::size_t out = net.a.environment.bytes_in_use(), in = net.b.environment.bytes_in_use();
  use_streams(net, 65534, 1);
  INFO("out " << net.a.environment.bytes_in_use() - out << ", in " << net.b.environment.bytes_in_use() - in);
  CHECK(net.a.environment.bytes_in_use() - out <= 8 * 1024);
  CHECK(net.b.environment.bytes_in_use() - in <= 140 * 1024);
}
