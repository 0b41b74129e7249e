// Peer's public door, and the state of the whole.
#include "pollrtc/peer.h"

#include <array>
#include <new>

#include "base/bytes.h"
#include "base/engine.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "peer/peer_impl.h"
#include "sdp/candidate_line.h"

namespace pollrtc {

static_assert(NetworkEngine<Peer> && NetworkEngine<ice::Agent>);
static_assert(PacketEngine<dtls::Session> && PacketEngine<sctp::Association>);

namespace {

constexpr std::int64_t kSomeDayIn2026 = 1767225600;  // for a caller that does not know the time
constexpr std::size_t kSmallestBuffer = 1500;

template <class Enum, std::size_t N>
std::string_view look_up(const std::array<std::string_view, N>& names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? names[index] : std::string_view("?");
}

void hide(Address& address) {
  const Address shown = address;
  address = {};
  address.family = shown.family;
  address.port = shown.port;
}

// Empty: nothing is hidden. InvalidArgument: no name to hide an address behind.
Result<FixedString<64>> name_to_hide_behind(std::string_view name, const Address& announced) {
  if (!name.empty() && (announced.is_valid() || !sdp::is_mdns_name(name)))
    return fail(ErrorCode::InvalidArgument, "not a name to hide an address behind");
  return FixedString<64>::from(name).value_or(FixedString<64>());
}

constexpr std::array<std::string_view, 4> kSdpTypes{"offer", "pranswer", "answer", "rollback"};

}  // namespace

std::string_view name_of(ConnectionState state) {
  static constexpr std::array<std::string_view, 6> kNames{"new",          "connecting", "connected",
                                                          "disconnected", "failed",     "closed"};
  return look_up(kNames, state);
}
std::string_view name_of(GatheringState state) {
  static constexpr std::array<std::string_view, 3> kNames{"new", "gathering", "complete"};
  return look_up(kNames, state);
}
std::string_view name_of(SignalingState state) {
  static constexpr std::array<std::string_view, 6> kNames{
      "stable", "have-local-offer", "have-remote-offer", "have-local-pranswer", "have-remote-pranswer",
      "closed"};
  return look_up(kNames, state);
}
std::string_view name_of(ChannelState state) {
  static constexpr std::array<std::string_view, 4> kNames{"connecting", "open", "closing", "closed"};
  return look_up(kNames, state);
}
std::string_view name_of(SdpType type) { return look_up(kSdpTypes, type); }
std::optional<SdpType> sdp_type_from(std::string_view name) {
  for (std::size_t i = 0; i < kSdpTypes.size(); ++i)
    if (kSdpTypes[i] == name) return static_cast<SdpType>(i);
  return std::nullopt;
}

namespace {
Environment with_memory(Environment environment, const Memory& memory) {
  environment.memory = memory;
  return environment;
}
}  // namespace

Peer::Impl::Impl(const Environment& env, const PeerConfig& peer_config, dtls::Certificate own_certificate)
    : environment(env),
      config(peer_config),
      events(environment.memory, environment.limits.api_rx_queue),
      data_memory(environment.memory, environment.limits.sctp_rx_window),
      data_environment(with_memory(environment, data_memory.memory())),
      channels(environment, events),
      certificate(std::move(own_certificate)),
      agent(environment, ice::AgentConfig{.lite = peer_config.ice_lite,
                                          .relay_only = peer_config.relay_only,
                                          .allow_remote_loopback = peer_config.allow_loopback,
                                          .ta = peer_config.ice_pacing}),
      relays(environment),
      tcp(environment),
      tls_streams(environment.memory),
      packet_buffer(environment.memory),
      early(environment.memory) {
  config.certificate_pem = config.private_key_pem = {};  // the caller's text, good for the call of create()
}

Result<CertificatePem> generate_certificate(const Environment& environment, std::int64_t unix_time) {
  Environment copy = environment;
  const Result<dtls::Certificate> made = dtls::Certificate::generate(copy, unix_time);
  if (!made) return Unexpected{made.error()};
  Buffer certificate(copy.memory), key(copy.memory);
  const Status status = made->write_pem(certificate, key);
  CertificatePem pem;
  if (status) pem = {std::string(as_text(certificate)), std::string(as_text(key))};
  crypto::wipe(key.data(), key.size());
  if (!status) return Unexpected{status.error()};
  return pem;
}

Result<Peer> Peer::create(const Environment& environment, const PeerConfig& config, Time now) {
  if (config.sctp_port == 0) return fail(ErrorCode::InvalidArgument, "the SCTP port must not be 0");
  if (config.ice_pacing < Pacer::kGap || config.ice_pacing > sdp::kMaxIcePacing)
    return fail(ErrorCode::InvalidArgument, "the ICE pacing is 5 ms to 2 s");
  Environment copy = environment;
  const bool given = !config.certificate_pem.empty() || !config.private_key_pem.empty();
  Result<dtls::Certificate> certificate =
      given ? dtls::Certificate::from_pem(copy, config.certificate_pem, config.private_key_pem)
            : dtls::Certificate::generate(copy, config.unix_time != 0 ? config.unix_time : kSomeDayIn2026);
  if (!certificate) return Unexpected{certificate.error()};
  void* const block = copy.memory.allocate(copy.memory.context, sizeof(Impl), alignof(Impl));
  if (block == nullptr) return fail(ErrorCode::OutOfMemory, "no memory for a peer");
  Peer peer(new (block) Impl(copy, config, *std::move(certificate)));

  Impl& impl = *peer.impl_;
  if (const Status status = impl.agent.start(now); !status) return Unexpected{status.error()};
  const Result<sdp::Origin> origin = sdp::make_origin(copy.rng);
  if (!origin) return Unexpected{origin.error()};
  const Result<std::string> tls_id = sdp::make_tls_id(copy.rng);
  if (!tls_id) return Unexpected{tls_id.error()};
  impl.origin = *origin;
  impl.tls_id = *tls_id;
  return peer;
}

Peer::Peer(Impl* impl) : impl_(impl) {}
Peer::Peer(Peer&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
Peer& Peer::operator=(Peer&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}
Peer::~Peer() {
  if (impl_ == nullptr) return;
  const Memory memory = impl_->environment.memory;
  impl_->~Impl();
  memory.release(memory.context, impl_, sizeof(Impl), alignof(Impl));
}

void Peer::Impl::become(ConnectionState next) {
  if (connection_state == next) return;
  POLLRTC_LOG(environment, Info, "peer", "connection: {} -> {}", name_of(connection_state), name_of(next));
  connection_state = next;
  // A change that was lost ends the connection, and what it ends in may be what was told last.
  if (next != told_connection_state && events.push(ConnectionChanged{next})) told_connection_state = next;
}
void Peer::Impl::become(SignalingState next) {
  if (signaling_state == next) return;
  signaling_state = next;
  events.push(SignalingChanged{next});
}
void Peer::Impl::become(GatheringState next) {
  if (gathering_state == next) return;
  gathering_state = next;
  events.push(GatheringChanged{next});
}

// Connected: ICE has a path and DTLS is up. A path lost for a while is Disconnected, and may come back. Failed: only a restart
// of ICE brings it back, by way of Connecting.
void Peer::Impl::update_connection_state() {
  if (has_ended()) return;
  const bool is_up = dtls && dtls->state() == dtls::SessionState::Connected;
  const bool is_interrupted = agent.state() == ice::AgentState::Disconnected || !agent.selected_path();
  if (agent.state() != ice::AgentState::Failed) {
    if (!is_interrupted) {
      path_failure = Close::None;
      failed_until = kNever;
    }
    const bool is_new = is_interrupted && connection_state == ConnectionState::Connected;
    if (is_up && !is_interrupted) {
      become(ConnectionState::Connected);
    } else if (path_failure != Close::None) {
      become(ConnectionState::Connecting);
    } else if (is_up) {
      become(ConnectionState::Disconnected);
    }
    if (is_new && offered_first) restart_wanted = true;
  }
  if (!is_up) return;
  if (!is_interrupted) restart_wanted = false;
  // RFC 6544 §11.1: a TCP connection that is lost is made anew; ICE restarts when that cannot be.
  if (!restart_wanted || signaling_state != SignalingState::Stable || agent.is_reconnecting()) return;
  restart_wanted = false;
  events.push(RestartNeeded{});
}

// ICE has given up. DTLS and SCTP do not depend on any path (RFC 8842 §6, RFC 8445 §9), so they wait for a restart to bring
// another one, and the channels with them: as long as the association lives, within Limits::ice_restart_window.
void Peer::Impl::fail_path(Time now) {
  if (has_ended()) return;
  // Without having been Disconnected, as after a long pause of the process: a restart was not asked for yet.
  restart_wanted |= path && offered_first && connection_state == ConnectionState::Connected;
  path_failure = path ? Close::ConsentExpired : Close::IceFailed;
  const Duration window = environment.limits.ice_restart_window;
  if (failed_until == kNever && window < kNever - now) failed_until = now + window;
  if (now >= failed_until) return end(now, ConnectionState::Failed, path_failure);
  early.clear();
  become(ConnectionState::Failed);
}

// The connection ends by itself or by the other end's will. Channels close, and what the other end should be
// told is owed.
void Peer::Impl::end(Time now, ConnectionState state, Close reason) {
  if (has_ended()) return;
  close_reason = reason;
  if (association) association->abort(now, "Close called");
  // Nothing goes to a path without consent (RFC 7675 §5.1), and there is nobody to tell without DTLS.
  goodbye_owed = dtls && dtls_started && path && agent.selected_path();
  if (!goodbye_owed) {
    agent.close(now);
    relays.close(now);
    tcp.close();
    pump_tcp(now);
  }
  channels.on_ended(reason);
  become(state);
  become(SignalingState::Closed);
}

void Peer::Impl::close(Time now) {
  end(now, ConnectionState::Closed, Close::Local);
  // After a failure the user may still say that it is over.
  connection_state = ConnectionState::Closed;
  events.clear();
}

std::uint64_t Peer::Impl::remote_max_message_size() const {
  const sdp::Remote* const remote = remote_in_force();
  return remote != nullptr ? remote->max_message_size : sdp::kDefaultMaxMessageSize;
}

std::size_t Peer::Impl::max_message_size() const {
  const Limits& limits = environment.limits;
  return static_cast<std::size_t>(
      std::min<std::uint64_t>({remote_max_message_size(), limits.sctp_tx_buffer_channel,
                               sctp::Association::largest_message(limits)}));
}

PeerStats Peer::Impl::stats() const {
  PeerStats s;
  s.datagrams_sent = counters.datagrams_sent;
  s.datagrams_received = counters.datagrams_received;
  s.bytes_sent = counters.bytes_sent;
  s.bytes_received = counters.bytes_received;
  s.messages_sent = channels.messages_sent();
  s.messages_received = channels.messages_received();
  DropCounters all = drops;
  all += agent.drops();
  all += relays.drops();
  all += tcp.drops();
  const ice::AgentStats ice_stats = agent.stats();
  s.selected_path = agent.selected_path();
  if (ice_stats.selected_local) {
    s.local_type = ice_stats.selected_local->type;
    s.local_name = ice_stats.selected_local->mdns_name;
    if (s.selected_path && !s.local_name.empty()) hide(s.selected_path->local);
  }
  if (ice_stats.selected_remote) {
    s.remote_type = ice_stats.selected_remote->type;
    s.remote_name = ice_stats.selected_remote->mdns_name;
    // mdns draft §3.3.1 (ICE-MDNS-05): what a check showed may be what the other end hides.
    if (s.selected_path && (!s.remote_name.empty() || !ice_stats.is_remote_signalled))
      hide(s.selected_path->remote);
  }
  s.ice_round_trip_time = agent.round_trip_time();
  s.local_fingerprint = certificate.fingerprint();
  if (dtls) {
    all += dtls->drops();
    s.remote_fingerprint = dtls->peer_fingerprint();
    if (dtls->state() == dtls::SessionState::Connected) {
      s.dtls_version = "DTLS 1.2";
      s.dtls_cipher_suite = dtls->cipher_suite();
    }
  }
  const sdp::Remote* const remote = remote_in_force();
  s.dtls_is_client = remote != nullptr && remote->our_role == sdp::DtlsRole::Client;
  if (association) {
    all += association->drops();
    const sctp::AssociationStats sctp_stats = association->stats();
    s.sctp_srtt = sctp_stats.srtt;
    s.sctp_rto = sctp_stats.rto;
    s.sctp_mtu = sctp_stats.mtu;
    s.sctp_cwnd = sctp_stats.cwnd;
    s.sctp_peer_rwnd = sctp_stats.peer_rwnd;
    s.sctp_outstanding = sctp_stats.outstanding_bytes;
    s.sctp_retransmitted_chunks = sctp_stats.retransmissions;
  }
  for (std::size_t i = 0; i < kDropCount; ++i) s.drops[i] = all[static_cast<Drop>(i)];
  s.close_reason = has_ended() || connection_state != ConnectionState::Failed ? close_reason : path_failure;
  return s;
}

Result<std::string> Peer::create_offer(Time, const OfferOptions& options) {
  return impl_->awake().create_offer(options);
}
Result<std::string> Peer::create_answer(Time) { return impl_->awake().create_answer(); }
Status Peer::set_local_description(Time now, SdpType type, std::string_view sdp) {
  const Status status = impl_->awake().set_local_description(now, type, sdp);
  impl_->pump(now);
  return status;
}
Status Peer::set_remote_description(Time now, SdpType type, std::string_view sdp) {
  const Status status = impl_->awake().set_remote_description(now, type, sdp);
  impl_->pump(now);
  return status;
}
std::string Peer::local_description() const { return impl_->local_description(); }
Status Peer::check_offer(std::string_view sdp) const { return impl_->check_offer(sdp); }
std::optional<bool> Peer::can_trickle() const {
  const auto& remote = impl_->remote_pending ? impl_->remote_pending : impl_->remote_current;
  return remote ? std::optional(remote->trickle) : std::nullopt;
}
Status Peer::add_remote_candidate(Time now, std::string_view mid, int index, std::string_view line,
                                  std::string_view ufrag) {
  const Status status = impl_->awake().add_remote_candidate(now, mid, index, line, ufrag);
  impl_->pump(now);
  return status;
}
Status Peer::add_local_address(Time now, const Address& bound, const Address& announced,
                               std::string_view hidden_as) {
  const auto name = name_to_hide_behind(hidden_as, announced);
  if (!name) return Unexpected{name.error()};
  const Status status = impl_->awake().agent.add_local_address(now, bound, true, announced, *name);
  if (status && !impl_->config.shared_sockets)
    (void)impl_->relays.add_base(now, bound);  // beyond the limit it is no address to ask a TURN server from
  impl_->pump(now);
  return status;
}
Status Peer::add_relay_address(Time now, const Address& bound) {
  if (impl_->awake().has_ended()) return fail(ErrorCode::Closed, "the connection has ended");
  const Status status = impl_->relays.add_base(now, bound);
  impl_->pump(now);
  return status;
}
void Peer::name_resolved(Time now, std::string_view name, const Address& address) {
  impl_->awake().agent.on_name_resolved(now, name, address);
  impl_->pump(now);
}
Status Peer::add_turn_server(Time now, const TurnServer& server) {
  const Status status = impl_->awake().on_server_added(impl_->add_turn_server(now, server));
  impl_->pump(now);
  return status;
}
Status Peer::add_trusted_certificates(Time, std::string_view pem) {
  return impl_->awake().trust_anchors.add(impl_->environment.memory, pem);
}
Status Peer::add_local_tcp_address(Time now, const Address& bound, TcpType direction,
                                   const Address& announced, std::string_view hidden_as) {
  const auto name = name_to_hide_behind(hidden_as, announced);
  if (!name) return Unexpected{name.error()};
  const Status status = impl_->awake().agent.add_tcp_address(now, bound, direction, true, announced, *name);
  impl_->pump(now);
  return status;
}
Result<StreamId> Peer::stream_accepted(Time now, const Address& local, const Address& remote) {
  return impl_->awake().stream_accepted(now, local, remote);
}
void Peer::stream_opened(Time now, StreamId stream) { impl_->awake().stream_opened(now, stream); }
void Peer::stream_closed(Time now, StreamId stream, std::string_view why) {
  impl_->awake().stream_closed(now, stream, why);
}
void Peer::handle_stream(Time now, StreamId stream, Bytes bytes) {
  impl_->awake().channels.drop_currents();
  impl_->handle_stream(now, stream, bytes);
}
std::size_t Peer::poll_stream(Time now, StreamId stream, MutBytes out) {
  return impl_->awake().poll_stream(now, stream, out);
}
Status Peer::add_stun_server(Time now, const Address& server) {
  const Status status = impl_->awake().on_server_added(impl_->agent.add_server(now, server));
  impl_->pump(now);
  return status;
}
void Peer::local_addresses_done(Time now) {
  impl_->awake().local_addresses_done(now);
  impl_->pump(now);
}
Status Peer::remove_local_address(Time now, const Address& bound) {
  const Status status = impl_->awake().agent.remove_local_address(now, bound);
  const bool was_for_relays = impl_->relays.remove_base(now, bound);  // and its allocations
  if (status) impl_->note_lost_path();
  impl_->pump(now);
  return was_for_relays ? Status() : status;
}
Status Peer::remove_local_tcp_address(Time now, const Address& ip) {
  const Status status = impl_->awake().agent.remove_tcp_addresses(now, ip);
  if (status && impl_->path && !impl_->agent.selected_path()) impl_->restart_wanted = true;
  impl_->pump(now);
  return status;
}
void Peer::handle_icmp_error(Time now, const Path& path, Bytes quoted) {
  impl_->awake().agent.handle_icmp_error(now, path, quoted);
  impl_->relays.handle_icmp_error(now, path, quoted);
  impl_->pump(now);
}

Result<ChannelHandle> Peer::create_channel(Time now, const ChannelOptions& options) {
  if (impl_->awake().has_ended()) return fail(ErrorCode::Closed, "the connection has ended");
  if (impl_->wants_no_association())
    return fail(ErrorCode::Closed, "the other end wants no channels: a=sctp-port:0");
  return impl_->channels.create(now, options, impl_->max_message_size());
}
Result<ChannelInfo> Peer::channel(ChannelHandle channel) const { return impl_->channels.info(channel); }
Status Peer::send(Time now, ChannelHandle channel, Bytes data, bool is_text,
                  std::optional<std::uint32_t> report) {
  return impl_->awake().channels.send(now, channel, data, is_text, impl_->max_message_size(), report);
}
Status Peer::send_piece(Time now, ChannelHandle channel, Bytes piece, bool is_text, bool last) {
  return impl_->awake().channels.send_piece(now, channel, piece, is_text, last,
                                            impl_->remote_max_message_size());
}
Status Peer::abandon_message(Time now, ChannelHandle channel) {
  return impl_->awake().channels.abandon_message(now, channel);
}
Status Peer::receive_in_pieces(ChannelHandle channel, bool on) {
  return impl_->awake().channels.receive_in_pieces(channel, on);
}
std::optional<MessageView> Peer::receive(Time, ChannelHandle channel) {
  return impl_->awake().channels.receive(channel);
}
Status Peer::set_buffer_low_threshold(ChannelHandle channel, std::size_t bytes) {
  return impl_->awake().channels.set_buffer_low_threshold(channel, bytes);
}
Status Peer::close_channel(Time now, ChannelHandle channel) {
  return impl_->awake().channels.close(now, channel);
}
void Peer::release_channel(Time now, ChannelHandle channel) { impl_->awake().channels.release(now, channel); }

void Peer::close(Time now) { impl_->awake().close(now); }
Drop Peer::handle_datagram(Time now, const Path& path, Bytes datagram) {
  if (!impl_->is_quiet) impl_->channels.drop_currents();  // a quiet one has none to drop
  return impl_->handle_datagram(now, path, datagram);
}
std::optional<Transmit> Peer::poll_transmit(Time now, MutBytes out) {
  if (out.size() < kSmallestBuffer) return std::nullopt;
  return impl_->poll_transmit(now, out);
}
void Peer::handle_timeout(Time now) { impl_->handle_timeout(now); }
Time Peer::next_timeout() const { return impl_->next_timeout(); }
bool Peer::poll_event(Event& event) { return impl_->events.pop(event); }
bool Peer::has_event() const { return !impl_->events.empty(); }

ConnectionState Peer::connection_state() const { return impl_->connection_state; }
GatheringState Peer::gathering_state() const { return impl_->gathering_state; }
SignalingState Peer::signaling_state() const { return impl_->signaling_state; }
std::size_t Peer::max_message_size() const { return impl_->max_message_size(); }
PeerStats Peer::stats() const { return impl_->stats(); }

}  // namespace pollrtc
