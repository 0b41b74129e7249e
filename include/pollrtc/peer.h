// Peer: one WebRTC connection as a sans-I/O engine, for those who own their sockets and their clock
// (consoles, servers, simulators). `PeerConnection` (peer_connection.h) is the same with sockets inside.
//
// Bytes and a time go in; bytes, events and a deadline come out:
//
//   Peer peer = *Peer::create(environment, config, now);
//   peer.create_channel(now, {.label = "chat"});
//   auto offer = peer.create_offer(now);
//   peer.set_local_description(now, SdpType::Offer, *offer);      // gathering starts: tell it your addresses
//   peer.add_local_address(now, my_socket_address);
//   peer.local_addresses_done(now);
//   loop:
//     while (auto t = peer.poll_transmit(now, buffer)) send(t->path, buffer, t->size);
//     while (peer.poll_event(event)) handle(event);
//     wait for a datagram, or until peer.next_timeout();
//     peer.handle_datagram(now, path, bytes)  or  peer.handle_timeout(now);
//
// Any order of calls is legal; nothing calls back; a call does bounded work. `now` may stand still but not go
// back. Descriptions follow RFC 9429 (JSEP), channels RFC 8831 and 8832.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "pollrtc/candidate.h"
#include "pollrtc/environment.h"
#include "pollrtc/error.h"
#include "pollrtc/fingerprint.h"
#include "pollrtc/fixed_string.h"
#include "pollrtc/packet_tap.h"
#include "pollrtc/result.h"
#include "pollrtc/turn_server.h"
#include "pollrtc/types.h"

namespace pollrtc {

namespace detail {
class ConnectionCore;
}

// Disconnected: nothing was heard for some seconds, and it may come back by itself. Failed: the path is lost (no candidate pair
// works, or consent has expired), or the connection has broken. Of a lost path the transports live on, and the channels with
// them, for Limits::ice_restart_window: an offer with ice_restart, by either end, makes it Connecting and Connected again. As
// long as that is possible the signaling state is not Closed.
enum class ConnectionState : std::uint8_t { New, Connecting, Connected, Disconnected, Failed, Closed };
// W3C's RTCIceGatheringState.
enum class GatheringState : std::uint8_t { New, Gathering, Complete };
// RFC 9429 §3.2.
enum class SignalingState : std::uint8_t {
  Stable,
  HaveLocalOffer,
  HaveRemoteOffer,
  HaveLocalPranswer,
  HaveRemotePranswer,
  Closed
};
// W3C's RTCDataChannelState.
enum class ChannelState : std::uint8_t { Connecting, Open, Closing, Closed };
// What the sending of data is after when it has the path to itself or shares it.
enum class TransportGoal : std::uint8_t {
  Throughput,  // fills the path; what waits in queues on the way stays short
  // For games: a bulk transfer keeps less than 30 ms waiting in the path's queues, so that small messages beside it are hardly
  // delayed. It gets less where others fill the queues.
  LowLatency
};
// RFC 9429 §4.1.8.
enum class SdpType : std::uint8_t { Offer, Pranswer, Answer, Rollback };

// The W3C names: "connecting", "have-local-offer", "offer" ...
POLLRTC_API std::string_view name_of(ConnectionState);
// As above.
POLLRTC_API std::string_view name_of(GatheringState);
// As above.
POLLRTC_API std::string_view name_of(SignalingState);
// As above.
POLLRTC_API std::string_view name_of(ChannelState);
// As above.
POLLRTC_API std::string_view name_of(SdpType);
// The way back; nothing: no such name.
POLLRTC_API std::optional<SdpType> sdp_type_from(std::string_view name);

// What one connection is to be like. Given to Peer::create().
struct PeerConfig {
  std::uint16_t sctp_port = 5000;  // 1..65535
  std::int64_t unix_time = 0;   // seconds since 1970, for the certificate's validity; 0: a fixed day in 2026
  bool allow_loopback = false;  // pair with remote loopback addresses though no local candidate is one
  // Nothing but relayed candidates: the other end and whoever reads the signalling learn none of our addresses.
  bool relay_only = false;
  // ICE-lite, for servers with a public address (RFC 8445 §2.5): host candidates only, always controlled, answers checks
  // and sends none. The other end must be full.
  bool ice_lite = false;
  // The sockets of add_local_address() serve other peers as well. A TURN server tells its clients apart by the address they
  // come from (RFC 8656 §3), so it is spoken to by UDP from those of add_relay_address() alone.
  bool shared_sockets = false;
  // SCTP without a checksum of its own inside DTLS, if the other end takes it (RFC 9653). Some peers refuse an INIT that offers
  // it, so another pollrtc, which its description names in a=tool, is offered it in any case, and others where this says so.
  bool announce_zero_checksum = false;
  // A certificate of the user's own with its EC key, both PEM (generate_certificate() makes such a pair); empty: a
  // fresh one. Read by create(), not kept.
  std::string_view certificate_pem = {}, private_key_pem = {};
  PacketTap tap = {};  // sees every packet
  // Between two checks of ICE, at least (Ta, RFC 8445 §14.2): 5 ms to 2 s. Other than 50 ms it is announced; the larger of
  // both ends' counts.
  Duration ice_pacing = std::chrono::milliseconds(50);
  // Path MTU discovery (RFC 8899): the largest IP packet, in bytes, that is worth trying. 1500 is what the internet carries
  // at best; between machines next to each other it may be the MTU of their interfaces, at most 65535. 0: no discovery, and
  // IP packets stay at 1200 bytes (IPv4) or 1280 (IPv6): for callers that cannot honour Transmit::dont_fragment.
  std::uint16_t max_ip_packet = 0;
  TransportGoal transport_goal = TransportGoal::Throughput;  // of what this end sends
};

// For create_offer().
struct OfferOptions {
  // New ICE credentials and new candidates (RFC 8445 §9): the way to another path. Data goes on over the old one
  // meanwhile. Nothing before the first connection.
  bool ice_restart = false;
};

// Both as text in PEM. The second is a secret.
struct CertificatePem {
  std::string certificate, private_key;  // X.509, and the EC key it certifies
};
// A P-256 key and a certificate for it, valid for 30 days from `unix_time` (seconds since 1970). Errors: as Peer::create.
POLLRTC_API Result<CertificatePem> generate_certificate(const Environment& environment,
                                                        std::int64_t unix_time);

// How a channel is to be; the texts are copied.
struct ChannelOptions {
  std::string_view label = {};                        // at most 65535 bytes of UTF-8
  std::string_view protocol = {};                     // likewise
  bool ordered = true;                                // messages arrive in the order in which they were sent
  std::optional<std::uint16_t> max_retransmits = {};  // at most one of these two
  std::optional<std::uint16_t> max_lifetime_ms = {};  // milliseconds; counted from send()
  bool negotiated = false;               // both ends create it with the same id; nothing is said on the wire
  std::optional<std::uint16_t> id = {};  // 0..65534; required when negotiated, else ignored
  std::uint16_t priority = 256;          // RFC 8831 §6.4: 128, 256, 512, 1024
  // With the send buffer full, messages of this channel of which nothing has left are given up for one of a channel of a
  // higher priority, or without this (RFC 7496 §3.2). A matter of this end: the other does not hear of it.
  bool discard_when_full = false;
};

// Names a channel of one Peer, from create_channel() or ChannelAnnounced until release_channel(). Never reused.
enum class ChannelHandle : std::uint32_t {};

// What was asked for on the creator's side, and what the OPEN said on the other.
struct ChannelInfo {
  std::string_view label, protocol;                               // good until release_channel()
  std::optional<std::uint16_t> id;                                // none until the DTLS role decides it
  std::optional<std::uint16_t> max_retransmits, max_lifetime_ms;  // at most one of the two; none: reliable
  std::uint16_t priority = 256;                                   // RFC 8831 §6.4
  bool ordered = true, negotiated = false;                        // as created
  ChannelState state = ChannelState::Connecting;                  // at this moment
  std::size_t buffered_amount = 0;   // bytes of payload not yet handed to the network
  std::size_t waiting_messages = 0;  // messages, or pieces, that receive() would give
  std::uint64_t messages_sent = 0,
                messages_received = 0;               // handed in, and complete here, whether read or not
  std::uint64_t bytes_sent = 0, bytes_received = 0;  // their payload
};

// A message, or a piece of one, that receive() gives.
struct MessageView {
  // Good until the next receive() on that channel, its release, or the next handle_datagram() or handle_stream().
  Bytes data;
  bool is_text = false;  // by the PPID (RFC 8831 §8); the bytes are not checked to be UTF-8
  // Both, unless it is a piece of a message (receive_in_pieces).
  bool begins = true, ends = true;
  bool abandoned = false;  // the other end has given up the rest: `ends`, and no data
};

// Counts since create(), and how things are now.
struct PeerStats {
  std::uint64_t datagrams_sent = 0, datagrams_received = 0;  // discarded ones too
  std::uint64_t bytes_sent = 0, bytes_received = 0;          // UDP payloads
  std::uint64_t messages_sent = 0, messages_received = 0;    // of all channels; handed in, and complete here
  std::uint64_t drops[kDropCount] = {};                      // indexed by Drop
  // Of an address that is hidden (behind a name, or of a peer-reflexive remote candidate that was never signalled) only family
  // and port; the rest is zero. mdns draft §3.3.1.
  std::optional<Path> selected_path;
  FixedString<64> local_name, remote_name;  // of the selected pair, when they are hidden behind one
  CandidateType local_type = CandidateType::Host, remote_type = CandidateType::Host;  // of the selected pair
  // of the last check that was answered on the selected pair; nothing: none yet
  std::optional<Duration> ice_round_trip_time;
  std::string_view dtls_version, dtls_cipher_suite;  // empty before the handshake is over
  bool dtls_is_client = false;                       // we sent the ClientHello
  // SHA-256 of the two certificates, for two users to compare (RFC 8827 §6.5); the other end's once the handshake is over.
  Fingerprint local_fingerprint;
  std::optional<Fingerprint> remote_fingerprint;  // nothing before that
  Duration sctp_srtt{}, sctp_rto{};               // RFC 9260 §6.3.1; zero before the first measurement
  std::uint32_t sctp_mtu = 0;                     // the largest SCTP packet now, in bytes (RFC 8899: PLPMTU)
  // Bytes: congestion window, the other end's window, in flight; and chunks sent again.
  std::uint64_t sctp_cwnd = 0, sctp_peer_rwnd = 0, sctp_outstanding = 0, sctp_retransmitted_chunks = 0;
  Close close_reason = Close::None;  // while Failed: why; when the connection has ended: how
};

// One connection without I/O; see the top of this file.
class POLLRTC_API Peer {
 public:
  // A local description was applied, the first or one that restarts ICE: call add_local_address() and
  // local_addresses_done() now. After a restart the same sockets may serve again.
  struct GatheringNeeded {};
  // For the other end. An empty line says that there are no more.
  struct LocalCandidate {
    std::string mid;    // the media section it belongs to
    int index;          // the number of that section
    std::string line;   // "candidate:..."
    std::string ufrag;  // the generation it belongs to (RFC 8838 §9): of an empty line too
  };
  // gathering_state() is another; each change once, in order, as with the next two.
  struct GatheringChanged {
    GatheringState state;  // the new one
  };
  // signaling_state() is another.
  struct SignalingChanged {
    SignalingState state;  // the new one
  };
  // connection_state() is another.
  struct ConnectionChanged {
    ConnectionState state;  // the new one
  };
  // The other end opened a channel; it is Open.
  struct ChannelAnnounced {
    ChannelHandle channel;  // yours to release_channel()
  };
  // One of ours is Open.
  struct ChannelOpened {
    ChannelHandle channel;  // as create_channel() named it
  };
  // The other end closes it.
  struct ChannelClosing {
    ChannelHandle channel;  // Closing from now on
  };
  // It is Closed. What has arrived can still be received.
  struct ChannelClosed {
    ChannelHandle channel;  // release_channel() forgets it
    Close reason;           // Local or Remote when the closing was orderly
  };
  // One for each message, or piece; receive() gives it.
  struct MessageReceived {
    ChannelHandle channel;  // the one to receive() from
  };
  // buffered_amount has fallen to the threshold: set_buffer_low_threshold().
  struct BufferLow {
    ChannelHandle channel;  // the one that has room
  };
  // A TURN server gave no allocation, or has none for us any more. `code` is STUN's (401: wrong credentials), or 701 when
  // no answer came at all.
  struct IceServerFailed {
    Address server;           // the address that was asked
    TurnTransport transport;  // and how
    int code;                 // STUN's, or 701
    std::string text;         // the server's reason, or ours
  };
  // Open a TCP connection to `remote`, a TURN server or (RFC 6544) the other end; stream_opened() or stream_closed() says how
  // that went. `local`, when it is valid: from this IP address, and a port that the system chooses.
  struct StreamNeeded {
    StreamId stream;     // its name from now on
    Address remote;      // where to
    Address local = {};  // where from
  };
  // Write what poll_stream() still gives, and close it.
  struct StreamDone {
    StreamId stream;  // the one that is done
  };
  // The path in use is lost or silent, and no other is left: create_offer() with ice_restart finds another, best while there
  // is time (the connection has Failed 30 s after the last sign of life). Told to the end that made the first offer; to the other one only when
  // the loss is its own (remove_local_address, or an allocation that its TURN server has no more). When offers cross all the
  // same, the one of the end that did not make the first offer is to be taken back.
  struct RestartNeeded {};
  // A remote candidate hides its address behind this name ("<uuid>.local"): ask multicast DNS for it, and tell by
  // name_resolved(). Each name once; without an answer the candidate is of no use, and that is no error.
  struct NameWanted {
    std::string name;  // in lower case
  };
  // Of a message that was sent with a `report`: Sent, unless it was abandoned before, then one of the others. A message of
  // a connection that ended, or of a channel that was released, is not reported on any more.
  struct MessageReport {
    ChannelHandle channel;   // the one it was sent on
    std::uint32_t report;    // the number that send() was given
    MessageOutcome outcome;  // what became of it
  };
  // What poll_event() gives; std::monostate is none of them.
  using Event = std::variant<std::monostate, GatheringNeeded, LocalCandidate, GatheringChanged,
                             SignalingChanged, ConnectionChanged, ChannelAnnounced, ChannelOpened,
                             ChannelClosing, ChannelClosed, MessageReceived, BufferLow, MessageReport,
                             IceServerFailed, StreamNeeded, StreamDone, RestartNeeded, NameWanted>;

  // The environment is copied; what its hooks point to must outlive the peer.
  // Errors: OutOfMemory, NoRandomness, Crypto; of a certificate given ParseFailed, NotSupported (no EC key),
  // InvalidArgument (the two do not belong together).
  static Result<Peer> create(const Environment& environment, const PeerConfig& config, Time now);
  // What was moved from can be destroyed and assigned to, and nothing else.
  Peer(Peer&&) noexcept;
  // The two are exchanged.
  Peer& operator=(Peer&&) noexcept;
  ~Peer();

  // Creating a description changes no state; set_local_description() takes only the text created last.
  // InvalidState: an offer of the other end waits, or no channel was created; and, for an answer, no such offer waits.
  // Offers and answers after the first keep the transports; DTLS and SCTP cannot be restarted (NotSupported).
  Result<std::string> create_offer(Time now, const OfferOptions& options = {});
  // As create_offer(). InvalidState: no offer of the other end waits.
  Result<std::string> create_answer(Time now);
  // Applies what was created; gathering begins (GatheringNeeded). InvalidArgument: another text. InvalidState.
  Status set_local_description(Time now, SdpType type, std::string_view sdp);
  // Errors: ParseFailed (malformed), Refused (not usable), InvalidState, NotSupported; then nothing has changed.
  Status set_remote_description(Time now, SdpType type, std::string_view sdp);
  // The description last set on this side, with the candidates found since; empty before.
  std::string local_description() const;
  // Whether the other end can take candidates after its description (RFC 8838 §3); nothing before its
  // description. To one that cannot, hand local_description() only once gathering is Complete.
  std::optional<bool> can_trickle() const;
  // `mid` decides; when it is empty, `index` (the section's number) does. An empty line: there are no more.
  // Before the remote description is known it is kept (up to Limits::ice_remote_candidates). `ufrag` is the generation of
  // a line that does not name it; empty: the one on the table, else the one in force. A line of any other is ignored, except that
  // while our own restart waits for its answer, it may be of the generation that the answer will name.
  Status add_remote_candidate(Time now, std::string_view mid, int index, std::string_view line,
                              std::string_view ufrag = {});

  // Gathering, after GatheringNeeded: a call for each bound socket and for each STUN server's resolved address.
  // `announced` is what a one-to-one NAT makes of `bound` (a server in a cloud); invalid: as it is.
  // `hidden_as`: the name that hides the address, in descriptions, candidates and stats alike: a fresh version 4 UUID in lower case
  // and ".local". Somebody should answer for it by multicast DNS, else the other end can only wait for our checks. Not together
  // with `announced`. InvalidArgument: not such a name.
  Status add_local_address(Time now, const Address& bound, const Address& announced = {},
                           std::string_view hidden_as = {});
  // A socket to ask TURN servers by UDP from that makes no host candidate: see PeerConfig::shared_sockets. One that was added before
  // is no error. Errors: LimitReached, OutOfMemory, Closed.
  Status add_relay_address(Time now, const Address& bound);
  // A server that comes once gathering is Complete makes the next offer restart ICE, and is used then; a STUN server is added
  // again at that GatheringNeeded, as the others are.
  Status add_stun_server(Time now, const Address& server);
  // Candidates by TCP (RFC 6544), for networks that let no UDP through; with UDP there as well it is the second choice.
  // Passive: `bound` is a listening socket, and stream_accepted() is told who connects to it. Active: connections will be
  // opened from this IP address (StreamNeeded). `announced` and `hidden_as` are as above. Browsers have active ones only, so to them it takes a passive one.
  Status add_local_tcp_address(Time now, const Address& bound, TcpType direction,
                               const Address& announced = {}, std::string_view hidden_as = {});
  // Relayed candidates come of it. One that was added before is no error. Errors: InvalidArgument, Refused, LimitReached
  // (Limits::turn_servers), OutOfMemory, Closed.
  Status add_turn_server(Time now, const TurnServer& server);
  // Who signs the certificates of TURN servers that are spoken to by TLS: certificates in PEM, besides those given before.
  // Without any, such servers fail. ParseFailed: there is none in it.
  Status add_trusted_certificates(Time now, std::string_view pem);
  // What multicast DNS says of a NameWanted; an invalid address: nobody has the name, or it has more than one address. A port
  // does not matter.
  void name_resolved(Time now, std::string_view name, const Address& address);
  // No more local addresses or servers come for now: gathering can become Complete.
  void local_addresses_done(Time now);
  // The socket of this address is gone: nothing is sent from it any more. A new address can be added while gathering goes
  // on; later it takes a restart. Error: NotFound.
  Status remove_local_address(Time now, const Address& bound);
  // The same for all TCP candidates of an IP address.
  Status remove_local_tcp_address(Time now, const Address& ip);
  // An ICMP error that is hard (RFC 1122 §3.2.2.1: protocol or port unreachable) came for what we sent along `path`;
  // `quoted` is the beginning of that datagram. It ends a check or a question under way, and nothing that works.
  void handle_icmp_error(Time now, const Path& path, Bytes quoted);

  // Errors: InvalidArgument, AlreadyExists (the id is in use), LimitReached, OutOfMemory, Closed.
  Result<ChannelHandle> create_channel(Time now, const ChannelOptions& options);
  // NotFound: released, or never there.
  Result<ChannelInfo> channel(ChannelHandle channel) const;
  // `report`: ask what becomes of the message; MessageReport events name it by this number, which is yours to choose.
  // Errors: InvalidState (not open), TooLarge (for the other end, or for us), BufferFull (it stays open; all channels together
  // have Limits::sctp_tx_buffer, so what it waits for may be another's BufferLow), LimitReached
  // (Limits::sctp_outcomes reports are owed).
  Status send(Time now, ChannelHandle channel, Bytes data, bool is_text,
              std::optional<std::uint32_t> report = {});
  // A message that need not be in memory as a whole, up to the size the other end takes, however large. The first piece
  // begins it, `last` ends it and has at least one byte; to the other end it is one message like any other. As long as it is
  // open nothing else goes on this channel, and to a peer without I-DATA (RFC 8260) nothing on the others. Have few of them open
  // at a time to a peer that puts messages together (without receive_in_pieces): together they can be more than its receive
  // window, and it gives one up. Errors as send(); BufferFull: again when BufferLow comes. NotSupported: the channel may lose
  // messages.
  Status send_piece(Time now, ChannelHandle channel, Bytes piece, bool is_text, bool last);
  // The message begun with send_piece() will not be finished: the other end drops what it has of it. Error: InvalidState.
  Status abandon_message(Time now, ChannelHandle channel);
  // Whether messages of more than one packet are given out in pieces, as they come, with an event for each: so may one be
  // larger than the receive window, up to Limits::sctp_max_message_rx. Pieces of two messages never mix. Best called before
  // the channel is open, or on ChannelAnnounced; what has begun in pieces ends so. Errors: NotFound, OutOfMemory.
  Status receive_in_pieces(ChannelHandle channel, bool on);
  // The oldest message of the channel, or piece; nothing: none waits. Taking it opens the receive window.
  std::optional<MessageView> receive(Time now, ChannelHandle channel);
  // BufferLow comes when buffered_amount falls from above `bytes` to it or below.
  Status set_buffer_low_threshold(ChannelHandle channel, std::size_t bytes);
  Status close_channel(Time now, ChannelHandle channel);  // what was sent before still goes out first
  void release_channel(Time now, ChannelHandle channel);  // closes it if need be, and forgets it

  // Ends all at once: SCTP ABORT and DTLS close_notify are what poll_transmit() gives next; call it until it is empty.
  void close(Time now);

  // What came by `path`. The answer says why it was not used, for those who want to know; None: it was.
  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  // `out` of at least 1500 bytes, and of PeerConfig::max_ip_packet when that is more.
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  // Streams, as StreamNeeded asks for them. When poll_transmit() gives nothing more, poll_stream() gives what is to be
  // written, all of it and in order; 0: nothing now. Unknown streams are ignored.
  void stream_opened(Time now, StreamId stream);
  // `remote` has connected to the listening socket at `local`: the name of the stream, which is open. LimitReached
  // (Limits::ice_tcp_connections), OutOfMemory, Closed: close it.
  Result<StreamId> stream_accepted(Time now, const Address& local, const Address& remote);
  void stream_closed(Time now, StreamId stream, std::string_view why);  // refused, reset, or at its end
  // Bytes that came by that stream, in order, cut anywhere.
  void handle_stream(Time now, StreamId stream, Bytes bytes);
  // As poll_transmit(), for one stream.
  std::size_t poll_stream(Time now, StreamId stream, MutBytes out);
  // Does what is due. Calling it early is no error.
  void handle_timeout(Time now);
  // When handle_timeout() is due; kNever: nothing is waited for.
  Time next_timeout() const;
  // What happened, oldest first; false: that was all.
  bool poll_event(Event& event);
  bool has_event() const;  // poll_event() would give one

  // At this moment, as the next three.
  ConnectionState connection_state() const;
  // Of local candidates.
  GatheringState gathering_state() const;
  // Of descriptions.
  SignalingState signaling_state() const;
  std::size_t max_message_size() const;  // the largest that send() takes now, in bytes
  PeerStats stats() const;               // a copy; its texts are good for ever

 private:
  friend class detail::ConnectionCore;
  struct Impl;
  explicit Peer(Impl* impl);
  // Would set_remote_description() take this offer, if none of ours were on the table? Changes nothing.
  Status check_offer(std::string_view sdp) const;
  Impl* impl_;
};

}  // namespace pollrtc
