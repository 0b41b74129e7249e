// The receiving half as the engine drives it: fragments, order, the window, FORWARD TSN, stream reset.
#include "sctp/rx_data.h"

#include <algorithm>
#include <string>
#include <vector>

#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;
using Outcome = RxData::Outcome;

namespace {

// "BE", "B", "", "E", with "U" for unordered.
DataChunk chunk(std::uint32_t tsn, std::string_view flags, std::uint16_t stream, std::uint16_t ssn,
                Bytes payload) {
  DataChunk c;
  c.tsn = Tsn(tsn);
  c.stream = StreamId{stream};
  c.ssn = Ssn(ssn);
  c.ppid = Ppid{51};
  c.begin = flags.find('B') != flags.npos;
  c.end = flags.find('E') != flags.npos;
  c.unordered = flags.find('U') != flags.npos;
  c.payload = payload;
  return c;
}

struct Fixture {
  explicit Fixture(Limits limits = {}, std::size_t max_message = 256 * 1024, std::uint32_t first = 100) {
    environment.env.limits = limits;
    rx.emplace(environment.env, Parameters{}, Tsn(first), std::uint16_t{100}, max_message);
  }
  Outcome data(std::uint32_t tsn, std::string_view flags, std::uint16_t stream, std::uint16_t ssn,
               std::string_view text) {
    return rx->on_data(chunk(tsn, flags, stream, ssn, as_bytes(text)));
  }
  Outcome bulk(std::uint32_t tsn, std::string_view flags, std::uint16_t stream, std::uint16_t ssn,
               std::size_t size) {
    const ByteVector payload(size, static_cast<std::uint8_t>(tsn));
    return rx->on_data(chunk(tsn, flags, stream, ssn, payload));
  }
  bool forward(std::uint32_t tsn, std::vector<SkippedStream> skipped = {}) {
    ByteVector bytes;
    for (const SkippedStream& s : skipped) {
      bytes.resize(bytes.size() + 4);
      store_u16(bytes.data() + bytes.size() - 4, value_of(s.stream));
      store_u16(bytes.data() + bytes.size() - 2, s.ssn.value());
    }
    return rx->on_forward_tsn({Tsn(tsn), bytes}) == Drop::None;
  }
  // All that is ready: "stream:text", and its charge is released.
  std::vector<std::string> received() {
    std::vector<std::string> all;
    Message message(environment.env.memory);
    while (rx->receive(message)) {
      all.push_back(std::to_string(message.stream) + ":" + std::string(as_text(message.payload)));
      rx->release(message.charge);
    }
    return all;
  }
  std::size_t used() const { return rx->reassembly().used(); }
  std::uint32_t cumulative() const { return rx->tracker().cumulative().value(); }

  TestEnvironment environment;
  std::optional<RxData> rx;
};

using Texts = std::vector<std::string>;
constexpr std::size_t kOverhead = RxReassembly::kOverhead;

}  // namespace

TEST_CASE("the I bit of a chunk that is taken, or of one on a stream that does not exist, draws a SACK",
          "[SCTP-DATA-05]") {
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 100}) {
    for (const bool immediate : {true, false}) {
      Fixture f;
      Time now{};
      (void)f.data(100, "BE", 1, 0, "x");
      f.rx->end_of_packet(now, std::chrono::milliseconds(10));
      ByteVector out(200);
      ByteWriter w(out);
      REQUIRE(f.rx->write_sack(w));
      REQUIRE_FALSE(f.rx->tracker().sack_is_due(now));
      DataChunk c = chunk(101, "BE", stream, 1, as_bytes(std::string_view("x")));
      c.immediate = immediate;
      (void)f.rx->on_data(c);
      f.rx->end_of_packet(now, std::chrono::milliseconds(10));
      CHECK(f.rx->tracker().sack_is_due(now) == immediate);
    }
  }
}

TEST_CASE("ordered messages come in the order of their stream, whatever the order of arrival",
          "[SCTP-DATA-06]") {
  Fixture f;
  f.data(102, "BE", 1, 2, "c");
  f.data(101, "BE", 1, 1, "b");
  f.data(103, "BE", 2, 0, "x");
  CHECK(f.received() == Texts{"2:x"});
  f.data(100, "BE", 1, 0, "a");
  CHECK(f.received() == Texts{"1:a", "1:b", "1:c"});
  CHECK(f.used() == 0);
}

TEST_CASE("an unordered message overtakes a blocked ordered one on the same stream", "[SCTP-DATA-07]") {
  Fixture f;
  f.data(101, "BE", 1, 1, "late");
  f.data(102, "UBE", 1, 77, "now");
  CHECK(f.received() == Texts{"1:now"});
  f.data(100, "BE", 1, 0, "first");
  CHECK(f.received() == Texts{"1:first", "1:late"});
}

TEST_CASE("the SSN wraps", "[SCTP-DATA-08]") {
  Fixture f;
  f.rx->reassembly().set_next_ssn(StreamId{3}, Ssn(65534));
  f.data(102, "BE", 3, 0, "c");
  f.data(103, "BE", 3, 1, "d");
  f.data(101, "BE", 3, 65535, "b");
  CHECK(f.received().empty());
  f.data(100, "BE", 3, 65534, "a");
  CHECK(f.received() == Texts{"3:a", "3:b", "3:c", "3:d"});
}

TEST_CASE("a message is put together from its fragments in every order of arrival",
          "[SCTP-DATA-06][SCTP-DATA-08]") {
  const std::string_view flags[] = {"B", "", "", "E"};
  const std::string_view parts[] = {"one ", "two ", "three ", "four"};
  int order[] = {0, 1, 2, 3};
  do {
    Fixture f({}, 256 * 1024, 0xFFFFFFFE);
    for (const int i : order)
      REQUIRE(f.data(0xFFFFFFFE + static_cast<std::uint32_t>(i), flags[i], 1, 0, parts[i]) ==
              Outcome::Accepted);
    CHECK(f.received() == Texts{"1:one two three four"});
    CHECK(f.used() == 0);
    CHECK(f.cumulative() == 1);
  } while (std::next_permutation(std::begin(order), std::end(order)));
}

TEST_CASE("messages that are cut up stand next to each other", "[SCTP-DATA-06]") {
  Fixture f;
  f.data(103, "E", 2, 0, "B2");
  f.data(101, "E", 1, 0, "A2");
  f.data(102, "B", 2, 0, "B1");
  CHECK(f.received() == Texts{"2:B1B2"});
  f.data(100, "B", 1, 0, "A1");
  CHECK(f.received() == Texts{"1:A1A2"});
}

TEST_CASE("the PPID of the first fragment counts", "[SCTP-DATA-14]") {
  Fixture f;
  DataChunk first = chunk(100, "B", 1, 0, as_bytes("x")), last = chunk(101, "E", 1, 0, as_bytes("y"));
  first.ppid = Ppid{53};
  for (const bool reversed : {false, true}) {
    if (reversed) {
      first.tsn = Tsn(102);
      last.tsn = Tsn(103);
      first.ssn = last.ssn = Ssn(1);
    }
    f.rx->on_data(reversed ? last : first);
    f.rx->on_data(reversed ? first : last);
    Message message(f.environment.env.memory);
    REQUIRE(f.rx->receive(message));
    CHECK(message.ppid == 53);
  }
}

TEST_CASE("fragments that contradict their neighbours are a violation", "[SCTP-DATA-09][SCTP-DATA-19]") {
  struct Case {
    DataChunk first, second;
  };
  const Bytes x = as_bytes("x");
  const Case cases[] = {
      {chunk(101, "B", 1, 0, x), chunk(102, "B", 1, 1, x)},   // two beginnings
      {chunk(101, "", 1, 0, x), chunk(102, "BE", 1, 1, x)},   // a beginning within a message
      {chunk(101, "E", 1, 0, x), chunk(102, "", 1, 0, x)},    // a middle behind an end
      {chunk(101, "B", 1, 0, x), chunk(102, "E", 2, 0, x)},   // two streams
      {chunk(101, "B", 1, 0, x), chunk(102, "E", 1, 1, x)},   // two SSNs
      {chunk(101, "UB", 1, 0, x), chunk(102, "E", 1, 0, x)},  // ordered and not
  };
  for (const Case& c : cases) {
    for (const bool reversed : {false, true}) {
      Fixture f;
      REQUIRE(f.rx->on_data(reversed ? c.second : c.first) == Outcome::Accepted);
      // A whole message is held apart from fragments: that a middle stands before it is not seen.
      if (reversed && c.second.begin && c.second.end) continue;
      CHECK(f.rx->on_data(reversed ? c.first : c.second) == Outcome::Violation);
    }
  }
  Fixture f;  // the SSN of unordered fragments means nothing
  f.rx->on_data(chunk(100, "UB", 1, 5, x));
  CHECK(f.rx->on_data(chunk(101, "UE", 1, 6, x)) == Outcome::Accepted);
  CHECK(f.received() == Texts{"1:xx"});
}

TEST_CASE("a duplicate is not delivered twice", "[SCTP-DATA-04]") {
  Fixture f;
  f.data(100, "BE", 1, 0, "a");
  CHECK(f.data(100, "BE", 1, 0, "a") == Outcome::Duplicate);
  f.data(102, "B", 1, 1, "b");
  CHECK(f.data(102, "B", 1, 1, "b") == Outcome::Duplicate);
  CHECK(f.received() == Texts{"1:a"});
}

TEST_CASE("DATA without payload is told apart, and is not acknowledged", "[SCTP-DATA-01]") {
  Fixture f;
  CHECK(f.data(100, "BE", 1, 0, "") == Outcome::NoUserData);
  CHECK(f.cumulative() == 99);
}

TEST_CASE("DATA on a stream that does not exist is acknowledged and thrown away", "[SCTP-DATA-02]") {
  Fixture f;
  CHECK(f.data(100, "BE", 100, 0, "x") == Outcome::InvalidStream);
  CHECK(f.data(101, "BE", 99, 0, "y") == Outcome::Accepted);
  CHECK(f.cumulative() == 101);
  CHECK(f.received() == Texts{"99:y"});
}

TEST_CASE("the window falls with every byte held and rises when the user hands it back", "[SCTP-DATA-11]") {
  Fixture f;
  const std::size_t window = f.rx->reassembly().a_rwnd();
  CHECK(window == f.environment.env.limits.sctp_rx_window);
  f.bulk(100, "B", 1, 0, 1000);
  CHECK(f.rx->reassembly().a_rwnd() == window - 1000 - kOverhead);
  f.bulk(101, "E", 1, 0, 500);
  CHECK(f.rx->reassembly().a_rwnd() == window - 1500 - kOverhead);
  Message message(f.environment.env.memory);
  REQUIRE(f.rx->receive(message));
  CHECK(f.rx->reassembly().a_rwnd() == window - 1500 - kOverhead);
  f.rx->release(message.charge);
  CHECK(f.rx->reassembly().a_rwnd() == window);
  f.rx->release(1000);  // more than is owed
  CHECK(f.rx->reassembly().a_rwnd() == window);
}

TEST_CASE("what is held never exceeds the window: one byte below it, at it, above it",
          "[SCTP-DATA-11][lim.sctp.rx_window]") {
  Limits limits;
  limits.sctp_rx_window = 10000;
  for (const int extra : {-1, 0, 1}) {
    Fixture f(limits, 5000);
    REQUIRE(f.bulk(101, "UBE", 1, 0, 4000) == Outcome::Accepted);  // the user does not read it
    const auto size = static_cast<std::size_t>(10000 - 4000 - 2 * static_cast<int>(kOverhead) + extra);
    CHECK((f.bulk(100, "UBE", 1, 0, size) == Outcome::Accepted) == (extra <= 0));
    CHECK(f.used() <= 10000);
  }
}

TEST_CASE("with the window closed a chunk above the highest is dropped, and a SACK without it is due",
          "[SCTP-DATA-17]") {
  Limits limits;
  limits.sctp_rx_window = 10000;
  Fixture f(limits, 5000);
  f.bulk(100, "UBE", 1, 0, 4000);
  f.bulk(101, "UBE", 1, 0, 4300);
  REQUIRE(f.rx->reassembly().a_rwnd() == 0);  // less than a packet is called nothing
  f.rx->end_of_packet(Time{});
  std::uint8_t bytes[100];
  ByteWriter out(bytes);
  f.rx->write_sack(out);
  CHECK(f.bulk(102, "UBE", 1, 0, 10) == Outcome::Refused);
  CHECK(f.rx->tracker().sack_is_due(Time{}));
  CHECK(f.cumulative() == 101);
  f.received();
  CHECK(f.rx->tracker().sack_is_due(Time{}));
  CHECK(f.bulk(102, "UBE", 1, 0, 10) == Outcome::Accepted);
}

TEST_CASE(
    "a chunk for whose gap there is no memory draws a SACK at once, and is neither kept nor acknowledged") {
  Fixture f;
  f.environment.fail_allocations_after(0);
  CHECK(f.bulk(102, "UBE", 1, 0, 10) == Outcome::Refused);
  CHECK(f.rx->tracker().sack_is_due(Time{}));
  CHECK_FALSE(f.rx->tracker().has_gaps());
  CHECK(f.used() == 0);
}

TEST_CASE("a chunk beyond the span draws a SACK within its delay, and is neither kept nor acknowledged",
          "[SCTP-DATA-10]") {
  Limits limits;
  limits.sctp_tsn_span = 64;
  Fixture f(limits);
  CHECK(f.bulk(99 + 65, "UBE", 1, 0, 10) == Outcome::Refused);
  CHECK(f.cumulative() == 99);
  CHECK_FALSE(f.rx->tracker().has_gaps());
  CHECK(f.used() == 0);
  f.rx->end_of_packet(Time{});
  CHECK_FALSE(f.rx->tracker().sack_is_due(Time{}));
  f.rx->handle_timeout(Time(Parameters().sack_delay));
  CHECK(f.rx->tracker().sack_is_due(Time(Parameters().sack_delay)));
}

// aiortc gives up what it has sent of a message, and sends the rest.
TEST_CASE("the rest of a message whose beginning was skipped is acknowledged and not kept", "[SCTP-PR-04]") {
  Fixture f;
  SECTION("it comes after the FORWARD TSN") {
    f.data(100, "B", 1, 0, "one");
    REQUIRE(f.forward(105, {{StreamId{1}, Ssn(0)}}));
    for (const std::uint32_t tsn : {106u, 107u, 109u, 110u, 108u})
      CHECK(f.data(tsn, tsn == 110 ? "E" : "", 1, 0, "more") == Outcome::Accepted);
    CHECK(f.cumulative() == 110);
  }
  SECTION("it is there when that comes") {
    f.data(104, "", 1, 0, "some");
    for (const std::uint32_t tsn : {106u, 107u, 108u}) f.data(tsn, "", 1, 0, "more");
    REQUIRE(f.forward(105, {{StreamId{1}, Ssn(0)}}));
    CHECK(f.cumulative() == 108);
    f.data(109, "", 1, 0, "more");
    f.data(110, "E", 1, 0, "end");
  }
  CHECK(f.used() == 0);
  f.data(111, "BE", 1, 1, "next");
  CHECK(f.received() == Texts{"1:next"});
}

TEST_CASE("with the buffer full the highest chunk held makes room for a lower one",
          "[SCTP-DATA-12][SCTP-DATA-17]") {
  Limits limits;
  limits.sctp_rx_window = 10000;
  Fixture f(limits, 9000);
  for (std::uint32_t i = 0; i < 8; ++i) f.bulk(102 + i, i == 0 ? "B" : "", 1, 1, 1000);
  REQUIRE(f.rx->tracker().highest() == Tsn(109));
  CHECK(f.bulk(100, "BE", 1, 0, 1000) == Outcome::Accepted);
  CHECK(f.rx->tracker().highest().value() == 108);
  CHECK(f.cumulative() == 100);
  CHECK(f.used() <= 10000);
  CHECK(f.received().size() == 1);
  CHECK(f.bulk(109, "E", 1, 1, 500) == Outcome::Accepted);  // it comes again
}

TEST_CASE("with the buffer full a message that waits for its turn makes room for a lower chunk",
          "[SCTP-DATA-12][SCTP-DATA-17]") {
  Limits limits;
  limits.sctp_rx_window = 10000;
  Fixture f(limits, 6000);
  f.bulk(101, "BE", 1, 1, 4000);
  f.bulk(102, "B", 1, 2, 2000);
  f.bulk(103, "E", 1, 2, 3500);
  CHECK(f.bulk(100, "BE", 1, 0, 1000) == Outcome::Accepted);
  CHECK(f.cumulative() == 101);
  CHECK_FALSE(f.rx->tracker().has_gaps());
  CHECK(f.received().size() == 2);
  f.bulk(102, "B", 1, 2, 2000);
  f.bulk(103, "E", 1, 2, 3500);
  CHECK(f.received().size() == 1);
}

TEST_CASE("a message that alone fills the buffer can be completed", "[SCTP-DATA-12]") {
  Limits limits;
  limits.sctp_rx_window = 10000;
  Fixture f(limits, 8000);
  for (std::uint32_t i = 0; i < 7; ++i)
    REQUIRE(f.bulk(100 + i, i == 0 ? "B" : "", 1, 0, 1100) == Outcome::Accepted);
  REQUIRE(f.rx->reassembly().a_rwnd() == 0);
  CHECK(f.bulk(107, "E", 1, 0, 300) == Outcome::Accepted);
  CHECK(f.received().size() == 1);
}

TEST_CASE("fragments too small to ever fit their message into the window end as a message too large",
          "[SCTP-DATA-12][ATK-09]") {
  Limits limits;
  limits.sctp_rx_window = limits.sctp_rx_window_max = 10000;
  Fixture f(limits, 5000);
  std::uint32_t tsn = 100;
  for (; tsn < 100 + 4000; ++tsn) REQUIRE(f.bulk(tsn, tsn == 100 ? "B" : "", 7, 0, 1) == Outcome::Accepted);
  CHECK(f.used() <= 10000);
  CHECK(f.rx->pop_too_large() == StreamId{7});
  CHECK_FALSE(f.rx->pop_too_large());
  CHECK(f.bulk(tsn++, "E", 7, 0, 1) == Outcome::Accepted);
  CHECK(f.used() == 0);
  CHECK(f.bulk(tsn, "BE", 7, 1, 5) == Outcome::Accepted);  // the stream goes on
  CHECK(f.received().size() == 1);
}

TEST_CASE("a message above the limit is reported once and dropped; one at the limit arrives",
          "[lim.sctp.max_message_rx]") {
  for (const std::size_t last : {999u, 1000u, 1001u}) {
    for (const bool reversed : {false, true}) {
      Fixture f({}, 3000);
      const std::uint32_t base = 100;
      if (!reversed) {
        f.bulk(base, "B", 4, 0, 1000);
        f.bulk(base + 1, "", 4, 0, 1000);
        f.bulk(base + 2, "E", 4, 0, last);
      } else {
        f.bulk(base + 2, "E", 4, 0, last);
        f.bulk(base, "B", 4, 0, 1000);
        f.bulk(base + 1, "", 4, 0, 1000);
      }
      const bool fits = last <= 1000;
      CHECK(f.rx->pop_too_large().has_value() != fits);
      CHECK(f.received().size() == (fits ? 1 : 0));
      CHECK(f.used() == 0);
      f.data(base + 3, "BE", 4, 1, "next");
      CHECK(f.received() == Texts{"4:next"});
    }
  }
}

TEST_CASE("an endless message costs two fragments without payload", "[ATK-09]") {
  Fixture f({}, 3000);
  for (std::uint32_t i = 0; i < 5000; ++i)
    REQUIRE(f.bulk(100 + i, i == 0 ? "B" : "", 1, 0, 1000) == Outcome::Accepted);
  CHECK(f.used() == 2 * kOverhead);
  CHECK(f.rx->pop_too_large());
  CHECK_FALSE(f.rx->pop_too_large());
}

TEST_CASE("an oversized message in any order of arrival leaves nothing behind", "[ATK-09]") {
  int order[] = {0, 1, 2, 3, 4, 5};
  do {
    Fixture f({}, 2500);
    for (const int i : order)
      f.bulk(100 + static_cast<std::uint32_t>(i), i == 0 ? "B" : i == 5 ? "E" : "", 1, 0, 1000);
    if (f.used() != 0 || f.cumulative() != 105 || !f.received().empty() || !f.rx->pop_too_large())
      FAIL("order " << order[0] << order[1] << order[2] << order[3] << order[4] << order[5]);
    f.data(106, "BE", 1, 1, "x");
    if (f.received() != Texts{"1:x"}) FAIL("the stream is stuck");
  } while (std::next_permutation(std::begin(order), std::end(order)));
}

TEST_CASE("tiny fragments that never join stay inside twice the window", "[ATK-09]") {
  Limits limits;
  limits.sctp_rx_window = 128 * 1024;
  Fixture f(limits);
  for (std::uint32_t i = 1; i < 16000; i += 2)
    f.bulk(100 + i, i % 4 == 1 ? "B" : "UB", static_cast<std::uint16_t>(i % 100), 0, 1);
  CHECK(f.used() <= limits.sctp_rx_window);
  CHECK(f.environment.peak_bytes() <= 2 * limits.sctp_rx_window + 64 * 1024);
}

TEST_CASE("the number of chunks held has a limit", "[lim.sctp.chunks_queued]") {
  Limits limits;
  limits.sctp_chunks_queued = 10;
  Fixture f(limits);
  for (std::uint32_t i = 1; i <= 9; ++i) REQUIRE(f.bulk(100 + 2 * i, "B", 1, 0, 1) == Outcome::Accepted);
  CHECK(f.bulk(100 + 20, "B", 1, 0, 1) == Outcome::Accepted);
  CHECK(f.bulk(100 + 22, "B", 1, 0, 1) == Outcome::Refused);
}

TEST_CASE("FORWARD TSN frees unfinished messages at and below it, listed or not", "[SCTP-PR-04]") {
  Fixture f;
  f.data(100, "UB", 1, 0, "a");  // 101 will not come
  f.data(102, "U", 1, 0, "c");   // of the same message, with a part above the point
  f.data(103, "U", 1, 0, "d");
  f.data(106, "B", 2, 0, "stays");
  REQUIRE(f.forward(102));
  CHECK(f.used() == 5 + kOverhead);
  CHECK(f.cumulative() == 103);
  f.data(107, "E", 2, 0, "!");
  CHECK(f.received() == Texts{"2:stays!"});
}

TEST_CASE("FORWARD TSN lets messages up to the listed SSN and those behind it through",
          "[SCTP-PR-06][SCTP-PR-07]") {
  Fixture f;
  f.data(101, "BE", 1, 1, "b");
  f.data(103, "BE", 1, 3, "d");
  f.data(104, "BE", 1, 4, "e");
  f.data(105, "BE", 2, 1, "other");
  REQUIRE(f.forward(102, {{StreamId{1}, Ssn(2)}}));
  CHECK(f.received() == Texts{"1:b", "1:d", "1:e"});
  CHECK(f.data(102, "BE", 1, 2, "c") == Outcome::Duplicate);
  f.data(106, "BE", 1, 5, "f");
  CHECK(f.received() == Texts{"1:f"});
}

TEST_CASE("a FORWARD TSN out of date does not touch the order", "[SCTP-PR-03]") {
  Fixture f;
  f.data(100, "BE", 1, 0, "a");
  f.data(102, "BE", 1, 2, "c");
  REQUIRE(f.forward(100, {{StreamId{1}, Ssn(1)}}));
  CHECK(f.received() == Texts{"1:a"});
  f.data(101, "BE", 1, 1, "b");
  CHECK(f.received() == Texts{"1:b", "1:c"});
}

TEST_CASE("a FORWARD TSN with an SSN behind the order leaves the order alone", "[SCTP-PR-06]") {
  Fixture f;
  f.data(100, "BE", 1, 0, "a");
  f.data(101, "BE", 1, 1, "b");
  REQUIRE(f.forward(103, {{StreamId{1}, Ssn(0)}}));
  f.data(104, "BE", 1, 2, "c");
  CHECK(f.received() == Texts{"1:a", "1:b", "1:c"});
}

TEST_CASE("the message behind the last one skipped is the next", "[SCTP-PR-06]") {
  Fixture f;
  REQUIRE(f.forward(100, {{StreamId{1}, Ssn(0)}}));
  f.data(101, "BE", 1, 1, "b");
  f.data(102, "BE", 1, 2, "c");
  CHECK(f.received() == Texts{"1:b", "1:c"});
}

TEST_CASE("FORWARD TSN passes the end of a message that was too large", "[SCTP-PR-04]") {
  Fixture f({}, 1500);
  f.bulk(100, "B", 1, 0, 1000);
  f.bulk(101, "", 1, 0, 1000);
  f.bulk(102, "", 1, 0, 1000);
  f.bulk(104, "", 1, 0, 1000);
  REQUIRE(f.forward(103, {{StreamId{1}, Ssn(0)}}));
  f.bulk(105, "", 1, 0, 1000);
  REQUIRE(f.forward(106));
  CHECK(f.used() == 0);
}

TEST_CASE("a FORWARD TSN that there is no memory for is as if never received") {
  Fixture f;
  f.data(101, "BE", 70, 1, "b");
  f.environment.fail_allocations_after(0);
  CHECK_FALSE(f.forward(100, {{StreamId{1}, Ssn(0)}, {StreamId{70}, Ssn(0)}}));
  CHECK(f.cumulative() == 99);
  f.environment.fail_allocations_after(SIZE_MAX);
  CHECK(f.forward(100, {{StreamId{1}, Ssn(0)}, {StreamId{70}, Ssn(0)}}));
  CHECK(f.cumulative() == 101);
  f.data(102, "BE", 1, 1, "c");
  CHECK(f.received() == Texts{"70:b", "1:c"});
}

TEST_CASE("after a reset of the stream SSN 0 is next", "[SCTP-RST-01]") {
  Fixture f;
  f.data(100, "BE", 1, 0, "a");
  f.data(101, "BE", 1, 1, "b");
  f.data(102, "BE", 2, 0, "x");
  f.rx->reassembly().reset_stream(StreamId{1});
  f.data(103, "BE", 1, 0, "again");
  f.data(104, "BE", 2, 1, "y");
  CHECK(f.received() == Texts{"1:a", "1:b", "2:x", "1:again", "2:y"});
}

TEST_CASE("what is sent behind a reset that waits is held until the reset is done", "[SCTP-RST-03]") {
  Fixture f;
  f.data(100, "BE", 1, 0, "old");
  f.rx->reassembly().defer_above(Tsn(101));
  f.data(102, "BE", 1, 0, "new 0");
  f.data(103, "UBE", 1, 0, "new u");
  CHECK(f.received() == Texts{"1:old"});
  f.data(101, "BE", 1, 1, "old 1");
  CHECK(f.received() == Texts{"1:old 1"});
  f.rx->reassembly().reset_stream(StreamId{1});
  f.rx->reassembly().release_deferred();
  CHECK(f.received() == Texts{"1:new 0", "1:new u"});
}

TEST_CASE("what waits behind a reset, and finds no memory when that is done, is given out once there is some",
          "[SCTP-RST-03]") {
  for (std::size_t successes = 0;; ++successes) {  // each allocation that it takes fails once
    Fixture f;
    f.rx->reassembly().defer_above(Tsn(100));
    f.data(101, "BE", 70, 1, "b");
    f.data(102, "BE", 20, 0, "of another");
    f.data(100, "BE", 1, 0, "old");
    f.environment.fail_allocation(successes);
    const bool had_memory = f.rx->reassembly().release_deferred();
    CHECK(f.rx->reassembly().owes_release() == !had_memory);
    f.environment.fail_allocation(SIZE_MAX);
    f.data(103, "BE", 70, 0, "a");
    CHECK(f.rx->reassembly().release_deferred());
    Texts received = f.received();
    std::sort(received.begin(), received.end());
    CHECK(received == Texts{"1:old", "20:of another", "70:a", "70:b"});
    CHECK(f.used() == 0);
    if (!had_memory) continue;
    CHECK(successes >= 3);
    return;
  }
}

TEST_CASE("messages that wait for a reset make room for what the reset waits for",
          "[SCTP-DATA-12][SCTP-RST-03]") {
  Limits limits;
  limits.sctp_rx_window = limits.sctp_rx_window_max = 10000;
  Fixture f(limits, 4000);
  f.rx->reassembly().defer_above(Tsn(101));
  // All whole, in no order: a message of two fragments is the lowest of them and comes last.
  const std::uint32_t tsns[] = {105, 104, 109, 106, 108, 107};
  for (const std::uint32_t tsn : tsns) REQUIRE(f.bulk(tsn, "UBE", 2, 0, 1000) == Outcome::Accepted);
  REQUIRE(f.bulk(102, "B", 4, 0, 1000) == Outcome::Accepted);
  REQUIRE(f.bulk(103, "E", 4, 0, 1000) == Outcome::Accepted);
  f.rx->end_of_packet(Time{});
  REQUIRE(f.rx->tracker().highest() == Tsn(109));
  // 8896 of 10000 are used, and the user can free none of it.
  CHECK(f.bulk(100, "BE", 1, 0, 1000) == Outcome::Accepted);
  CHECK(f.rx->tracker().highest() == Tsn(108));
  CHECK(f.bulk(101, "BE", 3, 0, 2000) == Outcome::Accepted);
  CHECK(f.rx->tracker().highest() == Tsn(107));
  CHECK(f.used() <= 10000);
  CHECK(f.cumulative() == 107);
  CHECK(f.received().size() == 2);
  f.rx->reassembly().release_deferred();
  for (const std::uint32_t tsn : {108u, 109u})
    CHECK(f.bulk(tsn, "UBE", 2, 0, 1000) == Outcome::Accepted);  // they come again
  CHECK(f.received().size() == 6 + 1);
  CHECK(f.used() == 0);
}

TEST_CASE("one packet buys one search for the highest fragment, however it moves it", "[ATK-09]") {
  Limits limits;
  limits.sctp_tsn_span = 1000;
  limits.sctp_chunks_queued = 3;
  Fixture f(limits);
  // Each round searches 400 TSNs, from the second highest to the third.
  const auto round = [&f](std::uint32_t base) {
    for (const std::uint32_t tsn : {2u, 500u, 900u})
      REQUIRE(f.bulk(base + tsn, "B", 1, 0, 10) == Outcome::Accepted);
    REQUIRE(f.bulk(base + 4, "B", 1, 0, 10) == Outcome::Accepted);
    const Outcome outcome = f.bulk(base + 6, "B", 1, 0, 10);
    REQUIRE(f.forward(base + 510));
    return outcome;
  };
  CHECK(round(100) == Outcome::Accepted);
  CHECK(round(620) == Outcome::Accepted);
  CHECK(round(1140) == Outcome::Refused);
  f.rx->end_of_packet(Time{});
  CHECK(round(1660) == Outcome::Accepted);
}

TEST_CASE("without memory a chunk is as if never received, and comes again") {
  for (std::size_t successes = 0; successes < 30; ++successes) {
    Fixture f;
    f.environment.fail_allocations_after(successes);
    const std::string_view flags[] = {"B", "", "E", "BE", "UBE"};
    const auto feed = [&] {
      bool all = true;
      for (const std::uint32_t i : {1u, 4u, 0u, 2u, 3u}) {
        const Outcome outcome = f.data(100 + i, flags[i], 1, i >= 3 ? 1 : 0, "abc");
        all = all && (outcome == Outcome::Accepted || outcome == Outcome::Duplicate);
      }
      return all;
    };
    feed();
    f.environment.fail_allocations_after(1000000);
    REQUIRE(feed());
    CHECK(f.received().size() == 3);
    CHECK(f.used() == 0);
  }
}

TEST_CASE("a reset in the middle of a message takes all of what has come of it",
          "[SCTP-RST-03][SCTP-DATA-09]") {
  Fixture f;
  f.data(100, "B", 5, 0, "one");
  f.data(101, "", 5, 0, "two");
  f.data(102, "", 5, 0, "three");
  f.data(104, "B", 6, 0, "other ");
  REQUIRE(f.rx->reassembly().reserve_reset());
  f.rx->reassembly().reset_stream(StreamId{5});
  f.rx->reassembly().drop_before_reset();
  f.data(103, "E", 5, 0, "its end");
  f.data(105, "E", 6, 0, "stream");
  f.data(106, "BE", 5, 0, "anew");
  CHECK(f.received() == Texts{"6:other stream", "5:anew"});
}

TEST_CASE("a FORWARD TSN that passes a reset that waits does not lose what has come whole behind it",
          "[SCTP-PR-07][SCTP-RST-06]") {
  Fixture f;
  f.data(100, "BE", 2, 0, "first");
  f.rx->reassembly().defer_above(Tsn(101));  // 101 is missing
  f.data(102, "BE", 2, 1, "whole");
  REQUIRE(f.forward(103, {{StreamId{2}, Ssn(2)}}));
  f.rx->reassembly().reset_stream(StreamId{1});
  f.rx->reassembly().release_deferred();
  CHECK(f.received() == Texts{"2:first", "2:whole"});
}

}  // namespace pollrtc::sctp
