#include "sim/sctp_wire.h"

#include <algorithm>
#include <set>

namespace pollrtc::sim::wire {
namespace {

void demand(bool holds, const char* rule) {
  if (!holds) throw Violation(std::string("INV-13: ") + rule);
}

std::uint32_t crc32c_bitwise_table(std::uint32_t byte) {
  for (int bit = 0; bit < 8; ++bit) byte = (byte & 1) != 0 ? byte >> 1 ^ 0x82F63B78u : byte >> 1;
  return byte;
}

// RFC 9260 appendix A, a byte at a time.
std::uint32_t checksum_of(Bytes packet) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) entries[i] = crc32c_bitwise_table(i);
    return entries;
  }();
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t i = 0; i < packet.size(); ++i) {
    const std::uint8_t byte = i >= 8 && i < 12 ? std::uint8_t{0} : packet[i];
    crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF];
  }
  return ~crc;
}

std::uint32_t checksum_field(Bytes packet) {
  return std::uint32_t{packet[11]} << 24 | std::uint32_t{packet[10]} << 16 | std::uint32_t{packet[9]} << 8 |
         packet[8];
}

constexpr std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

bool is_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

// A list of parameters or causes: the length of the last one does not count its padding, which is the chunk's.
std::vector<Parameter> read_list(Bytes list) {
  std::vector<Parameter> found;
  for (std::size_t at = 0; at < list.size();) {
    demand(list.size() - at >= 4, "a parameter is cut off");
    const std::size_t length = u16(list, at + 2);
    demand(length >= 4 && length <= list.size() - at, "a parameter's length is wrong");
    found.push_back({u16(list, at), list.subspan(at + 4, length - 4)});
    const std::size_t end = std::min(at + padded(length), list.size());
    demand(end == list.size() || end == at + padded(length), "a parameter is not padded");
    demand(is_zero(list.subspan(at + length, end - at - length)), "padding that is not zero");
    at = end;
  }
  return found;
}

void check_init(const Chunk& chunk) {
  const Bytes v = chunk.value;
  demand(v.size() >= 16, "a short INIT");
  demand(u32(v, 0) != 0, "an initiate tag of 0");
  demand(u32(v, 4) >= 1500, "a_rwnd below 1500 in INIT");
  demand(u16(v, 8) != 0 && u16(v, 10) != 0, "no streams in INIT");
  std::set<std::uint16_t> types;
  for (const Parameter& parameter : read_list(v.subspan(16))) {
    demand(parameter.type == 8 || types.insert(parameter.type).second, "a parameter twice in INIT");
    demand(parameter.type != 5 && parameter.type != 6 && parameter.type != 11 && parameter.type != 12,
           "an address in INIT");
  }
  demand((chunk.type == kInitAck) == (types.count(7) != 0), "a cookie stands in INIT ACK, and only there");
}

void check_sack(const Chunk& chunk) {
  const Bytes v = chunk.value;
  demand(v.size() >= 12, "a short SACK");
  demand(v.size() == 12 + 4u * u16(v, 8) + 4u * u16(v, 10), "the counts of a SACK are not its size");
  const Sack sack = sack_of(chunk);
  std::uint32_t free_from = 2;  // the TSN behind the cumulative one is missing, else that one would be higher
  for (const Sack::Block& gap : sack.gaps) {
    demand(gap.first >= free_from && gap.last >= gap.first, "gap blocks that do not ascend, or touch");
    free_from = gap.last + 2u;
  }
}

void check_forward_tsn(const Chunk& chunk) {
  const std::size_t size = chunk.type == kForwardTsn ? 4 : 8;
  demand(chunk.value.size() >= 4 && (chunk.value.size() - 4) % size == 0, "the size of a FORWARD TSN");
  std::set<std::uint32_t> streams;
  for (std::size_t at = 4; at < chunk.value.size(); at += size) {
    const std::uint32_t unordered = size == 8 ? u16(chunk.value, at + 2) : 0;
    demand(unordered <= 1, "reserved bits in an I-FORWARD TSN");
    demand(streams.insert(std::uint32_t{u16(chunk.value, at)} | unordered << 16).second,
           "a stream twice in a FORWARD TSN");
  }
}

// RFC 6525 §3.1: which parameters may stand together; ours are requests for outgoing streams and responses.
void check_reconfig(const Chunk& chunk) {
  const auto parameters = read_list(chunk.value);
  demand(parameters.size() == 1 || parameters.size() == 2, "one or two parameters in a RE-CONFIG");
  for (const Parameter& parameter : parameters) {
    demand(parameter.type == 13 || parameter.type == 16, "an unexpected RE-CONFIG parameter");
    if (parameter.type == 13)
      demand(parameter.value.size() >= 12 && parameter.value.size() % 2 == 0, "a reset's size");
    if (parameter.type == 16) demand(parameter.value.size() == 8, "a RE-CONFIG response's size");
  }
  if (parameters.size() == 2)
    demand(parameters[0].type == 16 || parameters[1].type == 16, "two requests in a RE-CONFIG");
}

void check_heartbeat(const Chunk& chunk) {
  const auto parameters = read_list(chunk.value);
  demand(parameters.size() == 1 && parameters[0].type == 1, "a HEARTBEAT holds its info and nothing else");
}

void check_empty(const Chunk& chunk) { demand(chunk.value.empty(), "a value in a chunk without one"); }

std::uint8_t allowed_flags(std::uint8_t type) {
  if (type == kData || type == kIData) return 0x0F;              // I, U, B, E
  if (type == kAbort || type == kShutdownComplete) return 0x01;  // T
  return 0;
}

void check_chunk(const Chunk& chunk) {
  demand((chunk.flags & ~allowed_flags(chunk.type)) == 0, "reserved flags are set");
  switch (chunk.type) {
    case kData:
      return demand(chunk.value.size() > 12, "DATA without user data");
    case kIData:
      demand(chunk.value.size() > 16, "I-DATA without user data");
      return demand(u16(chunk.value, 6) == 0, "reserved bits in I-DATA");
    case kInit:
    case kInitAck:
      return check_init(chunk);
    case kSack:
      return check_sack(chunk);
    case kHeartbeat:
      return check_heartbeat(chunk);
    case kHeartbeatAck:
      return;  // what the other end sent, whatever that is (RFC 9260 §3.3.6)
    case kAbort:
    case kError:
      static_cast<void>(read_list(chunk.value));
      return demand(chunk.type == kAbort || !chunk.value.empty(), "an ERROR without a cause");
    case kShutdown:
      return demand(chunk.value.size() == 4, "the size of a SHUTDOWN");
    case kCookieEcho:
      return demand(!chunk.value.empty(), "a COOKIE ECHO without its cookie");
    case kShutdownAck:
    case kCookieAck:
    case kShutdownComplete:
      return check_empty(chunk);
    case kReConfig:
      return check_reconfig(chunk);
    case kPad:
      return;
    case kForwardTsn:
    case kIForwardTsn:
      return check_forward_tsn(chunk);
    default:
      demand(false, "a chunk that we do not know");
  }
}

bool is_data(const Chunk& chunk) { return chunk.type == kData || chunk.type == kIData; }

void check_bundle(const Packet& packet) {
  bool seen_data = false;
  std::uint32_t last_tsn = 0;
  int sacks = 0;
  for (std::size_t i = 0; i < packet.chunks.size(); ++i) {
    const Chunk& chunk = packet.chunks[i];
    const bool alone = chunk.type == kInit || chunk.type == kInitAck || chunk.type == kShutdownComplete;
    demand(!alone || packet.chunks.size() == 1, "INIT, INIT ACK or SHUTDOWN COMPLETE in a bundle");
    demand(i == 0 || (chunk.type != kCookieEcho && chunk.type != kCookieAck),
           "COOKIE ECHO or COOKIE ACK that is not the first");
    demand(!seen_data || is_data(chunk), "a control chunk behind DATA");
    demand(chunk.type != kSack || ++sacks == 1, "two SACKs");
    if (!is_data(chunk)) continue;
    demand(!packet.has(kAbort), "DATA with an ABORT");
    const std::uint32_t tsn = u32(chunk.value, 0);
    demand(!seen_data || static_cast<std::int32_t>(tsn - last_tsn) > 0, "TSNs that do not rise");
    seen_data = true;
    last_tsn = tsn;
  }
}

}  // namespace

bool Packet::has(std::uint8_t type) const {
  return std::any_of(chunks.begin(), chunks.end(), [type](const Chunk& chunk) { return chunk.type == type; });
}

std::uint16_t u16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t u32(Bytes bytes, std::size_t at) {
  return std::uint32_t{u16(bytes, at)} << 16 | u16(bytes, at + 2);
}

bool has_good_checksum(Bytes packet, bool accept_zero) {
  if (packet.size() < 12) return false;
  const std::uint32_t field = checksum_field(packet);
  return (accept_zero && field == 0) || field == checksum_of(packet);
}

Packet read_strictly(Bytes bytes) {
  demand(bytes.size() >= 16 && bytes.size() % 4 == 0, "the size of a packet");
  Packet packet;
  packet.source = u16(bytes, 0);
  packet.destination = u16(bytes, 2);
  packet.tag = u32(bytes, 4);
  packet.zero_checksum = checksum_field(bytes) == 0;
  demand(packet.source != 0 && packet.destination != 0, "port 0");
  demand(has_good_checksum(bytes, true), "the checksum is wrong");
  for (std::size_t at = 12; at < bytes.size();) {
    const std::size_t length = u16(bytes, at + 2);  // there: all is in fours
    demand(length >= 4 && at + padded(length) <= bytes.size(), "a chunk's length is wrong");
    packet.chunks.push_back({bytes[at], bytes[at + 1], bytes.subspan(at + 4, length - 4)});
    demand(is_zero(bytes.subspan(at + length, padded(length) - length)), "padding that is not zero");
    at += padded(length);
    check_chunk(packet.chunks.back());
  }
  check_bundle(packet);
  return packet;
}

Data data_of(const Chunk& chunk) {
  const Bytes v = chunk.value;
  Data data;
  data.interleaved = chunk.type == kIData;
  data.unordered = (chunk.flags & 4) != 0;
  data.begin = (chunk.flags & 2) != 0;
  data.end = (chunk.flags & 1) != 0;
  data.tsn = u32(v, 0);
  data.stream = u16(v, 4);
  if (data.interleaved) {
    data.number = u32(v, 8);
    (data.begin ? data.ppid : data.fsn) = u32(v, 12);
  } else {
    data.number = u16(v, 6);
    data.ppid = u32(v, 8);
  }
  data.payload = v.subspan(data.interleaved ? 16 : 12);
  data.wire_size = padded(4 + v.size());
  return data;
}

Sack sack_of(const Chunk& chunk) {
  const Bytes v = chunk.value;
  Sack sack;
  sack.cumulative = u32(v, 0);
  sack.a_rwnd = u32(v, 4);
  const std::size_t gaps = u16(v, 8), duplicates = u16(v, 10);
  for (std::size_t i = 0; i < gaps; ++i) sack.gaps.push_back({u16(v, 12 + 4 * i), u16(v, 14 + 4 * i)});
  for (std::size_t i = 0; i < duplicates; ++i) sack.duplicates.push_back(u32(v, 12 + 4 * (gaps + i)));
  return sack;
}

std::vector<Parameter> parameters_of(Bytes list) { return read_list(list); }

}  // namespace pollrtc::sim::wire
