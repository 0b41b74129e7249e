// TURN servers and the streams to them: between `ice::Relays`, which knows the servers, and the ICE agent, for which a
// relayed address is a socket like any other.
#include <algorithm>

#include "peer/peer_impl.h"

namespace pollrtc {

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
      (void)agent.add_relayed(now, allocations.back());
    }
    if (const auto* lost = std::get_if<ice::Relays::Lost>(&event)) {
      std::erase_if(allocations, [&](const auto& a) { return a.relayed == lost->relayed; });
      agent.on_relay_lost(now, lost->relayed);
    }
    if (const auto* permission = std::get_if<ice::Relays::Permission>(&event))
      agent.on_permission(now, permission->relayed, permission->peer, permission->granted);
    if (const auto* needed = std::get_if<ice::Relays::StreamNeeded>(&event))
      events.push(StreamNeeded{needed->stream, needed->server});
    if (const auto* done = std::get_if<ice::Relays::StreamDone>(&event))
      events.push(StreamDone{done->stream});
    if (const auto* failed = std::get_if<ice::Relays::Failed>(&event))
      events.push(
          IceServerFailed{failed->server, failed->transport, failed->code, std::string(failed->text.view())});
  }
  if (local_addresses_done_owed && !relays.is_pending()) {
    local_addresses_done_owed = false;
    agent.local_addresses_done(now);
  }
}

void Peer::Impl::ask_permissions(Time now) {
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

// A socket is gone, and with it the allocations that were made from it.
void Peer::Impl::drop_allocations_of(Time now, const Address& base) {
  for (const ice::RelayedAddress& allocation : allocations)
    if (allocation.base == base) (void)agent.remove_local_address(now, allocation.relayed);
  std::erase_if(allocations, [&](const auto& allocation) { return allocation.base == base; });
}

// A check, or an answer to one. Few and small: they are moved to make room for the relay's header.
std::optional<Transmit> Peer::Impl::poll_checks(Time now, MutBytes out, bool& again) {
  if (has_ended()) return std::nullopt;
  const auto transmit = agent.poll_transmit(now, out);
  if (!transmit) return std::nullopt;
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
  const std::size_t room = relays.headroom(*to);
  if (room > out.size() || !relays.can_send(*to)) return std::nullopt;
  const std::size_t size =
      has_ended() ? poll_goodbye(now, out.subspan(room)) : poll_payload(now, out.subspan(room));
  if (size == 0) return has_ended() ? relays.poll_transmit(now, out) : std::nullopt;
  again = true;
  if (!has_ended()) agent.on_data_sent(now);
  return relays.wrap(now, *to, out, size);
}

void Peer::Impl::handle_stream(Time now, StreamId stream, Bytes bytes) {
  if (has_ended()) return;
  while (const auto inner = relays.next_from_stream(now, stream, bytes)) {
    if (!inner->is_data) continue;
    ++counters.datagrams_received;
    counters.bytes_received += inner->bytes.size();
    (void)handle_inner(now, inner->path, inner->bytes);
    if (has_ended()) break;
  }
  pump(now);
}

}  // namespace pollrtc
