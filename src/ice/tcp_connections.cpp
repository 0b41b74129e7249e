#include "ice/tcp_connections.h"

#include "base/address.h"
#include "base/log.h"
#include "ice/candidate.h"

namespace pollrtc::ice {

namespace {

// Room for the checks and answers of a connection that nobody has proved anything on yet.
constexpr std::size_t kSmallBuffer = 2048;

bool is_stun(Bytes packet) {
  return packet.size() >= stun::kHeaderSize && packet.size() <= stun::kMaxMessage && packet[0] <= 3 &&
         load_u32(packet.data() + 4) == stun::kMagicCookie;
}

bool is_indication(Bytes packet) { return (load_u16(packet.data()) & 0x0110) == 0x0010; }

}  // namespace

std::size_t TcpConnections::find(StreamId stream) const {
  std::size_t i = 0;
  while (i < connections_.size() && connections_[i]->stream != stream) ++i;
  return i;
}

TcpConnections::Connection* TcpConnections::find(const Path& path) const {
  for (const Owned<Connection>& connection : connections_)
    if (connection->path == path && !connection->is_over) return connection.get();
  return nullptr;
}

TcpConnections::Connection* TcpConnections::add(const Path& path) {
  auto made = Owned<Connection>::make(environment_.memory, environment_.memory);
  if (!made || !made->out.reserve(kSmallBuffer)) return nullptr;
  made->capacity = kSmallBuffer;
  made->stream = StreamId{++last_stream_};
  made->path = path;
  if (!connections_.push_back(std::move(made))) return nullptr;
  return connections_[connections_.size() - 1].get();
}

void TcpConnections::end(std::size_t index) {
  Connection& connection = *connections_[index];
  connection.is_over = connection.owes_done = true;
  connection.owes_needed = connection.owes_opened = false;
  connection.due = kNever;
  connection.out.clear();
}

void TcpConnections::fail(std::size_t index, bool is_stranger) {
  end(index);
  connections_[index]->owes_closed = true;
  connections_[index]->is_stranger = is_stranger;
}

// ---- their life

Result<StreamId> TcpConnections::accept(Time now, const Address& local, const Address& remote) {
  std::size_t unverified = 0, all = 0, oldest = connections_.size();
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    const Connection& c = *connections_[i];
    all += c.is_over ? 0 : 1;
    if (c.is_over || !c.is_accepted || c.is_verified) continue;
    ++unverified;
    if (oldest == connections_.size() || c.due < connections_[oldest]->due) oldest = i;
  }
  // The peer's check comes with the connection, so the one that has said nothing for longest is the least likely to be it.
  if (unverified >= environment_.limits.ice_tcp_unverified) {
    drops_.count(Drop::TcpLimit);
    if (oldest == connections_.size())
      return pollrtc::fail(ErrorCode::LimitReached, "no strangers are taken");
    fail(oldest, false);
    --all;
  }
  if (all >= environment_.limits.ice_tcp_connections) {
    drops_.count(Drop::TcpLimit);
    return pollrtc::fail(ErrorCode::LimitReached, "too many TCP connections");
  }
  Connection* const connection = add({local, unmapped(remote), Transport::Tcp});
  if (connection == nullptr) return pollrtc::fail(ErrorCode::OutOfMemory, "TCP connection");
  connection->is_accepted = connection->is_open = true;
  connection->due = now + kUnverifiedLife;
  return connection->stream;
}

void TcpConnections::stream_opened(Time, StreamId stream) {
  const std::size_t i = find(stream);
  if (i == connections_.size() || connections_[i]->is_over || connections_[i]->is_open) return;
  connections_[i]->is_open = connections_[i]->owes_opened = true;
}

void TcpConnections::stream_closed(Time, StreamId stream) {
  const std::size_t i = find(stream);
  if (i == connections_.size()) return;
  if (!connections_[i]->is_over) fail(i, false);
  connections_[i]->out.clear();
}

void TcpConnections::handle_timeout(Time now) {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (now < connections_[i]->due) continue;
    POLLRTC_LOG(environment_, Info, "ice", "the connection from {} has shown nothing",
                address_text(connections_[i]->path.remote).view());
    drops_.count(Drop::TcpLimit);
    fail(i, false);
  }
}

Time TcpConnections::next_timeout() const {
  Time next = kNever;
  for (const Owned<Connection>& connection : connections_) next = std::min(next, connection->due);
  return next;
}

void TcpConnections::close() {
  for (const Owned<Connection>& connection : connections_) {
    connection->is_over = connection->owes_done = true;
    connection->owes_needed = connection->owes_opened = false;
    connection->due = kNever;
    if (!connection->is_open) connection->out.clear();
  }
}

// ---- packets in

std::optional<TcpConnections::Packet> TcpConnections::next(Time, StreamId stream, Bytes& chunk) {
  const std::size_t i = find(stream);
  if (i == connections_.size() || connections_[i]->is_over) {
    chunk = {};
    return std::nullopt;
  }
  Connection& connection = *connections_[i];
  for (;;) {
    const std::size_t skipped = connection.framer.skipped();
    const std::optional<Bytes> frame = connection.framer.next(chunk);
    const bool is_too_large = connection.framer.skipped() != skipped;
    if (is_too_large) drops_.count(Drop::TcpTooLarge);
    if (connection.framer.is_broken()) drops_.count(Drop::OutOfMemory);
    if (connection.framer.is_broken() || (is_too_large && !connection.is_verified)) {
      fail(i, is_too_large);
      chunk = {};
      return std::nullopt;
    }
    if (!frame) return std::nullopt;
    const Bytes packet = frame->subspan(turn::StreamFramer::kLengthSize);
    if (packet.empty()) continue;  // RFC 4571 §2: a length of 0 is legal, and nothing
    if (!connection.is_verified && !is_stun(packet)) {
      drops_.count(Drop::TcpNotStun);
      fail(i, true);
      chunk = {};
      return std::nullopt;
    }
    return Packet{connection.path, packet};
  }
}

void TcpConnections::on_verdict(const Packet& packet, Drop verdict) {
  Connection* const connection = find(packet.path);
  if (connection == nullptr || connection->is_verified || verdict != Drop::None) return;
  if (is_indication(packet.bytes)) return;  // nobody signs those
  connection->is_verified = true;
  connection->due = kNever;
}

// ---- packets out

bool TcpConnections::make_room(Connection& connection, std::size_t size) {
  if (connection.out.room() >= size) return true;
  const std::size_t limit = environment_.limits.ice_tcp_buffer;
  if (!connection.is_verified || connection.capacity >= limit) return false;
  ByteQueue larger(environment_.memory);
  if (!larger.reserve(limit)) return false;
  std::array<std::uint8_t, kSmallBuffer> waiting;
  const std::size_t count = connection.out.take(waiting);
  static_cast<void>(larger.append(Bytes(waiting).first(count)));
  connection.out = std::move(larger);
  connection.capacity = limit;
  return connection.out.room() >= size;
}

bool TcpConnections::send(const Path& path, Bytes packet) {
  Connection* connection = find(path);
  if (connection == nullptr) {
    if (path.local.port != kActivePort || packet.size() > 0xffff) return false;
    const auto count = std::count_if(connections_.begin(), connections_.end(),
                                     [](const Owned<Connection>& c) { return !c->is_over; });
    if (count < environment_.limits.ice_tcp_connections) connection = add(path);
    if (connection == nullptr) return false;
    connection->owes_needed = true;
  }
  const std::size_t size = turn::StreamFramer::kLengthSize + packet.size();
  if (packet.size() > 0xffff || !make_room(*connection, size)) return false;
  std::array<std::uint8_t, turn::StreamFramer::kLengthSize> length;
  store_u16(length.data(), static_cast<std::uint16_t>(packet.size()));
  return connection->out.append(length) && connection->out.append(packet);
}

bool TcpConnections::can_send(const Path& path) const {
  const Connection* const connection = find(path);
  return connection != nullptr && connection->is_open &&
         connection->out.size() < environment_.limits.ice_tcp_buffer / 2;
}

std::size_t TcpConnections::poll_stream(StreamId stream, MutBytes out) {
  const std::size_t i = find(stream);
  return i == connections_.size() || !connections_[i]->is_open ? 0 : connections_[i]->out.take(out);
}

// ---- events

bool TcpConnections::poll_event(Event& event) {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Connection& c = *connections_[i];
    if (std::exchange(c.owes_needed, false)) {
      event = Needed{c.stream, c.path.local, c.path.remote};
      return true;
    }
    if (std::exchange(c.owes_opened, false)) {
      event = Opened{c.path};
      return true;
    }
    if (std::exchange(c.owes_closed, false)) {
      event = Closed{c.path, c.is_stranger};
      return true;
    }
    if (c.owes_done && c.out.size() == 0) {
      event = Done{c.stream};
      connections_.erase(i);
      return true;
    }
  }
  return false;
}

}  // namespace pollrtc::ice
