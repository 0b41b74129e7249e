// Two PeerConnections, one machine each, with a log of what their users are told.
#pragma once

#include <algorithm>

#include "unit/api/simulated.h"

namespace pollrtc::test {

using ChannelPtr = std::shared_ptr<DataChannel>;

class SimEnd {
 public:
  SimEnd(sim::World& world, std::uint8_t number)
      : machine(world, Address::v4(192, 0, 2, number, 0), number),
        connection(std::make_shared<PeerConnection>()) {
    machine.poll = [this] {
      if (connection) CHECK(connection->poll());
    };
    machine.time_to_deadline = [this] {
      return connection ? connection->get_time_to_next_deadline() : std::nullopt;
    };
  }
  void start(const std::function<void(Configuration&)>& edit = {}) {
    Configuration configuration = machine.configuration();
    if (edit) edit(configuration);
    REQUIRE(connection->initialize(configuration));
    connection->connection_state_changed = [this](ConnectionState state) {
      log.push_back(std::string(name_of(state)));
    };
    connection->data_channel_received = [this](const ChannelPtr& channel) {
      log.push_back("channel");
      watch(channel);
      channels.push_back(channel);
    };
  }
  void watch(const ChannelPtr& channel) {
    channel->opened = [this] { log.push_back("opened"); };
    channel->closing = [this] { log.push_back("closing"); };
    channel->failed = [this](Close reason) {
      log.push_back(std::string("failed ") + std::string(name_of(reason)));
    };
    channel->closed = [this] { log.push_back("closed"); };
    channel->message_received = [this] { log.push_back("message"); };
  }
  ChannelPtr create(std::string_view label = "chat", const DataChannelOptions& options = {}) {
    const auto made = connection->create_data_channel(label, options);
    REQUIRE(made);
    watch(*made);
    channels.push_back(*made);
    return *made;
  }
  std::size_t count(const std::string& what) const {
    return static_cast<std::size_t>(std::count(log.begin(), log.end(), what));
  }

  Machine machine;
  std::shared_ptr<PeerConnection> connection;
  std::vector<ChannelPtr> channels;
  std::vector<std::string> log;
};

struct SimPair {
  explicit SimPair(const std::function<void(Configuration&)>& edit = {}, std::uint64_t seed = 1)
      : world(seed), a(world, 1), b(world, 2) {
    a.start(edit);
    b.start(edit);
    signal_between(world, a.connection, b.connection, 5ms);
  }
  // A channel of a's, open at both ends.
  void connect(const DataChannelOptions& options = {}) {
    ours = a.create("chat", options);
    REQUIRE(a.connection->create_offer());
    REQUIRE(run_until([&] { return ours->get_ready_state() == ChannelState::Open && !b.channels.empty(); }));
    theirs = b.channels.front();
    world.run_for(1s);
  }
  bool run_until(const std::function<bool()>& condition, Duration limit = 60s) {
    return world.run_until(condition, limit);
  }
  void cut(bool is_cut) {
    for (const auto& [from, to] : {std::pair(kA, kB), std::pair(kB, kA)})
      world.link(from, to).config.cut = is_cut;
  }

  static constexpr Address kA = Address::v4(192, 0, 2, 1, 0), kB = Address::v4(192, 0, 2, 2, 0);
  sim::World world;
  SimEnd a, b;
  ChannelPtr ours, theirs;
};

inline std::string take(const ChannelPtr& channel) {
  const auto packet = channel->get_packet();
  return packet ? std::string(as_text(*packet))
                : std::string("(") + std::string(name_of(packet.error().code())) + ")";
}

}  // namespace pollrtc::test
