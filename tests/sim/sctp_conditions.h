// What a seed makes of a run: the two ends, the network, the users. All numbers of chance stand here.
#pragma once

#include <utility>
#include <vector>

#include "sim/checked_association.h"
#include "sim/link.h"
#include "sim/random.h"

namespace pollrtc::sim {

struct ChannelPlan {
  enum class Kind : std::uint8_t { Ordered, Unordered, Retransmits, Lifetime, Mixed };
  std::uint16_t stream = 0;
  Kind kind = Kind::Ordered;
  bool pr_unordered = false;
  std::size_t smallest = 1, largest = 1;

  sctp::SendOptions options(Random& random) const;
};

enum class ReadStyle : std::uint8_t { AtOnce, Bursts, Slowly, StopAndGo };

struct EndPlan {
  AssociationOptions association;
  std::vector<ChannelPlan> channels;
  std::size_t messages = 0;  // at most
  Duration send_interval{};  // between goes
  std::size_t messages_at_once = 1;
  std::size_t most_buffered = 0;  // the user does not send beyond
  ReadStyle reads = ReadStyle::AtOnce;
  Duration read_interval{};
  std::size_t held_messages = 0;  // received, and not yet released
  int resets = 0;
};

struct PausePlan {
  Duration begin{}, length{};
  bool a_to_b = true, b_to_a = true;
};

// What the network carries, good days and bad: IP packets of so many bytes. Larger ones vanish, or are cut if they allow it.
struct PathMtuPlan {
  std::size_t at_first = 0;  // 0: no limit
  bool cuts = true;
  std::vector<std::pair<Duration, std::size_t>> changes;  // while the faults last; the last one stays

  std::size_t at_last() const { return changes.empty() ? at_first : changes.back().second; }
};

enum class Ending : std::uint8_t { Shutdown, ShutdownWithData, ShutdownInFaults, Abort, AbortInFaults, Idle };

struct Conditions {
  explicit Conditions(std::uint64_t seed);

  EndPlan a, b;
  LinkConfig good, bad_a_to_b, bad_b_to_a;
  bool bad_from_the_start = false;
  bool both_connect = true;
  Duration faults{};  // how long they last
  Duration redraw{};  // the links change so often
  std::vector<PausePlan> pauses;
  PathMtuPlan path;
  Ending ending = Ending::Shutdown;
  bool a_ends = true, b_ends = false;
  Duration end_at{};  // for endings in the faults

  LinkConfig draw_link();

  Random random;

 private:
  void draw_end(EndPlan& end, std::size_t peer_window, std::size_t peer_max_message);
  void draw_limits(AssociationOptions& end);
  void draw_path();
  bool corrupts_ = false;
};

}  // namespace pollrtc::sim
