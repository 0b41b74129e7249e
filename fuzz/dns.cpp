// A DNS query fed with what a name server, or someone who plays one, may send; and the parsers of the
// system's files. Input: a byte that chooses, then datagrams of a length byte pair and the bytes; the id of
// the question is patched in, since a fuzzer would not guess it.
#include "base/bytes.h"
#include "net/dns_query.h"
#include "net/host_files.h"
#include "net/interfaces.h"
#include "support.h"

using namespace pollrtc;
using namespace pollrtc::net;

namespace {

bool fill_ascending(void*, MutBytes out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i + 1);
  return true;
}

void fuzz_query(ByteReader& in) {
  Environment environment;
  environment.rng = {fill_ascending, nullptr};
  const Address server = Address::v4(192, 0, 2, 53, 53);
  DnsServers servers;
  check(servers.addresses.push_back(server) && servers.addresses.push_back(server.with_port(54)));
  DnsQuery query(environment, servers);
  Time now;
  check(query.start(now, "a.example").has_value());
  std::array<std::uint8_t, 512> out;
  while (!in.rest().empty() && !query.is_done()) {
    const std::uint16_t word = in.u16();
    const Bytes datagram = in.take(std::min<std::size_t>(word & 0x1ffu, in.rest().size()));
    std::array<std::uint8_t, 512> message{};
    std::copy(datagram.begin(), datagram.end(), message.begin());
    // One bit of the length word chooses the question, one whether the id is right, one whether time passes.
    if ((word & 0x2000u) == 0) store_u16(message.data(), (word & 0x4000u) != 0 ? 0x0102 : 0x0304);
    query.handle_datagram(now, {{}, server, Transport::Udp}, Bytes(message).first(datagram.size()));
    if ((word & 0x8000u) != 0 && !query.is_done()) {
      now = query.next_timeout();
      query.handle_timeout(now);
      check(query.next_timeout() > now);
    }
    int sent = 0;
    while (query.poll_transmit(now, out)) check(++sent <= 2);
  }
  check(query.addresses().size() <= environment.limits.dns_answers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(Bytes(data, size));
  switch (in.u8() % 4) {
    case 0:
      fuzz_query(in);
      break;
    case 1: {
      DnsAddresses found;
      find_in_hosts(as_text(in.rest()), "a.example", found);
      break;
    }
    case 2:
      check(!name_servers_in(as_text(in.rest())).empty());
      break;
    case 3: {
      std::array<LocalAddress, 2> addresses;
      addresses[0].address.family = Address::Family::IPv6;
      apply_if_inet6(as_text(in.rest()), addresses);
      break;
    }
  }
  return 0;
}
