// A strict reader of SCTP packets, for packets that our own association sends (INV-13): what the RFCs forbid to send is a
// Violation here, though a receiver must bear much of it. RFC 9260 §3 (formats), §6.10 (bundling), RFC 3758 §3.2, RFC
// 6525 §4, RFC 8260 §2. On purpose it shares no code with src/sctp: it would share its mistakes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "pollrtc/types.h"
#include "sim/violation.h"

namespace pollrtc::sim::wire {

enum ChunkType : std::uint8_t {
  kData = 0,
  kInit = 1,
  kInitAck = 2,
  kSack = 3,
  kHeartbeat = 4,
  kHeartbeatAck = 5,
  kAbort = 6,
  kShutdown = 7,
  kShutdownAck = 8,
  kError = 9,
  kCookieEcho = 10,
  kCookieAck = 11,
  kShutdownComplete = 14,
  kIData = 0x40,
  kReConfig = 0x82,
  kPad = 0x84,
  kForwardTsn = 0xC0,
  kIForwardTsn = 0xC2,
};

struct Chunk {
  std::uint8_t type = 0, flags = 0;
  Bytes value;
};

struct Data {  // DATA or I-DATA
  std::uint32_t tsn = 0, number = 0, ppid = 0,
                fsn = 0;  // number: SSN or MID; ppid: of the first fragment of I-DATA
  std::uint16_t stream = 0;
  bool unordered = false, begin = false, end = false, interleaved = false;
  Bytes payload;
  std::size_t wire_size = 0;
};

struct Sack {
  struct Block {
    std::uint16_t first = 0, last = 0;
  };
  std::uint32_t cumulative = 0, a_rwnd = 0;
  std::vector<Block> gaps;
  std::vector<std::uint32_t> duplicates;
};

struct Parameter {
  std::uint16_t type = 0;
  Bytes value;
};

struct Packet {
  std::uint16_t source = 0, destination = 0;
  std::uint32_t tag = 0;
  bool zero_checksum = false;
  std::vector<Chunk> chunks;

  bool has(std::uint8_t type) const;
  bool is_lone(std::uint8_t type) const { return chunks.size() == 1 && has(type); }
};

std::uint16_t u16(Bytes bytes, std::size_t at);
std::uint32_t u32(Bytes bytes, std::size_t at);

// Whether the checksum is right, or left out (RFC 9653).
bool has_good_checksum(Bytes packet, bool accept_zero);

// Reads a packet and each of its chunks; throws Violation("INV-13: ...").
Packet read_strictly(Bytes packet);
// The same of one chunk that read_strictly() has passed.
Data data_of(const Chunk& chunk);
Sack sack_of(const Chunk& chunk);
std::vector<Parameter> parameters_of(Bytes list);  // of RE-CONFIG, ERROR, ABORT; of INIT behind its 16 bytes

}  // namespace pollrtc::sim::wire
