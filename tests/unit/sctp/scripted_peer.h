// One association whose peer is the test: packets are written by hand, answers are taken apart.
#pragma once

#include <string>
#include <vector>

#include "sctp/association.h"
#include "sctp/chunk_init.h"
#include "support/bytes.h"
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
  const SeenChunk* find(ChunkType type) const;
};

class ScriptedPeer {
 public:
  static constexpr VerificationTag kPeerTag{0xbeefcafe};
  static constexpr std::uint32_t kPeerTsn = 1000;

  explicit ScriptedPeer(const AssociationConfig& config = {}, std::uint64_t seed = 7);
  ~ScriptedPeer();

  Drop give_bytes(Bytes bytes) { return association.handle_packet(now, bytes); }
  // `chunks` are complete chunks, padded.
  Drop give(VerificationTag tag, Bytes chunks) { return give_bytes(packet(tag, chunks)); }
  Drop give(VerificationTag tag, std::string_view chunks) { return give(tag, hex(chunks)); }
  ByteVector packet(VerificationTag tag, Bytes chunks) const;

  // The next packet; it must be well formed. An empty one: nothing is owed.
  SeenPacket poll();
  bool is_silent() { return poll().chunks.empty(); }
  void drain();
  // Goes to the next deadline. The law of engines: it makes progress.
  void next_timeout();
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
  static std::string init_fields(VerificationTag tag = kPeerTag, std::uint32_t tsn = kPeerTsn);
  static constexpr const char* kExtensions = "c0000004 80080006 82c00000";
  static ByteVector init(VerificationTag tag = kPeerTag);
  static ByteVector init_ack(std::string_view cookie_hex = "aabbccdd");
  static ByteVector chunk(ChunkType type, Bytes value, std::uint8_t flags = 0);
  static std::string u16_hex(std::size_t v);
  static std::string u32_hex(std::uint32_t v);

  // The tag, and the cookie, that an INIT ACK of the association gives.
  struct Answer {
    VerificationTag tag{};
    Tsn tsn;
    ByteVector cookie;
    InitChunk init;
  };
  Answer answer_to_init(Bytes init_chunk);
  static Answer read_answer(const SeenChunk& chunk);

  // The association answers our INIT and takes our COOKIE ECHO.
  void establish_passively();
  // The association sends INIT; stops in COOKIE-WAIT.
  void connect();
  // ... stops in COOKIE-ECHOED.
  void connect_to_cookie_echoed();
  void establish_actively();
  // One whole DATA chunk of the peer.
  static std::string data(std::uint32_t tsn, std::uint16_t stream = 1, std::uint16_t ssn = 0);
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
