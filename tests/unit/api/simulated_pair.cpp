#include "unit/api/simulated_pair.h"

#include <algorithm>

#include "base/bytes.h"
#include "support/catch.h"

namespace pollrtc::test {

SimEnd::SimEnd(sim::World& world, std::uint8_t number)
    : machine(world, Address::v4(192, 0, 2, number, 0), number),
      connection(std::make_shared<PeerConnection>()) {
  machine.poll = [this] {
    if (connection) CHECK(connection->poll());
  };
  machine.time_to_deadline = [this] {
    return connection ? connection->get_time_to_next_deadline() : std::nullopt;
  };
}
SimEnd::~SimEnd() = default;

void SimEnd::start(const std::function<void(Configuration&)>& edit) {
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

void SimEnd::watch(const ChannelPtr& channel) {
  channel->opened = [this] { log.push_back("opened"); };
  channel->closing = [this] { log.push_back("closing"); };
  channel->failed = [this](Close reason) {
    log.push_back(std::string("failed ") + std::string(name_of(reason)));
  };
  channel->closed = [this] { log.push_back("closed"); };
  channel->message_received = [this] { log.push_back("message"); };
}

ChannelPtr SimEnd::create(std::string_view label, const DataChannelOptions& options) {
  const auto made = connection->create_data_channel(label, options);
  REQUIRE(made);
  watch(*made);
  channels.push_back(*made);
  return *made;
}

std::size_t SimEnd::count(const std::string& what) const {
  return static_cast<std::size_t>(std::count(log.begin(), log.end(), what));
}

SimPair::SimPair(const std::function<void(Configuration&)>& edit, std::uint64_t seed)
    : world(seed), a(world, 1), b(world, 2) {
  a.start(edit);
  b.start(edit);
  signal_between(world, a.connection, b.connection, 5ms);
}
SimPair::~SimPair() = default;

void SimPair::connect(const DataChannelOptions& options) {
  ours = a.create("chat", options);
  REQUIRE(a.connection->create_offer());
  REQUIRE(run_until([&] { return ours->get_ready_state() == ChannelState::Open && !b.channels.empty(); }));
  theirs = b.channels.front();
  world.run_for(1s);
}

bool SimPair::run_until(const std::function<bool()>& condition, Duration limit) {
  return world.run_until(condition, limit);
}

void SimPair::cut(bool is_cut) {
  for (const auto& [from, to] : {std::pair(kA, kB), std::pair(kB, kA)})
    world.link(from, to).config.cut = is_cut;
}

std::string take(const ChannelPtr& channel) {
  const auto packet = channel->get_packet();
  return packet ? std::string(as_text(*packet))
                : std::string("(") + std::string(name_of(packet.error().code())) + ")";
}

}  // namespace pollrtc::test
