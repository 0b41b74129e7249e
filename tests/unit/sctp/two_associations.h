// Two associations and the link between them, in virtual time: delay, loss, reordering, duplication, all from a seed.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <vector>

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
    End(std::uint64_t seed, const Limits& limits, const AssociationConfig& config);
    ~End();
    TestEnvironment environment;
    std::optional<Association> association;
    std::vector<Association::Event> events;
    std::vector<std::pair<std::uint16_t, ByteVector>> received;  // stream, payload
    bool reads = true;
  };

  explicit TwoAssociations(const LinkOptions& options = {}, std::uint64_t seed = 1, const Limits& limits = {},
                           const AssociationConfig& config = {});
  ~TwoAssociations();

  void connect();

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
  void run_for(Duration duration);

  Time now{};
  End a, b;
  LinkOptions link;
  double lose_from_b = 0;                      // of what b sends, beside the loss of the link
  std::function<void()> after_packet = [] {};  // each one that arrives
  std::size_t packets = 0, largest_packet = 0;

 private:
  Time next_delivery() const { return flights_.empty() ? kNever : flights_.begin()->first; }
  void exchange();
  void collect(End& end);
  void deliver();
  bool chance(double p);

  struct Flight {
    End* to;
    ByteVector bytes;
  };
  std::multimap<Time, Flight> flights_;
  std::mt19937_64 random_;
};

}  // namespace pollrtc::sctp::test
