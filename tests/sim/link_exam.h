// An exam for congestion control: links, neighbours and disturbances of many kinds, the same ones each time, in virtual time.
// Each mark is one figure and the bound that it must keep. long_links.cpp prints them, link_exam_test.cpp judges them.
//
// The constants of the controllers were chosen on the links of series 0, with a look at those of series 1 to 3. Those of other series
// are drawn from the same kinds with other seeds, and where series 0 has links of round numbers, around those.
#pragma once

#include <string>
#include <vector>

#include "sctp/parameters_config.h"

namespace pollrtc::sim {

struct Mark {
  std::string what;
  double figure;
  double least, most;  // what it must be between
  bool passes() const { return figure >= least && figure <= most; }
};
using Marks = std::vector<Mark>;

// Alone on links drawn by chance, from 2 to 500 Mbit/s, 5 to 300 ms, queues of a quarter to eight times what the path holds,
// and up to 2 % of loss.
Marks exam_alone(sctp::CongestionAlgorithm algorithm, int links, std::uint64_t series = 0);
// So many equal flows that begin some time apart.
Marks exam_equal(sctp::CongestionAlgorithm algorithm, std::size_t flows, int links, std::uint64_t series = 0);
// A CUBIC flow beside so many of these.
Marks exam_beside_cubic(sctp::CongestionAlgorithm algorithm, std::size_t flows, int links,
                        std::uint64_t series = 0);
// Neighbours with other round trips, other sizes of messages, and with little to send.
Marks exam_unequal(sctp::CongestionAlgorithm algorithm);
// Rates and paths that change, and a user who pauses.
Marks exam_changes(sctp::CongestionAlgorithm algorithm);
// Lost and bundled acknowledgements, a policer, packets that overtake each other, hosts that read their sockets late.
Marks exam_disturbances(sctp::CongestionAlgorithm algorithm, std::uint64_t series = 0);
// What a small message waits beside a bulk transfer.
Marks exam_latency(sctp::CongestionAlgorithm algorithm, int links, std::uint64_t series = 0);
// What is no queue: bundled acknowledgements, jitter, and a sender that is polled late.
Marks exam_latency_disturbed(sctp::CongestionAlgorithm algorithm);

}  // namespace pollrtc::sim
