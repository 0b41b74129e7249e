// The states that a connection can be in, and how it gets there; and what a refused call must leave as it was.
#pragma once

#include "support/catch.h"
#include "unit/api/simulated_pair.h"

namespace pollrtc::test {

inline constexpr std::string_view kCandidate = "candidate:1 1 udp 2130706431 192.0.2.2 9 typ host";

inline std::string said(const Status& status) {
  return status ? "OK" : std::string(name_of(status.error().code()));
}

struct State {
  const char* name;
  std::function<void(SimPair&)> reach;
};

inline void offer(SimPair& t) {
  t.ours = t.a.create();
  REQUIRE(t.a.connection->create_offer());
}
inline void connect(SimPair& t) { t.connect(); }
inline void lose(SimPair& t, ConnectionState state) {
  t.connect();
  t.cut(true);
  REQUIRE(t.run_until([&] { return t.a.connection->get_connection_state() == state; }));
}

inline const State kStates[] = {
    {"new", [](SimPair&) {}},
    {"with a channel", [](SimPair& t) { t.ours = t.a.create(); }},
    {"offering", offer},
    {"answering",
     [](SimPair& t) {
       t.theirs = t.b.create();
       REQUIRE(t.b.connection->create_offer());
       REQUIRE(t.run_until(
           [&] { return t.a.connection->get_connection_state() == ConnectionState::Connecting; }));
     }},
    {"connected", connect},
    {"disconnected", [](SimPair& t) { lose(t, ConnectionState::Disconnected); }},
    {"failed", [](SimPair& t) { lose(t, ConnectionState::Failed); }},
    {"failed, and nobody restarted it",
     [](SimPair& t) {
       lose(t, ConnectionState::Failed);
       t.world.run_for(Limits().ice_restart_window);
     }},
    {"closed",
     [](SimPair& t) {
       t.connect();
       t.a.connection->close();
     }},
    {"closed by the other end",
     [](SimPair& t) {
       t.connect();
       t.b.connection->close();
       t.world.run_for(1s);
     }},
    {"initialized again",
     [](SimPair& t) {
       t.connect();
       REQUIRE(t.a.connection->initialize(t.a.machine.configuration()));
     }},
    {"moved from",
     [](SimPair& t) {
       t.connect();
       PeerConnection other(std::move(*t.a.connection));
     }},
};

struct Snapshot {
  explicit Snapshot(const SimPair& t)
      : connection(t.a.connection->get_connection_state()),
        gathering(t.a.connection->get_gathering_state()),
        signaling(t.a.connection->get_signaling_state()),
        channel(t.ours ? std::optional(t.ours->get_ready_state()) : std::nullopt),
        sockets(t.a.machine.open_sockets),
        memory(t.a.machine.environment.bytes_in_use()),
        log(t.a.log) {}
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
  ConnectionState connection;
  GatheringState gathering;
  SignalingState signaling;
  std::optional<ChannelState> channel;
  std::size_t sockets, memory;
  std::vector<std::string> log;
};

}  // namespace pollrtc::test
