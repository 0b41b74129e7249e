// A STUN server in a simulated network: tells who asks which address it was seen with (RFC 8489 §12).
#pragma once

#include "ice/stun_message.h"
#include "sim/world.h"

namespace pollrtc::scenario {

class StunServer {
 public:
  StunServer(sim::World& world, const Address& address);
  StunServer(const StunServer&) = delete;
  StunServer& operator=(const StunServer&) = delete;

  const Address& address() const { return address_; }
  int requests() const { return requests_; }

 private:
  Address address_;
  int requests_ = 0;
};

}  // namespace pollrtc::scenario
