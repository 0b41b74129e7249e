#include "sctp/parameters.h"

namespace pollrtc::sctp {

namespace {

constexpr std::uint32_t kErrorDetectionDtls = 1;  // RFC 9653 §4: the error detection method "SCTP over DTLS"

void read_supported_extensions(Bytes chunk_types, Capabilities& capabilities) {
  for (const std::uint8_t type : chunk_types) {
    if (type == code_of(ChunkType::ReConfig)) capabilities.reconfig = true;
    if (type == code_of(ChunkType::IData)) capabilities.interleaving = true;
    if (type == code_of(ChunkType::IForwardTsn)) capabilities.i_forward_tsn = true;
  }
}

// RFC 9260 §3.2.2: a parameter of ours that the peer sends back because it does not know it.
void read_returned(Bytes whole, InitParameters& found) {
  if (whole.size() < kTlvHeader) return;
  if (load_u16(whole.data()) == code_of(ParameterType::ForwardTsnSupported))
    found.peer_refused_forward_tsn = true;
}

// False when the parameters behind this one must not be read.
bool read_parameter(const TlvView& parameter, InitParameters& found) {
  switch (static_cast<ParameterType>(parameter.type)) {
    case ParameterType::StateCookie:
      if (!found.cookie) found.cookie = parameter.value;
      return true;
    case ParameterType::ForwardTsnSupported:
      found.capabilities.partial_reliability = true;
      return true;
    case ParameterType::SupportedExtensions:
      read_supported_extensions(parameter.value, found.capabilities);
      return true;
    case ParameterType::ZeroChecksumAcceptable:
      // RFC 9653 §4: any other length or method is as if the parameter were not there.
      if (parameter.value.size() == 4 && load_u32(parameter.value.data()) == kErrorDetectionDtls) {
        found.capabilities.zero_checksum = true;
      }
      return true;
    case ParameterType::HostNameAddress:
      found.host_name = true;
      return true;
    case ParameterType::UnrecognizedParameter:
      read_returned(parameter.value, found);
      return true;
    // RFC 8261 §6.1 forbids addresses over DTLS; they and the rest of these say nothing to us, and are no
    // error.
    case ParameterType::IPv4Address:
    case ParameterType::IPv6Address:
    case ParameterType::CookiePreservative:
    case ParameterType::SupportedAddressTypes:
    case ParameterType::EcnCapable:
    case ParameterType::Pad:
      return true;
    default:
      break;
  }
  const UnknownRule rule = unknown_parameter_rule(parameter.type);
  if (rule.report) static_cast<void>(found.unrecognized.push_back(parameter.whole));
  return rule.skip;
}

// Text from the peer goes into events and logs: what is not printable ASCII becomes '?', what does not fit is
// cut.
FixedString<128> harmless_text(Bytes bytes) {
  char text[128];
  const std::size_t size = std::min(bytes.size(), sizeof text);
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = bytes[i] >= 0x20 && bytes[i] < 0x7F ? static_cast<char>(bytes[i]) : '?';
  }
  return *FixedString<128>::from({text, size});
}

}  // namespace

std::string_view name_of(CauseCode cause) {
  switch (cause) {
    case CauseCode::None:
      return "no cause";
    case CauseCode::InvalidStreamIdentifier:
      return "invalid stream identifier";
    case CauseCode::MissingMandatoryParameter:
      return "missing mandatory parameter";
    case CauseCode::StaleCookie:
      return "stale cookie";
    case CauseCode::OutOfResource:
      return "out of resource";
    case CauseCode::UnresolvableAddress:
      return "unresolvable address";
    case CauseCode::UnrecognizedChunkType:
      return "unrecognized chunk type";
    case CauseCode::InvalidMandatoryParameter:
      return "invalid mandatory parameter";
    case CauseCode::UnrecognizedParameters:
      return "unrecognized parameters";
    case CauseCode::NoUserData:
      return "no user data";
    case CauseCode::CookieReceivedWhileShuttingDown:
      return "cookie received while shutting down";
    case CauseCode::RestartWithNewAddresses:
      return "restart with new addresses";
    case CauseCode::UserInitiatedAbort:
      return "user-initiated abort";
    case CauseCode::ProtocolViolation:
      return "protocol violation";
  }
  return "unknown cause";
}

std::uint8_t Capabilities::to_bits() const {
  return static_cast<std::uint8_t>((partial_reliability ? 1 : 0) | (reconfig ? 2 : 0) |
                                   (zero_checksum ? 4 : 0) | (interleaving ? 8 : 0) |
                                   (i_forward_tsn ? 16 : 0));
}

Capabilities Capabilities::from_bits(std::uint8_t bits) {
  return {.partial_reliability = (bits & 1) != 0,
          .reconfig = (bits & 2) != 0,
          .zero_checksum = (bits & 4) != 0,
          .interleaving = (bits & 8) != 0,
          .i_forward_tsn = (bits & 16) != 0};
}

Capabilities Capabilities::agreed(bool we_interleave) const {
  Capabilities both = *this;
  both.interleaving = interleaving && we_interleave;
  if (both.interleaving) both.partial_reliability = i_forward_tsn;
  return both;
}

std::optional<InitParameters> parse_init_parameters(Bytes parameters) {
  if (!is_well_formed_tlvs(parameters)) return std::nullopt;
  InitParameters found;
  TlvWalker walker(parameters);
  TlvView parameter;
  while (walker.next(parameter) == Walk::Item) {
    if (!read_parameter(parameter, found)) break;
  }
  return found;
}

void write_capabilities(ByteWriter& out, bool announce_zero_checksum, bool interleave) {
  write_tlv(out, code_of(ParameterType::ForwardTsnSupported), {});
  const std::array<std::uint8_t, 4> extensions = {code_of(ChunkType::ReConfig),
                                                  code_of(ChunkType::ForwardTsn), code_of(ChunkType::IData),
                                                  code_of(ChunkType::IForwardTsn)};
  write_tlv_unpadded(out, code_of(ParameterType::SupportedExtensions),
                     Bytes(extensions).first(interleave ? 4 : 2));
  if (!announce_zero_checksum) return;
  out.pad_to_4();
  std::array<std::uint8_t, 4> method;
  store_u32(method.data(), kErrorDetectionDtls);
  write_tlv_unpadded(out, code_of(ParameterType::ZeroChecksumAcceptable), method);
}

std::optional<FirstCause> parse_causes(Bytes causes) {
  if (!is_well_formed_tlvs(causes)) return std::nullopt;
  FirstCause first;
  TlvView cause;
  if (TlvWalker(causes).next(cause) != Walk::Item) return first;
  first.cause = static_cast<CauseCode>(cause.type);
  if (first.cause == CauseCode::UserInitiatedAbort || first.cause == CauseCode::ProtocolViolation) {
    first.text = harmless_text(cause.value);
  }
  return first;
}

bool has_cause(Bytes causes, CauseCode wanted) {
  TlvWalker walker(causes);
  TlvView cause;
  while (walker.next(cause) == Walk::Item) {
    if (cause.type == code_of(wanted)) return true;
  }
  return false;
}

}  // namespace pollrtc::sctp
