// The plain values of loss recovery, each against its RFC: Rack, Prr, DeliveryRate, SendPacer, BlackHole.
#include <random>

#include "sctp/black_hole.h"
#include "sctp/prr.h"
#include "sctp/rack.h"
#include "sctp/send_pacer.h"
#include "sctp/sent_packets.h"
#include "support/catch.h"

namespace pollrtc::sctp {

using namespace std::chrono_literals;

namespace {
SentPacket sent(Time at, bool again = false) {
  SentPacket packet;
  packet.sent_at = at;
  packet.is_retransmission = again;
  return packet;
}
}  // namespace

TEST_CASE("RACK: what was sent before the newest packet that arrived is overtaken") {
  Rack rack;
  CHECK_FALSE(rack.is_overtaken(PacketNumber(3)));
  CHECK(rack.on_delivered(Time(50ms), PacketNumber(5), sent(Time(10ms))));
  CHECK(rack.is_overtaken(PacketNumber(4)));
  CHECK_FALSE(rack.is_overtaken(PacketNumber(5)));
  CHECK(rack.rtt() == 40ms);
  CHECK(rack.on_delivered(Time(80ms), PacketNumber(4), sent(Time(9ms))));  // an older one, late
  CHECK(rack.is_overtaken(PacketNumber(4)));
  CHECK(rack.rtt() == 40ms);
  CHECK(rack.lost_at(Time(9ms), 40ms) == Time(59ms));
}

TEST_CASE("RACK: the acknowledgement of a retransmission that comes too soon is about the first copy") {
  Rack rack;
  CHECK(rack.on_delivered(Time(40ms), PacketNumber(1), sent(Time(0ms))));
  CHECK_FALSE(rack.on_delivered(Time(60ms), PacketNumber(9), sent(Time(50ms), true)));
  CHECK_FALSE(rack.is_overtaken(PacketNumber(8)));
  CHECK(rack.on_delivered(Time(90ms), PacketNumber(9), sent(Time(50ms), true)));
  CHECK(rack.is_overtaken(PacketNumber(8)));
}

TEST_CASE(
    "RACK: the reordering window is a quarter of the shortest round trip, between a millisecond and SRTT") {
  Rack rack;
  CHECK(rack.window(40ms) == Rack::kLeastWindow);
  rack.on_delivered(Time(40ms), PacketNumber(1), sent(Time(0ms)));
  CHECK(rack.window(100ms) == 10ms);
  CHECK(rack.window(5ms) == 5ms);
  for (std::uint32_t i = 1; i <= 8; ++i) rack.on_duplicates(Tsn(100 * i), Tsn(100 * i + 50));
  CHECK(rack.window(1s) == 90ms);
  CHECK(rack.window(50ms) == 50ms);
}

TEST_CASE(
    "RACK: duplicates widen the window once a round trip, sixteen recoveries without them narrow it again") {
  Rack rack;
  rack.on_delivered(Time(40ms), PacketNumber(1), sent(Time(0ms)));
  rack.on_duplicates(Tsn(10), Tsn(50));
  CHECK(rack.window(1s) == 20ms);
  rack.on_duplicates(Tsn(49), Tsn(90));  // the same round trip
  CHECK(rack.window(1s) == 20ms);
  rack.on_duplicates(Tsn(50), Tsn(90));
  CHECK(rack.window(1s) == 30ms);
  for (int i = 0; i < 15; ++i) rack.on_recovery_end();
  CHECK(rack.window(1s) == 30ms);
  rack.on_recovery_end();
  CHECK(rack.window(1s) == 10ms);
}

TEST_CASE("TLP: two round trips, and the delayed SACK for a lone packet") {
  CHECK(Rack::probe_timeout(30ms, false) == 60ms);
  CHECK(Rack::probe_timeout(30ms, true) == 260ms);
}

TEST_CASE("PRR: while the flight is above ssthresh, a share of what arrives may leave") {
  Prr prr;
  prr.enter(20000, 14000);
  prr.on_ack(1000, 19000, 1000);
  CHECK(prr.budget() == 700);
  prr.on_sent(1000);
  CHECK(prr.budget() == 0);
  prr.on_ack(1000, 19000, 1000);
  CHECK(prr.budget() == 400);
  prr.on_ack(1000, 18000, 1000);
  CHECK(prr.budget() == 1100);
}

TEST_CASE("PRR: when losses took the flight below ssthresh it grows back as in slow start, not in a burst") {
  Prr prr;
  prr.enter(20000, 14000);
  prr.on_ack(1000, 4000, 1000);
  CHECK(prr.budget() == 2000);
  prr.on_sent(2000);
  prr.on_ack(1000, 5000, 1000);
  CHECK(prr.budget() == 2000);
  prr.on_ack(10000, 13500, 1000);
  CHECK(prr.budget() == 500);
}

TEST_CASE("the delivery rate is what arrived over the longer of sending and acknowledging") {
  DeliveryRate rate;
  SentPacket first = rate.on_sent(Time(0ms), true);
  const SentPacket second = rate.on_sent(Time(10ms), false);
  rate.on_delivered(Time(100ms), 1000);
  RateSample sample = rate.sample(Time(100ms), first, 1ms);
  CHECK(sample.delivered == 1000);
  CHECK(sample.interval == 100ms);
  CHECK(sample.rate() == 10000);
  rate.on_delivered(Time(110ms), 1000);
  sample = rate.sample(Time(110ms), second, 1ms);
  CHECK(sample.delivered == 2000);
  CHECK(sample.interval == 110ms);
  // Sent in one go 200 ms later, acknowledged in one go: the rate is that of the round trip.
  const SentPacket third = rate.on_sent(Time(300ms), true);
  rate.on_delivered(Time(400ms), 5000);
  CHECK(rate.sample(Time(400ms), third, 1ms).rate() == 50000);
  CHECK_FALSE(rate.sample(Time(400ms), third, 101ms).is_valid());
}

TEST_CASE("a sample knows whether there was nothing else to send, and what was lost meanwhile") {
  DeliveryRate rate;
  CHECK_FALSE(rate.on_sent(Time(0ms), true).is_app_limited);
  rate.on_app_limited(3000);
  const SentPacket packet = rate.on_sent(Time(1ms), false);
  CHECK(packet.is_app_limited);
  rate.on_lost(700);
  rate.on_delivered(Time(50ms), 3000);
  CHECK(rate.is_app_limited());
  const RateSample sample = rate.sample(Time(50ms), packet, 1ms);
  CHECK(sample.is_app_limited);
  CHECK(sample.lost == 700);
  rate.on_delivered(Time(51ms), 1);
  CHECK_FALSE(rate.is_app_limited());
}

TEST_CASE(
    "what an acknowledgement finds lost is in the next sample, though all that it covers was sent after") {
  DeliveryRate rate;
  const SentPacket first = rate.on_sent(Time(0ms), true);
  rate.on_delivered(Time(10ms), 1000);
  CHECK(rate.sample(Time(10ms), first, 1ms).lost == 0);
  rate.on_lost(700);  // as it tells, after its sample
  const SentPacket second = rate.on_sent(Time(10ms), true);
  const SentPacket third = rate.on_sent(Time(11ms), false);
  rate.on_delivered(Time(20ms), 1000);
  CHECK(rate.sample(Time(20ms), second, 1ms).lost == 700);
  rate.on_delivered(Time(21ms), 1000);
  CHECK(rate.sample(Time(21ms), third, 1ms).lost == 0);
}

TEST_CASE("packets are found by number until they are let go; the newest stays") {
  SentPackets packets(default_memory(), 3);
  for (int i = 0; i < 3; ++i) CHECK(packets.open(sent(Time(Duration(i)))));
  CHECK_FALSE(packets.open(sent(Time(3us))));
  CHECK(packets.newest_number() == PacketNumber(2));
  CHECK(packets.find(PacketNumber(1))->sent_at == Time(1us));
  packets.release_before(PacketNumber(9));
  CHECK(packets.find(PacketNumber(1)) == nullptr);
  CHECK(packets.find(PacketNumber(3)) == nullptr);
  CHECK(packets.find(PacketNumber(2))->sent_at == Time(2us));
}

namespace {
// Sends full packets of 1000 bytes for as long as it may.
int go(SendPacer& pacer, Time now, std::uint64_t rate) {
  int count = 0;
  while (pacer.may_send(now)) {
    pacer.on_sent(now, 1000, rate, 1000);
    REQUIRE(++count < 100000);
  }
  return count;
}
}  // namespace

TEST_CASE("pacing: a millisecond's worth at a time, and the rate is kept to the byte") {
  constexpr std::uint64_t kRate = 125'000'000;  // a gigabit: a packet takes 8 us
  SendPacer pacer;
  Time now(1s);
  int sent_packets = go(pacer, now, kRate);
  CHECK(sent_packets <= 126);
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(pacer.next() > now);
    CHECK(pacer.next() - now <= 1100us);
    now = pacer.next();
    pacer.handle_timeout(now);
    CHECK(pacer.next() == kNever);
    sent_packets += go(pacer, now, kRate);
  }
  const double seconds = std::chrono::duration<double>(now - Time(1s)).count();
  CHECK(sent_packets == Approx(seconds * 125000).epsilon(0.01));
}

TEST_CASE("pacing: what a division leaves over is not given away") {
  constexpr std::uint64_t kRate = 600'000'000;  // a packet takes 5/3 us
  SendPacer pacer;
  Time now(1s);
  int sent_packets = go(pacer, now, kRate);
  for (int i = 0; i < 1000; ++i) {
    now = pacer.next();
    sent_packets += go(pacer, now, kRate);
  }
  CHECK(sent_packets ==
        Approx(std::chrono::duration<double>(now - Time(1s)).count() * 600'000).epsilon(0.01));
}

TEST_CASE("pacing: the deadline of who has waited is served by asking again") {
  SendPacer pacer;
  go(pacer, Time(1s), 1'000'000);
  const Time due = pacer.next();
  REQUIRE(due > Time(1s));
  CHECK(pacer.may_send(due));  // without handle_timeout()
  CHECK(pacer.next() == kNever);
  go(pacer, due, 1'000'000);
  CHECK(pacer.next() > due);
}

TEST_CASE("pacing: who polls sixty times a second still fills the path") {
  constexpr std::uint64_t kRate = 6'250'000;
  SendPacer pacer;
  Time now(1s);
  int sent_packets = 0;
  for (int i = 0; i < 60; ++i, now += 16667us) sent_packets += go(pacer, now, kRate);
  CHECK(sent_packets == Approx(6250).epsilon(0.03));
}

TEST_CASE("pacing: idleness earns one burst, and so does lateness beyond all measure") {
  constexpr std::uint64_t kRate = 1'000'000;
  SendPacer pacer;
  CHECK(go(pacer, Time(1s), kRate) == 3);
  pacer.on_nothing_to_send();
  CHECK(go(pacer, Time(5s), kRate) == 3);
  CHECK(go(pacer, Time(10s), kRate) <= 51);
}

TEST_CASE("pacing: a slow path still gets two packets at a time, and the wait is as long as they take") {
  SendPacer pacer;
  CHECK(go(pacer, Time(1s), 10'000) == 3);
  CHECK(pacer.next() == Time(1s) + 100ms);
}

namespace {
// Packets that leave one after the other, and what becomes of each.
struct Fates {
  BlackHole hole;
  PacketNumber number{};
  Time now{1s};

  void packet(bool is_large, bool arrives) {
    SentPacket packet = sent(now);
    packet.is_large = is_large;
    ++number;
    for (int chunks = 0; chunks < 2; ++chunks) {
      if (!arrives) {
        hole.on_lost(number, packet);
      } else if (hole.is_suspected()) {
        hole.on_delivered(number, &packet);
      }
    }
  }
  // For so long large packets are lost, and small ones, between them, are not.
  void vanish(Duration time, Duration every = 100ms) {
    for (const Time end = now + time; now <= end; now += every) {
      packet(true, false);
      packet(false, true);
      packet(false, true);
    }
  }
};
}  // namespace

TEST_CASE("black hole: large packets vanish for a second, or two timeouts, while small ones arrive",
          "[SCTP-PMTU-05]") {
  Fates f;
  f.vanish(900ms);
  CHECK(f.hole.is_suspected());
  CHECK_FALSE(f.hole.is_certain(200ms));
  f.vanish(0ms);
  CHECK(f.hole.is_certain(200ms));
  CHECK(f.hole.is_certain(500ms));
  CHECK_FALSE(f.hole.is_certain(501ms));
}

TEST_CASE("black hole: a large packet that arrives ends the suspicion, unless it left before") {
  Fates f;
  SentPacket early = sent(f.now - 1us);
  early.is_large = true;
  f.vanish(1s);
  f.hole.on_delivered(PacketNumber(0), &early);
  CHECK(f.hole.is_certain(200ms));
  f.packet(true, true);
  CHECK_FALSE(f.hole.is_suspected());
  f.vanish(1s);
  CHECK(f.hole.is_certain(200ms));
  f.hole.on_delivered(PacketNumber(3), nullptr);  // it had been given up, and came late
  CHECK_FALSE(f.hole.is_suspected());
  f.hole.reset(f.now);
  f.hole.on_lost(PacketNumber(4), early);
  CHECK_FALSE(f.hole.is_suspected());
}

TEST_CASE(
    "black hole: a path on which nothing arrives is none, nor one that carries nothing but large packets") {
  Fates f;
  for (int i = 0; i < 100; ++i, f.now += 100ms) {
    f.packet(true, false);
    f.packet(false, false);
  }
  CHECK_FALSE(f.hole.is_certain(200ms));
  Fates large;
  for (int i = 0; i < 100; ++i, large.now += 100ms) large.packet(true, false);
  CHECK_FALSE(large.hole.is_certain(200ms));
}

TEST_CASE("black hole: chance that takes large and small packets alike is none, however bad") {
  std::mt19937 random(1);
  for (const unsigned percent : {2u, 10u, 20u, 40u}) {
    Fates f;
    int alarms = 0;
    for (int i = 0; i < 20000; ++i, f.now += 100ms) {
      f.packet(true, random() % 100 >= percent);
      for (int small = 0; small < 3; ++small) f.packet(false, random() % 100 >= percent);
      if (!f.hole.is_certain(200ms)) continue;
      ++alarms;
      f.hole.reset(f.now);
    }
    CAPTURE(percent, alarms);
    CHECK(alarms <= 1);  // in half an hour
  }
}

}  // namespace pollrtc::sctp
