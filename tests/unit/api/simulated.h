// PeerConnections in a simulated network and virtual time: a machine of a World behind the hooks of pollrtc/network.h,
// polled when a datagram has come or a deadline is due, as a good loop would.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "pollrtc/multiplayer_peer.h"
#include "sim/world.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace std::chrono_literals;

class Machine;

// A link that carries multicast: what one machine sends to the group reaches all that have joined it, itself included.
struct MulticastLink {
  struct Sent {
    const Machine* from;
    std::vector<std::uint8_t> bytes;
    bool to_group;
  };
  std::vector<Machine*> machines;
  std::vector<Sent> sent;
};

class Machine final : public sim::Actor {
 public:
  Machine(sim::World& world, const Address& ip, std::uint64_t seed);
  ~Machine() override;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  Configuration configuration();
  // The hook that tells what the machine has from what it would choose; not in configuration() by itself.
  static bool find_addresses(void* context, std::span<const Address> addresses, std::span<bool> is_there);
  // Puts the machine on that link, and the hook for it into the configuration.
  void join(MulticastLink& link, Configuration& configuration);
  // Its interface has this address from now on; nothing: it is gone.
  void move_to(const std::optional<Address>& ip);
  // Its interface has this one as well.
  void add_address(const Address& ip);

  // What polls, and when it wants to be polled; kept for as long as the machine.
  std::function<void()> poll;
  std::function<std::optional<Duration>()> time_to_deadline;

  // Faults to order: what the next calls say instead of doing their work.
  std::deque<Network::Outcome> send_outcomes, receive_outcomes;
  // What list_addresses names instead of the address it has, and whether the system lists nothing for now.
  std::optional<std::vector<Address>> chosen;
  bool listing_fails = false;
  // What the machine sees of the time; nothing: the world's.
  std::function<Time(Time)> bend_time;
  std::size_t sends = 0, receives = 0, open_sockets = 0, polls = 0;

  test::TestEnvironment environment;

  Time next_timeout() const override;
  void on_timeout(Time) override { poll_now(); }
  void pump(Time) override;

  // As if the machine had a socket on the link.
  void send_multicast(const Address& remote, Bytes datagram);

 private:
  struct Datagram {
    Address source;
    std::vector<std::uint8_t> bytes;
  };
  struct Socket {
    Address local;
    std::deque<Datagram> inbox;
    bool is_open = true;
    bool is_group = false;  // hears multicast, and nothing else
  };

  void poll_now();
  static Machine& self(void* context) { return *static_cast<Machine*>(context); }
  static Time now(void* context);
  static std::size_t list_addresses(void* context, bool, std::span<Address> out);
  static int open(void* context, const Address& local, std::uint16_t, std::uint16_t, Address& bound);
  static void close(void* context, int socket);
  static Network::Outcome send(void* context, int socket, const Address& remote, Bytes datagram);
  static int open_multicast(void* context, const Address& local);
  static Network::Outcome receive(void* context, int socket, MutBytes buffer, std::size_t& size,
                                  Address& source);

  sim::World& world_;
  sim::Host& host_;
  std::optional<Address> ip_;
  std::deque<Socket> sockets_;
  std::uint16_t next_port_ = 5000;
  bool has_mail_ = false;
  MulticastLink* multicast_ = nullptr;
};

// Signalling between two connections: what one's signals say reaches the other's calls, a moment later.
void signal_between(sim::World& world, const std::shared_ptr<PeerConnection>& a,
                    const std::shared_ptr<PeerConnection>& b, Duration delay = 20ms);

}  // namespace pollrtc::test
