// Two associations and the link between them, in virtual time: delay, loss, reordering, duplication, all from a seed.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <random>

#include "sctp/association.h"
#include "support/bytes.h"
#include "support/environment.h"

namespace pollrtc::sctp::test {

using namespace pollrtc::test;
using namespace std::chrono_literals;

struct LinkOptions {
  Duration delay = 10ms;
  double loss = 0;
  double reorder = 0;  // held back by up to another delay
  double duplicate = 0;
  std::size_t mtu = 0;           // a larger SCTP packet that must not be cut vanishes; 0: none is larger
  bool passes_fragments = true;  // one that may be cut gets through
};

class TwoAssociations {
 public:
  struct End {
    End(std::uint64_t seed, const Limits& limits, const AssociationConfig& config) : environment(seed) {
      environment.env.limits = limits;
      environment.env.log.level = LogLevel::Off;
      association.emplace(environment.env, config);
    }
    TestEnvironment environment;
    std::optional<Association> association;
    std::vector<Association::Event> events;
    std::vector<std::pair<std::uint16_t, ByteVector>> received;  // stream, payload
    bool reads = true;
  };

  explicit TwoAssociations(const LinkOptions& options = {}, std::uint64_t seed = 1, const Limits& limits = {},
                           const AssociationConfig& config = {})
      : a(2 * seed + 1, limits, config), b(2 * seed + 2, limits, config), link(options), random_(seed) {}

  void connect() {
    static_cast<void>(a.association->connect(now));
    static_cast<void>(b.association->connect(now));
    run_until([this] { return is_up(a) && is_up(b); }, 60s);
  }

  template <class Done>
  bool run_until(Done done, Duration limit) {
    const Time end = now + limit;
    for (;;) {
      exchange();
      if (done()) return true;
      exchange();  // what done() has made it send
      const Time next =
          std::min({next_delivery(), a.association->next_timeout(), b.association->next_timeout()});
      if (next >= end) {
        now = end;
        return false;
      }
      now = std::max(now, next);
      deliver();
      a.association->handle_timeout(now);
      b.association->handle_timeout(now);
    }
  }
  void run_for(Duration duration) {
    run_until([] { return false; }, duration);
  }

  Time now{};
  End a, b;
  LinkOptions link;
  double lose_from_b = 0;                      // of what b sends, beside the loss of the link
  std::function<void()> after_packet = [] {};  // each one that arrives
  std::size_t packets = 0, largest_packet = 0;

 private:
  static bool is_up(const End& end) { return end.association->state() == AssociationState::Established; }
  Time next_delivery() const { return flights_.empty() ? kNever : flights_.begin()->first; }

  void exchange() {
    collect(a);
    collect(b);
    for (End* from : {&a, &b}) {
      std::uint8_t packet[16384];
      while (const std::size_t size = from->association->poll_packet(now, packet)) {
        ++packets;
        largest_packet = std::max(largest_packet, size);
        if (chance(link.loss) || (from == &b && chance(lose_from_b))) continue;
        if (link.mtu != 0 && size > link.mtu &&
            (from->association->dont_fragment() || !link.passes_fragments))
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
  void collect(End& end) {
    Association::Event event;
    while (end.association->poll_event(event)) end.events.push_back(event);
    if (!end.reads) return;
    Message message(end.environment.env.memory);
    while (end.association->receive(message)) {
      end.received.emplace_back(message.stream, to_vector(message.payload));
      end.association->release(message.charge);
    }
  }
  void deliver() {
    while (!flights_.empty() && flights_.begin()->first <= now) {
      const Flight flight = std::move(flights_.begin()->second);
      flights_.erase(flights_.begin());
      flight.to->association->handle_packet(now, flight.bytes);
      collect(*flight.to);
      after_packet();
    }
  }
  bool chance(double p) { return p > 0 && std::uniform_real_distribution<>(0, 1)(random_) < p; }

  struct Flight {
    End* to;
    ByteVector bytes;
  };
  std::multimap<Time, Flight> flights_;
  std::mt19937_64 random_;
};

}  // namespace pollrtc::sctp::test
