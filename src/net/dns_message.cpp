#include "net/dns_message.h"

#include "base/ascii.h"
#include "base/bytes.h"

namespace pollrtc::net {
namespace {

constexpr std::size_t kMaxLabel = 63;
// RFC 1035 §4.1.4 lets a pointer lead to a pointer. Each must lead backwards, so no chain is endless; this
// keeps it short.
constexpr int kMaxPointers = 16;

bool is_host_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

bool operator==(const DnsName& a, const DnsName& b) { return equal(a.wire(), b.wire()); }

bool DnsName::append_label(Bytes label) {
  if (wire_.size() + 1 + label.size() > 255) return false;
  bool fits = wire_.push_back(static_cast<std::uint8_t>(label.size()));
  for (const char c : as_text(label)) fits = wire_.push_back(static_cast<std::uint8_t>(to_lower(c))) && fits;
  return fits;
}

std::optional<DnsName> DnsName::from_text(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return std::nullopt;
  DnsName name;
  for (;;) {
    const std::size_t end = std::min(text.find('.'), text.size());
    const std::string_view label = text.substr(0, end);
    if (label.empty() || label.size() > kMaxLabel) return std::nullopt;
    if (!std::all_of(label.begin(), label.end(), is_host_name_char)) return std::nullopt;
    if (!name.append_label(as_bytes(label))) return std::nullopt;
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
  }
  if (!name.append_label({})) return std::nullopt;
  return name;
}

std::optional<DnsName> DnsName::read(Bytes message, std::size_t& at) {
  DnsName name;
  std::size_t here = at, lowest = at;
  std::optional<std::size_t> behind;  // the place after the first pointer: where the name ends for its reader
  for (int pointers = 0;;) {
    if (here >= message.size()) return std::nullopt;
    const std::uint8_t length = message[here];
    if ((length & 0xc0) == 0xc0) {
      if (message.size() - here < 2 || ++pointers > kMaxPointers) return std::nullopt;
      const std::size_t target = load_u16(message.data() + here) & 0x3fffu;
      if (!behind) behind = here + 2;
      // RFC 1035 §4.1.4: to a prior occurrence. Below everything this name has used, else it could turn in a
      // circle.
      if (target >= lowest || target < kDnsHeaderSize) return std::nullopt;
      here = lowest = target;
      continue;
    }
    if (length > kMaxLabel || message.size() - here - 1 < length) return std::nullopt;
    if (!name.append_label(message.subspan(here + 1, length))) return std::nullopt;
    here += 1u + length;
    if (length == 0) break;
  }
  at = behind.value_or(here);
  return name;
}

// | id:16 | flags:16 | qdcount:16 | ancount:16 | nscount:16 | arcount:16 |
std::optional<DnsHeader> DnsHeader::read(Bytes message) {
  ByteReader r(message);
  DnsHeader h;
  h.id = r.u16();
  h.flags = r.u16();
  h.questions = r.u16();
  h.answers = r.u16();
  h.authorities = r.u16();
  h.additionals = r.u16();
  if (!r.ok()) return std::nullopt;
  return h;
}

// | name | type:16 | class:16 |
std::optional<DnsQuestion> DnsQuestion::read(Bytes message, std::size_t& at) {
  const auto name = DnsName::read(message, at);
  if (!name) return std::nullopt;
  ByteReader r(message.subspan(at));
  DnsQuestion question;
  question.name = *name;
  question.type = r.u16();
  question.rr_class = r.u16();
  if (!r.ok()) return std::nullopt;
  at += 4;
  return question;
}

// | name | type:16 | class:16 | ttl:32 | rdlength:16 | rdata[rdlength] |
std::optional<DnsRecord> DnsRecord::read(Bytes message, std::size_t& at) {
  const auto owner = DnsName::read(message, at);
  if (!owner) return std::nullopt;
  ByteReader r(message.subspan(at));
  DnsRecord record;
  record.owner = *owner;
  record.type = r.u16();
  record.rr_class = r.u16();
  record.ttl = r.u32();
  record.data = r.take(r.u16());
  if (!r.ok()) return std::nullopt;
  at += 10 + record.data.size();
  return record;
}

std::optional<Address> DnsRecord::address() const {
  const bool is_v4 = type == static_cast<std::uint16_t>(DnsType::A);
  if (!is_v4 && type != static_cast<std::uint16_t>(DnsType::Aaaa)) return std::nullopt;
  if (data.size() != (is_v4 ? 4u : 16u)) return std::nullopt;
  Address address;
  std::copy(data.begin(), data.end(), address.ip.begin());
  address.family = is_v4 ? Address::Family::IPv4 : Address::Family::IPv6;
  return address;
}

}  // namespace pollrtc::net
