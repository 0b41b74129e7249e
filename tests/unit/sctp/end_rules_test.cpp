// Clauses of the rules about failure, reset and the end that need a story of their own (RFC 9260 §8, §9; RFC 6525 §5).
#include "scripted_peer.h"
#include "sctp/chunk_control.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

namespace {
constexpr std::uint32_t kTsn = ScriptedPeer::kPeerTsn;
const char* const kHeartbeat = "0400000c 00010008 11223344";
const char* const kShutdownAck = "08000004";

std::string shutdown_of(const ScriptedPeer& peer, std::uint32_t sent = 0) {
  return "07000008" + ScriptedPeer::u32_hex(peer.local_tsn.value() - 1 + sent);
}
// Goes from deadline to deadline until such a chunk leaves.
SeenPacket wait_for(ScriptedPeer& peer, ChunkType type) {
  for (int i = 0; i < 50; ++i) {
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
      if (seen.find(type) != nullptr) return seen;
    peer.next_timeout();
  }
  FAIL("it never leaves");
  return {};
}
ByteVector ack_of(const SeenPacket& heartbeat) {
  return ScriptedPeer::chunk(ChunkType::HeartbeatAck, heartbeat.find(ChunkType::Heartbeat)->value);
}
// RE-CONFIG with one outgoing reset.
std::string request(std::uint32_t number, std::uint32_t last_tsn, const std::string& streams) {
  const std::size_t size = hex(streams).size();
  return "82 00" + ScriptedPeer::u16_hex(20 + size) + "000d" + ScriptedPeer::u16_hex(16 + size) +
         ScriptedPeer::u32_hex(number) + "00000000" + ScriptedPeer::u32_hex(last_tsn) + streams +
         (size % 4 == 0 ? "" : "0000");
}
// The results of the responses in a packet, in their order.
std::vector<std::uint32_t> results_in(const SeenPacket& seen) {
  const SeenChunk* const chunk = seen.find(ChunkType::ReConfig);
  REQUIRE(chunk != nullptr);
  std::vector<std::uint32_t> results;
  for (std::size_t at = 0; at + 12 <= chunk->value.size(); at += 12) {
    REQUIRE(load_u16(chunk->value.data() + at) == 16);
    results.push_back(load_u32(chunk->value.data() + at + 8));
  }
  return results;
}
std::size_t received(ScriptedPeer& peer) {
  Message message(peer.environment.env.memory);
  std::size_t count = 0;
  while (peer.association.receive(message)) ++count;
  return count;
}
}  // namespace

TEST_CASE("HEARTBEATs come at HB.interval and an RTO, give or take half of it, each time anew",
          "[SCTP-HB-05]") {
  Duration shortest = 1h, longest{};
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    ScriptedPeer peer({}, seed);
    peer.establish_passively();
    for (int i = 0; i < 2; ++i) {  // the second: after an answer
      const Time before = peer.now;
      const Duration rto = peer.association.stats().rto;
      const SeenPacket heartbeat = wait_for(peer, ChunkType::Heartbeat);
      const Duration wait = peer.now - before;
      CHECK(wait >= 30s + rto / 2);
      CHECK(wait <= 30s + rto + rto / 2);
      shortest = std::min(shortest, wait);
      longest = std::max(longest, wait);
      CHECK(peer.give(peer.local_tag, ack_of(heartbeat)) == Drop::None);
    }
  }
  CHECK(longest - shortest > 100ms);
}

TEST_CASE("a HEARTBEAT unanswered for an RTO doubles it, and its answer is too late then",
          "[SCTP-HB-05][SCTP-HB-02]") {
  ScriptedPeer peer;
  peer.establish_passively();
  const Duration rto = peer.association.stats().rto;
  const SeenPacket first = wait_for(peer, ChunkType::Heartbeat);
  CHECK(peer.association.next_timeout() == peer.now + rto);
  peer.next_timeout();
  CHECK(peer.association.stats().rto == 2 * rto);
  CHECK(peer.give(peer.local_tag, ack_of(first)) == Drop::SctpHeartbeat);
  CHECK(peer.association.stats().rto == 2 * rto);
  const SeenPacket second = wait_for(peer, ChunkType::Heartbeat);
  CHECK(peer.association.next_timeout() == peer.now + 2 * rto);
  peer.now += 100ms;
  CHECK(peer.give(peer.local_tag, ack_of(second)) == Drop::None);
  CHECK(peer.association.stats().srtt == 100ms);  // its answer measures the path
  CHECK(peer.association.stats().rto < rto);
}

TEST_CASE("SACKs of nothing new do not keep an association alive", "[SCTP-HB-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("x")));
  peer.drain();
  int timeouts = 0;
  while (peer.association.state() == State::Established && timeouts < 50) {
    const std::uint64_t before = peer.association.stats().retransmissions;
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
    peer.drain();
    timeouts += peer.association.stats().retransmissions != before ? 1 : 0;
    peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() - 1));
  }
  CHECK(timeouts == 10);  // the eleventh ends it
  CHECK(peer.events<Association::Ended>().at(0).reason == Close::SctpUnreachable);
}

TEST_CASE("once the peer reports Forward-TSN-Supported as unknown, limits of reliability mean nothing",
          "[SCTP-PR-13][SCTP-PR-05]") {
  for (const bool from_the_start : {false, true}) {
    ScriptedPeer peer;
    if (from_the_start) {
      const auto answer =
          peer.answer_to_init(hex("0100001a" + ScriptedPeer::init_fields() + "80080006 82c0 0000"));
      peer.local_tag = answer.tag;
      peer.local_tsn = answer.tsn;
      REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
      peer.drain();
    } else {
      peer.establish_passively();
      peer.give(peer.local_tag, "0900000c 00080008 c0000004");
    }
    CHECK_FALSE(peer.association.peer_supports_partial_reliability());
    REQUIRE(peer.association.send(peer.now, {.max_retransmits = 0}, as_bytes("x")));
    REQUIRE(peer.association.send(peer.now, {.lifetime = 1ms}, as_bytes("y")));
    for (int i = 0; i < 4; ++i) {
      const SeenPacket seen = peer.poll();
      const auto is_data = [](const auto& chunk) { return chunk.type == ChunkType::Data; };
      CHECK(std::count_if(seen.chunks.begin(), seen.chunks.end(), is_data) == 2);  // both of them, every time
      CHECK(peer.is_silent());
      peer.next_timeout();
    }
  }
}

TEST_CASE("a reset that waits is performed when the last of its TSNs is there, and no later",
          "[SCTP-RST-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, request(kTsn, kTsn + 1, "0001"));
  CHECK(results_in(peer.poll()) == std::vector<std::uint32_t>{6});
  peer.give(peer.local_tag, ScriptedPeer::data(kTsn, 1, 0));
  peer.drain();
  CHECK(peer.events<Association::StreamsReset>().empty());
  peer.give(peer.local_tag, ScriptedPeer::data(kTsn + 1, 1, 1));
  CHECK(results_in(peer.poll()) == std::vector<std::uint32_t>{1});
  CHECK(peer.events<Association::StreamsReset>().size() == 1);
}

TEST_CASE("a reset of all streams is one of each: their SSNs begin at 0", "[SCTP-RST-04]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (std::uint16_t i = 0; i < 4; ++i) peer.give(peer.local_tag, ScriptedPeer::data(kTsn + i, i % 2, i / 2));
  CHECK(received(peer) == 4);
  peer.give(peer.local_tag, request(kTsn, kTsn + 3, ""));
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::data(kTsn + 4, 0, 0));
  peer.give(peer.local_tag, ScriptedPeer::data(kTsn + 5, 1, 0));
  CHECK(received(peer) == 2);
}

TEST_CASE("what waited for its turn on a stream does not outlive the stream's reset", "[SCTP-RST-06]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag,
            ScriptedPeer::data(kTsn, 1, 1));  // SSN 0 never comes: its TSN is skipped without a word
  peer.give(peer.local_tag, request(kTsn, kTsn, "0001"));
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::data(kTsn + 1, 1, 0));
  CHECK(received(peer) == 1);  // and not the old SSN 1 behind it
}

TEST_CASE("an incoming reset of all streams is not covered by one of ours of some", "[SCTP-RST-07]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.reset_stream(peer.now, 1));
  peer.drain();
  peer.give(peer.local_tag, "8200000c 000e0008 000003e8");
  CHECK(results_in(peer.poll()) == std::vector<std::uint32_t>{2});
}

TEST_CASE("two requests in a chunk get two answers in a chunk, with one SACK", "[SCTP-RST-13]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, "8200001e 000d0010 000003e8 00000000 000003e7 000e000a 000003e9 0001 0000");
  const SeenPacket seen = peer.poll();
  CHECK(seen.chunks.size() == 2);
  CHECK(seen.find(ChunkType::Sack) != nullptr);
  CHECK(results_in(seen) == std::vector<std::uint32_t>{1, 2});
  CHECK(peer.is_silent());
}

TEST_CASE("SHUTDOWN goes ten times again, not one less and not one more", "[SCTP-END-01]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.association.shutdown(peer.now);
  REQUIRE(peer.poll().is_only(ChunkType::Shutdown));
  Duration wait = peer.association.stats().rto;
  for (int i = 0; i < 10; ++i) {
    CHECK(peer.association.next_timeout() - peer.now == wait);
    wait = std::min<Duration>(2 * wait, 60s);
    peer.next_timeout();
    REQUIRE(peer.poll().is_only(ChunkType::Shutdown));
  }
  peer.now = peer.association.next_timeout();
  peer.association.handle_timeout(peer.now);
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.events<Association::Ended>().at(0).reason == Close::SctpUnreachable);
}

TEST_CASE("any packet of the peer gives a shutdown its tries back", "[SCTP-END-01]") {
  AssociationConfig config;
  config.parameters.max_back_off =
      3s;  // so that many tries fit before the guard of the whole shutdown, 300 s
  ScriptedPeer peer(config);
  peer.establish_passively();
  peer.association.shutdown(peer.now);
  peer.drain();
  int tries = 0;
  for (; peer.now < Time(200s) && peer.association.state() == State::ShutdownSent; ++tries) {
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
    peer.drain();
    if (tries % 8 == 7) peer.give(peer.local_tag, "84000004");  // a PAD, which says nothing else
  }
  CHECK(tries > 50);
  CHECK(peer.association.state() == State::ShutdownSent);
}

TEST_CASE("SHUTDOWN ACK goes again at T2, and for every SHUTDOWN that comes", "[SCTP-END-01]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, shutdown_of(peer));
  REQUIRE(peer.association.state() == State::ShutdownAckSent);
  REQUIRE(peer.poll().is_only(ChunkType::ShutdownAck));
  for (int i = 0; i < 3; ++i) {
    peer.next_timeout();
    CHECK(peer.poll().is_only(ChunkType::ShutdownAck));
  }
  CHECK(peer.give(peer.local_tag, shutdown_of(peer)) == Drop::None);
  CHECK(peer.poll().is_only(ChunkType::ShutdownAck));
  CHECK(peer.is_silent());
}

TEST_CASE("what a SHUTDOWN acknowledges is not sent again", "[SCTP-END-02]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (const char* const text : {"one", "two"}) REQUIRE(peer.association.send(peer.now, {}, as_bytes(text)));
  peer.drain();
  peer.give(peer.local_tag, shutdown_of(peer, 1));
  CHECK(peer.association.stats().outstanding_bytes == 20);
  peer.next_timeout();
  const SeenPacket again = peer.poll();
  REQUIRE(again.is_only(ChunkType::Data));
  CHECK(load_u32(again.chunks[0].value.data()) == peer.local_tsn.value() + 1);
}

TEST_CASE("a message in pieces that is open when SHUTDOWN comes is given up, or it would never end",
          "[SCTP-END-02]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send_piece(peer.now, {}, as_bytes("begun"), false));
  peer.drain();
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value()));
  peer.give(peer.local_tag, shutdown_of(peer, 1));
  CHECK(peer.association.state() == State::ShutdownReceived);
  CHECK(peer.association.send_piece(peer.now, {}, as_bytes("more"), true).error() == ErrorCode::InvalidState);
  REQUIRE(peer.poll().find(ChunkType::ForwardTsn) != nullptr);
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + 1));
  CHECK(peer.poll().is_only(ChunkType::ShutdownAck));
}

TEST_CASE("pieces are refused from SHUTDOWN-PENDING on, like messages", "[SCTP-END-12]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("x")));
  peer.drain();
  peer.association.shutdown(peer.now);
  REQUIRE(peer.association.state() == State::ShutdownPending);
  CHECK(peer.association.send(peer.now, {}, as_bytes("y")).error() == ErrorCode::InvalidState);
  CHECK(peer.association.send_piece(peer.now, {}, as_bytes("y"), true).error() == ErrorCode::InvalidState);
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value()));
  CHECK(peer.association.send_piece(peer.now, {}, as_bytes("y"), true).error() == ErrorCode::InvalidState);
}

TEST_CASE("a SHUTDOWN in the set-up draws nothing", "[SCTP-END-03]") {
  ScriptedPeer peer;
  peer.connect();
  peer.give(peer.local_tag, "07000008 00000001");
  CHECK(peer.is_silent());
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::init_ack()) == Drop::None);
  peer.drain();
  peer.give(peer.local_tag, "07000008 00000001");
  CHECK(peer.is_silent());
  CHECK(peer.association.state() == State::CookieEchoed);
}

TEST_CASE("an abort goes in front of all replies that wait, which are dropped", "[SCTP-END-05]") {
  ScriptedPeer peer;
  peer.establish_passively();
  for (int i = 0; i < 3; ++i) peer.give(peer.local_tag, kHeartbeat);
  peer.association.abort(peer.now, "enough");
  CHECK(peer.poll().is_only(ChunkType::Abort));
  CHECK(peer.is_silent());
}

TEST_CASE("DATA in SHUTDOWN-SENT starts T2 anew", "[SCTP-END-06]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.association.shutdown(peer.now);
  peer.drain();
  const Duration rto = peer.association.stats().rto;
  REQUIRE(peer.association.next_timeout() == peer.now + rto);
  peer.now += rto - 100ms;
  peer.give(peer.local_tag, ScriptedPeer::data(kTsn));
  peer.drain();
  CHECK(peer.association.next_timeout() == peer.now + rto);
  // A duplicate is answered too, with a SACK that names it.
  peer.give(peer.local_tag, ScriptedPeer::data(kTsn));
  const SeenPacket seen = peer.poll();
  CHECK(seen.find(ChunkType::Shutdown) != nullptr);
  REQUIRE(seen.find(ChunkType::Sack) != nullptr);
  CHECK(load_u16(seen.find(ChunkType::Sack)->value.data() + 10) == 1);
}

TEST_CASE(
    "SHUTDOWN ACK behind another chunk while we set up: SHUTDOWN COMPLETE alone, and nothing else changes",
    "[SCTP-END-08]") {
  ScriptedPeer waiting, echoed;
  waiting.connect();
  echoed.connect_to_cookie_echoed();
  for (ScriptedPeer* peer : {&waiting, &echoed}) {
    const State before = peer->association.state();
    const Time due = peer->association.next_timeout();
    for (const char* const first : {"", "84000004"}) {
      peer->now += 10ms;
      peer->give(peer->local_tag, std::string(first) + kShutdownAck);
      const SeenPacket complete = peer->poll();
      REQUIRE(complete.is_only(ChunkType::ShutdownComplete));
      CHECK(complete.tag == peer->local_tag);
      CHECK(complete.chunks[0].flags == kTagReflected);
      CHECK(peer->is_silent());
    }
    CHECK(peer->association.state() == before);
    CHECK(peer->association.next_timeout() == due);
  }
}

TEST_CASE("timeouts of what never left are no errors: a path may be away for longer than they would last",
          "[SCTP-HB-03]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("x")));
  peer.drain();
  for (const Time back = peer.now + 1h; peer.now < back;) {  // nothing is polled
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
  }
  CHECK(peer.association.state() == State::Established);
  // There is a path again, and nobody there: now they count, from the first.
  int timeouts = 0;
  while (peer.association.state() == State::Established && timeouts < 50) {
    const std::uint64_t before = peer.association.stats().retransmissions;
    peer.drain();
    timeouts += peer.association.stats().retransmissions != before ? 1 : 0;
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
  }
  CHECK(timeouts >= 9);
  CHECK(timeouts <= 11);
}

TEST_CASE("to close an association that echoes its cookie is to abort it: the peer may be up already") {
  ScriptedPeer peer;
  peer.connect_to_cookie_echoed();
  peer.association.shutdown(peer.now);
  CHECK(peer.association.state() == State::Closed);
  const SeenPacket seen = peer.poll();
  CHECK(seen.is_only(ChunkType::Abort));
  CHECK(peer.is_silent());
}

TEST_CASE("an INIT or COOKIE ECHO that never left is no try: set-up waits for a path that is away",
          "[SCTP-INIT-02]") {
  const bool is_cookie = GENERATE(false, true);
  ScriptedPeer peer;
  if (is_cookie) {
    peer.connect();
    REQUIRE(peer.give(peer.local_tag, peer.init_ack()) == Drop::None);
  } else {
    REQUIRE(peer.association.connect(peer.now));
  }
  const State waiting = is_cookie ? State::CookieEchoed : State::CookieWait;
  for (const Time back = peer.now + 1h; peer.now < back;) {  // nothing is polled
    REQUIRE(peer.association.state() == waiting);
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
  }
  // There is a path again, and nobody there: the first and eight more, and that is the end.
  int tries = 0;
  while (peer.association.state() == waiting && tries < 50) {
    while (!peer.is_silent()) ++tries;
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
  }
  CHECK(tries == 9);
  CHECK(peer.association.state() == State::Closed);
}

TEST_CASE("a cookie that no packet of a new path can hold ends the attempt as one that nobody answers",
          "[SCTP-INIT-02]") {
  ScriptedPeer peer;
  peer.connect();
  REQUIRE(peer.give(peer.local_tag, peer.init_ack(std::string(2 * 800, 'a'))) == Drop::None);
  peer.association.on_path_change(peer.now, {.base = 600});  // before it has left
  CHECK(peer.is_silent());
  int timeouts = 0;
  for (; peer.association.state() == State::CookieEchoed && timeouts < 50; ++timeouts) {
    peer.now = peer.association.next_timeout();
    peer.association.handle_timeout(peer.now);
  }
  CHECK(timeouts == 9);
  CHECK(peer.association.state() == State::Closed);
}

TEST_CASE(
    "no packet with an ABORT is answered, whether the ABORT counts or not; nor is what waited before it",
    "[SCTP-END-10]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag,
            std::string(kHeartbeat) + "06010004");  // our tag with the T bit: it does not count
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.is_silent());
  peer.give(peer.local_tag, std::string(kHeartbeat) + "06000008 000c0003");  // malformed
  CHECK(peer.association.state() == State::Established);
  CHECK(peer.is_silent());
  peer.give(peer.local_tag, kHeartbeat);
  peer.give(peer.local_tag, "06000004");
  CHECK(peer.association.state() == State::Closed);
  CHECK(peer.is_silent());
}

TEST_CASE("nothing is told after the end, of another path neither") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.association.abort(peer.now, "enough");
  peer.drain();
  CHECK(peer.events<Association::Ended>().size() == 1);
  peer.association.on_path_change(peer.now, {.base = 1400, .max_ip = 1500, .below = 69});
  Association::Event event;
  CHECK_FALSE(peer.association.poll_event(event));
  CHECK(peer.association.next_timeout() == kNever);
  CHECK(peer.is_silent());
}
