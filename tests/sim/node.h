// Node: runs one engine in a World, and holds it to its promises (base/engine.h): output ends, a deadline that was
// served moves on, datagrams leave from an address of ours and fit the buffer. A broken promise throws Violation.
//
// A NetworkEngine listens on the addresses it is given; a PacketEngine is joined to one remote address (see PacketPair).
#pragma once

#include <algorithm>
#include <string>

#include "base/drop_counters.h"
#include "base/engine.h"
#include "sim/world.h"

namespace pollrtc::sim {

template <class Engine>
concept AnyEngine = NetworkEngine<Engine> || PacketEngine<Engine>;

template <AnyEngine Engine>
class Node final : public Actor {
 public:
  Node(World& world, Host& host, Engine& engine)
      : world_(world), host_(host), engine_(engine), buffer_(65536) {
    world_.add_actor(*this);
  }
  ~Node() override {
    world_.remove_actor(*this);
    for (const Address& local : locals_) world_.stop_listening(host_, local);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Both are called while the world runs. They may call the engine: what it then owes is sent.
  std::function<void(Time now, const typename Engine::Event& event)> on_event;
  // After each datagram, deadline and event, before output is collected: to take out data that is not an event, or to
  // check an invariant.
  std::function<void(Time now)> after_input;

  // Sees each datagram on its way out.
  std::function<void(Time now, const Path& path, Bytes datagram)> on_send;

  // How many datagrams in one go are too many.
  std::size_t max_burst = 20'000;

  void listen(const Address& local) {
    locals_.push_back(local);
    world_.listen(host_, local,
                  [this](Time now, const Path& path, Bytes datagram) { on_datagram(now, path, datagram); });
  }
  // For a PacketEngine: where its packets go.
  void join(const Address& local, const Address& remote) {
    listen(local);
    path_ = {local, remote, Transport::Udp};
  }
  // Sends bytes beside what the engine is asked for, from the joined address: what dtls::Session::send() returned.
  void send_raw(Bytes datagram) { world_.send(host_, path_, datagram); }

  Engine& engine() { return engine_; }
  World& world() { return world_; }
  // What handle_datagram() said about the datagrams so far.
  const DropCounters& drops() const { return drops_; }
  std::uint64_t datagrams_in() const { return datagrams_in_; }
  std::uint64_t datagrams_out() const { return datagrams_out_; }

  Time next_timeout() const override { return engine_.next_timeout(); }

  void on_timeout(Time now) override {
    for (int turns = 0; engine_.next_timeout() <= now; ++turns) {
      const Time due = engine_.next_timeout();
      engine_.handle_timeout(now);
      if (engine_.next_timeout() <= due) throw Violation("handle_timeout() did not move the deadline");
      if (turns == 1000) throw Violation("a thousand deadlines at one time");
    }
    if (after_input) after_input(now);
    pump(now);
  }

  void pump(Time now) override {
    std::size_t sent = 0, events = 0;
    for (bool quiet = false; !quiet;) {
      quiet = true;
      for (Path path; const std::size_t size = poll(now, path);) {
        if (++sent > max_burst) throw Violation("output without end");
        ++datagrams_out_;
        quiet = false;
        if (on_send) on_send(now, path, Bytes(buffer_).first(size));
        world_.send(host_, path, Bytes(buffer_).first(size), dont_fragment_);
      }
      for (typename Engine::Event event{}; engine_.poll_event(event);) {
        if (++events > max_burst) throw Violation("events without end");
        quiet = false;
        if (on_event) on_event(now, event);
      }
    }
  }

 private:
  // The size of the next datagram in buffer_, 0 when there is none.
  std::size_t poll(Time now, Path& path) {
    if constexpr (NetworkEngine<Engine>) {
      const auto transmit = engine_.poll_transmit(now, buffer_);
      if (!transmit) return 0;
      path = transmit->path;
      dont_fragment_ = transmit->dont_fragment;
      // An engine that does not know our addresses leaves the local one open.
      if (!path.local.is_valid()) path.local = local_for(path.remote);
      if (std::find(locals_.begin(), locals_.end(), path.local) == locals_.end())
        throw Violation("a datagram from an address that is not ours");
      return checked(transmit->size);
    } else {
      path = path_;
      const std::size_t size = engine_.poll_packet(now, buffer_);
      if constexpr (requires { engine_.dont_fragment(); }) dont_fragment_ = engine_.dont_fragment();
      return checked(size);
    }
  }
  std::size_t checked(std::size_t size) const {
    if (size > buffer_.size()) throw Violation("a datagram larger than the buffer");
    if constexpr (NetworkEngine<Engine>) {
      if (size == 0) throw Violation("an empty datagram");
    }
    return size;
  }
  Address local_for(const Address& remote) const {
    for (const Address& local : locals_)
      if (local.family == remote.family) return local;
    return {};
  }
  void on_datagram(Time now, const Path& path, Bytes datagram) {
    ++datagrams_in_;
    if constexpr (NetworkEngine<Engine>) {
      drops_.count(engine_.handle_datagram(now, path, datagram));
    } else {
      drops_.count(engine_.handle_packet(now, datagram));
    }
    if (after_input) after_input(now);
    pump(now);
  }

  World& world_;
  Host& host_;
  Engine& engine_;
  std::vector<std::uint8_t> buffer_;
  std::vector<Address> locals_;
  Path path_;
  bool dont_fragment_ = true;  // of the datagram in buffer_
  DropCounters drops_;
  std::uint64_t datagrams_in_ = 0, datagrams_out_ = 0;
};

}  // namespace pollrtc::sim
