// The content of test messages: a number in front, then bytes that follow from it, so that the receiver can tell a
// damaged, lost, repeated or misplaced message.
//
//   binary  bytes 0..7: the number on this channel, from 0, big endian; byte i: (number + i) & 0xff with --verify
//   text    8 hexadecimal digits; character i: "a" + (number + i) % 26 with --verify
#pragma once

#include <cstdint>
#include <vector>

#include "pollrtc/types.h"

namespace pollrtc::tool {

class Payload {
 public:
  Payload(std::size_t size, bool is_text, bool is_verified);

  // Message `number`; good until the next call. Without --verify only the number is written anew.
  Bytes make(std::uint64_t number);

  // The number of a message with the right length, type and content.
  struct Reading {
    std::uint64_t number = 0;
    bool is_right = false;
  };
  Reading read(Bytes message, bool is_text) const;
  bool has_number() const { return size_ >= kNumberSize; }

 private:
  static constexpr std::size_t kNumberSize = 8;
  // The bytes that follow the number: `size_ - 8` of them.
  const std::uint8_t* body(std::uint64_t number) const;

  std::size_t size_;
  bool is_text_, is_verified_;
  std::vector<std::uint8_t> message_;
  std::vector<std::uint8_t> pattern_;  // the bytes of number 0 from byte 0 on, and one period more
};

// FNV-1a, 32 bits: enough to see that a message is the one that was sent, and short in every language.
std::uint32_t digest_of(Bytes data);
// Message content from a size and a seed, the same at both ends (docs/pollrtc-peer.md).
std::vector<std::uint8_t> make_content(std::size_t size, std::uint32_t seed, bool is_text);

// What --verify counts, over all channels of the run.
struct Verdict {
  std::uint64_t bad = 0, duplicate = 0, missing = 0, out_of_order = 0;
};

// The numbers seen on one channel.
class Sequence {
 public:
  void note(std::uint64_t number, Verdict& verdict);
  // How many below the highest one have not come.
  std::uint64_t missing() const { return end_ - seen_count_; }

 private:
  std::vector<std::uint64_t> seen_;  // one bit for each number
  std::uint64_t end_ = 0;            // the highest + 1
  std::uint64_t expected_ = 0, seen_count_ = 0;
};

}  // namespace pollrtc::tool
