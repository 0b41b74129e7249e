// One end of an association of usrsctp, the stack of FreeBSD in user space, which Firefox uses and Chromium used: without
// sockets and without threads. Packets go in and out by hand, and its timers run when they are told to.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pollrtc::interop {

using Packet = std::vector<std::uint8_t>;

struct PeerMessage {
  std::uint16_t stream = 0;
  std::uint32_t ppid = 0;
  bool unordered = false;
  std::optional<std::uint32_t> max_retransmits = {}, lifetime_ms = {};  // when sending
  Packet bytes = {};
};

class UsrsctpPeer {
 public:
  struct Options {
    bool interleaving = false;
    std::uint16_t streams = 1024;
  };
  explicit UsrsctpPeer(const Options& options);
  ~UsrsctpPeer();
  UsrsctpPeer(const UsrsctpPeer&) = delete;
  UsrsctpPeer& operator=(const UsrsctpPeer&) = delete;

  void connect();
  void listen();  // and take the first association that comes

  void handle_packet(const Packet& packet);
  static void pass_time(unsigned milliseconds);  // for all of them
  std::deque<Packet> packets;                    // to be sent

  bool send(const PeerMessage& message);  // false: its buffer is full
  bool reset(const std::vector<std::uint16_t>& streams);
  void shut_down();
  void abort();

  // What happened.
  bool is_up = false, is_lost = false, is_shut_down = false, can_interleave = false;
  std::uint16_t streams_out = 0, streams_in = 0;
  std::vector<PeerMessage> received;
  std::vector<std::uint16_t> incoming_resets, outgoing_resets;
  std::vector<std::string> troubles;  // refused resets, failed sends of reliable messages

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace pollrtc::interop
