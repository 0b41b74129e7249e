// The TCP connections to the other end: between `ice::TcpConnections`, which frames, and the agent and DTLS, which take
// packets from them as from any path. RFC 6544 §7, §10.
#include "peer/peer_impl.h"

namespace pollrtc {

Result<StreamId> Peer::Impl::stream_accepted(Time now, const Address& local, const Address& remote) {
  if (has_ended()) return fail(ErrorCode::Closed, "the connection has ended");
  const Result<StreamId> stream = tcp.accept(now, local, remote);
  pump(now);
  return stream;
}

void Peer::Impl::pump_tcp(Time now) {
  if (tcp.empty()) return;
  tcp.keep_if([this](const Path& along) { return agent.keeps_connection(along); });
  ice::TcpConnections::Event event;
  while (tcp.poll_event(event)) {
    if (const auto* needed = std::get_if<ice::TcpConnections::Needed>(&event))
      events.push(StreamNeeded{needed->stream, needed->remote, needed->local});
    if (const auto* done = std::get_if<ice::TcpConnections::Done>(&event))
      events.push(StreamDone{done->stream});
    if (const auto* opened = std::get_if<ice::TcpConnections::Opened>(&event))
      agent.on_connection_opened(now, opened->path);
    if (const auto* closed = std::get_if<ice::TcpConnections::Closed>(&event))
      agent.on_connection_closed(now, closed->path, closed->is_stranger);
  }
}

void Peer::Impl::handle_tcp(Time now, StreamId stream, Bytes bytes) {
  while (const auto packet = tcp.next(now, stream, bytes)) {
    ++counters.datagrams_received;
    counters.bytes_received += packet->bytes.size();
    tap(now, packet->path, packet->bytes, PacketLayer::Udp, false);
    tcp.on_verdict(*packet, handle_inner(now, packet->path, packet->bytes));
    pump(now);
    if (has_ended()) break;
  }
}

// A connection that there is not, and that is not ours to open or one too many, takes the check with it.
void Peer::Impl::send_tcp(Time now, const Path& along, Bytes packet) {
  if (!tcp.send(along, packet)) {
    if (!tcp.has(along)) agent.on_connection_closed(now, along, false);
    return;
  }
  ++counters.datagrams_sent;
  counters.bytes_sent += packet.size();
  tap(now, along, packet, PacketLayer::Udp, true);
}

std::size_t Peer::Impl::poll_tcp(Time now, StreamId stream, MutBytes out) {
  const std::size_t size = tcp.poll_stream(stream, out);
  if (has_ended()) pump_tcp(now);  // one that waited to be written may be done
  return size;
}

}  // namespace pollrtc
