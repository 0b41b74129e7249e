// Multicast DNS with whatever a neighbour may send: an engine that asks for one name and has published another. Input: pairs of
// a control byte and a length byte, and then the message. The control byte says where it comes from and whether time passes.
#include "net/mdns.h"
#include "base/bytes.h"
#include "support.h"

using namespace pollrtc;
using namespace pollrtc::net;

namespace {

constexpr const char* kAsked = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
constexpr const char* kOwn = "87a17803-6e1a-4dfb-9b26-89fe7b54e2c2.local";
const Address kLink = Address::v4(192, 0, 2, 1, kMdnsPort);

// A record goes to the group at most once a second, and nothing is ever sent that our own parser refuses.
class Checked {
 public:
  Checked() : mdns(environment) {
    check(mdns.add_link(now, kLink).has_value());
    check(mdns.publish(now, kOwn, kLink).has_value());
  }
  void drain() {
    std::array<std::uint8_t, kMaxMdnsMessage> out;
    int sent = 0;
    while (const auto transmit = mdns.poll_transmit(now, out)) {
      check(++sent <= 16);
      const auto header = DnsHeader::read(Bytes(out).first(transmit->size));
      check(header.has_value());
      if (transmit->path.remote != mdns_group(Address::Family::IPv4)) continue;
      check(header->id == 0);
      if (!header->is_response()) continue;
      check(!multicast_before || now - last_multicast >= std::chrono::seconds(1));
      last_multicast = now;
      multicast_before = true;
    }
  }

  Environment environment;
  Mdns mdns;
  Time now{}, last_multicast{};
  bool multicast_before = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(Bytes(data, size));
  Checked end;
  while (!in.rest().empty()) {
    check(end.mdns.resolve(end.now, kAsked).has_value());
    const std::uint8_t control = in.u8();
    const Bytes message = in.take(std::min<std::size_t>(in.u8(), in.rest().size()));
    const auto port = static_cast<std::uint16_t>((control & 1u) != 0 ? 40000 : kMdnsPort);
    static_cast<void>(
        end.mdns.handle_datagram(end.now, {kLink, Address::v4(192, 0, 2, 7, port), Transport::Udp}, message));
    if ((control & 2u) == 0) end.drain();
    if ((control & 4u) != 0 && end.mdns.next_timeout() != kNever) {
      end.now = end.mdns.next_timeout();
      end.mdns.handle_timeout(end.now);
      check(end.mdns.next_timeout() > end.now);
    }
    Mdns::Event event;
    for (int events = 0; end.mdns.poll_event(event);) check(++events <= 1);
  }
  end.mdns.withdraw_all();
  return 0;
}
