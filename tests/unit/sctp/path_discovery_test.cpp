// Path MTU discovery as the association does it: RFC 8899 §6.2, RFC 4820.
#include "scripted_peer.h"
#include "support/catch.h"
#include "two_associations.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using namespace pollrtc::sctp::test;

namespace {

constexpr AssociationConfig kConfig{.mtu = 1131, .max_ip = 1500, .below = 69};
constexpr std::size_t kBase = 1128, kMost = 1428;

// The probe that is owed, taken apart and checked.
SeenPacket take_probe(ScriptedPeer& peer) {
  const SeenPacket seen = peer.poll();
  REQUIRE(seen.chunks.size() == 2);
  CHECK(seen.chunks[0].type == ChunkType::Heartbeat);
  CHECK(seen.chunks[1].type == ChunkType::Pad);
  CHECK(seen.chunks[1].flags == 0);
  CHECK(seen.tag == ScriptedPeer::kPeerTag);
  CHECK(peer.association.dont_fragment());
  return seen;
}
Drop answer(ScriptedPeer& peer, const SeenPacket& probe) {
  peer.now += 50ms;
  return peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::HeartbeatAck, probe.chunks.at(0).value));
}
std::uint32_t mtu(const ScriptedPeer& peer) { return peer.association.stats().mtu; }
// Lets `size` be found.
void search(ScriptedPeer& peer) {
  for (int i = 0; i < 20; ++i) {
    const SeenPacket seen = peer.poll();
    if (seen.chunks.empty()) return;
    if (seen.find(ChunkType::Pad) != nullptr) answer(peer, seen);
  }
}
std::vector<Association::PathMtuChanged> changes(ScriptedPeer& peer) {
  return peer.events<Association::PathMtuChanged>();
}

}  // namespace

TEST_CASE("a probe is a HEARTBEAT and padding up to its size, and must not be cut", "[SCTP-PMTU-02]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  CHECK_FALSE(peer.association.dont_fragment());
  std::size_t last = 0;
  std::size_t probes = 0;
  while (mtu(peer) < kMost) {
    REQUIRE(++probes < 20);
    const SeenPacket probe = take_probe(peer);
    CHECK(probe.size > last);
    CHECK(probe.size % 4 == 0);
    CHECK((probe.size == kBase) == (probes == 1));
    for (const std::uint8_t byte : probe.chunks[1].value) REQUIRE(byte == 0);
    CHECK(peer.is_silent());  // one at a time, and nothing bundled with it
    CHECK(mtu(peer) == std::max(last, kBase));
    last = probe.size;
    REQUIRE(answer(peer, probe) == Drop::None);
    CHECK(mtu(peer) == last);
  }
  CHECK(last == kMost);
  CHECK(peer.is_silent());
  CHECK(changes(peer).size() == 1);  // only the latest is told
}

TEST_CASE("without DF control no probe leaves", "[SCTP-PMTU-02][SCTP-PMTU-01]") {
  ScriptedPeer peer({.mtu = 1131});
  peer.establish_passively();
  CHECK(peer.is_silent());
  const ByteVector message(5000, 1);
  REQUIRE(peer.association.send(peer.now, {}, message));
  std::size_t most = 0;
  for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
    most = std::max(most, seen.size);
    CHECK_FALSE(peer.association.dont_fragment());
  }
  CHECK(most == kBase);
}

TEST_CASE("probes wait for ESTABLISHED, and end with SHUTDOWN", "[SCTP-PMTU-02]") {
  ScriptedPeer peer(kConfig);
  peer.connect_to_cookie_echoed();
  CHECK(peer.is_silent());
  peer.give(peer.local_tag, "0b000004");
  const SeenPacket probe = take_probe(peer);
  answer(peer, probe);
  peer.association.shutdown(peer.now);
  const SeenPacket seen = peer.poll();
  CHECK(seen.is_only(ChunkType::Shutdown));
  CHECK(peer.is_silent());
}

TEST_CASE("an answer with another nonce, or an old one, confirms nothing", "[SCTP-PMTU-02][SCTP-HB-02]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  const SeenPacket first = take_probe(peer);
  SeenPacket forged = first;
  forged.chunks[0].value.back() ^= 1;
  CHECK(answer(peer, forged) == Drop::SctpHeartbeat);
  CHECK(peer.is_silent());
  REQUIRE(answer(peer, first) == Drop::None);
  const SeenPacket second = take_probe(peer);
  CHECK(answer(peer, first) == Drop::SctpHeartbeat);
  CHECK(mtu(peer) == kBase);
  peer.next_timeout();  // lost: its answer comes too late
  const SeenPacket third = take_probe(peer);
  CHECK(third.size == second.size);
  CHECK(answer(peer, second) == Drop::SctpHeartbeat);
  CHECK(mtu(peer) == kBase);
  REQUIRE(answer(peer, third) == Drop::None);
  CHECK(mtu(peer) == second.size);
}

TEST_CASE("a lost probe is neither congestion nor an error of the association", "[SCTP-PMTU-03]") {
  AssociationConfig config = kConfig;
  config.parameters.association_max_retrans = 0;  // the first error ends it
  config.parameters.heartbeat_interval = 3600s;
  ScriptedPeer peer(config);
  peer.establish_passively();
  answer(peer, take_probe(peer));
  const AssociationStats before = peer.association.stats();
  Time last = peer.now - 1s;
  for (int i = 0; i < 3; ++i) {
    take_probe(peer);
    CHECK(peer.now - last >= 1s);
    last = peer.now;
    peer.next_timeout();
  }
  CHECK(peer.is_silent());
  CHECK(peer.association.state() == AssociationState::Established);
  CHECK(peer.association.stats().cwnd == before.cwnd);
  CHECK(peer.association.stats().ssthresh == before.ssthresh);
  CHECK(peer.association.stats().rto == before.rto);
}

TEST_CASE("probes pass a full window and a full cwnd, and a larger packet does not raise cwnd",
          "[SCTP-PMTU-03]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  const ByteVector message(100000, 1);
  REQUIRE(peer.association.send(peer.now, {}, message));
  const SeenPacket first = take_probe(peer);
  std::size_t sent = 0;
  while (!peer.is_silent()) ++sent;
  REQUIRE(sent >= 10);
  const std::uint32_t cwnd = peer.association.stats().cwnd;
  REQUIRE(answer(peer, first) == Drop::None);
  const SeenPacket second = take_probe(peer);
  REQUIRE(answer(peer, second) == Drop::None);
  CHECK(mtu(peer) == second.size);
  CHECK(peer.association.stats().cwnd == cwnd);
}

TEST_CASE("a probe that is answered measures the round trip and clears errors",
          "[SCTP-PMTU-03][SCTP-HB-03]") {
  AssociationConfig config = kConfig;
  ScriptedPeer peer(config);
  peer.establish_passively();
  answer(peer, take_probe(peer));
  CHECK(peer.association.stats().srtt == 50ms);
}

TEST_CASE("data uses what was found, and is not to be cut above the base size",
          "[SCTP-PMTU-02][SCTP-PMTU-06]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  search(peer);
  REQUIRE(mtu(peer) == kMost);
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(kMost + 100, 1)));
  CHECK(peer.poll().size == kMost);
  CHECK(peer.association.dont_fragment());
  CHECK(peer.poll().size < kBase);
  CHECK_FALSE(peer.association.dont_fragment());
}

TEST_CASE(
    "data that nobody acknowledges twice in a row is a black hole: back to the base, old chunks whole and in "
    "pieces",
    "[SCTP-PMTU-05][SCTP-PMTU-06]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  search(peer);
  changes(peer);
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(3000, 1)));
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(3000, 2)));
  std::vector<ByteVector> chunks;
  for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll())
    for (const SeenChunk& chunk : seen.chunks) chunks.push_back(chunk.value);
  REQUIRE(chunks.size() > 3);
  peer.next_timeout();  // the probe of the tail
  peer.drain();
  peer.next_timeout();
  CHECK(mtu(peer) == kMost);  // once is an accident
  peer.drain();
  peer.next_timeout();
  CHECK(mtu(peer) == kBase);
  const auto events = changes(peer);
  REQUIRE(events.size() == 1);
  CHECK(events[0].mtu == kBase);
  CHECK_FALSE(events[0].is_error);

  const SeenPacket probe = take_probe(peer);
  CHECK(probe.size == kBase);
  const SeenPacket again = peer.poll();
  CHECK(again.size == kMost);  // not cut again
  REQUIRE(again.is_only(ChunkType::Data));
  CHECK(again.chunks[0].value == chunks[0]);
  CHECK_FALSE(peer.association.dont_fragment());
  peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value()));
  for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll()) {
    if (seen.find(ChunkType::Data) == nullptr) continue;
    CHECK((seen.size <= kBase || !peer.association.dont_fragment()));
    CHECK((seen.size <= kBase || seen.is_only(ChunkType::Data)));
  }
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(5000, 3)));
}

TEST_CASE("an acknowledgement between two timeouts says that the path carries full packets",
          "[SCTP-PMTU-05]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  search(peer);
  for (std::uint32_t i = 0; i < 4; ++i) {
    REQUIRE(peer.association.send(peer.now, {}, ByteVector(1300, 1)));
    peer.drain();
    peer.next_timeout();
    peer.drain();
    peer.give(peer.local_tag, ScriptedPeer::sack(peer.local_tsn.value() + i));
  }
  CHECK(mtu(peer) == kMost);
}

TEST_CASE("a path that does not carry the base size is an ERROR, told once, with a smaller size",
          "[SCTP-PMTU-05]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  for (int i = 0; i < 3; ++i) {
    CHECK(take_probe(peer).size == kBase);
    CHECK(changes(peer).empty());
    peer.next_timeout();
  }
  const auto events = changes(peer);
  REQUIRE(events.size() == 1);
  CHECK(events[0].is_error);
  CHECK(events[0].mtu == 508);
  CHECK(changes(peer).empty());
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(2000, 1)));
  std::size_t packets = 0;
  for (SeenPacket seen = peer.poll(); seen.size != 0; seen = peer.poll(), ++packets) CHECK(seen.size <= 508);
  CHECK(packets >= 4);
  // An answer of ours that is larger than that still goes out.
  peer.give(peer.local_tag, ScriptedPeer::chunk(ChunkType::Heartbeat, ByteVector(900, 7)));
  CHECK(peer.poll().is_only(ChunkType::HeartbeatAck));
}

TEST_CASE("another path begins at its own base size, and is probed anew", "[SCTP-CC-08]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  search(peer);
  REQUIRE(mtu(peer) == kMost);
  peer.association.on_path_change(peer.now, {.base = 1191, .max_ip = 1500, .below = 89});
  CHECK(mtu(peer) == 1188);
  CHECK(take_probe(peer).size == 1188);
  REQUIRE(peer.association.send(peer.now, {}, ByteVector(3000, 1)));
  const auto unconfirmed = peer.poll();  // two chunks, each of which would fit the smallest path
  CHECK(unconfirmed.size == PathMtu::kSmallest + (PathMtu::kSmallest - kCommonHeader));
  peer.association.on_path_change(peer.now, {.base = 1131, .max_ip = 0, .below = 69});
  CHECK(mtu(peer) == kBase);
  CHECK(peer.poll().size == kBase);
}

TEST_CASE("a caller's buffer too small for the probe counts as its loss", "[SCTP-PMTU-02]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  search(peer);
  peer.association.on_path_change(peer.now, {.base = 1131, .max_ip = 1500, .below = 69});
  std::uint8_t small[600];
  for (int i = 0; i < 3; ++i) {
    CHECK(peer.association.poll_packet(peer.now, small) == 0);
    peer.next_timeout();
  }
  const auto events = changes(peer);
  REQUIRE_FALSE(events.empty());
  CHECK(events.back().is_error);
}

TEST_CASE("over a path of any size data flows, and flows on when the path shrinks",
          "[SCTP-PMTU-05][SCTP-PMTU-02]") {
  for (const std::size_t path : std::initializer_list<std::size_t>{kBase, 1300, kMost, 9000}) {
    CAPTURE(path);
    TwoAssociations pair({.delay = 20ms, .mtu = path}, 5, {}, kConfig);
    pair.connect();
    pair.run_for(60s);
    const std::uint32_t found = pair.a.association->stats().mtu;
    CHECK(found <= path);
    CHECK(found + 80 >= std::min(path, kMost));
    REQUIRE(pair.a.association->send(pair.now, {}, ByteVector(20000, 1)));
    CHECK(pair.run_until([&] { return pair.b.received.size() == 1; }, 1s));
    pair.link.mtu = kBase;
    REQUIRE(pair.a.association->send(pair.now, {}, ByteVector(20000, 2)));
    CHECK(pair.run_until([&] { return pair.b.received.size() == 2; }, 20s));
    CHECK(pair.a.association->stats().mtu == kBase);
    CHECK(pair.a.association->state() == AssociationState::Established);
  }
}

// IP packets of 1280, 1220 and 1000 bytes, 69 of them not ours, on which larger ones vanish without a word.
TEST_CASE("no path that drops silently stalls a transfer, and who is below the base size hears of it",
          "[SCTP-PMTU-05]") {
  for (const std::size_t ip : std::initializer_list<std::size_t>{1280, 1220, 1000}) {
    CAPTURE(ip);
    const bool carries_base = ip - 69 >= kBase;
    TwoAssociations pair({.delay = 20ms, .mtu = ip - 69, .passes_fragments = carries_base}, 6, {}, kConfig);
    pair.connect();
    // The first message leaves before anything is known of the path: its chunks must fit it all the same.
    REQUIRE(pair.a.association->send(pair.now, {}, ByteVector(20000, 1)));
    CHECK(pair.run_until([&] { return pair.b.received.size() == 1; }, carries_base ? 1s : 15s));
    pair.run_for(5s);
    for (std::size_t i = 2; i <= 5; ++i) {
      REQUIRE(pair.a.association->send(pair.now, {}, ByteVector(20000, 1)));
      CHECK(pair.run_until([&] { return pair.b.received.size() == i; }, 1s));
      pair.run_for(5s);
    }
    CHECK(pair.a.association->stats().mtu <= ip - 69);
    CHECK((pair.a.association->stats().mtu >= kBase) == carries_base);
    int errors = 0;
    for (const Association::Event& event : pair.a.events) {
      const auto* change = std::get_if<Association::PathMtuChanged>(&event);
      errors += change != nullptr && change->is_error;
    }
    CHECK(errors == (carries_base ? 0 : 1));
    CHECK(pair.a.association->state() == AssociationState::Established);
  }
}

TEST_CASE("a path that shrinks from 9000 to 1280 bytes in the middle of a transfer costs some timeouts",
          "[SCTP-PMTU-05]") {
  constexpr AssociationConfig kJumbo{.mtu = 1131, .max_ip = 9000, .below = 69};
  TwoAssociations pair({.delay = 20ms, .mtu = 9000 - 69}, 7, {}, kJumbo);
  pair.connect();
  pair.run_for(30s);
  REQUIRE(pair.a.association->stats().mtu > 8900);
  for (int i = 0; i < 20; ++i) REQUIRE(pair.a.association->send(pair.now, {}, ByteVector(20000, 1)));
  pair.run_for(30ms);
  REQUIRE(pair.b.received.size() < 20);
  pair.link.mtu = 1280 - 69;
  CHECK(pair.run_until([&] { return pair.b.received.size() == 20; }, 20s));
  pair.run_for(30s);
  CHECK(pair.a.association->stats().mtu <= 1280 - 69);
  CHECK(pair.a.association->stats().mtu > 1280 - 69 - 12);
  // And another path that carries more again, as ICE tells.
  pair.link.mtu = 9000 - 69;
  pair.a.association->on_path_change(pair.now, {.base = 1131, .max_ip = 9000, .below = 69});
  pair.run_for(30s);
  CHECK(pair.a.association->stats().mtu > 8900);
}

TEST_CASE("on loopback packets grow to what a DTLS record holds", "[SCTP-PMTU-02]") {
  constexpr AssociationConfig kLoopback{.mtu = 1131, .max_ip = 65535, .below = 69};
  TwoAssociations pair({.delay = 1ms, .mtu = 65535}, 8, {}, kLoopback);
  pair.connect();
  pair.run_for(5s);
  CHECK(pair.a.association->stats().mtu == PathMtu::kLargest);
  REQUIRE(pair.a.association->send(pair.now, {}, ByteVector(100000, 1)));
  CHECK(pair.run_until([&] { return pair.b.received.size() == 1; }, 1s));
}

TEST_CASE("on another path congestion control begins anew", "[SCTP-CC-08]") {
  ScriptedPeer peer(kConfig);
  peer.establish_passively();
  search(peer);
  REQUIRE(peer.association.send(peer.now, {}, as_bytes("lost")));
  peer.drain();
  peer.next_timeout();  // the probe of the tail
  peer.drain();
  peer.next_timeout();
  REQUIRE(peer.association.stats().cwnd == kMost - 12);
  peer.drain();
  peer.association.on_path_change(peer.now, {.base = 1191, .max_ip = 1500, .below = 89});
  CHECK(peer.association.stats().cwnd >= 10 * (1188 - 12));
}

namespace {
// Large and small messages over a path that once carried packets of kMost bytes and now carries 100 less, in silence.
struct MixedTraffic {
  SendOptions large, small{.stream = 1};
  std::size_t large_size = 1380;
  Duration large_every = 100ms, small_every = 33ms;
  CongestionAlgorithm congestion = CongestionAlgorithm::Model;

  // How long after the path shrank so many of the large messages have arrived; `limit` if they have not.
  Duration until_arrived(std::size_t count, Duration limit) const {
    AssociationConfig config = kConfig;
    config.parameters.congestion = congestion;
    TwoAssociations pair({.delay = 20ms, .mtu = kMost}, 9, {}, config);
    pair.connect();
    pair.run_for(30s);
    REQUIRE(pair.a.association->stats().mtu == kMost);
    pair.link.mtu = kMost - 100;
    const auto arrived = [&] {
      return std::count_if(pair.b.received.begin(), pair.b.received.end(),
                           [this](const auto& message) { return message.second.size() == large_size; });
    };
    const Time begin = pair.now;
    Time next_large = begin, next_small = begin;
    while (pair.now - begin < limit && static_cast<std::size_t>(arrived()) < count) {
      if (pair.now >= next_large) {
        static_cast<void>(pair.a.association->send(pair.now, large, ByteVector(large_size, 1)));
        next_large += large_every;
      }
      if (pair.now >= next_small) {
        static_cast<void>(pair.a.association->send(pair.now, small, ByteVector(60, 2)));
        next_small += small_every;
      }
      pair.run_until([] { return false; }, std::min(next_large, next_small) - pair.now);
    }
    return pair.now - begin;
  }
};
}  // namespace

TEST_CASE("small messages that get through do not hide that large ones vanish", "[SCTP-PMTU-05]") {
  using enum CongestionAlgorithm;
  for (const CongestionAlgorithm congestion : {Model, LowLatency, NewReno, Cubic}) {
    for (const Duration gap : {16ms, 33ms, 100ms, 200ms}) {
      CAPTURE(static_cast<int>(congestion), gap.count());
      MixedTraffic once{.large_every = 3600s, .small_every = gap, .congestion = congestion};
      CHECK(once.until_arrived(1, 60s) < 3s);
      once.small.unordered = true;
      once.small.max_retransmits = 0;
      CHECK(once.until_arrived(1, 60s) < 3s);
    }
  }
}

TEST_CASE("nor do they when nothing that is lost is sent again for ever", "[SCTP-PMTU-05]") {
  for (const std::uint32_t retransmits : {0u, 1u, 3u}) {
    for (const Duration gap : {33ms, 100ms}) {
      CAPTURE(retransmits, gap.count());
      MixedTraffic traffic{.small_every = gap};
      traffic.large.unordered = traffic.small.unordered = true;
      traffic.large.max_retransmits = traffic.small.max_retransmits = retransmits;
      CHECK(traffic.until_arrived(10, 60s) < 4s);
    }
  }
}
