// A TURN server in a simulated network, by UDP and by connections that lose nothing: sim::TurnServer with sockets.
#pragma once

#include <initializer_list>
#include <map>
#include <vector>

#include "ice/turn_stream.h"
#include "scenario/two_peers.h"
#include "sim/turn_server.h"

namespace pollrtc::scenario {

class TurnService final : public sim::Actor {
 public:
  TurnService(sim::World& world, const Address& address);
  ~TurnService() override;
  TurnService(const TurnService&) = delete;
  TurnService& operator=(const TurnService&) = delete;

  // `end` asks here from its next gathering on. `ip` is what the server sees of its connections.
  void serve(End& end, const Address& ip, std::initializer_list<TurnTransport> transports);
  // Every connection is reset, and the allocations over them go.
  void reset_connections();
  // What connections bring lies in their sockets until somebody reads it, all of it at once.
  void hold_connections() { is_holding_ = true; }
  void let_go_connections();

  Time next_timeout() const override { return kNever; }
  void on_timeout(Time) override {}
  // What the ends have for their connections sets out.
  void pump(Time now) override;

  sim::TurnServer server;

 private:
  static constexpr std::uint16_t kFirstRelayed = 50000, kMostRelayed = 16;
  static constexpr Duration kStreamDelay = 10ms;
  struct Stream {
    End* end;
    StreamId id;
    turn::StreamFramer framer;
    bool is_open = false;
    test::ByteVector held{};
  };

  void listen(const Address& address);
  void open(End& end, const Address& ip, StreamId id);
  void arrive(const Address& client, Bytes bytes);
  void send(const std::vector<sim::TurnServer::Datagram>& datagrams);

  sim::World& world_;
  sim::Host& host_;
  std::map<Address, Stream> streams_;  // by what the server sees
  std::uint16_t next_port_ = 40000;
  bool is_holding_ = false;
};

}  // namespace pollrtc::scenario
