// What a seed makes of a run: machines, networks, users, and the list of faults, each of which can be left out by its place
// in the list while all else stays as it was. All numbers of chance stand here.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pollrtc/peer.h"
#include "sim/link.h"
#include "sim/nat.h"

namespace pollrtc::sim {

enum class FaultKind : std::uint8_t {
  // Of the way from a machine, or to it
  Loss,
  Bursts,
  Reorder,
  Duplicate,
  Corrupt,
  SmallMtu,
  Bandwidth,
  Outage,
  // Of the network around a machine
  Nat,
  NatForgets,
  InterfaceLoss,
  InterfaceChange,
  // Of the machine
  Pause,
  ClockStep,
  CoarseClock,
  SendErrors,
  AllocationFailure,
  // What the users do
  Restart,
  Churn,
  // What others do
  Sprayer,
  Replayer,
  IcmpForger,
  SessionMixer,
  HostilePeer,
  // Of the machine as well; drawn after all others, so that seeds kept what they were
  ClockBack,
  MemoryShort,
  OneInterface,
  Count_
};
// Somebody who sends to a machine from without.
constexpr bool is_harassment(FaultKind kind) {
  return kind >= FaultKind::Sprayer && kind <= FaultKind::SessionMixer;
}
std::string_view name_of(FaultKind kind);

struct Fault {
  FaultKind kind{};
  std::size_t who = 0;  // number of the machine
  bool outbound = true, inbound = true;
  Duration begin{}, length{};
  LinkConfig link;  // of the first group: the one property that it is about
  NatConfig nat;
  double amount = 0;
  std::uint64_t number = 0;

  std::string text() const;
  void worsen(LinkConfig& road) const;  // of the first group, and Outage
};

struct ChannelKind {
  ChannelOptions options;
  std::size_t largest = 1000;
};

// One end of a connection: its limits and its user.
struct SidePlan {
  Limits limits;
  std::uint16_t max_ip = 0;
  std::vector<ChannelKind> channels;
  Duration send_interval{};
  std::size_t messages = 0, at_once = 1, most_buffered = 0;
  bool reads_at_once = true;
  bool brings_back = true;  // restarts ICE when the path has failed
  Duration read_interval{};
  Duration signalling_delay{};
};

struct ConnectionPlan {
  std::size_t a = 0, b = 0;  // the machines; a offers first
  Duration begin{};
  SidePlan of_a, of_b;
  bool is_hostile = false;  // b turns into an attacker
};

// How a machine is connected, besides its NAT, which is a fault.
struct MachinePlan {
  bool has_second_address = false, second_is_other_family = false;
  bool has_carrier_nat = false;  // a NAT of its own is behind this one
  NatConfig carrier;
  bool shares_nat = false;  // that of the machine before it
};

struct Plan {
  // `without`: places in the list of faults that are left out.
  explicit Plan(std::uint64_t seed, const std::set<std::size_t>& without = {});

  std::uint64_t seed;
  std::size_t machines = 2;
  std::vector<MachinePlan> places;  // of each machine
  LinkConfig good;
  bool has_turn = false;
  bool is_ipv6 = false;
  std::vector<ConnectionPlan> connections;
  std::vector<std::pair<std::size_t, Fault>> faults;  // by their place
  Duration faults_last{}, calm{};
  bool a_closes = true;

  bool has(std::initializer_list<FaultKind> kinds) const;  // one of them

 private:
  SidePlan draw_side(Random& random) const;
  Fault draw_fault(Random& random) const;
  void draw_link(Random& random, Fault& fault) const;
  void draw_attack(Random& random, Fault& fault) const;
  void draw_places(Random& random);
  void draw_more(Random& random, const std::set<std::size_t>& without, std::set<std::size_t>& behind_nat,
                 std::size_t place);
};

}  // namespace pollrtc::sim
