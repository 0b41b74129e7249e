// A MultiplayerPeer that relays, server or client, and at the other end somebody who sends whatever frames the input holds.
//
// Input: a byte (even: the peer is a server with id 1, odd: a client), then frames: a byte for the channel, a length byte, and
// so many bytes.
#include <algorithm>

#include "base/bytes.h"
#include "c_machines.h"

using namespace pollrtc;

namespace {

struct Relay {
  explicit Relay(bool is_server) : ours(machines.connect(0)), theirs(machines.connect(1)) {
    check(pollrtc_multiplayer_create(&peer) == POLLRTC_OK);
    check((is_server ? pollrtc_multiplayer_create_server(peer, nullptr, 0)
                     : pollrtc_multiplayer_create_client(peer, 2, nullptr, 0)) == POLLRTC_OK);
    check(pollrtc_multiplayer_set_server_relay_enabled(peer, 1) == POLLRTC_OK);
    check(pollrtc_multiplayer_add_peer(peer, ours, is_server ? 2 : 1, 1) == POLLRTC_OK);
    const char* const labels[] = {"reliable", "ordered", "unreliable"};
    for (int i = 0; i < 3; ++i) {
      pollrtc_channel_options options{};
      options.size = sizeof options;
      options.negotiated = 1;
      options.id = i + 1;
      options.unordered = i == 2 ? 1 : 0;
      check(pollrtc_connection_create_channel(theirs, labels[i], &options,
                                              &channels[static_cast<std::size_t>(i)]) == POLLRTC_OK);
    }
    check(pollrtc_connection_create_offer(theirs) == POLLRTC_OK);
    for (int i = 0; i < 100 && pollrtc_channel_get_ready_state(channels[2]) != POLLRTC_CHANNEL_OPEN; ++i)
      turn(theirs, ours);
    check(pollrtc_channel_get_ready_state(channels[2]) == POLLRTC_CHANNEL_OPEN);
    for (int i = 0; i < 5; ++i) turn(theirs, ours);
  }
  ~Relay() {
    for (pollrtc_channel* const channel : channels) pollrtc_channel_destroy(channel);
    pollrtc_multiplayer_destroy(peer);
    pollrtc_connection_destroy(ours);
    pollrtc_connection_destroy(theirs);
  }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  static void carry(pollrtc_connection* from, pollrtc_connection* to) {
    pollrtc_event event;
    while (pollrtc_connection_next_event(from, &event)) {
      if (event.type == POLLRTC_EVENT_DESCRIPTION_CREATED)
        (void)pollrtc_connection_set_remote_description(to, event.text, event.text2);
      if (event.type == POLLRTC_EVENT_CANDIDATE_CREATED)
        (void)pollrtc_connection_add_ice_candidate(to, event.text, event.number, event.text2);
    }
  }
  void turn(pollrtc_connection* a, pollrtc_connection* b) {
    machines.pass(10'000);
    (void)pollrtc_connection_poll(a);
    check(pollrtc_multiplayer_poll(peer) == POLLRTC_OK);
    carry(a, b);
    carry(b, a);
    int id = 0;
    while (pollrtc_multiplayer_next_event(peer, &id) != POLLRTC_MULTIPLAYER_NONE) {
    }
  }
  void read() {
    while (pollrtc_multiplayer_get_available_packet_count(peer) > 0) {
      check(pollrtc_multiplayer_get_packet_peer(peer) != 0);
      (void)pollrtc_multiplayer_get_packet_mode(peer);
      const std::uint8_t* data = nullptr;
      std::size_t size = 0;
      check(pollrtc_multiplayer_get_packet(peer, &data, &size) == POLLRTC_OK);
      check(size > 0 && data != nullptr);
    }
  }

  CMachines machines;
  pollrtc_multiplayer* peer = nullptr;
  pollrtc_connection *ours, *theirs;
  std::array<pollrtc_channel*, 3> channels{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  ByteReader input(Bytes(data, size));
  Relay relay(input.u8() % 2 == 0);
  for (int frames = 0; frames < 40 && !input.rest().empty(); ++frames) {
    const std::size_t channel = input.u8() % 4;
    const Bytes frame = input.take(std::min<std::size_t>(input.u8(), input.rest().size()));
    if (channel == 3) {  // an application of ours speaks meanwhile
      pollrtc_multiplayer_set_target_peer(relay.peer, frame.empty() ? 0 : static_cast<std::int8_t>(frame[0]));
      (void)pollrtc_multiplayer_put_packet(relay.peer, frame.data(), frame.size());
    } else {
      (void)pollrtc_channel_send(relay.channels[channel], frame.data(), frame.size());
    }
    relay.turn(relay.theirs, relay.ours);
    relay.turn(relay.theirs, relay.ours);
    relay.read();
  }
  return 0;
}
