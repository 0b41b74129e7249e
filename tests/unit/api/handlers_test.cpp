// What a handler may do: anything, to any object, whichever signal it was called for.
#include <algorithm>

#include "support/catch.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

struct Action {
  const char* name;
  std::function<void(Side&)> run;
};

const Action kActions[] = {
    {"poll",
     [](Side& side) {
       if (!side.connection) return;
       CHECK(side.connection->poll().error() == ErrorCode::InvalidState);
       CHECK(side.connection->wait(0ms).error() == ErrorCode::InvalidState);
     }},
    {"destroy the connection", [](Side& side) { side.connection.reset(); }},
    {"destroy the channels", [](Side& side) { side.channels.clear(); }},
    {"destroy both",
     [](Side& side) {
       side.connection.reset();
       side.channels.clear();
     }},
    {"destroy both, channels first",
     [](Side& side) {
       side.channels.clear();
       side.connection.reset();
     }},
    {"close the connection",
     [](Side& side) {
       if (side.connection) side.connection->close();
     }},
    {"close the channels",
     [](Side& side) {
       for (const auto& channel : side.channels) channel->close();
     }},
    {"initialize",
     [](Side& side) {
       if (side.connection) CHECK(side.connection->initialize(loopback()));
     }},
    {"move the connection away",
     [](Side& side) {
       if (side.connection) side.connection = std::make_unique<PeerConnection>(std::move(*side.connection));
     }},
    {"forget the handlers",
     [](Side& side) {
       for (const auto& channel : side.channels) channel->message_received = channel->closed = nullptr;
       if (!side.connection) return;
       side.connection->session_description_created = nullptr;
       side.connection->ice_candidate_created = nullptr;
       side.connection->connection_state_changed = nullptr;
       side.connection->data_channel_received = nullptr;
     }},
    {"create, send, ask",
     [](Side& side) {
       if (!side.connection) return;
       (void)side.connection->create_offer();
       (void)side.connection->create_data_channel("from a handler");
       (void)side.connection->add_ice_candidate("0", 0, "");
       (void)side.connection->set_remote_description("offer", "garbage");
       (void)side.connection->get_stats();
       (void)side.connection->get_time_to_next_deadline();
       for (const auto& channel : side.channels) (void)channel->send_text("from a handler");
     }},
};

bool has_logged(const Side& side, const char* what) {
  return std::find(side.log.begin(), side.log.end(), what) != side.log.end();
}

// Connects, speaks both ways and closes a channel, until the handler in question has been called.
void live(TwoSides& t, const int& calls) {
  t.a.create();
  REQUIRE(t.a.connection->create_offer());
  t.run_until([&] { return calls > 0 || (has_logged(t.a, "opened") && has_logged(t.b, "channel")); });
  for (Side* side : {&t.a, &t.b}) {
    const auto channels = side->channels;
    for (const auto& channel : channels) {
      channel->set_buffered_amount_low_threshold(10);
      (void)channel->send(std::vector<std::uint8_t>(5000));
    }
  }
  t.run_until([&] {
    return calls > 0 || (has_logged(t.a, "message") && has_logged(t.b, "message") && has_logged(t.a, "low"));
  });
  if (!t.a.channels.empty()) t.a.channels[0]->close();
  t.run_until([&] { return calls > 0 || (has_logged(t.a, "closed") && has_logged(t.b, "closed")); });
  t.run_for(5ms);
}

}  // namespace

TEST_CASE("every signal, and anything done from inside its handler", "[API-02][API-03][API-28]") {
  for (const char* const signal :
       {"description", "candidate", "state", "channel", "opened", "message", "low", "closed"}) {
    for (const Action& action : kActions) {
      INFO(signal << ": " << action.name);
      TwoSides t;
      int calls = 0;
      for (Side* side : {&t.a, &t.b}) {
        side->on_signal = [&calls, side, signal, &action](const std::string& which) {
          if (which != signal) return;
          ++calls;
          action.run(*side);
        };
      }
      live(t, calls);
      CHECK(calls > 0);
      for (Side* side : {&t.a, &t.b})
        for (const auto& channel : side->channels) {
          (void)channel->get_packet();
          (void)channel->get_label();
        }
    }
  }
}

TEST_CASE("a handler may destroy the other end, too", "[API-03]") {
  TwoSides t;
  t.b.on_signal = [&](const std::string& signal) {
    if (signal == "channel") t.a.connection.reset();
  };
  t.a.create();
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(t.run_until([&] { return !t.b.log.empty() && t.b.log.back() == "closed"; }));
  CHECK(t.b.connection->get_connection_state() == ConnectionState::Closed);
}

TEST_CASE("an announced channel that nobody keeps is closed", "[API-49]") {
  TwoSides t;
  t.b.connection->data_channel_received = nullptr;
  const ChannelPtr ours = t.a.create();
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(t.run_until([&] { return !t.a.log.empty() && t.a.log.back() == "closed"; }));
  CHECK(ours->get_ready_state() == ChannelState::Closed);
  CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
}
