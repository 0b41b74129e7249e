#include "scenario/turn_service.h"

#include <array>
#include <utility>

namespace pollrtc::scenario {

TurnService::TurnService(sim::World& world, const Address& address)
    : server(address), world_(world), host_(world.add_host({address.with_port(0)})) {
  server.relay_v4 = address.with_port(kFirstRelayed);
  listen(address);
  for (std::uint16_t i = 0; i < kMostRelayed; ++i)
    listen(address.with_port(static_cast<std::uint16_t>(kFirstRelayed + i)));
  world_.add_actor(*this);
}
TurnService::~TurnService() { world_.remove_actor(*this); }

void TurnService::serve(End& end, const Address& ip, std::initializer_list<TurnTransport> transports) {
  for (const TurnTransport transport : transports) end.turn_servers.emplace_back(server.address, transport);
  end.on_stream = [this, &end, ip](Time, const Peer::Event& event) {
    if (const auto* needed = std::get_if<Peer::StreamNeeded>(&event)) open(end, ip, needed->stream);
    if (const auto* done = std::get_if<Peer::StreamDone>(&event))
      std::erase_if(streams_,
                    [&](const auto& s) { return s.second.end == &end && s.second.id == done->stream; });
  };
}

void TurnService::reset_connections() {
  for (const auto& [client, stream] : std::exchange(streams_, {})) {
    server.allocations.erase(client);
    stream.end->peer.stream_closed(world_.now(), stream.id, "reset");
  }
}

void TurnService::let_go_connections() {
  is_holding_ = false;
  for (auto& [client, stream] : streams_)
    if (const test::ByteVector held = std::exchange(stream.held, {}); !held.empty())
      stream.end->peer.handle_stream(world_.now(), stream.id, held);
}

void TurnService::pump(Time now) {
  std::array<std::uint8_t, 4096> out;
  for (auto& [client, stream] : streams_)
    while (const std::size_t size = stream.is_open ? stream.end->peer.poll_stream(now, stream.id, out) : 0)
      world_.after(kStreamDelay,
                   [this, client = client,
                    bytes = test::ByteVector(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size))] {
                     arrive(client, bytes);
                   });
}

void TurnService::listen(const Address& address) {
  world_.listen(host_, address, [this](Time, const Path& path, Bytes datagram) {
    send(server.handle(path.remote, path.local, datagram));
  });
}

void TurnService::open(End& end, const Address& ip, StreamId id) {
  const Address client = ip.with_port(next_port_++);
  streams_.emplace(client, Stream{&end, id, turn::StreamFramer(end.environment.env.memory)});
  world_.after(2 * kStreamDelay, [this, client] {
    const auto at = streams_.find(client);
    if (at == streams_.end()) return;
    at->second.is_open = true;
    at->second.end->peer.stream_opened(world_.now(), at->second.id);
  });
}

void TurnService::arrive(const Address& client, Bytes bytes) {
  const auto at = streams_.find(client);
  while (at != streams_.end())
    if (const auto frame = at->second.framer.next(bytes))
      send(server.handle(client, server.address, *frame));
    else
      return;
}

void TurnService::send(const std::vector<sim::TurnServer::Datagram>& datagrams) {
  for (const auto& datagram : datagrams) {
    if (streams_.count(datagram.to) == 0) {
      world_.send(host_, {datagram.from, datagram.to}, datagram.bytes);
      continue;
    }
    test::ByteVector padded = datagram.bytes;
    padded.resize((padded.size() + 3) / 4 * 4);  // RFC 8656 §12.5
    world_.after(kStreamDelay, [this, client = datagram.to, padded] {
      const auto at = streams_.find(client);
      if (at == streams_.end()) return;
      Stream& stream = at->second;
      if (!is_holding_) return stream.end->peer.handle_stream(world_.now(), stream.id, padded);
      stream.held.insert(stream.held.end(), padded.begin(), padded.end());
    });
  }
}

}  // namespace pollrtc::scenario
