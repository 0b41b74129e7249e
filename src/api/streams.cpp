#include "api/streams.h"

#include <algorithm>
#include <array>

#include "net/clock.h"

namespace pollrtc::detail {
namespace {

constexpr std::size_t kChunk = 16 * 1024;
constexpr int kReads = 16;
constexpr int kAccepts = 16;  // of one listener, in one turn of the loop
// How long nobody is accepted after the system had no descriptor, or no memory, for one who waits.
constexpr Duration kShortage = std::chrono::milliseconds(100);

}  // namespace

void Streams::open(Peer& peer, StreamId stream, const Address& remote, const Address& local) {
  Result<net::TcpSocket> socket = net::TcpSocket::connect(remote, local);
  if (!socket) return peer.stream_closed(net::monotonic_now(), stream, socket.error().detail());
  streams_.push_back({stream, *std::move(socket), {}, 0});
  if (streams_.back().socket.state() == net::TcpSocket::State::Open)
    peer.stream_opened(net::monotonic_now(), stream);
}

void Streams::finish(Peer& peer, StreamId stream) {
  const auto at =
      std::find_if(streams_.begin(), streams_.end(), [&](const Stream& s) { return s.id == stream; });
  if (at == streams_.end()) return;
  while (write_one(peer, *at)) {
  }
  streams_.erase(at);
}

void Streams::drop(Peer& peer, StreamId stream, std::string_view why) {
  std::erase_if(streams_, [&](const Stream& s) { return s.id == stream; });
  peer.stream_closed(net::monotonic_now(), stream, why);
}

std::size_t Streams::local_addresses(std::span<Address> out) const {
  std::size_t count = 0;
  for (const Stream& stream : streams_)
    if (const Address local = stream.socket.local(); local.is_valid() && count < out.size())
      out[count++] = local;
  return count;
}

void Streams::drop_from(Peer& peer, const Address& local) {
  for (std::size_t i = streams_.size(); i-- > 0;)
    if (i < streams_.size() && streams_[i].socket.local() == local)
      drop(peer, streams_[i].id, "its address is gone from this machine");
}

bool Streams::listen(const Address& local, net::PortRange ports, std::uint32_t first_try, Address& bound) {
  Result<net::TcpListener> listener = net::TcpListener::listen(local, ports, first_try);
  if (!listener) return false;
  bound = listener->local();
  listeners_.push_back(*std::move(listener));
  return true;
}

void Streams::stop_listening(const Address& ip) {
  std::erase_if(listeners_, [&](const net::TcpListener& l) { return l.local().same_ip(ip); });
}

// The system accepts by itself; those whom the peer has no room for are closed here.
bool Streams::accept(Peer& peer, Time now) {
  if (accept_again_ != kNever && now < accept_again_) return false;
  accept_again_ = kNever;
  bool more = false;
  for (net::TcpListener& listener : listeners_) {
    int left = kAccepts;
    for (; left > 0; --left) {
      auto accepted = listener.accept();
      if (!accepted) break;
      const Result<StreamId> stream =
          peer.stream_accepted(net::monotonic_now(), listener.local(), accepted->remote);
      if (stream) streams_.push_back({*stream, std::move(accepted->socket), {}, 0});
    }
    if (left == 0) more = true;
    if (listener.is_stuck()) accept_again_ = now + kShortage;
  }
  return more;
}

void Streams::drop_unused() {
  listeners_.clear();
  accept_again_ = kNever;
  std::erase_if(streams_,
                [](const Stream& s) { return s.socket.state() == net::TcpSocket::State::Connecting; });
}

bool Streams::read(Peer& peer, Time now) {
  std::array<std::uint8_t, kChunk> buffer;
  bool more = accept(peer, now);
  for (std::size_t i = streams_.size(); i-- > 0;) {
    if (i >= streams_.size()) continue;
    Stream& stream = streams_[i];
    const StreamId id = stream.id;
    if (stream.socket.state() == net::TcpSocket::State::Connecting) {
      const auto state = stream.socket.check();
      if (state == net::TcpSocket::State::Closed) {
        drop(peer, id, "the connection to the server was refused");
        continue;
      }
      if (state == net::TcpSocket::State::Open) peer.stream_opened(net::monotonic_now(), id);
    }
    int left = kReads;
    for (; left > 0; --left) {
      const net::TcpSocket::Transfer got = stream.socket.receive(buffer);
      if (got.size != 0) peer.handle_stream(net::monotonic_now(), id, Bytes(buffer).first(got.size));
      if (got.is_over) drop(peer, id, "the server closed the connection");
      if (got.size == 0) break;
    }
    if (left == 0) more = true;
  }
  return more;
}

bool Streams::write_one(Peer& peer, Stream& stream) {
  if (stream.socket.state() != net::TcpSocket::State::Open) return false;
  if (stream.sent == stream.out.size()) {
    stream.out.resize(kChunk);
    stream.sent = 0;
    stream.out.resize(peer.poll_stream(net::monotonic_now(), stream.id, stream.out));
  }
  if (stream.out.empty()) return false;
  const auto sent = stream.socket.send(Bytes(stream.out).subspan(stream.sent));
  stream.sent += sent.size;
  return sent.size != 0;  // that it has ended is seen when reading
}

bool Streams::write(Peer& peer) {
  bool moved = false;
  for (Stream& stream : streams_) moved = write_one(peer, stream) || moved;
  return moved;
}

void Streams::watch(net::Poller& poller) const {
  for (const net::TcpListener& listener : watched_listeners()) (void)poller.add(listener.fd(), false);
  for (const Stream& stream : streams_)
    (void)poller.add(stream.socket.fd(), stream.socket.state() == net::TcpSocket::State::Connecting ||
                                             stream.sent != stream.out.size());
}

bool Streams::wants_to_write() const {
  return std::any_of(streams_.begin(), streams_.end(), [](const Stream& stream) {
    return stream.socket.state() == net::TcpSocket::State::Connecting || stream.sent != stream.out.size();
  });
}

std::size_t Streams::sockets(std::span<int> out) const {
  std::size_t count = 0;
  const auto put = [&](int fd) {
    if (count < out.size()) out[count] = fd;
    ++count;
  };
  for (const Stream& stream : streams_) put(stream.socket.fd());
  for (const net::TcpListener& listener : watched_listeners()) put(listener.fd());
  return count;
}

}  // namespace pollrtc::detail
