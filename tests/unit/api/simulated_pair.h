// Two PeerConnections, one machine each, with a log of what their users are told.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "unit/api/simulated.h"

namespace pollrtc::test {

using ChannelPtr = std::shared_ptr<DataChannel>;

class SimEnd {
 public:
  SimEnd(sim::World& world, std::uint8_t number);
  ~SimEnd();
  void start(const std::function<void(Configuration&)>& edit = {});
  void watch(const ChannelPtr& channel);
  ChannelPtr create(std::string_view label = "chat", const DataChannelOptions& options = {});
  std::size_t count(const std::string& what) const;

  Machine machine;
  std::shared_ptr<PeerConnection> connection;
  std::vector<ChannelPtr> channels;
  std::vector<std::string> log;
};

struct SimPair {
  explicit SimPair(const std::function<void(Configuration&)>& edit = {}, std::uint64_t seed = 1);
  ~SimPair();
  // A channel of a's, open at both ends.
  void connect(const DataChannelOptions& options = {});
  bool run_until(const std::function<bool()>& condition, Duration limit = 60s);
  void cut(bool is_cut);

  static constexpr Address kA = Address::v4(192, 0, 2, 1, 0), kB = Address::v4(192, 0, 2, 2, 0);
  sim::World world;
  SimEnd a, b;
  ChannelPtr ours, theirs;
};

std::string take(const ChannelPtr& channel);

}  // namespace pollrtc::test
