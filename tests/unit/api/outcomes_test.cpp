// What becomes of a packet, as the facade tells it: to a handler, or as an event to pull.
#include <algorithm>

#include "base/bytes.h"
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

using Told = std::vector<std::pair<std::uint32_t, MessageOutcome>>;
using enum MessageOutcome;

// What a sends is lost, what comes to it is not.
void silence(SimPair& t, bool is_silent) { t.world.link(SimPair::kA, SimPair::kB).config.cut = is_silent; }

}  // namespace

TEST_CASE(
    "a packet with a report: its handler hears of it, as text and as bytes; one without is not spoken of") {
  SimPair t;
  t.connect();
  Told told;
  t.ours->message_outcome = [&](std::uint32_t report, MessageOutcome outcome) {
    told.emplace_back(report, outcome);
  };
  silence(t, true);
  REQUIRE(t.ours->send_with_report(5, as_bytes(std::string_view("bytes"))));
  REQUIRE(t.ours->put_packet(as_bytes(std::string_view("nobody asks"))));
  CHECK(told.empty());  // from poll() alone
  t.world.run_for(1s);
  CHECK(told == Told{{5, Sent}});
  silence(t, false);
  REQUIRE(t.run_until([&] { return t.theirs->get_available_packet_count() == 2; }));
  t.world.run_for(1s);
  CHECK(told == Told{{5, Sent}, {5, Acknowledged}});
  REQUIRE(t.ours->send_with_report(6, as_bytes(std::string_view("text")), true));
  t.world.run_for(1s);
  CHECK(told.back() == std::pair(6u, Acknowledged));
  CHECK(take(t.theirs) == "bytes");
  CHECK_FALSE(t.theirs->was_string_packet());
  CHECK(take(t.theirs) == "nobody asks");
  CHECK(take(t.theirs) == "text");
  CHECK(t.theirs->was_string_packet());
}

TEST_CASE("a packet that is given up is told to be so, on the channel that it was sent on") {
  SimPair t;
  t.connect({.max_retransmits = 0});
  Told told;
  t.ours->message_outcome = [&](std::uint32_t report, MessageOutcome outcome) {
    told.emplace_back(report, outcome);
  };
  const ChannelPtr other = t.a.create("other");
  Told of_other;
  other->message_outcome = [&](std::uint32_t report, MessageOutcome outcome) {
    of_other.emplace_back(report, outcome);
  };
  REQUIRE(t.run_until([&] { return other->get_ready_state() == ChannelState::Open; }));
  silence(t, true);
  REQUIRE(t.ours->send_with_report(1, as_bytes(std::string_view("lost"))));
  REQUIRE(other->send_with_report(1, as_bytes(std::string_view("late"))));
  t.world.run_for(5s);
  CHECK(told == Told{{1, Sent}, {1, Abandoned}});
  CHECK(of_other == Told{{1, Sent}});
  silence(t, false);
  t.world.run_for(10s);
  CHECK(told.size() == 2);
  CHECK(of_other == Told{{1, Sent}, {1, Acknowledged}});
  CHECK(take(t.theirs) == "(Empty)");
}

TEST_CASE("outcomes can be pulled as events") {
  sim::World world(1);
  SimEnd a(world, 1), b(world, 2);
  Told told;
  ChannelPtr channel;
  a.machine.poll = [&] {
    if (!a.connection) return;
    REQUIRE(a.connection->poll());
    PeerConnection::Event event;
    while (a.connection->next_event(event)) {
      if (const auto* d = std::get_if<PeerConnection::DescriptionCreated>(&event))
        CHECK(b.connection->set_remote_description(d->type, d->sdp));
      if (const auto* c = std::get_if<PeerConnection::CandidateCreated>(&event))
        CHECK(b.connection->add_ice_candidate(c->media, c->index, c->name));
      if (const auto* report = std::get_if<PeerConnection::MessageReport>(&event)) {
        CHECK(report->channel == channel);
        told.emplace_back(report->report, report->outcome);
      }
    }
  };
  a.start([](Configuration& c) { c.pull_events = true; });
  b.start();
  b.connection->session_description_created = [&](std::string_view type, std::string_view sdp) {
    CHECK(a.connection->set_remote_description(type, sdp));
  };
  b.connection->ice_candidate_created = [&](std::string_view media, int index, std::string_view name) {
    CHECK(a.connection->add_ice_candidate(media, index, name));
  };
  channel = *a.connection->create_data_channel("chat");
  channel->message_outcome = [](std::uint32_t, MessageOutcome) { FAIL("handlers are not called"); };
  REQUIRE(a.connection->create_offer());
  REQUIRE(world.run_until([&] { return channel->get_ready_state() == ChannelState::Open; }, 30s));
  REQUIRE(channel->send_with_report(9, as_bytes(std::string_view("x"))));
  world.run_for(1s);
  CHECK(told == Told{{9, Sent}, {9, Acknowledged}});
}

TEST_CASE("a channel that may lose what waits loses it to one that may not, and says so") {
  SimPair t([](Configuration& c) { c.limits.sctp_tx_buffer = 60'000; });
  t.connect({.priority = 1024, .discard_when_full = true});
  const ChannelPtr sure = t.a.create("sure");
  REQUIRE(t.run_until([&] { return sure->get_ready_state() == ChannelState::Open; }));
  std::vector<std::uint32_t> given_up;
  t.ours->message_outcome = [&](std::uint32_t report, MessageOutcome outcome) {
    if (outcome == Abandoned) given_up.push_back(report);
  };
  silence(t, true);
  const std::string packet(10'000, 'p');
  std::uint32_t count = 0;
  while (t.ours->send_with_report(count, as_bytes(packet))) ++count;
  REQUIRE(count > 2);
  REQUIRE(sure->send(packet));
  t.world.run_for(1s);
  CHECK(given_up == std::vector<std::uint32_t>{count - 1});
  silence(t, false);
  REQUIRE(t.run_until([&] { return t.theirs->get_available_packet_count() == static_cast<int>(count) - 1; }));
  t.world.run_for(1s);
  CHECK(t.b.channels.back()->get_available_packet_count() == 1);
}
