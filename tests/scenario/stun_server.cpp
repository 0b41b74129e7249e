#include "scenario/stun_server.h"

#include <array>

namespace pollrtc::scenario {

StunServer::StunServer(sim::World& world, const Address& address) : address_(address) {
  sim::Host& host = world.add_host({address.with_port(0)});
  world.listen(host, address, [this, &world, &host](Time, const Path& path, Bytes datagram) {
    const auto request = stun::Message::parse(datagram);
    if (!request || request->message_class() != stun::Class::Request) return;
    ++requests_;
    std::array<std::uint8_t, 200> out;
    stun::Writer writer(out, stun::Class::Success, request->id());
    writer.xor_address(stun::Attribute::XorMappedAddress, path.remote);
    writer.fingerprint();
    world.send(host, path, Bytes(out).first(writer.finish()));
  });
}

}  // namespace pollrtc::scenario
