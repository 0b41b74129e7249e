// A session at rest: what it holds, what brings it back, and that it goes on where it was.
#include <memory>

#include "pair.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

const ByteVector kText = {'t', 'e', 'x', 't'};

struct Talking : Pair {
  Talking() {
    start();
    run();
    REQUIRE(connected());
    REQUIRE(data_flows());
  }
  Drop give_server(const ByteVector& record) { return server.handle_packet(now, record); }
};

std::uint64_t record_number(const ByteVector& record) {
  std::uint64_t number = 0;
  for (std::size_t i = 3; i < 11; ++i) number = number << 8 | record[i];  // epoch and sequence number
  return number;
}

}  // namespace

TEST_CASE("what rests holds little, and goes on where it was at the next record either way") {
  Talking pair;
  const std::size_t awake = pair.server_env.bytes_in_use();
  REQUIRE(pair.server.rest(pair.now));
  REQUIRE(pair.client.rest(pair.now));
  CHECK(pair.server.is_resting());
  CHECK(pair.server.rest(pair.now));  // as it is
  CHECK(pair.server_env.bytes_in_use() < awake);
  CHECK(pair.server_env.bytes_in_use() < 2048);
  CHECK(pair.server.state() == SessionState::Connected);
  CHECK(pair.server.next_timeout() == kNever);
  CHECK(receive_all(pair.server).empty());

  CHECK(pair.data_flows());
  CHECK_FALSE(pair.client.is_resting());
  CHECK_FALSE(pair.server.is_resting());
  CHECK(pair.data_flows());
}

TEST_CASE("no record number is used twice, and none is taken twice, over a rest") {
  Talking pair;
  const ByteVector before = seal(pair.client, pair.now, kText);
  REQUIRE(pair.give_server(before) == Drop::None);
  CHECK(receive_all(pair.server).size() == 1);
  REQUIRE(pair.client.rest(pair.now));
  REQUIRE(pair.server.rest(pair.now));

  const ByteVector after = seal(pair.client, pair.now, kText);
  CHECK(record_number(after) == record_number(before) + 1);
  CHECK(pair.give_server(before) == Drop::DtlsRejected);
  CHECK(pair.give_server(after) == Drop::None);
  CHECK(pair.give_server(after) == Drop::None);  // kept until the first one is read
  CHECK(receive_all(pair.server).size() == 1);
}

TEST_CASE("a session does not rest in the middle of something") {
  Pair pair;
  CHECK_FALSE(pair.client.rest(pair.now));  // New
  pair.start();
  CHECK_FALSE(pair.client.rest(pair.now));  // Handshaking
  pair.run();
  REQUIRE(pair.data_flows());
  const ByteVector record = seal(pair.client, pair.now, kText);
  REQUIRE(pair.server.handle_packet(pair.now, record) == Drop::None);
  CHECK_FALSE(pair.server.rest(pair.now));  // there is something to read
  CHECK(receive_all(pair.server).size() == 1);
  CHECK(pair.server.rest(pair.now));
}

TEST_CASE("without memory to wake up a session stays at rest, and the next record finds it there") {
  Talking pair;
  REQUIRE(pair.client.rest(pair.now));
  pair.client_env.fail_allocations_after(0);
  ByteVector out(200);
  const auto refused = pair.client.send(pair.now, kText, out);
  REQUIRE_FALSE(refused);
  CHECK(refused.error() == ErrorCode::OutOfMemory);
  const ByteVector record = seal(pair.server, pair.now, kText);
  CHECK(pair.client.handle_packet(pair.now, record) == Drop::OutOfMemory);
  CHECK(pair.client.is_resting());
  CHECK(pair.client.state() == SessionState::Connected);
  pair.client_env.fail_allocations_after(1000);
  CHECK(pair.client.handle_packet(pair.now, record) == Drop::None);
  CHECK(receive_all(pair.client) == std::vector<ByteVector>{kText});
  CHECK(pair.data_flows());
}

TEST_CASE("whichever allocation fails while a session goes to rest, it stays connected") {
  bool has_rested = false, has_stayed = false;
  for (std::size_t n = 0; n < 12; ++n) {
    CAPTURE(n);
    Talking pair;
    pair.client_env.fail_allocations_after(n);
    const bool rests = pair.client.rest(pair.now);
    (rests ? has_rested : has_stayed) = true;
    CHECK(pair.client.state() == SessionState::Connected);
    pair.client_env.fail_allocations_after(1000);
    CHECK(pair.data_flows());
  }
  CHECK(has_rested);
  CHECK(has_stayed);
}

TEST_CASE("one at rest says goodbye, hears it, and refuses what is forged") {
  Talking pair;
  REQUIRE(pair.client.rest(pair.now));
  REQUIRE(pair.server.rest(pair.now));
  CHECK(pair.give_server(make_record(23, 0xfefd, 0, 1000, ByteVector(40, 1))) == Drop::DtlsUnexpected);
  CHECK(pair.server.is_resting());  // what is in clear does not even wake it
  CHECK(pair.give_server(make_record(23, 0xfefd, 1, 1000, ByteVector(40, 1))) == Drop::DtlsRejected);
  REQUIRE(pair.server.rest(pair.now));
  pair.client.close(pair.now);
  const auto notify = poll_all(pair.client, pair.now);
  REQUIRE(notify.size() == 1);
  CHECK(pair.give_server(notify[0]) == Drop::None);
  CHECK(events_of(pair.server).ended == Close::Remote);
  CHECK_FALSE(pair.server.is_resting());
  CHECK_FALSE(pair.client.is_resting());
}

TEST_CASE("after a rest the certificate's key may be gone") {
  TestEnvironment environment{5};
  auto own = Certificate::generate(environment.env, 1'767'225'600);
  REQUIRE(own);
  const Fingerprint fingerprint = own->fingerprint();
  Pair pair({}, *own);
  const Fingerprint of_server = server_certificate().fingerprint();
  REQUIRE(pair.client.set_remote_fingerprints(pair.now, {&of_server, 1}));
  REQUIRE(pair.server.set_remote_fingerprints(pair.now, {&fingerprint, 1}));
  pair.start(100ms, false);
  pair.run();
  REQUIRE(pair.data_flows());
  REQUIRE(pair.client.rest(pair.now));
  const std::size_t with_key = environment.bytes_in_use();
  own->forget_key();
  CHECK(environment.bytes_in_use() < with_key);
  CHECK(own->fingerprint() == fingerprint);
  CHECK(pair.data_flows());
}
