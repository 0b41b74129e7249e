// One STUN message: reading it in place, and writing it. RFC 8489 §5 (header), §14 (attributes), §6.3 (what to drop).
//
//    0                   1                   2                   3
//   |0 0|     type (14)     |         length (16)           |  length of what follows the header, a multiple of 4
//   |                 magic cookie 0x2112A442               |
//   |                 transaction id (96)                   |
//   | attribute type (16)   |         size (16)             |  then the value, padded to a multiple of 4; repeated
#pragma once

#include "base/bytes.h"
#include "base/fixed_vec.h"
#include "ice/stun_attributes.h"
#include "pollrtc/result.h"

namespace pollrtc::stun {

inline constexpr std::size_t kHeaderSize = 20;
inline constexpr std::uint32_t kMagicCookie = 0x2112A442;
inline constexpr std::uint32_t kFingerprintXor = 0x5354554E;
// The largest message we read: well above one Ethernet frame, so that a TURN server's refusal with the longest realm and
// nonce (763 bytes each) fits. Checking integrity needs a copy of that size.
inline constexpr std::size_t kMaxMessage = 2560;
// The largest we send: IPv4 with unknown path MTU, RFC 8489 §6.1.
inline constexpr std::size_t kMaxSent = 548;

using TransactionId = std::array<std::uint8_t, 12>;

enum class Class : std::uint8_t { Request = 0, Indication = 1, Success = 2, Error = 3 };
// From Allocate on: RFC 8656 §17.
enum class Method : std::uint16_t {
  Binding = 1,
  Allocate = 3,
  Refresh = 4,
  Send = 6,
  Data = 7,
  CreatePermission = 8,
  ChannelBind = 9
};
// Whom a message is read for: ICE knows no method but Binding, a TURN client all of them.
enum class Usage : std::uint8_t { Ice, Turn };

struct ErrorCode {
  int code = 0;             // 300..699
  std::string_view reason;  // whatever bytes came; a view into the message
};

// A message that is well formed on the outside: header, attribute sizes, order of the last attributes. It is a view; the
// datagram must outlive it. Values are the first of their type; what must be ignored behind an integrity attribute is
// not to be found here (§9).
class Message {
 public:
  static Result<Message, Drop> parse(Bytes datagram, Usage usage = Usage::Ice);

  Class message_class() const { return class_; }
  Method method() const { return method_; }
  const TransactionId& id() const { return id_; }
  Bytes bytes() const { return bytes_; }

  bool has(Attribute type) const { return value_of(type).has_value(); }
  std::optional<Bytes> value_of(Attribute type) const;
  // The second one of a kind, for the attributes of which there may be two: XOR-RELAYED-ADDRESS (RFC 8656 §7.2) and
  // ALTERNATE-SERVER (RFC 8489 §10).
  std::optional<Bytes> second_value_of(Attribute type) const;
  std::optional<std::uint32_t> u32(Attribute type) const;
  std::optional<std::uint64_t> u64(Attribute type) const;
  std::optional<std::string_view> text(Attribute type) const;
  // Nothing when it is absent, or of a family that is not known (§14.1).
  std::optional<Address> mapped_address() const;
  std::optional<Address> xor_mapped_address() const { return xor_address(Attribute::XorMappedAddress); }
  std::optional<Address> xor_address(Attribute type) const;
  // Nothing when it is absent or out of range: class 3..6, number 0..99 (§14.8).
  std::optional<ErrorCode> error_code() const;

  // A value of a known attribute breaks its size or its inner format.
  bool has_malformed_value() const { return malformed_value_; }
  // Comprehension-required attributes we do not know, the first few of them.
  const FixedVec<std::uint16_t, 16>& unknown_required() const { return unknown_required_; }

  // Where the integrity attributes and the fingerprint start, from the start of the message; 0 when absent.
  std::size_t integrity_at() const { return integrity_at_; }
  std::size_t integrity_sha256_at() const { return integrity_sha256_at_; }
  std::size_t fingerprint_at() const { return fingerprint_at_; }

 private:
  bool walk();
  bool take_attribute(std::uint16_t type, Bytes value, std::size_t at);
  bool is_behind_integrity(std::uint16_t type) const;
  void check_values();

  Bytes bytes_;
  TransactionId id_{};
  Class class_ = Class::Request;
  Method method_ = Method::Binding;
  bool malformed_value_ = false;
  std::size_t integrity_at_ = 0, integrity_sha256_at_ = 0, fingerprint_at_ = 0;
  std::array<Bytes, kAttributes.size()> values_{};
  std::array<bool, kAttributes.size()> present_{};
  std::array<Bytes, 2> seconds_{};  // of XOR-RELAYED-ADDRESS and ALTERNATE-SERVER
  FixedVec<std::uint16_t, 16> unknown_required_;
};

// The two forms of an address (§14.1, §14.2).
std::optional<Address> read_address(Bytes value);
std::optional<Address> read_xor_address(Bytes value, const TransactionId& id);

// Writes a message into the caller's buffer: attributes in the order of the calls, integrity and fingerprint last.
// What does not fit makes finish() answer 0.
class Writer {
 public:
  Writer(MutBytes out, Class message_class, const TransactionId& id, Method method = Method::Binding);

  void value(Attribute type, Bytes bytes);
  // A value whose bytes stand in their place already.
  void value_in_place(Attribute type, std::size_t size);
  void text(Attribute type, std::string_view text) { value(type, as_bytes(text)); }
  void flag(Attribute type) { value(type, {}); }
  void u32(Attribute type, std::uint32_t number);
  void u64(Attribute type, std::uint64_t number);
  void address(Attribute type, const Address& address);
  void xor_address(Attribute type, const Address& address);
  void error(int code, std::string_view reason);
  void unknown_attributes(std::span<const std::uint16_t> types);
  // The HMAC over all before it, with the Length of a message that ends behind it (§14.5, §14.6).
  void integrity(Bytes key);
  void integrity_sha256(Bytes key);
  // The CRC over all before it, with the final Length (§14.7).
  void fingerprint();

  // The size of the message, or 0 when it did not fit or an HMAC could not be computed.
  std::size_t finish();

 private:
  void header(Attribute type, std::size_t size);
  void set_length(std::size_t total);

  ByteWriter out_;
  TransactionId id_;
  bool ok_ = true;
};

}  // namespace pollrtc::stun
