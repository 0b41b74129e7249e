#include "pollrtc/payload.h"

#include <charconv>
#include <cstring>

namespace pollrtc::tool {
namespace {

constexpr std::size_t kTextPeriod = 26, kBinaryPeriod = 256;
// A number this far above the highest seen is damage, not loss; it also bounds what `seen_` can grow by.
constexpr std::uint64_t kMaxGap = 1U << 24;

void write_number(std::uint8_t* out, std::uint64_t number, bool is_text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t shift = 8 * (7 - i);
    out[i] = is_text ? static_cast<std::uint8_t>(kDigits[(number >> (shift / 2)) & 15])
                     : static_cast<std::uint8_t>(number >> shift);
  }
}

}  // namespace

Payload::Payload(std::size_t size, bool is_text, bool is_verified)
    : size_(size), is_text_(is_text), is_verified_(is_verified), message_(size, is_text ? 'a' : 0) {
  pattern_.resize(size + (is_text ? kTextPeriod : kBinaryPeriod));
  for (std::size_t i = 0; i < pattern_.size(); ++i)
    pattern_[i] = static_cast<std::uint8_t>(is_text ? 'a' + i % kTextPeriod : i);
}

const std::uint8_t* Payload::body(std::uint64_t number) const {
  return pattern_.data() + (number + kNumberSize) % (is_text_ ? kTextPeriod : kBinaryPeriod);
}

Bytes Payload::make(std::uint64_t number) {
  if (!has_number()) return message_;
  write_number(message_.data(), number, is_text_);
  if (is_verified_) std::memcpy(message_.data() + kNumberSize, body(number), size_ - kNumberSize);
  return message_;
}

Payload::Reading Payload::read(Bytes message, bool is_text) const {
  Reading reading;
  if (message.size() != size_ || is_text != is_text_) return reading;
  reading.is_right = true;
  if (!has_number()) return reading;
  if (is_text_) {
    const char* const digits = reinterpret_cast<const char*>(message.data());
    const auto end = std::from_chars(digits, digits + kNumberSize, reading.number, 16);
    if (end.ptr != digits + kNumberSize) reading.is_right = false;
  } else {
    for (std::size_t i = 0; i < kNumberSize; ++i) reading.number = reading.number << 8 | message[i];
  }
  if (std::memcmp(message.data() + kNumberSize, body(reading.number), size_ - kNumberSize) != 0)
    reading.is_right = false;
  return reading;
}

void Sequence::note(std::uint64_t number, Verdict& verdict) {
  if (number != expected_) ++verdict.out_of_order;
  expected_ = number + 1;
  if (number > end_ + kMaxGap) {
    ++verdict.bad;
    return;
  }
  const auto index = static_cast<std::size_t>(number / 64);
  if (index >= seen_.size()) seen_.resize(2 * index + 16);
  std::uint64_t& word = seen_[index];
  const std::uint64_t bit = std::uint64_t{1} << (number % 64);
  if ((word & bit) != 0) {
    ++verdict.duplicate;
    return;
  }
  word |= bit;
  ++seen_count_;
  if (number >= end_) end_ = number + 1;
}

std::uint32_t digest_of(Bytes data) {
  std::uint32_t hash = 2166136261U;
  for (const std::uint8_t byte : data) hash = (hash ^ byte) * 16777619U;
  return hash;
}

std::vector<std::uint8_t> make_content(std::size_t size, std::uint32_t seed, bool is_text) {
  std::vector<std::uint8_t> content(size);
  for (std::uint8_t& byte : content) {
    seed = seed * 1664525U + 1013904223U;
    byte = static_cast<std::uint8_t>(is_text ? 'a' + (seed >> 24) % 26 : seed >> 24);
  }
  return content;
}

}  // namespace pollrtc::tool
