// HandshakeReassembly: puts the fragments of a ClientHello together in front of Mbed TLS.
//
// Browsers cut their 1.4 kB ClientHello into two datagrams. Mbed TLS 2.28 as a server takes it in one record
// only; 3.6 takes fragments but not every repetition of them. So both are handed one record. Read first: RFC
// 6347 §4.2.3.
#pragma once

#include "base/fixed_vec.h"
#include "base/memory.h"
#include "dtls/record.h"
#include "pollrtc/error.h"

namespace pollrtc::dtls {

class HandshakeReassembly {
 public:
  // Never holds more than `max_bytes`, for all messages together.
  HandshakeReassembly(const Memory& memory, std::size_t max_bytes) : memory_(memory), max_bytes_(max_bytes) {}

  // Takes one fragment that came in `record`. When it completes its message, `message` is that message as one
  // whole record: it carries the sequence number of `record`, the newest, which our own begin with (RFC 6347
  // §4.2.1). The view is good until the next call.
  Drop add(const Record& record, const HandshakeFragment& fragment, Bytes& message);
  void clear();

  // The longest message that can be put together.
  std::size_t max_message() const {
    const std::size_t share = max_bytes_ / kMessages, fixed = kRecordHeaderSize + kHandshakeHeaderSize + 1;
    return share > fixed ? (share - fixed) * 8 / 9 : 0;
  }
  std::size_t messages_in_progress() const;

 private:
  // Two message_seq (before and after a HelloVerifyRequest) and two lengths of each: a forged fragment that
  // claims another length takes a place of its own and cannot spoil or block the true message.
  static constexpr std::size_t kMessages = 4;

  struct Message {
    Buffer bytes;  // a record: both headers, then the body
    Buffer have;   // one bit for each byte of the body
    std::uint32_t length = 0;
    std::uint32_t missing = 0;
    std::uint32_t last_use = 0;
    std::uint16_t message_seq = 0;
    bool in_progress = false;
  };

  Message* find(const HandshakeFragment& fragment);
  Message* begin(const HandshakeFragment& fragment);
  static void collect(Message& message, const HandshakeFragment& fragment);

  Memory memory_;
  std::size_t max_bytes_;
  std::uint32_t uses_ = 0;
  std::array<Message, kMessages> messages_ = {
      Message{Buffer(memory_), Buffer(memory_)}, Message{Buffer(memory_), Buffer(memory_)},
      Message{Buffer(memory_), Buffer(memory_)}, Message{Buffer(memory_), Buffer(memory_)}};
};

}  // namespace pollrtc::dtls
