// An SCTP packet of any bytes: every parser of the room sees each chunk, and what was understood is the same after it
// was written and read again; so is the whole packet, whose own writer gives it a checksum.
#include <algorithm>
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

bool same(const ReconfigParameter& a, const ReconfigParameter& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<OutgoingResetRequest>(&a)) {
    const auto& y = std::get<OutgoingResetRequest>(b);
    return x->request == y.request && x->response == y.response &&
           x->last_assigned_tsn == y.last_assigned_tsn && equal(x->streams.bytes, y.streams.bytes);
  }
  if (const auto* x = std::get_if<ReconfigResponse>(&a)) return *x == std::get<ReconfigResponse>(b);
  return true;  // the others are only read
}

void try_reconfig(const ChunkView& chunk) {
  const auto reconfig = parse_reconfig(chunk);
  if (!reconfig) return;
  check(reconfig->size() == 1 || reconfig->size() == 2);
  std::vector<ReconfigResponse> responses;
  for (const ReconfigParameter& parameter : *reconfig) {
    if (const auto* response = std::get_if<ReconfigResponse>(&parameter)) responses.push_back(*response);
    const auto* request = std::get_if<OutgoingResetRequest>(&parameter);
    if (request == nullptr) continue;
    std::vector<StreamId> streams;
    for (std::size_t i = 0; i < request->streams.count(); ++i) streams.push_back(request->streams[i]);
    round_trip(
        [&](ByteWriter& w) {
          write_outgoing_reset(w, request->request, request->response, request->last_assigned_tsn, streams);
        },
        [&](const ChunkView& again) {
          const auto parsed = parse_reconfig(again);
          check(parsed && parsed->size() == 1 && same(parameter, (*parsed)[0]));
        });
  }
  if (responses.empty()) return;
  round_trip([&](ByteWriter& w) { write_reconfig_responses(w, responses); },
             [&](const ChunkView& again) {
               const auto parsed = parse_reconfig(again);
               check(parsed && parsed->size() == responses.size());
               for (std::size_t i = 0; i < responses.size(); ++i) check(same(responses[i], (*parsed)[i]));
             });
}

// The parameters as they came, and as we would write what they say of the peer.
void try_init(const ChunkView& chunk) {
  const auto init = parse_init(chunk);
  if (!init) return check(chunk.value.size() < 16);
  const auto parameters = parse_init_parameters(init->parameters);
  check(parameters.has_value() == is_well_formed_tlvs(init->parameters));
  round_trip(
      [&](ByteWriter& w) {
        ChunkWriter writer = begin_init(w, ChunkType::Init, *init);
        w.bytes(init->parameters);
        writer.finish();
      },
      [&](const ChunkView& again) { check(equal(again.value, chunk.value)); });
  if (!parameters) return;
  const Capabilities& peer = parameters->capabilities;
  check(Capabilities::from_bits(peer.to_bits()) == peer);
  round_trip(
      [&](ByteWriter& w) {
        ChunkWriter writer = begin_init(w, ChunkType::InitAck, *init);
        if (parameters->cookie) write_tlv(w, code_of(ParameterType::StateCookie), *parameters->cookie);
        write_capabilities(w, peer.zero_checksum, peer.interleaving);
        for (const Bytes& unknown : parameters->unrecognized) {
          w.pad_to_4();
          write_tlv_unpadded(w, code_of(ParameterType::UnrecognizedParameter), unknown);
        }
        writer.finish();
      },
      [&](const ChunkView& again) {
        const auto fixed = parse_init(again);
        const auto parsed = parse_init_parameters(fixed->parameters);
        check(parsed && parsed->unrecognized.empty() && parsed->capabilities.partial_reliability &&
              parsed->capabilities.reconfig && parsed->capabilities.zero_checksum == peer.zero_checksum &&
              parsed->capabilities.interleaving == peer.interleaving);
        check(parsed->cookie.has_value() == parameters->cookie.has_value());
        check(!parsed->cookie || equal(*parsed->cookie, *parameters->cookie));
      });
}

void try_small_chunks(const ChunkView& chunk) {
  if (const auto cumulative = parse_shutdown(chunk)) {
    round_trip([&](ByteWriter& w) { write_shutdown(w, *cumulative); },
               [&](const ChunkView& again) { check(parse_shutdown(again) == cumulative); });
  }
  if (const auto nonce = parse_heartbeat_nonce(chunk)) {
    round_trip([&](ByteWriter& w) { write_heartbeat(w, *nonce); },
               [&](const ChunkView& again) { check(parse_heartbeat_nonce(again) == nonce); });
  }
  TlvView cause;
  if (TlvWalker(chunk.value).next(cause) == Walk::Item) {
    round_trip(
        [&](ByteWriter& w) {
          write_cause(w, ChunkType::Abort, kTagReflected, static_cast<CauseCode>(cause.type), cause.value);
        },
        [&](const ChunkView& again) {
          check(equal(again.value, cause.whole) && again.flags == kTagReflected);
          check(parse_causes(again.value)->cause == static_cast<CauseCode>(cause.type));
        });
  }
  // All that have no form of their own: COOKIE ECHO, HEARTBEAT ACK, and those without a value.
  round_trip(
      [&](ByteWriter& w) { write_chunk(w, static_cast<ChunkType>(chunk.type), chunk.flags, chunk.value); },
      [&](const ChunkView& again) { check(equal(again.whole, chunk.whole)); });
  const std::size_t size = padded4(chunk.whole.size());
  if (size > 0xFFFF) return;
  round_trip(
      [&](ByteWriter& w) { write_pad(w, size); },
      [&](const ChunkView& again) {
        check(again.type == code_of(ChunkType::Pad) && again.whole.size() == size &&
              std::all_of(again.value.begin(), again.value.end(), [](auto byte) { return byte == 0; }));
      });
}

void try_chunk(const ChunkView& chunk) {
  check(chunk.whole.size() == chunk.value.size() + 4);
  try_data(chunk);
  try_idata(chunk);
  try_sack(chunk);
  try_forward_tsn(chunk);
  try_i_forward_tsn(chunk);
  try_reconfig(chunk);
  try_init(chunk);
  try_small_chunks(chunk);
  if (const auto cause = parse_causes(chunk.value)) {
    for (const char c : cause->text.view()) check(c >= ' ' && c <= '~');
  }
}

// The packet again from what was read of it: header, chunks, padding of zeros, a checksum or none.
void try_packet(Bytes bytes, bool zero_checksum) {
  ByteReader header(bytes);
  const std::uint16_t source = header.u16(), destination = header.u16();
  const VerificationTag tag{header.u32()};
  header.skip(4);
  std::array<std::uint8_t, 70000> out;
  PacketWriter writer(out, out.size(), source, destination, tag);
  ChunkWalker walker(header.rest());
  std::vector<ChunkView> chunks;
  ChunkView chunk;
  while (walker.next(chunk) == Walk::Item) {
    const bool fits = writer.try_write(
        [&](ByteWriter& w) { write_chunk(w, static_cast<ChunkType>(chunk.type), chunk.flags, chunk.value); });
    if (!fits) break;
    chunks.push_back(chunk);
  }
  check(writer.has_chunks() == !chunks.empty());
  const std::size_t size = writer.finish(zero_checksum);
  check((size == 0) == chunks.empty());
  if (size == 0) return;
  const auto again = parse_packet(Bytes(out).first(size), zero_checksum);
  check(again && again->source_port == source && again->destination_port == destination && again->tag == tag);
  ChunkWalker second(again->chunks);
  for (const ChunkView& first : chunks)
    check(second.next(chunk) == Walk::Item && equal(chunk.whole, first.whole));
  check(second.next(chunk) == Walk::End);
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
  if (size >= kCommonHeader) {
    try_packet(bytes, false);
    try_packet(bytes, true);
  }
  return 0;
}
