#include "unit/api/connections.h"

#include "base/bytes.h"
#include "support/catch.h"

namespace pollrtc::test {

Configuration loopback() {
  Configuration configuration;
  configuration.include_loopback = true;
  return configuration;
}

Side::Side() : connection(std::make_unique<PeerConnection>()) {
  REQUIRE(connection->initialize(loopback()));
  listen();
}
Side::~Side() = default;

void Side::listen() {
  connection->session_description_created = [this](const std::string& type, const std::string& sdp) {
    log.push_back(type);
    const bool local = connection && connection->set_local_description(type, sdp);
    const bool remote =
        other != nullptr && other->connection && other->connection->set_remote_description(type, sdp);
    if (!on_signal) CHECK((local && remote));  // else it may have been closed by the handler under test
    did("description");
  };
  connection->ice_candidate_created = [this](const std::string& media, int index, const std::string& name) {
    log.push_back("candidate");
    if (other != nullptr && other->connection) (void)other->connection->add_ice_candidate(media, index, name);
    did("candidate");
  };
  connection->connection_state_changed = [this](ConnectionState state) {
    log.push_back(std::string(name_of(state)));
    did("state");
  };
  connection->data_channel_received = [this](ChannelPtr channel) {
    log.push_back("channel");
    watch(channel);
    channels.push_back(std::move(channel));
    did("channel");
  };
}

void Side::watch(const ChannelPtr& channel) {
  channel->opened = [this] { log.push_back("opened"), did("opened"); };
  channel->closed = [this] { log.push_back("closed"), did("closed"); };
  channel->message_received = [this] { log.push_back("message"), did("message"); };
  channel->buffered_amount_low = [this] { log.push_back("low"), did("low"); };
}

ChannelPtr Side::create(std::string_view label, const DataChannelOptions& options) {
  auto made = connection->create_data_channel(label, options);
  REQUIRE(made);
  watch(*made);
  channels.push_back(*made);
  return *made;
}

void Side::did(const std::string& signal) {
  if (on_signal) on_signal(signal);
}

TwoSides::TwoSides() {
  a.other = &b;
  b.other = &a;
}
TwoSides::~TwoSides() = default;

bool TwoSides::run_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    for (Side* side : {&a, &b})
      if (side->connection) CHECK(side->connection->wait(1ms));
  }
  return true;
}

void TwoSides::run_for(std::chrono::milliseconds time) {
  run_until([] { return false; }, time);
}

std::pair<ChannelPtr, ChannelPtr> TwoSides::connect(const DataChannelOptions& options) {
  const ChannelPtr ours = a.create("chat", options);
  REQUIRE(a.connection->create_offer());
  REQUIRE(run_until([&] { return ours->get_ready_state() == ChannelState::Open && !b.channels.empty(); }));
  return {ours, b.channels.front()};
}

std::string take(const ChannelPtr& channel) {
  const auto packet = channel->get_packet();
  return packet ? std::string(as_text(*packet))
                : std::string("(") + std::string(name_of(packet.error().code())) + ")";
}

}  // namespace pollrtc::test
