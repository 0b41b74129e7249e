#include "sim/whole/plan.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;

// Evenly on a logarithmic scale: short ones as likely as long ones.
double log_between(Random& random, double least, double most) {
  return least * std::pow(most / least, random.real());
}
Duration log_between(Random& random, Duration least, Duration most) {
  return Duration(static_cast<Duration::rep>(
      log_between(random, static_cast<double>(least.count()), static_cast<double>(most.count()))));
}
template <class T>
T one_of(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[random.below(choices.size())];
}

ChannelKind draw_channel(Random& random) {
  ChannelKind kind;
  kind.options.ordered = random.chance(0.6);
  const std::uint64_t reliability = random.below(4);
  if (reliability == 2) kind.options.max_retransmits = static_cast<std::uint16_t>(random.below(4));
  if (reliability == 3) kind.options.max_lifetime_ms = static_cast<std::uint16_t>(random.below(3000));
  kind.options.priority = one_of<std::uint16_t>(random, {128, 256, 256, 512, 1024});
  kind.largest = one_of<std::size_t>(random, {64, 64, 1200, 5000, 60'000});
  return kind;
}

NatConfig draw_nat(Random& random) {
  NatConfig nat;
  nat.mapping = static_cast<NatRule>(random.below(3));
  nat.filtering = static_cast<NatRule>(random.below(3));
  nat.hairpin = random.chance(0.7);
  nat.lifetime = one_of<Duration>(random, {30s, 2min, 5min});
  nat.inbound_refreshes = random.chance(0.5);
  nat.preserves_ports = random.chance(0.5);
  return nat;
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  static constexpr std::string_view kNames[] = {
      "loss",          "bursts",       "reordering",   "duplication", "corruption",         "small MTU",
      "bandwidth",     "outage",       "NAT",          "NAT forgets", "no interface",       "new interface",
      "pause",         "clock step",   "coarse clock", "send errors", "allocation failure", "ICE restart",
      "channel churn", "sprayer",      "replayer",     "ICMP forger", "session mixer",      "hostile peer",
      "clock back",    "memory short", "one interface"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(FaultKind::Count_));
  return kNames[static_cast<std::size_t>(kind)];
}

std::string Fault::text() const {
  const auto seconds = [](Duration d) { return std::to_string(d.count() / 1000) + " ms"; };
  return std::string(name_of(kind)) + " at machine " + std::to_string(who) + ", from " + seconds(begin) +
         " for " + seconds(length);
}

// What holds besides adds to it, or is the worse of the two.
void Fault::worsen(LinkConfig& road) const {
  switch (kind) {
    case FaultKind::Loss:
      road.loss = std::min(0.6, road.loss + link.loss);
      break;
    case FaultKind::Bursts:
      road.burst_begin = link.burst_begin;
      road.burst_end = link.burst_end;
      road.burst_loss = link.burst_loss;
      break;
    case FaultKind::Reorder:
      road.jitter = std::max(road.jitter, link.jitter);
      road.jitter_reorders = link.jitter_reorders;
      break;
    case FaultKind::Duplicate:
      road.duplicate = std::max(road.duplicate, link.duplicate);
      break;
    case FaultKind::Corrupt:
      road.corrupt = std::max(road.corrupt, link.corrupt);
      break;
    case FaultKind::SmallMtu:
      if (road.mtu == 0 || link.mtu < road.mtu) road.mtu = link.mtu, road.cuts = link.cuts;
      break;
    case FaultKind::Bandwidth:
      if (road.bits_per_second == 0 || link.bits_per_second < road.bits_per_second)
        road.bits_per_second = link.bits_per_second, road.queue_bytes = link.queue_bytes;
      break;
    default:
      road.cut = true;
      break;
  }
}

bool Plan::has(std::initializer_list<FaultKind> kinds) const {
  return std::any_of(faults.begin(), faults.end(), [&](const auto& f) {
    return std::find(kinds.begin(), kinds.end(), f.second.kind) != kinds.end();
  });
}

void Plan::draw_link(Random& random, Fault& fault) const {
  fault.outbound = random.chance(0.7);
  fault.inbound = !fault.outbound || random.chance(0.6);
  LinkConfig& link = fault.link;
  switch (fault.kind) {
    case FaultKind::Loss:
      link.loss = random.real() * 0.4;
      break;
    case FaultKind::Bursts:
      link.burst_begin = random.real() * 0.05;
      link.burst_end = 0.05 + random.real() * 0.5;
      link.burst_loss = 0.5 + random.real() * 0.5;
      break;
    case FaultKind::Reorder:
      link.jitter = random.up_to(200ms);
      link.jitter_reorders = random.chance(0.8);
      break;
    case FaultKind::Duplicate:
      link.duplicate = random.real() * 0.3;
      break;
    case FaultKind::Corrupt:
      link.corrupt = random.real() * 0.1;
      break;
    case FaultKind::SmallMtu:
      link.mtu =
          one_of<std::size_t>(random, {576, 1200, 1280, 1400, 1492, 1500, 9000, 576 + random.index(1000)});
      link.cuts = random.chance(0.5);
      break;
    case FaultKind::Bandwidth: {
      link.bits_per_second = static_cast<std::uint64_t>(log_between(random, 32e3, 1e9));
      link.queue_bytes = static_cast<std::size_t>(log_between(random, 1, 500)) * 1500;
      break;
    }
    default:
      link.cut = true;
      fault.length = log_between(random, 500ms, random.chance(0.3) ? Duration(5min) : Duration(20s));
      break;
  }
}

void Plan::draw_attack(Random& random, Fault& fault) const {
  fault.kind = one_of(random, {FaultKind::Sprayer, FaultKind::Replayer, FaultKind::IcmpForger,
                               FaultKind::SessionMixer, FaultKind::HostilePeer});
  fault.amount = log_between(random, 5, 500);  // datagrams per second
  fault.length = std::min<Duration>(fault.length, 20s);
}

Fault Plan::draw_fault(Random& random) const {
  Fault fault;
  fault.who = random.index(machines);
  fault.begin = random.chance(0.15) ? Duration::zero() : 3s + random.up_to(faults_last - 3s);
  fault.length = log_between(random, 1s, faults_last);
  fault.number = random.next();
  fault.amount = random.real();
  const bool is_of_link = random.chance(0.5);
  fault.kind =
      static_cast<FaultKind>(is_of_link ? random.below(static_cast<std::uint64_t>(FaultKind::Nat))
                                        : static_cast<std::uint64_t>(FaultKind::Nat) +
                                              random.below(static_cast<std::uint64_t>(FaultKind::Sprayer) -
                                                           static_cast<std::uint64_t>(FaultKind::Nat)));
  if (is_of_link) draw_link(random, fault);
  switch (fault.kind) {
    case FaultKind::Nat:
      fault.begin = Duration::zero();
      fault.nat = draw_nat(random);
      break;
    case FaultKind::Pause:
      fault.length = log_between(random, 100ms, random.chance(0.2) ? Duration(10min) : Duration(20s));
      break;
    case FaultKind::InterfaceLoss:
      fault.length = log_between(random, 500ms, random.chance(0.2) ? Duration(2min) : Duration(20s));
      break;
    case FaultKind::ClockStep:
      fault.length = log_between(random, 1ms, random.chance(0.2) ? Duration(1h) : Duration(10s));
      break;
    case FaultKind::CoarseClock:
      fault.length = one_of<Duration>(random, {1ms, 10ms, 15625us, 100ms});
      break;
    case FaultKind::AllocationFailure:
      fault.number = static_cast<std::uint64_t>(log_between(random, 1, 2000));
      break;
    default:
      break;
  }
  return fault;
}

SidePlan Plan::draw_side(Random& random) const {
  SidePlan side;
  if (random.chance(0.3)) side.limits = Limits::small();
  if (random.chance(0.6)) side.max_ip = one_of<std::uint16_t>(random, {1500, 1500, 1280, 9000});
  const std::uint64_t channels = 1 + random.below(5);
  for (std::uint64_t i = 0; i < channels; ++i) side.channels.push_back(draw_channel(random));
  side.send_interval = log_between(random, 5ms, 2s);
  side.messages = static_cast<std::size_t>(log_between(random, 10, 1500));
  side.at_once = random.chance(0.2) ? 1 + random.index(20) : 1;
  // What waits when the faults stop must fit the 120 s.
  side.most_buffered = 200 * 1024;
  side.reads_at_once = random.chance(0.7);
  side.brings_back = random.chance(0.7);
  side.read_interval = log_between(random, 1ms, 2s);
  side.signalling_delay = log_between(random, 1ms, random.chance(0.1) ? Duration(5s) : Duration(300ms));
  return side;
}

void Plan::draw_places(Random& random) {
  for (std::size_t i = 0; i < machines; ++i) {
    MachinePlan& place = places.emplace_back();
    place.has_second_address = random.chance(0.25);
    place.second_is_other_family = random.chance(0.4);
    place.has_carrier_nat = random.chance(0.15);
    place.carrier = draw_nat(random);
    place.shares_nat = i != 0 && random.chance(0.15);
  }
}

// What the list above has not, or not in full: MTUs anywhere up to 9000 that nobody tells of, sockets that send nothing at all,
// memory that is short for a while, a clock that goes back, one interface of two, a NAT that forgets, offers that cross.
void Plan::draw_more(Random& random, const std::set<std::size_t>& without, std::set<std::size_t>& behind_nat,
                     std::size_t place) {
  const auto add = [&](const Fault& fault) {
    if (without.count(place) == 0) faults.emplace_back(place, fault);
    ++place;
  };
  const auto add_nat = [&](Random& own, std::size_t who) {
    if (is_ipv6 || !behind_nat.insert(who).second) return;
    Fault nat;
    nat.kind = FaultKind::Nat;
    nat.who = who;
    nat.nat = draw_nat(own);
    nat.nat.overlaps_ports = own.chance(0.3);
    add(nat);
  };
  // Of those above, too: most of them have no NAT that could forget.
  for (const auto& [number, fault] : std::vector<std::pair<std::size_t, Fault>>(faults)) {
    Random own = random.fork();
    if (fault.kind == FaultKind::NatForgets) add_nat(own, fault.who);
  }
  const std::uint64_t count = random.chance(0.4) ? 0 : 1 + random.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    Random own = random.fork();
    Fault fault;
    fault.who = own.index(machines);
    fault.begin = own.chance(0.15) ? Duration::zero() : 3s + own.up_to(faults_last - 3s);
    fault.length = log_between(own, 1s, faults_last);
    fault.number = own.next();
    switch (own.below(7)) {
      case 0:
        fault.kind = FaultKind::SmallMtu;
        fault.link.mtu = static_cast<std::size_t>(log_between(own, 576, 9000));
        break;
      case 1:
        fault.kind = FaultKind::SendErrors;
        fault.amount = 2;  // all
        fault.length = log_between(own, 100ms, 60s);
        break;
      case 2:
        fault.kind = FaultKind::MemoryShort;
        fault.amount = log_between(own, 0.005, 1.5);
        fault.length = log_between(own, 100ms, 30s);
        // Who is up and steady asks for none: so while it sets up, or while ICE restarts and channels come and go.
        if (own.chance(0.3)) {
          fault.begin = Duration::zero();
        } else {
          Fault busy = fault;
          for (const FaultKind kind :
               std::initializer_list<FaultKind>{FaultKind::Restart, FaultKind::Churn}) {
            busy.kind = kind;
            add(busy);
          }
        }
        break;
      case 3:
        fault.kind = FaultKind::ClockBack;
        fault.length = log_between(own, 1ms, own.chance(0.2) ? Duration(10min) : Duration(10s));
        break;
      case 4:
        fault.kind = FaultKind::OneInterface;
        places[fault.who].has_second_address = true;
        break;
      case 5:
        add_nat(own, fault.who);
        fault.kind = FaultKind::NatForgets;
        break;
      default:
        fault.kind = FaultKind::Restart;
        add(fault);
        fault.who = (fault.who + 1) % machines;
        fault.begin += own.up_to(300ms);
        break;
    }
    add(fault);
  }
}

Plan::Plan(std::uint64_t plan_seed, const std::set<std::size_t>& without) : seed(plan_seed) {
  // Mixed first: seeds a step of the generator apart would draw the same numbers, one later.
  Random random(Random(plan_seed ^ 0x77).next());
  machines = random.chance(0.75) ? 2 : 3 + random.index(3);
  is_ipv6 = random.chance(0.15);
  good.delay = log_between(random, 200us, 150ms);
  faults_last = log_between(random, 20s, 10min);
  calm = log_between(random, 10s, 40min);
  has_turn = random.chance(0.5);
  for (std::size_t a = 0; a < machines; ++a)
    for (std::size_t b = a + 1; b < machines; ++b) {
      ConnectionPlan connection;
      connection.a = random.chance(0.5) ? a : b;
      connection.b = a + b - connection.a;
      connection.begin = random.up_to(1s);
      connection.of_a = draw_side(random);
      connection.of_b = draw_side(random);
      connections.push_back(connection);
    }
  a_closes = random.chance(0.5);
  const std::size_t count = random.chance(0.1) ? 0 : 1 + random.index(12);
  const bool is_attacked = random.chance(0.3);
  std::set<std::size_t> behind_nat;
  for (std::size_t i = 0; i < count + (is_attacked ? 1 : 0); ++i) {
    Random own = random.fork();  // so that one left out shifts nothing
    Fault fault = draw_fault(own);
    if (i == count) draw_attack(own, fault);
    if (fault.kind == FaultKind::Nat && (is_ipv6 || !behind_nat.insert(fault.who).second)) continue;
    if (without.count(i) == 0) faults.emplace_back(i, fault);
  }
  // From a stream of its own: what stands above keeps the numbers that it always drew.
  Random later(Random(plan_seed ^ 0x4C61746572).next());
  draw_places(later);
  draw_more(later, without, behind_nat, count + (is_attacked ? 1 : 0));
  for (const auto& [place, fault] : faults) {
    if (fault.kind != FaultKind::HostilePeer) continue;
    ConnectionPlan hostile = connections.front();
    hostile.a = fault.who;
    hostile.b = (fault.who + 1) % machines;
    hostile.is_hostile = true;
    connections.push_back(hostile);
  }
}

}  // namespace pollrtc::sim
