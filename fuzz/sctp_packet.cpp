// An SCTP packet of any bytes: every parser of the room sees each chunk, and what was understood is the same after it
// was written and read again.
#include <array>
#include <vector>

#include "sctp/chunk_control.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/chunk_init.h"
#include "sctp/chunk_reconfig.h"
#include "sctp/chunk_sack.h"
#include "sctp/packet.h"
#include "support.h"

using namespace pollrtc;
using namespace pollrtc::sctp;

namespace {

// Writes and reads back; gives the chunk to `compare`.
template <class Write, class Compare>
void round_trip(Write&& write, Compare&& compare) {
  std::array<std::uint8_t, 70000> out;
  ByteWriter w(out);
  write(w);
  check(w.ok() && w.size() % 4 == 0);
  ChunkView view;
  check(ChunkWalker(w.written()).next(view) == Walk::Item);
  compare(view);
}

void try_data(const ChunkView& chunk) {
  const auto data = parse_data(chunk);
  if (!data) return check(chunk.value.size() < 12);
  round_trip([&](ByteWriter& w) { write_data(w, *data); },
             [&](const ChunkView& again) {
               check(equal(again.value, chunk.value) && again.flags == (chunk.flags & 15));
             });
}

// The reserved bits come back as 0, the rest as it was.
void try_idata(const ChunkView& chunk) {
  const auto data = parse_idata(chunk);
  if (!data) return check(chunk.value.size() < 16);
  round_trip([&](ByteWriter& w) { write_idata(w, *data); },
             [&](const ChunkView& again) {
               check(equal(again.value.first(6), chunk.value.first(6)) &&
                     equal(again.value.subspan(8), chunk.value.subspan(8)) &&
                     again.flags == (chunk.flags & 15));
             });
}

void try_sack(const ChunkView& chunk) {
  const auto sack = parse_sack(chunk);
  if (!sack) return;
  std::vector<GapBlock> gaps;
  std::vector<Tsn> duplicates;
  for (std::size_t i = 0; i < sack->gap_count(); ++i) gaps.push_back(sack->gap(i));
  for (std::size_t i = 0; i < sack->duplicate_count(); ++i) duplicates.push_back(sack->duplicate(i));
  round_trip(
      [&](ByteWriter& w) { write_sack(w, sack->cumulative_tsn_ack, sack->a_rwnd, gaps, duplicates); },
      [&](const ChunkView& again) { check(equal(again.value, chunk.value.first(again.value.size()))); });
}

void try_forward_tsn(const ChunkView& chunk) {
  const auto forward = parse_forward_tsn(chunk);
  if (!forward) return;
  std::vector<SkippedStream> skipped;
  for (std::size_t i = 0; i < forward->skipped_count(); ++i) skipped.push_back(forward->skipped(i));
  round_trip([&](ByteWriter& w) { write_forward_tsn(w, forward->new_cumulative_tsn, skipped); },
             [&](const ChunkView& again) { check(equal(again.value, chunk.value)); });
}

void try_i_forward_tsn(const ChunkView& chunk) {
  const auto forward = parse_i_forward_tsn(chunk);
  if (!forward) return;
  std::vector<SkippedMessages> skipped;
  for (std::size_t i = 0; i < forward->skipped_count(); ++i) skipped.push_back(forward->skipped(i));
  round_trip([&](ByteWriter& w) { write_i_forward_tsn(w, forward->new_cumulative_tsn, skipped); },
             [&](const ChunkView& again) {
               const auto same = parse_i_forward_tsn(again);
               check(same && same->skipped_count() == skipped.size());
               for (std::size_t i = 0; i < skipped.size(); ++i) check(same->skipped(i) == skipped[i]);
             });
}

void try_reconfig(const ChunkView& chunk) {
  const auto reconfig = parse_reconfig(chunk);
  if (!reconfig) return;
  check(reconfig->size() == 1 || reconfig->size() == 2);
  for (const ReconfigParameter& parameter : *reconfig) {
    const auto* request = std::get_if<OutgoingResetRequest>(&parameter);
    if (request == nullptr) continue;
    std::vector<StreamId> streams;
    for (std::size_t i = 0; i < request->streams.count(); ++i) streams.push_back(request->streams[i]);
    round_trip(
        [&](ByteWriter& w) {
          write_outgoing_reset(w, request->request, request->response, request->last_assigned_tsn, streams);
        },
        [&](const ChunkView& again) { check(parse_reconfig(again).has_value()); });
  }
}

void try_chunk(const ChunkView& chunk) {
  check(chunk.whole.size() == chunk.value.size() + 4);
  try_data(chunk);
  try_idata(chunk);
  try_sack(chunk);
  try_forward_tsn(chunk);
  try_i_forward_tsn(chunk);
  try_reconfig(chunk);
  static_cast<void>(parse_shutdown(chunk));
  static_cast<void>(parse_heartbeat_nonce(chunk));
  if (const auto init = parse_init(chunk)) {
    const auto parameters = parse_init_parameters(init->parameters);
    check(parameters.has_value() == is_well_formed_tlvs(init->parameters));
  }
  if (const auto cause = parse_causes(chunk.value)) {
    for (const char c : cause->text.view()) check(c >= ' ' && c <= '~');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  const auto strict = parse_packet(bytes, false), lax = parse_packet(bytes, true);
  check(!strict || lax);
  // The checksum is hardly ever right by chance, so the walk takes the chunks as they are.
  ChunkWalker walker(size > kCommonHeader ? bytes.subspan(kCommonHeader) : bytes);
  ChunkView chunk;
  while (walker.next(chunk) == Walk::Item) try_chunk(chunk);
  return 0;
}
