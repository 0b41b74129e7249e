// TURN servers and the streams to them: between `ice::Relays`, which knows the servers, and the ICE agent, for which a
// relayed address is a socket like any other.
#include <algorithm>

#include "peer/peer_impl.h"

namespace pollrtc {

namespace {

constexpr std::size_t kPlainChunk = 4096;  // a TLS record's worth on the stack

}  // namespace

Status Peer::Impl::add_turn_server(Time now, const TurnServer& server) {
  if (has_ended()) return fail(ErrorCode::Closed, "the connection has ended");
  return relays.add_server(now, server);
}

// Gathering is over when the allocations are made or refused, too; the agent itself gives up in the end.
void Peer::Impl::local_addresses_done(Time now) {
  local_addresses_done_owed = true;
  pump(now);
}

void Peer::Impl::pump_relays(Time now) {
  ice::Relays::Event event;
  while (relays.poll_event(event)) {
    if (const auto* made = std::get_if<ice::Relays::Allocated>(&event)) {
      allocations.push_back({made->relayed, made->mapped, made->base, made->server, made->transport});
      const Status added = agent.add_relayed(now, allocations.back());
      if (!added && added.error() == ErrorCode::OutOfMemory)
        events.push(IceServerFailed{made->server, made->transport, 701, "no memory for its candidate"});
    }
    if (const auto* lost = std::get_if<ice::Relays::Lost>(&event)) {
      std::erase_if(allocations, [&](const auto& a) { return a.relayed == lost->relayed; });
      agent.on_relay_lost(now, lost->relayed);
      note_lost_path();
    }
    if (const auto* permission = std::get_if<ice::Relays::Permission>(&event))
      agent.on_permission(now, permission->relayed, permission->peer, permission->granted);
    if (const auto* needed = std::get_if<ice::Relays::StreamNeeded>(&event)) on_stream_needed(now, *needed);
    if (const auto* done = std::get_if<ice::Relays::StreamDone>(&event)) on_stream_done(done->stream);
    if (const auto* failed = std::get_if<ice::Relays::Failed>(&event)) {
      // RFC 8445 §5.1.1.2: a server that can relay no more can still tell which address we have.
      const bool is_full = failed->code == 486 || failed->code == 508;
      if (is_full && failed->transport == TurnTransport::Udp) (void)agent.add_server(now, failed->server);
      events.push(
          IceServerFailed{failed->server, failed->transport, failed->code, std::string(failed->text.view())});
    }
  }
  if (local_addresses_done_owed && !relays.is_pending()) {
    local_addresses_done_owed = false;
    agent.local_addresses_done(now);
  }
}

void Peer::Impl::ask_permissions(Time now) {
  if (agent.take_generation_gone())
    relays.forget_permissions([this](const Address& relayed, const Address& peer) {
      return agent.wants_permission(relayed, peer);
    });
  Path wanted;
  while (agent.next_permission(wanted)) {
    if (!relays.want_permission(now, wanted.local, wanted.remote))
      agent.on_permission(now, wanted.local, wanted.remote, false);
    if (relays.is_permitted(now, wanted.local, wanted.remote))  // since a generation before
      agent.on_permission(now, wanted.local, wanted.remote, true);
  }
}

// The allocations outlive a restart of ICE (RFC 8445 §9: the candidates of the new session may be those of the old one).
void Peer::Impl::hand_over_allocations(Time now) {
  for (const ice::RelayedAddress& allocation : allocations) (void)agent.add_relayed(now, allocation);
}

// A check, or an answer to one. Few and small: they are moved to make room for the relay's header.
std::optional<Transmit> Peer::Impl::poll_checks(Time now, MutBytes out, bool& again) {
  if (has_ended()) return std::nullopt;
  const auto transmit = agent.poll_transmit(now, out);
  if (!transmit) return std::nullopt;
  if (transmit->path.transport == Transport::Tcp) {
    again = true;
    send_tcp(now, transmit->path, Bytes(out).first(transmit->size));
    return std::nullopt;
  }
  if (!relays.owns(transmit->path.local)) return transmit;
  again = true;
  const std::size_t room = relays.headroom(transmit->path);
  if (room + transmit->size > out.size()) return std::nullopt;
  std::copy_backward(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(transmit->size),
                     out.begin() + static_cast<std::ptrdiff_t>(room + transmit->size));
  return relays.wrap(now, transmit->path, out, transmit->size);
}

// DTLS, and SCTP within: written where the relay's header leaves off.
std::optional<Transmit> Peer::Impl::poll_data(Time now, MutBytes out, bool& again) {
  const std::optional<Path> to = has_ended() ? path : agent.selected_path();
  if (!to) return std::nullopt;
  const bool is_tcp = to->transport == Transport::Tcp;
  const std::size_t room = is_tcp ? 0 : relays.headroom(*to);
  if (room > out.size() || !(is_tcp ? tcp.can_send(*to) : relays.can_send(*to))) return std::nullopt;
  const std::size_t size =
      has_ended() ? poll_goodbye(now, out.subspan(room)) : poll_payload(now, out.subspan(room));
  if (size == 0) return has_ended() ? relays.poll_transmit(now, out) : std::nullopt;
  again = true;
  if (!has_ended()) agent.on_data_sent(now);
  if (is_tcp) {
    send_tcp(now, *to, Bytes(out).first(size));
    return std::nullopt;
  }
  const bool is_whole = payload_is_whole;
  auto transmit = relays.wrap(now, *to, out, size);
  if (transmit) transmit->dont_fragment = is_whole;
  return transmit;
}

// ---- streams: in clear, or with TLS between

Peer::Impl::TlsStream* Peer::Impl::find_tls(StreamId stream) {
  for (TlsStream& known : tls_streams)
    if (known.stream == stream) return &known;
  return nullptr;
}

void Peer::Impl::on_stream_needed(Time now, const ice::Relays::StreamNeeded& needed) {
  if (needed.is_tls) {
    TlsStream made{needed.stream, needed.name,
                   Owned<dtls::TlsClient>::make(environment.memory, environment, trust_anchors)};
    if (!made.tls || !tls_streams.push_back(std::move(made)))
      return relays.stream_closed(now, needed.stream, "no memory");
  }
  events.push(StreamNeeded{needed.stream, needed.server});
}

void Peer::Impl::on_stream_done(StreamId stream) {
  if (TlsStream* const known = find_tls(stream))
    tls_streams.erase(static_cast<std::size_t>(known - tls_streams.begin()));
  events.push(StreamDone{stream});
}

void Peer::Impl::stream_opened(Time now, StreamId stream) {
  if (ice::TcpConnections::owns(stream)) {
    tcp.stream_opened(now, stream);
  } else if (TlsStream* const known = find_tls(stream)) {
    // Not a byte of STUN before the handshake has shown who is there (RFC 8489 §6.2.3).
    const Status started = known->tls->start(known->name.view(), environment.limits.turn_stream_buffer);
    if (!started) relays.stream_closed(now, stream, started.error().detail());
  } else {
    relays.stream_opened(now, stream);
  }
  pump(now);
}

void Peer::Impl::stream_closed(Time now, StreamId stream, std::string_view why) {
  if (ice::TcpConnections::owns(stream)) tcp.stream_closed(now, stream);
  relays.stream_closed(now, stream, why);
  if (TlsStream* const known = find_tls(stream))
    tls_streams.erase(static_cast<std::size_t>(known - tls_streams.begin()));
  pump(now);
}

void Peer::Impl::handle_stream(Time now, StreamId stream, Bytes bytes) {
  if (has_ended()) return;
  if (ice::TcpConnections::owns(stream)) {
    handle_tcp(now, stream, bytes);
  } else if (find_tls(stream) == nullptr) {
    handle_plain(now, stream, bytes);
  } else {
    std::array<std::uint8_t, kPlainChunk> plain;
    while (TlsStream* const known = find_tls(stream)) {
      const bool was_open = known->tls->state() == dtls::TlsClient::State::Open;
      const std::size_t size = known->tls->read(bytes, plain);
      if (!was_open && known->tls->state() == dtls::TlsClient::State::Open) relays.stream_opened(now, stream);
      if (size == 0) break;
      handle_plain(now, stream, Bytes(plain).first(size));
      if (has_ended()) break;
    }
    check_tls(now, stream);
  }
  pump(now);
}

void Peer::Impl::check_tls(Time now, StreamId stream) {
  const TlsStream* const known = find_tls(stream);
  if (known == nullptr) return;
  if (known->tls->state() == dtls::TlsClient::State::Failed)
    relays.stream_closed(now, stream, known->tls->failure());
  if (known->tls->state() == dtls::TlsClient::State::Closed)
    relays.stream_closed(now, stream, "the server closed the connection");
}

void Peer::Impl::handle_plain(Time now, StreamId stream, Bytes bytes) {
  while (const auto inner = relays.next_from_stream(now, stream, bytes)) {
    if (!inner->is_data) continue;
    ++counters.datagrams_received;
    counters.bytes_received += inner->bytes.size();
    (void)handle_inner(now, inner->path, inner->bytes);
    pump_dtls(now);  // what a record brings is read before the next: DTLS keeps no more of them than it must
    if (has_ended()) break;
  }
}

std::size_t Peer::Impl::poll_stream(Time now, StreamId stream, MutBytes out) {
  if (ice::TcpConnections::owns(stream)) return poll_tcp(now, stream, out);
  TlsStream* const known = find_tls(stream);
  if (known == nullptr) return relays.poll_stream(now, stream, out);
  std::array<std::uint8_t, kPlainChunk> plain;
  while (known->tls->state() == dtls::TlsClient::State::Open && known->tls->room() >= plain.size()) {
    const std::size_t size = relays.poll_stream(now, stream, plain);
    if (size == 0 || !known->tls->write(Bytes(plain).first(size))) break;
  }
  return known->tls->take(out);
}

}  // namespace pollrtc
