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

}  // namespace pollrtc::sctp::test
