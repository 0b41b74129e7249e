#include "scenario/tcp_network.h"

#include <algorithm>

#include "support/catch.h"

namespace pollrtc::scenario {

TcpNetwork::TcpNetwork(sim::World& world, Duration delay) : world_(world), delay_(delay) {
  world_.add_actor(*this);
}
TcpNetwork::~TcpNetwork() { world_.remove_actor(*this); }

void TcpNetwork::join(End& end, const Address& address, bool listens) {
  end.tcp_address = address;
  end.tcp_listens = listens;
  end.on_stream = [this, &end](Time, const Peer::Event& event) {
    if (const auto* needed = std::get_if<Peer::StreamNeeded>(&event)) connect(end, *needed);
    if (const auto* done = std::get_if<Peer::StreamDone>(&event)) close(end, done->stream);
  };
  ends_.push_back(&end);
}

void TcpNetwork::reset_all() {
  for (const auto& c : connections_)
    if (!c->is_closed) shut(*c, nullptr);
}

std::size_t TcpNetwork::open_connections() const {
  return static_cast<std::size_t>(std::count_if(connections_.begin(), connections_.end(),
                                                [](const auto& c) { return !c->is_closed && c->b.id; }));
}

void TcpNetwork::pump(Time now) {
  if (stalls) return;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    const auto c = connections_[i];
    if (c->is_closed || !c->b.id) continue;
    move(now, c, c->a, c->b);
    move(now, c, c->b, c->a);
  }
}

void TcpNetwork::connect(End& from, const Peer::StreamNeeded& needed) {
  CHECK(needed.local.same_ip(from.tcp_address));
  auto c = std::make_shared<Connection>();
  c->a = {&from, needed.stream};
  connections_.push_back(c);
  world_.after(2 * delay_, [this, c, to = needed.remote, local = from.tcp_address.with_port(next_port_++)] {
    if (c->is_closed) return;
    const auto host = std::find_if(ends_.begin(), ends_.end(), [&](const End* end) {
      return end->tcp_listens && end->tcp_address == to;
    });
    const auto accepted = host == ends_.end() || refuses
                              ? Result<StreamId>(fail(ErrorCode::NotFound, "nobody listens"))
                              : (*host)->peer.stream_accepted(world_.now(), to, local);
    if (!accepted) {
      c->is_closed = true;
      return c->a.end->peer.stream_closed(world_.now(), *c->a.id, "refused");
    }
    ++opened;
    c->b = {*host, *accepted};
    c->a.end->peer.stream_opened(world_.now(), *c->a.id);
  });
}

void TcpNetwork::close(End& end, StreamId stream) {
  for (const auto& c : connections_)
    if (!c->is_closed && ((c->a.end == &end && c->a.id == stream) || (c->b.end == &end && c->b.id == stream)))
      shut(*c, &end);
}

void TcpNetwork::shut(Connection& c, const End* by) {
  c.is_closed = true;
  c.is_reset = by == nullptr;
  for (const Half& half : {c.a, c.b}) {
    if (!half.id || half.end == by) continue;
    world_.after(by == nullptr ? Duration{} : delay_,
                 [this, half] { half.end->peer.stream_closed(world_.now(), *half.id, "closed"); });
  }
}

void TcpNetwork::move(Time now, const std::shared_ptr<Connection>& c, Half& from, Half& to) {
  // Odd sizes, so that frames are cut everywhere.
  std::vector<std::uint8_t> buffer(1 + world_.random().index(3000));
  while (const std::size_t size = from.end->peer.poll_stream(now, *from.id, buffer)) {
    bytes += size;
    std::vector<std::uint8_t> piece(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    world_.after(delay_, [this, c, to, piece = std::move(piece)] {
      if (!c->is_reset) to.end->peer.handle_stream(world_.now(), *to.id, piece);
    });
  }
}

}  // namespace pollrtc::scenario
