// Multicast DNS keeps the promises of an engine: end 0 asks for the name that end 1 publishes.
#include "unit/engine_laws.h"

#include "base/address.h"
#include "net/mdns.h"

using namespace pollrtc;
using namespace pollrtc::net;

namespace {

constexpr const char* kName = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";

// The group reaches the other end of the link.
struct MdnsEnd {
  using Event = Mdns::Event;
  Mdns mdns;
  Address link, other;

  Drop handle_datagram(Time now, const Path&, Bytes datagram) {
    return mdns.handle_datagram(now, {link.with_port(kMdnsPort), other.with_port(kMdnsPort), Transport::Udp},
                                datagram);
  }
  std::optional<Transmit> poll_transmit(Time now, MutBytes out) {
    auto transmit = mdns.poll_transmit(now, out);
    if (transmit) transmit->path.remote = other;
    return transmit;
  }
  void handle_timeout(Time now) { mdns.handle_timeout(now); }
  Time next_timeout() const { return mdns.next_timeout(); }
  bool poll_event(Event& event) { return mdns.poll_event(event); }
};

template <bool kIsThere>
struct MdnsSubject {
  using Engine = MdnsEnd;
  static constexpr bool kReproducible = true;
  std::unique_ptr<MdnsEnd> make(Environment& environment, Time now, int end) {
    const auto here = static_cast<std::size_t>(end);
    std::unique_ptr<MdnsEnd> engine(
        new MdnsEnd{Mdns(environment), test::kLawEnds[here], test::kLawEnds[1 - here]});
    if (!engine->mdns.add_link(now, engine->link)) return nullptr;
    const Status begun = end == 0   ? engine->mdns.resolve(now, kName)
                         : kIsThere ? engine->mdns.publish(now, kName, engine->link)
                                    : Status();
    return begun ? std::move(engine) : nullptr;
  }
  void on_event(MdnsEnd&, Time, int, const Mdns::Event& event, std::string& outcome) {
    outcome += event.address.is_valid() ? std::string(ip_text(event.address).view()) : std::string("nobody");
  }
  void collect(MdnsEnd&, Time, int, std::string&) {}
};

}  // namespace

TEST_CASE("engine laws: Mdns") {
  test::check_engine_laws<MdnsSubject<true>>();
  test::check_engine_laws<MdnsSubject<false>>();
  test::LawRun<MdnsSubject<true>> run(1, test::Schedule::DrainLate);
  CHECK(run.run() == "");
  CHECK(run.outcome()[0] == "10.0.0.2");
}
