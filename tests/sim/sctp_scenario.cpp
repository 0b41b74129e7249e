#include "sim/sctp_scenario.h"

#include <algorithm>
#include <deque>
#include <ostream>

#include "sim/message_ledger.h"
#include "sim/packet_pair.h"
#include "sim/sctp_conditions.h"

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;
using sctp::AssociationState;

constexpr Duration kDeliveredWithin = 120s;

class User {
 public:
  User(World& world, Node<CheckedAssociation>& node, const EndPlan& plan, Random random, MessageLedger& out,
       MessageLedger& in)
      : world_(world), node_(node), plan_(plan), random_(random), out_(out), in_(in) {
    node.after_input = [this](Time) {
      if (reads_at_once_) read(SIZE_MAX);
    };
    node.on_event = [this](Time, const sctp::Association::Event& event) {
      if (std::holds_alternative<sctp::Association::MessageTooLarge>(event))
        throw Violation("INV-1: a message within the limit is thrown away as too large");
      if (const auto* changed = std::get_if<sctp::Association::PathMtuChanged>(&event)) {
        ++path_changes_;
        if (changed->mtu < path_size_) ++paths_narrowed_;
        path_size_ = changed->mtu;
      }
    };
    path_size_ = plan.association.config.mtu;
    reads_at_once_ = plan.reads == ReadStyle::AtOnce;
    if (!reads_at_once_) world_.after(plan.read_interval, [this] { read_by_plan(); });
  }

  void begin(Duration faults) {
    send_by_plan();
    for (int i = 0; i < plan_.resets; ++i) world_.after(random_.up_to(faults), [this] { reset_a_stream(); });
  }
  // The faults are over: nothing new is sent, and what comes is read at once.
  void become_good() {
    sends_ = false;
    reads_at_once_ = true;
    read(SIZE_MAX);
    release(0);
  }
  void stop_sending() { sends_ = false; }
  // A message that takes more than a packet, if the peer takes it. Its size.
  std::size_t send_large() {
    sctp::SendOptions options{.stream = plan_.channels[0].stream};
    std::size_t largest = MessageLedger::kSizeOfNumber;
    for (const ChannelPlan& channel : plan_.channels) largest = std::max(largest, channel.largest);
    const auto message = out_.next(options, largest);
    if (!association().send(world_.now(), options, message))
      throw Violation("INV-9: an idle association takes no message");
    out_.sent(options, largest);
    return largest;
  }
  std::uint64_t path_changes() const { return path_changes_; }
  std::uint64_t paths_narrowed() const { return paths_narrowed_; }
  CheckedAssociation& association() { return node_.engine(); }

 private:
  void send_by_plan() {
    if (!sends_ || left_ == 0) return;
    for (std::size_t i = 0; i < plan_.messages_at_once && left_ != 0; ++i)
      if (!send_one()) break;
    world_.after(plan_.send_interval, [this] { send_by_plan(); });
  }
  bool send_one() {
    if (association().association().buffered_total() > plan_.most_buffered) return false;
    const ChannelPlan& channel = plan_.channels[random_.index(plan_.channels.size())];
    sctp::SendOptions options = channel.options(random_);
    const std::size_t size = channel.smallest + random_.index(channel.largest - channel.smallest + 1);
    const auto message = out_.next(options, size);
    if (!association().send(world_.now(), options, message)) return false;
    out_.sent(options, size);
    --left_;
    return true;
  }
  void reset_a_stream() {
    const ChannelPlan& channel = plan_.channels[random_.index(plan_.channels.size())];
    if (association().reset_stream(world_.now(), channel.stream)) out_.reset(channel.stream);
  }

  void read_by_plan() {
    if (reads_at_once_) return;
    read(plan_.reads == ReadStyle::Slowly ? 1 : SIZE_MAX);
    Duration wait = plan_.read_interval;
    if (plan_.reads == ReadStyle::StopAndGo) {
      stopped_ = !stopped_;
      wait = stopped_ ? plan_.read_interval : 50ms;
    }
    world_.after(wait, [this] { read_by_plan(); });
  }
  void read(std::size_t most) {
    for (std::size_t i = 0; i < most; ++i) {
      sctp::Message message = association().make_message();
      if (!association().receive(world_.now(), message)) return;
      in_.received(message);
      held_.push_back(message.charge);
      release(reads_at_once_ ? 0 : plan_.held_messages);
    }
  }
  void release(std::size_t keep) {
    for (; held_.size() > keep; held_.pop_front()) association().release(world_.now(), held_.front());
  }

  World& world_;
  Node<CheckedAssociation>& node_;
  const EndPlan& plan_;
  Random random_;
  MessageLedger& out_;
  MessageLedger& in_;
  std::deque<std::size_t> held_;
  std::size_t left_ = plan_.messages;
  bool sends_ = true, reads_at_once_ = false, stopped_ = false;
  std::uint32_t path_size_ = 0;
  std::uint64_t path_changes_ = 0, paths_narrowed_ = 0;
};

class Run {
 public:
  Run(std::uint64_t seed, std::ostream* log)
      : plan_(seed),
        a_(plan_.a.association),
        b_(plan_.b.association),
        pair_(seed, a_, b_, plan_.bad_from_the_start ? plan_.bad_a_to_b : plan_.good),
        a_to_b_(2 * seed),
        b_to_a_(2 * seed + 1),
        user_a_(pair_.world, pair_.a, plan_.a, plan_.random.fork(), a_to_b_, b_to_a_),
        user_b_(pair_.world, pair_.b, plan_.b, plan_.random.fork(), b_to_a_, a_to_b_) {
    path_mtu_ = plan_.path.at_first;
    limit_path();
    a_.log_to(log, "a");
    b_.log_to(log, "b");
  }

  SctpRunReport run() {
    set_up();
    if (is_up()) transfer();
    check_failures();
    if (report_.failure.empty() && !is_over()) finish();
    report_.virtual_time = world().now() - Time{};
    report_.trace_hash = world().trace().hash();
    report_.packets = a_.invariants().packets_sent() + b_.invariants().packets_sent();
    report_.retransmissions = a_.invariants().retransmitted() + b_.invariants().retransmitted();
    report_.messages = a_to_b_.messages_received() + b_to_a_.messages_received();
    report_.bytes = a_to_b_.bytes_received() + b_to_a_.bytes_received();
    report_.path_changes = user_a_.path_changes() + user_b_.path_changes();
    report_.paths_narrowed = user_a_.paths_narrowed() + user_b_.paths_narrowed();
    report_.wraps = a_.invariants().wraps() | b_.invariants().wraps();
    return report_;
  }
  // When all is over and nothing has been thrown: what remains must be nothing.
  void close() {
    pair_.world.remove_actor(pair_.a);
    pair_.world.remove_actor(pair_.b);
    a_.close();
    b_.close();
  }

 private:
  World& world() { return pair_.world; }
  bool is_up() const {
    return a_.state() == AssociationState::Established && b_.state() == AssociationState::Established;
  }
  bool is_over() const { return a_.ended() && b_.ended(); }

  void set_up() {
    static_cast<void>(a_.connect(world().now()));
    if (plan_.both_connect) {
      world().after(plan_.random.up_to(300ms), [this] {
        if (b_.state() == AssociationState::Closed && !b_.ended())
          static_cast<void>(b_.connect(world().now()));
      });
    }
    world().run_until([this] { return is_up() || a_.ended() || b_.ended(); }, 15min);
    if (!is_up() && !a_.ended() && !b_.ended()) throw Violation("INV-9: neither set up nor failed");
  }

  void transfer() {
    schedule_faults();
    user_a_.begin(plan_.faults);
    user_b_.begin(plan_.faults);
    const bool in_faults = plan_.ending == Ending::ShutdownInFaults || plan_.ending == Ending::AbortInFaults;
    if (in_faults) world().after(plan_.end_at, [this] { end_it(); });
    world().run_for(plan_.faults);
    world().heal();
    limit_path();
    user_a_.become_good();
    user_b_.become_good();
    if (plan_.ending == Ending::ShutdownWithData) end_it();
    const Time healed = world().now();
    const bool done =
        world().run_until([this] { return is_delivered() || a_.ended() || b_.ended(); }, kDeliveredWithin);
    report_.healed_after = world().now() - healed;
    if (!done)
      throw Violation("INV-9: " + std::to_string(a_to_b_.missing()) + " and " +
                      std::to_string(b_to_a_.missing()) +
                      " messages are missing after the network has healed");
  }
  bool is_delivered() const { return a_to_b_.missing() == 0 && b_to_a_.missing() == 0; }

  void schedule_faults() {
    pair_.a_to_b().config = plan_.bad_a_to_b;
    pair_.b_to_a().config = plan_.bad_b_to_a;
    limit_path();
    for (const auto& [when, mtu] : plan_.path.changes) {
      world().after(when, [this, mtu = mtu] {
        path_mtu_ = mtu;
        pair_.a_to_b().config.mtu = pair_.b_to_a().config.mtu = mtu;
      });
    }
    for (Duration at = plan_.redraw; at < plan_.faults; at += plan_.redraw) {
      world().after(at, [this] {
        change(pair_.a_to_b());
        change(pair_.b_to_a());
        limit_path();
      });
    }
    for (const PausePlan& pause : plan_.pauses) {
      world().after(pause.begin, [this, &pause] { cut(pause, true); });
      world().after(pause.begin + pause.length, [this, &pause] { cut(pause, false); });
    }
  }
  void change(Link& link) {
    const bool cut = link.config.cut;
    link.config = plan_.draw_link();
    link.config.cut = cut;
  }
  // What the network carries at all, beside what a bad day takes away.
  void limit_path() {
    for (Link* link : {&pair_.a_to_b(), &pair_.b_to_a()}) {
      std::size_t& mtu = link->config.mtu;
      mtu = mtu == 0 || path_mtu_ == 0 ? std::max(mtu, path_mtu_) : std::min(mtu, path_mtu_);
      link->config.cuts = plan_.path.cuts;
    }
  }
  void cut(const PausePlan& pause, bool is_cut) {
    if (pause.a_to_b) pair_.a_to_b().config.cut = is_cut;
    if (pause.b_to_a) pair_.b_to_a().config.cut = is_cut;
  }

  void end_it() {
    user_a_.stop_sending();
    user_b_.stop_sending();
    ended_at_ = world().now();
    const bool abort = plan_.ending == Ending::Abort || plan_.ending == Ending::AbortInFaults;
    for (CheckedAssociation* end : {plan_.a_ends ? &a_ : nullptr, plan_.b_ends ? &b_ : nullptr}) {
      if (end == nullptr || end->ended()) continue;
      if (abort) {
        aborted_ = true;
        end->abort(world().now());
      } else {
        end->shutdown(world().now());
      }
    }
  }

  // All is delivered, or an end has gone.
  void finish() {
    if (plan_.ending == Ending::Idle) {
      world().run_for(25min);  // HEARTBEATs only, if at all
      // check_failures() judges an end that a long pause brought about, whose HEARTBEATs ran out after it.
      if (!is_up() && !has_long_pause()) throw Violation("INV-9: an idle association ended");
      if (is_up()) check_path_is_found();
    }
    const bool ends_now =
        plan_.ending == Ending::Shutdown || plan_.ending == Ending::Abort || plan_.ending == Ending::Idle;
    if (ends_now) end_it();
    if (!world().run_until([this] { return is_over(); }, 20min)) throw Violation("INV-9: an end never comes");
    check_failures();
    if (report_.failure.empty() && !is_delivered() && !aborted_)
      throw Violation("INV-1: the shutdown lost " + std::to_string(a_to_b_.missing()) + " and " +
                      std::to_string(b_to_a_.missing()) + " messages");
    world().run_for(10s);  // what was under way may still draw an answer
    const std::uint64_t packets = a_.invariants().packets_sent() + b_.invariants().packets_sent();
    world().run_for(10min);
    if (packets != a_.invariants().packets_sent() + b_.invariants().packets_sent())
      throw Violation("INV-9: there is no quiet after the end");
  }

  // RFC 8899 §5.2: what is sent tells when the path has become narrower; and after a search over a path without faults, which
  // a silent one owes until there is data (§5.1.1), the packets are as large as the path carries, but for the steps of the
  // search. Below the base size nothing is searched.
  void check_path_is_found() {
    const std::size_t path = path_mtu_ == 0 ? SIZE_MAX : path_mtu_;
    const auto packet_of = [](const CheckedAssociation& end) { return end.association().stats().mtu; };
    const std::size_t from_a = user_a_.send_large(), from_b = user_b_.send_large();
    if (!world().run_until([this] { return is_delivered(); }, kDeliveredWithin))
      throw Violation("INV-9: a message after a long silence does not arrive");
    for (const auto& [end, plan, sent] :
         {std::tuple(&a_, &plan_.a, from_a), std::tuple(&b_, &plan_.b, from_b)}) {
      const sctp::AssociationConfig& config = plan->association.config;
      const std::uint32_t size = packet_of(*end);
      if (size > (config.mtu & ~3u) && size + config.below > path && sent >= size)
        throw Violation("INV-6: packets of " + std::to_string(size) + " are believed in that do not pass");
    }
    world().run_for(2min);  // the search that was owed is over
    for (const auto& [end, plan] : {std::pair(&a_, &plan_.a), std::pair(&b_, &plan_.b)}) {
      const sctp::AssociationConfig& config = plan->association.config;
      std::uint32_t expected = 0;
      for (const std::uint32_t step : std::initializer_list<std::uint32_t>{1280, 1360, 1400, 1500, 9000})
        if (step <= config.max_ip && step <= path) expected = (step - config.below) & ~3u;
      const bool is_wide = config.max_ip != 0 && config.mtu + config.below <= path;
      if (is_wide && packet_of(*end) < std::max(expected, config.mtu & ~3u))
        throw Violation("INV-6: packets of " + std::to_string(packet_of(*end)) +
                        " on a path for IP packets of " + std::to_string(path_mtu_));
    }
  }

  bool has_long_pause() const {
    return std::any_of(plan_.pauses.begin(), plan_.pauses.end(),
                       [](const PausePlan& pause) { return pause.length > 60s; });
  }
  void check_failures() {
    if (!a_.ended() && !b_.ended()) return;
    // The other end is told, or finds out; but one over a watched path that waits for nothing leaves that to what watches.
    if (!world().run_until([this] { return is_over(); }, 30min)) {
      for (const auto& [end, plan] : {std::pair(&a_, &plan_.a), std::pair(&b_, &plan_.b)})
        if (!end->ended() && !plan->association.config.parameters.heartbeat_when_idle &&
            !end->has_unfinished_data())
          end->shutdown(world().now());
    }
    if (!world().run_until([this] { return is_over(); }, 30min))
      throw Violation("INV-9: one end goes, the other stays");
    user_a_.become_good();
    user_b_.become_good();
    const bool a_by_counter = check_failure(a_, plan_.a), b_by_counter = check_failure(b_, plan_.b);
    const bool by_counter = a_by_counter || b_by_counter;
    for (const auto& [end, other] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      const bool told = other->ended()->reason == Close::SctpUnreachable ||
                        other->ended()->reason == Close::Local ||
                        other->ended()->reason == Close::SctpSetupFailed || aborted_;
      if (end->ended()->reason == Close::RemoteAbort && !told) throw Violation("an ABORT out of nothing");
    }
    if (!by_counter || !report_.failure.empty()) return;
    const CheckedAssociation& first = a_.ended()->reason == Close::RemoteAbort ? b_ : a_;
    report_.failure = std::string(first.ended()->detail.view()) +
                      (has_long_pause() ? " (a pause of more than a minute)" : "");
  }
  // True when it failed, and had to.
  bool check_failure(const CheckedAssociation& end, const EndPlan& plan) {
    const sctp::Association::Ended& ended = *end.ended();
    const std::string detail(ended.detail.view());
    const sctp::Parameters& parameters = plan.association.config.parameters;
    switch (ended.reason) {
      case Close::Local:
      case Close::Remote:
        return false;
      case Close::RemoteAbort:
        return !aborted_;
      case Close::SctpSetupFailed:
        if (end.unanswered_at_end() > parameters.max_init_retransmits) return true;
        throw Violation("INV-9: the set-up failed: " + detail);
      case Close::SctpUnreachable:
        if (end.unanswered_at_end() >= parameters.association_max_retrans) return true;
        if (ended_at_ != kNever && world().now() - ended_at_ >= 5 * parameters.rto_max) return true;
        throw Violation("INV-9: given up with " + std::to_string(end.unanswered_at_end()) +
                        " requests unanswered: " + detail);
      default:
        throw Violation("the association failed: " + detail);
    }
  }

  Conditions plan_;
  CheckedAssociation a_, b_;
  PacketPair<CheckedAssociation> pair_;
  MessageLedger a_to_b_, b_to_a_;
  User user_a_, user_b_;
  SctpRunReport report_;
  Time ended_at_ = kNever;
  std::size_t path_mtu_ = 0;
  bool aborted_ = false;
};

}  // namespace

SctpRunReport run_sctp_scenario(std::uint64_t seed, std::ostream* log) {
  Run run(seed, log);
  SctpRunReport report = run.run();
  run.close();
  return report;
}

}  // namespace pollrtc::sim
