// Values at their limits and on both sides of them, where a fault of one would change what is sent or kept.
#include "sctp/chunk_reconfig.h"
#include "sctp/congestion_choice.h"
#include "sctp/path_mtu.h"
#include "sctp/rx_data.h"
#include "sctp/rx_fragments.h"
#include "sctp/rx_reassembly.h"
#include "support/catch.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {
constexpr std::size_t kP = 1000;  // PMDCS

AckedBytes acked(std::size_t bytes, std::size_t flight, Duration rtt) {
  AckedBytes a;
  a.newly_acked = bytes;
  a.flight_before = flight;
  a.flight_after = flight - std::min(flight, bytes);
  a.rtt = rtt;
  return a;
}
}  // namespace

TEST_CASE("what a timeout marks counts no longer against the peer's window, up to what fits its field",
          "[SCTP-SACK-10]") {
  TxFixture f;
  f.send_full(4);
  f.flush();
  f.sack(1000, {}, 50'000);
  REQUIRE(f.tx->peer_rwnd() == 50'000 - 3 * TxFixture::kFull);
  f.expire();
  CHECK(f.tx->peer_rwnd() == 50'000);
  TxFixture wide;
  wide.send_full(4);
  wide.flush();
  wide.sack(1000, {}, 0xFFFFFFFF);
  wide.tx->set_peer_rwnd(0xFFFFFFFF);
  wide.expire();
  CHECK(wide.tx->peer_rwnd() == 0xFFFFFFFF);
}

TEST_CASE("a SACK is asked for where a small window is full, and neither below that nor in a large one") {
  TxFixture large;  // ten packets
  large.send_full(20);
  std::vector<bool> asked;
  for (Packet p = large.packet(); !p.empty(); p = large.packet())
    for (const SentChunk& c : p) asked.push_back(c.immediate);
  CHECK(asked == std::vector<bool>(10, false));

  TxFixture small;
  small.send_full(3);
  small.flush();
  small.expire();  // the window is one packet now
  REQUIRE(small.tx->cwnd() == kP);
  const Packet again = small.packet();
  REQUIRE(again.size() == 1);
  CHECK(again[0].immediate);
  CHECK(small.packet().empty());
  small.sack(1000);  // two packets
  REQUIRE(small.tx->cwnd() == 2 * kP);
  small.flush();
  small.sack(1002);
  REQUIRE(small.tx->cwnd() < 4 * kP);
  REQUIRE(small.send(10));
  const Packet one = small.packet();
  REQUIRE(one.size() == 1);
  CHECK_FALSE(one[0].immediate);
}

TEST_CASE("a message that just fits once others are given up is taken") {
  Limits limits;
  limits.sctp_tx_buffer_channel = 1 << 20;
  for (const std::size_t less : {0u, 1u}) {
    // Room for two messages of 1000 bytes, and for one of 500 and one of 1500, overhead included.
    limits.sctp_tx_buffer = static_cast<std::uint32_t>(2000 + 2 * TxQueue::kMessageOverhead - less);
    TxFixture f(1000, limits);
    SendOptions high, low;
    high.discard_priority = 1;
    low.discard_priority = 5;
    REQUIRE(f.send(500, high));
    REQUIRE(f.send(1000, low));
    CHECK(f.send(1500, high).has_value() == (less == 0));
  }
}

TEST_CASE("what is in no table cannot be taken out of it") {
  TestEnvironment environment;
  FragmentTable table(environment.env.memory, false);
  CHECK_FALSE(table.erase(FragmentKey::of(Tsn(7))));
  REQUIRE(table.insert(FragmentKey::of(Tsn(7)), Tsn(7)) != nullptr);
  REQUIRE(table.insert(FragmentKey::of(Tsn(9)), Tsn(9)) != nullptr);
  CHECK_FALSE(table.erase(FragmentKey::of(Tsn(8))));
  CHECK(table.size() == 2);
  CHECK(table.find(FragmentKey::of(Tsn(7))) != nullptr);
  CHECK(table.find(FragmentKey::of(Tsn(9))) != nullptr);
}

TEST_CASE("a window of 1500 bytes is announced, a smaller one is none") {
  for (const std::uint32_t window : {1499u, 1500u, 1501u}) {
    TestEnvironment environment;
    environment.env.limits.sctp_rx_window = window;
    const RxReassembly rx(environment.env, 1000, false);
    CHECK(rx.a_rwnd() == (window < 1500 ? 0 : window));
  }
}

TEST_CASE("a request to reset 200 streams says how long it is", "[SCTP-RST-09]") {
  std::vector<StreamId> streams;
  for (std::uint16_t i = 0; i < 200; ++i) streams.push_back(StreamId{i});
  std::vector<std::uint8_t> bytes(1000);
  ByteWriter out(bytes);
  write_outgoing_reset(out, ReconfigSeq(1), ReconfigSeq(2), Tsn(3), streams);
  REQUIRE(out.ok());
  CHECK(out.size() == 4 + 16 + 400);
  CHECK(load_u16(bytes.data() + 2) == 4 + 16 + 400);
  CHECK(load_u16(bytes.data() + 6) == 16 + 400);
}

TEST_CASE("where the layers below take all of a packet there is nothing to discover", "[SCTP-PMTU-02]") {
  for (const std::uint32_t below : {59u, 60u, 61u, 5000u}) {
    PathMtu mtu({.base = 1131, .max_ip = 60, .below = below});
    mtu.start(Time{1s});
    CHECK(mtu.state() == PathMtu::State::Disabled);
    CHECK(mtu.probe_due() == 0);
    CHECK(mtu.size() == 1128);
  }
}

TEST_CASE("CUBIC: slow start ends when round trip after round trip is slower") {
  CubicController c(kP);
  std::uint64_t delivered = 0;
  const auto round = [&](Duration rtt) {
    const std::uint64_t begun = delivered;
    for (int i = 0; i < HyStart::kSamples; ++i) {
      AckedBytes a = acked(kP, c.cwnd(), rtt);
      a.rate.prior_delivered = begun;
      a.delivered = delivered += kP;
      c.on_ack(Time{}, a);
    }
  };
  round(40ms);
  round(60ms);
  for (int i = 0; i < 5; ++i) {
    CHECK(c.ssthresh() > 1'000'000);
    round(60ms);
  }
  CHECK(c.ssthresh() <= c.cwnd());
}

TEST_CASE("CUBIC: a window grows while seven eighths of it, less three packets, are used") {
  for (const std::size_t flight : {5749u, 5750u}) {
    CubicController c(kP);
    REQUIRE(c.cwnd() == 10 * kP);
    c.on_ack(Time{}, acked(kP, flight, 50ms));
    CHECK((c.cwnd() > 10 * kP) == (flight == 5750));
  }
}

TEST_CASE("CUBIC: the estimate of Reno grows as Reno once it has reached the window before the loss") {
  CubicController c(kP);
  while (c.cwnd() < 100 * kP) c.on_ack(Time{}, acked(kP, c.cwnd(), 50ms));
  REQUIRE(c.cwnd() == 100 * kP);
  c.on_fast_retransmit();
  REQUIRE(c.cwnd() == 70 * kP);
  // 30000 is 53 hundredths of what these bytes would have brought Reno: exactly as far as the window was.
  c.on_ack(Time{}, acked(56'604 * 70, 70 * kP, 50ms));
  REQUIRE(c.cwnd() == 100 * kP);
  c.on_ack(Time{}, acked(100 * kP, 100 * kP, 50ms));
  CHECK(c.cwnd() == 101 * kP);
}

TEST_CASE("a message too large to be kept leaves nothing behind when FORWARD TSN passes a part of it") {
  TestEnvironment environment;
  RxData rx(environment.env, Parameters{}, Tsn(100), std::uint16_t{100}, 1000);
  const std::size_t window = rx.reassembly().a_rwnd();
  const ByteVector payload(600, 7);
  const auto data = [&](std::uint32_t tsn, bool begin) {
    DataChunk c;
    c.tsn = Tsn(tsn);
    c.stream = StreamId{1};
    c.begin = begin;
    c.payload = payload;
    return rx.on_data(c);
  };
  data(101, true);
  for (std::uint32_t tsn = 102; tsn < 106; ++tsn) data(tsn, false);
  CHECK(rx.reassembly().a_rwnd() < window);
  REQUIRE(rx.on_forward_tsn({Tsn(103), {}}) == Drop::None);
  CHECK(rx.reassembly().a_rwnd() == window);
  CHECK(rx.tracker().cumulative() == Tsn(105));
}

}  // namespace pollrtc::sctp::test
