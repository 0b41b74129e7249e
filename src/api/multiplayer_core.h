// MultiplayerCore: the peers of a MultiplayerPeer.
//   multiplayer_core.cpp   adding, removing, sending, receiving, poll()
//   multiplayer_relay.cpp  packets that pass through the server, in the framing of Godot's SceneMultiplayer
//
// `owner_` is whose signals are called, null once it has gone; handlers may do anything, so after each of them peers
// are looked up anew.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "pollrtc/multiplayer_peer.h"

namespace pollrtc::detail {

class MultiplayerCore : public std::enable_shared_from_this<MultiplayerCore> {
 public:
  using TransferMode = MultiplayerPeer::TransferMode;
  using ConnectionStatus = MultiplayerPeer::ConnectionStatus;
  using PeerInfo = MultiplayerPeer::PeerInfo;
  enum class Mode : std::uint8_t { None, Server, Client, Mesh };
  struct Entry {
    int id;
    PeerInfo peer;
  };

  explicit MultiplayerCore(MultiplayerPeer* owner) : owner_(owner) {}

  Status create(Mode mode, int id, std::span<const TransferMode> channels_config);
  Status add(std::shared_ptr<PeerConnection> connection, int id, int unreliable_lifetime);
  Status remove(int id);
  Status disconnect(int id, bool force);
  void close();
  Status poll();
  bool has_to_tell() const;  // poll() would, now
  Status put(Bytes packet);
  Result<Bytes> get();
  int available_packets();

  const Entry* find(int id) const;
  Entry* find(int id);
  // The next packet, found when it is asked for.
  void find_next();
  int next_peer() const { return next_peer_; }
  int next_channel() const;
  TransferMode next_mode() const;

  MultiplayerPeer* owner_;
  std::vector<Entry> peers;  // in the order in which they were added
  std::vector<TransferMode> extra_channels;
  std::optional<ErrorCode> packet_error;
  ConnectionStatus status = MultiplayerPeer::CONNECTION_DISCONNECTED;
  TransferMode transfer_mode = MultiplayerPeer::TRANSFER_MODE_RELIABLE;
  Mode mode = Mode::None;
  int own_id = 0;
  int target = 0;
  int transfer_channel = 0;
  bool refuse = false;
  bool relay = false;
  bool wait_for_server = false;  // Godot 3.x's server_compatibility
  bool polling = false;

 private:
  struct Relayed {  // a packet taken out of its frame
    int peer = 0;
    std::vector<std::uint8_t> bytes;
  };

  bool is_relaying() const { return relay && (mode == Mode::Server || mode == Mode::Client); }
  Status make_channels(PeerInfo& peer, int unreliable_lifetime) const;
  void find_next_waiting();
  std::size_t channel_index() const;
  Status put_to(int to, std::size_t channel, Bytes packet);
  Status put_on(const PeerInfo& peer, std::size_t channel, Bytes packet) const;

  // poll()
  enum class Health : std::uint8_t { Waiting, Up, Gone };
  static Health health_of(const PeerInfo& peer);
  void poll_peers();
  void announce(int id);
  void announce_held_back();
  void forget(int id);
  Entry take_out(int id);
  void forget_relay();
  void tell(std::function<void(int)> MultiplayerPeer::*signal, int id);
  void tell(std::function<void()> MultiplayerPeer::*signal);

  // Relaying.
  Status put_relayed(std::size_t channel, Bytes packet);
  void find_next_relayed();
  void take_frame(int from, std::size_t channel, Bytes frame);
  void on_system_frame(int from, std::size_t channel, Bytes frame);
  void on_held_frame();
  void pass_on(int from, std::size_t channel, int to, Bytes inner);
  void deliver(int from, Bytes inner);
  void tell_others(int id, bool is_there);

  int last_peer_ = 0;  // who was served last
  int next_peer_ = 0;  // 0: not looked for yet, or nobody
  std::size_t next_channel_ = 0;
  std::optional<Relayed> waiting_;   // relaying: the next packet
  std::vector<std::uint8_t> given_;  // relaying: the one that get() gave
  std::vector<int> remote_peers_;    // relaying, clients: those beyond the server
  struct HeldFrame {
    std::uint8_t command;
    int id;
  };
  std::optional<HeldFrame> held_frame_;  // has to be told of, so it waits for poll()
  std::vector<int> held_back_;           // server_compatibility: who is told of once the server is there
  std::vector<std::pair<int, std::shared_ptr<PeerConnection>>>
      visiting_;  // poll()'s list, kept for its memory
};

}  // namespace pollrtc::detail
