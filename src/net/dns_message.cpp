#include "net/dns_message.h"

#include "base/address.h"
#include "base/bytes.h"

namespace pollrtc::net {
namespace {

constexpr std::uint16_t kClassInternet = 1;
constexpr std::size_t kHeaderSize = 12;
constexpr std::size_t kMaxLabel = 63;
// RFC 1035 §4.1.4 lets a pointer lead to a pointer. Each must lead backwards, so no chain is endless; this
// keeps it short.
constexpr int kMaxPointers = 16;
// How many CNAMEs in a row are followed; also what ends a loop of them.
constexpr int kMaxAliases = 8;

// RFC 1035 §4.1.1, the second word of the header.
constexpr unsigned kFlagResponse = 0x8000;
constexpr unsigned kMaskOpcode = 0x7800;
constexpr unsigned kFlagTruncated = 0x0200;
constexpr unsigned kFlagRecursionDesired = 0x0100;
constexpr unsigned kMaskRcode = 0x000f;
constexpr unsigned kRcodeOk = 0;
constexpr unsigned kRcodeNoSuchName = 3;

std::uint8_t lower(std::uint8_t c) {
  return c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c + 'a' - 'A') : c;
}

bool is_host_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

struct Header {
  std::uint16_t id = 0, flags = 0, questions = 0, answers = 0;
};

// RFC 1035 §4.1.1  | id:16 | flags:16 | qdcount:16 | ancount:16 | nscount:16 | arcount:16 |
std::optional<Header> read_header(Bytes message) {
  ByteReader r(message);
  Header h;
  h.id = r.u16();
  h.flags = r.u16();
  h.questions = r.u16();
  h.answers = r.u16();
  r.skip(4);
  if (!r.ok()) return std::nullopt;
  return h;
}

struct Record {
  DnsName owner;
  std::uint16_t type = 0, rr_class = 0;
  std::size_t data_at = 0, data_size = 0;
};

// RFC 1035 §4.1.3  | name | type:16 | class:16 | ttl:32 | rdlength:16 | rdata[rdlength] |
std::optional<Record> read_record(Bytes message, std::size_t& at) {
  const auto owner = DnsName::read(message, at);
  if (!owner) return std::nullopt;
  ByteReader r(message.subspan(at));
  Record record;
  record.owner = *owner;
  record.type = r.u16();
  record.rr_class = r.u16();
  r.skip(4);  // the TTL: nothing is kept
  record.data_size = r.u16();
  record.data_at = at + 10;
  r.skip(record.data_size);
  if (!r.ok()) return std::nullopt;
  at = record.data_at + record.data_size;
  return record;
}

std::optional<Address> address_in(Bytes message, const Record& record, DnsType asked) {
  const std::size_t size = asked == DnsType::A ? 4 : 16;
  if (record.type != static_cast<std::uint16_t>(asked) || record.data_size != size) return std::nullopt;
  Address address;
  const Bytes data = message.subspan(record.data_at, size);
  std::copy(data.begin(), data.end(), address.ip.begin());
  address.family = asked == DnsType::A ? Address::Family::IPv4 : Address::Family::IPv6;
  return address;
}

void add_address(const Address& address, std::size_t most, DnsAddresses& out) {
  if (out.size() >= most || !is_usable_dns_address(address)) return;
  if (std::find(out.begin(), out.end(), address) != out.end()) return;
  static_cast<void>(out.push_back(address));  // full: the first ones are enough
}

// The answer section, walked once for each name of the CNAME chain.
class Answers {
 public:
  Answers(Bytes message, std::size_t at, std::uint16_t count, bool cut_off)
      : message_(message), begin_(at), count_(count), cut_off_(cut_off) {}

  // Collects the addresses of `name`, or leads on to what it is an alias of. False when the section is not
  // well-formed.
  bool walk(const DnsName& name, DnsType type, std::size_t most, DnsAddresses& out,
            std::optional<DnsName>& alias) const {
    std::size_t at = begin_;
    for (std::uint16_t i = 0; i < count_; ++i) {
      const auto record = read_record(message_, at);
      if (!record) return cut_off_;  // RFC 2181 §9: what was cut off may end anywhere
      if (record->rr_class != kClassInternet || !(record->owner == name)) continue;
      if (record->type == static_cast<std::uint16_t>(DnsType::Cname)) {
        std::size_t target_at = record->data_at;
        const auto target = DnsName::read(message_, target_at);
        if (!target || target_at != record->data_at + record->data_size) return false;
        if (!alias) alias = *target;
      } else if (const auto address = address_in(message_, *record, type)) {
        add_address(*address, most, out);
      }
    }
    return true;
  }

 private:
  Bytes message_;
  std::size_t begin_;
  std::uint16_t count_;
  bool cut_off_;
};

}  // namespace

bool operator==(const DnsName& a, const DnsName& b) { return equal(a.wire(), b.wire()); }

bool DnsName::append_label(Bytes label) {
  if (wire_.size() + 1 + label.size() > 255) return false;
  bool fits = wire_.push_back(static_cast<std::uint8_t>(label.size()));
  for (const std::uint8_t c : label) fits = wire_.push_back(lower(c)) && fits;
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
      if (target >= lowest || target < kHeaderSize) return std::nullopt;
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

std::size_t write_dns_question(const DnsQuestion& question, MutBytes out) {
  ByteWriter w(out);
  w.u16(question.id);
  w.u16(kFlagRecursionDesired);
  w.u16(1);
  w.zeros(6);
  w.bytes(question.name.wire());
  w.u16(static_cast<std::uint16_t>(question.type));
  w.u16(kClassInternet);
  return w.ok() ? w.size() : 0;
}

DnsOutcome read_dns_response(Bytes message, const DnsQuestion& question, std::size_t most,
                             DnsAddresses& out) {
  const auto header = read_header(message);
  if (!header) return DnsOutcome::Malformed;
  if ((header->flags & kFlagResponse) == 0 || (header->flags & kMaskOpcode) != 0 || header->id != question.id)
    return DnsOutcome::NotOurs;
  // The question has to come back: with the id and the port it is all that tells an answer from a forgery.
  if (header->questions != 1) return DnsOutcome::NotOurs;
  std::size_t at = kHeaderSize;
  const auto asked = DnsName::read(message, at);
  if (!asked || message.size() - at < 4) return DnsOutcome::Malformed;
  const std::uint16_t type = load_u16(message.data() + at), rr_class = load_u16(message.data() + at + 2);
  at += 4;
  if (!(*asked == question.name) || type != static_cast<std::uint16_t>(question.type) ||
      rr_class != kClassInternet)
    return DnsOutcome::NotOurs;

  const unsigned rcode = header->flags & kMaskRcode;
  if (rcode == kRcodeNoSuchName) return DnsOutcome::NoAddress;
  if (rcode != kRcodeOk) return DnsOutcome::ServerFailed;
  const bool cut_off = (header->flags & kFlagTruncated) != 0;
  const Answers answers(message, at, header->answers, cut_off);
  DnsName name = question.name;
  for (int hop = 0; hop <= kMaxAliases; ++hop) {
    DnsAddresses found;
    std::optional<DnsName> alias;
    if (!answers.walk(name, question.type, most, found, alias)) return DnsOutcome::Malformed;
    if (!found.empty()) {
      for (const Address& address : found) add_address(address, most, out);
      return DnsOutcome::Answered;
    }
    if (!alias) break;
    name = *alias;
  }
  // We do not ask again over TCP: what was cut off and holds nothing is a server that could not say.
  return cut_off ? DnsOutcome::ServerFailed : DnsOutcome::NoAddress;
}

bool is_usable_dns_address(const Address& address) {
  const Address a = unmapped(address);
  const bool v6_link_local = a.family == Address::Family::IPv6 && is_link_local(a);  // no zone comes with it
  const bool this_network = a.family == Address::Family::IPv4 && a.ip[0] == 0;
  return a.is_valid() && !is_unspecified(a) && !this_network && !is_loopback(a) && !is_multicast(a) &&
         !is_broadcast(a) && !is_ipv4_mapped(address) && !v6_link_local;
}

}  // namespace pollrtc::net
