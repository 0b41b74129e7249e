// CUBIC, HyStart++ and the path model, each against its document, fed with acknowledgements made by hand or by a pipe of known
// rate and delay.
#include <deque>
#include <vector>

#include "sctp/congestion_choice.h"
#include "support/catch.h"

namespace pollrtc::sctp {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t kP = 1000;  // PMDCS

AckedBytes acked(std::size_t bytes, std::size_t flight, Duration rtt = 50ms) {
  AckedBytes a;
  a.newly_acked = bytes;
  a.flight_before = flight;
  a.flight_after = flight - std::min(flight, bytes);
  a.rtt = rtt;
  return a;
}

// A CUBIC window of `packets` that has just met a loss.
CubicController cubic_after_loss(std::size_t packets) {
  CubicController c(kP);
  while (c.cwnd() < packets * kP) c.on_ack(Time{}, acked(kP, c.cwnd()));
  c.on_fast_retransmit();
  return c;
}

// A controller over a pipe: a rate, a delay, a queue that drops at its tail; every `lose` th packet is lost beside that.
template <class Controller>
struct Pipe {
  Controller controller;
  std::uint64_t rate;  // bytes a second
  Duration delay;
  std::size_t queue_bytes;
  int lose = 0;
  Duration every = Duration(1);  // acknowledgements come together, so often

  Time now{};
  Time free_at{};
  Time next_send{};
  std::size_t flight = 0, longest_queue = 0;
  std::uint64_t arrived = 0;
  int sent = 0;
  DeliveryRate delivery;
  struct Packet {
    Time back;
    SentPacket record;
    bool lost;
  };
  std::deque<Packet> packets;

  void run(Duration time) {
    for (const Time end = now + time; now < end;) {
      const std::uint64_t pace = controller.pacing_rate(delay);
      const bool may_send = flight < controller.cwnd();
      const Time send_at = may_send ? std::max(now, next_send) : kNever;
      const Time ack_at = packets.empty() ? kNever : packets.front().back;
      now = std::min(send_at, ack_at);
      if (ack_at <= send_at) {
        acknowledge();
      } else {
        send(pace);
      }
    }
  }
  void send(std::uint64_t pace) {
    const auto time_of = [](std::uint64_t bytes, std::uint64_t per_second) {
      return Duration(static_cast<Duration::rep>(bytes * 1'000'000 / per_second));
    };
    SentPacket record = delivery.on_sent(now, flight == 0);
    flight += kP;
    record.in_flight = flight;
    if (pace != 0) next_send = std::max(now, next_send) + time_of(kP, pace);
    const Time begin = std::max(now, free_at);
    const auto queued =
        static_cast<std::size_t>(static_cast<std::uint64_t>((begin - now).count()) * rate / 1'000'000);
    longest_queue = std::max(longest_queue, queued);
    const bool lost = queued > queue_bytes || (lose != 0 && ++sent % lose == 0);
    if (queued <= queue_bytes) free_at = begin + time_of(kP, rate);
    const Duration back = (free_at - Time{} + delay + every - Duration(1)) / every * every;
    packets.push_back({Time{} + back, record, lost});
  }
  void acknowledge() {
    const Packet packet = packets.front();
    packets.pop_front();
    if (packet.lost) {
      flight -= kP;
      delivery.on_lost(kP);
      controller.on_fast_retransmit();
      return;
    }
    arrived += kP;
    delivery.on_delivered(now, kP);
    AckedBytes a = acked(kP, flight, now - packet.record.sent_at);
    flight -= kP;
    a.delivered = delivery.delivered();
    a.rate = delivery.sample(now, packet.record, delay);
    controller.on_ack(now, a);
  }
  // Of the rate, in the next so many seconds.
  double use(Duration time) {
    const std::uint64_t before = arrived;
    run(time);
    return static_cast<double>(arrived - before) /
           (static_cast<double>(rate) * std::chrono::duration<double>(time).count());
  }
};
using ModelPipe = Pipe<PathModel>;
}  // namespace

TEST_CASE("HyStart++ leaves slow start by way of five slower rounds when the round trip grows") {
  HyStart h;
  const auto round = [&h](Duration rtt) {
    h.on_round_start();
    for (int i = 0; i < HyStart::kSamples; ++i) h.on_rtt(rtt);
  };
  round(40ms);
  round(44ms);  // the threshold is an eighth of 40 ms
  CHECK(h.growth_divisor() == 1);
  round(49500us);
  CHECK(h.growth_divisor() == HyStart::kGrowthDivisor);
  for (int i = 0; i < 4; ++i) round(52ms);
  CHECK_FALSE(h.is_done());
  round(52ms);
  CHECK(h.is_done());
}

TEST_CASE("HyStart++ goes back to slow start when the round trip comes down again, and needs eight samples") {
  HyStart h;
  const auto round = [&h](Duration rtt, int samples = HyStart::kSamples) {
    h.on_round_start();
    for (int i = 0; i < samples; ++i) h.on_rtt(rtt);
  };
  round(40ms);
  round(60ms, HyStart::kSamples - 1);
  CHECK(h.growth_divisor() == 1);
  round(40ms);
  round(60ms);
  CHECK(h.growth_divisor() == 4);
  round(59ms);
  CHECK(h.growth_divisor() == 1);
  CHECK_FALSE(h.is_done());
}

TEST_CASE("the thresholds of HyStart++ are 4 ms and 16 ms at least and at most") {
  const auto divisor = [](Duration first, Duration second) {
    HyStart h;
    for (const Duration rtt : std::initializer_list<Duration>{first, second}) {
      h.on_round_start();
      for (int i = 0; i < HyStart::kSamples; ++i) h.on_rtt(rtt);
    }
    return h.growth_divisor();
  };
  CHECK(divisor(8ms, 11900us) == 1);
  CHECK(divisor(8ms, 12ms) == 4);
  CHECK(divisor(400ms, 415ms) == 1);
  CHECK(divisor(400ms, 416ms) == 4);
}

TEST_CASE("CUBIC cuts to seven tenths, and gives up room when it had to cut below the last maximum") {
  CubicController c = cubic_after_loss(100);
  CHECK(c.cwnd() == 70 * kP);
  CHECK(c.ssthresh() == 70 * kP);
  c.on_ack(Time{}, acked(kP, c.cwnd()));
  c.on_fast_retransmit();  // fast convergence: the next maximum is 85 % of where this one was met
  CHECK(c.cwnd() == Approx(49 * kP).epsilon(0.01));
  c.on_ack(Time{}, acked(kP, c.cwnd()));
  CHECK(c.curve(std::chrono::minutes(0)) == Approx(49 * kP).epsilon(0.02));
}

TEST_CASE("the curve of CUBIC reaches the old maximum after K and rises beyond it") {
  CubicController c = cubic_after_loss(1000);
  c.on_ack(Time{}, acked(1, c.cwnd()));
  // K = cbrt(300 packets / 0.4) = 9.086 s
  CHECK(c.curve(9086ms) == Approx(1000 * kP).epsilon(0.001));
  CHECK(c.curve(0ms) == Approx(700 * kP).epsilon(0.001));
  CHECK(c.curve(4543ms) == Approx(962.5 * kP).epsilon(0.001));
  CHECK(c.curve(11086ms) == Approx(1003.2 * kP).epsilon(0.001));
  CHECK(c.curve(std::chrono::hours(10)) > 1000 * kP);
}

TEST_CASE("CUBIC follows the curve whatever the round trip is") {
  for (const Duration rtt : std::initializer_list<Duration>{20ms, 200ms}) {
    CubicController c = cubic_after_loss(1000);
    for (Time now{}; now < Time(9086ms); now += rtt)
      for (std::size_t left = c.cwnd() / (10 * kP); left != 0; --left)
        c.on_ack(now, acked(10 * kP, c.cwnd(), rtt));
    CHECK(c.cwnd() >= 990 * kP);
    if (rtt == 200ms) CHECK(c.cwnd() <= 1010 * kP);
  }
}

TEST_CASE("on short paths CUBIC grows at least as Reno would") {
  CubicController c = cubic_after_loss(20);
  REQUIRE(c.cwnd() == 14 * kP);
  for (Time now{}; now < Time(200ms); now += 2ms)
    for (std::size_t left = c.cwnd() / kP; left != 0; --left) c.on_ack(now, acked(kP, c.cwnd(), 2ms));
  CHECK(c.cwnd() >= (14 + 53) * kP);  // half a packet in each of 100 round trips
}

TEST_CASE("CUBIC does not grow a window that is not used, nor in a recovery") {
  CubicController c = cubic_after_loss(100);
  const std::size_t before = c.cwnd();
  AckedBytes a = acked(kP, c.cwnd());
  a.in_fast_recovery = true;
  for (int i = 0; i < 100; ++i) c.on_ack(Time(1s), a);
  for (int i = 0; i < 100; ++i) c.on_ack(Time(5s), acked(kP, 20 * kP));
  CHECK(c.cwnd() == before);
}

TEST_CASE("the curve of CUBIC does not go on while there is too little to send, or nothing") {
  const auto grow = [](CubicController& c, Time begin, Duration time) {
    for (Time now = begin; now < begin + time; now += 50ms)
      for (std::size_t left = c.cwnd() / (10 * kP); left != 0; --left)
        c.on_ack(now, acked(10 * kP, c.cwnd()));
  };
  CubicController always = cubic_after_loss(1000), pauses = always, idles = always;
  grow(always, Time{}, 2s);
  const std::size_t after_two = always.cwnd();
  grow(always, Time(2s), 1s);
  REQUIRE(always.cwnd() > after_two + 10 * kP);
  for (CubicController* c : {&pauses, &idles}) grow(*c, Time{}, 2s);
  for (Time now(2s); now < Time(62s); now += 50ms) pauses.on_ack(now, acked(kP, 20 * kP));
  idles.on_ack(Time(2s), acked(idles.cwnd(), idles.cwnd()));
  for (CubicController* c : {&pauses, &idles}) {
    CHECK(c->cwnd() <= after_two + 10 * kP);
    grow(*c, Time(62s), 1s);
    CHECK(c->cwnd() == Approx(always.cwnd()).epsilon(0.01));
  }
}

TEST_CASE(
    "CUBIC: a timeout leaves one packet; what was no loss is undone; idleness halves down to the first "
    "window") {
  CubicController c = cubic_after_loss(100);
  c.on_timeout();
  CHECK(c.cwnd() == kP);
  CHECK(c.ssthresh() == 49 * kP);
  c.undo();
  CHECK(c.cwnd() == 70 * kP);
  c.undo();
  CHECK(c.cwnd() == 70 * kP);
  c.on_sent(Time{});
  c.on_send_after_idle(Time(999ms), 1s);
  CHECK(c.cwnd() == 70 * kP);
  c.on_send_after_idle(Time(1s), 1s);
  CHECK(c.cwnd() == 35 * kP);
  c.on_send_after_idle(Time(1h), 1s);
  CHECK(c.cwnd() == 10 * kP);
}

TEST_CASE("CUBIC is paced at twice its window in slow start and at five quarters after") {
  CubicController c(kP);
  CHECK(c.pacing_rate(100ms) == 2 * 10 * kP * 10);
  c.on_fast_retransmit();
  CHECK(c.pacing_rate(100ms) == 7 * kP * 10 * 5 / 4);
}

TEST_CASE("the path model finds rate and round trip, and fills the pipe with a short queue") {
  ModelPipe p{PathModel(kP), 5'000'000, 100ms, 10'000'000};
  p.run(3s);
  CHECK(p.controller.bandwidth() == Approx(5e6).epsilon(0.03));
  CHECK(p.controller.shortest_rtt() >= 100ms);
  CHECK(p.controller.shortest_rtt() < 102ms);
  CHECK(p.use(5s) > 0.95);
}

TEST_CASE("the path model keeps the rate though one packet of a hundred is lost, and of fifty nearly so") {
  for (const int lose : {100, 60}) {
    ModelPipe p{PathModel(kP), 5'000'000, 50ms, 250'000};
    p.lose = lose;
    p.run(3s);
    CHECK(p.use(10s) > (lose == 100 ? 0.93 : 0.88));
  }
}

TEST_CASE("the path model leaves startup, drains the queue it made, and then cycles") {
  ModelPipe p{PathModel(kP), 5'000'000, 50ms, 10'000'000};
  CHECK(p.controller.phase() == PathModel::Phase::Startup);
  p.run(2s);
  CHECK(p.controller.phase() != PathModel::Phase::Startup);
  p.longest_queue = 0;
  std::vector<bool> seen(7);
  for (int i = 0; i < 1000; ++i) {
    p.run(10ms);
    seen[static_cast<std::size_t>(p.controller.phase())] = true;
  }
  for (const PathModel::Phase phase : std::initializer_list<PathModel::Phase>{
           PathModel::Phase::Down, PathModel::Phase::Cruise, PathModel::Phase::Refill, PathModel::Phase::Up})
    CHECK(seen[static_cast<std::size_t>(phase)]);
  CHECK(p.longest_queue < 150'000);  // 30 ms
}

TEST_CASE("the path model goes to a rate that has changed") {
  ModelPipe p{PathModel(kP), 5'000'000, 50ms, 500'000};
  p.run(5s);
  p.rate = 1'000'000;
  p.run(8s);
  CHECK(p.controller.bandwidth() < 1'300'000);
  p.rate = 10'000'000;
  p.run(30s);
  CHECK(p.use(5s) > 0.85);
}

TEST_CASE("the window of Startup stops at what two round trips bring, and some room for batches") {
  PathModel m(kP);
  AckedBytes a = acked(kP, 100 * kP);
  a.rate.delivered = 10 * kP;
  a.rate.interval = 10ms;  // 1 MB a second: 50 kB a round trip
  const std::size_t most = 2 * 50'000 + 2'000 + 3 * kP;
  for (std::size_t i = 1; i <= 200; ++i) {
    a.delivered = i * kP;  // all of one round trip
    m.on_ack(Time(1ms * static_cast<int>(i)), a);
    CHECK(m.cwnd() == std::min(10 * kP + i * kP, most));
  }
}

TEST_CASE(
    "a timeout that was none gives back the window before it and those in a row with it, and no older one") {
  PathModel m(kP);
  AckedBytes a = acked(kP, 100 * kP);
  a.rate.delivered = 10 * kP;
  a.rate.interval = 10ms;
  const auto acknowledge = [&](int count) {
    for (int i = 0; i < count; ++i) {
      a.delivered += kP;
      m.on_ack(Time(1s), a);
    }
  };
  acknowledge(50);
  REQUIRE(m.cwnd() == 60 * kP);
  m.on_timeout();
  REQUIRE(m.cwnd() == kP);
  m.on_timeout();
  m.undo();
  CHECK(m.cwnd() == 60 * kP);
  m.on_timeout();
  acknowledge(9);
  const std::size_t before = m.cwnd();
  REQUIRE(before < 20 * kP);
  m.on_timeout();
  m.undo();
  CHECK(m.cwnd() == before);
}

TEST_CASE("a path that has become much slower is believed within some of its round trips") {
  ModelPipe p{PathModel(kP), 5'000'000, 50ms, 10'000'000};
  p.run(5s);
  p.rate = 1'000'000;
  p.run(2500ms);  // what is in flight by then takes half a second
  CHECK(p.controller.bandwidth() < 1'400'000);
}

TEST_CASE("the window of the path model is at most twice what the path holds, and room for batches") {
  ModelPipe p{PathModel(kP), 5'000'000, 100ms, 10'000'000};
  p.run(10s);
  CHECK(p.controller.cwnd() >= 1'000'000);
  CHECK(p.controller.cwnd() < 1'100'000);
}

TEST_CASE("who acknowledges less often than once a round trip lets more stand in flight") {
  ModelPipe p{PathModel(kP), 5'000'000, 20ms, 100'000};
  p.every = 100ms;
  p.run(6s);
  CHECK(p.use(10s) > 0.6);
}

TEST_CASE("with little latency as its goal a queue of 5 ms ends Startup, though the rate still grows") {
  for (const auto goal :
       std::initializer_list<PathModel::Goal>{PathModel::Goal::LowLatency, PathModel::Goal::Throughput}) {
    PathModel m(kP, goal);
    Time now{};
    AckedBytes a;
    a.rate.delivered = 10 * kP;
    a.rate.interval = 10ms;
    const auto round_of = [&](Duration rtt) {
      const std::uint64_t before = a.delivered;
      a = acked(kP, 1000 * kP, rtt);
      a.rate.prior_delivered = before;
      a.delivered = before + 100 * kP;
      a.rate.interval = 10ms;
      a.rate.delivered = std::max(10 * kP, static_cast<std::size_t>(m.bandwidth() / 100 * 13 / 10));
      m.on_ack(now += rtt, a);
    };
    for (const Duration rtt : std::initializer_list<Duration>{50ms, 50ms, 55ms, 55ms}) {
      round_of(rtt);
      CHECK(m.phase() == PathModel::Phase::Startup);
    }
    round_of(55001us);
    round_of(55001us);  // none of that round trip was shorter
    CHECK((m.phase() == PathModel::Phase::Startup) == (goal == PathModel::Goal::Throughput));
  }
}

TEST_CASE("where neighbours keep a queue the step up of the path model is fifty packets a round trip") {
  PathModel m(kP);
  Time now{};
  std::uint64_t delivered = 0;
  // Sixty packets in each 100 ms; the queue takes half as long again once the path is known.
  while (m.phase() != PathModel::Phase::Up) {
    REQUIRE(now < Time(10s));
    const Duration rtt = now < Time(1s) ? 100ms : 150ms;
    AckedBytes a = acked(kP, 50 * kP, rtt);
    a.rate.prior_delivered = delivered;
    a.rate.delivered = 59 * kP;
    a.rate.interval = 100ms;
    a.rate.in_flight = 59 * kP;
    a.delivered = delivered += 59 * kP;
    m.on_ack(now += rtt, a);
  }
  CHECK(m.bandwidth() == 590'000);
  CHECK(m.pacing_rate(100ms) == 590'000 * (100 + 5000 / 60) / 100);
}

TEST_CASE("with little latency as its goal ten times the rate is found within 50 round trips and some") {
  ModelPipe p{PathModel(kP, PathModel::Goal::LowLatency), 500'000, 20ms, 10'000'000};
  p.run(5s);
  p.rate = 5'000'000;
  p.run(1250ms);
  CHECK(p.controller.bandwidth() > 4'500'000);
}

TEST_CASE("with little latency as its goal the path model keeps the queue under 30 ms") {
  for (const Duration delay : std::initializer_list<Duration>{20ms, 80ms}) {
    ModelPipe p{PathModel(kP, PathModel::Goal::LowLatency), 2'500'000, delay, 10'000'000};
    p.run(2s);
    CHECK(p.longest_queue < 75'000);
    p.longest_queue = 0;
    CHECK(p.use(20s) > 0.9);
    CHECK(p.longest_queue < 50'000);
  }
}

TEST_CASE("after a timeout the path model begins with one packet, and an undone one brings the window back") {
  ModelPipe p{PathModel(kP), 5'000'000, 50ms, 10'000'000};
  p.run(3s);
  const std::size_t before = p.controller.cwnd();
  p.controller.on_timeout();
  CHECK(p.controller.cwnd() == kP);
  p.controller.undo();
  CHECK(p.controller.cwnd() == before);
  CHECK(p.controller.pacing_rate(50ms) > 4'000'000);
}

TEST_CASE("the path model never paces below its least window in a round trip, whatever it has forgotten") {
  PathModel m(kP);
  CHECK(m.pacing_rate(100ms) >= 4 * kP * 10);
}

TEST_CASE("a window of the path model is at most 1 GiB, however fast the path seems") {
  PathModel m(kP);
  AckedBytes a = acked(1'500'000'000, kP, 10s);
  a.rate.delivered = a.newly_acked;
  a.rate.interval = 1ms;
  for (int i = 0; i < 3; ++i) m.on_ack(Time(1s * (i + 1)), a);
  CHECK(m.cwnd() == std::size_t{1} << 30);
}

TEST_CASE("each controller says which of the rules it replaces, and the choice is the one asked for",
          "[SCTP-CC-09]") {
  const auto has = [](auto list, std::string_view id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  for (const std::string_view id : std::initializer_list<std::string_view>{
           "SCTP-CC-01", "SCTP-CC-02", "SCTP-CC-03", "SCTP-CC-04", "SCTP-CC-05"}) {
    CHECK(has(CubicController::kReplaces, id));
    CHECK(has(PathModel::kReplaces, id));
  }
  CHECK(CongestionController(CongestionAlgorithm::NewReno, kP).pacing_rate(1s) == 0);
  CHECK(CongestionController(CongestionAlgorithm::Cubic, kP).reduces_proportionally());
  CHECK_FALSE(CongestionController(CongestionAlgorithm::Model, kP).reduces_proportionally());
  CongestionController low(CongestionAlgorithm::LowLatency, kP), model(CongestionAlgorithm::Model, kP);
  CHECK(low.pacing_rate(100ms) < model.pacing_rate(100ms));
}

}  // namespace pollrtc::sctp
