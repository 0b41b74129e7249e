// Two PeerConnections joined by two queues of bytes, in a time of their own: what one sends in a poll() the other reads in its
// next one, in runs where it takes them. Everything is seeded, and nothing here allocates once it is connected, so that what is
// counted is the library's own doing.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pollrtc/peer_connection.h"

namespace pollrtc::test {

// One machine: an address, a socket, and the other machine at the end of its wire.
class DirectEnd {
 public:
  DirectEnd(std::uint8_t number, const Time& now) : now_(now), ip_(Address::v4(192, 0, 2, number, 0)) {
    bytes_.resize(kRoom);
    pieces_.resize(kPieces);
    random_ = number * 0x9E3779B97F4A7C15u;
  }
  DirectEnd(const DirectEnd&) = delete;
  DirectEnd& operator=(const DirectEnd&) = delete;

  void join(DirectEnd& other) { other_ = &other; }

  Configuration configuration() {
    Configuration c;
    c.rng = {fill, this};
    c.memory = memory;
    c.pull_events = true;
    c.max_ip_packet = 0;  // packets stay at 1200 bytes
    c.network.now = [](void* context) { return self(context).now_; };
    c.network.list_addresses = [](void* context, bool, std::span<Address> out) {
      out[0] = self(context).ip_;
      return std::size_t{1};
    };
    c.network.open = [](void* context, const Address& local, std::uint16_t, std::uint16_t, Address& bound) {
      self(context).local_ = bound = local.with_port(5000);
      return 0;
    };
    c.network.close = [](void*, int) {};
    c.network.send = c.network.send_whole = [](void* context, int, const Address&, Bytes datagram) {
      self(context).other_->take(datagram, datagram.size());
      return Network::Outcome::Done;
    };
    c.network.send_run = [](void* context, int, const Address&, Bytes datagrams, std::size_t segment, bool,
                            std::size_t& taken) {
      self(context).other_->take(datagrams, segment);
      taken = datagrams.size();
      return Network::Outcome::Done;
    };
    c.network.receive = [](void* context, int, MutBytes buffer, std::size_t& size, Address& source) {
      std::size_t segment = 0;
      return self(context).give(buffer, size, segment, source);
    };
    c.network.receive_run = [](void* context, int, MutBytes buffer, std::size_t& size, std::size_t& segment,
                               Address& source) { return self(context).give(buffer, size, segment, source); };
    c.network.context = this;
    return c;
  }
  bool has_mail() const { return first_ != last_; }

  std::shared_ptr<PeerConnection> connection = std::make_shared<PeerConnection>();
  std::shared_ptr<DataChannel> channel;
  Memory memory = default_memory();  // of the connection

 private:
  // What waits to be read: a ring of bytes, in which no run lies across the end, and a ring of runs.
  static constexpr std::size_t kRoom = 8 << 20, kPieces = 16384;
  struct Run {
    std::size_t begin = 0, size = 0, segment = 0;
  };
  static DirectEnd& self(void* context) { return *static_cast<DirectEnd*>(context); }
  static bool fill(void* context, MutBytes out) {
    for (std::uint8_t& byte : out) {
      std::uint64_t& state = self(context).random_;
      state = state * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<std::uint8_t>(state >> 56);
    }
    return true;
  }
  void take(Bytes run, std::size_t segment) {
    if (end_ + run.size() > kRoom) end_ = 0;
    std::memcpy(bytes_.data() + end_, run.data(), run.size());
    pieces_[last_++ % kPieces] = {end_, run.size(), segment};
    end_ += run.size();
  }
  // A whole run if there is room for it, else its first datagram.
  Network::Outcome give(MutBytes buffer, std::size_t& size, std::size_t& segment, Address& source) {
    if (!has_mail()) return Network::Outcome::WouldBlock;
    Run& run = pieces_[first_ % kPieces];
    segment = run.segment;
    size = buffer.size() >= 65536 ? run.size : std::min(run.segment, run.size);
    std::memcpy(buffer.data(), bytes_.data() + run.begin, size);
    source = other_->local_;
    run.begin += size;
    run.size -= size;
    if (run.size == 0) ++first_;
    return Network::Outcome::Done;
  }

  const Time& now_;
  Address ip_, local_;
  DirectEnd* other_ = nullptr;
  std::vector<std::uint8_t> bytes_;
  std::vector<Run> pieces_;
  std::size_t first_ = 0, last_ = 0, end_ = 0;
  std::uint64_t random_;
};

class DirectPair {
 public:
  DirectPair() {
    a.join(b);
    b.join(a);
  }
  DirectPair(const DirectPair&) = delete;
  DirectPair& operator=(const DirectPair&) = delete;
  ~DirectPair() {  // each takes leave of the other while that is still there
    for (DirectEnd* const end : {&a, &b}) {
      end->channel.reset();
      end->connection.reset();
    }
  }
  // False: it did not come up.
  bool connect(const DataChannelOptions& options = {}) {
    if (!a.connection->initialize(a.configuration()) || !b.connection->initialize(b.configuration()))
      return false;
    const auto made = a.connection->create_data_channel("direct", options);
    if (!made || !a.connection->create_offer()) return false;
    a.channel = *made;
    for (int i = 0; i < 5000; ++i) {
      step(std::chrono::milliseconds(1));
      signal(a, b);
      signal(b, a);
      if (b.channel && a.channel->get_ready_state() == ChannelState::Open) return true;
    }
    return false;
  }
  // Both ends poll once, a moment later.
  void step(Duration later = std::chrono::microseconds(50)) {
    now_ += later;
    static_cast<void>(a.connection->poll());
    static_cast<void>(b.connection->poll());
  }
  // So many messages from `a` to `b`, at most `ahead` bytes of them waiting at a time. How many came.
  std::size_t transfer(std::size_t messages, Bytes message, std::size_t ahead = 256 * 1024) {
    std::size_t sent = 0, received = 0;
    for (int quiet = 0; received < messages && quiet < 100; ++quiet) {
      while (sent < messages && a.channel->get_buffered_amount() < ahead && a.channel->send(message)) ++sent;
      step();
      drop_events(a);
      drop_events(b);
      while (const auto got = b.channel->get_packet()) {
        quiet = 0;
        if (got->size() == message.size()) ++received;
      }
    }
    return received;
  }
  // One message there and back, so many times. How many came back.
  std::size_t ping(std::size_t times, Bytes message) {
    std::size_t returned = 0;
    for (std::size_t i = 0; i < times; ++i) {
      if (!a.channel->send(message)) return returned;
      for (int steps = 0; steps < 10; ++steps) {
        step();
        drop_events(a);
        drop_events(b);
        if (const auto got = b.channel->get_packet()) static_cast<void>(b.channel->send(*got));
        if (a.channel->get_packet()) {
          ++returned;
          break;
        }
      }
    }
    return returned;
  }
  // Nothing is sent for so long.
  void rest(Duration length) {
    for (const Time until = now_ + length; now_ < until;) step(std::chrono::milliseconds(10));
  }

 private:
  void signal(DirectEnd& from, DirectEnd& to) {
    for (PeerConnection::Event event; from.connection->next_event(event); event = {}) {
      if (const auto* made = std::get_if<PeerConnection::DescriptionCreated>(&event)) {
        static_cast<void>(from.connection->set_local_description(made->type, made->sdp));
        static_cast<void>(to.connection->set_remote_description(made->type, made->sdp));
      }
      if (const auto* candidate = std::get_if<PeerConnection::CandidateCreated>(&event))
        static_cast<void>(
            to.connection->add_ice_candidate(candidate->media, candidate->index, candidate->name));
      if (const auto* received = std::get_if<PeerConnection::ChannelReceived>(&event))
        from.channel = received->channel;
    }
  }
  static void drop_events(DirectEnd& end) {
    for (PeerConnection::Event event; end.connection->next_event(event);) {
    }
  }

  Time now_{std::chrono::seconds(1)};

 public:
  DirectEnd a{1, now_}, b{2, now_};
};

}  // namespace pollrtc::test
