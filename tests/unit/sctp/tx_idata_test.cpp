// The sending half with I-DATA (RFC 8260 §2): numbers of messages and fragments, what lies between them, what is given up.
#include <map>

#include "support/catch.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {

constexpr std::size_t kFullIData = 1000 - 20;

struct Fixture : TxFixture {
  explicit Fixture(Limits limits = {}) : TxFixture(1000, limits, true) {}
  std::vector<SentChunk> all() {
    std::vector<SentChunk> chunks;
    for (Packet p = packet(); !p.empty(); p = packet()) chunks.insert(chunks.end(), p.begin(), p.end());
    return chunks;
  }
};

SendOptions on(std::uint16_t stream, bool unordered = false) {
  SendOptions options;
  options.stream = stream;
  options.ppid = 53;
  options.unordered = unordered;
  return options;
}
SendOptions once(std::uint16_t stream, bool unordered = false) {
  SendOptions options = on(stream, unordered);
  options.max_retransmits = 0;
  return options;
}

}  // namespace

TEST_CASE("two counters of messages for each stream, both from 0", "[SCTP-ID-06]") {
  Fixture f;
  for (const bool unordered : {false, true, false, true, true}) REQUIRE(f.send(10, on(1, unordered)));
  REQUIRE(f.send(10, on(2, true)));
  std::vector<std::pair<bool, std::uint32_t>> seen;
  for (const SentChunk& c : f.all()) {
    if (c.stream == 1) seen.emplace_back(c.unordered, c.mid);
    if (c.stream == 2) CHECK(c.mid == 0);
  }
  CHECK((seen == std::vector<std::pair<bool, std::uint32_t>>{
                     {false, 0}, {true, 0}, {false, 1}, {true, 1}, {true, 2}}));
}

TEST_CASE("a reset that is performed restarts both counters, one that is refused neither",
          "[SCTP-RST-01][SCTP-RST-12]") {
  for (const bool performed : {false, true}) {
    Fixture f;
    for (const bool unordered : {false, true, true}) REQUIRE(f.send(10, on(1, unordered)));
    f.all();
    REQUIRE(f.queue->pause(StreamId{1}));
    for (const bool unordered : {false, true}) REQUIRE(f.send(10, on(1, unordered)));
    CHECK(f.all().empty());
    f.queue->resume(StreamId{1}, performed);
    const std::vector<SentChunk> sent = f.all();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].mid == (performed ? 0u : 1u));
    CHECK(sent[1].mid == (performed ? 0u : 2u));
  }
}

TEST_CASE("MIDs and FSNs wrap", "[SCTP-DATA-08]") {
  Fixture f;
  f.queue->set_next_mid(StreamId{1}, false, Mid(0xFFFFFFFF));
  f.queue->set_next_mid(StreamId{1}, true, Mid(0xFFFFFFFF));
  for (const bool unordered : {false, true, false, true}) REQUIRE(f.send(10, on(1, unordered)));
  std::vector<std::uint32_t> mids;
  for (const SentChunk& c : f.all()) mids.push_back(c.mid);
  CHECK(mids == std::vector<std::uint32_t>{0xFFFFFFFF, 0xFFFFFFFF, 0, 0});
  f.sack(1003);
  f.now += 10ms;
  REQUIRE(f.send(4 * kFullIData, on(1)));
  f.queue->messages()[f.queue->current(f.now)].next_fsn = Fsn(0xFFFFFFFE);
  std::vector<std::uint32_t> fsns;
  for (const SentChunk& c : f.all()) fsns.push_back(c.begin ? 12345 : c.fsn);
  CHECK(fsns == std::vector<std::uint32_t>{12345, 0xFFFFFFFF, 0, 1});
}

TEST_CASE("fragments are numbered from 0; the first one has the PPID in place of its FSN",
          "[SCTP-DATA-14][SCTP-ID-06]") {
  Fixture f;
  REQUIRE(f.send(3 * kFullIData, on(1)));
  const std::vector<SentChunk> chunks = f.all();
  REQUIRE(chunks.size() == 3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(chunks[i].tsn == 1000 + i);
    CHECK(chunks[i].begin == (i == 0));
    CHECK(chunks[i].end == (i == 2));
    CHECK(chunks[i].fsn == i);
    CHECK(chunks[i].ppid == (i == 0 ? 53 : 0));
    CHECK(chunks[i].size == kFullIData);
  }
}

TEST_CASE("one message of a stream is cut up at a time, messages of other streams in between",
          "[SCTP-ID-06]") {
  Fixture f;
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 1, 2}) {
    REQUIRE(f.send(3 * kFullIData, on(stream, stream == 1)));
    REQUIRE(f.send(3 * kFullIData, on(stream)));
  }
  std::map<std::uint16_t, std::vector<std::uint32_t>> fsns;
  std::uint16_t last = 0;
  int changes = 0;
  for (int sacked = 999; fsns[1].size() + fsns[2].size() < 18;) {
    for (const SentChunk& c : f.all()) {
      fsns[c.stream].push_back(c.fsn);
      changes += c.stream != last ? 1 : 0;
      last = c.stream;
      ++sacked;
    }
    f.sack(static_cast<std::uint32_t>(sacked));
  }
  CHECK(fsns[1] == std::vector<std::uint32_t>{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
  CHECK(fsns[2] == std::vector<std::uint32_t>{0, 1, 2, 0, 1, 2});
  CHECK(changes >= 12);  // while both have something to send
}

TEST_CASE("what is sent again is the same I-DATA chunk", "[SCTP-ID-06]") {
  Fixture f;
  REQUIRE(f.send(2 * kFullIData, on(1)));
  REQUIRE(f.send(2 * kFullIData, on(2)));
  const std::vector<SentChunk> first = f.all();
  REQUIRE(first.size() == 4);
  f.expire();
  std::vector<SentChunk> again = f.all();
  f.sack(1000);
  for (const SentChunk& c : f.all()) again.push_back(c);
  REQUIRE(again.size() >= 2);
  for (const SentChunk& c : again) {
    const SentChunk& was = first.at(c.tsn - 1000);
    CHECK((c.stream == was.stream && c.mid == was.mid && c.fsn == was.fsn && c.begin == was.begin &&
           c.end == was.end && c.size == was.size));
  }
}

TEST_CASE("a message is abandoned with all its chunks, and none of those between them",
          "[SCTP-ID-07][SCTP-PR-02]") {
  Fixture f;
  REQUIRE(f.send(3 * kFullIData, once(1)));
  REQUIRE(f.send(3 * kFullIData, on(2)));
  REQUIRE(f.send(10 * kFullIData, once(3, true)));
  const std::vector<SentChunk> sent = f.all();
  REQUIRE(sent.size() == 10);
  CHECK((sent[0].stream == 1 && sent[1].stream == 2 && sent[2].stream == 3 && sent[3].stream == 1));
  f.expire();
  // The chunks of stream 2 are to be sent again; those of 1 and 3 are given up, what had no TSN included.
  CHECK(f.queue->buffered_total() == 0);
  const auto forward = f.i_forward();
  REQUIRE(forward);
  CHECK(forward->tsn == 1000);
  CHECK(forward->skipped == std::vector<SkippedMessages>{{StreamId{1}, false, Mid(0)}});
  Tsns again;
  for (int i = 0; i < 6; ++i) {
    for (const SentChunk& c : f.all()) {
      CHECK(c.stream == 2);
      again.push_back(c.tsn);
    }
    f.sack(again.back());
  }
  CHECK(again == Tsns{1001, 1004, 1007});
  const auto rest = f.i_forward();
  REQUIRE(rest);
  CHECK(rest->tsn == 1010);  // one TSN for what was never sent
  CHECK(rest->skipped == std::vector<SkippedMessages>{{StreamId{3}, true, Mid(0)}});
  f.sack(1010);
  CHECK(f.tx->all_acknowledged());
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("I-FORWARD-TSN lists each stream once for each kind, with its highest MID",
          "[SCTP-ID-07][SCTP-PR-10]") {
  Fixture f;
  for (int i = 0; i < 2; ++i) {
    for (const bool unordered : {false, true}) {
      for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{1, 2})
        REQUIRE(f.send(10, once(stream, unordered)));
    }
  }
  f.all();
  f.expire();
  const auto forward = f.i_forward();
  REQUIRE(forward);
  CHECK(forward->tsn == 1007);
  std::vector<SkippedMessages> skipped = forward->skipped;
  REQUIRE(skipped.size() == 4);
  for (const SkippedMessages& s : skipped) CHECK(s.mid == Mid(1));
  // What has no room waits for the next.
  f.expire();
  const auto part = f.i_forward(8 + 3 * 8 + 7);
  REQUIRE(part);
  CHECK(part->skipped.size() == 3);
  CHECK(part->tsn < 1007);
}

TEST_CASE("abandoning takes the chunks that are left when the first ones are acknowledged already",
          "[SCTP-ID-07][SCTP-PR-08]") {
  Fixture f;
  REQUIRE(f.send(4 * kFullIData, once(1)));
  REQUIRE(f.send(4 * kFullIData, on(2)));
  REQUIRE(f.all().size() == 8);
  f.sack(1003);
  f.expire();
  CHECK(f.i_forward()->tsn == 1004);
  CHECK(f.tx->flight_bytes() == 0);
  Tsns again;
  for (const SentChunk& c : f.all()) again.push_back(c.tsn);
  CHECK(again == Tsns{1005});
  f.sack(1005);
  CHECK(f.i_forward()->tsn == 1006);
}

TEST_CASE("what is held back for those under way is sent, though what was held before it has expired",
          "[SCTP-ID-06]") {
  Fixture f;
  f.queue->set_peer_window(2000);
  SendOptions brief = on(2);
  brief.lifetime = 100ms;
  REQUIRE(f.send(1500, on(1)));
  REQUIRE(f.packet().size() == 1);  // the second chunk has to come yet
  for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{2, 3, 4}) {
    brief.stream = stream;
    REQUIRE(f.send(1500, brief));
  }
  REQUIRE(f.send(1500, on(5)));
  REQUIRE(f.send(1500, on(6)));
  Packet end = f.packet();
  REQUIRE(end.size() == 1);
  CHECK((end[0].stream == 1 && end[0].end));
  f.now += 1s;
  std::vector<int> begun;
  for (const SentChunk& c : f.all())
    if (c.begin) begun.push_back(c.stream);
  CHECK(begun == std::vector<int>{5, 6});
  CHECK(f.queue->empty());
}

TEST_CASE("those held back go in their turn, whatever is given up before it has begun", "[SCTP-ID-06]") {
  for (const bool gives_up : {false, true}) {
    Fixture f;
    f.queue->set_peer_window(2000);
    REQUIRE(f.send(5 * kFullIData, on(1)));
    REQUIRE(f.packet().size() == 1);
    for (const std::uint16_t stream : std::initializer_list<std::uint16_t>{2, 3})
      REQUIRE(f.send(1500, on(stream)));
    for (int i = 0; i < 3; ++i) {  // 2 and 3 have their turn, and are held
      const Packet next = f.packet();
      REQUIRE(next.size() == 1);
      REQUIRE(next[0].stream == 1);
    }
    if (gives_up) {
      REQUIRE(f.queue->push_piece(f.now, on(4), ByteVector(100, 1), false));
      f.tx->abandon_open(f.now, StreamId{4});
    }
    std::vector<int> sent;
    for (const SentChunk& c : f.all()) sent.push_back(c.stream);
    CAPTURE(gives_up);
    CHECK(sent == std::vector<int>{1, 2, 2, 3, 3});
  }
}

TEST_CASE("a message that need not wait for those under way is never cut", "[SCTP-ID-06]") {
  Fixture f;
  f.tx->set_mtu(508);
  f.queue->set_peer_window(1000);
  for (std::uint16_t stream = 1; stream <= 40; ++stream)
    REQUIRE(f.send(stream % 2 == 0 ? 150 : TxQueue::kSingleChunk, on(stream)));
  std::size_t messages = 0;
  for (int rounds = 0; rounds < 20; ++rounds) {
    const std::vector<SentChunk> sent = f.all();
    if (sent.empty()) break;
    for (const SentChunk& c : sent) CHECK((c.begin && c.end));
    messages += sent.size();
    f.sack(sent.back().tsn);
    f.now += 10ms;
  }
  CHECK(messages == 40);
}

TEST_CASE("with I-DATA at most 65,535 TSNs are unacknowledged, and so are messages of each kind",
          "[SCTP-DATA-23]") {
  Limits limits;
  limits.sctp_chunks_queued = 0xFFFFFFFF;
  limits.sctp_tx_buffer_channel = limits.sctp_tx_buffer = 64 * 1024 * 1024;
  Fixture f(limits);
  std::uint32_t tsn = 999;
  for (int i = 0; i < 66000; ++i) REQUIRE(f.send(1, on(1, i % 2 == 0)));
  // The second to the last one are acknowledged by gap blocks, so that only their number holds the rest back.
  for (int rounds = 0; rounds < 20000; ++rounds) {
    const std::vector<SentChunk> sent = f.all();
    if (sent.empty()) break;
    tsn = sent.back().tsn;
    f.sack(999, {{2, static_cast<std::uint16_t>(tsn - 999)}});
    f.now += 10ms;
  }
  CHECK(tsn - 999 == 65535);
  f.sack(tsn);
  CHECK_FALSE(f.all().empty());
}

}  // namespace pollrtc::sctp::test
