// What peers find in any network: a server for STUN and TURN; and certificates, of which a few serve all.
#pragma once

#include <array>

#include "pollrtc/peer.h"
#include "sim/turn_server.h"
#include "sim/world.h"
#include "support/environment.h"

namespace pollrtc::sim {

// A server that answers by UDP, STUN and TURN alike.
class Server {
 public:
  Server(World& world, const Address& address)
      : world_(world), host_(world.add_host({address})), server_(address) {
    server_.relay_v4 = address.with_port(kFirstRelayed);
    listen(address);
    for (std::uint16_t i = 0; i < kMostRelayed; ++i)
      listen(address.with_port(static_cast<std::uint16_t>(kFirstRelayed + i)));
  }

 private:
  static constexpr std::uint16_t kFirstRelayed = 50000, kMostRelayed = 1000;
  void listen(const Address& address) {
    world_.listen(host_, address, [this](Time, const Path& path, Bytes datagram) {
      for (const auto& answer : server_.handle(path.remote, path.local, datagram))
        world_.send(host_, {answer.from, answer.to}, answer.bytes);
    });
  }
  World& world_;
  Host& host_;
  TurnServer server_;
};

// Certificates cost more to make than all else in a connection; what they are makes no difference to any other part.
inline const CertificatePem& certificate(std::uint64_t which) {
  static const std::array<CertificatePem, 4> kPool = [] {
    std::array<CertificatePem, 4> pool;
    for (std::size_t i = 0; i < pool.size(); ++i) {
      test::TestEnvironment environment(1000 + i);
      pool[i] = *generate_certificate(environment.env, 1767225600);
    }
    return pool;
  }();
  return kPool[which % kPool.size()];
}

}  // namespace pollrtc::sim
