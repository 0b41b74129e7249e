// What docs/performance.md promises of long and lossy links, and of neighbours on them. The table is printed by long_links.cpp.
#include "sim/bottleneck.h"
#include "support/catch.h"

namespace pollrtc::sim {

using namespace std::chrono_literals;
using sctp::CongestionAlgorithm;

namespace {

FlowConfig flow_of(CongestionAlgorithm algorithm) {
  FlowConfig flow;
  flow.association.parameters = sctp::Parameters::over_watched_path();
  flow.association.parameters.congestion = algorithm;
  return flow;
}

// The share of what the link carries that a bulk transfer by the default controller gets, from its first packet on.
double use_of(const BottleneckConfig& link, Duration time, Duration poll_every = {}) {
  FlowConfig flow;
  flow.association.parameters = sctp::Parameters::over_watched_path();
  flow.poll_every = poll_every;
  Bottleneck bottleneck(link, {flow});
  bottleneck.run_until(time);
  return static_cast<double>(bottleneck.received(0)) / std::chrono::duration<double>(time).count() /
         bottleneck.payload_rate();
}

struct Shares {
  std::vector<double> of;
  double jain = 0;
};
Shares shares_of(const std::vector<CongestionAlgorithm>& algorithms, std::size_t queue_packets) {
  std::vector<FlowConfig> flows;
  for (const CongestionAlgorithm algorithm : algorithms) {
    flows.push_back(flow_of(algorithm));
    flows.back().begins = flows.size() * 200ms;
  }
  Bottleneck bottleneck({40e6, 40ms, 0, queue_packets}, flows);
  bottleneck.run_until(15s);
  Shares shares;
  for (std::size_t i = 0; i < flows.size(); ++i)
    shares.of.push_back(-static_cast<double>(bottleneck.received(i)));
  bottleneck.run_until(60s);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    shares.of[i] += static_cast<double>(bottleneck.received(i));
    sum += shares.of[i];
    squares += shares.of[i] * shares.of[i];
  }
  for (double& share : shares.of) share /= sum;
  shares.jain = sum * sum / (squares * static_cast<double>(flows.size()));
  return shares;
}

}  // namespace

TEST_CASE("20 ms at a gigabit") { CHECK(use_of({1e9, 20ms, 0, 2000}, 3s) >= 0.85); }

TEST_CASE("100 ms at 100 Mbit/s with a loss of 0.1 %") {
  CHECK(use_of({100e6, 100ms, 0.001, 1000}, 20s) >= 0.9);
}

TEST_CASE("50 ms at 50 Mbit/s with a loss of 1 %") {
  CHECK(use_of({50e6, 50ms, 0.01, 250}, 20s) >= 0.85);
  CHECK(use_of({50e6, 50ms, 0.01, 250}, 20s, 16667us) >= 0.85);  // a game that polls sixty times a second
}

// Rates are then measured a little too high, so that a queue of some milliseconds grows, and losses by chance are no sign that
// it overflows.
TEST_CASE(
    "50 ms at 50 Mbit/s with a loss of 1 %, between hosts that handle packets a millisecond's worth at a "
    "time") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    BottleneckConfig link{50e6, 50ms, 0.01, 250, seed};
    link.back_every = 1ms;
    CHECK(use_of(link, 20s, 1ms) >= 0.93);
  }
}

TEST_CASE("300 ms at 20 Mbit/s with a queue of 50 packets") {
  CHECK(use_of({20e6, 300ms, 0, 50}, 40s) >= 0.85);
}

TEST_CASE("a queue ten times deeper is not filled") {
  for (const BottleneckConfig& link : std::initializer_list<BottleneckConfig>{
           {100e6, 100ms, 0.001, 10000}, {50e6, 50ms, 0.01, 2500}, {20e6, 300ms, 0, 500}}) {
    FlowConfig flow;
    flow.association.parameters = sctp::Parameters::over_watched_path();
    Bottleneck bottleneck(link, {flow});
    bottleneck.run_until(5s);
    const std::uint64_t before = bottleneck.received(0);
    bottleneck.take_waits();
    bottleneck.run_until(20s);
    CHECK(static_cast<double>(bottleneck.received(0) - before) / 15 >= 0.9 * bottleneck.payload_rate());
    CHECK(bottleneck.take_waits().mean < 25);
  }
}

TEST_CASE("four equal flows get equal shares, whatever the queue holds") {
  constexpr auto kModel = CongestionAlgorithm::Model;
  for (const std::size_t queue : {64u, 167u, 500u})
    CHECK(shares_of({kModel, kModel, kModel, kModel}, queue).jain >= 0.9);
}

TEST_CASE("a flow that sends by CUBIC keeps its share beside one of ours") {
  for (const CongestionAlgorithm ours : {CongestionAlgorithm::Model, CongestionAlgorithm::LowLatency})
    for (const std::size_t queue : {64u, 167u, 500u})
      CHECK(shares_of({CongestionAlgorithm::Cubic, ours}, queue).of[0] >= 0.35);
}

TEST_CASE(
    "with low latency as the goal a small message beside a bulk transfer waits less than 30 ms in the "
    "queue") {
  for (const BottleneckConfig& link : std::initializer_list<BottleneckConfig>{
           {10e6, 10ms, 0, 200}, {50e6, 50ms, 0, 2500}, {2e6, 40ms, 0, 100}, {100e6, 100ms, 0, 10000}}) {
    FlowConfig flow = flow_of(CongestionAlgorithm::LowLatency);
    flow.ping_every = 20ms;
    Bottleneck bottleneck(link, {flow});
    bottleneck.run_until(20s);
    const auto delays = bottleneck.take_ping_delays(0);
    REQUIRE(delays.size() > 900);
    CHECK(delays[delays.size() * 99 / 100] < 30);
    CHECK(bottleneck.take_waits().most < 60);  // the first window, before anything is known
    CHECK(static_cast<double>(bottleneck.received(0)) / 20 >= 0.8 * bottleneck.payload_rate());
  }
}

}  // namespace pollrtc::sim
