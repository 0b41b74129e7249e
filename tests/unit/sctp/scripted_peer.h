// One association whose peer is the test: packets are written by hand, answers are taken apart.
#pragma once

#include <string>
#include <vector>

#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/chunk_init.h"
#include "sctp/packet.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::sctp::test {

using namespace pollrtc::test;
using namespace std::chrono_literals;

struct SeenChunk {
  ChunkType type{};
  std::uint8_t flags = 0;
  ByteVector value;
};

struct SeenPacket {
  VerificationTag tag{};
  bool zero_checksum = false;
  std::size_t size = 0;
  std::vector<SeenChunk> chunks;

  bool is_only(ChunkType type) const { return chunks.size() == 1 && chunks[0].type == type; }
  const SeenChunk* find(ChunkType type) const {
    for (const SeenChunk& chunk : chunks) {
      if (chunk.type == type) return &chunk;
    }
    return nullptr;
  }
};

class ScriptedPeer {
 public:
  static constexpr VerificationTag kPeerTag{0xbeefcafe};
  static constexpr std::uint32_t kPeerTsn = 1000;

  explicit ScriptedPeer(const AssociationConfig& config = {}, std::uint64_t seed = 7)
      : environment(seed), config_(config), association(environment.env, config) {}

  Drop give_bytes(Bytes bytes) { return association.handle_packet(now, bytes); }
  // `chunks` are complete chunks, padded.
  Drop give(VerificationTag tag, Bytes chunks) { return give_bytes(packet(tag, chunks)); }
  Drop give(VerificationTag tag, std::string_view chunks) { return give(tag, hex(chunks)); }
  ByteVector packet(VerificationTag tag, Bytes chunks) const {
    ByteVector out(kCommonHeader + padded4(chunks.size()));
    PacketWriter writer(out, out.size(), config_.remote_port, config_.local_port, tag);
    writer.chunks().bytes(chunks);
    out.resize(writer.finish(false));
    return out;
  }

  // The next packet; it must be well formed. An empty one: nothing is owed.
  SeenPacket poll() {
    ByteVector out(2000);
    const std::size_t size = association.poll_packet(now, out);
    SeenPacket seen;
    seen.size = size;
    if (size == 0) return seen;
    const auto parsed = parse_packet(Bytes(out).first(size), true);
    REQUIRE(parsed.has_value());
    seen.tag = parsed->tag;
    seen.zero_checksum = load_u32(out.data() + 8) == 0;
    ChunkWalker walker(parsed->chunks);
    ChunkView chunk;
    Walk walk;
    while ((walk = walker.next(chunk)) == Walk::Item) {
      seen.chunks.push_back({static_cast<ChunkType>(chunk.type), chunk.flags, to_vector(chunk.value)});
    }
    REQUIRE(walk == Walk::End);
    return seen;
  }
  bool is_silent() { return poll().chunks.empty(); }
  void drain() {
    while (!is_silent()) {
    }
  }
  // Goes to the next deadline. The law of engines: it makes progress.
  void next_timeout() {
    const Time due = association.next_timeout();
    REQUIRE(due != kNever);
    now = std::max(now, due);
    association.handle_timeout(now);
    REQUIRE(association.next_timeout() > due);
  }
  template <class E>
  std::vector<E> events() {
    std::vector<E> found;
    Association::Event event;
    while (association.poll_event(event)) {
      if (const E* e = std::get_if<E>(&event)) found.push_back(*e);
    }
    return found;
  }

  // An INIT or INIT ACK as a browser would send it.
  static std::string init_fields(VerificationTag tag = kPeerTag, std::uint32_t tsn = kPeerTsn) {
    std::array<std::uint8_t, 16> bytes;
    ByteWriter w(bytes);
    w.u32(value_of(tag));
    w.u32(0x00500000);
    w.u32(0xffffffff);
    w.u32(tsn);
    return to_hex(bytes);
  }
  static constexpr const char* kExtensions = "c0000004 80080006 82c00000";
  static ByteVector init(VerificationTag tag = kPeerTag) {
    return hex("01000020" + init_fields(tag) + kExtensions);
  }
  static ByteVector init_ack(std::string_view cookie_hex = "aabbccdd") {
    return chunk(ChunkType::InitAck, hex(init_fields() + "0007" + u16_hex(4 + cookie_hex.size() / 2) +
                                         std::string(cookie_hex) + kExtensions));
  }
  static ByteVector chunk(ChunkType type, Bytes value, std::uint8_t flags = 0) {
    ByteVector out(padded4(4 + value.size()));
    ByteWriter w(out);
    write_chunk(w, type, flags, value);
    return out;
  }
  static std::string u16_hex(std::size_t v) {
    std::array<std::uint8_t, 2> bytes;
    store_u16(bytes.data(), static_cast<std::uint16_t>(v));
    return to_hex(bytes);
  }
  static std::string u32_hex(std::uint32_t v) {
    std::array<std::uint8_t, 4> bytes;
    store_u32(bytes.data(), v);
    return to_hex(bytes);
  }

  // The tag, and the cookie, that an INIT ACK of the association gives.
  struct Answer {
    VerificationTag tag{};
    Tsn tsn;
    ByteVector cookie;
    InitChunk init;
  };
  Answer answer_to_init(Bytes init_chunk) {
    give(VerificationTag{}, init_chunk);
    const SeenPacket seen = poll();
    REQUIRE(seen.is_only(ChunkType::InitAck));
    return read_answer(seen.chunks[0]);
  }
  static Answer read_answer(const SeenChunk& chunk) {
    ByteVector whole = ScriptedPeer::chunk(chunk.type, chunk.value);
    store_u16(whole.data() + 2, static_cast<std::uint16_t>(4 + chunk.value.size()));
    ChunkView view;
    REQUIRE(ChunkWalker(whole).next(view) == Walk::Item);
    const auto init = parse_init(view);
    REQUIRE(init.has_value());
    const auto parameters = parse_init_parameters(init->parameters);
    REQUIRE(parameters.has_value());
    Answer answer{init->initiate_tag, init->initial_tsn, {}, *init};
    if (parameters->cookie) answer.cookie = to_vector(*parameters->cookie);
    answer.init.parameters = {};
    return answer;
  }

  // The association answers our INIT and takes our COOKIE ECHO.
  void establish_passively() {
    const Answer answer = answer_to_init(init());
    local_tag = answer.tag;
    local_tsn = answer.tsn;
    REQUIRE(give(local_tag, chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
    REQUIRE(association.state() == AssociationState::Established);
    REQUIRE(poll().chunks.at(0).type == ChunkType::CookieAck);
  }
  // The association sends INIT; stops in COOKIE-WAIT.
  void connect() {
    REQUIRE(association.connect(now));
    const SeenPacket seen = poll();
    REQUIRE(seen.is_only(ChunkType::Init));
    REQUIRE(seen.tag == VerificationTag{});
    const Answer sent = read_answer(seen.chunks[0]);
    local_tag = sent.tag;
    local_tsn = sent.tsn;
  }
  // ... stops in COOKIE-ECHOED.
  void connect_to_cookie_echoed() {
    connect();
    REQUIRE(give(local_tag, init_ack()) == Drop::None);
    REQUIRE(association.state() == AssociationState::CookieEchoed);
    REQUIRE(poll().is_only(ChunkType::CookieEcho));
  }
  void establish_actively() {
    connect_to_cookie_echoed();
    REQUIRE(give(local_tag, "0b000004") == Drop::None);
    REQUIRE(association.state() == AssociationState::Established);
  }
  // One whole DATA chunk of the peer.
  static std::string data(std::uint32_t tsn, std::uint16_t stream = 1, std::uint16_t ssn = 0) {
    return "00030014" + u32_hex(tsn) + u16_hex(stream) + u16_hex(ssn) + "00000033" + "70696e67";
  }
  static std::string sack(std::uint32_t tsn) { return "03000010" + u32_hex(tsn) + "00100000" + "00000000"; }

  TestEnvironment environment;

 private:
  AssociationConfig config_;

 public:
  Association association;
  Time now{};
  VerificationTag local_tag{};
  Tsn local_tsn;
};

}  // namespace pollrtc::sctp::test
