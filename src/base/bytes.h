// ByteReader and ByteWriter: big-endian cursors over caller-owned bytes. A read or write past the end does nothing,
// returns zero, and is remembered: take every field in the order of the figure, then ask ok() once.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "pollrtc/types.h"

namespace pollrtc {

inline std::uint16_t load_u16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
inline std::uint32_t load_u32(const std::uint8_t* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}
inline std::uint64_t load_u64(const std::uint8_t* p) {
  return std::uint64_t{load_u32(p)} << 32 | load_u32(p + 4);
}
inline void store_u16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store_u32(std::uint8_t* p, std::uint32_t v) {
  store_u16(p, static_cast<std::uint16_t>(v >> 16));
  store_u16(p + 2, static_cast<std::uint16_t>(v));
}
inline void store_u64(std::uint8_t* p, std::uint64_t v) {
  store_u32(p, static_cast<std::uint32_t>(v >> 32));
  store_u32(p + 4, static_cast<std::uint32_t>(v));
}

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline bool equal(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

// Rounds up to the next multiple of four, the padding rule of STUN and SCTP alike.
constexpr std::size_t padded4(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  std::uint8_t u8() {
    const Bytes b = take(1);
    return b.empty() ? std::uint8_t{0} : b[0];
  }
  std::uint16_t u16() {
    const Bytes b = take(2);
    return b.empty() ? std::uint16_t{0} : load_u16(b.data());
  }
  std::uint32_t u32() {
    const Bytes b = take(4);
    return b.empty() ? 0 : load_u32(b.data());
  }
  std::uint64_t u64() {
    const Bytes b = take(8);
    return b.empty() ? 0 : load_u64(b.data());
  }
  // A view of the next `count` bytes; empty, and ok() false from now on, when there are not so many.
  Bytes take(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
    }
    if (!ok_) return {};
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  void skip(std::size_t count) { take(count); }

  bool ok() const { return ok_; }
  Bytes rest() const { return rest_; }
  bool at_end() const { return ok_ && rest_.empty(); }

 private:
  Bytes rest_;
  bool ok_ = true;
};

class ByteWriter {
 public:
  explicit ByteWriter(MutBytes out) : out_(out) {}

  void u8(std::uint8_t v) {
    if (std::uint8_t* p = reserve(1)) *p = v;
  }
  void u16(std::uint16_t v) {
    if (std::uint8_t* p = reserve(2)) store_u16(p, v);
  }
  void u32(std::uint32_t v) {
    if (std::uint8_t* p = reserve(4)) store_u32(p, v);
  }
  void u64(std::uint64_t v) {
    if (std::uint8_t* p = reserve(8)) store_u64(p, v);
  }
  void bytes(Bytes b) {
    if (std::uint8_t* p = reserve(b.size()); p != nullptr && !b.empty()) std::memcpy(p, b.data(), b.size());
  }
  void zeros(std::size_t count) {
    if (std::uint8_t* p = reserve(count); p != nullptr && count != 0) std::memset(p, 0, count);
  }
  void pad_to_4() { zeros(padded4(size_) - size_); }
  // The next `count` bytes, to be filled by the caller; empty when they do not fit.
  MutBytes take(std::size_t count) {
    std::uint8_t* p = reserve(count);
    return p == nullptr ? MutBytes{} : MutBytes(p, count);
  }
  // Overwrites two bytes written earlier: a length that is known only afterwards.
  void patch_u16(std::size_t at, std::uint16_t v) {
    if (ok_ && at + 2 <= size_) store_u16(out_.data() + at, v);
  }

  bool ok() const { return ok_; }
  std::size_t size() const { return size_; }
  std::size_t room() const { return ok_ ? out_.size() - size_ : 0; }
  MutBytes written() const { return out_.first(size_); }
  // Forgets what was written behind `size`: a part that turned out not to fit. ok() is true again.
  void rewind(std::size_t size) {
    size_ = std::min(size, size_);
    ok_ = true;
  }

 private:
  std::uint8_t* reserve(std::size_t count) {
    if (!ok_ || count > out_.size() - size_) {
      ok_ = false;
      return nullptr;
    }
    std::uint8_t* p = out_.data() + size_;
    size_ += count;
    return p;
  }

  MutBytes out_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace pollrtc
