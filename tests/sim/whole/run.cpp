#include "sim/whole/run.h"

#include <algorithm>

#include "base/address.h"
#include "sim/whole/harasser.h"
#include "sim/whole/peer_window.h"
#include "sim/whole/sctp_attacker.h"
#include "sim/whole/surroundings.h"
#include "sim/whole/verdict.h"

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSettledWithin = 60s, kDeliveredWithin = 120s;
// A check that nobody answers takes 40 s, and pairs of one foundation wait for each other (RFC 8445 §6.1.4): with more addresses
// there are more of these.
constexpr Duration kMoreForAddresses = 80s;
const Address kStun = Address::v4(203, 0, 113, 1, 3478), kTurn = Address::v4(203, 0, 113, 2, 3478);

struct Connection {
  Connection(std::uint64_t seed, const ConnectionPlan& its_plan) : plan(its_plan), books(seed) {}
  const ConnectionPlan& plan;
  ConnectionBooks books;
  std::unique_ptr<Side> a, b;
  std::unique_ptr<SctpAttacker> attacker;
  bool is_settled = false;
  std::array<Side*, 2> sides() const { return {a.get(), b.get()}; }
  bool is_up() const { return a->is_up() && (plan.is_hostile || b->is_up()); }
  // Nothing is owed on channels that were closed.
  bool is_delivered() {
    for (const std::uint16_t number : books.over) {
      books.a_to_b.forgive(number);
      books.b_to_a.forgive(number);
    }
    return books.a_to_b.missing() == 0 && books.b_to_a.missing() == 0;
  }
};

class Run {
 public:
  Run(const Plan& plan, const WholeOptions& options)
      : plan_(plan), options_(options), world_(plan.seed), random_(plan.seed ^ 0x5157), stun_(world_, kStun) {
    world_.trace().hash_without_bytes();
    if (plan.has_turn) turn_.emplace(world_, kTurn);
    active_.resize(plan.machines);
    shape();
    for (std::size_t i = 0; i < plan.machines; ++i) add_machine(i);
    for (const ConnectionPlan& connection : plan.connections) add_connection(connection);
    for (const auto& [place, fault] : plan.faults) schedule(fault);
  }

  WholeReport run() {
    for (auto& connection : connections_)
      world_.after(connection->plan.begin, [c = connection.get()] {
        c->b->begin();
        c->a->begin();
      });
    world_.run_for(plan_.faults_last);
    heal();
    settle();
    deliver();
    live_on();
    end();
    report();
    return report_;
  }
  void close() {
    for (auto& connection : connections_) {
      connection->attacker.reset();
      for (Side* side : connection->sides()) {
        report_.peak_memory = std::max(report_.peak_memory, side->checked().peak_memory());
        world_.remove_actor(side->node());
        side->finish();
      }
    }
  }

 private:
  // --- what there is ---

  Address ip_of(std::size_t machine, int step) const { return ip_of(machine, step, plan_.is_ipv6); }
  Address ip_of(std::size_t machine, int step, bool is_ipv6) const {
    if (is_ipv6)
      return *parse_ip("2001:db8::" + std::to_string(machine + 1) + ":" + std::to_string(step + 1));
    const auto last = static_cast<std::uint8_t>(10 + step % 200);
    return participants_[machine].nat != nullptr
               ? Address::v4(192, 168, static_cast<std::uint8_t>(machine), last, 0)
               : Address::v4(192, 0, static_cast<std::uint8_t>(20 + machine), last, 0);
  }
  void add_machine(std::size_t i) {
    Participant& participant = participants_.emplace_back();
    participant.name = std::string(1, static_cast<char>('A' + i));
    participant.reads_first = random_.chance(0.5);
    for (const auto& [place, fault] : plan_.faults)
      if (fault.kind == FaultKind::Nat && fault.who == i) add_nat(participant, i, fault.nat);
    const MachinePlan& place = plan_.places[i];
    if (place.shares_nat && participant.nat == nullptr && participants_[i - 1].nat != nullptr)
      participant.nat = participants_[i - 1].nat, participant.carrier_nat = participants_[i - 1].carrier_nat;
    participant.addresses = {ip_of(i, 0)};
    if (place.has_second_address)
      participant.addresses.push_back(ip_of(i, 100, plan_.is_ipv6 != place.second_is_other_family));
    participant.host = &world_.add_host(participant.addresses, participant.nat);
  }
  void add_nat(Participant& participant, std::size_t i, const NatConfig& config) {
    const auto last = static_cast<std::uint8_t>(10 + i);
    const MachinePlan& place = plan_.places[i];
    if (place.has_carrier_nat)
      participant.carrier_nat = &world_.add_nat(place.carrier, Address::v4(198, 51, 100, last, 0));
    const Address outer =
        place.has_carrier_nat ? Address::v4(100, 64, last, 1, 0) : Address::v4(198, 51, 100, last, 0);
    participant.nat = &world_.add_nat(config, outer, participant.carrier_nat);
  }
  std::unique_ptr<Side> make_side(Connection& connection, std::size_t machine, const SidePlan& plan,
                                  bool is_a) {
    CheckedPeerOptions options;
    const std::size_t number = connections_.size();
    options.name = participants_[machine].name + std::to_string(number);
    options.seed = random_.next();
    const CertificatePem& pem = certificate(random_.next());
    options.config.certificate_pem = pem.certificate;
    options.config.private_key_pem = pem.private_key;
    options.config.max_ip_packet = plan.max_ip;
    options.limits = plan.limits;
    options.log = options_.log;
    options.is_against_attacker = connection.plan.is_hostile;
    auto side = std::make_unique<Side>(world_, participants_[machine], options, plan,
                                       static_cast<std::uint16_t>(5000 + number), is_a, connection.books,
                                       random_.fork());
    side->checked().sink = options_.sink;
    if (!plan_.is_ipv6) {
      side->stun_servers = {kStun};
      side->checked().trust(kStun);
      if (turn_) side->turn_servers = {kTurn};
    }
    side->on_send = [this](Side& from, const Path& path, Bytes datagram) {
      for (auto& harasser : harassers_) harasser->overhear(from, path, datagram);
    };
    return side;
  }
  void add_connection(const ConnectionPlan& plan) {
    auto connection = std::make_unique<Connection>(random_.next(), plan);
    connection->a = make_side(*connection, plan.a, plan.of_a, true);
    SidePlan of_b = plan.of_b;
    if (plan.is_hostile) of_b.channels.clear();
    connection->b = make_side(*connection, plan.b, of_b, false);
    connection->a->join(*connection->b);
    connection->b->join(*connection->a);
    if (plan.is_hostile) {
      connection->a->may_restart = connection->b->may_restart = false;
      connection->a->knows_no_labels = true;
      connection->attacker = std::make_unique<SctpAttacker>(world_, *connection->b, random_.next());
      connection->attacker->on_tick = [attacker = connection->attacker.get()] { attacker->send_nonsense(); };
    }
    connections_.push_back(std::move(connection));
  }
  template <class Call>
  void each_side_of(std::size_t machine, Call call) {
    for (auto& connection : connections_)
      for (Side* side : connection->sides())
        if (&side->participant() == &participants_[machine]) call(*side);
  }

  // --- faults ---

  bool is_at(std::size_t machine, const Address& ip) const {
    const Participant& p = participants_[machine];
    const auto is_of = [&](const Nat* nat) { return nat != nullptr && nat->public_ip().same_ip(ip); };
    return is_of(p.nat) || is_of(p.carrier_nat) || p.host->has(ip);
  }
  // The good road, made worse by all that holds for either end of it.
  void shape() {
    world_.shape_links([this](const Address& from, const Address& to) {
      LinkConfig link = plan_.good;
      for (std::size_t i = 0; i < participants_.size(); ++i) {
        const bool is_from = is_at(i, from), is_to = is_at(i, to);
        for (const Fault* fault : active_[i])
          if ((is_from && fault->outbound) || (is_to && fault->inbound)) fault->worsen(link);
      }
      return link;
    });
  }
  void schedule(const Fault& fault) {
    if (fault.kind < FaultKind::Nat) {
      world_.after(fault.begin, [this, &fault] {
        if (healed_) return;
        active_[fault.who].push_back(&fault);
        shape();
      });
      world_.after(fault.begin + fault.length, [this, &fault] {
        std::erase(active_[fault.who], &fault);
        shape();
      });
      return;
    }
    if (is_harassment(fault.kind)) {
      std::vector<Side*> victims;
      each_side_of(fault.who, [&](Side& side) { victims.push_back(&side); });
      harassers_.push_back(std::make_unique<Harasser>(world_, fault, victims));
      world_.after(fault.begin, [h = harassers_.back().get()] { h->begin(); });
      return;
    }
    world_.after(fault.begin, [this, &fault] {
      if (!healed_) begin(fault);
    });
  }

  void begin(const Fault& fault) {  // NOLINT(readability-function-size): a table
    Participant& machine = participants_[fault.who];
    switch (fault.kind) {
      case FaultKind::NatForgets:
        if (machine.nat != nullptr) machine.nat->forget();
        if (machine.carrier_nat != nullptr) machine.carrier_nat->forget();
        break;
      case FaultKind::InterfaceLoss:
        move(fault.who, {});
        at_end_of(fault, [this, who = fault.who] {
          if (participants_[who].addresses.empty()) move(who, participants_[who].host->addresses());
        });
        break;
      case FaultKind::OneInterface:
        lose_one(fault);
        break;
      case FaultKind::InterfaceChange:
        change_address(fault.who);
        break;
      case FaultKind::Pause:
        machine.is_paused = true;
        at_end_of(fault, [this, who = fault.who] { resume(who); });
        break;
      case FaultKind::ClockStep:
        machine.clock.ahead += fault.length;
        break;
      case FaultKind::CoarseClock:
        // A clock may stand still, but not go back.
        machine.clock.ahead += fault.length;
        machine.clock.tick = fault.length;
        break;
      case FaultKind::ClockBack:
        machine.clock.step_back(world_.now(), fault.length);
        break;
      case FaultKind::SendErrors:
        machine.send_errors = fault.amount * 0.5;
        at_end_of(fault, [&machine] { machine.send_errors = 0; });
        break;
      case FaultKind::AllocationFailure:
        each_side_of(fault.who, [&](Side& side) {
          side.checked().environment().fail_allocation(static_cast<std::size_t>(fault.number));
        });
        break;
      case FaultKind::MemoryShort:
        machine.no_memory = fault.amount;
        at_end_of(fault, [&machine] { machine.no_memory = 0; });
        break;
      case FaultKind::Restart:
        each_side_of(fault.who, [](Side& side) { side.restart(); });
        break;
      case FaultKind::Churn:
        churn(fault, world_.now() + fault.length);
        break;
      default:
        break;
    }
  }
  // At the latest when all heals.
  void at_end_of(const Fault& fault, std::function<void()> undo) {
    const Time latest = Time{} + plan_.faults_last;
    world_.at(std::min(world_.now() + fault.length, latest), std::move(undo));
  }
  void churn(const Fault& fault, Time until) {
    if (healed_ || world_.now() > until) return;
    each_side_of(fault.who, [](Side& side) { side.churn(); });
    world_.after(50ms + random_.up_to(Duration(2s)), [this, &fault, until] { churn(fault, until); });
  }
  void resume(std::size_t who) {
    if (!participants_[who].is_paused) return;
    participants_[who].is_paused = false;
    // Whoever watches the interfaces is told first.
    if (moved_while_paused_.erase(who) != 0) move(who, participants_[who].addresses);
    each_side_of(who, [](Side& side) { side.resume(); });
    if (healed_) each_side_of(who, [](Side& side) { side.become_good(); });
  }
  void change_address(std::size_t who) {
    Participant& machine = participants_[who];
    std::vector<Address> addresses = machine.host->addresses();  // of two the first
    addresses.front() = ip_of(who, ++addresses_given_);
    move(who, {});
    world_.change_addresses(*machine.host, addresses);
    shape();
    move(who, addresses);
  }
  // Of two addresses, one goes for a while; the other stays in use.
  void lose_one(const Fault& fault) {
    Participant& machine = participants_[fault.who];
    if (machine.addresses.size() < 2) return;
    const Address gone = machine.addresses[static_cast<std::size_t>(fault.number % machine.addresses.size())];
    std::erase(machine.addresses, gone);
    if (machine.is_paused)
      moved_while_paused_.insert(fault.who);
    else
      each_side_of(fault.who, [&](Side& side) { side.lose(gone); });
    at_end_of(fault, [this, who = fault.who, gone] { regain(who, gone); });
  }
  void regain(std::size_t who, const Address& ip) {
    Participant& machine = participants_[who];
    if (machine.addresses.empty() || !machine.host->has(ip) ||
        std::count(machine.addresses.begin(), machine.addresses.end(), ip) != 0)
      return;  // all of them went meanwhile, or it came back with them
    machine.addresses.push_back(ip);
    if (machine.is_paused)
      moved_while_paused_.insert(who);
    else
      each_side_of(who, [&](Side& side) { side.gain(ip); });
  }
  void move(std::size_t who, const std::vector<Address>& addresses) {
    participants_[who].addresses = addresses;
    if (!participants_[who].is_paused)
      each_side_of(who, [&](Side& side) { side.move(addresses); });
    else
      moved_while_paused_.insert(who);
  }

  // --- the end ---

  void heal() {
    healed_ = true;
    for (auto& list : active_) list.clear();
    shape();
    for (std::size_t i = 0; i < participants_.size(); ++i) {
      participants_[i].send_errors = participants_[i].no_memory = 0;
      participants_[i].clock.catch_up(world_.now());
      resume(i);
      if (participants_[i].addresses.empty()) move(i, participants_[i].host->addresses());
    }
    for (auto& connection : connections_)
      for (Side* side : connection->sides()) {
        // Who has asked for no memory since has the failure before it still.
        side->checked().environment().fail_allocation(SIZE_MAX);
        side->become_good();
      }
    healed_at_ = world_.now();
  }
  // Its two ends met because a NAT happened to have a port free, and need not meet again.
  bool needs_luck(const Connection& c) const {
    const Participant &a = participants_[c.plan.a], &b = participants_[c.plan.b];
    if (turn_ || a.nat == nullptr || b.nat == nullptr || a.nat == b.nat) return false;
    return !can_be_punched(rules_of(a), rules_of(b));
  }
  static NatConfig rules_of(const Participant& participant) {
    NatConfig rules = participant.nat->config;
    if (participant.carrier_nat == nullptr) return rules;
    rules.mapping = std::max(rules.mapping, participant.carrier_nat->config.mapping);
    rules.filtering = std::max(rules.filtering, participant.carrier_nat->config.filtering);
    return rules;
  }
  // Where no path ever was, restarts are tried in vain, each for half a minute.
  bool is_settled(const Connection& c) const {
    const bool is_in_vain =
        (!c.a->was_up() && !c.b->was_up() && plan_.has({FaultKind::Nat})) || needs_luck(c);
    // Who ended before it said where it is cannot be heard of: the other end waits for its candidates until its user knows.
    const auto waits_for = [](const Side& end, const Side& other) {
      return other.is_over() && !end.was_up() && !end.has_heard_candidates();
    };
    return c.is_up() || (c.a->has_failed() && c.b->has_failed()) || is_in_vain || waits_for(*c.a, *c.b) ||
           waits_for(*c.b, *c.a);
  }
  static std::string state_of(const Connection& connection) {
    return std::string(name_of(connection.a->peer().connection_state())) + " and " +
           std::string(name_of(connection.b->peer().connection_state()));
  }
  void settle() {
    for (auto& connection : connections_) {
      Connection& c = *connection;
      if (c.plan.is_hostile) continue;
      const bool has_more =
          plan_.places[c.plan.a].has_second_address || plan_.places[c.plan.b].has_second_address;
      const Duration most = kSettledWithin + (has_more ? kMoreForAddresses : 0s);
      const Duration left = std::max<Duration>(most - (world_.now() - healed_at_), Duration(1));
      if (!world_.run_until([&] { return is_settled(c); }, left))
        throw Violation("INV-9: " + c.a->participant().name + "-" + c.b->participant().name + " is " +
                        state_of(c) + " " + std::to_string(most / 1s) + " s after the faults");
    }
  }
  void deliver() {
    const auto is_done = [this] {
      return std::all_of(connections_.begin(), connections_.end(), [](const auto& c) {
        return c->plan.is_hostile || !c->is_up() || c->is_delivered();
      });
    };
    const bool has_more = std::any_of(plan_.places.begin(), plan_.places.end(),
                                      [](const MachinePlan& place) { return place.has_second_address; });
    const Duration most = kDeliveredWithin + (has_more ? kMoreForAddresses : 0s);
    const Duration left = std::max<Duration>(most - (world_.now() - healed_at_), Duration(1));
    if (!world_.run_until(is_done, left)) {
      for (auto& c : connections_)
        if (c->is_up() && !c->is_delivered())
          throw Violation("INV-9: " + c->a->participant().name + "-" + c->b->participant().name + ": " +
                          std::to_string(c->books.a_to_b.missing()) + " and " +
                          std::to_string(c->books.b_to_a.missing()) +
                          " messages are missing after the faults");
    }
    report_.longest_healing = world_.now() - healed_at_;
  }
  // A calm time, in which nothing fails.
  void live_on() {
    std::vector<Connection*> up;
    for (auto& c : connections_)
      if (c->is_up() && !c->plan.is_hostile) up.push_back(c.get());
    for (const Time until = world_.now() + plan_.calm; world_.now() < until;) {
      world_.run_for(std::min<Duration>(20s, until - world_.now()));
      for (Connection* c : up) {
        if (!c->is_up())
          throw Violation("INV-9: " + state_of(*c) + " on a network without faults: " + reason_of(*c));
        for (Side* side : c->sides()) side->chat();
      }
    }
    world_.run_for(5s);
    for (Connection* c : up)
      if (!c->is_delivered()) throw Violation("INV-9: messages are missing on a network without faults");
  }
  static std::string reason_of(const Connection& c) {
    return std::string(name_of(c.a->peer().stats().close_reason)) + ", " +
           std::string(name_of(c.b->peer().stats().close_reason));
  }
  void end() {
    for (auto& c : connections_) {
      check_end(*c);
      Side &first = plan_.a_closes ? *c->a : *c->b, &second = plan_.a_closes ? *c->b : *c->a;
      const bool was_up = c->is_up() && !c->plan.is_hostile;
      first.close();
      world_.run_for(5s);
      if (was_up && second.peer().connection_state() != ConnectionState::Closed)
        throw Violation("INV-9: the other end does not hear of the end");
      second.close();
    }
    world_.run_for(40s);
    const std::uint64_t sent = world_.trace().count(Fate::Sent);
    world_.run_for(10min);
    if (sent != world_.trace().count(Fate::Sent)) throw Violation("INV-9: there is no quiet after the end");
  }

  void check_end(Connection& c) {
    if (c.plan.is_hostile) return;
    for (Side* side : c.sides())
      if (side->has_failed()) check_failure(plan_, *side, side == c.a.get() ? *c.b : *c.a);
    if (!c.a->has_failed() && !c.b->has_failed()) return;
    ++report_.given_up[why_given_up(*c.a, *c.b)];
  }

  bool met_something(const Fault& fault) {
    std::vector<const Side*> sides;
    each_side_of(fault.who, [&](const Side& side) { sides.push_back(&side); });
    return sim::met_something(fault, participants_[fault.who], plan_.places[fault.who], sides);
  }
  void report() {
    report_.virtual_time = world_.now() - Time{};
    report_.trace_hash = world_.trace().hash();
    report_.datagrams = world_.trace().count(Fate::Sent);
    for (const auto& [place, fault] : plan_.faults)
      if (!met_something(fault)) ++report_.idle[fault.kind];
    for (auto& h : harassers_) report_.attacker_datagrams += h->datagrams();
    for (auto& c : connections_) {
      ++report_.connections;
      report_.set_up += c->a->was_up() && c->b->was_up() ? 1 : 0;
      report_.connected += std::min(c->a->connected_for(), c->b->connected_for());
      report_.messages += c->books.a_to_b.messages_received() + c->books.b_to_a.messages_received();
      report_.bytes += c->books.a_to_b.bytes_received() + c->books.b_to_a.bytes_received();
      report_.channels += c->books.channels;
      report_.restarts += c->books.restarts;
      if (c->attacker) report_.attacker_datagrams += c->attacker->packets_sent;
      for (Side* side : c->sides()) {
        report_.refused_sends += side->checked().refused_sends();
        report_.refused_allocations += side->checked().refused_allocations();
        report_.peak_memory = std::max(report_.peak_memory, side->checked().peak_memory());
      }
    }
  }

  const Plan& plan_;
  const WholeOptions& options_;
  World world_;
  Random random_;
  Server stun_;
  std::optional<Server> turn_;
  std::deque<Participant> participants_;
  std::vector<std::vector<const Fault*>> active_;
  std::vector<std::unique_ptr<Harasser>> harassers_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::set<std::size_t> moved_while_paused_;
  int addresses_given_ = 0;
  bool healed_ = false;
  Time healed_at_{};
  WholeReport report_;
};

}  // namespace

WholeReport run_whole(const Plan& plan, const WholeOptions& options) {
  Run run(plan, options);
  WholeReport report = run.run();
  run.close();
  return report;
}

}  // namespace pollrtc::sim
