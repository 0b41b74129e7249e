// Which chunk counts in which state (RFC 9260 §4, §6), and what else the states forbid.
#include "sctp/state_table.h"

#include <algorithm>

#include "scripted_peer.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;
using State = AssociationState;

namespace {

constexpr State kStates[] = {State::Closed,           State::CookieWait,      State::CookieEchoed,
                             State::Established,      State::ShutdownPending, State::ShutdownSent,
                             State::ShutdownReceived, State::ShutdownAckSent};

std::string shutdown_chunk(std::uint32_t tsn) { return "07000008" + ScriptedPeer::u32_hex(tsn); }

// Takes the association there, with one unacknowledged message where the state needs it.
void go_to(ScriptedPeer& peer, State state) {
  const auto send_one = [&] {
    REQUIRE(peer.association.send(peer.now, {}, as_bytes("ping")));
    peer.drain();
  };
  const std::uint32_t before_first = peer.local_tsn.value() - 1;
  switch (state) {
    case State::Closed:
      break;
    case State::CookieWait:
      peer.connect();
      break;
    case State::CookieEchoed:
      peer.connect_to_cookie_echoed();
      break;
    case State::Established:
      peer.establish_passively();
      break;
    case State::ShutdownPending:
      peer.establish_passively();
      send_one();
      peer.association.shutdown(peer.now);
      break;
    case State::ShutdownSent:
      peer.establish_passively();
      peer.association.shutdown(peer.now);
      break;
    case State::ShutdownReceived:
      peer.establish_passively();
      send_one();
      peer.give(peer.local_tag, shutdown_chunk(peer.local_tsn.value() - 1));
      break;
    case State::ShutdownAckSent:
      peer.establish_passively();
      peer.give(peer.local_tag, shutdown_chunk(peer.local_tsn.value() - 1));
      break;
  }
  static_cast<void>(before_first);
  REQUIRE(peer.association.state() == state);
  peer.drain();
}
VerificationTag tag_in(const ScriptedPeer& peer, State state) {
  return state == State::Closed ? VerificationTag{0x12345678} : peer.local_tag;
}
bool takes_data(State state) {
  return state == State::Established || state == State::ShutdownPending || state == State::ShutdownSent;
}
bool takes_sack(State state) {
  return state == State::Established || state == State::ShutdownPending || state == State::ShutdownReceived;
}

}  // namespace

TEST_CASE("the state diagram has these edges and no others; every state may end", "[INV-8]") {
  using enum AssociationState;
  const std::vector<std::pair<State, State>> edges = {{Closed, CookieWait},
                                                      {Closed, Established},
                                                      {CookieWait, CookieEchoed},
                                                      {CookieWait, Established},
                                                      {CookieEchoed, Established},
                                                      {CookieEchoed, CookieWait},
                                                      {Established, ShutdownPending},
                                                      {Established, ShutdownReceived},
                                                      {ShutdownPending, ShutdownSent},
                                                      {ShutdownPending, ShutdownReceived},
                                                      {ShutdownPending, Established},
                                                      {ShutdownSent, ShutdownAckSent},
                                                      {ShutdownSent, Established},
                                                      {ShutdownReceived, ShutdownAckSent},
                                                      {ShutdownReceived, Established}};
  for (const State from : kStates) {
    for (const State to : kStates) {
      CAPTURE(name_of(from), name_of(to));
      const bool is_listed = std::find(edges.begin(), edges.end(), std::pair(from, to)) != edges.end();
      CHECK(is_edge(from, to) == (is_listed || from == to || to == Closed));
    }
  }
}

TEST_CASE("DATA counts in ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-SENT, and nowhere else",
          "[SCTP-DATA-15]") {
  for (const State state : kStates) {
    CAPTURE(name_of(state));
    ScriptedPeer peer;
    go_to(peer, state);
    const Drop drop = peer.give(tag_in(peer, state), ScriptedPeer::data(ScriptedPeer::kPeerTsn));
    Message message(peer.environment.env.memory);
    CHECK(peer.association.receive(message) == takes_data(state));
    if (takes_data(state)) {
      CHECK(drop == Drop::None);
    } else {
      CHECK(drop == (state == State::Closed ? Drop::SctpOutOfTheBlue : Drop::SctpState));
    }
    bool is_acknowledged = false, is_aborted = false;
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
      if (const SeenChunk* sack = seen.find(ChunkType::Sack))
        is_acknowledged |= load_u32(sack->value.data()) == ScriptedPeer::kPeerTsn;
      if (const SeenChunk* shutdown = seen.find(ChunkType::Shutdown))
        is_acknowledged |= load_u32(shutdown->value.data()) == ScriptedPeer::kPeerTsn;
      is_aborted |= seen.find(ChunkType::Abort) != nullptr;
    }
    CHECK(is_acknowledged == takes_data(state));
    CHECK(is_aborted == (state == State::Closed));  // out of the blue (§8.4)
  }
}

TEST_CASE("DATA that came too early is as if it never came", "[SCTP-DATA-15]") {
  ScriptedPeer peer;
  peer.connect_to_cookie_echoed();
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::SctpState);
  peer.give(peer.local_tag, "0b000004");
  CHECK(peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn)) == Drop::None);
}

TEST_CASE("a SACK counts in ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-RECEIVED, and nowhere else",
          "[SCTP-SACK-08]") {
  for (const State state : kStates) {
    CAPTURE(name_of(state));
    ScriptedPeer peer;
    go_to(peer, state);
    if (state == State::Established) {
      REQUIRE(peer.association.send(peer.now, {}, as_bytes("ping")));
      peer.drain();
    }
    const std::size_t outstanding = peer.association.stats().outstanding_bytes;
    CHECK((outstanding != 0) == takes_sack(state));
    const Drop drop = peer.give(tag_in(peer, state), ScriptedPeer::sack(peer.local_tsn.value()));
    if (takes_sack(state)) {
      CHECK(drop == Drop::None);
      CHECK(peer.association.stats().outstanding_bytes == 0);
    } else {
      CHECK(drop == (state == State::Closed ? Drop::SctpOutOfTheBlue : Drop::SctpState));
      CHECK(peer.association.state() == state);  // though it acknowledges what was never sent
      const SeenPacket answer = peer.poll();
      CHECK((answer.find(ChunkType::Abort) != nullptr) == (state == State::Closed));
    }
  }
}

TEST_CASE("new DATA leaves in ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-RECEIVED, and in no other state",
          "[SCTP-DATA-20]") {
  const ByteVector message(60000, 1);  // more than a window
  const auto has_new_data = [](ScriptedPeer& peer, std::uint32_t above) {
    bool found = false;
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
      if (const SeenChunk* data = seen.find(ChunkType::Data))
        found |= Tsn(load_u32(data->value.data())) > Tsn(above);
    return found;
  };
  for (const State state : kStates) {
    CAPTURE(name_of(state));
    ScriptedPeer peer;
    const bool may_send =
        state == State::Established || state == State::ShutdownPending || state == State::ShutdownReceived;
    if (may_send) {
      peer.establish_passively();
      REQUIRE(peer.association.send(peer.now, {}, message));
      REQUIRE(has_new_data(peer, peer.local_tsn.value() - 1));
      if (state == State::ShutdownPending) peer.association.shutdown(peer.now);
      if (state == State::ShutdownReceived)
        peer.give(peer.local_tag, shutdown_chunk(peer.local_tsn.value() - 1));
      REQUIRE(peer.association.state() == state);
      CHECK_FALSE(has_new_data(peer, peer.local_tsn.value() - 1));  // the window is full
      if (state == State::ShutdownReceived) {
        peer.give(peer.local_tag, shutdown_chunk(peer.local_tsn.value() + 4));
      } else {
        peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + 4));
      }
      CHECK(has_new_data(peer, peer.local_tsn.value() + 4));
    } else {
      go_to(peer, state);
      CHECK_FALSE(peer.association.send(peer.now, {}, as_bytes("late")));
      CHECK(peer.association.buffered_total() == 0);
      CHECK_FALSE(has_new_data(peer, peer.local_tsn.value() - 1));
    }
  }
}

TEST_CASE(
    "a SACK that is due shares the packet with DATA, in front of it; when both do not fit, it goes first",
    "[SCTP-DATA-22]") {
  ScriptedPeer peer;
  peer.establish_passively();
  peer.give(peer.local_tag, ScriptedPeer::data(1000));  // the first: its SACK is due at once
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("ping")));
  SeenPacket seen = peer.poll();
  REQUIRE(seen.chunks.size() == 2);
  CHECK(seen.chunks[0].type == ChunkType::Sack);
  CHECK(load_u32(seen.chunks[0].value.data()) == 1000);
  CHECK(seen.chunks[1].type == ChunkType::Data);
  CHECK(peer.is_silent());

  // One that would be due in 200 ms rides along too.
  peer.give(peer.local_tag, ScriptedPeer::data(1001, 1, 1));
  CHECK(peer.is_silent());
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("ping")));
  seen = peer.poll();
  REQUIRE(seen.chunks.size() == 2);
  CHECK(load_u32(seen.chunks[0].value.data()) == 1001);
  CHECK(peer.association.next_timeout() > peer.now + 300ms);  // no delayed SACK is left

  // New DATA is cut so that the SACK fits.
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(3000, 1)));
  peer.give(peer.local_tag, ScriptedPeer::data(1002, 1, 2));
  seen = peer.poll();
  REQUIRE(seen.chunks.size() == 2);
  CHECK(seen.chunks[0].type == ChunkType::Sack);
  CHECK(seen.size == 1188);
  peer.drain();

  // A full chunk that is sent again leaves no room: the SACK has a packet of its own, and does not wait.
  ScriptedPeer full;
  full.establish_passively();
  REQUIRE(full.association.send(full.now, {}, ByteVector(1188 - 12 - 16, 1)));
  REQUIRE(full.poll().size == 1188);
  full.next_timeout();
  full.give(full.local_tag, ScriptedPeer::data(1000));
  CHECK(full.poll().is_only(ChunkType::Sack));
  CHECK(full.poll().is_only(ChunkType::Data));
}

TEST_CASE("a cookie that is ours, yet says more than we offer, gets what we offer", "[SCTP-CKI-02]") {
  // The secret is the first thing that is drawn; so a test can make a cookie that no association ever would.
  TestEnvironment twin(7);
  CookieSecret secret;
  REQUIRE(twin.env.rng.fill(twin.env.rng.context, secret));
  ScriptedPeer peer({}, 7);
  peer.environment.env.limits.sctp_streams = 10;
  const ScriptedPeer::Answer answer = peer.answer_to_init(ScriptedPeer::init());
  auto cookie = open_cookie(answer.cookie, secret);
  REQUIRE(cookie);
  CHECK(cookie->outbound_streams == 10);
  cookie->outbound_streams = 500;
  cookie->inbound_streams = 600;
  const auto sealed = seal_cookie(*cookie, secret);
  REQUIRE(sealed);
  REQUIRE(peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, *sealed)) == Drop::None);
  const auto connected = peer.events<Association::Connected>();
  REQUIRE(connected.size() == 1);
  CHECK(connected[0].outbound_streams == 10);
  CHECK(connected[0].inbound_streams == 10);
  CHECK(peer.association.send(peer.now, {.stream = 9}, as_bytes("x")));
  CHECK_FALSE(peer.association.send(peer.now, {.stream = 10}, as_bytes("x")));
  CHECK(peer.give(answer.tag, ScriptedPeer::data(1000, 10)) == Drop::SctpStream);
}

TEST_CASE("there is one path, which no number of errors short of the association's limit puts out of use",
          "[SCTP-HB-06]") {
  ScriptedPeer peer;
  peer.establish_passively();
  // Path.Max.Retrans is 5 for hosts with several paths (RFC 9260 §16): here it is the association's 10.
  int unanswered = 0;
  while (unanswered < 10) {
    peer.next_timeout();
    for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
      if (seen.find(ChunkType::Heartbeat) != nullptr) ++unanswered;
  }
  peer.next_timeout();  // the tenth error
  CHECK(peer.association.state() == State::Established);
  peer.drain();
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("still here")));
  CHECK(peer.poll().find(ChunkType::Data) != nullptr);  // at once: there is nothing else to send it over
  peer.next_timeout();
  CHECK(peer.association.state() == State::Closed);
  const auto ended = peer.events<Association::Ended>();
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].reason == Close::SctpUnreachable);
}

TEST_CASE(
    "a COOKIE ECHO behind other chunks is processed when there is an association, and is out of the blue "
    "when there is none",
    "[SCTP-PKT-15]") {
  ScriptedPeer peer;
  const ScriptedPeer::Answer answer = peer.answer_to_init(ScriptedPeer::init());
  const ByteVector echo = ScriptedPeer::chunk(ChunkType::CookieEcho, answer.cookie);
  ByteVector behind = hex(ScriptedPeer::data(ScriptedPeer::kPeerTsn));
  behind.insert(behind.end(), echo.begin(), echo.end());
  CHECK(peer.give(answer.tag, behind) == Drop::SctpOutOfTheBlue);
  CHECK(peer.poll().is_only(ChunkType::Abort));
  CHECK(peer.association.state() == State::Closed);
  REQUIRE(peer.give(answer.tag, echo) == Drop::None);
  peer.drain();
  CHECK(peer.give(answer.tag, behind) == Drop::None);
  const SeenPacket seen = peer.poll();
  CHECK(seen.find(ChunkType::CookieAck) != nullptr);  // the cookie is this association's (table 12 D)
  REQUIRE(seen.find(ChunkType::Sack) != nullptr);     // and the DATA ahead of it counts
  CHECK(load_u32(seen.find(ChunkType::Sack)->value.data()) == ScriptedPeer::kPeerTsn);
}

TEST_CASE(
    "in a packet control chunks stand before the SACK, and that before DATA; their reserved flags are 0",
    "[SCTP-PKT-18][SCTP-PKT-17]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("data")));
  peer.give(peer.local_tag, ScriptedPeer::data(ScriptedPeer::kPeerTsn) + "0400000c 00010008 11223344");
  const SeenPacket seen = peer.poll();
  REQUIRE(seen.chunks.size() == 3);
  CHECK(seen.chunks[0].type == ChunkType::HeartbeatAck);
  CHECK(seen.chunks[1].type == ChunkType::Sack);
  CHECK(seen.chunks[2].type == ChunkType::Data);
  CHECK(seen.chunks[0].flags == 0);
  CHECK(seen.chunks[1].flags == 0);
  CHECK(seen.chunks[2].flags == 3);  // B and E
  peer.association.shutdown(peer.now);
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value()));
  const SeenPacket end = peer.poll();
  REQUIRE(end.find(ChunkType::Shutdown) != nullptr);
  CHECK(end.find(ChunkType::Shutdown)->flags == 0);
}

TEST_CASE("streams are the lesser of what we offer and what the INIT ACK allows", "[SCTP-INIT-12]") {
  ScriptedPeer peer;
  peer.connect();
  std::string fields = ScriptedPeer::init_fields();
  fields.replace(16, 8, "00070005");  // OS 7, MIS 5
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::InitAck,
                                                        hex(fields + "00070008 aabbccdd"))) == Drop::None);
  peer.drain();
  peer.give(peer.local_tag, "0b000004");
  const auto connected = peer.events<Association::Connected>();
  REQUIRE(connected.size() == 1);
  CHECK(connected[0].outbound_streams == 5);
  CHECK(connected[0].inbound_streams == 7);
  CHECK(peer.association.send(peer.now, {.stream = 4}, as_bytes("x")));
  CHECK_FALSE(peer.association.send(peer.now, {.stream = 5}, as_bytes("x")));
}

TEST_CASE("a collision that shows after the set-up changes the peer's tag", "[SCTP-CKI-04]") {
  ScriptedPeer peer;
  peer.connect();
  const VerificationTag other{0x0badcafe};
  const ScriptedPeer::Answer first = peer.answer_to_init(ScriptedPeer::init());
  const ScriptedPeer::Answer second = peer.answer_to_init(ScriptedPeer::init(other));
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::CookieEcho, first.cookie)) == Drop::None);
  CHECK(peer.poll().tag == ScriptedPeer::kPeerTag);
  peer.drain();
  REQUIRE(peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::CookieEcho, second.cookie)) == Drop::None);
  const SeenPacket ack = peer.poll();
  CHECK(ack.find(ChunkType::CookieAck) != nullptr);
  CHECK(ack.tag == other);
}

TEST_CASE("a cookie with other ports is dropped, though it is ours to the last bit", "[SCTP-CKI-07]") {
  TestEnvironment twin(7);
  CookieSecret secret;
  REQUIRE(twin.env.rng.fill(twin.env.rng.context, secret));
  for (int which = 0; which < 3; ++which) {
    ScriptedPeer peer({}, 7);
    const ScriptedPeer::Answer answer = peer.answer_to_init(ScriptedPeer::init());
    auto cookie = open_cookie(answer.cookie, secret);
    REQUIRE(cookie);
    if (which == 1) ++cookie->local_port;
    if (which == 2) ++cookie->remote_port;
    const auto sealed = seal_cookie(*cookie, secret);
    REQUIRE(sealed);
    const Drop drop = peer.give(answer.tag, ScriptedPeer::chunk(ChunkType::CookieEcho, *sealed));
    CHECK(drop == (which == 0 ? Drop::None : Drop::SctpCookie));
  }
}

TEST_CASE("a random number of 0 becomes no tag", "[SCTP-TAG-07]") {
  struct ZeroFirst {
    int calls = 0;
    static bool fill(void* context, MutBytes out) {
      const int call = static_cast<ZeroFirst*>(context)->calls++;
      for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(call < 3 ? 0 : call);
      return true;
    }
  } zero_first;
  ScriptedPeer peer;
  peer.environment.env.rng = {ZeroFirst::fill, &zero_first};
  peer.connect();
  CHECK(peer.local_tag != VerificationTag{});
}

TEST_CASE("each fragment of a message carries its payload protocol", "[SCTP-DATA-14]") {
  ScriptedPeer peer;
  peer.establish_passively();
  REQUIRE(peer.association.send(peer.now, {.ppid = 51}, ByteVector(5000, 1)));
  int fragments = 0;
  for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
    const SeenChunk* const data = seen.find(ChunkType::Data);
    REQUIRE(data != nullptr);
    CHECK(load_u32(data->value.data() + 8) == 51);
    ++fragments;
  }
  CHECK(fragments >= 4);
}
