#include "net/mdns_message.h"

#include "base/bytes.h"

namespace pollrtc::net {
namespace {

// RFC 6762 §18: a response has QR and AA; ID, RD and the rest are 0.
constexpr auto kResponseFlags = static_cast<std::uint16_t>(DnsHeader::kResponse | DnsHeader::kAuthoritative);
// RFC 1035 §4.1.4: a pointer to the name that stands right behind the header.
constexpr std::uint16_t kToFirstName = 0xc000 | kDnsHeaderSize;

void write_header(ByteWriter& w, std::uint16_t id, std::uint16_t flags, std::uint16_t questions,
                  std::uint16_t answers, std::uint16_t additionals) {
  w.u16(id);
  w.u16(flags);
  w.u16(questions);
  w.u16(answers);
  w.u16(0);
  w.u16(additionals);
}

DnsType type_of(const Address& address) {
  return address.family == Address::Family::IPv4 ? DnsType::A : DnsType::Aaaa;
}

// Everything of a record behind its owner's name.
void write_address(ByteWriter& w, const Address& address, std::uint16_t rr_class, std::uint32_t ttl) {
  w.u16(static_cast<std::uint16_t>(type_of(address)));
  w.u16(rr_class);
  w.u32(ttl);
  w.u16(static_cast<std::uint16_t>(address.ip_bytes().size()));
  w.bytes(address.ip_bytes());
}

// RFC 6762 §6.1: there are these types for this name, and no others. | next name | window:8 | size:8 | bitmap[size] |
void write_denial(ByteWriter& w, const Address& address) {
  const bool is_v4 = address.family == Address::Family::IPv4;
  w.u16(static_cast<std::uint16_t>(DnsType::Nsec));
  w.u16(kTopBit | kClassInternet);
  w.u32(kMdnsTtl);
  w.u16(is_v4 ? 5 : 8);
  w.u16(kToFirstName);  // RFC 6762 §18.14 lets this name be compressed
  w.u8(0);
  w.u8(is_v4 ? 1 : 4);
  if (is_v4) {
    w.u8(0x80u >> 1);  // type 1
  } else {
    w.zeros(3);
    w.u8(0x80u >> (28 % 8));  // type 28
  }
}

}  // namespace

Address mdns_group(Address::Family family) {
  if (family == Address::Family::IPv4) return Address::v4(224, 0, 0, 251, kMdnsPort);
  Address group;
  group.family = Address::Family::IPv6;
  group.ip[0] = 0xff;
  group.ip[1] = 0x02;
  group.ip[15] = 0xfb;
  group.port = kMdnsPort;
  return group;
}

// DEVIATION RFC 6762 §5.4: the top bit of the class is never set, since our sockets hear nothing that comes by unicast.
std::size_t write_mdns_question(const DnsName& name, MutBytes out) {
  ByteWriter w(out);
  write_header(w, 0, 0, 2, 0, 0);
  w.bytes(name.wire());
  w.u16(static_cast<std::uint16_t>(DnsType::A));
  w.u16(kClassInternet);
  w.u16(kToFirstName);
  w.u16(static_cast<std::uint16_t>(DnsType::Aaaa));
  w.u16(kClassInternet);
  return w.ok() ? w.size() : 0;
}

std::size_t write_mdns_answer(const DnsName& name, const Address& address, bool denial_first, MutBytes out) {
  ByteWriter w(out);
  write_header(w, 0, kResponseFlags, 0, 1, 1);
  w.bytes(name.wire());
  if (denial_first) {
    write_denial(w, address);
    w.u16(kToFirstName);
    write_address(w, address, kTopBit | kClassInternet, kMdnsTtl);
  } else {
    write_address(w, address, kTopBit | kClassInternet, kMdnsTtl);
    w.u16(kToFirstName);
    write_denial(w, address);
  }
  return w.ok() ? w.size() : 0;
}

std::size_t write_mdns_goodbye(const DnsName& name, const Address& address, MutBytes out) {
  ByteWriter w(out);
  write_header(w, 0, kResponseFlags, 0, 1, 0);
  w.bytes(name.wire());
  write_address(w, address, kTopBit | kClassInternet, 0);
  return w.ok() ? w.size() : 0;
}

std::size_t write_legacy_answer(std::uint16_t id, const DnsQuestion& question, const Address& address,
                                bool has_answer, MutBytes out) {
  ByteWriter w(out);
  write_header(w, id, kResponseFlags, 1, has_answer ? 1 : 0, 0);
  w.bytes(question.name.wire());
  w.u16(question.type);
  w.u16(question.rr_class);
  if (has_answer) {
    w.u16(kToFirstName);
    write_address(w, address, kClassInternet, kLegacyTtl);
  }
  return w.ok() ? w.size() : 0;
}

}  // namespace pollrtc::net
