// The TCP connections between two peers (RFC 6544): between streams of bytes and the packets that the agent and DTLS speak in.
// RFC 4571 §2 (framing), RFC 6544 §7.1, §7.2 (checks over TCP), §10 (media), §11.1 (their life).
//
//   send(path, packet)     opens the connection when it is ours to open and there is none, and frames
//   next(stream, chunk)    the next packet, with the path it came by
//
// A connection is named by a StreamId, and by its Path: our end is called by the candidate's base, which of an active
// candidate has port 9. Whoever owns the sockets opens it when Needed says so, and moves its bytes.
//
// Anybody may connect to a passive candidate. Until a check with our password has come over it, a connection is one of
// few, has a few seconds, and may speak STUN only.
#pragma once

#include "base/byte_queue.h"
#include "base/drop_counters.h"
#include "base/memory.h"
#include "ice/turn_stream.h"
#include "pollrtc/result.h"
#include "pollrtc/turn_server.h"

namespace pollrtc::ice {

class TcpConnections {
 public:
  static constexpr Duration kUnverifiedLife = std::chrono::seconds(10);
  // Beyond any number that a TURN server's stream gets.
  static constexpr std::uint32_t kFirstStream = 1u << 31;

  struct Needed {
    StreamId stream;
    Address local, remote;  // the port of `local` does not matter
  };
  struct Done {  // to be closed once its bytes are written
    StreamId stream;
  };
  struct Opened {
    Path path;
  };
  struct Closed {  // not by keep_if()
    Path path;
    bool is_stranger;  // RFC 6544 §7.1: what is there does not speak STUN
  };
  using Event = std::variant<std::monostate, Needed, Done, Opened, Closed>;

  struct Packet {
    Path path;
    Bytes bytes;
  };

  explicit TcpConnections(Environment& environment)
      : environment_(environment), connections_(environment.memory) {}

  static bool owns(StreamId stream) { return static_cast<std::uint32_t>(stream) >= kFirstStream; }
  bool empty() const { return connections_.empty(); }
  bool has(const Path& path) const { return find(path) != nullptr; }

  // Somebody has connected to a passive candidate. LimitReached, OutOfMemory: to be closed at once.
  Result<StreamId> accept(Time now, const Address& local, const Address& remote);
  void stream_opened(Time now, StreamId stream);
  void stream_closed(Time now, StreamId stream);

  // Takes bytes from the front of `chunk`; nothing when there is no whole packet. The view is good until the next call.
  std::optional<Packet> next(Time now, StreamId stream, Bytes& chunk);
  // What the agent said to a packet that next() gave: None to a check, or an answer, means that the peer is there.
  void on_verdict(const Packet& packet, Drop verdict);

  // False: lost.
  bool send(const Path& path, Bytes packet);
  // Is there room for another packet of data?
  bool can_send(const Path& path) const;
  std::size_t poll_stream(StreamId stream, MutBytes out);

  // Ends those for whose path keeps(path) does not hold. Accepted ones that have proved nothing have their own time.
  template <class Keeps>
  void keep_if(Keeps keeps) {
    for (std::size_t i = connections_.size(); i-- > 0;) {
      const Connection& c = *connections_[i];
      const bool has_time = c.is_accepted && !c.is_verified;
      if (!c.is_over && !has_time && !keeps(c.path)) end(i);
    }
  }
  // What waits is still written.
  void close();

  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);
  using Drops = DropCountersOf<Drop::TcpNotStun, Drop::TcpLimit>;
  const Drops& drops() const { return drops_; }

 private:
  struct Connection {
    explicit Connection(const Memory& memory)
        : framer(memory, turn::StreamFramer::Form::Rfc4571), out(memory) {}
    StreamId stream{};
    Path path;
    Time due = kNever;  // accepted and unverified: closed then
    bool is_accepted = false;
    bool is_open = false;
    bool is_verified = false;
    bool is_over = false;  // only to be told of
    // Events that are owed.
    bool owes_needed = false, owes_opened = false, owes_closed = false, owes_done = false;
    bool is_stranger = false;
    turn::StreamFramer framer;
    ByteQueue out;
    std::size_t capacity = 0;  // of `out`
  };

  std::size_t find(StreamId stream) const;  // connections_.size(): there is none
  Connection* find(const Path& path) const;
  Connection* add(const Path& path);
  bool make_room(Connection& connection, std::size_t size);
  void end(std::size_t index);
  void fail(std::size_t index, bool is_stranger);

  Environment& environment_;
  Vec<Owned<Connection>> connections_;
  Drops drops_;
  std::uint32_t last_stream_ = kFirstStream;
};

}  // namespace pollrtc::ice
