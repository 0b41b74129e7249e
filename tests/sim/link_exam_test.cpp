// The marks of link_exam.h, which docs/performance.md tells of.
#include "sim/link_exam.h"

#include "support/catch.h"

namespace pollrtc::sim {

using sctp::CongestionAlgorithm;

namespace {

constexpr auto kModel = CongestionAlgorithm::Model;
constexpr auto kLatency = CongestionAlgorithm::LowLatency;

void judge(const Marks& marks) {
  REQUIRE_FALSE(marks.empty());
  for (const Mark& mark : marks) {
    INFO(mark.what << ": " << mark.figure << ", not between " << mark.least << " and " << mark.most);
    CHECK(mark.passes());
  }
}

}  // namespace

TEST_CASE("links of every kind are used, and their queues stay short") { judge(exam_alone(kModel, 12)); }

TEST_CASE("two, four and eight equal flows get equal shares of links of every kind") {
  judge(exam_equal(kModel, 2, 4));
  judge(exam_equal(kModel, 4, 12));
  judge(exam_equal(kModel, 8, 4));
  judge(exam_equal(kLatency, 4, 8));
}

TEST_CASE("on links of every kind a CUBIC flow keeps its share beside one of ours, and lives beside four") {
  judge(exam_beside_cubic(kModel, 1, 12));
  judge(exam_beside_cubic(kModel, 4, 4));
}

TEST_CASE("neither a long way, nor small messages, nor little to send costs a flow its share") {
  judge(exam_unequal(kModel));
}

TEST_CASE("a rate that falls to a tenth, another path and a pause cost some round trips, and draw no burst") {
  judge(exam_changes(kModel));
}

TEST_CASE("lost and bundled acknowledgements, a policer and jitter do not stop a transfer") {
  judge(exam_disturbances(kModel));
}

// On slow links two packets of the transfer more, since one is on the way when the message comes.
TEST_CASE(
    "with low latency as the goal a small message waits less than 30 ms beside a bulk transfer, without "
    "loss") {
  judge(exam_latency(kLatency, 12));
}

TEST_CASE(
    "with low latency as the goal late polls, bundled acknowledgements and jitter are not taken for a "
    "queue") {
  judge(exam_latency_disturbed(kLatency));
}

}  // namespace pollrtc::sim
