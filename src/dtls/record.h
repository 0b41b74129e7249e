// The framing of DTLS 1.2: a datagram into records, a handshake record into fragments. Views only, nothing is
// copied. Read first: RFC 6347 §4.1 (records), §4.2.2 and §4.2.3 (handshake messages and their fragments).
#pragma once

#include "base/bytes.h"

namespace pollrtc::dtls {

enum class ContentType : std::uint8_t {
  ChangeCipherSpec = 20,
  Alert = 21,
  Handshake = 22,
  ApplicationData = 23
};

inline constexpr std::size_t kRecordHeaderSize = 13;
inline constexpr std::size_t kHandshakeHeaderSize = 12;
inline constexpr std::size_t kMaxPlaintext = 16384;                                  // RFC 5246 §6.2.1
inline constexpr std::size_t kMaxRecord = kRecordHeaderSize + kMaxPlaintext + 2048;  // RFC 5246 §6.2.3
inline constexpr std::uint8_t kClientHello = 1;
inline constexpr std::uint8_t kServerHello = 2;

// RFC 6347 §4.1  | type:8 | version:16 | epoch:16 | sequence_number:48 | length:16 | fragment[length] |
struct Record {
  std::uint8_t type = 0;
  std::uint16_t version = 0;
  std::uint16_t epoch = 0;
  std::uint64_t sequence_number = 0;
  Bytes fragment;  // its content, sealed or not
  Bytes whole;     // with the header

  bool is(ContentType content) const { return type == static_cast<std::uint8_t>(content); }
};

// The first record of `rest`, which is moved behind it. False: no record can be made out, and so none behind
// it either.
inline bool take_record(Bytes& rest, Record& record) {
  ByteReader reader(rest);
  record.type = reader.u8();
  record.version = reader.u16();
  record.epoch = reader.u16();
  record.sequence_number = std::uint64_t{reader.u16()} << 32;
  record.sequence_number |= reader.u32();
  record.fragment = reader.take(reader.u16());
  if (!reader.ok()) return false;
  record.whole = rest.first(rest.size() - reader.rest().size());
  rest = reader.rest();
  return true;
}

// RFC 6347 §4.2.2
// | msg_type:8 | length:24 | message_seq:16 | fragment_offset:24 | fragment_length:24 | body[fragment_length]
// |
struct HandshakeFragment {
  std::uint8_t msg_type = 0;
  std::uint16_t message_seq = 0;
  std::uint32_t length = 0;  // of the whole message
  std::uint32_t offset = 0;
  Bytes body;
};

// The first fragment of `rest`, which is moved behind it. False when it breaks its format: cut short, past
// the end of its message, or an empty piece of a message that is not empty.
inline bool take_fragment(Bytes& rest, HandshakeFragment& fragment) {
  ByteReader reader(rest);
  const auto u24 = [&reader] {
    const std::uint32_t high = reader.u8();
    return high << 16 | reader.u16();
  };
  fragment.msg_type = reader.u8();
  fragment.length = u24();
  fragment.message_seq = reader.u16();
  fragment.offset = u24();
  fragment.body = reader.take(u24());
  if (!reader.ok() || fragment.offset + fragment.body.size() > fragment.length) return false;
  if (fragment.body.empty() && fragment.length != 0) return false;
  rest = reader.rest();
  return true;
}

}  // namespace pollrtc::dtls
