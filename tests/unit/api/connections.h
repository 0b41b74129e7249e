// Two PeerConnections on the loopback interface, with real sockets and the system's clock: signalling goes straight from
// one's signals to the other's calls. Nothing sleeps but wait(), and no test waits longer than its limit.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pollrtc/peer_connection.h"

namespace pollrtc::test {

using namespace std::chrono_literals;
using ChannelPtr = std::shared_ptr<DataChannel>;

Configuration loopback();

struct Side {
  Side();
  ~Side();
  // Sets the handlers; needed again for a fresh connection.
  void listen();
  void watch(const ChannelPtr& channel);
  ChannelPtr create(std::string_view label = "chat", const DataChannelOptions& options = {});
  void did(const std::string& signal);

  std::unique_ptr<PeerConnection> connection;
  Side* other = nullptr;
  std::vector<ChannelPtr> channels;
  std::vector<std::string> log;
  std::function<void(const std::string& signal)> on_signal;  // from inside the handler
};

struct TwoSides {
  TwoSides();
  ~TwoSides();
  // Polls both until the condition holds.
  bool run_until(const std::function<bool()>& condition, std::chrono::milliseconds limit = 10s);
  void run_for(std::chrono::milliseconds time);
  // A channel of a's, open at both ends.
  std::pair<ChannelPtr, ChannelPtr> connect(const DataChannelOptions& options = {});

  Side a, b;
};

std::string take(const ChannelPtr& channel);

}  // namespace pollrtc::test
