// The walk of a datagram. In: first byte -> ICE, or DTLS -> SCTP -> channels. Out: ICE first, then DTLS's own
// flights, then SCTP packets sealed one to a record (RFC 8261 §3).
#include <algorithm>

#include "base/log.h"
#include "peer/demux.h"
#include "peer/peer_impl.h"

namespace pollrtc {
namespace {

// RFC 8831 §5: until a larger one is found, an IP packet is at most 1200 bytes on IPv4 and 1280 on IPv6. What
// is left for SCTP after IP, UDP, a TURN channel (4) and a DTLS 1.2 AES-GCM record (13 + 8 + 16), the largest
// of our suites.
constexpr std::uint32_t kUdpHeader = 8, kTurnChannel = 4, kLargestRecordOverhead = 13 + 8 + 16;
constexpr std::uint32_t kIpHeader4 = 20, kIpHeader6 = 40;
constexpr std::uint32_t kBaseIpPacket4 = 1200, kBaseIpPacket6 = 1280;
// Room for one packet in or out. A longer record is dropped and counted; the peers measured send 1.2 kB.
constexpr std::size_t kLeastPacketBuffer = 4096;
// A connection that is silent for so long needs little memory; see rest(). The first time sooner: of the connections that a
// server sets up one after another few hold what a handshake needs at once, and the next one takes it over. Later on longer,
// since to wake takes the keys' derivation.
constexpr Duration kFirstRestAfter = std::chrono::milliseconds(100), kRestAfter = std::chrono::seconds(1);
constexpr std::size_t kLargestEarly = 1500;  // a handshake datagram on an unknown path is no larger

// RFC 6347 §4.2.4.1 has 1 s; we know the round trip already, and RFC 9147 §5.8.2 takes 1.5 of it. DTLS-34 has
// the floor.
Duration first_dtls_timeout(std::optional<Duration> round_trip_time) {
  if (!round_trip_time) return std::chrono::seconds(1);
  return std::clamp<Duration>(*round_trip_time * 3 / 2, std::chrono::milliseconds(50),
                              std::chrono::seconds(1));
}

}  // namespace

Drop Peer::Impl::handle_datagram(Time now, const Path& from, Bytes datagram) {
  ++counters.datagrams_received;
  counters.bytes_received += datagram.size();
  tap(now, from, datagram, PacketLayer::Udp, false);
  if (has_ended()) return drops.count(Drop::Ended);
  if (datagram.empty()) return drops.count(Drop::Empty);
  Drop drop = Drop::None;
  if (is_quiet && protocol_of(datagram[0]) == Protocol::Stun) {
    drop = agent.handle_datagram(now, from, datagram);
    if (pump_ice(now)) awake().pump(now);
    return drop;
  }
  is_quiet = false;
  if (channels.owes_resets()) channels.ask_owed_resets(now);
  bool is_data = false;
  if (const auto inner = relays.unwrap(now, from, datagram)) {
    drop = inner->is_data ? handle_inner(now, inner->path, inner->bytes) : inner->drop;
  } else {
    is_data = protocol_of(datagram[0]) == Protocol::Dtls;
    drop = handle_inner(now, from, datagram);
  }
  if (is_data && association) {
    // Agent, relays and streams have nothing to say about data, and there are many such datagrams.
    pump_dtls(now);
    if (has_ended() || has_lost_something()) pump(now);
  } else {
    rest(now);
    pump(now);
  }
  return drop;
}

// What a socket or a relay brought. It is not unwrapped again: whoever sends us TURN through a relay is no TURN server.
Drop Peer::Impl::handle_inner(Time now, const Path& from, Bytes datagram) {
  if (datagram.empty()) return drops.count(Drop::Empty);
  Drop drop = Drop::UnknownProtocol;
  switch (protocol_of(datagram[0])) {
    case Protocol::Stun:
      drop = agent.handle_datagram(now, from, datagram);
      break;
    case Protocol::Dtls:
      drop = handle_dtls(now, from, datagram);
      break;
    default:
      drops.count(drop);
      break;
  }
  return drop;
}

Drop Peer::Impl::handle_dtls(Time now, const Path& from, Bytes datagram) {
  // Until our own check of the path has succeeded, whoever sent this may be anyone (RFC 8827 §6.3, RFC 8445 §12.1): a handshake
  // waits for it. A record of a connection that stands says itself who sealed it, and is taken on any candidate of the
  // exchange (RFC 8445 §12.2): after a restart a browser may prefer a pair that we, having nominated another, never check.
  const bool is_up = dtls_started && dtls->state() == dtls::SessionState::Connected;
  const bool is_taken = agent.is_validated(from) || (is_up && agent.is_expected(from));
  if (!dtls_started || !is_taken) return keep_early(from, datagram);
  put_rest_off(now);
  return dtls->handle_packet(now, datagram);
}

// The other end sends its ClientHello as soon as *its* check has succeeded, and that is often a moment before ours has, or
// before its answer has come through the signalling. Dropped, it would come again after 50 ms or a second.
Drop Peer::Impl::keep_early(const Path& from, Bytes datagram) {
  if (!agent.is_expected(from)) return drops.count(Drop::UnknownPath);
  if (early.size() >= environment.limits.dtls_pre_verified || datagram.size() > kLargestEarly)
    return drops.count(Drop::DtlsEarly);
  EarlyDatagram kept{from, Buffer(environment.memory)};
  if (!kept.bytes.assign(datagram) || !early.push_back(std::move(kept)))
    return drops.count(Drop::OutOfMemory);
  return Drop::None;
}

void Peer::Impl::use_early(Time now) {
  if (!dtls_started) return;
  for (std::size_t i = 0; i < early.size();) {
    if (!agent.is_validated(early[i].path)) {
      ++i;
      continue;
    }
    const Buffer bytes = std::move(early[i].bytes);
    early.erase(i);
    (void)dtls->handle_packet(now, bytes);
  }
}

void Peer::Impl::pump(Time now) {
  pump_relays(now);
  pump_tcp(now);
  pump_ice(now);
  ask_permissions(now);
  for (FixedString<64> name; agent.next_name(name);) events.push(NameWanted{std::string(name.view())});
  if (!early.empty()) use_early(now);
  pump_dtls(now);
  pump_sctp(now);
  if (has_lost_something() && !has_ended()) end(now, ConnectionState::Failed, Close::OutOfMemory);
  // The other end ended the association while our offer was under way, and the answer, or a rollback, has not explained it.
  const bool is_over = association && association->state() == sctp::AssociationState::Closed;
  if (is_over && !has_ended() && !awaits_answer() && remote_in_force()->sctp_port != 0)
    end(now, ConnectionState::Closed, Close::Remote);
  update_connection_state();
}

bool Peer::Impl::pump_ice(Time now) {
  bool is_any = false;
  ice::Generations::Event event;
  while (agent.poll_event(event)) {
    is_any = true;
    if (const auto* local = std::get_if<ice::Generations::LocalCandidate>(&event))
      on_local_candidate(local->candidate);
    if (std::holds_alternative<ice::Generations::GatheringDone>(event)) on_gathering_done();
    if (const auto* selected = std::get_if<ice::Generations::PairSelected>(&event))
      on_path(now, selected->path);
    if (const auto* change = std::get_if<ice::Generations::StateChanged>(&event)) {
      POLLRTC_LOG(environment, Debug, "peer", "ice: {} -> {}", ice::name_of(change->from),
                  ice::name_of(change->to));
      if (change->to == ice::AgentState::Failed) fail_path(now);
    }
  }
  return is_any;
}

void Peer::Impl::on_path(Time now, const Path& selected) {
  const bool is_change = path && *path != selected;
  path = selected;
  relays.bind_channel(now, selected);
  if (is_change && association) association->on_path_change(now, path_sizes());
  if (dtls_started || !dtls) return;
  dtls_started = true;
  const sdp::Remote& remote = *remote_in_force();
  const auto role = remote.our_role == sdp::DtlsRole::Client ? dtls::Role::Client : dtls::Role::Server;
  if (const Status status = dtls->start(now, role, first_dtls_timeout(agent.round_trip_time())); !status)
    end(now, ConnectionState::Failed,
        status.error() == ErrorCode::OutOfMemory ? Close::OutOfMemory : Close::DtlsFailed);
}

void Peer::Impl::pump_dtls(Time now) {
  if (!dtls) return;
  if (!association && wants_no_association()) drop_records(now);
  dtls::Session::Event event;
  while (dtls->poll_event(event)) {
    if (std::holds_alternative<dtls::Session::Connected>(event)) on_dtls_connected(now);
    if (const auto* ended = std::get_if<dtls::Session::Ended>(&event)) {
      const bool orderly = ended->reason == Close::Remote || ended->reason == Close::Local;
      end(now, orderly ? ConnectionState::Closed : ConnectionState::Failed, ended->reason);
    }
  }
  if (!association || has_ended() || dtls->is_resting()) return;
  // Without memory for it the record stays where it is until the next time.
  if (packet_buffer.empty() && !packet_buffer.resize_discarding(largest_packet())) return;
  while (const std::size_t size = dtls->receive(packet_buffer.writable())) {
    const Bytes record = Bytes(packet_buffer).first(size);
    if (path) tap(now, *path, record, PacketLayer::Sctp, false);
    // While ICE waits for an answer, what the peer acknowledges says as much: that it hears us, and we it.
    const bool is_doubtful = agent.is_path_doubtful();
    const std::size_t outstanding = is_doubtful ? association->stats().outstanding_bytes : 0;
    (void)association->handle_packet(now, record);
    if (is_doubtful && association->stats().outstanding_bytes < outstanding) {
      agent.on_data_acknowledged(now);
      pump_ice(now);
      update_connection_state();
    }
    pump_sctp(now);
  }
}

// What comes where no association is wanted. Left there it would keep a close_notify from being seen.
void Peer::Impl::drop_records(Time now) {
  if (packet_buffer.empty() && !packet_buffer.resize_discarding(largest_packet())) return;
  while (const std::size_t size = dtls->receive(packet_buffer.writable())) {
    if (path) tap(now, *path, Bytes(packet_buffer).first(size), PacketLayer::Sctp, false);
    drops.count(Drop::NoSession);
  }
}

bool Peer::Impl::awaits_answer() const {
  return signaling_state == SignalingState::HaveLocalOffer ||
         signaling_state == SignalingState::HaveRemotePranswer;
}

bool Peer::Impl::wants_no_association() const {
  return dtls && dtls->state() == dtls::SessionState::Connected && !has_ended() &&
         remote_in_force()->sctp_port == 0;
}

void Peer::Impl::on_dtls_connected(Time now) {
  if (has_ended() || association) return;
  const sdp::Remote& remote = *remote_in_force();
  // RFC 8841 §9.3, §10.4: no association is wanted, and channels are nothing without one. ICE and DTLS stay.
  if (remote.sctp_port == 0) return channels.on_ended(Close::Remote);
  sctp::AssociationConfig c;
  c.local_port = config.sctp_port;
  // In the old form of the section the port stands in the m= line, and both ends use it.
  if (remote.is_legacy) c.local_port = remote.sctp_port;
  c.remote_port = remote.sctp_port;
  const sctp::PathSizes sizes = path_sizes();
  c.mtu = sizes.base;
  c.max_ip = sizes.max_ip;
  c.below = sizes.below;
  c.max_message_rx = environment.limits.sctp_max_message_rx;
  c.announce_zero_checksum = config.announce_zero_checksum || remote.is_pollrtc;
  c.parameters = sctp::Parameters::over_watched_path();
  if (config.transport_goal == TransportGoal::LowLatency)
    c.parameters.congestion = sctp::CongestionAlgorithm::LowLatency;
  if (packet_buffer.resize_discarding(largest_packet()))
    association = Owned<sctp::Association>::make(environment.memory, data_environment, c);
  if (!association) return end(now, ConnectionState::Failed, Close::OutOfMemory);
  if (const auto rtt = agent.round_trip_time()) association->set_initial_rtt(*rtt);
  if (!association->connect(now)) end(now, ConnectionState::Failed, Close::SctpSetupFailed);
}

std::size_t Peer::Impl::largest_packet() const {
  return std::max<std::size_t>(kLeastPacketBuffer, config.max_ip_packet);
}

// The TURN channel is counted whether there is one or not: four bytes, and the selected pair may change.
sctp::PathSizes Peer::Impl::path_sizes() const {
  const bool v6 = path && path->remote.family == Address::Family::IPv6;
  sctp::PathSizes sizes;
  const std::uint32_t below_dtls = (v6 ? kIpHeader6 : kIpHeader4) + kUdpHeader + kTurnChannel;
  sizes.base = (v6 ? kBaseIpPacket6 : kBaseIpPacket4) - below_dtls - kLargestRecordOverhead;
  sizes.below = below_dtls + static_cast<std::uint32_t>(dtls ? dtls->overhead() : kLargestRecordOverhead);
  // TCP cuts as it likes, so there is no packet size to discover.
  sizes.max_ip = path && path->transport == Transport::Tcp ? std::uint16_t{0} : config.max_ip_packet;
  return sizes;
}

void Peer::Impl::pump_sctp(Time now) {
  if (!association || has_ended() || !association->has_news()) return;
  sctp::Association::Event event;
  sctp::Message message(data_environment.memory);
  // Messages before events: what was sent ahead of a stream reset or an ABORT is the user's. But not before Connected:
  // the first messages can come in the same packet as the end of the set-up.
  bool more = true;
  while (more && !has_ended()) {
    while (channels.has_association() && association->receive(message))
      drops.count(channels.on_message(now, std::move(message)));
    for (sctp::Association::MessageReport report; events.has_room() && association->poll_report(report);)
      channels.on_report(report);
    more = association->poll_event(event);
    if (!more) break;
    if (const auto* up = std::get_if<sctp::Association::Connected>(&event))
      channels.on_connected(now, *association, *up, max_message_size());
    if (const auto* reset = std::get_if<sctp::Association::StreamsReset>(&event))
      channels.on_stream_reset(now, *reset);
    if (const auto* done = std::get_if<sctp::Association::ResetDone>(&event))
      channels.on_reset_done(now, done->stream, done->performed);
    if (const auto* low = std::get_if<sctp::Association::BufferLow>(&event))
      channels.on_buffer_low(low->stream);
    if (const auto* large = std::get_if<sctp::Association::MessageTooLarge>(&event)) {
      drops.count(Drop::MessageTooLarge);
      channels.on_message_too_large(now, large->stream);
    }
    // A WebRTC end never restarts an association on the same DTLS session (RFC 8841 §9.3): what follows is
    // not ours.
    if (std::holds_alternative<sctp::Association::Restarted>(event))
      end(now, ConnectionState::Closed, Close::Restarted);
    if (const auto* ended = std::get_if<sctp::Association::Ended>(&event)) on_sctp_ended(now, *ended);
  }
}

void Peer::Impl::on_sctp_ended(Time now, const sctp::Association::Ended& ended) {
  POLLRTC_LOG(environment, Info, "peer", "sctp ended: {} (cause {}) {}", name_of(ended.reason),
              ended.cause_code, ended.detail.view());
  // RFC 8841 §9.3: what becomes of the association does not concern DTLS. It stays, ended, to drop what still comes. And an orderly
  // end may come before the answer that tells of it.
  if (remote_in_force()->sctp_port == 0 || (ended.reason == Close::Remote && awaits_answer()))
    return channels.on_ended(Close::Remote);
  const bool by_choice =
      ended.reason == Close::Remote || ended.reason == Close::RemoteAbort || ended.reason == Close::Local;
  end(now, by_choice ? ConnectionState::Closed : ConnectionState::Failed, ended.reason);
}

std::optional<Transmit> Peer::Impl::poll_transmit(Time now, MutBytes out) {
  std::optional<Transmit> transmit;
  if (is_quiet) {
    transmit = agent.poll_transmit(now, out);
    if (pump_ice(now)) awake().pump(now);
  } else {
    transmit = poll_anything(now, out);
    if (!transmit) be_quiet();
  }
  if (transmit) {
    ++counters.datagrams_sent;
    counters.bytes_sent += transmit->size;
    tap(now, transmit->path, Bytes(out).first(transmit->size), PacketLayer::Udp, true);
  }
  return transmit;
}

// Of thousands of connections most are silent most of the time, and what a check of consent costs is what of them must be
// looked at. Called when everybody has been asked and nobody owes anything.
void Peer::Impl::be_quiet() {
  const bool is_settled = connection_state == ConnectionState::Connected &&
                          signaling_state == SignalingState::Stable &&
                          gathering_state == GatheringState::Complete && !restart_wanted;
  if (!is_settled || !association || !dtls->is_resting() || !tcp.empty() || !early.empty() ||
      channels.owes_resets())
    return;
  if (relays.next_timeout() != kNever) return;  // servers that want to be asked again, and their channels
  // rest() is to give it back; what receive() gave goes with the next datagram.
  if (data_memory.waiting_bytes() != 0 || channels.keeps_large_currents()) return;
  is_quiet = true;
  quiet_until = std::min({dtls->next_timeout(), association->next_timeout(), rest_due()});
}

std::optional<Transmit> Peer::Impl::poll_anything(Time now, MutBytes out) {
  // What goes into a stream is not for the caller to send, so there may be something behind it.
  std::optional<Transmit> transmit;
  bool is_data = false;
  for (bool again = true; again && !transmit;) {
    again = false;
    transmit = relays.poll_transmit(now, out);
    if (!transmit) transmit = poll_checks(now, out, again);
    is_data = !transmit && !again;
    if (is_data) transmit = poll_data(now, out, again);
  }
  if (!has_ended()) {
    if (is_data && transmit) {
      pump_sctp(now);
    } else {
      pump(now);
    }
  }
  return transmit;
}

std::size_t Peer::Impl::poll_payload(Time now, MutBytes out) {
  payload_is_whole = false;
  if (!dtls) return 0;
  if (const std::size_t size = dtls->poll_packet(now, out); size != 0) return size;
  if (!association || dtls->state() != dtls::SessionState::Connected) return 0;
  if (out.size() <= dtls->overhead()) return 0;
  // Sealed where it lies.
  const MutBytes packet = out.first(std::min(largest_packet(), out.size() - dtls->overhead()));
  const std::size_t size = association->poll_packet(now, packet);
  if (size == 0) return 0;
  put_rest_off(now);
  payload_is_whole = association->dont_fragment();
  if (path) tap(now, *path, packet.first(size), PacketLayer::Sctp, true);
  return dtls->send(now, packet.first(size), out).value_or(std::size_t{0});
}

// What is owed at the end, in this order: the SCTP ABORT, the DTLS close_notify or alert.
std::size_t Peer::Impl::poll_goodbye(Time now, MutBytes out) {
  if (!goodbye_owed) return 0;
  if (const std::size_t size = poll_payload(now, out); size != 0) return size;
  if (!close_notify_queued) {
    close_notify_queued = true;
    dtls->close(now);
    if (const std::size_t size = dtls->poll_packet(now, out); size != 0) return size;
  }
  goodbye_owed = false;
  agent.close(now);
  relays.close(now);
  tcp.close();
  pump_tcp(now);
  return 0;
}

void Peer::Impl::handle_timeout(Time now) {
  if (has_ended()) return;
  if (is_quiet && now < quiet_until) {
    agent.handle_timeout(now);
    if (pump_ice(now)) awake().pump(now);
    return;
  }
  is_quiet = false;
  relays.handle_timeout(now);
  tcp.handle_timeout(now);
  agent.handle_timeout(now);
  if (dtls) dtls->handle_timeout(now);
  if (association) association->handle_timeout(now);
  if (channels.owes_resets()) channels.ask_owed_resets(now);
  if (now >= failed_until && connection_state == ConnectionState::Failed)
    end(now, ConnectionState::Failed, path_failure);
  rest(now);
  pump(now);
}

// A record of DTLS came or went.
void Peer::Impl::put_rest_off(Time now) {
  rest_at = now + (has_rested ? kRestAfter : kFirstRestAfter);
  wants_rest = true;
}

// What only handshakes and traffic need goes when there has been none for a while. What cannot go yet is asked again at the next
// check of consent (RFC 7675), ours or the other end's.
void Peer::Impl::rest(Time now) {
  if (!association || has_ended() || now < rest_at) return;
  wants_rest = false;
  if (!dtls->is_resting()) association->rest();  // DTLS wakes for whatever comes or goes
  data_memory.trim();
  if (dtls->is_resting() || !dtls->rest(now)) return;
  has_rested = true;
  certificate.forget_key();  // DTLS does not begin again within one connection
  packet_buffer = Buffer(environment.memory);
  early = Vec<EarlyDatagram>(environment.memory);
  events.rest();
  agent.rest();
  local_candidates =
      std::vector<Candidate>(local_candidates);  // shrink_to_fit() does nothing without exceptions
}

Time Peer::Impl::next_timeout() const {
  if (has_ended()) return kNever;
  if (is_quiet) return std::min(agent.next_timeout(), quiet_until);
  Time next = std::min({agent.next_timeout(), relays.next_timeout(), tcp.next_timeout()});
  if (dtls) next = std::min(next, dtls->next_timeout());
  if (association) next = std::min({next, association->next_timeout(), rest_due()});
  if (connection_state == ConnectionState::Failed) next = std::min(next, failed_until);
  return next;
}

}  // namespace pollrtc
