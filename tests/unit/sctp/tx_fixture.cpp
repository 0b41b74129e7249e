#include "unit/sctp/tx_fixture.h"

#include <algorithm>

#include "support/catch.h"

namespace pollrtc::sctp::test {

TxFixture::TxFixture(std::uint32_t first, Limits limits, bool interleaving, SchedulerPolicy policy,
                     bool rack_tlp, CongestionAlgorithm congestion) {
  environment.env.limits = limits;
  queue.emplace(environment.env, policy);
  queue->set_interleaving(interleaving);
  parameters.rack_tlp = rack_tlp;
  parameters.congestion = congestion;
  tx.emplace(environment.env, parameters, *queue, Tsn(first), kMtu);
  tx->set_peer_rwnd(1000000);
}
TxFixture::~TxFixture() = default;

Status TxFixture::send(std::size_t size, SendOptions options) {
  return queue->push(now, options, ByteVector(size, static_cast<std::uint8_t>(size)));
}

void TxFixture::send_full(int count, SendOptions options) {
  for (int i = 0; i < count; ++i) REQUIRE(send(kFull, options));
}

Packet TxFixture::packet(std::size_t room) {
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

Tsns TxFixture::flush(int* packets) {
  Tsns tsns;
  for (Packet chunks = packet(); !chunks.empty(); chunks = packet()) {
    for (const SentChunk& chunk : chunks) tsns.push_back(chunk.tsn);
    if (packets != nullptr) ++*packets;
  }
  return tsns;
}

SackResult TxFixture::sack(std::uint32_t cumulative, std::vector<GapBlock> gaps, std::uint32_t a_rwnd,
                           std::size_t duplicates) {
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

void TxFixture::measure(Duration round_trip) {
  send_full(1);
  REQUIRE(flush() == Tsns{1000});
  now += round_trip;
  REQUIRE(sack(1000) == SackResult::Progress);
  REQUIRE(tx->rto().srtt() == round_trip);
}

std::optional<ChunkView> TxFixture::write_forward(MutBytes bytes) {
  ByteWriter out(bytes);
  if (!tx->forward_tsn_is_due() || !tx->write_forward_tsn(now, out)) return std::nullopt;
  ChunkWalker walker(out.written());
  ChunkView view;
  REQUIRE(walker.next(view) == Walk::Item);
  return view;
}

std::optional<TxFixture::Forward> TxFixture::forward(std::size_t room) {
  std::vector<std::uint8_t> bytes(room);
  const auto view = write_forward(bytes);
  if (!view) return std::nullopt;
  const auto chunk = parse_forward_tsn(*view);
  REQUIRE(chunk);
  Forward result{chunk->new_cumulative_tsn.value(), {}};
  for (std::size_t i = 0; i < chunk->skipped_count(); ++i)
    result.skipped.emplace_back(value_of(chunk->skipped(i).stream), chunk->skipped(i).ssn.value());
  return result;
}

std::optional<TxFixture::IForward> TxFixture::i_forward(std::size_t room) {
  std::vector<std::uint8_t> bytes(room);
  const auto view = write_forward(bytes);
  if (!view) return std::nullopt;
  REQUIRE(view->type == code_of(ChunkType::IForwardTsn));
  const auto chunk = parse_i_forward_tsn(*view);
  REQUIRE(chunk);
  IForward result{chunk->new_cumulative_tsn.value(), {}};
  for (std::size_t i = 0; i < chunk->skipped_count(); ++i) result.skipped.push_back(chunk->skipped(i));
  return result;
}

T3Result TxFixture::expire() {
  const Time due = tx->next_timeout();
  REQUIRE(due != kNever);
  now = std::max(now, due);
  const T3Result result = tx->handle_timeout(now);
  CHECK(tx->next_timeout() > now);
  return result;
}

}  // namespace pollrtc::sctp::test
