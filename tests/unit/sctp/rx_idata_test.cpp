// The receiving half with I-DATA (RFC 8260): what a message is made of, what is skipped, what a reset leaves.
#include <algorithm>
#include <string>
#include <vector>

#include "sctp/rx_data.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp {

using namespace pollrtc::test;
using Outcome = RxData::Outcome;

namespace {

constexpr std::size_t kOverhead = RxReassembly::kOverhead;
using Texts = std::vector<std::string>;

struct Fixture {
  explicit Fixture(Limits limits = {}, std::size_t max_message = 256 * 1024, std::uint32_t first = 100) {
    environment.env.limits = limits;
    rx.emplace(environment.env, Parameters{}, Tsn(first), std::uint16_t{100}, max_message, true);
  }
  // Flags: "BE", "B", "", "E", with "U" for unordered.
  Outcome data(std::uint32_t tsn, std::string_view flags, std::uint16_t stream, std::uint32_t mid,
               std::uint32_t fsn, Bytes payload) {
    DataChunk c;
    c.tsn = Tsn(tsn);
    c.stream = StreamId{stream};
    c.mid = Mid(mid);
    c.fsn = Fsn(fsn);
    c.begin = flags.find('B') != flags.npos;
    c.end = flags.find('E') != flags.npos;
    c.unordered = flags.find('U') != flags.npos;
    if (c.begin) c.ppid = Ppid{51};
    c.payload = payload;
    return rx->on_data(c);
  }
  Outcome data(std::uint32_t tsn, std::string_view flags, std::uint16_t stream, std::uint32_t mid,
               std::uint32_t fsn, std::string_view text) {
    return data(tsn, flags, stream, mid, fsn, as_bytes(text));
  }
  Outcome bulk(std::uint32_t tsn, std::string_view flags, std::uint16_t stream, std::uint32_t mid,
               std::uint32_t fsn, std::size_t size) {
    return data(tsn, flags, stream, mid, fsn, ByteVector(size, static_cast<std::uint8_t>(tsn)));
  }
  bool forward(std::uint32_t tsn, std::vector<SkippedMessages> skipped = {}) {
    ByteVector bytes;
    for (const SkippedMessages& s : skipped) {
      bytes.resize(bytes.size() + 8);
      std::uint8_t* const entry = bytes.data() + bytes.size() - 8;
      store_u16(entry, value_of(s.stream));
      store_u16(entry + 2, s.unordered ? 0xFFFF : 0xFFFE);  // the reserved bits mean nothing
      store_u32(entry + 4, s.mid.value());
    }
    const bool taken = rx->on_i_forward_tsn({Tsn(tsn), bytes}) == Drop::None;
    rx->end_of_packet(Time{});
    return taken;
  }
  void reset(std::uint16_t stream) {
    REQUIRE(rx->reassembly().reserve_reset());
    rx->reassembly().reset_stream(StreamId{stream});
    rx->reassembly().drop_before_reset();
  }
  // All that is ready: "stream:text", and its charge is released.
  Texts received() {
    Texts all;
    Message message(environment.env.memory);
    while (rx->receive(message)) {
      CHECK(message.ppid == 51);
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

SkippedMessages ordered(std::uint16_t stream, std::uint32_t mid) {
  return {StreamId{stream}, false, Mid(mid)};
}
SkippedMessages unordered(std::uint16_t stream, std::uint32_t mid) {
  return {StreamId{stream}, true, Mid(mid)};
}

}  // namespace

TEST_CASE("a message is put together by stream, U, MID and FSN, wherever its TSNs lie", "[SCTP-ID-01]") {
  Fixture f;
  // Four messages side by side, the same MID in all of them; their TSNs run against their FSNs.
  CHECK(f.data(100, "E", 1, 0, 2, "c") == Outcome::Accepted);
  CHECK(f.data(101, "EU", 1, 0, 2, "z") == Outcome::Accepted);
  CHECK(f.data(102, "", 1, 0, 1, "b") == Outcome::Accepted);
  CHECK(f.data(103, "U", 1, 0, 1, "y") == Outcome::Accepted);
  CHECK(f.data(104, "E", 2, 0, 1, "2") == Outcome::Accepted);
  CHECK(f.data(105, "EU", 1, 1, 1, "8") == Outcome::Accepted);
  CHECK(f.received().empty());
  CHECK(f.data(106, "BU", 1, 0, 0, "x") == Outcome::Accepted);
  CHECK(f.received() == Texts{"1:xyz"});
  CHECK(f.data(107, "BU", 1, 1, 0, "7") == Outcome::Accepted);
  CHECK(f.received() == Texts{"1:78"});
  CHECK(f.data(108, "B", 1, 0, 0, "a") == Outcome::Accepted);
  CHECK(f.received() == Texts{"1:abc"});
  CHECK(f.data(109, "B", 2, 0, 0, "1") == Outcome::Accepted);
  CHECK(f.received() == Texts{"2:12"});
  CHECK(f.used() == 0);
}

TEST_CASE("ordered messages are given out by their MID, whole or in fragments", "[SCTP-ID-01]") {
  Fixture f;
  f.data(100, "BE", 1, 2, 0, "third");
  f.data(101, "E", 1, 1, 1, "nd");
  f.data(102, "B", 1, 1, 0, "seco");
  CHECK(f.received().empty());
  f.data(103, "BE", 1, 0, 0, "first");
  CHECK(f.received() == Texts{"1:first", "1:second", "1:third"});
}

TEST_CASE("MIDs wrap, ordered and unordered, without a stall", "[SCTP-DATA-08]") {
  Fixture f;
  f.rx->reassembly().set_next_mid(StreamId{1}, false, Mid(0xFFFFFFFE));
  f.data(100, "BE", 1, 0, 0, "c");
  f.data(101, "BE", 1, 0xFFFFFFFF, 0, "b");
  CHECK(f.received().empty());
  f.data(102, "BE", 1, 0xFFFFFFFE, 0, "a");
  CHECK(f.received() == Texts{"1:a", "1:b", "1:c"});
  f.data(103, "BE", 1, 1, 0, "d");
  CHECK(f.received() == Texts{"1:d"});

  // What was once skipped does not come to look as if it lay ahead, however many messages follow.
  CHECK(f.forward(104, {unordered(2, 0x7FFFFFF0)}));
  std::uint32_t tsn = 105;
  for (std::uint32_t mid = 0x7FFFFFF1, step = 0; step < 12; ++step, mid += 0x30000000) {
    CHECK(f.data(tsn, "BU", 2, mid, 0, "x") == Outcome::Accepted);
    CHECK(f.data(tsn + 1, "EU", 2, mid, 1, "y") == Outcome::Accepted);
    CHECK(f.received() == Texts{"2:xy"});
    tsn += 2;
  }
}

TEST_CASE("I-DATA fragments that contradict each other are a violation, and cost no more than they hold",
          "[SCTP-ID-01]") {
  {
    Fixture f;  // an FSN used twice
    f.data(100, "B", 1, 0, 0, "a");
    CHECK(f.data(101, "B", 1, 0, 0, "b") == Outcome::Violation);
    CHECK(f.data(102, "E", 1, 0, 5, "b") == Outcome::Accepted);
    CHECK(f.data(103, "", 1, 0, 5, "b") == Outcome::Violation);
    CHECK(f.data(104, "", 1, 0, 6, "b") == Outcome::Violation);  // behind the last one
  }
  {
    Fixture f;  // a last fragment with one behind it
    f.data(100, "", 1, 0, 6, "g");
    CHECK(f.data(101, "E", 1, 0, 5, "f") == Outcome::Violation);
  }
  {
    Fixture f;  // one before the first
    f.data(100, "B", 1, 0, 0, "a");
    CHECK(f.data(101, "", 1, 0, 0xFFFFFFFF, "b") == Outcome::Violation);
  }
}

TEST_CASE("crafted MIDs and gaps of FSNs fill the window and nothing else", "[SCTP-ID-01][SCTP-ID-02]") {
  Limits limits;
  limits.sctp_rx_window = limits.sctp_rx_window_max = 64 * 1024;
  limits.sctp_chunks_queued = 100000;
  Fixture f(limits);
  std::uint32_t tsn = 100, refused = 0;
  for (std::uint32_t i = 0; i < 4000; ++i, ++tsn) {
    const Outcome outcome = f.data(tsn, i % 3 == 0 ? "U" : "", static_cast<std::uint16_t>(i % 100),
                                   i * 0x9E3779B9u, i * 0x85EBCA6Bu | 1, "x");
    if (outcome == Outcome::Refused) ++refused;
    REQUIRE(f.used() <= limits.sctp_rx_window);
    REQUIRE(outcome != Outcome::Violation);
  }
  // One byte each, charged with what keeping it costs; the ordered ones among them whose MID lies behind are not kept.
  CHECK(refused > 3000);
  CHECK(f.environment.bytes_in_use() < 4 * limits.sctp_rx_window);
}

TEST_CASE("a fragment of one byte is charged for its overhead", "[SCTP-ID-02]") {
  Fixture f;
  f.data(100, "B", 1, 0, 0, "x");
  CHECK(f.used() == 1 + kOverhead);
  f.data(101, "", 1, 0, 1, "x");
  CHECK(f.used() == 2 * (1 + kOverhead));
}

TEST_CASE("I-FORWARD-TSN frees and skips ordered and unordered messages", "[SCTP-ID-07]") {
  Fixture f;
  f.data(100, "B", 1, 0, 0, "a");
  f.data(101, "BU", 1, 0, 0, "x");
  f.data(103, "BE", 1, 1, 0, "next");   // waits for message 0
  f.data(104, "BU", 1, 1, 0, "kept ");  // not listed
  f.data(105, "B", 2, 0, 0, "other");
  CHECK(f.forward(102, {ordered(1, 0), unordered(1, 0)}));
  CHECK(f.received() == Texts{"1:next"});
  CHECK(f.used() == 2 * kOverhead + 10);  // the unordered one above, and the other stream's
  CHECK(f.cumulative() == 105);
  // What still comes of the skipped ones is not kept; what was not skipped goes on.
  CHECK(f.data(106, "E", 1, 0, 1, "b") == Outcome::Accepted);
  CHECK(f.data(107, "EU", 1, 0, 1, "y") == Outcome::Accepted);
  CHECK(f.used() == 2 * kOverhead + 10);
  f.data(108, "EU", 1, 1, 1, "part");
  f.data(109, "E", 2, 0, 1, "!");
  CHECK(f.received() == Texts{"1:kept part", "2:other!"});
  CHECK(f.used() == 0);
}

TEST_CASE("an I-FORWARD-TSN at or behind the cumulative TSN skips nothing", "[SCTP-PR-03]") {
  for (const std::uint32_t tsn : std::initializer_list<std::uint32_t>{101, 100}) {
    Fixture f;
    CHECK(f.data(100, "BE", 1, 1, 0, "second") == Outcome::Accepted);
    CHECK(f.data(101, "EU", 1, 0, 1, "y") == Outcome::Accepted);
    CHECK(f.forward(tsn, {ordered(1, 0), unordered(1, 0)}));
    CHECK(f.received().empty());
    CHECK(f.data(102, "BE", 1, 0, 0, "first") == Outcome::Accepted);
    CHECK(f.data(103, "BU", 1, 0, 0, "x") == Outcome::Accepted);
    CHECK(f.received() == Texts{"1:first", "1:second", "1:xy"});
  }
}

TEST_CASE("what an I-FORWARD-TSN skips of unordered messages grows with the next, and never shrinks",
          "[SCTP-ID-07]") {
  Fixture f;
  CHECK(f.forward(100, {unordered(1, 0)}));
  CHECK(f.forward(102, {unordered(1, 2)}));
  CHECK(f.forward(103, {unordered(1, 1)}));
  CHECK(f.data(104, "BEU", 1, 2, 0, "skipped") == Outcome::Accepted);
  CHECK(f.data(105, "BEU", 1, 3, 0, "new") == Outcome::Accepted);
  CHECK(f.received() == Texts{"1:new"});
  CHECK(f.used() == 0);
}

TEST_CASE("I-FORWARD-TSN with an old MID or an old TSN changes nothing", "[SCTP-ID-07]") {
  Fixture f;
  f.data(100, "BE", 1, 0, 0, "a");
  f.data(101, "BE", 1, 1, 0, "b");
  CHECK(f.received() == Texts{"1:a", "1:b"});
  f.data(103, "B", 1, 2, 0, "c");
  CHECK(f.forward(102, {ordered(1, 0)}));
  CHECK(f.forward(101, {ordered(1, 7)}));
  f.data(104, "E", 1, 2, 1, "d");
  CHECK(f.received() == Texts{"1:cd"});
  CHECK_FALSE(f.forward(105 + 70000, {}));
}

TEST_CASE("a reset stream begins at MID 0 of both kinds, and what it left unfinished is gone",
          "[SCTP-RST-01]") {
  Fixture f;
  f.data(100, "BE", 1, 0, 0, "a");
  f.data(101, "BEU", 1, 0, 0, "b");
  f.data(102, "B", 1, 1, 0, "half");
  f.data(103, "BU", 1, 1, 0, "half");
  f.data(104, "B", 2, 0, 0, "of another stream ");
  f.forward(104, {});
  CHECK(f.forward(105, {unordered(1, 5)}));
  CHECK(f.received() == Texts{"1:a", "1:b"});
  f.reset(1);
  CHECK(f.used() == kOverhead + 18);
  f.data(106, "BE", 1, 0, 0, "new");
  f.data(107, "BU", 1, 0, 0, "n");
  f.data(108, "EU", 1, 0, 1, "ew");
  f.data(109, "B", 1, 1, 0, "al");
  f.data(110, "E", 1, 1, 1, "so");
  f.data(111, "E", 2, 0, 1, "lives");
  CHECK(f.received() == Texts{"1:new", "1:new", "1:also", "2:of another stream lives"});
  CHECK(f.used() == 0);
}

TEST_CASE("while a reset is put off, I-DATA above its last TSN belongs to the time after it",
          "[SCTP-RST-03]") {
  Fixture f;
  f.data(100, "BE", 1, 0, 0, "old 0");
  f.rx->reassembly().defer_above(Tsn(102));
  f.data(103, "B", 1, 0, 0, "new");
  f.data(104, "E", 1, 0, 1, " 0");
  f.data(105, "BE", 1, 1, 0, "new 1");
  f.data(106, "BE", 2, 0, 0, "other");
  f.data(101, "B", 1, 1, 0, "old");
  CHECK(f.received() == Texts{"1:old 0"});
  f.data(102, "E", 1, 1, 1, " 1");
  CHECK(f.received() == Texts{"1:old 1"});
  f.reset(1);
  f.rx->reassembly().release_deferred();
  CHECK(f.received().size() == 3);
  CHECK(f.used() == 0);
}

TEST_CASE("an I-FORWARD-TSN that passes a reset that waits does not lose what has come whole behind it") {
  Fixture f;
  f.data(100, "BE", 2, 0, 0, "first");
  f.rx->reassembly().defer_above(Tsn(101));  // 101 is missing
  f.data(102, "BE", 2, 1, 0, "whole");
  f.data(104, "BE", 2, 3, 0, "above");
  REQUIRE(f.forward(103, {ordered(2, 2)}));
  f.reset(1);
  f.rx->reassembly().release_deferred();
  CHECK(f.received() == Texts{"2:first", "2:whole", "2:above"});
  CHECK(f.used() == 0);
}

TEST_CASE("I-DATA that finds no memory when its reset is done is given out once there is some",
          "[SCTP-RST-03]") {
  for (std::size_t successes = 0;; ++successes) {  // each allocation that it takes fails once
    Fixture f;
    f.rx->reassembly().defer_above(Tsn(100));
    f.data(101, "B", 1, 0, 0, "in ");
    f.data(102, "E", 1, 0, 1, "parts");
    f.data(103, "BE", 70, 1, 0, "b");
    f.data(104, "BE", 70, 0, 0, "a");
    f.data(100, "BE", 1, 5, 0, "never due");
    f.reset(1);
    f.environment.fail_allocation(successes);
    const bool had_memory = f.rx->reassembly().release_deferred();
    CHECK(f.rx->reassembly().owes_release() == !had_memory);
    f.environment.fail_allocation(SIZE_MAX);
    CHECK(f.rx->reassembly().release_deferred());
    Texts received = f.received();
    std::sort(received.begin(), received.end());
    CHECK(received == Texts{"1:in parts", "70:a", "70:b"});
    CHECK(f.used() == 0);
    if (!had_memory) continue;
    CHECK(successes >= 5);
    return;
  }
}

TEST_CASE("I-FORWARD-TSN that there is no memory for is as if never received") {
  for (const bool is_unordered : {false, true}) {
    Fixture f;
    const std::vector<SkippedMessages> skipped = {is_unordered ? unordered(1, 0) : ordered(1, 0)};
    f.environment.fail_allocations_after(0);
    CHECK_FALSE(f.forward(100, skipped));
    CHECK(f.rx->tracker().cumulative() == Tsn(99));
    f.environment.fail_allocations_after(SIZE_MAX);
    CHECK(f.forward(100, skipped));
    const char* const flags = is_unordered ? "BEU" : "BE";
    f.data(101, flags, 1, 0, 0, "skipped");
    f.data(102, flags, 1, 1, 0, "next");
    CHECK(f.received() == Texts{"1:next"});
  }
}

TEST_CASE("a full window gives up its highest TSNs for the one that is missing, also those of whole messages",
          "[SCTP-DATA-12][SCTP-DATA-17]") {
  Limits limits;
  limits.sctp_rx_window = 20 * 1024;
  Fixture f(limits);
  std::uint32_t tsn = 101;
  // Whole messages of two fragments each, which wait for message 0.
  for (std::uint32_t mid = 1; f.bulk(tsn, "B", 1, mid, 0, 1000) == Outcome::Accepted; ++mid, tsn += 2) {
    if (f.bulk(tsn + 1, "E", 1, mid, 1, 1000) != Outcome::Accepted) break;
  }
  const std::uint32_t highest = f.rx->tracker().highest().value();
  CHECK(f.bulk(100, "BE", 1, 0, 0, 1500) == Outcome::Accepted);
  CHECK(f.rx->tracker().highest().value() < highest);
  CHECK(f.used() <= limits.sctp_rx_window);
  // What was given up is taken again, and all comes in the end.
  std::size_t messages = f.received().size();
  for (std::uint32_t mid = 1, at = 101; at <= highest; at += 2, ++mid) {
    f.bulk(at, "B", 1, mid, 0, 1000);
    f.bulk(at + 1, "E", 1, mid, 1, 1000);
  }
  messages += f.received().size();
  CHECK(messages >= 9);
  CHECK(f.used() == 0);
}

TEST_CASE(
    "when parts of messages fill the window, or are too many, what completes them is taken all the same",
    "[SCTP-DATA-12]") {
  for (const bool by_number : {false, true}) {
    Limits limits;
    limits.sctp_rx_window = limits.sctp_rx_window_max = (by_number ? 40 : 20) * 1024;
    limits.sctp_chunks_queued = by_number ? 20 : 1000;
    constexpr std::size_t kMost = 16 * 1024;
    Fixture f(limits, kMost);
    std::uint32_t tsn = 100;
    std::size_t messages = 0;
    for (std::uint32_t fsn = 0; fsn < 16; ++fsn) {
      for (std::uint16_t stream = 0; stream < 2; ++stream, ++tsn) {
        const char* const flags = fsn == 0 ? "B" : fsn == 15 ? "E" : "";
        REQUIRE(f.bulk(tsn, flags, stream, 0, fsn, 1024) == Outcome::Accepted);
        // What is not next has no reserve.
        if (fsn == 14) CHECK(f.bulk(tsn + 2, "B", 7, 0, 0, 1024) == Outcome::Refused);
        messages += f.received().size();
      }
      REQUIRE(f.used() <= limits.sctp_rx_window + kMost);
    }
    CHECK_FALSE(f.rx->pop_too_large());
    CHECK(messages == 2);
    CHECK(f.used() == 0);
  }
}

TEST_CASE(
    "messages without end or number, each TSN the next: window and reserve hold, for small chunks the window",
    "[SCTP-DATA-12][ATK-09]") {
  Limits limits;
  limits.sctp_rx_window = limits.sctp_rx_window_max = 128 * 1024;
  constexpr std::size_t kMost = 64 * 1024;
  for (const std::size_t size : {1u, 100u, 1000u}) {
    Fixture f(limits, kMost);
    std::size_t most = 0;
    for (std::uint32_t i = 0; i < 20000; ++i) {
      f.bulk(f.cumulative() + 1, "B", static_cast<std::uint16_t>(i % 100), i / 100, 0, size);
      most = std::max(most, f.used());
    }
    CHECK(most <= limits.sctp_rx_window + (size == 1000 ? kMost : 0));
    CHECK(f.environment.peak_bytes() <= 2 * limits.sctp_rx_window + 64 * 1024);
  }
}

// Three streams with 16 KiB each, in turn. A chunk that is refused comes again in another packet.
std::size_t three_side_by_side(Fixture& f) {
  std::uint32_t tsn = 100;
  std::size_t messages = 0;
  std::uint32_t fsn[3] = {};
  for (int round = 0; round < 16; ++round) {
    for (std::uint16_t stream = 0; stream < 3; ++stream) {
      const std::uint32_t at = fsn[stream]++;
      const char* const flags = at == 0 ? "B" : at == 15 ? "E" : "";
      for (int tries = 0; f.bulk(tsn, flags, stream, 0, at, 1024) != Outcome::Accepted; ++tries) {
        REQUIRE(tries < 3);
        f.rx->end_of_packet(Time{});
      }
      ++tsn;
      messages += f.received().size();
    }
  }
  CHECK(f.used() == 0);
  return messages;
}

TEST_CASE("messages side by side that no window can hold: the largest is given up and the rest goes on",
          "[SCTP-DATA-12]") {
  Limits limits;
  limits.sctp_rx_window = limits.sctp_rx_window_max = 20 * 1024;
  Fixture f(limits, 20 * 1024);
  CHECK(three_side_by_side(f) == 2);
  CHECK(f.rx->pop_too_large());
  CHECK_FALSE(f.rx->pop_too_large());
}

TEST_CASE("messages side by side that fill the window: it grows as far as it may before one is given up",
          "[SCTP-DATA-11][SCTP-DATA-12][lim.sctp.rx_window][lim.sctp.rx_window_max]") {
  Limits limits;
  limits.sctp_rx_window = 20 * 1024;
  limits.sctp_rx_window_max = 50 * 1024;
  {
    Fixture f(limits, 20 * 1024);
    CHECK(three_side_by_side(f) == 3);
    CHECK_FALSE(f.rx->pop_too_large());
    CHECK(f.rx->reassembly().window() == 50 * 1024);
  }
  // With packets that end: it has grown before the sender hears that it is closed, and the SACK says so at once.
  Fixture f(limits, 20 * 1024);
  std::uint32_t tsn = 100;
  for (; f.rx->reassembly().window() == 20 * 1024; ++tsn) {
    REQUIRE(f.bulk(tsn, tsn < 102 ? "B" : "", static_cast<std::uint16_t>(tsn % 2), 0, (tsn - 100) / 2,
                   1024) == Outcome::Accepted);
    f.rx->end_of_packet(Time{});
    REQUIRE(f.rx->reassembly().a_rwnd() != 0);
  }
  CHECK(f.rx->tracker().sack_is_due(Time{}));
  CHECK(f.rx->reassembly().window() == 40 * 1024);
  // A window filled above a missing TSN does not grow: that TSN, once it comes, lets the rest go to the user.
  Fixture gap(limits, 20 * 1024);
  for (tsn = 101; gap.bulk(tsn, "BE", 1, tsn - 100, 0, 1024) == Outcome::Accepted; ++tsn)
    gap.rx->end_of_packet(Time{});
  CHECK(gap.rx->reassembly().window() == 20 * 1024);
  // Nor does one filled with what the user has not taken.
  Fixture slow(limits, 20 * 1024);
  for (tsn = 100; slow.bulk(tsn, "BE", 1, tsn - 100, 0, 1024) == Outcome::Accepted; ++tsn)
    slow.rx->end_of_packet(Time{});
  CHECK(slow.rx->reassembly().window() == 20 * 1024);
}

TEST_CASE("one packet gives up one message, however many chunks it holds", "[SCTP-DATA-12][ATK-09]") {
  Limits limits;
  limits.sctp_rx_window = limits.sctp_rx_window_max = 20 * 1024;
  Fixture f(limits, 8 * 1024);
  const auto begin_another = [&f](std::size_t size) {
    const std::uint32_t tsn = f.cumulative() + 1;
    return f.bulk(tsn, "B", static_cast<std::uint16_t>(tsn % 100), tsn, 0, size);
  };
  while (!f.rx->pop_too_large()) REQUIRE(begin_another(1000) == Outcome::Accepted);
  for (int packet = 0; packet < 3; ++packet) {
    while (begin_another(800) == Outcome::Accepted) CHECK_FALSE(f.rx->pop_too_large());
    CHECK_FALSE(f.rx->pop_too_large());
    f.rx->end_of_packet(Time{});
    CHECK(begin_another(800) == Outcome::Accepted);
    CHECK(f.rx->pop_too_large());
  }
}

}  // namespace pollrtc::sctp
