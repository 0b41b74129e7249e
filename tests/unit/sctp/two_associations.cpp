#include "unit/sctp/two_associations.h"

namespace pollrtc::sctp::test {
namespace {

bool is_up(const TwoAssociations::End& end) {
  return end.association->state() == AssociationState::Established;
}

}  // namespace

TwoAssociations::End::End(std::uint64_t seed, const Limits& limits, const AssociationConfig& config)
    : environment(seed) {
  environment.env.limits = limits;
  environment.env.log.level = LogLevel::Off;
  association.emplace(environment.env, config);
}
TwoAssociations::End::~End() = default;

TwoAssociations::TwoAssociations(const LinkOptions& options, std::uint64_t seed, const Limits& limits,
                                 const AssociationConfig& config)
    : a(2 * seed + 1, limits, config), b(2 * seed + 2, limits, config), link(options), random_(seed) {}
TwoAssociations::~TwoAssociations() = default;

void TwoAssociations::connect() {
  static_cast<void>(a.association->connect(now));
  static_cast<void>(b.association->connect(now));
  run_until([this] { return is_up(a) && is_up(b); }, 60s);
}

void TwoAssociations::run_for(Duration duration) {
  run_until([] { return false; }, duration);
}

void TwoAssociations::exchange() {
  collect(a);
  collect(b);
  for (End* from : {&a, &b}) {
    std::uint8_t packet[16384];
    while (const std::size_t size = from->association->poll_packet(now, packet)) {
      ++packets;
      largest_packet = std::max(largest_packet, size);
      if (chance(link.loss) || (from == &b && chance(lose_from_b))) continue;
      if (link.mtu != 0 && size > link.mtu && (from->association->dont_fragment() || !link.passes_fragments))
        continue;
      const int copies = chance(link.duplicate) ? 2 : 1;
      for (int i = 0; i < copies; ++i) {
        Duration delay = link.delay;
        if (chance(link.reorder)) delay += Duration(static_cast<std::int64_t>(random_() % 10000));
        flights_.emplace(now + delay, Flight{from == &a ? &b : &a, ByteVector(packet, packet + size)});
      }
    }
  }
}

void TwoAssociations::collect(End& end) {
  Association::Event event;
  while (end.association->poll_event(event)) end.events.push_back(event);
  if (!end.reads) return;
  Message message(end.environment.env.memory);
  while (end.association->receive(message)) {
    end.received.emplace_back(message.stream, to_vector(message.payload));
    end.association->release(message.charge);
  }
}

void TwoAssociations::deliver() {
  while (!flights_.empty() && flights_.begin()->first <= now) {
    const Flight flight = std::move(flights_.begin()->second);
    flights_.erase(flights_.begin());
    flight.to->association->handle_packet(now, flight.bytes);
    collect(*flight.to);
    after_packet();
  }
}

bool TwoAssociations::chance(double p) {
  return p > 0 && std::uniform_real_distribution<>(0, 1)(random_) < p;
}

}  // namespace pollrtc::sctp::test
