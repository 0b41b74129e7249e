// RFC 8260 between two ends: when it is agreed on, what it forbids, and what goes out.
#include "scripted_peer.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward_tsn.h"
#include "support/catch.h"
#include "two_associations.h"

namespace pollrtc::sctp::test {

namespace {

struct Peer : ScriptedPeer {
  // Our INIT lists these chunk types in its Supported Extensions.
  Peer(std::string_view extensions, bool we_offer = true) : ScriptedPeer(config_of(we_offer)) {
    ByteVector list = hex(extensions);
    const std::size_t count = list.size();
    list.resize(padded4(count));
    ByteVector init =
        hex("01000000" + init_fields() + "c0000004" + "8008" + u16_hex(4 + count) + to_hex(list));
    store_u16(init.data() + 2, static_cast<std::uint16_t>(init.size() - (padded4(count) - count)));
    const Answer answer = answer_to_init(init);
    local_tag = answer.tag;
    local_tsn = answer.tsn;
    REQUIRE(give(local_tag, chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
    drain();
  }
  static AssociationConfig config_of(bool offer) {
    AssociationConfig config;
    config.interleaving = offer;
    return config;
  }
  static std::string idata(std::uint32_t tsn, std::uint16_t stream = 1, std::uint32_t mid = 0) {
    return "40030018" + u32_hex(tsn) + u16_hex(stream) + "0000" + u32_hex(mid) + "00000033" + "70696e67";
  }
  std::size_t received() {
    Message message(environment.env.memory);
    std::size_t count = 0;
    for (; association.receive(message); ++count) association.release(message.charge);
    return count;
  }
  bool aborts_with_violation() {
    const SeenPacket seen = poll();
    const SeenChunk* const abort = seen.find(ChunkType::Abort);
    return abort != nullptr && abort->value.size() >= 4 && load_u16(abort->value.data()) == 13 &&
           association.state() == AssociationState::Closed;
  }
  ChunkType type_of_data_sent(SendOptions options = {}) {
    REQUIRE(association.send(now, options, hex("01020304")));
    const SeenPacket seen = poll();
    REQUIRE(!seen.chunks.empty());
    return seen.chunks.back().type;
  }
};

constexpr const char* kNone = "82c0";
constexpr const char* kIDataOnly = "82c040";
constexpr const char* kBoth = "82c040c2";
const std::string kForward = "c000000c 000003ea 00010000";            // up to 1002, stream 1, SSN 0
const std::string kIForward = "c2000010 000003ea 00010000 00000000";  // the same with MIDs

}  // namespace

TEST_CASE("I-DATA is spoken when both list it, and then for every message", "[SCTP-ID-05]") {
  for (const char* const theirs : {kNone, kIDataOnly, kBoth}) {
    for (const bool ours : {false, true}) {
      Peer peer(theirs, ours);
      const bool spoken = ours && theirs != kNone;
      CHECK(peer.association.is_interleaving() == spoken);
      const ChunkType type = spoken ? ChunkType::IData : ChunkType::Data;
      CHECK(peer.type_of_data_sent() == type);
      CHECK(peer.type_of_data_sent({.stream = 3, .unordered = true}) == type);
      // With I-DATA, partial reliability is what 0xC2 says; without, what Forward-TSN-Supported says.
      CHECK(peer.association.peer_supports_partial_reliability() == (!spoken || theirs == kBoth));
    }
  }
}

TEST_CASE("what we list, our INIT shows and our answer to it keeps", "[SCTP-ID-05]") {
  for (const bool ours : {false, true}) {
    ScriptedPeer peer(Peer::config_of(ours));
    REQUIRE(peer.association.connect(peer.now));
    const std::string init = to_hex(peer.poll().chunks.at(0).value);
    CHECK((init.find("8008000882c040c2") != init.npos) == ours);
    CHECK((init.find("8008000682c0") != init.npos) == !ours);
  }
}

TEST_CASE("both ends agree the same way whoever began", "[SCTP-ID-05]") {
  TwoAssociations net;
  net.connect();
  CHECK(net.a.association->is_interleaving());
  CHECK(net.b.association->is_interleaving());
  CHECK(net.a.association->peer_supports_partial_reliability());
}

TEST_CASE("DATA where I-DATA was agreed on is answered by ABORT, and the other way round", "[SCTP-ID-03]") {
  {
    Peer peer(kBoth);
    CHECK(peer.give(peer.local_tag, Peer::idata(1000)) == Drop::None);
    CHECK(peer.received() == 1);
    peer.drain();
    peer.give(peer.local_tag, ScriptedPeer::data(1001));
    CHECK(peer.aborts_with_violation());
    CHECK(peer.received() == 0);
  }
  for (const bool ours : {false, true}) {
    Peer peer(ours ? kNone : kBoth, ours);
    CHECK(peer.give(peer.local_tag, ScriptedPeer::data(1000)) == Drop::None);
    CHECK(peer.received() == 1);
    peer.drain();
    peer.give(peer.local_tag, Peer::idata(1001));
    CHECK(peer.aborts_with_violation());
    CHECK(peer.received() == 0);
  }
}

TEST_CASE("FORWARD TSN with I-DATA is answered by ABORT, and I-FORWARD-TSN without", "[SCTP-ID-04]") {
  {
    Peer peer(kBoth);
    CHECK(peer.give(peer.local_tag, kIForward) == Drop::None);
    CHECK(peer.association.state() == AssociationState::Established);
    peer.drain();
    peer.give(peer.local_tag, kForward);
    CHECK(peer.aborts_with_violation());
  }
  {
    Peer peer(kNone);
    CHECK(peer.give(peer.local_tag, kForward) == Drop::None);
    CHECK(peer.association.state() == AssociationState::Established);
    peer.drain();
    peer.give(peer.local_tag, kIForward);
    CHECK(peer.aborts_with_violation());
  }
  for (const std::string& chunk : {kForward, kIForward}) {  // I-DATA, but not I-FORWARD-TSN
    Peer peer(kIDataOnly);
    peer.give(peer.local_tag, chunk);
    CHECK(peer.aborts_with_violation());
  }
}

TEST_CASE("I-FORWARD-TSN chunks that are cut or of no whole number of entries are dropped", "[SCTP-ID-07]") {
  for (const char* const chunk : {"c2000007 0003ea00", "c200000c 000003ea 00010000"}) {
    Peer peer(kBoth);
    CHECK(peer.give(peer.local_tag, chunk) == Drop::SctpChunkMalformed);
    CHECK(peer.association.state() == AssociationState::Established);
  }
}

TEST_CASE("I-DATA that is too short is dropped, one without user data draws an ABORT",
          "[SCTP-DATA-01][SCTP-PKT-16]") {
  Peer peer(kBoth);
  CHECK(peer.give(peer.local_tag, "40030010 000003e8 00010000 00000000") == Drop::SctpChunkMalformed);
  CHECK(peer.association.state() == AssociationState::Established);
  peer.give(peer.local_tag, "40030014 000003e8 00010000 00000000 00000033");
  const SeenPacket seen = peer.poll();
  const SeenChunk* const abort = seen.find(ChunkType::Abort);
  REQUIRE(abort != nullptr);
  CHECK(to_hex(abort->value).substr(0, 16) == "00090008000003e8");
}

TEST_CASE("the bytes of I-DATA and I-FORWARD-TSN",
          "[SCTP-ID-01][SCTP-ID-07][SCTP-DATA-14][SCTP-PKT-17][SCTP-PKT-06]") {
  const auto bytes_of = [](auto&& write) {
    std::array<std::uint8_t, 64> out;
    ByteWriter w(out);
    write(w);
    REQUIRE(w.ok());
    return to_hex(w.written());
  };
  DataChunk chunk;
  chunk.tsn = Tsn(0x01020304);
  chunk.stream = StreamId{0x0506};
  chunk.mid = Mid(0x0708090a);
  chunk.ppid = Ppid{51};
  chunk.fsn = Fsn(7);
  chunk.begin = chunk.immediate = true;
  const ByteVector payload = hex("aabbccddee");
  chunk.payload = payload;
  // The first fragment carries the PPID, all others their FSN in its place.
  CHECK(bytes_of([&](ByteWriter& w) { write_idata(w, chunk); }) ==
        "400a0019"
        "01020304"
        "05060000"
        "0708090a"
        "00000033"
        "aabbccddee000000");
  chunk.begin = chunk.immediate = false;
  chunk.end = chunk.unordered = true;
  CHECK(bytes_of([&](ByteWriter& w) { write_idata(w, chunk); }) ==
        "40050019"
        "01020304"
        "05060000"
        "0708090a"
        "00000007"
        "aabbccddee000000");
  const std::array<SkippedMessages, 2> skipped = {
      {{StreamId{1}, false, Mid(2)}, {StreamId{3}, true, Mid(0x04050607)}}};
  CHECK(bytes_of([&](ByteWriter& w) { write_i_forward_tsn(w, Tsn(9), skipped); }) ==
        "c2000018"
        "00000009"
        "0001000000000002"
        "0003000104050607");
  const ByteVector wire = hex("40fd0018 01020304 0506ffff 0708090a 00000007 aabbccdd");
  ChunkView view;
  REQUIRE(ChunkWalker(wire).next(view) == Walk::Item);
  const auto parsed = parse_idata(view);
  REQUIRE(parsed);
  CHECK((parsed->end && parsed->unordered && parsed->immediate && !parsed->begin));
  CHECK(parsed->fsn == Fsn(7));
  CHECK(parsed->ppid == Ppid{0});
  CHECK(parsed->mid == Mid(0x0708090a));
  CHECK(parsed->payload.size() == 4);
}

}  // namespace pollrtc::sctp::test
