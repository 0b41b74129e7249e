#include "dtls/handshake_reassembly.h"

namespace pollrtc::dtls {
namespace {
constexpr std::size_t kHeaders = kRecordHeaderSize + kHandshakeHeaderSize;

// RFC 6347 §4.1 and §4.2.2: the headers of a message that is one record and one fragment.
void write_headers(MutBytes out, const Record& record, const HandshakeFragment& fragment) {
  const auto u24 = [](ByteWriter& w, std::uint32_t v) {
    w.u8(static_cast<std::uint8_t>(v >> 16));
    w.u16(static_cast<std::uint16_t>(v));
  };
  ByteWriter w(out);
  w.u8(record.type);
  w.u16(record.version);
  w.u16(record.epoch);
  w.u16(static_cast<std::uint16_t>(record.sequence_number >> 32));
  w.u32(static_cast<std::uint32_t>(record.sequence_number));
  w.u16(static_cast<std::uint16_t>(kHandshakeHeaderSize + fragment.length));
  w.u8(fragment.msg_type);
  u24(w, fragment.length);
  w.u16(fragment.message_seq);
  u24(w, 0);
  u24(w, fragment.length);
}
}  // namespace

HandshakeReassembly::Message* HandshakeReassembly::find(const HandshakeFragment& fragment) {
  for (Message& message : messages_) {
    if (message.in_progress && message.message_seq == fragment.message_seq &&
        message.length == fragment.length)
      return &message;
  }
  return nullptr;
}

// A free place, else the one that waited longest for its next fragment.
HandshakeReassembly::Message* HandshakeReassembly::begin(const HandshakeFragment& fragment) {
  Message* message = messages_.data();
  for (Message& other : messages_) {
    if (!message->in_progress) break;
    if (!other.in_progress || other.last_use < message->last_use) message = &other;
  }
  message->in_progress = false;
  if (!message->bytes.resize_discarding(kHeaders + fragment.length)) return nullptr;
  if (!message->have.resize_discarding((fragment.length + 7) / 8)) return nullptr;
  std::memset(message->have.data(), 0, message->have.size());
  message->length = message->missing = fragment.length;
  message->message_seq = fragment.message_seq;
  message->in_progress = true;
  return message;
}

// RFC 6347 §4.2.3: fragments may overlap, and a repetition may be cut elsewhere, so bytes are counted and not
// pieces. The first copy of a byte stays: whoever changes one makes the handshake fail at Finished, and wins
// nothing else.
void HandshakeReassembly::collect(Message& message, const HandshakeFragment& fragment) {
  for (std::size_t i = 0; i < fragment.body.size(); ++i) {
    const std::size_t at = fragment.offset + i;
    std::uint8_t& bits = message.have.data()[at / 8];
    const auto bit = static_cast<std::uint8_t>(1u << (at % 8));
    if ((bits & bit) != 0) continue;
    bits = static_cast<std::uint8_t>(bits | bit);
    message.bytes.data()[kHeaders + at] = fragment.body[i];
    --message.missing;
  }
}

Drop HandshakeReassembly::add(const Record& record, const HandshakeFragment& fragment, Bytes& message) {
  message = {};
  // message_seq 0, or 1 after a HelloVerifyRequest: a ClientHello has no other place in a handshake.
  if (fragment.message_seq > 1 || fragment.length == 0) return Drop::DtlsFragment;
  if (fragment.length > max_message()) return Drop::DtlsLimit;
  Message* collected = find(fragment);
  if (collected == nullptr) collected = begin(fragment);
  if (collected == nullptr) return Drop::OutOfMemory;
  collected->last_use = ++uses_;
  collect(*collected, fragment);
  if (collected->missing != 0) return Drop::None;
  write_headers(collected->bytes.writable(), record, fragment);
  collected->in_progress = false;
  message = collected->bytes;
  return Drop::None;
}

void HandshakeReassembly::clear() {
  for (Message& message : messages_) message = Message{Buffer(memory_), Buffer(memory_)};
}

std::size_t HandshakeReassembly::messages_in_progress() const {
  std::size_t count = 0;
  for (const Message& message : messages_) count += message.in_progress ? 1 : 0;
  return count;
}

}  // namespace pollrtc::dtls
