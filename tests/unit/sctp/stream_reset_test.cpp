#include "sctp/stream_reset.h"
#include "sctp/stream_set.h"

#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using test::ByteVector;

namespace {

constexpr std::uint16_t kInbound = 100;

// A request of the peer with its stream list kept alive.
struct Request {
  Request(std::uint32_t number, std::uint32_t last_tsn, std::vector<std::uint16_t> ids) {
    for (const std::uint16_t id : ids) {
      bytes.push_back(static_cast<std::uint8_t>(id >> 8));
      bytes.push_back(static_cast<std::uint8_t>(id));
    }
    request = {ReconfigSeq(number), ReconfigSeq(0), Tsn(last_tsn), {bytes}};
  }
  Request(const Request&) = delete;
  ByteVector bytes;
  OutgoingResetRequest request;
};

const auto kAlways = [](StreamId) { return true; };

std::vector<std::uint16_t> ids_of(std::span<const StreamId> streams) {
  std::vector<std::uint16_t> ids;
  for (const StreamId s : streams) ids.push_back(value_of(s));
  return ids;
}

std::string request_bytes(const OutgoingReset& reset) {
  std::array<std::uint8_t, 100> out;
  ByteWriter w(out);
  reset.write(w, ReconfigSeq(0x50));
  return test::to_hex(w.written());
}

std::vector<std::string> told(OutgoingReset& reset) {
  std::vector<std::string> told;
  while (const auto done = reset.pop_done())
    told.push_back(std::to_string(value_of(done->stream)) + (done->performed ? " performed" : " refused"));
  return told;
}

}  // namespace

TEST_CASE("request numbers begin at the initial TSN, rise by one and wrap", "[SCTP-RST-11]") {
  test::TestEnvironment t;
  OutgoingReset reset(t.env.memory, Tsn(0xffffffff));
  REQUIRE(reset.ask(StreamId{6}));
  REQUIRE(reset.start(Tsn(0x77), 10, kAlways));
  CHECK(request_bytes(reset) ==
        "82000016"
        "000d0012"
        "ffffffff"
        "0000004f"
        "00000077"
        "00060000");
  reset.mark_sent();
  CHECK(reset.on_response({ReconfigSeq(0), ReconfigResult::Performed}) == OutgoingReset::Outcome::Ignored);
  CHECK(reset.on_response({ReconfigSeq(0xfffffffe), ReconfigResult::Performed}) ==
        OutgoingReset::Outcome::Ignored);
  CHECK(reset.on_response({ReconfigSeq(0xffffffff), ReconfigResult::Performed}) ==
        OutgoingReset::Outcome::Performed);
  reset.finish(true);
  CHECK(told(reset).size() == 1);
  CHECK(reset.on_response({ReconfigSeq(0xffffffff), ReconfigResult::Performed}) ==
        OutgoingReset::Outcome::Ignored);
  REQUIRE(reset.ask(StreamId{7}));
  REQUIRE(reset.start(Tsn(0x78), 10, kAlways));
  CHECK(request_bytes(reset).substr(16, 8) == "00000000");
}

TEST_CASE("one request is in flight; what is asked meanwhile shares the next one", "[SCTP-RST-09]") {
  test::TestEnvironment t;
  OutgoingReset reset(t.env.memory, Tsn(10));
  REQUIRE(reset.ask(StreamId{1}));
  REQUIRE(reset.start(Tsn(20), 10, kAlways));
  REQUIRE(reset.ask(StreamId{3}));
  REQUIRE(reset.ask(StreamId{2}));
  CHECK_FALSE(reset.start(Tsn(21), 10, kAlways));
  CHECK(reset.ask(StreamId{1}).error() == ErrorCode::AlreadyExists);
  CHECK(reset.ask(StreamId{2}).error() == ErrorCode::AlreadyExists);
  const std::string first = request_bytes(reset);
  reset.mark_sent();
  CHECK_FALSE(reset.owes_request());
  CHECK(reset.on_timeout(Tsn(0)));  // counts as an error, and the same bytes go out again
  CHECK(reset.owes_request());
  CHECK(request_bytes(reset) == first);
  REQUIRE(reset.on_response({ReconfigSeq(10), ReconfigResult::Performed}) ==
          OutgoingReset::Outcome::Performed);
  reset.finish(true);
  CHECK_FALSE(reset.is_under_way(StreamId{1}));
  CHECK_FALSE(reset.start(Tsn(21), 10, kAlways));  // the user does not know yet
  CHECK(told(reset) == std::vector<std::string>{"1 performed"});
  REQUIRE(reset.start(Tsn(21), 10, kAlways));
  CHECK(ids_of(reset.streams()) == std::vector<std::uint16_t>{2, 3});
  reset.finish(false);
  CHECK(told(reset) == std::vector<std::string>{"2 refused", "3 refused"});
}

TEST_CASE("a reset that was taken needs no memory any more") {
  test::TestEnvironment t;
  OutgoingReset reset(t.env.memory, Tsn(10));
  std::size_t successes = 0;
  for (t.fail_allocations_after(0); !reset.ask(StreamId{1}); t.fail_allocations_after(++successes))
    REQUIRE(successes < 5);
  t.fail_allocations_after(0);
  REQUIRE(reset.start(Tsn(20), 10, kAlways));
  reset.mark_sent();
  REQUIRE(reset.on_response({ReconfigSeq(10), ReconfigResult::Performed}) ==
          OutgoingReset::Outcome::Performed);
  reset.finish(true);
  CHECK(told(reset) == std::vector<std::string>{"1 performed"});
}

TEST_CASE("a stream that is not drained waits; a request holds no more than fits", "[SCTP-RST-01]") {
  test::TestEnvironment t;
  OutgoingReset reset(t.env.memory, Tsn(10));
  for (const unsigned id : {5u, 1u, 4u, 2u}) REQUIRE(reset.ask(static_cast<StreamId>(id)));
  CHECK_FALSE(reset.start(Tsn(20), 10, [](StreamId) { return false; }));
  REQUIRE(reset.start(Tsn(20), 2, [](StreamId s) { return s != StreamId{1}; }));
  CHECK(ids_of(reset.streams()) == std::vector<std::uint16_t>{2, 4});
  CHECK(reset.is_under_way(StreamId{1}));
  reset.finish(true);
  CHECK(told(reset) == std::vector<std::string>{"2 performed", "4 performed"});
  REQUIRE(reset.start(Tsn(20), 2, kAlways));
  CHECK(ids_of(reset.streams()) == std::vector<std::uint16_t>{1, 5});
}

TEST_CASE("in progress: asked again without counting an error, refused: over", "[SCTP-RST-03][SCTP-RST-12]") {
  test::TestEnvironment t;
  OutgoingReset reset(t.env.memory, Tsn(10));
  REQUIRE(reset.ask(StreamId{1}));
  REQUIRE(reset.start(Tsn(20), 10, kAlways));
  reset.mark_sent();
  CHECK(reset.on_response({ReconfigSeq(10), ReconfigResult::InProgress}) ==
        OutgoingReset::Outcome::InProgress);
  CHECK_FALSE(reset.on_timeout(Tsn(19)));
  CHECK(reset.owes_request());
  reset.mark_sent();
  CHECK(reset.on_timeout(Tsn(19)));  // now there was no answer
  for (const auto result :
       {ReconfigResult::Denied, ReconfigResult::WrongSsn, ReconfigResult::AlreadyInProgress,
        ReconfigResult::BadSequenceNumber, static_cast<ReconfigResult>(77)}) {
    CHECK(reset.on_response({ReconfigSeq(10), result}) == OutgoingReset::Outcome::Refused);
  }
  CHECK(reset.on_response({ReconfigSeq(10), ReconfigResult::NothingToDo}) ==
        OutgoingReset::Outcome::Performed);
}

TEST_CASE("in progress though the peer has everything: asked again under a new number", "[SCTP-RST-03]") {
  test::TestEnvironment t;
  OutgoingReset reset(t.env.memory, Tsn(10));
  REQUIRE(reset.ask(StreamId{1}));
  REQUIRE(reset.start(Tsn(20), 10, kAlways));
  reset.mark_sent();
  CHECK(reset.on_timeout(Tsn(20)));  // never answered: the same number
  CHECK(reset.on_response({ReconfigSeq(10), ReconfigResult::InProgress}) ==
        OutgoingReset::Outcome::InProgress);
  CHECK_FALSE(reset.on_timeout(Tsn(20)));
  CHECK(reset.on_response({ReconfigSeq(10), ReconfigResult::Performed}) == OutgoingReset::Outcome::Ignored);
  CHECK(reset.on_response({ReconfigSeq(11), ReconfigResult::Performed}) == OutgoingReset::Outcome::Ignored);
  reset.mark_sent();
  CHECK(reset.on_response({ReconfigSeq(11), ReconfigResult::Performed}) == OutgoingReset::Outcome::Performed);
  reset.finish(true);
  CHECK(told(reset).size() == 1);
  REQUIRE(reset.ask(StreamId{1}));
  REQUIRE(reset.start(Tsn(20), 10, kAlways));
  CHECK(reset.on_response({ReconfigSeq(12), ReconfigResult::Performed}) == OutgoingReset::Outcome::Ignored);
  reset.mark_sent();
  CHECK(reset.on_response({ReconfigSeq(12), ReconfigResult::Performed}) == OutgoingReset::Outcome::Performed);
}

TEST_CASE("an expected request is performed, the last one answered the same again, others are bad",
          "[SCTP-RST-02]") {
  test::TestEnvironment t;
  IncomingReset reset(t.env.memory, Tsn(100));
  const Request first(100, 50, {1, 2});
  auto verdict = reset.on_request(first.request, Tsn(50), kInbound);
  CHECK((verdict.perform && verdict.result == ReconfigResult::Performed));
  CHECK(ids_of(reset.streams()) == std::vector<std::uint16_t>{1, 2});
  verdict = reset.on_request(first.request, Tsn(50), kInbound);
  CHECK((!verdict.perform && verdict.result == ReconfigResult::Performed));
  for (const std::uint32_t number : {99u, 102u, 0u}) {
    verdict = reset.on_request(Request(number, 50, {1}).request, Tsn(50), kInbound);
    CHECK((!verdict.perform && verdict.result == ReconfigResult::BadSequenceNumber));
  }
  CHECK(reset.expected() == ReconfigSeq(101));
  CHECK(reset.refuse(ReconfigSeq(101), ReconfigResult::Denied) == ReconfigResult::Denied);
  CHECK(reset.refuse(ReconfigSeq(101), ReconfigResult::Denied) == ReconfigResult::Denied);
  CHECK(reset.refuse(ReconfigSeq(300), ReconfigResult::Denied) == ReconfigResult::BadSequenceNumber);
}

TEST_CASE("a request whose last TSN has not come is put off, and performed once", "[SCTP-RST-03]") {
  test::TestEnvironment t;
  IncomingReset reset(t.env.memory, Tsn(100));
  const Request request(100, 50, {1});
  auto verdict = reset.on_request(request.request, Tsn(48), kInbound);
  CHECK((!verdict.perform && verdict.result == ReconfigResult::InProgress));
  CHECK(reset.is_put_off());
  CHECK(reset.names(StreamId{1}));
  CHECK_FALSE(reset.names(StreamId{2}));
  CHECK(reset.on_request(request.request, Tsn(49), kInbound).result == ReconfigResult::InProgress);
  // Another request meanwhile: one at a time.
  CHECK(reset.on_request(Request(101, 60, {2}).request, Tsn(49), kInbound).result ==
        ReconfigResult::AlreadyInProgress);
  CHECK(reset.complete() == ReconfigResponse{ReconfigSeq(100), ReconfigResult::Performed});
  CHECK_FALSE(reset.is_put_off());
  verdict = reset.on_request(request.request, Tsn(50), kInbound);
  CHECK((!verdict.perform && verdict.result == ReconfigResult::Performed));
}

TEST_CASE("a peer that asks again under a new number gets the same reset once", "[SCTP-RST-03]") {
  test::TestEnvironment t;
  IncomingReset reset(t.env.memory, Tsn(100));
  CHECK(reset.on_request(Request(100, 50, {1}).request, Tsn(48), kInbound).result ==
        ReconfigResult::InProgress);
  CHECK(reset.on_request(Request(101, 50, {1}).request, Tsn(49), kInbound).result ==
        ReconfigResult::InProgress);
  CHECK(reset.complete().response == ReconfigSeq(101));
  auto verdict = reset.on_request(Request(102, 50, {1}).request, Tsn(50), kInbound);
  CHECK((!verdict.perform && verdict.result == ReconfigResult::Performed));
  // The next one is a reset of its own, though no data came between.
  verdict = reset.on_request(Request(103, 50, {1}).request, Tsn(50), kInbound);
  CHECK((verdict.perform && verdict.result == ReconfigResult::Performed));
}

TEST_CASE("an empty list is all streams; repeated ids and ids out of range reset nothing", "[SCTP-RST-04]") {
  test::TestEnvironment t;
  IncomingReset reset(t.env.memory, Tsn(100));
  CHECK(reset.on_request(Request(100, 50, {}).request, Tsn(50), kInbound).perform);
  CHECK(reset.streams().empty());
  CHECK(reset.names(StreamId{99}));
  CHECK(reset.on_request(Request(101, 50, {1, 2, 1}).request, Tsn(50), kInbound).result ==
        ReconfigResult::WrongSsn);
  const auto verdict = reset.on_request(Request(102, 50, {1, 100}).request, Tsn(50), kInbound);
  CHECK((!verdict.perform && verdict.result == ReconfigResult::WrongSsn));
  CHECK(reset.on_request(Request(103, 50, {1, 99}).request, Tsn(50), kInbound).perform);
}

TEST_CASE("a set of streams gives out each once, lowest first") {
  test::TestEnvironment t;
  StreamSet set(t.env.memory);
  CHECK_FALSE(set.pop().has_value());
  REQUIRE(set.reserve());
  for (const unsigned id : {65535u, 64u, 63u, 0u}) CHECK(set.insert(static_cast<StreamId>(id)));
  CHECK_FALSE(set.insert(StreamId{64}));
  CHECK(set.pop() == StreamId{0});
  CHECK(set.pop() == StreamId{63});
  CHECK(set.insert(StreamId{1}));
  CHECK(set.pop() == StreamId{1});
  CHECK(set.pop() == StreamId{64});
  CHECK(set.pop() == StreamId{65535});
  CHECK(set.empty());
  t.fail_allocations_after(0);
  StreamSet poor(t.env.memory);
  CHECK_FALSE(poor.reserve());
}
