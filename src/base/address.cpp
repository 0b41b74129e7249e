#include "base/address.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/fixed_vec.h"

namespace pollrtc {
namespace {

// Takes the number in front of `text`: digits only, at most `max_digits` of them.
std::optional<unsigned> take_number(std::string_view& text, int base, std::size_t max_digits) {
  unsigned value = 0;
  const std::size_t length = std::min(text.size(), max_digits);
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, value, base);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool parse_v4(std::string_view text, MutBytes out) {
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0 && !take_char(text, '.')) return false;
    if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
      return false;  // 010: octal to some
    const auto number = take_number(text, 10, 3);
    if (!number || *number > 255) return false;
    out[i] = static_cast<std::uint8_t>(*number);
  }
  return text.empty();
}

// RFC 4291 §2.2: eight groups, one run of zeros may be "::", the last 32 bits may be in dotted form.
bool parse_v6(std::string_view text, MutBytes out) {
  FixedVec<std::uint8_t, 16> bytes;
  std::optional<std::size_t> gap;
  if (text.starts_with("::")) {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    std::array<std::uint8_t, 4> v4;
    if (bytes.size() <= 12 && text.find('.') != std::string_view::npos &&
        text.find(':') == std::string_view::npos) {
      if (!parse_v4(text, v4)) return false;
      for (const std::uint8_t b : v4)
        if (!bytes.push_back(b)) return false;
      break;
    }
    const auto group = take_number(text, 16, 4);
    if (!group) return false;
    if (!bytes.push_back(static_cast<std::uint8_t>(*group >> 8))) return false;
    if (!bytes.push_back(static_cast<std::uint8_t>(*group))) return false;
    if (text.empty()) break;
    if (!take_char(text, ':')) return false;
    if (take_char(text, ':')) {
      if (gap) return false;
      gap = bytes.size();
    } else if (text.empty()) {
      return false;  // a single colon at the end
    }
  }
  if (gap ? bytes.size() > 14 : bytes.size() != 16) return false;
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  const std::size_t front = gap.value_or(16);
  std::copy(bytes.begin(), bytes.begin() + front, out.begin());
  std::copy(bytes.begin() + front, bytes.end(),
            out.end() - static_cast<std::ptrdiff_t>(bytes.size() - front));
  return true;
}

class TextBuilder {
 public:
  void character(char c) { text_[size_++] = c; }
  void number(unsigned value, int base) {
    size_ = static_cast<std::size_t>(
        std::to_chars(text_.data() + size_, text_.data() + text_.size(), value, base).ptr - text_.data());
  }
  void v4(Bytes ip) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != 0) character('.');
      number(ip[i], 10);
    }
  }
  // RFC 5952 §4: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as "::".
  void v6(const Address& address) {
    const Bytes ip = address.ip;
    if (is_ipv4_mapped(address)) {
      for (const char c : std::string_view("::ffff:")) character(c);
      return v4(ip.subspan(12));
    }
    std::size_t best = 8, best_length = 1;
    for (std::size_t i = 0; i < 8; ++i) {
      std::size_t length = 0;
      while (i + length < 8 && load_u16(ip.data() + 2 * (i + length)) == 0) ++length;
      if (length > best_length) best = i, best_length = length;
    }
    for (std::size_t i = 0; i < 8; ++i) {
      if (i == best) {
        character(':');
        character(':');
        i += best_length - 1;
        continue;
      }
      if (i != 0 && i != best + best_length) character(':');
      number(load_u16(ip.data() + 2 * i), 16);
    }
  }
  AddressText text() const { return *AddressText::from({text_.data(), size_}); }

 private:
  std::array<char, AddressText::capacity()> text_;  // "[" + 39 + "]:" + 5 at the most
  std::size_t size_ = 0;
};

bool has_prefix(const Address& address, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.ip.begin());
}

bool is_v6_with_prefix10(const Address& address, std::uint8_t second_byte) {
  return address.family == Address::Family::IPv6 && address.ip[0] == 0xfe &&
         (address.ip[1] & 0xc0) == second_byte;
}

}  // namespace

std::optional<Address> parse_ip(std::string_view text, std::uint16_t port) {
  Address address;
  address.port = port;
  if (parse_v4(text, address.ip)) {
    address.family = Address::Family::IPv4;
    return address;
  }
  address.ip = {};
  if (text.find(':') == std::string_view::npos || !parse_v6(text, address.ip)) return std::nullopt;
  address.family = Address::Family::IPv6;
  return address;
}

AddressText ip_text(const Address& address) {
  TextBuilder builder;
  if (address.family == Address::Family::IPv4) builder.v4(address.ip);
  if (address.family == Address::Family::IPv6) builder.v6(address);
  return builder.text();
}

AddressText address_text(const Address& address) {
  TextBuilder builder;
  if (!address.is_valid()) return builder.text();
  const bool brackets = address.family == Address::Family::IPv6;
  if (brackets) builder.character('[');
  const auto ip = ip_text(address);  // named, as its view dies with it
  for (const char c : ip.view()) builder.character(c);
  if (brackets) builder.character(']');
  builder.character(':');
  builder.number(address.port, 10);
  return builder.text();
}

bool is_ipv4_mapped(const Address& address) {
  return address.family == Address::Family::IPv6 &&
         has_prefix(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff});
}

bool is_ipv4_compatible(const Address& address) {
  return address.family == Address::Family::IPv6 &&
         has_prefix(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) && !is_unspecified(address) &&
         !is_loopback(address);
}

Address unmapped(const Address& address) {
  if (!is_ipv4_mapped(address)) return address;
  return Address::v4(address.ip[12], address.ip[13], address.ip[14], address.ip[15], address.port);
}

bool is_unspecified(const Address& address) {
  return address.is_valid() &&
         std::all_of(address.ip.begin(), address.ip.end(), [](std::uint8_t b) { return b == 0; });
}

bool is_loopback(const Address& address) {
  if (address.family == Address::Family::IPv4) return address.ip[0] == 127;
  return address.family == Address::Family::IPv6 &&
         has_prefix(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

bool is_link_local(const Address& address) {
  if (address.family == Address::Family::IPv4) return has_prefix(address, {169, 254});
  return is_v6_with_prefix10(address, 0x80);
}

bool is_multicast(const Address& address) {
  if (address.family == Address::Family::IPv4) return (address.ip[0] & 0xf0) == 0xe0;
  return address.family == Address::Family::IPv6 && address.ip[0] == 0xff;
}

bool is_broadcast(const Address& address) {
  return address.family == Address::Family::IPv4 && has_prefix(address, {255, 255, 255, 255});
}

bool is_site_local(const Address& address) { return is_v6_with_prefix10(address, 0xc0); }

}  // namespace pollrtc
