// A sending half without a network: messages go in, the chunks of each packet come out as values, SACKs are made by hand.
// Losses are found as RFC 9260 has it, so that its rules can be told one by one; RACK-TLP has tests of its own.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "sctp/chunk_forward_tsn.h"
#include "sctp/tx_outstanding.h"
#include "support/bytes.h"
#include "support/environment.h"

namespace pollrtc::sctp::test {

using namespace pollrtc::test;
using namespace std::chrono_literals;

struct SentChunk {
  std::uint32_t tsn;
  std::uint16_t stream, ssn;
  bool begin, end, unordered, immediate;
  std::size_t size;
  std::uint32_t mid = 0, fsn = 0, ppid = 0;  // I-DATA
};
using Packet = std::vector<SentChunk>;
using Tsns = std::vector<std::uint32_t>;

struct TxFixture {
  static constexpr std::size_t kMtu = 1012;        // so that PMDCS is 1000
  static constexpr std::size_t kFull = 1000 - 16;  // payload of a full chunk

  explicit TxFixture(std::uint32_t first = 1000, Limits limits = {}, bool interleaving = false,
                     SchedulerPolicy policy = SchedulerPolicy::WeightedFair, bool rack_tlp = false,
                     CongestionAlgorithm congestion = CongestionAlgorithm::NewReno);
  ~TxFixture();

  Status send(std::size_t size, SendOptions options = {});
  void send_full(int count, SendOptions options = {});
  // One packet; empty when there is nothing to send.
  Packet packet(std::size_t room = kMtu - 12);
  // All packets that may go now: the TSN of each chunk.
  Tsns flush(int* packets = nullptr);
  SackResult sack(std::uint32_t cumulative, std::vector<GapBlock> gaps = {}, std::uint32_t a_rwnd = 1000000,
                  std::size_t duplicates = 0);
  // A first round trip, so that timers and windows have something to go by: 1000 is sent and acknowledged.
  void measure(Duration round_trip = 40ms);
  struct Forward {
    std::uint32_t tsn = 0;
    std::vector<std::pair<int, int>> skipped;
  };
  std::optional<Forward> forward(std::size_t room = 1000);
  struct IForward {
    std::uint32_t tsn = 0;
    std::vector<SkippedMessages> skipped;
  };
  std::optional<IForward> i_forward(std::size_t room = 1000);
  // Goes to the next deadline and lets it happen.
  T3Result expire();

  Parameters parameters;
  TestEnvironment environment;
  std::optional<TxQueue> queue;
  std::optional<TxOutstanding> tx;
  Time now{};

 private:
  // The chunk that is due, written into `bytes`; nothing: none is, or it does not fit.
  std::optional<ChunkView> write_forward(MutBytes bytes);
};

}  // namespace pollrtc::sctp::test
