// ConnectionCore: a Peer, its sockets and its name look-ups, driven by the calls of PeerConnection and
// DataChannel.
//
// A PeerConnection has one core at a time; initialize() gives it a new one. Channels keep the core they were
// made in, so they can outlive the connection object. `owner_` is the connection whose signals are called,
// null once it has gone or has started over: it is looked at anew after each signal, since a handler may do
// either.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/ice_server_url.h"
#include "net/resolver.h"
#include "net/udp_socket.h"
#include "pollrtc/peer_connection.h"

namespace pollrtc::detail {

class ConnectionCore : public std::enable_shared_from_this<ConnectionCore> {
 public:
  ConnectionCore(PeerConnection* owner, const Configuration& configuration,
                 std::vector<IceServerUrl> servers);
  ~ConnectionCore();

  Result<std::shared_ptr<DataChannel>> create_channel(std::string_view label,
                                                      const DataChannelOptions& options);
  Status create_offer();
  Status set_local_description(std::string_view type, std::string_view sdp);
  Status set_remote_description(std::string_view type, std::string_view sdp);
  Status add_candidate(std::string_view mid, int index, std::string_view line);
  Status poll();
  Status wait(Duration timeout);
  void close();
  // As close(), when nobody will ask for its state any more.
  void end() {
    if (peer_) close();
  }

  // For channels.
  Status send(ChannelHandle handle, Bytes data, bool is_text);
  std::optional<MessageView> receive(ChannelHandle handle);
  ChannelInfo info(ChannelHandle handle) const;
  std::size_t buffered_amount(ChannelHandle handle) const;
  void set_buffer_low_threshold(ChannelHandle handle, std::size_t bytes);
  void close_channel(ChannelHandle handle);
  void release_channel(ChannelHandle handle);

  std::size_t sockets(std::span<int> out) const;
  std::optional<Duration> time_to_next_deadline() const;
  Time next_deadline() const;
  // Null before anything was asked of the connection.
  const Peer* peer() const { return peer_ ? &*peer_ : nullptr; }
  void set_owner(PeerConnection* owner) { owner_ = owner; }

 private:
  struct ChannelEntry {
    ChannelHandle handle;
    std::weak_ptr<DataChannel> channel;
    std::size_t buffered = 0;  // what the user is told: grows in send, falls in poll
    std::size_t low_threshold = 0;
  };
  struct PendingDescription {  // session_description_created is owed
    std::string type, sdp;
    bool wait_for_gathering = false;
  };
  struct Blocked {  // the socket's buffer is full; this datagram goes first once it is not
    std::size_t socket = 0;
    Address remote;
    std::size_t size = 0;
  };

  Result<Peer*> ensure_peer();
  Status announce(SdpType type, const std::string& sdp);
  void gather();
  bool bind_addresses(bool loopback);
  void look_up_servers();
  void step_resolver();
  void read_sockets();
  bool flush();
  bool send_datagram(std::size_t socket, const Address& remote, std::size_t size);
  void emit_description();
  void emit_events();
  void emit(Peer::Event& event);
  void refresh_buffered();
  void emit_buffered_low();
  ChannelEntry* entry(ChannelHandle handle);
  const ChannelEntry* entry(ChannelHandle handle) const;
  std::shared_ptr<DataChannel> channel(ChannelHandle handle);
  std::shared_ptr<DataChannel> make_channel(ChannelHandle handle);

  PeerConnection* owner_;
  Configuration configuration_;
  std::vector<IceServerUrl> servers_;
  Environment environment_;
  std::optional<Peer> peer_;
  net::Resolver resolver_;
  std::vector<net::UdpSocket> sockets_;
  std::vector<ChannelEntry> channels_;
  std::vector<ChannelHandle> buffered_low_;  // buffered_amount_low is owed
  std::optional<PendingDescription> pending_description_;
  std::string last_local_description_, last_local_type_;
  std::optional<Blocked> blocked_;
  std::vector<std::uint8_t> send_buffer_;  // holds the blocked datagram from one poll() to the next
  std::size_t lookups_ = 0;
  bool gathering_ = false;  // addresses are being found: local_addresses_done() is owed
  bool more_to_send_ = false;
  bool more_to_read_ = false;
  bool buffered_outdated_ = false;  // send() has been called since the amounts were looked at
  bool polling_ = false;
};

}  // namespace pollrtc::detail
