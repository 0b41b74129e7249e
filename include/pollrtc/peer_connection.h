// PeerConnection: Godot's WebRTCPeerConnection in plain C++: a Peer with UDP sockets inside, driven by
// poll().
//
// Nothing happens outside poll() and the calls themselves: no thread, no timer, no signal. Call poll() each
// frame, or sleep in wait(). Signals are the std::function members; they are called from poll() only, on its
// thread, and a handler may call anything on any object and drop any reference.
//
// Order at the offering side: create_data_channel, create_offer, then session_description_created and its
// candidates; at the answering side: set_remote_description("offer", ...), then the answer by
// session_description_created.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pollrtc/data_channel.h"
#include "pollrtc/peer.h"

namespace pollrtc {

struct IceServer {
  std::vector<std::string> urls;  // "stun:host[:port]"; turn:, turns: and stuns: are refused (NotSupported)
  std::string username, credential;
};

struct Configuration {
  std::vector<IceServer> ice_servers;
  std::uint16_t port_range_begin = 0,
                port_range_end = 0;  // local UDP ports, both included; 0: the system's choice
  // Loopback addresses are gathered when there is no other address, or when this is set.
  bool include_loopback = false;
  LogSink log;
  Limits limits;
};

class POLLRTC_API PeerConnection {
 public:
  PeerConnection();
  ~PeerConnection();  // as close()
  PeerConnection(PeerConnection&&) noexcept;
  PeerConnection& operator=(PeerConnection&&) noexcept;

  // Starts over, from any state: what was active is closed and its queued signals are dropped. Not needed for a fresh
  // object with an empty configuration. Errors: InvalidArgument (a malformed url; the detail says what is wrong with it),
  // NotSupported; then the old connection is untouched.
  Status initialize(const Configuration& configuration = {});

  Result<std::shared_ptr<DataChannel>> create_data_channel(std::string_view label,
                                                           const DataChannelOptions& options = {});
  Status create_offer();  // InvalidState: no channel yet, or not New
  // OK for the description that session_description_created gave; it is applied already.
  Status set_local_description(std::string_view type, std::string_view sdp);
  Status set_remote_description(std::string_view type, std::string_view sdp);
  Status add_ice_candidate(std::string_view media, int index, std::string_view name);
  Status poll();  // InvalidState when called from inside a signal
  void close();   // everything the other end needs to know is sent inside this call

  ConnectionState get_connection_state() const;
  GatheringState get_gathering_state() const;
  SignalingState get_signaling_state() const;

  // Signals.
  std::function<void(const std::string& type, const std::string& sdp)> session_description_created;
  std::function<void(const std::string& media, int index, const std::string& name)> ice_candidate_created;
  std::function<void(std::shared_ptr<DataChannel> channel)> data_channel_received;
  std::function<void(ConnectionState state)> connection_state_changed;  // beyond Godot

  // Event loops. wait() sleeps until a datagram comes, a deadline is due or `timeout` has passed, and then
  // calls poll().
  Status wait(Duration timeout);
  // For a loop of your own: the sockets to watch for reading (returns how many there are; fills what fits),
  // and how long it may sleep (zero: poll at once; nothing: no deadline).
  std::size_t get_sockets(std::span<int> out) const;
  std::optional<Duration> get_time_to_next_deadline() const;

  std::size_t get_max_message_size() const;
  PeerStats get_stats() const;

 private:
  friend class detail::ConnectionCore;
  std::shared_ptr<detail::ConnectionCore> core_;
};

}  // namespace pollrtc
