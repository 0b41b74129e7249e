// Whole transfers between two associations over a bad link: nothing is lost, nothing comes twice, order is kept.
#include <algorithm>

#include "support/catch.h"
#include "two_associations.h"

namespace pollrtc::sctp::test {

namespace {

ByteVector pattern(std::size_t size, std::uint32_t seed) {
  ByteVector bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::uint8_t>((i * 2654435761u + seed * 40503u) >> 7);
  return bytes;
}

struct Sent {
  std::uint16_t stream;
  ByteVector payload;
};

// Every message of `sizes` on `streams` streams, at once as far as the buffer takes them.
void transfer(TwoAssociations& net, bool unordered, const std::vector<std::size_t>& sizes,
              std::uint16_t streams) {
  struct Side {
    TwoAssociations::End& from;
    TwoAssociations::End& to;
    std::size_t next = 0;
    std::vector<Sent> sent;
  };
  Side sides[] = {{net.a, net.b, 0, {}}, {net.b, net.a, 0, {}}};
  const auto feed = [&] {
    bool done = true;
    for (Side& side : sides) {
      while (side.next < sizes.size()) {
        const auto stream = static_cast<std::uint16_t>(side.next % streams);
        ByteVector payload = pattern(sizes[side.next], static_cast<std::uint32_t>(side.next));
        SendOptions options;
        options.stream = stream;
        options.ppid = 53;
        options.unordered = unordered;
        if (!side.from.association->send(net.now, options, payload)) break;
        side.sent.push_back({stream, std::move(payload)});
        ++side.next;
      }
      done = done && side.next == sizes.size() && side.to.received.size() == sizes.size();
    }
    return done;
  };
  const bool arrived = net.run_until(feed, 3000s);
  INFO("a " << name_of(net.a.association->state()) << ", b " << name_of(net.b.association->state()) << " at "
            << net.now.time_since_epoch() / 1s << " s, received " << net.a.received.size() << " and "
            << net.b.received.size());
  REQUIRE(arrived);
  for (Side& side : sides) {
    if (!unordered) {
      std::map<std::uint16_t, std::vector<ByteVector>> by_stream, got;
      for (Sent& sent : side.sent) by_stream[sent.stream].push_back(sent.payload);
      for (auto& [stream, payload] : side.to.received) got[stream].push_back(payload);
      CHECK((got == by_stream));
    } else {
      auto wanted = side.sent;
      const auto less = [](const auto& x, const auto& y) { return x < y; };
      std::vector<std::pair<std::uint16_t, ByteVector>> x, y = side.to.received;
      for (Sent& sent : wanted) x.emplace_back(sent.stream, sent.payload);
      std::sort(x.begin(), x.end(), less);
      std::sort(y.begin(), y.end(), less);
      CHECK((x == y));
    }
    side.to.received.clear();
  }
}

}  // namespace

TEST_CASE("two associations connect at the same time", "[sctp]") {
  TwoAssociations net;
  net.connect();
  CHECK(net.a.association->state() == AssociationState::Established);
  CHECK(net.b.association->state() == AssociationState::Established);
}

TEST_CASE("messages of every size arrive whole, once and in order over a bad link", "[SCTP-DATA-06]") {
  LinkOptions link;
  link.loss = 0.3;
  link.reorder = 0.1;
  link.duplicate = 0.1;
  const std::vector<std::size_t> sizes = {1,    2,    1147, 1148, 1149,  1163, 1164,  1165, 2327,
                                          2328, 2329, 4096, 1,    20000, 3,    65536, 100,  262144};
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (const bool unordered : {false, true}) {
      AssociationConfig config;
      config.initial_tsn = 0xFFFFFFFF - 20;  // the TSN wraps on the way
      TwoAssociations net(link, seed, {}, config);
      net.connect();
      transfer(net, unordered, sizes, 3);
    }
  }
}

// Eleven tries in a row are lost all the time on such a path, and by RFC 9260 §8.1 the association would be given up.
TEST_CASE("over a watched path a transfer survives the loss of two packets of five, both ways",
          "[SCTP-HB-03][SCTP-CC-02]") {
  AssociationConfig config;
  config.parameters = Parameters::over_watched_path();
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    TwoAssociations net({.delay = 25ms, .loss = 0.4}, seed, {}, config);
    net.connect();
    const Time began = net.now;
    for (std::uint32_t i = 0; i < 20; ++i) REQUIRE(net.a.association->send(net.now, {}, pattern(16384, i)));
    net.run_until([&] { return net.b.received.size() == 20; }, 3000s);
    INFO("seed " << seed << ", " << (net.now - began) / 1s << " s, " << net.b.received.size() << " messages");
    REQUIRE(net.b.received.size() == 20);
    for (std::uint32_t i = 0; i < 20; ++i) CHECK((net.b.received[i].second == pattern(16384, i)));
    CHECK(net.now - began < 900s);
  }
}

TEST_CASE("over a watched path it still takes five minutes of silence, and no more, to give up",
          "[SCTP-HB-03]") {
  AssociationConfig config;
  config.parameters = Parameters::over_watched_path();
  TwoAssociations net({}, 1, {}, config);
  net.connect();
  net.link.loss = 1;
  REQUIRE(net.a.association->send(net.now, {}, pattern(10, 1)));
  net.run_for(280s);
  CHECK(net.a.association->state() == AssociationState::Established);
  net.run_for(40s);
  CHECK(net.a.association->state() == AssociationState::Closed);
}

TEST_CASE("the largest message fits an empty send buffer, in the small profile too", "[lim.sctp.tx_buffer]") {
  const Limits limits = Limits::small();
  TwoAssociations net({}, 1, limits);
  net.connect();
  const std::size_t most = Association::largest_message(limits);
  Association& a = *net.a.association;
  SECTION("in one") {
    CHECK(a.send(net.now, {.stream = 1}, ByteVector(most + 1)).error() == ErrorCode::TooLarge);
    CHECK(a.send(net.now, {.stream = 1}, ByteVector(most)));
  }
  SECTION("as a piece") {
    CHECK(a.send_piece(net.now, {.stream = 1}, ByteVector(most + 1), true).error() == ErrorCode::TooLarge);
    CHECK(a.send_piece(net.now, {.stream = 1}, ByteVector(most), true));
  }
}

// What is above its span the receiver does not take, and a FORWARD TSN over all of it reaches further.
TEST_CASE("a silence in which more is given up than the receiver's span holds is survived", "[SCTP-PR-03]") {
  Limits limits;
  limits.sctp_tsn_span = 64;
  for (const bool interleaving : {false, true}) {
    AssociationConfig config;
    config.interleaving = interleaving;
    TwoAssociations net({}, 1, limits, config);
    net.connect();
    net.link.loss = 1;
    for (std::uint32_t i = 0; i < 300; ++i) {
      const SendOptions brief{.stream = 1, .unordered = i % 2 == 0, .lifetime = 100ms};
      REQUIRE(net.a.association->send(net.now, brief, pattern(10, i)));
    }
    net.run_for(5s);
    net.link.loss = 0;
    REQUIRE(net.a.association->stats().data_chunks_out > 3 * limits.sctp_tsn_span);
    REQUIRE(net.a.association->send(net.now, {.stream = 1}, pattern(10, 1000)));
    CHECK(net.run_until([&] { return !net.b.received.empty(); }, 30s));
    CHECK(net.b.received.back().second == pattern(10, 1000));
  }
}

// What comes after a timeout that was too early acknowledges first copies, and seems to be the answer to second ones that have
// only just left: a rate beyond all measure, which none of the next round trips reaches, so that Startup ends with a few packets.
TEST_CASE("a first timeout that is too early tells no rate, and a long path is filled all the same") {
  const bool probes = GENERATE(true, false);
  for (const Duration guess : {0ms, 20ms, 100ms}) {
    CAPTURE(probes, guess.count());
    const std::uint16_t max_ip = probes ? 1500 : 0;
    TwoAssociations net({.delay = 400ms}, 3, {}, {.mtu = 1131, .max_ip = max_ip, .below = 69});
    if (guess != 0ms) net.a.association->set_initial_rtt(guess);
    net.connect();
    std::size_t arrived = 0;
    for (const Time end = net.now + 10s; net.now < end;) {
      while (net.a.association->send(net.now, {}, ByteVector(16000, 1))) {
      }
      net.run_for(10ms);
      for (const auto& message : net.b.received) arrived += message.second.size();
      net.b.received.clear();
    }
    CHECK(net.a.association->stats().retransmissions != 0);
    CHECK(arrived > 4'000'000);
  }
}

// As when the queue of a mobile link fills up; T3 runs out for each packet, until the round trip is measured.
TEST_CASE("a round trip that grows to three times the RTO does not stop what is sent") {
  const bool probes = GENERATE(true, false), is_reliable = GENERATE(true, false);
  const Duration gap = GENERATE(10ms, 100ms);
  CAPTURE(probes, is_reliable, gap.count());
  const std::uint16_t max_ip = probes ? 1500 : 0;
  TwoAssociations net({.delay = 20ms}, 3, {}, {.mtu = 1131, .max_ip = max_ip, .below = 69});
  net.a.association->set_initial_rtt(40ms);
  net.connect();
  SendOptions options{.stream = 1, .unordered = true};
  if (!is_reliable) options.max_retransmits = 0;
  std::size_t accepted = 0, arrived = 0;
  const auto talk = [&](Duration time) {
    for (const Time end = net.now + time; net.now < end; net.run_for(gap)) {
      accepted += net.a.association->send(net.now, options, ByteVector(500, 1)) ? 1 : 0;
      arrived += net.b.received.size();
      net.b.received.clear();
    }
  };
  talk(3s);
  net.link.delay = 600ms;
  talk(60s);
  CHECK(accepted == static_cast<std::size_t>(63s / gap));
  CHECK(arrived > accepted - accepted / 40);  // a round trip of them is under way
}

}  // namespace pollrtc::sctp::test
