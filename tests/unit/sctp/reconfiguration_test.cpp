// Stream reset between engine and peer: RFC 6525 §5.
#include "scripted_peer.h"
#include "support/catch.h"
#include "two_associations.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

namespace {
std::string request(std::uint32_t number, std::uint32_t last_tsn, const std::string& streams) {
  const std::size_t size = hex(streams).size();
  std::string chunk = "82 00" + ScriptedPeer::u16_hex(20 + size) + "000d" + ScriptedPeer::u16_hex(16 + size) +
                      ScriptedPeer::u32_hex(number) + "00000000" + ScriptedPeer::u32_hex(last_tsn) + streams;
  return size % 4 == 0 ? chunk : chunk + "0000";
}
std::string response(std::uint32_t number, std::uint32_t result) {
  return "82000010 0010000c" + ScriptedPeer::u32_hex(number) + ScriptedPeer::u32_hex(result);
}
// number and result of the one response in a packet
std::pair<std::uint32_t, std::uint32_t> read_response(const SeenPacket& seen) {
  const SeenChunk* chunk = seen.find(ChunkType::ReConfig);
  REQUIRE(chunk != nullptr);
  REQUIRE(chunk->value.size() == 12);  // no TSN fields [SCTP-RST-14]
  REQUIRE(load_u16(chunk->value.data()) == 16);
  return {load_u32(chunk->value.data() + 4), load_u32(chunk->value.data() + 8)};
}
constexpr std::uint32_t kTsn = ScriptedPeer::kPeerTsn;
}  // namespace

TEST_CASE("our reset: waits for the queue, names the last TSN, SSNs begin again at 0 once performed",
          "[SCTP-RST-01][SCTP-RST-11]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::uint32_t first = peer.local_tsn.value();
  const std::array<std::uint8_t, 1> message = {1};
  for (int i = 0; i < 2; ++i) REQUIRE(peer.association.send(peer.now, {.stream = 1}, message));
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  CHECK(peer.association.reset_stream(peer.now, 1).error() == ErrorCode::AlreadyExists);
  const SeenPacket data = peer.poll();
  REQUIRE(data.find(ChunkType::Data) != nullptr);
  CHECK(data.find(ChunkType::ReConfig) == nullptr);
  const SeenPacket asked = peer.poll();
  REQUIRE(asked.is_only(ChunkType::ReConfig));
  CHECK(to_hex(asked.chunks[0].value) == "000d0012" + ScriptedPeer::u32_hex(first) +
                                             ScriptedPeer::u32_hex(kTsn - 1) +
                                             ScriptedPeer::u32_hex(first + 1) + "0001");
  // What is sent meanwhile waits.
  REQUIRE(peer.association.send(peer.now, {.stream = 1}, message));
  CHECK(peer.is_silent());
  CHECK(peer.give(peer.local_tag, ScriptedPeer::sack(first + 1)) == Drop::None);
  CHECK(peer.give(peer.local_tag, response(first, 1)) == Drop::None);
  const auto done = peer.events<Association::ResetDone>();
  REQUIRE(done.size() == 1);
  CHECK(done[0].stream == 1);
  CHECK(done[0].performed);
  const SeenPacket fresh = peer.poll();
  REQUIRE(fresh.find(ChunkType::Data) != nullptr);
  CHECK(load_u16(fresh.find(ChunkType::Data)->value.data() + 6) == 0);  // SSN
}

TEST_CASE("a request refused: the stream is not reset, sending goes on with the old SSNs", "[SCTP-RST-12]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {.stream = 1}, message));
  peer.drain();
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  REQUIRE(peer.association.send(peer.now, {.stream = 1}, message));
  REQUIRE(peer.poll().is_only(ChunkType::ReConfig));
  CHECK(peer.give(peer.local_tag, response(peer.local_tsn.value(), 2)) == Drop::None);
  CHECK_FALSE(peer.events<Association::ResetDone>().at(0).performed);
  const SeenPacket next = peer.poll();
  REQUIRE(next.find(ChunkType::Data) != nullptr);
  CHECK(load_u16(next.find(ChunkType::Data)->value.data() + 6) == 1);
}

TEST_CASE("one request in flight, sent again at doubling intervals, each an error; no more after ten",
          "[SCTP-RST-09]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  const SeenPacket first = peer.poll();
  REQUIRE(first.is_only(ChunkType::ReConfig));
  REQUIRE(peer.association.reset_stream(peer.now, 2));
  CHECK(peer.is_silent());
  Duration wait = peer.association.stats().rto;
  int sent = 1;
  while (peer.association.state() == State::Established) {
    const Time before = peer.now;
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
      if (seen.find(ChunkType::ReConfig) == nullptr) continue;
      if (sent < 5) CHECK(peer.now - before == wait);
      wait *= 2;
      ++sent;
      CHECK(seen.find(ChunkType::ReConfig)->value == first.chunks[0].value);
    }
  }
  CHECK(sent <= 11);
  CHECK(peer.events<Association::Ended>().at(0).reason == Close::SctpUnreachable);
}

TEST_CASE(
    "beside DATA a lost RE-CONFIG is no error of its own: T3 counts, and the eleventh of its timeouts ends",
    "[SCTP-RST-09][SCTP-HB-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {.stream = 1}, message));
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  peer.drain();
  int data = 1, requests = 1;
  const Time began = peer.now;
  while (peer.association.state() == State::Established) {
    peer.next_timeout();
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
      if (seen.find(ChunkType::Data) != nullptr) ++data;
      if (seen.find(ChunkType::ReConfig) != nullptr) ++requests;
    }
  }
  CHECK(data == 11);
  CHECK(requests >= 10);
  CHECK(peer.now - began > 250s);
}

// The peer may have performed the reset by the time a FORWARD TSN comes that was sent before its answer; an SSN of before
// the reset would then make it throw away what is sent after.
TEST_CASE("a FORWARD TSN does not carry SSNs of before a reset past it", "[SCTP-RST-06][SCTP-PR-10]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::uint32_t first = peer.local_tsn.value();
  const std::array<std::uint8_t, 1> message = {1};
  const auto next_forward = [&] {
    for (int timeouts = 0; timeouts < 20; ++timeouts) {
      for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
        if (const SeenChunk* forward = seen.find(ChunkType::ForwardTsn)) return to_hex(forward->value);
      peer.next_timeout();
    }
    return std::string("none");
  };
  REQUIRE(peer.association.send(peer.now, {.stream = 1, .max_retransmits = 0}, message));
  REQUIRE(peer.poll().find(ChunkType::Data) != nullptr);
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  REQUIRE(peer.poll().find(ChunkType::ReConfig) != nullptr);
  REQUIRE(peer.association.send(peer.now, {.stream = 2, .max_retransmits = 0}, message));
  REQUIRE(peer.poll().find(ChunkType::Data) != nullptr);
  // Both messages are given up, but the first FORWARD TSN goes as far as the reset.
  CHECK(next_forward() == ScriptedPeer::u32_hex(first) + "00010000");
  // Performed: so the peer has gone past stream 1, though its SACK was lost.
  CHECK(peer.give(peer.local_tag, response(first, 1)) == Drop::None);
  CHECK(next_forward() == ScriptedPeer::u32_hex(first + 1) + "00020000");
}

// aiortc performs a reset at once, whatever it has not got yet; an SSN of another stream that it is not told of stops that stream.
TEST_CASE("a FORWARD TSN names what was skipped of the streams that a reset performed already did not name",
          "[SCTP-PR-10]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::uint32_t first = peer.local_tsn.value();
  const std::array<std::uint8_t, 1> message = {1};
  REQUIRE(peer.association.send(peer.now, {.stream = 1, .max_retransmits = 0}, message));
  REQUIRE(peer.association.send(peer.now, {.stream = 3, .max_retransmits = 0}, message));
  REQUIRE(peer.poll().find(ChunkType::Data) != nullptr);
  REQUIRE(peer.association.reset_stream(peer.now, 3));
  REQUIRE(peer.poll().find(ChunkType::ReConfig) != nullptr);
  CHECK(peer.give(peer.local_tag, response(first, 1)) == Drop::None);
  std::string forwarded;
  for (int timeouts = 0; timeouts < 20 && forwarded.empty(); ++timeouts) {
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
      if (const SeenChunk* forward = seen.find(ChunkType::ForwardTsn)) forwarded = to_hex(forward->value);
    peer.next_timeout();
  }
  CHECK(forwarded == ScriptedPeer::u32_hex(first + 1) + "00010000");
}

TEST_CASE("in progress: asked again, without counting errors, for as long as it takes", "[SCTP-RST-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  REQUIRE(peer.poll().is_only(ChunkType::ReConfig));
  for (std::uint32_t i = 0; i < 30; ++i) {  // each time under a new number, since all we sent is acknowledged
    CHECK(peer.give(peer.local_tag, response(peer.local_tsn.value() + i, 6)) == Drop::None);
    CHECK(peer.is_silent());
    peer.next_timeout();
    REQUIRE(peer.poll().find(ChunkType::ReConfig) != nullptr);
  }
  CHECK(peer.events<Association::ResetDone>().empty());
  CHECK(peer.give(peer.local_tag, response(peer.local_tsn.value() + 30, 1)) == Drop::None);
  CHECK(peer.events<Association::ResetDone>().size() == 1);
}

TEST_CASE("a response to a number not in flight is ignored", "[SCTP-RST-11]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, response(peer.local_tsn.value(), 1));
  CHECK(peer.events<Association::ResetDone>().empty());
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  peer.drain();
  peer.give(peer.local_tag, response(peer.local_tsn.value() + 1, 1));
  CHECK(peer.events<Association::ResetDone>().empty());
  CHECK(peer.association.drops()[Drop::SctpReconfig] == 2);
}

TEST_CASE("a number that the peer was not told yet is not in flight: none is left out", "[SCTP-RST-11]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const std::uint32_t first = peer.local_tsn.value();
  const auto number = [&peer] {
    const SeenPacket seen = peer.poll();
    REQUIRE(seen.is_only(ChunkType::ReConfig));
    return load_u32(seen.chunks[0].value.data() + 4);
  };
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  CHECK(number() == first);
  CHECK(peer.give(peer.local_tag, response(first, 6)) == Drop::None);
  peer.next_timeout();  // in progress no longer: the next number is to be asked under
  peer.give(peer.local_tag, response(first + 1, 1));
  CHECK(peer.association.drops()[Drop::SctpReconfig] == 1);
  CHECK(peer.events<Association::ResetDone>().empty());
  CHECK(number() == first + 1);
  CHECK(peer.give(peer.local_tag, response(first + 1, 1)) == Drop::None);
  CHECK(peer.events<Association::ResetDone>().size() == 1);
  REQUIRE(peer.association.reset_stream(peer.now, 2));
  CHECK(number() == first + 2);
}

TEST_CASE("no RE-CONFIG to a peer that does not list it", "[SCTP-RST-10]") {
  ScriptedPeer peer;
  const auto answer = peer.answer_to_init(hex("01000018" + ScriptedPeer::init_fields() + "c0000004"));
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  peer.drain();
  CHECK_FALSE(peer.association.peer_supports_reset());
  CHECK(peer.association.reset_stream(peer.now, 1).error() == ErrorCode::NotSupported);
  CHECK(peer.is_silent());
}

TEST_CASE("the peer's reset: performed, told once, answered the same when repeated, with a SACK",
          "[SCTP-RST-02][SCTP-RST-13]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(kTsn, 1, 0)) == Drop::None);
  peer.drain();
  for (int i = 0; i < 2; ++i) {
    CHECK(peer.give(peer.local_tag, request(kTsn, kTsn, "0001")) == Drop::None);
    const SeenPacket answer = peer.poll();
    CHECK(read_response(answer) == std::pair(kTsn, 1u));
    CHECK(answer.find(ChunkType::Sack) != nullptr);
    CHECK(peer.events<Association::StreamsReset>().size() == (i == 0 ? 1 : 0));
  }
  // SSN 0 is next again.
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(kTsn + 1, 1, 0)) == Drop::None);
  Message message(peer.environment.env.memory);
  CHECK(peer.association.receive(message));
  CHECK(peer.association.receive(message));
}

TEST_CASE(
    "a request that there is no memory for is not refused but lost, and performed when it comes again") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.drain();
  int lost = 0;
  for (std::size_t successes = 0;; ++successes, ++lost) {  // each allocation that it takes fails once
    peer.environment.fail_allocation(successes);
    if (peer.give(peer.local_tag, request(kTsn, kTsn - 1, "0001")) != Drop::OutOfMemory) break;
    CHECK(peer.is_silent());
    CHECK(peer.events<Association::StreamsReset>().empty());
  }
  CHECK(lost >= 2);
  CHECK(read_response(peer.poll()) == std::pair{kTsn, 1u});
  CHECK(peer.events<Association::StreamsReset>().size() == 1);
}

TEST_CASE("data before the reset is missing: in progress, what belongs behind it waits, then it is done once",
          "[SCTP-RST-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, request(kTsn, kTsn, "0001")) == Drop::None);
  CHECK(read_response(peer.poll()) == std::pair(kTsn, 6u));
  CHECK(peer.events<Association::StreamsReset>().empty());
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(kTsn + 1, 1, 0)) == Drop::None);
  Message message(peer.environment.env.memory);
  CHECK_FALSE(peer.association.receive(message));
  peer.drain();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(kTsn, 1, 0)) == Drop::None);
  CHECK(read_response(peer.poll()) == std::pair(kTsn, 1u));
  CHECK(peer.events<Association::StreamsReset>().size() == 1);
  CHECK(peer.association.receive(message));
  CHECK(peer.association.receive(message));
  CHECK(peer.give(peer.local_tag, request(kTsn, kTsn, "0001")) == Drop::None);
  CHECK(read_response(peer.poll()) == std::pair(kTsn, 1u));
  CHECK(peer.events<Association::StreamsReset>().empty());
}

TEST_CASE(
    "what waits behind a reset, and finds no memory when that is done, is not lost; nor is the next reset "
    "taken before",
    "[SCTP-RST-03]") {
  int late = 0;
  for (std::size_t successes = 0;; ++successes) {
    ScriptedPeer peer;
    peer.establish_passively();
    CHECK(peer.give(peer.local_tag, request(kTsn, kTsn, "0001")) == Drop::None);
    CHECK(peer.give(peer.local_tag, ScriptedPeer::data(kTsn + 1, 70, 0)) == Drop::None);
    peer.drain();
    peer.environment.fail_allocation(successes);
    if (peer.give(peer.local_tag, ScriptedPeer::data(kTsn, 1, 0)) != Drop::None) continue;  // it comes again
    const bool had_memory = peer.environment.refused_allocations() == 0;
    peer.environment.fail_allocation(SIZE_MAX);
    Message message(peer.environment.env.memory);
    CHECK(peer.association.receive(message));
    CHECK(message.stream == 1);
    if (!peer.association.receive(message)) {
      ++late;
      CHECK(peer.give(peer.local_tag, request(kTsn + 1, kTsn + 1, "0046")) == Drop::OutOfMemory);
      peer.now += 100ms;
      peer.association.handle_timeout(peer.now);
      REQUIRE(peer.association.receive(message));
    }
    CHECK(message.stream == 70);
    CHECK(peer.give(peer.local_tag, request(kTsn + 1, kTsn + 1, "0046")) == Drop::None);
    if (had_memory) break;
  }
  CHECK(late >= 1);
}

TEST_CASE("all streams in one event", "[SCTP-RST-04]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, request(kTsn, kTsn - 1, "")) == Drop::None);
  CHECK(read_response(peer.poll()) == std::pair(kTsn, 1u));
  const auto events = peer.events<Association::StreamsReset>();
  REQUIRE(events.size() == 1);
  CHECK(events[0].all);
}

TEST_CASE("adding streams, resetting TSNs and incoming resets are denied", "[SCTP-RST-05][SCTP-RST-07]") {
  for (const char* parameter : {"82000010 0011000c 000003e8 00010000", "82000010 0012000c 000003e8 00010000",
                                "8200000c 000f0008 000003e8", "8200000e 000e000a 000003e8 0001 0000"}) {
    ScriptedPeer peer;
    peer.establish_passively();
    CHECK(peer.give(peer.local_tag, parameter) == Drop::None);
    CHECK(read_response(peer.poll()) == std::pair(1000u, 2u));
  }
}

TEST_CASE("an incoming reset that our own request in flight covers: nothing to do", "[SCTP-RST-07]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  REQUIRE(peer.poll().is_only(ChunkType::ReConfig));
  CHECK(peer.give(peer.local_tag, "8200000e 000e000a 000003e8 0001 0000") == Drop::None);
  CHECK(read_response(peer.poll()) == std::pair(1000u, 0u));
  CHECK(peer.give(peer.local_tag, "82000010 000e000c 000003e9 0001 0002") == Drop::None);
  CHECK(read_response(peer.poll()) == std::pair(1001u, 2u));
}

TEST_CASE("parameters that must not stand together: ERROR(protocol violation), nothing done",
          "[SCTP-RST-08]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(
            peer.local_tag,
            "82000028 000d0012 000003e8 00000000 000003e7 0001 0000 000d0010 000003e9 00000000 000003e7") ==
        Drop::SctpReconfig);
  const SeenPacket seen = peer.poll();
  REQUIRE(seen.is_only(ChunkType::Error));
  CHECK(has_cause(seen.chunks[0].value, CauseCode::ProtocolViolation));
  CHECK(peer.events<Association::StreamsReset>().empty());
  CHECK(peer.association.state() == State::Established);
}

TEST_CASE("a malformed RE-CONFIG has no effect and draws no answer", "[SCTP-RST-14]") {
  ScriptedPeer peer;
  peer.establish_passively();
  CHECK(peer.give(peer.local_tag, "82000014 00100010 000003e8 00000001 00000000") == Drop::SctpReconfig);
  CHECK(peer.give(peer.local_tag, "82000008 000e0004") == Drop::SctpReconfig);
  CHECK(peer.is_silent());
}

TEST_CASE("ten thousand requests with any numbers: constant memory, one put off", "[ATK-12]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, request(kTsn, kTsn + 5, "0001"));
  peer.drain();
  for (int i = 0; i < 100; ++i) {  // the ring of replies takes its places
    peer.give(peer.local_tag, request(kTsn + 77, kTsn + 9, "0002"));
  }
  peer.drain();
  const std::size_t before = peer.environment.bytes_in_use();
  for (std::uint32_t i = 0; i < 10000; ++i) {
    peer.give(peer.local_tag, request(i % 3 == 0 ? kTsn + 1 + i / 3 : i * 2654435761u, kTsn + 7, "00020003"));
    if (i % 16 == 0) peer.drain();
  }
  CHECK(peer.environment.bytes_in_use() <= before + 64);
  CHECK(peer.events<Association::StreamsReset>().empty());
}

TEST_CASE("two ends reset and use streams over a bad link: both agree on the SSNs",
          "[SCTP-RST-01][SCTP-RST-06]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    TwoAssociations pair({}, seed);
    pair.connect();
    pair.link = {.delay = 15ms, .loss = 0.2, .reorder = 0.4, .duplicate = 0.2};
    std::size_t sent = 0;
    for (int round = 0; round < 5; ++round) {
      for (auto* end : {&pair.a, &pair.b}) {
        for (int i = 0; i < 3; ++i) {
          const ByteVector message(static_cast<std::size_t>(10 + 900 * i), static_cast<std::uint8_t>(round));
          REQUIRE(end->association->send(pair.now, {.stream = 1, .ppid = 53}, message));
        }
        REQUIRE(end->association->reset_stream(pair.now, 1));
      }
      sent += 3;
      const auto resets = [](const TwoAssociations::End& end) {
        int performed = 0, peers = 0;
        for (const auto& event : end.events) {
          if (const auto* done = std::get_if<Association::ResetDone>(&event))
            performed += done->performed ? 1 : 100;
          if (std::holds_alternative<Association::StreamsReset>(event)) ++peers;
        }
        return std::pair(performed, peers);
      };
      const auto expected = std::pair(round + 1, round + 1);
      REQUIRE(pair.run_until([&] { return resets(pair.a) == expected && resets(pair.b) == expected; }, 120s));
      REQUIRE(pair.run_until([&] { return pair.a.received.size() == sent && pair.b.received.size() == sent; },
                             60s));
    }
  }
}
