#include "unit/sctp/scripted_peer.h"

#include <algorithm>
#include <array>

#include "sctp/chunk_control.h"
#include "sctp/packet.h"
#include "support/catch.h"

namespace pollrtc::sctp::test {

const SeenChunk* SeenPacket::find(ChunkType type) const {
  for (const SeenChunk& chunk : chunks) {
    if (chunk.type == type) return &chunk;
  }
  return nullptr;
}

ScriptedPeer::ScriptedPeer(const AssociationConfig& config, std::uint64_t seed)
    : environment(seed), config_(config), association(environment.env, config) {}
ScriptedPeer::~ScriptedPeer() = default;

ByteVector ScriptedPeer::packet(VerificationTag tag, Bytes chunks) const {
  ByteVector out(kCommonHeader + padded4(chunks.size()));
  PacketWriter writer(out, out.size(), config_.remote_port, config_.local_port, tag);
  writer.chunks().bytes(chunks);
  out.resize(writer.finish(false));
  return out;
}

SeenPacket ScriptedPeer::poll() {
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

void ScriptedPeer::drain() {
  while (!is_silent()) {
  }
}

void ScriptedPeer::next_timeout() {
  const Time due = association.next_timeout();
  REQUIRE(due != kNever);
  now = std::max(now, due);
  association.handle_timeout(now);
  REQUIRE(association.next_timeout() > due);
}

std::string ScriptedPeer::init_fields(VerificationTag tag, std::uint32_t tsn) {
  std::array<std::uint8_t, 16> bytes;
  ByteWriter w(bytes);
  w.u32(value_of(tag));
  w.u32(0x00500000);
  w.u32(0xffffffff);
  w.u32(tsn);
  return to_hex(bytes);
}

ByteVector ScriptedPeer::init(VerificationTag tag) {
  return hex("01000020" + init_fields(tag) + kExtensions);
}

ByteVector ScriptedPeer::init_ack(std::string_view cookie_hex) {
  return chunk(ChunkType::InitAck, hex(init_fields() + "0007" + u16_hex(4 + cookie_hex.size() / 2) +
                                       std::string(cookie_hex) + kExtensions));
}

ByteVector ScriptedPeer::chunk(ChunkType type, Bytes value, std::uint8_t flags) {
  ByteVector out(padded4(4 + value.size()));
  ByteWriter w(out);
  write_chunk(w, type, flags, value);
  return out;
}

std::string ScriptedPeer::u16_hex(std::size_t v) {
  std::array<std::uint8_t, 2> bytes;
  store_u16(bytes.data(), static_cast<std::uint16_t>(v));
  return to_hex(bytes);
}

std::string ScriptedPeer::u32_hex(std::uint32_t v) {
  std::array<std::uint8_t, 4> bytes;
  store_u32(bytes.data(), v);
  return to_hex(bytes);
}

ScriptedPeer::Answer ScriptedPeer::answer_to_init(Bytes init_chunk) {
  give(VerificationTag{}, init_chunk);
  const SeenPacket seen = poll();
  REQUIRE(seen.is_only(ChunkType::InitAck));
  return read_answer(seen.chunks[0]);
}

ScriptedPeer::Answer ScriptedPeer::read_answer(const SeenChunk& chunk) {
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

void ScriptedPeer::establish_passively() {
  const Answer answer = answer_to_init(init());
  local_tag = answer.tag;
  local_tsn = answer.tsn;
  REQUIRE(give(local_tag, chunk(ChunkType::CookieEcho, answer.cookie)) == Drop::None);
  REQUIRE(association.state() == AssociationState::Established);
  REQUIRE(poll().chunks.at(0).type == ChunkType::CookieAck);
}

void ScriptedPeer::connect() {
  REQUIRE(association.connect(now));
  const SeenPacket seen = poll();
  REQUIRE(seen.is_only(ChunkType::Init));
  REQUIRE(seen.tag == VerificationTag{});
  const Answer sent = read_answer(seen.chunks[0]);
  local_tag = sent.tag;
  local_tsn = sent.tsn;
}

void ScriptedPeer::connect_to_cookie_echoed() {
  connect();
  REQUIRE(give(local_tag, init_ack()) == Drop::None);
  REQUIRE(association.state() == AssociationState::CookieEchoed);
  REQUIRE(poll().is_only(ChunkType::CookieEcho));
}

void ScriptedPeer::establish_actively() {
  connect_to_cookie_echoed();
  REQUIRE(give(local_tag, "0b000004") == Drop::None);
  REQUIRE(association.state() == AssociationState::Established);
}

std::string ScriptedPeer::data(std::uint32_t tsn, std::uint16_t stream, std::uint16_t ssn) {
  return "00030014" + u32_hex(tsn) + u16_hex(stream) + u16_hex(ssn) + "00000033" + "70696e67";
}

}  // namespace pollrtc::sctp::test
