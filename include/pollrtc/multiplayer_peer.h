// MultiplayerPeer: Godot's WebRTCMultiplayerPeer in plain C++: peers with numbers over many PeerConnections.
//
//   auto connection = std::make_shared<PeerConnection>();       // its signals go to your signalling
//   peer.create_mesh(my_id);
//   peer.add_peer(connection, their_id);                         // makes the channels; then, at one of the two ends:
//   connection->create_offer();
//   each frame:  peer.poll();  while (peer.get_available_packet_count() != 0) use(peer.get_packet_peer(), peer.get_packet());
//
// Each connection carries three negotiated channels: "reliable" (id 1), "ordered" (2) and "unreliable" (3), so a Godot
// game or a page with the same three can be at the other end; then the extra ones, numbered and named from 4.
// Everything happens in poll() and in the calls; handlers are called from poll(), and by remove_peer() as in Godot, and may call
// and drop anything.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "pollrtc/peer_connection.h"

namespace pollrtc {

namespace detail {
class MultiplayerCore;
}

// All players of a game; see the top of this file.
class POLLRTC_API MultiplayerPeer {
 public:
  // What a packet is worth. The values are Godot's.
  enum TransferMode : std::uint8_t {
    TRANSFER_MODE_UNRELIABLE = 0,
    TRANSFER_MODE_UNRELIABLE_ORDERED = 1,
    TRANSFER_MODE_RELIABLE = 2
  };
  // Of this end. A server and a member of a mesh are Connected at once, a client with its server.
  enum ConnectionStatus : std::uint8_t {
    CONNECTION_DISCONNECTED = 0,
    CONNECTION_CONNECTING = 1,
    CONNECTION_CONNECTED = 2
  };
  // set_target_peer(): everybody.
  static constexpr int TARGET_PEER_BROADCAST = 0;
  // The id of a server.
  static constexpr int TARGET_PEER_SERVER = 1;

  // What get_peer() tells of one.
  struct PeerInfo {
    std::shared_ptr<PeerConnection> connection;  // as given to add_peer()
    // Reliable, ordered, unreliable; then the extra ones.
    std::vector<std::shared_ptr<DataChannel>> channels;
    bool connected = false;  // all channels are open, and peer_connected has said so
  };

  MultiplayerPeer();
  ~MultiplayerPeer();  // as close()
  MultiplayerPeer(const MultiplayerPeer&) = delete;
  MultiplayerPeer& operator=(const MultiplayerPeer&) = delete;

  // A server has the id 1, clients know it alone, in a mesh everybody knows everybody. `channels_config` asks for extra
  // channels, the same at each end. Peers that are there stay. InvalidArgument: an id outside 1 .. 2^31-1, a client's id
  // 1, a mode that is none.
  Status create_server(std::span<const TransferMode> channels_config = {});
  // As create_server(), with an id of one's own.
  Status create_client(int peer_id, std::span<const TransferMode> channels_config = {});
  // As create_client(), with everybody.
  Status create_mesh(int peer_id, std::span<const TransferMode> channels_config = {});
  // Godot 3.x (WebRTCMultiplayer): a mesh. With `server_compatibility` an end that is not the server (1) stays
  // Connecting, and hears of no peer, until the server is there.
  Status initialize(int peer_id, bool server_compatibility = false);

  // Makes the channels; the offer is the caller's. `unreliable_lifetime` (milliseconds) is how long an unreliable packet
  // is worth sending again; its first transmission it always gets. An id that is there is replaced without a word.
  // With Configuration::pull_events its events are still to be pulled: get_peer() has it for whoever has let go of it.
  // Errors, in this order: Unconfigured (nothing was created), InvalidArgument (ids, lifetime), Unauthorized (new
  // connections are refused), InvalidArgument (no connection, or one that is not New); what create_data_channel says.
  Status add_peer(std::shared_ptr<PeerConnection> connection, int peer_id, int unreliable_lifetime = 1);
  // NotFound. The connection is let go of, not closed; peer_disconnected says so at once, if it was connected.
  Status remove_peer(int peer_id);
  // Closes the connection; the next poll() removes the peer and says so. With `force` it is gone at once, without a word.
  Status disconnect_peer(int peer_id, bool force = false);
  bool has_peer(int peer_id) const;                         // it was added, connected or not
  Result<PeerInfo> get_peer(int peer_id) const;             // NotFound
  std::vector<std::pair<int, PeerInfo>> get_peers() const;  // in the order in which they were added
  void close();                                             // lets go of all, without a word

  Status poll();  // InvalidState when called from inside one of its signals
  // As PeerConnection's, for all of them.
  Status wait(Duration timeout);
  // How long poll() may wait; nothing: until a datagram comes.
  std::optional<Duration> get_time_to_next_deadline() const;

  // To whom and how put_packet() sends: a peer, everybody (0), or everybody but one (-id).
  void set_target_peer(int peer_id);
  int get_target_peer() const;  // Broadcast at first
  // How put_packet() sends, from now on.
  void set_transfer_mode(TransferMode mode);
  TransferMode get_transfer_mode() const;  // Reliable at first
  // 0: the three, by the mode. n: extra channel n, whatever the mode.
  void set_transfer_channel(int channel);
  int get_transfer_channel() const;  // 0 at first
  // Unconfigured: Disconnected. InvalidArgument: no such peer or channel. Else, to one peer, what its channel says; to
  // several, nothing: those that cannot take it now do not get it.
  Status put_packet(Bytes packet);

  // The next packet, and who sent it; peers take turns. Empty when there is none; good until the next call of get_packet(),
  // poll() or wait(), or until its peer leaves.
  Result<Bytes> get_packet();
  int get_available_packet_count() const;             // of all peers together
  int get_packet_peer() const;                        // 0 when none waits, as the two below
  int get_packet_channel() const;                     // 0: one of the three
  TransferMode get_packet_mode() const;               // how it was sent
  std::optional<ErrorCode> get_packet_error() const;  // of the last get_packet()
  std::size_t get_max_packet_size() const {
    return 1200;
  }  // as in Godot: what goes in one datagram; not enforced

  ConnectionStatus get_connection_status() const;  // Disconnected: nothing was created, or close()
  int get_unique_id() const;                       // 1 while Disconnected
  bool is_server() const { return get_unique_id() == TARGET_PEER_SERVER; }  // its id is 1
  void set_refuse_new_connections(bool refuse);                             // of add_peer()
  bool is_refusing_new_connections() const;                                 // not at first
  static int generate_unique_id();                                          // random, 2 .. 2^31-1
  // Whether packets from client to client can pass through the server: not in a mesh.
  bool is_server_relay_supported() const;
  // In Godot the passing on is SceneMultiplayer's work. Switched on here, before the first peer and at each end, packets
  // travel as its send_bytes() sends them: the server passes them on, clients hear of each other by peer_connected and
  // peer_disconnected, and can be targets. What the buffer of one who should get it cannot take is lost to him.
  Status set_server_relay_enabled(bool enabled);
  bool is_server_relay_enabled() const;  // not at first

  // Signals. A peer is connected when all its channels are open, and disconnected when one of them is not any more, or its
  // connection is Failed or Closed. One that is merely Disconnected (nothing was heard for some seconds) stays, unlike in
  // Godot: it comes back, or fails within 30 seconds.
  std::function<void(int peer_id)> peer_connected;
  std::function<void(int peer_id)> peer_disconnected;  // only after peer_connected
  // Godot 3.x: of a client (or, by server_compatibility, a member of a mesh) and its server.
  std::function<void()> connection_succeeded;
  // Of a client: the way to its server failed before it was there.
  std::function<void()> connection_failed;
  // The server has gone.
  std::function<void()> server_disconnected;

 private:
  friend class detail::MultiplayerCore;
  std::shared_ptr<detail::MultiplayerCore> core_;
};

}  // namespace pollrtc
