// What an association makes of long and lossy links, alone and beside others, in virtual time: one table on the output.
//   ./run bench links [controller ...]
//   long_links exam CONTROLLER [group [links [series]]]: the marks of link_exam.h
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/bottleneck.h"
#include "sim/link_exam.h"

using namespace pollrtc;
using namespace std::chrono_literals;
using sctp::CongestionAlgorithm;

namespace {

struct Row {
  const char* name;
  double mbit;
  Duration round_trip;
  double loss;
  std::size_t queue;
  Duration time;
};
constexpr Row kRows[] = {
    {"20 ms, 1 Gbit/s", 1000, 20ms, 0, 2000, 5s},
    {"100 ms, 0.1 %, 100 Mbit/s", 100, 100ms, 0.001, 1000, 20s},
    {"50 ms, 1 %, 50 Mbit/s", 50, 50ms, 0.01, 250, 20s},
    {"50 ms, 2 %, 50 Mbit/s", 50, 50ms, 0.02, 250, 20s},
    {"300 ms, 20 Mbit/s, queue 50", 20, 300ms, 0, 50, 30s},
    {"the same, queue 500", 20, 300ms, 0, 500, 30s},
    {"100 ms, 0.1 %, queue 10000", 100, 100ms, 0.001, 10000, 20s},
    {"50 ms, 1 %, queue 2500", 50, 50ms, 0.01, 2500, 20s},
    {"10 ms, 10 Mbit/s, queue 20", 10, 10ms, 0, 20, 20s},
    {"40 ms, 2 Mbit/s, queue 100", 2, 40ms, 0, 100, 30s},
};

struct Named {
  const char* name;
  CongestionAlgorithm algorithm;
};
constexpr Named kControllers[] = {{"reno", CongestionAlgorithm::NewReno},
                                  {"cubic", CongestionAlgorithm::Cubic},
                                  {"model", CongestionAlgorithm::Model},
                                  {"latency", CongestionAlgorithm::LowLatency}};

sim::FlowConfig flow_of(CongestionAlgorithm algorithm) {
  sim::FlowConfig flow;
  flow.association.parameters = sctp::Parameters::over_watched_path();
  flow.association.parameters.congestion = algorithm;
  return flow;
}

void alone(const Row& row, const Named& controller, Duration poll_every) {
  sim::FlowConfig flow = flow_of(controller.algorithm);
  flow.ping_every = 20ms;
  flow.poll_every = poll_every;
  sim::Bottleneck b({row.mbit * 1e6, row.round_trip, row.loss, row.queue}, {flow});
  b.run_until(2s);
  const std::uint64_t early = b.received(0);
  b.take_waits();
  b.take_ping_delays(0);
  b.run_until(row.time);
  const double rate = b.payload_rate();
  const double all = static_cast<double>(b.received(0)) / std::chrono::duration<double>(row.time).count();
  const double late =
      static_cast<double>(b.received(0) - early) / std::chrono::duration<double>(row.time - 2s).count();
  const auto pings = b.take_ping_delays(0);
  const auto waits = b.take_waits();
  std::printf("%-30s %-8s %6.1f %% %6.1f %%   %7.1f %7.1f %7.1f   %7.1f   %llu/%llu\n", row.name,
              controller.name, 100 * all / rate, 100 * late / rate, waits.mean, waits.p95, waits.most,
              pings.empty() ? 0 : pings[pings.size() * 95 / 100],
              static_cast<unsigned long long>(b.dropped()),
              static_cast<unsigned long long>(b.stats(0).retransmissions));
}

void together(const char* name, double mbit, Duration round_trip, std::size_t queue,
              const std::vector<CongestionAlgorithm>& algorithms, Duration time) {
  std::vector<sim::FlowConfig> flows;
  for (const CongestionAlgorithm algorithm : algorithms) {
    flows.push_back(flow_of(algorithm));
    flows.back().begins = flows.size() * 200ms;
  }
  sim::Bottleneck b({mbit * 1e6, round_trip, 0, queue}, flows);
  b.run_until(time / 4);
  std::vector<double> shares;
  for (std::size_t i = 0; i < flows.size(); ++i) shares.push_back(-static_cast<double>(b.received(i)));
  b.run_until(time);
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    shares[i] += static_cast<double>(b.received(i));
    sum += shares[i];
    squares += shares[i] * shares[i];
  }
  std::printf("%-44s Jain %.3f  use %5.1f %%  shares", name,
              sum * sum / (squares * static_cast<double>(flows.size())),
              100 * sum / std::chrono::duration<double>(time * 3 / 4).count() / b.payload_rate());
  for (const double share : shares) std::printf(" %4.1f %%", 100 * share / sum);
  std::printf("\n");
}

void print(const char* what, const sim::Marks& marks) {
  std::size_t failed = 0;
  for (const sim::Mark& mark : marks) failed += !mark.passes();
  std::printf("%s: %zu of %zu marks failed\n", what, failed, marks.size());
  for (const sim::Mark& mark : marks)
    std::printf("  %s %9.3f  %s\n", mark.passes() ? "    " : "FAIL", mark.figure, mark.what.c_str());
}

// The groups whose name begins so; all when it is empty.
void exam(CongestionAlgorithm algorithm, std::string_view wanted, int links, std::uint64_t series) {
  const auto group = [&](const char* name, auto&& run) {
    if (std::string_view(name).substr(0, wanted.size()) == wanted) print(name, run());
  };
  group("alone", [&] { return sim::exam_alone(algorithm, links, series); });
  for (const std::size_t flows : {2u, 4u, 8u})
    group(("equal" + std::to_string(flows)).c_str(),
          [&] { return sim::exam_equal(algorithm, flows, links, series); });
  for (const std::size_t flows : {1u, 4u})
    group(("cubic" + std::to_string(flows)).c_str(),
          [&] { return sim::exam_beside_cubic(algorithm, flows, links, series); });
  group("unequal", [&] { return sim::exam_unequal(algorithm); });
  group("changes", [&] { return sim::exam_changes(algorithm); });
  group("disturbances", [&] { return sim::exam_disturbances(algorithm, series); });
  group("latency", [&] { return sim::exam_latency(algorithm, links, series); });
  group("bundled latency", [&] { return sim::exam_latency_disturbed(algorithm); });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::strcmp(argv[1], "exam") == 0) {
    for (const Named& controller : kControllers)
      if (std::strcmp(argv[2], controller.name) == 0)
        exam(controller.algorithm, argc > 3 ? argv[3] : "", argc > 4 ? std::atoi(argv[4]) : 12,
             argc > 5 ? std::strtoull(argv[5], nullptr, 10) : 0);
    return 0;
  }
  const auto is_wanted = [&](const char* name) {
    for (int i = 1; i < argc; ++i)
      if (std::strcmp(argv[i], name) == 0) return true;
    return argc == 1;
  };
  std::printf("%-30s %-8s %8s %8s   %-23s   %7s   %s\n", "link", "", "all", "after 2s",
              "  queue ms: mean, p95, max", "ping 95", "dropped/sent again");
  const bool only_fair = is_wanted("fair") && argc > 1;
  for (const Row& row : kRows)
    for (const Named& controller : kControllers)
      if (!only_fair && is_wanted(controller.name)) alone(row, controller, Duration::zero());
  std::printf("polled 60 times a second\n");
  for (const Named& controller : kControllers)
    if (is_wanted(controller.name)) alone(kRows[2], controller, 16667us);
  using enum CongestionAlgorithm;
  const auto fair = [](const char* what, const std::vector<CongestionAlgorithm>& algorithms) {
    for (const std::size_t queue : {64u, 167u, 500u}) {
      const std::string name = std::string(what) + ", queue " + std::to_string(queue);
      together(name.c_str(), 40, 40ms, queue, algorithms, 60s);
    }
  };
  for (const Named& c : kControllers)
    if (is_wanted(c.name)) {
      fair((std::string("4 x ") + c.name).c_str(), {c.algorithm, c.algorithm, c.algorithm, c.algorithm});
      if (c.algorithm != Cubic) fair((std::string("cubic, ") + c.name).c_str(), {Cubic, c.algorithm});
    }
}
