// The codec of DNS messages, and the parser of Linux's list of IPv6 addresses. Input: a byte that chooses, then the text or
// message. What c-ares parses is c-ares' to fuzz; multicast DNS has a target of its own.
#include "base/bytes.h"
#include "net/dns_message.h"
#include "net/interfaces.h"
#include "support.h"

using namespace pollrtc;
using namespace pollrtc::net;

namespace {

void read_records(Bytes message) {
  std::size_t at = kDnsHeaderSize;
  if (!DnsHeader::read(message)) return;
  for (std::size_t before = at; const auto record = DnsRecord::read(message, at); before = at) {
    check(at > before && at <= message.size());
    check(record->owner.wire().size() <= 255 && record->owner.wire().back() == 0);
    static_cast<void>(record->address());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(Bytes(data, size));
  if (in.u8() % 2 == 0) {
    read_records(in.rest());
  } else {
    std::array<LocalAddress, 2> addresses;
    addresses[0].address.family = Address::Family::IPv6;
    apply_if_inet6(as_text(in.rest()), addresses);
  }
  return 0;
}
