// PeerConnection: Godot's WebRTCPeerConnection in plain C++: a Peer with UDP sockets inside, driven by
// poll().
//
// Nothing happens outside poll() and the calls themselves: no thread, no timer, no signal. Call poll() each
// frame, or sleep in wait(). Signals are the std::function members; they are called from poll() only, on its
// thread, and a handler may call anything on any object and drop any reference.
//
// Handlers must not throw; nor may the log sink and the packet tap, which run in the middle of things: what they call on
// their own connection is refused (InvalidState), except that they may drop it and its channels.
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
#include "pollrtc/network.h"
#include "pollrtc/peer.h"
#include "pollrtc/resolver.h"

namespace pollrtc {

class UdpMux;
namespace detail {
struct HeldConnection;
}  // namespace detail

// A STUN or TURN server, or several with the same credentials.
struct IceServer {
  // "stun:host[:port]", "turn:host[:port][?transport=udp|tcp]", "turns:host[:port]" (TLS over TCP). NotSupported: stuns, and
  // turns over UDP.
  std::vector<std::string> urls;
  // For TURN: UTF-8, each of 1 to 508 bytes, used as they are (see TurnServer). A user name that tells who somebody is
  // belongs behind turns:, as turn: shows it to everybody on the way, unless the server wants it hashed.
  std::string username, credential;
};

// W3C's iceTransportPolicy.
enum class IceTransportPolicy : std::uint8_t {
  All,  // every candidate
  Relay,  // nothing but relayed candidates: no address of ours in descriptions or candidates, and no checks from one
};

// How the other end may be reached, TURN servers aside. TCP (RFC 6544) is for networks that let no UDP through; a lost packet
// holds up all that follow it there, so it is used only when no way by UDP is found. It means a listening socket on each
// address, and that strangers may connect (Limits::ice_tcp_unverified).
enum class IceTransports : std::uint8_t { Udp, UdpAndTcp, Tcp };

// What a connection is to be like. The default finds its way in a local network.
struct Configuration {
  std::vector<IceServer> ice_servers;                                 // asked when gathering begins
  IceTransportPolicy ice_transport_policy = IceTransportPolicy::All;  // which candidates there are
  IceTransports ice_transports = IceTransports::Udp;                  // how they are reached
  // One UDP port for many connections (pollrtc/udp_mux.h); null: a socket for each of them and each address. With it
  // port_range_* concern TCP and the sockets for TURN servers by UDP, dscp and udp_offload those sockets alone: for its own
  // the mux has settings of its own (UdpMux::Config).
  std::shared_ptr<UdpMux> udp_mux;
  // Whom to trust for turns: servers: certificates in PEM. Empty: those that the system trusts.
  std::string trusted_certificates;
  std::uint16_t port_range_begin = 0,
                port_range_end = 0;  // local ports, UDP and TCP, both included; both 0: the system's choice
  // Loopback addresses are gathered when there is no other address, or when this is set.
  bool include_loopback = false;
  // Our own addresses are signalled as names ("<uuid>.local") which only those on the same link can resolve, by multicast DNS;
  // browsers do the same to pages without a camera. Whoever is elsewhere needs our server-reflexive or relayed candidates.
  // Nothing that we signal shows a host address then, nor do our stats; but STUN servers and the other end, once we check it, see
  // where our datagrams come from.
  bool hide_addresses = false;
  // Restart ICE (see restart_ice) when the path is lost, and when an interface in use goes away. The signalling must still
  // be there for it: session_description_created is emitted again.
  bool restart_ice_automatically = true;
  // A server behind a one-to-one NAT: host candidates of the IP address `nat_1_1_internal` are announced with that of
  // `nat_1_1_external` and the same port. Both as text; empty: as they are.
  std::string nat_1_1_internal, nat_1_1_external;
  bool ice_lite = false;   // for servers: see PeerConfig
  Pacer* pacer = nullptr;  // one for many connections, which must outlive them; null: each paces itself
  // Datagrams go to the system and come from it several at a time where it knows how (UDP GSO and GRO of Linux), which takes
  // a third off the work of a bulk transfer. False: one by one, for network drivers that do it wrong.
  bool udp_offload = true;
  int dscp = -1;  // RFC 8837: 0..63 for all datagrams (not for TCP), checks included; negative: the system's
  // Instead of the handlers: what happened waits until next_event() takes it, after each poll().
  bool pull_events = false;
  // Messages wait for flush() or poll(), and then leave together: many small ones share a packet. False: each leaves in the call
  // that hands it in, in a packet of its own.
  bool hold_messages = false;
  // Both empty: a fresh key pair for each connection. generate_certificate() makes one to keep and use again.
  CertificatePem certificate;
  // The largest IP packet, in bytes, that path MTU discovery tries (RFC 8899): PeerConfig::max_ip_packet. 0: no discovery.
  std::uint16_t max_ip_packet = 1500;
  TransportGoal transport_goal = TransportGoal::Throughput;  // of what this end sends
  LogSink log;                                               // none: nothing is logged
  PacketTap tap;                                             // none: nobody looks
  Limits limits;  // docs/limits.md; Limits::small() for small machines
  // Left empty: the operating system's. What the hooks point to must outlive the connection and its channels.
  Rng rng;
  Memory memory = {};     // see docs/limits.md for what is allocated otherwise
  Network network;        // sockets and a clock of your own
  HostResolver resolver;  // for the names of ICE servers
};

// The tutorial's dictionaries: {type, sdp} and {candidate, sdpMid, sdpMLineIndex}.
struct SessionDescription {
  std::string type, sdp;  // "offer", "pranswer", "answer" or "rollback", and the text
};
// See SessionDescription.
struct IceCandidate {
  std::string candidate, sdp_mid;  // the line, and the media section it belongs to
  int sdp_m_line_index = 0;        // the number of that section
};

// One connection; see the top of this file.
class POLLRTC_API PeerConnection {
 public:
  // Godot's names for the states; the values are Godot's too:
  static constexpr ConnectionState STATE_NEW = ConnectionState::New;
  static constexpr ConnectionState STATE_CONNECTING = ConnectionState::Connecting;
  static constexpr ConnectionState STATE_CONNECTED = ConnectionState::Connected;
  static constexpr ConnectionState STATE_DISCONNECTED = ConnectionState::Disconnected;
  static constexpr ConnectionState STATE_FAILED = ConnectionState::Failed;
  static constexpr ConnectionState STATE_CLOSED = ConnectionState::Closed;
  static constexpr GatheringState GATHERING_STATE_NEW = GatheringState::New;
  static constexpr GatheringState GATHERING_STATE_GATHERING = GatheringState::Gathering;
  static constexpr GatheringState GATHERING_STATE_COMPLETE = GatheringState::Complete;
  static constexpr SignalingState SIGNALING_STATE_STABLE = SignalingState::Stable;
  static constexpr SignalingState SIGNALING_STATE_HAVE_LOCAL_OFFER = SignalingState::HaveLocalOffer;
  static constexpr SignalingState SIGNALING_STATE_HAVE_REMOTE_OFFER = SignalingState::HaveRemoteOffer;
  static constexpr SignalingState SIGNALING_STATE_HAVE_LOCAL_PRANSWER = SignalingState::HaveLocalPranswer;
  static constexpr SignalingState SIGNALING_STATE_HAVE_REMOTE_PRANSWER = SignalingState::HaveRemotePranswer;
  static constexpr SignalingState SIGNALING_STATE_CLOSED = SignalingState::Closed;

  // What next_event() gives; each is the signal of that name.
  struct DescriptionCreated {
    std::string type, sdp;  // "offer" or "answer"; applied here already
  };
  // See ice_candidate_created.
  struct CandidateCreated {
    std::string media;  // the mid
    int index;          // of the media section
    std::string name;   // the line; empty: that was all
  };
  // See data_channel_received.
  struct ChannelReceived {
    std::shared_ptr<DataChannel> channel;  // closes unless somebody keeps it
  };
  // See connection_state_changed.
  struct ConnectionStateChanged {
    ConnectionState state;  // the new one
  };
  // See gathering_state_changed.
  struct GatheringStateChanged {
    GatheringState state;  // the new one
  };
  // See signaling_state_changed.
  struct SignalingStateChanged {
    SignalingState state;  // the new one
  };
  // See DataChannel::opened.
  struct ChannelOpened {
    std::shared_ptr<DataChannel> channel;  // the one that is open
  };
  // See DataChannel::closing.
  struct ChannelClosing {
    std::shared_ptr<DataChannel> channel;  // Closing from now on
  };
  // See DataChannel::closed, and failed.
  struct ChannelClosed {
    std::shared_ptr<DataChannel> channel;  // Closed from now on
    Close reason;                          // Local or Remote when the closing was orderly
  };
  // See DataChannel::message_received.
  struct MessageReceived {
    std::shared_ptr<DataChannel> channel;  // get_packet() has it
  };
  // See DataChannel::message_outcome.
  struct MessageReport {
    std::shared_ptr<DataChannel> channel;  // the one it was sent on
    std::uint32_t report;                  // the number that send_with_report() was given
    MessageOutcome outcome;                // what became of it
  };
  // See DataChannel::buffered_amount_low.
  struct BufferedAmountLow {
    std::shared_ptr<DataChannel> channel;  // the one that has room
  };
  // See ice_server_failed.
  struct IceServerFailed {
    std::string url;   // as configured
    int code;          // STUN's, or 701
    std::string text;  // why
  };
  // What next_event() gives; std::monostate is none of them.
  using Event = std::variant<std::monostate, DescriptionCreated, CandidateCreated, ChannelReceived,
                             ConnectionStateChanged, GatheringStateChanged, SignalingStateChanged,
                             ChannelOpened, ChannelClosing, ChannelClosed, MessageReceived, MessageReport,
                             BufferedAmountLow, IceServerFailed>;

  PeerConnection();
  ~PeerConnection();  // as close()
  // What was moved from is as a fresh one that was not initialized.
  PeerConnection(PeerConnection&&) noexcept;
  // The two are exchanged.
  PeerConnection& operator=(PeerConnection&&) noexcept;

  // Starts over, from any state: what was active is closed and its queued signals are dropped. Not needed for a fresh
  // object with an empty configuration. Errors: InvalidArgument (a malformed url; the detail says what is wrong with it),
  // NotSupported; then the old connection is untouched.
  Status initialize(const Configuration& configuration = {});
  // Makes the key pair now, which takes about a millisecond; else the first call that needs it does. For who waits for an offer,
  // so that the answer need not wait for the key. Errors: what Peer::create() says.
  Status prepare();

  // Open once the other end is connected. Errors: InvalidArgument, AlreadyExists (the id is in use), LimitReached,
  // Closed; of the first call on a connection also what Peer::create() says.
  Result<std::shared_ptr<DataChannel>> create_data_channel(std::string_view label,
                                                           const DataChannelOptions& options = {});
  Status create_offer();  // InvalidState: no channel yet, or not New
  // Beyond Godot: an offer with new ICE credentials, by session_description_created, to find another path while the
  // old one still carries data, or when it has Failed: then the channels wait for it, for Limits::ice_restart_window. While
  // Failed an offer of ours that has no answer is given again, with its candidates, since it may be lost as well.
  // InvalidState: not connected yet, ended, or an offer is on its way.
  Status restart_ice();
  // OK for the description that session_description_created gave; it is applied already. Beyond Godot: the type "rollback"
  // takes an unanswered offer back, so that the other end's, which crossed it, can be set.
  Status set_local_description(std::string_view type, std::string_view sdp);
  // An offer is answered at once, by session_description_created. One that crosses our own offer on a live connection, since
  // both ends restarted ICE, is passed over by the end that made the first offer of the connection (OK, and no answer); the
  // other end takes its own back and answers (RFC 9429 §4.1.10.2). Errors: ParseFailed (malformed), Refused (not usable),
  // InvalidArgument (no such type), InvalidState, NotSupported; then nothing has changed. OutOfMemory: a restart of ours may be
  // gone, and theirs not answered.
  Status set_remote_description(std::string_view type, std::string_view sdp);
  // Godot's name for the mid is `media`, for the line ("candidate:...", or with "a=" in front) `name`. An empty line
  // ends the candidates. One that comes before the other end's first description is kept for it. Later one whose line names a
  // generation (ufrag) that no description has named is ignored: those of an ICE restart come after its offer.
  Status add_ice_candidate(std::string_view media, int index, std::string_view name);
  Status poll();  // InvalidState when called from inside a signal
  // With Configuration::pull_events: what happened, oldest first; false when that was all. Without it false as well, and
  // nothing is taken: what happened is the handlers'.
  bool next_event(Event& event);
  void flush();  // with Configuration::hold_messages: sends what waits, as far as the network lets it
  void close();  // everything the other end needs to know is sent inside this call

  // As of the last poll() or call.
  ConnectionState get_connection_state() const;
  // Likewise.
  GatheringState get_gathering_state() const;
  // Likewise.
  SignalingState get_signaling_state() const;

  // The tutorial's names, none of which is in any Godot. An answer is made by set_remote_description("offer", ...)
  // already, so create_answer() only says whether one was: InvalidState when none was.
  Status create_answer();
  // As the one above.
  Status set_local_description(const SessionDescription& description) {
    return set_local_description(description.type, description.sdp);
  }
  // As the one above.
  Status set_remote_description(const SessionDescription& description) {
    return set_remote_description(description.type, description.sdp);
  }
  // As the one above.
  Status add_ice_candidate(const IceCandidate& candidate) {
    return add_ice_candidate(candidate.sdp_mid, candidate.sdp_m_line_index, candidate.candidate);
  }

  // Signals.
  std::function<void(const std::string& type, const std::string& sdp)> session_description_created;
  // For the other end's add_ice_candidate(). An empty line: that was all.
  std::function<void(const std::string& media, int index, const std::string& name)> ice_candidate_created;
  // The other end made a channel, which is Open. It closes unless somebody keeps it.
  std::function<void(std::shared_ptr<DataChannel> channel)> data_channel_received;
  // Beyond Godot: each change once, in order.
  std::function<void(ConnectionState state)> connection_state_changed;
  // As connection_state_changed.
  std::function<void(GatheringState state)> gathering_state_changed;
  // As connection_state_changed.
  std::function<void(SignalingState state)> signaling_state_changed;

  // Beyond Godot, like W3C's icecandidateerror: a server is of no use. `url` is its url, `code` STUN's (401: wrong
  // credentials), or 701 when a TURN server could not be reached, or the name of any server has no address.
  std::function<void(const std::string& url, int code, const std::string& text)> ice_server_failed;

  // Event loops. wait() sleeps until a datagram comes, a deadline is due or `timeout` has passed, and then
  // calls poll().
  // NotSupported: the connection has a Network of its own.
  Status wait(Duration timeout);
  // For a loop of your own: the sockets to watch for reading (returns how many there are; fills what fits),
  // and how long it may sleep (zero: poll at once; nothing: no deadline).
  std::size_t get_sockets(std::span<int> out) const;
  // See get_sockets().
  std::optional<Duration> get_time_to_next_deadline() const;

  // The largest message that can be sent now, in bytes; 65536 before the other end's description.
  std::size_t get_max_message_size() const;
  PeerStats get_stats() const;  // all zero before the first call that needs a connection

 private:
  friend class detail::ConnectionCore;
  friend struct detail::HeldConnection;  // of the C interface
  friend Status poll_all(std::span<PeerConnection* const> connections, Duration timeout);
  detail::ConnectionCore& core();
  std::shared_ptr<detail::ConnectionCore>
      core_;  // none in an object that was moved from, until it is used again
};

// Sleeps until something is to be done for any of them, or until `timeout` has passed, and polls those. Handlers may
// destroy any of them. Errors: NotSupported (one has a Network of its own, which poll(2) cannot watch).
POLLRTC_API Status poll_all(std::span<PeerConnection* const> connections, Duration timeout);

// A certificate to use again (Configuration::certificate), valid for 30 days from now. Errors: Crypto, NoRandomness,
// OutOfMemory.
POLLRTC_API Result<CertificatePem> generate_certificate();

}  // namespace pollrtc
