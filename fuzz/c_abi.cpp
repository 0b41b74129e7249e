// Calls of the C interface in any order, on handles of any state: three connections, their channels and a MultiplayerPeer.
//
// Input: steps. A byte names the call, a byte the handle, and what follows is its argument: a length byte and so many bytes.
#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "c_machines.h"

using namespace pollrtc;

namespace {

class Program {
 public:
  explicit Program(Bytes input) : input_(input) {
    for (std::size_t i = 0; i < connections_.size(); ++i) connections_[i] = machines_.connect(i);
    check(pollrtc_multiplayer_create(&multiplayer_) == POLLRTC_OK);
  }
  ~Program() {
    for (pollrtc_channel* const channel : channels_) pollrtc_channel_destroy(channel);
    for (pollrtc_connection* const connection : connections_) pollrtc_connection_destroy(connection);
    pollrtc_multiplayer_destroy(multiplayer_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void run() {
    for (int steps = 0; steps < 120 && !input_.rest().empty(); ++steps) {
      const std::uint8_t call = input_.u8() % 36;
      const std::size_t handle = input_.u8();
      if (call < 16)
        on_connection(call, handle % connections_.size());
      else if (call < 28)
        on_channel(call, channels_.empty() ? nullptr : channels_[handle % channels_.size()]);
      else
        on_multiplayer(call, handle);
    }
  }

 private:
  std::string text() {
    const std::size_t wanted = input_.u8();
    return std::string(as_text(input_.take(std::min(wanted, input_.rest().size()))));
  }

  void on_connection(std::uint8_t call, std::size_t index) {
    pollrtc_connection*& c = connections_[index];
    switch (call) {
      case 0:
        return create_channel(c);
      case 1:
        return ignore(pollrtc_connection_create_offer(c));
      case 2:
        return ignore(pollrtc_connection_restart_ice(c));
      case 3:
        return ignore(pollrtc_connection_set_local_description(c, "rollback", ""));
      case 4:
        return ignore(pollrtc_connection_set_remote_description(c, "offer", text().c_str()));
      case 5:
        return ignore(pollrtc_connection_set_remote_description(c, "answer", text().c_str()));
      case 6:
        return ignore(pollrtc_connection_add_ice_candidate(c, "0", 0, text().c_str()));
      case 7:
        return ignore(pollrtc_connection_initialize(c, nullptr));
      case 8:
        return pollrtc_connection_close(c);
      case 9:
        return replace(c, index);
      case 10:
        return ask(c);
      case 11:
        return machines_.pass(std::int64_t{input_.u8()} * 50'000);
      default:  // most of the time it goes on: polled, and its signalling carried to the next one
        machines_.pass(5'000);
        for (int i = 0; i < 4; ++i) turn(index, (index + 1) % connections_.size());
    }
  }

  void replace(pollrtc_connection*& c, std::size_t index) {
    pollrtc_connection_destroy(c);
    c = machines_.connect(index);
  }

  void create_channel(pollrtc_connection* c) {
    if (channels_.size() > 32) return;
    const std::uint8_t flags = input_.u8();
    const std::string label = text();
    pollrtc_channel_options options{};
    options.size = sizeof options;
    options.unordered = flags & 1;
    options.negotiated = flags & 2;
    options.id = flags;
    options.limit_retransmits = flags & 4;
    options.limit_packet_life_time = flags & 8;
    options.max_retransmits = options.max_packet_life_time = flags;
    pollrtc_channel* made = nullptr;
    if (pollrtc_connection_create_channel(c, label.c_str(), &options, &made) == POLLRTC_OK)
      channels_.push_back(made);
  }

  void ask(pollrtc_connection* c) {
    pollrtc_stats stats{};
    stats.size = input_.u8();
    ignore(pollrtc_connection_get_stats(c, &stats));
    check(pollrtc_connection_error(c) != nullptr);
    check(pollrtc_connection_get_time_to_next_deadline_us(c) >= -1);
    int socket = 0;
    (void)pollrtc_connection_get_sockets(c, &socket, 1);
    check(pollrtc_connection_get_max_message_size(c) > 0);
  }

  void turn(std::size_t from, std::size_t to) {
    ignore(pollrtc_connection_poll(connections_[from]));
    ignore(pollrtc_connection_poll(connections_[to]));
    for (const auto& [a, b] : {std::pair(from, to), std::pair(to, from)}) {
      pollrtc_event event;
      while (pollrtc_connection_next_event(connections_[a], &event)) {
        check(event.text != nullptr && event.text2 != nullptr);
        if (event.type == POLLRTC_EVENT_DESCRIPTION_CREATED)
          ignore(pollrtc_connection_set_remote_description(connections_[b], event.text, event.text2));
        if (event.type == POLLRTC_EVENT_CANDIDATE_CREATED)
          ignore(
              pollrtc_connection_add_ice_candidate(connections_[b], event.text, event.number, event.text2));
        if (event.type == POLLRTC_EVENT_CHANNEL_RECEIVED) channels_.push_back(event.channel);
      }
    }
  }

  void on_channel(std::uint8_t call, pollrtc_channel* c) {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    pollrtc_channel_stats stats{};
    switch (call) {
      case 16:
        return ignore(pollrtc_channel_send(c, nullptr, 0));
      case 17: {
        const std::string t = text();
        return ignore(pollrtc_channel_send_text(c, t.data(), t.size()));
      }
      case 18: {
        const std::string t = text();
        return ignore(pollrtc_channel_send_with_report(c, 1, t.data(), t.size(), 1));
      }
      case 19: {
        const std::string t = text();
        return ignore(pollrtc_channel_send_piece(c, t.data(), t.size(), t.size() % 2 == 0));
      }
      case 20:
        return ignore(pollrtc_channel_abandon_message(c));
      case 21:
        return ignore(pollrtc_channel_set_receive_in_pieces(c, input_.u8() % 2));
      case 22:
        return pollrtc_channel_close(c);
      case 23:
        return forget(c);
      case 24:
        pollrtc_channel_set_buffered_amount_low_threshold(c, input_.u8());
        return;
      case 25:
        stats.size = sizeof stats;
        return ignore(pollrtc_channel_get_stats(c, &stats));
      default:
        while (pollrtc_channel_get_packet(c, &data, &size) == POLLRTC_OK) {
          check(size == 0 || data != nullptr);
          (void)pollrtc_channel_was_string_packet(c);
          (void)pollrtc_channel_is_message_complete(c);
        }
        (void)pollrtc_channel_get_id(c);
        (void)pollrtc_channel_get_buffered_amount(c);
        (void)pollrtc_channel_get_ready_state(c);
    }
  }

  void forget(pollrtc_channel* c) {
    std::erase(channels_, c);
    pollrtc_channel_destroy(c);
  }

  void on_multiplayer(std::uint8_t call, std::size_t argument) {
    pollrtc_multiplayer* const m = multiplayer_;
    const int id = static_cast<std::int8_t>(argument);
    const pollrtc_transfer_mode extra[] = {static_cast<pollrtc_transfer_mode>(argument % 4)};
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    int about = 0;
    switch (call) {
      case 28:
        return ignore(argument % 2 ? pollrtc_multiplayer_create_mesh(m, id, extra, 1)
                                   : pollrtc_multiplayer_create_server(m, nullptr, 0));
      case 29:
        return ignore(pollrtc_multiplayer_create_client(m, id, nullptr, 0));
      case 30:
        return ignore(pollrtc_multiplayer_add_peer(m, connections_[argument % connections_.size()],
                                                   input_.u8() % 8, input_.u8()));
      case 31:
        return ignore(argument % 2 ? pollrtc_multiplayer_remove_peer(m, id)
                                   : pollrtc_multiplayer_disconnect_peer(m, id, argument & 4));
      case 32: {
        pollrtc_multiplayer_set_target_peer(m, id);
        const std::string t = text();
        return ignore(pollrtc_multiplayer_put_packet(m, t.data(), t.size()));
      }
      case 33:
        return ignore(pollrtc_multiplayer_set_server_relay_enabled(m, id));
      case 34:
        return pollrtc_multiplayer_close(m);
      default:
        ignore(pollrtc_multiplayer_poll(m));
        while (pollrtc_multiplayer_next_event(m, &about) != POLLRTC_MULTIPLAYER_NONE) {
        }
        while (pollrtc_multiplayer_get_packet(m, &data, &size) == POLLRTC_OK) {
        }
        (void)pollrtc_multiplayer_get_time_to_next_deadline_us(m);
    }
  }

  // Any result is right, as long as it is one.
  static void ignore(pollrtc_result result) { check(pollrtc_result_name(result)[0] != '?'); }

  ByteReader input_;
  CMachines machines_;
  std::array<pollrtc_connection*, CMachines::kCount> connections_{};
  std::vector<pollrtc_channel*> channels_;
  pollrtc_multiplayer* multiplayer_ = nullptr;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Program(Bytes(data, size)).run();
  return 0;
}
