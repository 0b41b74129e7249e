// A sending half without a network: messages go in, the chunks of each packet come out as values, SACKs are made by hand.
// Losses are found as RFC 9260 has it, so that its rules can be told one by one; RACK-TLP has tests of its own.
#pragma once

#include <vector>

#include "sctp/chunk_forward_tsn.h"
#include "sctp/tx_outstanding.h"
#include "support/bytes.h"
#include "support/catch.h"
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
                     CongestionAlgorithm congestion = CongestionAlgorithm::NewReno) {
    environment.env.limits = limits;
    queue.emplace(environment.env, policy);
    queue->set_interleaving(interleaving);
    parameters.rack_tlp = rack_tlp;
    parameters.congestion = congestion;
    tx.emplace(environment.env, parameters, *queue, Tsn(first), kMtu);
    tx->set_peer_rwnd(1000000);
  }

  Status send(std::size_t size, SendOptions options = {}) {
    return queue->push(now, options, ByteVector(size, static_cast<std::uint8_t>(size)));
  }
  void send_full(int count, SendOptions options = {}) {
    for (int i = 0; i < count; ++i) REQUIRE(send(kFull, options));
  }
  // One packet; empty when there is nothing to send.
  Packet packet(std::size_t room = kMtu - 12) {
    Packet chunks;
    std::vector<std::uint8_t> bytes(room);
    ByteWriter out(bytes);
    const std::size_t count = tx->write_data(now, out);
    REQUIRE(out.ok());
    ChunkWalker walker(out.written());
    ChunkView view;
    while (walker.next(view) == Walk::Item) {
      const bool is_idata = view.type == code_of(ChunkType::IData);
      REQUIRE(is_idata == queue->interleaving());
      const auto data = is_idata ? parse_idata(view) : parse_data(view);
      REQUIRE(data);
      chunks.push_back({data->tsn.value(), value_of(data->stream), data->ssn.value(), data->begin, data->end,
                        data->unordered, data->immediate, data->payload.size(), data->mid.value(),
                        data->fsn.value(), value_of(data->ppid)});
    }
    CHECK(chunks.size() == count);
    return chunks;
  }
  // All packets that may go now: the TSN of each chunk.
  Tsns flush(int* packets = nullptr) {
    Tsns tsns;
    for (Packet chunks = packet(); !chunks.empty(); chunks = packet()) {
      for (const SentChunk& chunk : chunks) tsns.push_back(chunk.tsn);
      if (packets != nullptr) ++*packets;
    }
    return tsns;
  }
  SackResult sack(std::uint32_t cumulative, std::vector<GapBlock> gaps = {}, std::uint32_t a_rwnd = 1000000,
                  std::size_t duplicates = 0) {
    ByteVector gap_bytes, duplicate_bytes(4 * duplicates);
    for (const GapBlock& gap : gaps) {
      gap_bytes.resize(gap_bytes.size() + 4);
      store_u16(gap_bytes.data() + gap_bytes.size() - 4, gap.start);
      store_u16(gap_bytes.data() + gap_bytes.size() - 2, gap.end);
    }
    SackChunk chunk;
    chunk.cumulative_tsn_ack = Tsn(cumulative);
    chunk.a_rwnd = a_rwnd;
    chunk.gap_bytes = gap_bytes;
    chunk.duplicate_bytes = duplicate_bytes;
    return tx->on_sack(now, chunk);
  }
  // A first round trip, so that timers and windows have something to go by: 1000 is sent and acknowledged.
  void measure(Duration round_trip = 40ms) {
    send_full(1);
    REQUIRE(flush() == Tsns{1000});
    now += round_trip;
    REQUIRE(sack(1000) == SackResult::Progress);
    REQUIRE(tx->rto().srtt() == round_trip);
  }
  struct Forward {
    std::uint32_t tsn = 0;
    std::vector<std::pair<int, int>> skipped;
  };
  std::optional<Forward> forward(std::size_t room = 1000) {
    std::vector<std::uint8_t> bytes(room);
    ByteWriter out(bytes);
    if (!tx->forward_tsn_is_due() || !tx->write_forward_tsn(now, out)) return std::nullopt;
    ChunkWalker walker(out.written());
    ChunkView view;
    REQUIRE(walker.next(view) == Walk::Item);
    const auto chunk = parse_forward_tsn(view);
    REQUIRE(chunk);
    Forward result{chunk->new_cumulative_tsn.value(), {}};
    for (std::size_t i = 0; i < chunk->skipped_count(); ++i)
      result.skipped.emplace_back(value_of(chunk->skipped(i).stream), chunk->skipped(i).ssn.value());
    return result;
  }
  struct IForward {
    std::uint32_t tsn = 0;
    std::vector<SkippedMessages> skipped;
  };
  std::optional<IForward> i_forward(std::size_t room = 1000) {
    std::vector<std::uint8_t> bytes(room);
    ByteWriter out(bytes);
    if (!tx->forward_tsn_is_due() || !tx->write_forward_tsn(now, out)) return std::nullopt;
    ChunkWalker walker(out.written());
    ChunkView view;
    REQUIRE(walker.next(view) == Walk::Item);
    REQUIRE(view.type == code_of(ChunkType::IForwardTsn));
    const auto chunk = parse_i_forward_tsn(view);
    REQUIRE(chunk);
    IForward result{chunk->new_cumulative_tsn.value(), {}};
    for (std::size_t i = 0; i < chunk->skipped_count(); ++i) result.skipped.push_back(chunk->skipped(i));
    return result;
  }
  // Goes to the next deadline and lets it happen.
  T3Result expire() {
    const Time due = tx->next_timeout();
    REQUIRE(due != kNever);
    now = std::max(now, due);
    const T3Result result = tx->handle_timeout(now);
    CHECK(tx->next_timeout() > now);
    return result;
  }

  Parameters parameters;
  TestEnvironment environment;
  std::optional<TxQueue> queue;
  std::optional<TxOutstanding> tx;
  Time now{};
};

}  // namespace pollrtc::sctp::test
