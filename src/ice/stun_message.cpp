#include "ice/stun_message.h"

#include "base/crc.h"
#include "crypto/digest.h"

namespace pollrtc::stun {

namespace {

constexpr std::size_t index_of(Attribute type) { return *attribute_index(static_cast<std::uint16_t>(type)); }

// RFC 8489 §5: the class stands in bits 4 and 8 of the type, the method in the other twelve.
constexpr Class class_of(std::uint16_t type) { return static_cast<Class>((type >> 4 & 1) | (type >> 7 & 2)); }
constexpr std::uint16_t method_of(std::uint16_t type) {
  return static_cast<std::uint16_t>((type & 0x0F) | (type >> 1 & 0x70) | (type >> 2 & 0xF80));
}
constexpr std::uint16_t type_of(Class c, Method method) {
  const auto m = static_cast<unsigned>(method);
  const auto k = static_cast<unsigned>(c);
  return static_cast<std::uint16_t>((m & 0x0F) | (m & 0x70) << 1 | (m & 0xF80) << 2 | (k & 1) << 4 |
                                    (k & 2) << 7);
}
static_assert(type_of(Class::Error, Method::Binding) == 0x0111 && method_of(0x0111) == 1);
static_assert(class_of(0x0001) == Class::Request && class_of(0x0011) == Class::Indication &&
              class_of(0x0101) == Class::Success && class_of(0x0111) == Class::Error);

bool is_known(std::uint16_t method, Usage usage) {
  switch (static_cast<Method>(method)) {
    case Method::Binding:
      return true;
    case Method::Allocate:
    case Method::Refresh:
    case Method::Send:
    case Method::Data:
    case Method::CreatePermission:
    case Method::ChannelBind:
      return usage == Usage::Turn;
  }
  return false;
}

// Where the second value of a type is kept; nothing for most, of which only the first counts.
std::optional<std::size_t> second_index(Attribute type) {
  if (type == Attribute::XorRelayedAddress) return 0;
  if (type == Attribute::AlternateServer) return 1;
  return std::nullopt;
}

// XOR-MAPPED-ADDRESS hides an address from NATs that rewrite what looks like one (§14.2).
void xor_with(Address& address, const TransactionId& id) {
  std::array<std::uint8_t, 16> mask;
  store_u32(mask.data(), kMagicCookie);
  std::copy(id.begin(), id.end(), mask.begin() + 4);
  const std::size_t size = address.ip_bytes().size();
  for (std::size_t i = 0; i < size; ++i) address.ip[i] ^= mask[i];
  address.port = static_cast<std::uint16_t>(address.port ^ kMagicCookie >> 16);
}

}  // namespace

// §14.1  | zero:8 | family:8 | port:16 | address: 4 or 16 bytes |
std::optional<Address> read_address(Bytes value) {
  ByteReader r(value);
  r.skip(1);  // zero when sent, ignored when received
  const std::uint8_t family = r.u8();
  Address address;
  address.port = r.u16();
  const Bytes ip = r.rest();
  if (!r.ok()) return std::nullopt;
  if (family == 1 && ip.size() == 4) {
    address.family = Address::Family::IPv4;
  } else if (family == 2 && ip.size() == 16) {
    address.family = Address::Family::IPv6;
  } else {
    return std::nullopt;
  }
  std::copy(ip.begin(), ip.end(), address.ip.begin());
  return address;
}

std::optional<Address> read_xor_address(Bytes value, const TransactionId& id) {
  std::optional<Address> address = read_address(value);
  if (address) xor_with(*address, id);
  return address;
}

Result<Message, Drop> Message::parse(Bytes datagram, Usage usage) {
  const Unexpected malformed{Drop::StunMalformed};
  if (datagram.size() > kMaxMessage) return malformed;
  ByteReader r(datagram);
  const std::uint16_t type = r.u16();
  const std::size_t length = r.u16();
  const std::uint32_t cookie = r.u32();
  const Bytes id = r.take(12);
  if (!r.ok() || (type & 0xC000) != 0 || cookie != kMagicCookie) return malformed;
  if (length % 4 != 0 || length != r.rest().size()) return malformed;
  if (!is_known(method_of(type), usage)) return Unexpected{Drop::StunUnknownMethod};

  Message message;
  message.bytes_ = datagram;
  message.class_ = class_of(type);
  message.method_ = static_cast<Method>(method_of(type));
  std::copy(id.begin(), id.end(), message.id_.begin());
  if (!message.walk()) return malformed;
  message.check_values();
  return message;
}

bool Message::walk() {
  std::size_t at = kHeaderSize;
  while (at < bytes_.size()) {
    if (fingerprint_at_ != 0) return false;  // §14.7: FINGERPRINT is the last
    ByteReader r(bytes_.subspan(at));
    const std::uint16_t type = r.u16();
    const std::size_t size = r.u16();
    const Bytes value = r.take(size);
    r.skip(padded4(size) - size);
    if (!r.ok() || !take_attribute(type, value, at)) return false;
    at += 4 + padded4(size);
  }
  return true;
}

// §9: what follows an integrity attribute was not covered by it. Behind MESSAGE-INTEGRITY only the other integrity and
// the fingerprint count, behind MESSAGE-INTEGRITY-SHA256 the fingerprint alone.
bool Message::is_behind_integrity(std::uint16_t type) const {
  const bool is_sha256 = type == static_cast<std::uint16_t>(Attribute::MessageIntegritySha256);
  if (type == static_cast<std::uint16_t>(Attribute::Fingerprint)) return false;
  if (integrity_sha256_at_ != 0) return true;
  return integrity_at_ != 0 && !is_sha256;
}

bool Message::take_attribute(std::uint16_t type, Bytes value, std::size_t at) {
  if (is_behind_integrity(type)) return true;
  const std::optional<std::size_t> index = attribute_index(type);
  if (!index) {
    if (is_comprehension_required(type))
      static_cast<void>(unknown_required_.push_back(type));  // the first 16 do
    return true;
  }
  const AttributeRule& rule = kAttributes[*index];
  if (present_[*index]) {  // §14: of two of a kind the first counts, but for two kinds
    if (const auto second = second_index(rule.type); second && seconds_[*second].empty())
      seconds_[*second] = value;
    return true;
  }
  const bool fits = value.size() >= rule.min_size && value.size() <= rule.max_size;
  switch (
      rule.type) {  // these three decide what the bytes around them mean, so a wrong size spoils the message
    case Attribute::MessageIntegrity:
      if (!fits) return false;
      integrity_at_ = at;
      break;
    case Attribute::MessageIntegritySha256:
      if (!fits || value.size() % 4 != 0) return false;
      integrity_sha256_at_ = at;
      break;
    case Attribute::Fingerprint:
      if (!fits) return false;
      fingerprint_at_ = at;
      break;
    default:
      if (!fits) malformed_value_ = true;
  }
  present_[*index] = true;
  values_[*index] = value;
  return true;
}

void Message::check_values() {
  if (has(Attribute::ErrorCode) && !error_code()) malformed_value_ = true;
  for (const Attribute type :
       {Attribute::XorMappedAddress, Attribute::MappedAddress, Attribute::XorPeerAddress,
        Attribute::XorRelayedAddress, Attribute::AlternateServer}) {
    const std::optional<Bytes> value = value_of(type);
    if (!value || value->size() < 4) continue;
    const std::uint8_t family = (*value)[1];  // an unknown family is no fault, only of no use
    if ((family == 1 && value->size() != 8) || (family == 2 && value->size() != 20)) malformed_value_ = true;
  }
}

std::optional<Bytes> Message::value_of(Attribute type) const {
  const std::size_t index = index_of(type);
  if (!present_[index]) return std::nullopt;
  return values_[index];
}

std::optional<Bytes> Message::second_value_of(Attribute type) const {
  const std::optional<std::size_t> index = second_index(type);
  if (!index || seconds_[*index].empty()) return std::nullopt;
  return seconds_[*index];
}

std::optional<std::uint32_t> Message::u32(Attribute type) const {
  const std::optional<Bytes> value = value_of(type);
  if (!value || value->size() != 4) return std::nullopt;
  return load_u32(value->data());
}

std::optional<std::uint64_t> Message::u64(Attribute type) const {
  const std::optional<Bytes> value = value_of(type);
  if (!value || value->size() != 8) return std::nullopt;
  return load_u64(value->data());
}

std::optional<std::string_view> Message::text(Attribute type) const {
  const std::optional<Bytes> value = value_of(type);
  if (!value) return std::nullopt;
  return as_text(*value);
}

std::optional<Address> Message::mapped_address() const {
  const std::optional<Bytes> value = value_of(Attribute::MappedAddress);
  return value ? read_address(*value) : std::nullopt;
}

std::optional<Address> Message::xor_address(Attribute type) const {
  const std::optional<Bytes> value = value_of(type);
  return value ? read_xor_address(*value, id_) : std::nullopt;
}

// §14.8  | reserved:21 | class:3 | number:8 | reason |
std::optional<ErrorCode> Message::error_code() const {
  const std::optional<Bytes> value = value_of(Attribute::ErrorCode);
  if (!value) return std::nullopt;
  ByteReader r(*value);
  const std::uint32_t word = r.u32();
  if (!r.ok()) return std::nullopt;
  const int hundreds = static_cast<int>(word >> 8 & 7), number = static_cast<int>(word & 0xFF);
  if (hundreds < 3 || hundreds > 6 || number > 99) return std::nullopt;
  return ErrorCode{hundreds * 100 + number,
                   as_text(r.rest().first(std::min<std::size_t>(r.rest().size(), 763)))};
}

Writer::Writer(MutBytes out, Class message_class, const TransactionId& id, Method method)
    : out_(out), id_(id) {
  out_.u16(type_of(message_class, method));
  out_.u16(0);
  out_.u32(kMagicCookie);
  out_.bytes(id);
}

void Writer::header(Attribute type, std::size_t size) {
  out_.u16(static_cast<std::uint16_t>(type));
  out_.u16(static_cast<std::uint16_t>(size));
}

void Writer::set_length(std::size_t total) {
  out_.patch_u16(2, static_cast<std::uint16_t>(total - kHeaderSize));
}

void Writer::value(Attribute type, Bytes bytes) {
  header(type, bytes.size());
  out_.bytes(bytes);
  out_.pad_to_4();
}

void Writer::value_in_place(Attribute type, std::size_t size) {
  header(type, size);
  static_cast<void>(out_.take(size));
  out_.pad_to_4();
}

void Writer::u32(Attribute type, std::uint32_t number) {
  header(type, 4);
  out_.u32(number);
}

void Writer::u64(Attribute type, std::uint64_t number) {
  header(type, 8);
  out_.u64(number);
}

void Writer::address(Attribute type, const Address& address) {
  const Bytes ip = address.ip_bytes();
  header(type, 4 + ip.size());
  out_.u8(0);
  out_.u8(static_cast<std::uint8_t>(address.family));
  out_.u16(address.port);
  out_.bytes(ip);
}

void Writer::xor_address(Attribute type, const Address& address) {
  Address hidden = address;
  xor_with(hidden, id_);
  this->address(type, hidden);
}

void Writer::error(int code, std::string_view reason) {
  header(Attribute::ErrorCode, 4 + reason.size());
  out_.u16(0);
  out_.u8(static_cast<std::uint8_t>(code / 100));
  out_.u8(static_cast<std::uint8_t>(code % 100));
  out_.bytes(as_bytes(reason));
  out_.pad_to_4();
}

void Writer::unknown_attributes(std::span<const std::uint16_t> types) {
  header(Attribute::UnknownAttributes, 2 * types.size());
  for (const std::uint16_t type : types) out_.u16(type);
  out_.pad_to_4();
}

void Writer::integrity(Bytes key) {
  if (!out_.ok()) return;
  set_length(out_.size() + 4 + 20);
  const auto mac = crypto::hmac_sha1(key, out_.written());
  if (mac) {
    value(Attribute::MessageIntegrity, *mac);
  } else {
    ok_ = false;
  }
}

void Writer::integrity_sha256(Bytes key) {
  if (!out_.ok()) return;
  set_length(out_.size() + 4 + 32);
  const auto mac = crypto::hmac_sha256(key, out_.written());
  if (mac) {
    value(Attribute::MessageIntegritySha256, *mac);
  } else {
    ok_ = false;
  }
}

void Writer::fingerprint() {
  if (!out_.ok()) return;
  set_length(out_.size() + 8);
  u32(Attribute::Fingerprint, crc32(out_.written()) ^ kFingerprintXor);
}

std::size_t Writer::finish() {
  if (!ok_ || !out_.ok()) return 0;
  set_length(out_.size());
  return out_.size();
}

}  // namespace pollrtc::stun
