#include "sctp/chunk_reconfig.h"

namespace pollrtc::sctp {

namespace {

// What is wrong with a parameter's length is told by its type (SCTP-RST-14).
std::optional<ReconfigParameter> parse_parameter(const TlvView& parameter) {
  ByteReader r(parameter.value);
  const std::size_t length = parameter.value.size();
  const ReconfigSeq number(r.u32());
  switch (static_cast<ParameterType>(parameter.type)) {
    case ParameterType::OutgoingSsnReset: {
      const ReconfigSeq response(r.u32());
      const Tsn last(r.u32());
      if (!r.ok() || r.rest().size() % 2 != 0) return std::nullopt;
      return OutgoingResetRequest{number, response, last, {r.rest()}};
    }
    case ParameterType::IncomingSsnReset:
      if (!r.ok() || r.rest().size() % 2 != 0) return std::nullopt;
      return IncomingResetRequest{number, {r.rest()}};
    case ParameterType::SsnTsnReset:
      if (length != 4) return std::nullopt;
      return OtherRequest{number};
    case ParameterType::AddOutgoingStreams:
    case ParameterType::AddIncomingStreams:
      if (length != 8) return std::nullopt;
      return OtherRequest{number};
    case ParameterType::ReconfigResponse:
      if (length != 8 && length != 16) return std::nullopt;
      return ReconfigResponse{number, static_cast<ReconfigResult>(r.u32())};
    default:
      return std::nullopt;
  }
}

// RFC 6525 §3.1: the pairs that may stand together; we take them in either order.
bool may_stand_together(std::uint16_t a, std::uint16_t b) {
  using enum ParameterType;
  const auto is = [a, b](ParameterType x, ParameterType y) {
    return (a == code_of(x) && b == code_of(y)) || (a == code_of(y) && b == code_of(x));
  };
  return is(OutgoingSsnReset, IncomingSsnReset) || is(AddOutgoingStreams, AddIncomingStreams) ||
         is(ParameterType::ReconfigResponse, OutgoingSsnReset) ||
         is(ParameterType::ReconfigResponse, ParameterType::ReconfigResponse);
}

}  // namespace

Result<ReconfigChunk, ReconfigFault> parse_reconfig(const ChunkView& chunk) {
  ReconfigChunk parsed;
  std::uint16_t first_type = 0;
  TlvWalker walker(chunk.value);
  TlvView parameter;
  Walk walk;
  while ((walk = walker.next(parameter)) == Walk::Item) {
    const auto meaning = parse_parameter(parameter);
    if (!meaning) return Unexpected{ReconfigFault::Malformed};
    if (parsed.size() == 1 && !may_stand_together(first_type, parameter.type)) {
      return Unexpected{ReconfigFault::Combination};
    }
    if (!parsed.push_back(*meaning)) return Unexpected{ReconfigFault::Combination};
    first_type = parameter.type;
  }
  if (walk == Walk::BadLength || parsed.empty()) return Unexpected{ReconfigFault::Malformed};
  return parsed;
}

void write_outgoing_reset(ByteWriter& out, ReconfigSeq request, ReconfigSeq response, Tsn last_assigned_tsn,
                          std::span<const StreamId> streams) {
  ChunkWriter w(out, code_of(ChunkType::ReConfig));
  out.u16(code_of(ParameterType::OutgoingSsnReset));
  out.u16(static_cast<std::uint16_t>(16 + 2 * streams.size()));
  out.u32(request.value());
  out.u32(response.value());
  out.u32(last_assigned_tsn.value());
  for (const StreamId stream : streams) out.u16(value_of(stream));
  w.finish();
}

void write_reconfig_responses(ByteWriter& out, std::span<const ReconfigResponse> responses) {
  ChunkWriter w(out, code_of(ChunkType::ReConfig));
  for (const ReconfigResponse& response : responses) {
    out.u16(code_of(ParameterType::ReconfigResponse));
    out.u16(12);
    out.u32(response.response.value());
    out.u32(static_cast<std::uint32_t>(response.result));
  }
  w.finish();
}

}  // namespace pollrtc::sctp
