#include "sim/link_exam.h"

#include <cmath>

#include "sim/bottleneck.h"
#include "sim/random.h"

namespace pollrtc::sim {

using namespace std::chrono_literals;
using sctp::CongestionAlgorithm;

namespace {

constexpr double kAny = 1e9;  // no bound
constexpr double kFullPacket = 1253;

struct Link {
  BottleneckConfig config;
  double holds;  // of the path, in queues
  std::string name;
};

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

std::string format(const char* pattern, double a, double b, double c, double d) {
  char text[100];
  std::snprintf(text, sizeof text, pattern, a, b, c, d);
  return text;
}

Link link_of(double mbit, Duration round_trip, double loss, double queue) {
  const double packets = std::ceil(mbit * 1e6 / 8 * seconds(round_trip) * queue / kFullPacket);
  Link link;
  link.config.bits_per_second = mbit * 1e6;
  link.config.round_trip = round_trip;
  link.config.loss = loss;
  link.config.queue_packets = std::max<std::size_t>(static_cast<std::size_t>(packets), 8);
  link.holds = queue;
  link.name = format("%.0f Mbit/s, %.0f ms, %.1f %%, queue %.2f", mbit, 1000 * seconds(round_trip),
                     100 * loss, queue);
  return link;
}

// Of 100 packets.
double sent_again(const sctp::AssociationStats& stats) {
  return 100 * static_cast<double>(stats.retransmissions) / static_cast<double>(stats.packets_out);
}

Random random_of(std::uint64_t group, std::uint64_t series) { return Random(group + 10 * series); }

Link draw(Random& random, bool lossy, double fastest) {
  const auto between = [&](double low, double high) { return low * std::pow(high / low, random.real()); };
  constexpr double kLosses[] = {0, 0.001, 0.01, 0.02};
  const double loss = kLosses[random.below(4)];
  for (;;) {
    const double mbit = between(2, fastest), queue = between(0.25, 8);
    const Duration round_trip = Duration(static_cast<Duration::rep>(1000 * between(5, 300)));
    // Windows up to the receive buffer, with room for the model to look for more.
    if (mbit * 1e6 / 8 * seconds(round_trip) > 6e6) continue;
    Link link = link_of(mbit, round_trip, lossy ? loss : 0, queue);
    link.config.seed = random.below(1000) + 1;
    return link;
  }
}

FlowConfig flow_of(CongestionAlgorithm algorithm) {
  FlowConfig flow;
  flow.association.parameters = sctp::Parameters::over_watched_path();
  // HEARTBEATs share a flow's random numbers with its model. The marks are judged with these draws; with others some fall
  // below theirs (docs/performance.md).
  flow.association.parameters.heartbeat_when_idle = true;
  flow.association.parameters.congestion = algorithm;
  // It is the controller that is examined: the window that suffices by default would be too small for some of the links.
  flow.limits.sctp_rx_window_max = 16 * 1024 * 1024;
  return flow;
}

// What arrived of each flow in a span of time.
class Shares {
 public:
  Shares(Bottleneck& bottleneck, Duration from, Duration to) {
    bottleneck.run_until(from);
    bottleneck.take_waits();
    for (std::size_t i = 0; i < bottleneck.flows(); ++i)
      of_.push_back(-static_cast<double>(bottleneck.received(i)));
    bottleneck.run_until(to);
    for (std::size_t i = 0; i < of_.size(); ++i) of_[i] += static_cast<double>(bottleneck.received(i));
    for (const double bytes : of_) sum_ += bytes;
    rate_ = sum_ / seconds(to - from);
    use_ = rate_ / bottleneck.payload_rate();
  }
  double use() const { return use_; }
  double rate() const { return rate_; }  // bytes a second
  double of(std::size_t flow) const { return of_[flow] / sum_; }
  double jain() const {
    double squares = 0;
    for (const double bytes : of_) squares += bytes * bytes;
    return sum_ * sum_ / (squares * static_cast<double>(of_.size()));
  }
  double least() const {
    double least = 1;
    for (std::size_t i = 0; i < of_.size(); ++i) least = std::min(least, of(i));
    return least;
  }

 private:
  std::vector<double> of_;
  double sum_ = 0, rate_ = 0, use_ = 0;
};

}  // namespace

Marks exam_alone(CongestionAlgorithm algorithm, int links, std::uint64_t series) {
  Marks marks;
  Random random = random_of(1, series);
  for (int i = 0; i < links; ++i) {
    const Link link = draw(random, true, 500);
    Bottleneck bottleneck(link.config, {flow_of(algorithm)});
    const Shares shares(bottleneck, 5s, 25s);
    marks.push_back({link.name + ": use", shares.use(), link.config.loss < 0.02 ? 0.85 : 0.75, 1.01});
    const double holds = 1000 * seconds(link.config.round_trip);
    marks.push_back({link.name + ": mean queue, ms", bottleneck.take_waits().mean, 0, 20 + holds / 2});
  }
  return marks;
}

Marks exam_equal(CongestionAlgorithm algorithm, std::size_t flows, int links, std::uint64_t series) {
  Marks marks;
  Random random = random_of(2, series);
  for (int i = 0; i < links; ++i) {
    const Link link = draw(random, false, 200);
    std::vector<FlowConfig> configs(flows, flow_of(algorithm));
    for (std::size_t k = 1; k < flows; ++k) configs[k].begins = configs[k - 1].begins + random.up_to(2s);
    Bottleneck bottleneck(link.config, configs);
    const Duration from = 20s + 100 * link.config.round_trip;  // steps are taken by round trips
    const Shares shares(bottleneck, from, from + 40s);
    // Of megabytes in flight each step is a small part: there shares take minutes.
    const bool is_vast = link.config.bits_per_second / 8 * seconds(link.config.round_trip) > 2e6;
    marks.push_back({link.name + ": Jain", shares.jain(), is_vast ? 0.45 : flows == 4 ? 0.9 : 0.8, 1});
    marks.push_back({link.name + ": use", shares.use(), 0.85, 1.01});
    const double most = 60 + 2000 * seconds(link.config.round_trip);
    marks.push_back({link.name + ": mean queue, ms", bottleneck.take_waits().mean, 0, most});
  }
  return marks;
}

Marks exam_beside_cubic(CongestionAlgorithm algorithm, std::size_t flows, int links, std::uint64_t series) {
  Marks marks;
  Random random = random_of(3, series);
  for (int i = 0; i < links; ++i) {
    const Link link = draw(random, false, 200);
    std::vector<FlowConfig> configs(flows + 1, flow_of(algorithm));
    configs[0].association.parameters.congestion = CongestionAlgorithm::Cubic;
    for (std::size_t k = 1; k <= flows; ++k) configs[k].begins = configs[k - 1].begins + random.up_to(1s);
    Bottleneck bottleneck(link.config, configs);
    const Shares shares(bottleneck, 20s, 60s);
    marks.push_back({link.name + ": CUBIC's share", shares.of(0), flows == 1 ? 0.35 : 0.04, 1});
    marks.push_back({link.name + ": use", shares.use(), 0.85, 1.01});
  }
  return marks;
}

Marks exam_unequal(CongestionAlgorithm algorithm) {
  Marks marks;
  for (const double queue : {0.5, 1.0, 4.0}) {
    const Link link = link_of(40, 20ms, 0, queue);
    std::vector<FlowConfig> flows(2, flow_of(algorithm));
    flows[1].longer = 60ms;
    Bottleneck far(link.config, flows);
    marks.push_back({link.name + ": least share, 20 beside 80 ms", Shares(far, 20s, 60s).least(), 0.2, 1});

    flows.assign(4, flow_of(algorithm));
    flows[0].message = 200;
    flows[1].message = 1000;
    flows[2].message = 5000;
    flows[3].message = 65536;
    Bottleneck sizes(link.config, flows);
    marks.push_back({link.name + ": Jain, messages of 200 to 65536", Shares(sizes, 20s, 60s).jain(), 0.9, 1});

    flows.assign(2, flow_of(algorithm));
    flows[0].limited_to = 8e6;
    Bottleneck limited(link.config, flows);
    const Shares shares(limited, 20s, 60s);
    marks.push_back(
        {link.name + ": of its 8 Mbit/s a flow gets", shares.of(0) * shares.rate() * 8 / 8e6, 0.9, 1.1});
    marks.push_back({link.name + ": use, with that one", shares.use(), 0.8, 1.01});
  }
  return marks;
}

Marks exam_changes(CongestionAlgorithm algorithm) {
  Marks marks;
  for (const double queue : {0.5, 1.0, 4.0}) {
    const Link link = link_of(50, 40ms, 0, queue);
    Bottleneck rate(link.config, {flow_of(algorithm)});
    rate.run_until(10s);
    rate.change(5e6, 40ms);
    const Shares slow(rate, 15s, 25s);
    marks.push_back({link.name + ": use, 5 s after a tenth of the rate", slow.use(), 0.85, 1.1});
    marks.push_back({link.name + ": mean queue then, ms", rate.take_waits().mean, 0, 100});
    rate.change(50e6, 40ms);
    marks.push_back({link.name + ": use, 5 s after it is back", Shares(rate, 30s, 40s).use(), 0.85, 1.01});

    for (const Duration other : {Duration(10ms), Duration(160ms)}) {
      for (const bool told : {true, false}) {
        Bottleneck path(link.config, {flow_of(algorithm)});
        path.run_until(10s);
        if (told) {
          path.change_path(0, 50e6, other);
        } else {
          path.change(50e6, other);
        }
        marks.push_back({link.name + format(told ? ": use, 3 s after a path of %.0f ms"
                                                 : ": use, 15 s after a silent change to %.0f ms",
                                            1000 * seconds(other), 0, 0, 0),
                         Shares(path, told ? 13s : 25s, told ? 23s : 35s).use(), 0.85, 1.01});
      }
    }
    for (const Duration pause : {Duration(500ms), Duration(3s), Duration(30s)}) {
      Bottleneck idle(link.config, {flow_of(algorithm)});
      idle.run_until(10s);
      idle.pause(0, true);
      idle.run_until(10s + pause);
      idle.take_waits();
      idle.pause(0, false);
      idle.run_until(10s + pause + 30ms);
      marks.push_back({link.name + format(": longest wait in the round trip after %.1f s idle, ms",
                                          seconds(pause), 0, 0, 0),
                       idle.take_waits().most, 0, 10});
      marks.push_back({link.name + format(": use, 1 s after %.1f s idle", seconds(pause), 0, 0, 0),
                       Shares(idle, 11s + pause, 16s + pause).use(), 0.85, 1.01});
    }
  }
  return marks;
}

Marks exam_disturbances(CongestionAlgorithm algorithm, std::uint64_t series) {
  Marks marks;
  Random random = random_of(5, series);
  const auto near = [&](double figure) {
    return series == 0 ? figure : figure * (0.7 + 0.6 * random.real());
  };
  const auto use = [&](Link link, const char* what, double least) {
    link.config.seed = 7 + series;
    Bottleneck bottleneck(link.config, {flow_of(algorithm)});
    marks.push_back({link.name + ": use, " + what, Shares(bottleneck, 5s, 25s).use(), least, 1.01});
    return bottleneck.stats(0);
  };
  for (const Duration round_number : {Duration(20ms), Duration(100ms)}) {
    const Duration round_trip(static_cast<Duration::rep>(near(static_cast<double>(round_number.count()))));
    for (const double round_rate : {10.0, 100.0}) {
      const double mbit = near(round_rate);
      Link link = link_of(mbit, round_trip, 0, 1);
      link.config.loss_back = 0.1;
      use(link, "10 % of acknowledgements lost", 0.85);
      link.config.loss_back = 0.4;
      use(link, "40 % of acknowledgements lost", 0.85);
      link.config.loss_back = 0;
      link.config.back_every = 10ms;
      use(link, "acknowledgements every 10 ms", 0.85);
      link.config.back_every = 40ms;
      use(link, "acknowledgements every 40 ms", 0.85);
      link.config.back_every = {};
      link.config.jitter = 30ms;
      // What comes later than a whole round trip is sent again, by any rule of RFC 8985.
      const bool is_late = round_trip < link.config.jitter;
      const auto stats = use(link, "30 ms of jitter", is_late ? 0.65 : 0.85);
      marks.push_back(
          {link.name + ": sent again by jitter, of 100", sent_again(stats), 0, is_late ? 5.0 : 2.0});
      link.config.loss = 0.01;
      use(link, "30 ms of jitter and 1 % lost", is_late ? 0.3 : 0.85);
    }
    for (const double burst : {16e3, 64e3, 256e3}) {
      Link link = link_of(100, round_trip, 0, 1);
      link.config.policed_bits = 10e6;
      link.config.policed_burst = static_cast<std::size_t>(burst);
      Bottleneck bottleneck(link.config, {flow_of(algorithm)});
      const Shares shares(bottleneck, 5s, 25s);
      const std::string name = link.name + format(", policed to 10 Mbit/s, %.0f kB", burst / 1000, 0, 0, 0);
      marks.push_back({name + ": use", shares.use() * 10, 0.75, 1.01});
      marks.push_back({name + ": dropped, of 100",
                       100 * static_cast<double>(bottleneck.dropped()) /
                           static_cast<double>(bottleneck.stats(0).packets_out),
                       0, 10});
    }
  }
  // Chance, where each round trip has a wait in it that is no queue's.
  Link bundled = link_of(near(100), 5ms, 0.01, 8);
  bundled.config.back_every = 10ms;
  use(bundled, "acknowledgements every 10 ms", 0.6);
  Link late = link_of(near(20), 5ms, 0.01, 8);
  late.config.read_every = 16667us;
  late.config.socket_packets = 200;
  late.config.acks_reads = true;
  use(late, "a socket read and acknowledged 60 times a second", 0.85);
  // A browser comes to its socket every few milliseconds, a game once a frame, and what finds no room there until then is lost:
  // the path itself is never full.
  for (const bool acks_reads : {false, true}) {
    for (const Duration every : {Duration(3ms), Duration(10ms)}) {
      Link link = link_of(1000, 500us, 0, 4);
      link.config.read_every = every;
      link.config.socket_packets = static_cast<std::size_t>(near(100));
      link.config.acks_reads = acks_reads;
      Bottleneck bottleneck(link.config, {flow_of(algorithm)});
      const Shares shares(bottleneck, 5s, 15s);
      const auto packets = static_cast<double>(link.config.socket_packets);
      const double payload = bottleneck.payload_rate() * 8 / link.config.bits_per_second * kFullPacket;
      const std::string name =
          format(acks_reads ? "a socket of %.0f packets read and acknowledged every %.0f ms"
                            : "a socket of %.0f packets read every %.0f ms",
                 packets, 1000 * seconds(every), 0, 0);
      marks.push_back(
          {name + ": use of it", shares.rate() * seconds(every) / (packets * payload), 0.7, 1.01});
      marks.push_back({name + ": sent again, of 100", sent_again(bottleneck.stats(0)), 0, 5});
    }
  }
  return marks;
}

Marks exam_latency(CongestionAlgorithm algorithm, int links, std::uint64_t series) {
  Marks marks;
  Random random = random_of(4, series);
  for (int i = 0; i < links; ++i) {
    const Link link = draw(random, i % 2 != 0, 200);
    FlowConfig flow = flow_of(algorithm);
    flow.ping_every = 20ms;
    Bottleneck bottleneck(link.config, {flow});
    const Duration from = 3s + 30 * link.config.round_trip;
    bottleneck.run_until(from);
    bottleneck.take_ping_delays(0);
    const Shares shares(bottleneck, from, from + 30s);
    marks.push_back({link.name + ": use", shares.use(), 0.75, 1.01});
    const auto waits = bottleneck.take_waits();
    marks.push_back({link.name + ": queue, 95 of 100, ms", waits.p95, 0, 30});
    marks.push_back({link.name + ": longest wait in the queue, ms", waits.most, 0, kAny});
    const auto delays = bottleneck.take_ping_delays(0);
    const double packet = kFullPacket * 8e3 / link.config.bits_per_second;
    const double wait = delays.empty() ? kAny : delays[delays.size() * 99 / 100];
    marks.push_back({link.name + ": a small message, 99 of 100, ms", wait, 0,
                     link.config.loss == 0 ? 30 + 2 * packet : kAny});
  }
  return marks;
}

Marks exam_latency_disturbed(CongestionAlgorithm algorithm) {
  Marks marks;
  for (const Duration round_trip : {Duration(20ms), Duration(100ms)}) {
    for (const double mbit : {10.0, 100.0}) {
      const auto examine = [&](const Link& link, const FlowConfig& flow, const char* how, double least) {
        Bottleneck bottleneck(link.config, {flow});
        marks.push_back({link.name + ": use, " + how, Shares(bottleneck, 5s, 25s).use(), least, 1.01});
        marks.push_back({link.name + ": queue, 95 of 100, ms, " + how, bottleneck.take_waits().p95, 0, 30});
      };
      FlowConfig polled = flow_of(algorithm);
      polled.poll_every = 16667us;
      Link link = link_of(mbit, round_trip, 0, 8);
      examine(link, polled, "polled 60 times a second", 0.9);
      link = link_of(mbit, round_trip, 0, 1);
      link.config.seed = 7;
      link.config.back_every = 10ms;
      examine(link, flow_of(algorithm), "acknowledgements every 10 ms", 0.65);
      link.config.back_every = {};
      link.config.jitter = 30ms;
      examine(link, flow_of(algorithm), "30 ms of jitter", 0.4);
    }
  }
  return marks;
}

}  // namespace pollrtc::sim
