// What one end has sent and the other received, message by message (INV-1): nothing that was not sent, nothing twice,
// nothing changed, what is ordered in order, what is reliable all of it, and nothing of before a reset after it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sctp/association.h"
#include "sim/violation.h"

namespace pollrtc::sim {

class MessageLedger {
 public:
  // Messages from this size on say which they are; smaller ones must be reliable and ordered, as must all of their
  // stream be, so that it shows from their place.
  static constexpr std::size_t kSizeOfNumber = 8;

  explicit MessageLedger(std::uint64_t salt) : salt_(salt) {}

  // The next message of a stream, of `size` bytes, and its PPID; sent() when send() has taken it.
  std::vector<std::uint8_t> next(sctp::SendOptions& options, std::size_t size) const;
  void sent(const sctp::SendOptions& options, std::size_t size);
  void received(const sctp::Message& message) {
    received(message.stream, message.payload, message.unordered, message.ppid);
  }
  // Of a data channel: its number is the stream, and what DCEP and DTLS hide from the user is not asked about.
  void received(std::uint16_t stream, Bytes payload, std::optional<bool> unordered = {},
                std::optional<std::uint32_t> ppid = {});
  // The stream has been asked to reset: what is sent from now on comes after all that was sent before.
  void reset(std::uint16_t stream) { ++streams_[stream].epoch; }

  // Nothing of the stream is owed any more; what still comes must be right.
  void forgive(std::uint16_t stream);

  std::size_t missing() const { return missing_; }  // reliable messages that have not come
  std::size_t missing(std::uint16_t stream) const;
  std::size_t messages_sent() const { return sent_; }
  std::size_t messages_received() const { return received_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  struct Entry {
    std::uint32_t size = 0;
    std::uint32_t epoch = 0;
    bool unordered = false, reliable = true, received = false;
  };
  struct Stream {
    std::vector<Entry> entries;
    std::uint32_t epoch = 0;
    std::size_t next_ordered = 0;       // no ordered message before it may come any more
    std::size_t first_missing = 0;      // no reliable ordered one is missing before it
    std::size_t first_missing_any = 0;  // no reliable one
  };

  void fill(std::uint16_t stream, std::size_t index, std::vector<std::uint8_t>& bytes) const;
  static std::size_t index_of(const Stream& stream, Bytes payload);
  static bool is_missing(const Entry& entry, bool ordered_only) {
    return entry.reliable && !entry.received && (!ordered_only || !entry.unordered);
  }

  std::uint64_t salt_;
  std::map<std::uint16_t, Stream> streams_;
  std::size_t missing_ = 0, sent_ = 0, received_ = 0;
  std::uint64_t bytes_received_ = 0;
};

}  // namespace pollrtc::sim
