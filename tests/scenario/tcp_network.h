// TCP between the hosts of a scenario: reliable, in order, cut anywhere. It takes the ends' stream events, moves bytes, and
// can be told to break.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "scenario/two_peers.h"

namespace pollrtc::scenario {

class TcpNetwork final : public sim::Actor {
 public:
  TcpNetwork(sim::World& world, Duration delay);
  ~TcpNetwork() override;
  TcpNetwork(const TcpNetwork&) = delete;
  TcpNetwork& operator=(const TcpNetwork&) = delete;

  // The end gathers an active and a passive candidate on `address`, and what it asks for is done.
  void join(End& end, const Address& address, bool listens = true);
  // Every connection that stands breaks, as by a router that lost its table.
  void reset_all();
  std::size_t open_connections() const;
  bool refuses = false;  // nobody gets through any more
  bool stalls = false;   // what is written stays where it is
  std::size_t opened = 0, bytes = 0;

  Time next_timeout() const override { return kNever; }
  void on_timeout(Time) override {}
  void pump(Time now) override;

 private:
  struct Half {
    End* end = nullptr;
    std::optional<StreamId> id;
  };
  struct Connection {
    Half a, b;  // `b` accepted it
    bool is_closed = false;
    bool is_reset = false;  // what was on its way is gone as well
  };

  void connect(End& from, const Peer::StreamNeeded& needed);
  void close(End& end, StreamId stream);
  void shut(Connection& c, const End* by);
  void move(Time now, const std::shared_ptr<Connection>& c, Half& from, Half& to);

  sim::World& world_;
  Duration delay_;
  std::vector<End*> ends_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::uint16_t next_port_ = 40000;
};

}  // namespace pollrtc::scenario
