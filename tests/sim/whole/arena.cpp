#include "sim/whole/arena.h"

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;

const CertificatePem& any_certificate() {
  static const CertificatePem kPem = [] {
    test::TestEnvironment environment(2000);
    return *generate_certificate(environment.env, 1767225600);
  }();
  return kPem;
}

}  // namespace

Arena::Arena(std::uint64_t seed, const Limits& limits)
    : limits_(limits), world_(seed), random_(seed), to_honest_(2 * seed), to_attacker_(2 * seed + 1) {
  world_.trace().hash_without_bytes();
  add_machine("victim", Address::v4(192, 0, 2, 1, 0));
  add_machine("honest", Address::v4(192, 0, 2, 2, 0));
  add_machine("attacker", Address::v4(192, 0, 2, 3, 0));
  make(to_honest_, 1, 5000, limits, false);
  make(to_attacker_, 2, 5001, limits, true);
  attacker_ = std::make_unique<SctpAttacker>(world_, vehicle(), random_.next());
  victim().on_send = [this](Side&, const Path&, Bytes datagram) { bytes_out_ += datagram.size(); };
}

Arena::~Arena() = default;

void Arena::add_machine(const char* name, const Address& ip) {
  Participant& machine = machines_.emplace_back();
  machine.name = name;
  machine.addresses = {ip};
  machine.host = &world_.add_host({ip});
}

void Arena::make(Connection& connection, std::size_t peer, std::uint16_t port, const Limits& limits,
                 bool is_hostile) {
  for (const bool is_a : {true, false}) {
    CheckedPeerOptions options;
    options.name = machines_[is_a ? 0 : peer].name;
    options.seed = random_.next();
    options.config.certificate_pem = any_certificate().certificate;
    options.config.private_key_pem = any_certificate().private_key;
    options.limits = limits;
    options.is_against_attacker = is_hostile;
    SidePlan plan;
    plan.most_buffered = 100'000;
    plan.signalling_delay = 10ms;
    plan.send_interval = 1s;
    if (is_a) plan.channels = {ChannelKind{}};
    auto& side = is_a ? connection.a : connection.b;
    side = std::make_unique<Side>(world_, machines_[is_a ? 0 : peer], options, plan, port, is_a,
                                  connection.books, random_.fork());
    side->may_restart = false;
    side->knows_no_labels = is_hostile;
  }
  connection.a->join(*connection.b);
  connection.b->join(*connection.a);
}

void Arena::connect() {
  for (Connection* connection : {&to_honest_, &to_attacker_}) {
    connection->b->begin();
    connection->a->begin();
  }
  const bool all_up = world_.run_until(
      [this] {
        return to_honest_.a->is_up() && to_honest_.b->is_up() && victim().is_up() &&
               attacker_->is_established();
      },
      30s);
  if (!all_up)
    throw Violation(
        "the arena does not open: " + std::string(name_of(to_honest_.a->peer().connection_state())) + ", " +
        std::string(name_of(victim().peer().connection_state())) + ", " +
        std::string(name_of(vehicle().peer().connection_state())) + ", heard " +
        std::to_string(attacker_->bytes_heard) + ", sent " + std::to_string(attacker_->bytes_sent));
  world_.run_for(2s);
}

Figures Arena::attack(const std::string& what, Duration length) {
  Figures figures;
  figures.what = what;
  const std::uint64_t in_before = attacker_->bytes_sent;
  const auto cpu_before = victim().checked().cpu_time();
  bytes_out_ = other_bytes_ = 0;
  for (const Time end = world_.now() + length; world_.now() < end;) {
    world_.run_for(200ms);
    victim_to_honest().chat();
    honest().chat();
  }
  attacker_->on_tick = nullptr;
  world_.run_for(10s);
  ConnectionBooks& books = to_honest_.books;
  if (books.a_to_b.missing() + books.b_to_a.missing() != 0 || !honest().is_up() ||
      !victim_to_honest().is_up())
    throw Violation("the honest connection beside it suffers");
  figures.honest_messages = books.a_to_b.messages_received() + books.b_to_a.messages_received();
  figures.bytes_in = attacker_->bytes_sent - in_before + other_bytes_;
  figures.bytes_out = bytes_out_;
  figures.heap = victim().checked().peak_memory();
  const auto cpu = victim().checked().cpu_time() - cpu_before;
  figures.nanoseconds_per_byte =
      figures.bytes_in == 0 ? 0 : static_cast<double>(cpu.count()) / static_cast<double>(figures.bytes_in);
  figures.lives_on = victim().is_up();
  figures.why_ended = victim().checked().first_failure().value_or("");
  return figures;
}

}  // namespace pollrtc::sim
