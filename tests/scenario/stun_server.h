// A STUN server in a simulated network: tells who asks which address it was seen with (RFC 8489 §12).
#pragma once

#include "ice/stun_message.h"
#include "sim/world.h"

namespace pollrtc::scenario {

class StunServer {
 public:
  StunServer(sim::World& world, const Address& address) : address_(address) {
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
  StunServer(const StunServer&) = delete;
  StunServer& operator=(const StunServer&) = delete;

  const Address& address() const { return address_; }
  int requests() const { return requests_; }

 private:
  Address address_;
  int requests_ = 0;
};

}  // namespace pollrtc::scenario
