// Two whole peers in a simulated network, with signalling that takes its time: what most scenarios begin with.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "pollrtc/peer.h"
#include "sim/node.h"
#include "sim/seeds.h"
#include "support/bytes.h"
#include "support/environment.h"

namespace pollrtc::scenario {

using namespace std::chrono_literals;

struct ReceivedMessage {
  std::string data;
  bool is_text;
  friend bool operator==(const ReceivedMessage&, const ReceivedMessage&) = default;
};

// What an end has been told about one channel, in order, and what it read from it.
struct ChannelLog {
  std::vector<std::string> events;  // "announced", "open", "closing", "closed:<reason>"
  int low_events = 0;
  std::vector<ReceivedMessage> messages;
};

class End {
 public:
  End(sim::World& world, sim::Host& host, std::uint64_t seed, const PeerConfig& config = {},
      const Limits& limits = {});
  ~End();

  ChannelHandle create(const ChannelOptions& options);
  Status send(ChannelHandle channel, std::string_view data, bool is_text = true);
  ChannelState channel_state(ChannelHandle channel) const;

  // What it gathers from now on: its host has other addresses.
  void move_to(const std::vector<Address>& addresses);

  // The end of its log and where it stands, for a scenario that failed.
  std::string story() const;

  test::TestEnvironment environment;
  Peer peer;
  sim::Node<Peer> node;
  End* other = nullptr;
  std::map<ChannelHandle, ChannelLog> channels;
  std::vector<ChannelHandle> announced;
  std::vector<ConnectionState> states;
  std::vector<std::string> candidates;  // as signalled
  std::vector<std::string> told;        // every event, in order
  // Changes a candidate on its way to the other end.
  std::function<void(Peer::LocalCandidate&)> edit_candidate;
  std::function<void()> on_restart_needed;
  bool read_messages = true;  // false: they stay in the peer, and the window closes
  Duration signalling_delay = 30ms;
  std::vector<Address> stun_servers;
  std::vector<std::pair<Address, TurnTransport>> turn_servers;  // of "alice", whose password is "secret"
  std::function<void(Time, const Peer::Event&)> on_stream;      // StreamNeeded and StreamDone
  bool udp = true;                                              // gather candidates by UDP
  Address tcp_address;  // and, when it is valid, by TCP there: tcp_network.h
  bool tcp_listens = true;

 private:
  void on_event(Time now, const Peer::Event& event);
  void note(ChannelHandle channel, std::string what);

  sim::World& world_;
  std::vector<Address> addresses_;
};

using HostMaker = std::function<sim::Host&(sim::World&)>;

// "Alice" offers, "Bob" answers.
class TwoPeers {
 public:
  // Anywhere in a network that the makers build.
  TwoPeers(std::uint64_t seed, const HostMaker& alice_host, const HostMaker& bob_host,
           const PeerConfig& config = {});
  explicit TwoPeers(std::uint64_t seed, const sim::LinkConfig& link = {}, const PeerConfig& alice_config = {},
                    const PeerConfig& bob_config = {}, const Limits& limits = {},
                    const std::optional<Limits>& bob_limits = {});
  ~TwoPeers();

  // Offer and answer; the candidates follow by themselves.
  void negotiate() { negotiate(alice, bob); }
  void negotiate(End& offerer, End& answerer, const OfferOptions& options = {});
  // As World's, but a failure tells what both ends logged.
  void run_until(const std::function<bool()>& condition, Duration limit);
  bool both_connected() const;
  // One reliable channel, open at both ends; its two handles.
  std::pair<ChannelHandle, ChannelHandle> connect(const ChannelOptions& options = {.label = "chat"});

  sim::World world;
  End alice, bob;

  static constexpr Address kAlice = Address::v4(192, 0, 2, 1, 0);
  static constexpr Address kBob = Address::v4(192, 0, 2, 2, 0);
};

}  // namespace pollrtc::scenario
