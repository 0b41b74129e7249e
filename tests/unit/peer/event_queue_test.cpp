// The queue of events, where no one of them may be lost.
#include "peer/event_queue.h"

#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;

TEST_CASE("after the memory of a burst has gone, an event is kept though there is no memory") {
  test::TestEnvironment env;
  EventQueue events(env.env.memory, 1000);
  for (int i = 0; i < 500; ++i) events.push(Peer::ConnectionChanged{ConnectionState::Connected});
  const std::size_t burst = env.bytes_in_use();
  Peer::Event event;
  while (events.pop(event)) continue;
  events.rest();
  CHECK(env.bytes_in_use() < burst / 50);
  env.fail_allocations_after(0);
  events.push(Peer::ConnectionChanged{ConnectionState::Disconnected});
  CHECK_FALSE(events.lost());
  REQUIRE(events.pop(event));
  CHECK(std::get<Peer::ConnectionChanged>(event).state == ConnectionState::Disconnected);
}

TEST_CASE("nor is one lost behind others that nobody has taken yet") {
  for (int waiting = 1; waiting < 5; ++waiting) {
    test::TestEnvironment env;
    EventQueue events(env.env.memory, 1000);
    for (int i = 0; i < 20; ++i) events.push(Peer::ConnectionChanged{ConnectionState::Connected});
    Peer::Event event;
    for (int i = waiting; i < 20; ++i) REQUIRE(events.pop(event));
    events.rest();
    env.fail_allocations_after(0);
    events.push(Peer::ConnectionChanged{ConnectionState::Disconnected});
    CHECK_FALSE(events.lost());
  }
}
