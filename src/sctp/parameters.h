// Parameters of INIT, INIT ACK and RE-CONFIG (RFC 9260 §3.3.2.1, §3.3.3.1; RFC 6525 §4), error causes (RFC
// 9260 §3.3.10), and what the extension parameters say about the other end.
#pragma once

#include <string_view>

#include "base/fixed_vec.h"
#include "pollrtc/fixed_string.h"
#include "sctp/chunk_type.h"
#include "sctp/internal_types.h"
#include "sctp/tlv.h"

namespace pollrtc::sctp {

enum class ParameterType : std::uint16_t {
  HeartbeatInfo = 1,
  IPv4Address = 5,
  IPv6Address = 6,
  StateCookie = 7,
  UnrecognizedParameter = 8,
  CookiePreservative = 9,
  HostNameAddress = 11,
  SupportedAddressTypes = 12,
  OutgoingSsnReset = 13,  // RFC 6525 §4.1 .. 4.6
  IncomingSsnReset = 14,
  SsnTsnReset = 15,
  ReconfigResponse = 16,
  AddOutgoingStreams = 17,
  AddIncomingStreams = 18,
  EcnCapable = 0x8000,
  ZeroChecksumAcceptable = 0x8001,  // RFC 9653 §4
  Pad = 0x8005,                     // RFC 4820 §4
  SupportedExtensions = 0x8008,     // RFC 5061 §4.2.7
  ForwardTsnSupported = 0xC000,     // RFC 3758 §3.1
};
constexpr std::uint16_t code_of(ParameterType type) { return static_cast<std::uint16_t>(type); }

enum class CauseCode : std::uint16_t {
  None = 0,  // not a cause: an ABORT or ERROR without one
  InvalidStreamIdentifier = 1,
  MissingMandatoryParameter = 2,
  StaleCookie = 3,
  OutOfResource = 4,
  UnresolvableAddress = 5,
  UnrecognizedChunkType = 6,
  InvalidMandatoryParameter = 7,
  UnrecognizedParameters = 8,
  NoUserData = 9,
  CookieReceivedWhileShuttingDown = 10,
  RestartWithNewAddresses = 11,
  UserInitiatedAbort = 12,
  ProtocolViolation = 13,
};
constexpr std::uint16_t code_of(CauseCode cause) { return static_cast<std::uint16_t>(cause); }
std::string_view name_of(CauseCode cause);

// The extensions an end can announce. What both announced is spoken (RFC 8831 §6.1).
struct Capabilities {
  bool partial_reliability = false;  // Forward-TSN-Supported
  bool reconfig = false;             // RE-CONFIG in Supported Extensions
  bool zero_checksum = false;        // Zero Checksum Acceptable with method 1, "SCTP over DTLS"
  bool interleaving = false;         // I-DATA in Supported Extensions (RFC 8260 §2.2.1)
  bool i_forward_tsn = false;        // I-FORWARD-TSN there

  // What is spoken with a peer of these capabilities: with I-DATA, partial reliability is I-FORWARD-TSN's to give
  // (RFC 8260 §2.3.1).
  Capabilities agreed(bool we_interleave) const;

  std::uint8_t to_bits() const;
  static Capabilities from_bits(std::uint8_t bits);
  friend constexpr bool operator==(const Capabilities&, const Capabilities&) = default;
};

// What the parameters behind the fixed part of INIT or INIT ACK hold. The views point into the packet.
struct InitParameters {
  Capabilities capabilities;
  std::optional<Bytes> cookie;
  bool host_name = false;                 // SCTP-INIT-18: deprecated, draws an ABORT
  FixedVec<Bytes, 8> unrecognized;        // whole parameters that ask to be reported; more than these are not
  bool peer_refused_forward_tsn = false;  // INIT ACK came back with our Forward-TSN-Supported as unrecognized
};

// Nothing when a length is wrong: the whole chunk is to be rejected (SCTP-PKT-10).
std::optional<InitParameters> parse_init_parameters(Bytes parameters);

// What we announce: Forward-TSN-Supported and Supported Extensions in the order browsers use, with I-DATA and
// I-FORWARD-TSN if we `interleave`, then, when asked for, Zero Checksum Acceptable. Ends unpadded, as the last parameter of a chunk must be counted
// without its padding.
void write_capabilities(ByteWriter& out, bool announce_zero_checksum, bool interleave);

// The first cause of an ABORT or ERROR and, for the two that carry text, that text made harmless
// (SCTP-END-04).
struct FirstCause {
  CauseCode cause = CauseCode::None;
  FixedString<128> text;
};
// Nothing when a cause has a wrong length.
std::optional<FirstCause> parse_causes(Bytes causes);
bool has_cause(Bytes causes, CauseCode cause);

}  // namespace pollrtc::sctp
