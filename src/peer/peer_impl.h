// Peer's inside: the one place that knows all engines.
//   peer.cpp            the public door, and the state of the whole
//   peer_transport.cpp  the walk of a datagram in and out, what the engines report
//   peer_signaling.cpp  descriptions and candidates
//   peer_relays.cpp     TURN servers, and the streams to them
//   peer_tcp.cpp        the TCP connections to the other end
#pragma once

#include <string>

#include "base/drop_counters.h"
#include "base/memory_pool.h"
#include "dtls/certificate.h"
#include "dtls/session.h"
#include "dtls/tls_client.h"
#include "ice/generations.h"
#include "ice/relays.h"
#include "ice/tcp_connections.h"
#include "peer/channels.h"
#include "peer/event_queue.h"
#include "peer/signaling.h"
#include "pollrtc/peer.h"
#include "sctp/association.h"
#include "sdp/boxed.h"
#include "sdp/description.h"
#include "sdp/offer_answer.h"

namespace pollrtc {

struct [[gnu::visibility("hidden")]] Peer::Impl {
  Impl(const Environment& env, const PeerConfig& peer_config, dtls::Certificate own_certificate);

  // --- signalling
  Result<std::string> create_offer(const OfferOptions& options);
  Result<std::string> create_answer();
  Status set_local_description(Time now, SdpType type, std::string_view text);
  Status set_remote_description(Time now, SdpType type, std::string_view text);
  Status set_remote_offer(Time now, SignalingState next, const sdp::Description& description);
  Status set_remote_answer(Time now, SignalingState next, const sdp::Description& description);
  Result<sdp::Remote> read_offer(const sdp::Description& description) const;
  Status check_offer(std::string_view text) const;
  Status check_lite(const sdp::Remote& remote) const;
  void forget_created();
  void roll_back(Time now);
  Status add_remote_candidate(Time now, std::string_view mid, int index, std::string_view line,
                              std::string_view ufrag);
  std::string local_description() const;
  sdp::LocalParameters local_parameters(bool restarts) const;
  std::string local_mid() const;   // of the data section
  std::size_t data_index() const;  // its place among the sections
  Status apply_remote(Time now);
  Status start_transports(Time now, const sdp::Remote& remote);
  Status draw_restart_credentials();
  Status on_server_added(const Status& status);
  Status begin_restart(Time now);
  bool remote_restarts_ice() const;
  void use_candidates(Time now, const sdp::Remote& remote);
  void use_candidate(Time now, const sdp::Remote& remote, const Candidate& candidate);
  void use_waiting_candidates(Time now);
  void on_local_candidate(const Candidate& candidate);
  void on_gathering_done();

  // --- transport
  Drop handle_datagram(Time now, const Path& path, Bytes datagram);
  Drop handle_dtls(Time now, const Path& path, Bytes datagram);
  Drop keep_early(const Path& path, Bytes datagram);
  void use_early(Time now);
  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  std::optional<Transmit> poll_anything(Time now, MutBytes out);
  std::size_t poll_payload(Time now, MutBytes out);
  std::size_t poll_goodbye(Time now, MutBytes out);
  void tap(Time now, const Path& along, Bytes bytes, PacketLayer layer, bool is_sent) const {
    if (config.tap.packet != nullptr)
      config.tap.packet(config.tap.context, {now, along, bytes, layer, is_sent});
  }
  void handle_timeout(Time now);
  void rest(Time now);
  void put_rest_off(Time now);
  Time rest_due() const { return wants_rest ? rest_at : kNever; }
  void be_quiet();
  Impl& awake() {
    is_quiet = false;
    return *this;
  }
  Time next_timeout() const;
  void pump(Time now);      // lets what one engine reports reach the others
  bool pump_ice(Time now);  // whether there was anything
  void pump_dtls(Time now);
  void pump_sctp(Time now);
  void on_path(Time now, const Path& path);
  sctp::PathSizes path_sizes() const;  // of the selected path
  std::size_t largest_packet() const;
  void on_dtls_connected(Time now);
  bool awaits_answer() const;
  bool wants_no_association() const;  // the other end, which is connected
  void drop_records(Time now);
  void on_sctp_ended(Time now, const sctp::Association::Ended& ended);

  // --- relays
  Status add_turn_server(Time now, const TurnServer& server);
  void local_addresses_done(Time now);
  void pump_relays(Time now);
  void ask_permissions(Time now);
  void hand_over_allocations(Time now);
  std::optional<Transmit> poll_checks(Time now, MutBytes out, bool& again);
  std::optional<Transmit> poll_data(Time now, MutBytes out, bool& again);
  void stream_opened(Time now, StreamId stream);
  void stream_closed(Time now, StreamId stream, std::string_view why);
  void handle_stream(Time now, StreamId stream, Bytes bytes);
  void handle_plain(Time now, StreamId stream, Bytes bytes);
  std::size_t poll_stream(Time now, StreamId stream, MutBytes out);
  Drop handle_inner(Time now, const Path& path, Bytes datagram);

  // --- TCP
  Result<StreamId> stream_accepted(Time now, const Address& local, const Address& remote);
  void pump_tcp(Time now);
  void handle_tcp(Time now, StreamId stream, Bytes bytes);
  void send_tcp(Time now, const Path& along, Bytes packet);
  std::size_t poll_tcp(Time now, StreamId stream, MutBytes out);

  // --- state
  void close(Time now);
  void end(Time now, ConnectionState state, Close reason);
  void fail_path(Time now);
  void update_connection_state();
  bool has_lost_something() const { return events.lost() || channels.has_lost_reset(); }
  // What data went by is gone, so waiting will not bring it back.
  void note_lost_path() { restart_wanted |= path && !agent.selected_path(); }
  void become(ConnectionState next);
  void become(SignalingState next);
  void become(GatheringState next);
  bool has_ended() const { return close_reason != Close::None; }
  std::size_t max_message_size() const;
  const sdp::Remote* remote_in_force() const {
    return remote_current ? remote_current.get() : remote_pending.get();
  }
  std::uint64_t remote_max_message_size() const;
  PeerStats stats() const;

  Environment environment;
  PeerConfig config;
  // What a silent connection is asked for stands together.
  ConnectionState connection_state = ConnectionState::New, told_connection_state = ConnectionState::New;
  GatheringState gathering_state = GatheringState::New;
  SignalingState signaling_state = SignalingState::Stable;
  Close close_reason = Close::None;
  // Nothing but ICE has anything to do before quiet_until, unless a call or a datagram comes that is not ICE's.
  bool is_quiet = false;
  Time quiet_until = kNever;
  struct {
    std::uint64_t datagrams_sent = 0, datagrams_received = 0, bytes_sent = 0, bytes_received = 0;
  } counters;
  EventQueue events;
  MemoryPool data_memory;        // the association's, which messages and fragments come from and go back to
  Environment data_environment;  // the same but for that
  Channels channels;
  DropCounters drops;  // ours; each engine counts its own
  dtls::Certificate certificate;

  ice::Generations agent;
  ice::Relays relays;
  ice::TcpConnections tcp;
  std::vector<ice::RelayedAddress> allocations;  // those that stand
  bool local_addresses_done_owed = false;        // of the generation that gathers
  bool former_done_owed = false;                 // should a restart be undone
  dtls::TrustAnchors trust_anchors;
  struct TlsStream {  // a stream that is not in clear
    StreamId stream;
    FixedString<253> name;
    Owned<dtls::TlsClient> tls;
  };
  Vec<TlsStream> tls_streams;
  TlsStream* find_tls(StreamId stream);
  void check_tls(Time now, StreamId stream);
  void on_stream_needed(Time now, const ice::Relays::StreamNeeded& needed);
  void on_stream_done(StreamId stream);
  Owned<dtls::Session> dtls;
  Owned<sctp::Association> association;
  std::optional<Path> path;  // the last one selected: where data goes, and where a goodbye goes
  bool dtls_started = false;
  bool payload_is_whole = false;  // what poll_payload() gave last must not be cut on the way
  Buffer packet_buffer;           // one SCTP packet from DTLS to the association; none while DTLS rests
  Time rest_at = Time::min();     // nothing is given back before; see put_rest_off()
  bool wants_rest = false, has_rested = false;
  struct EarlyDatagram {
    Path path;
    Buffer bytes;
  };
  Vec<EarlyDatagram> early;  // DTLS that came before our own check of its path was through

  Close path_failure = Close::None;  // why ICE gave up, until there is a path again
  Time failed_until = kNever;        // from the first such failure on: then a failed connection ends
  bool goodbye_owed = false;
  bool close_notify_queued = false;

  // Descriptions. "Current" is what was agreed on last, "pending" what is on the table (RFC 9429 §3.2).
  sdp::Origin origin;
  std::string tls_id;
  sdp::Boxed<sdp::Description> last_made;  // by create_offer or create_answer: its version is used up
  // Its text, until the exchange is over: all that set_local_description takes.
  std::string last_offer, last_answer;
  sdp::Boxed<sdp::Description> local_current, local_pending;
  sdp::Boxed<sdp::Description> remote_offer;
  sdp::Boxed<sdp::Remote> remote_current, remote_pending;
  bool transports_started = false;
  bool is_offerer = false;
  bool offered_first = false;               // the offer of the exchange that began it all was ours
  bool restart_wanted = false;              // RestartNeeded is owed, once no offer is on the table
  std::vector<Candidate> local_candidates;  // of the newest generation
  // An ICE restart, from the offer that names its credentials until it is agreed on or rolled back.
  sdp::Boxed<ice::Credentials> restart_credentials;
  bool servers_changed = false;  // since gathering was over: the next offer restarts ICE (RFC 9429 §5.2.2)
  bool former_servers_changed = false;  // should a restart be undone
  bool last_offer_restarts = false;
  std::vector<Candidate> former_candidates;
  struct WaitingCandidate {  // came before the description that it belongs to
    std::string mid;
    int index;
    std::optional<Candidate> candidate;  // none: end of candidates
    std::string ufrag;                   // of the generation; empty: not said
  };
  std::vector<WaitingCandidate> waiting_candidates;
};

}  // namespace pollrtc
