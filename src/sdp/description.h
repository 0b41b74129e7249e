// A session description, as far as data channels care: the struct, its parser and its writer.
// Read first: RFC 8866 §5 and §9 (lines), RFC 9429 §5.8 (what a parser checks), RFC 8841 (SCTP attributes).
//
//   auto offer = sdp::parse_description(text, limits);
//   if (!offer) complain(offer.error().detail(), offer.error().line());
//
// parse_description() checks grammar and inner consistency. Whether a description is a usable offer or answer
// is asked in offer_answer.h. What is written and read again is equal, `ignored` aside; what we have written
// is read and written again byte by byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pollrtc/candidate.h"
#include "pollrtc/environment.h"
#include "pollrtc/fingerprint.h"
#include "pollrtc/result.h"

namespace pollrtc::sdp {

enum class Setup : std::uint8_t { None, Active, Passive, Actpass, Holdconn };  // RFC 4145 §4

// The origin line. Session id and version stay text: they are numbers of any length (RFC 8866 §5.2).
struct Origin {
  std::string username = "-";
  std::string session_id = "0";
  std::string session_version = "0";
  std::string address = "IN IP4 0.0.0.0";  // net type, address type and address
  friend bool operator==(const Origin&, const Origin&) = default;
};

// What may stand at session level as a default for all sections, or in a section (RFC 9429 §5.8.1, §5.8.2).
struct TransportAttributes {
  std::string ufrag;                      // empty: absent
  std::string pwd;                        // empty: absent
  std::vector<std::string> ice_options;   // in the order written
  std::vector<Fingerprint> fingerprints;  // of the hashes that we compute
  std::vector<std::string>
      other_fingerprints;  // of others, as they stood: they count as being there, no more
  std::string tls_id;      // RFC 8842 §4; empty: absent
  Setup setup = Setup::None;
  bool end_of_candidates = false;  // RFC 8840 §8.1
  friend bool operator==(const TransportAttributes&, const TransportAttributes&) = default;
};

// An m= line and what follows it. Sections that are not ours are kept as far as an answer must mirror them.
struct Section {
  std::string media;                 // "application"
  std::string proto;                 // "UDP/DTLS/SCTP"
  std::vector<std::string> formats;  // "webrtc-datachannel"
  std::uint16_t port = 9;            // 0: rejected or disabled, unless bundle_only
  bool several_ports = false;        // "9/2": a count that is not 1
  std::string mid;                   // empty: absent
  bool bundle_only = false;          // RFC 9143 §6; kept only inside a BUNDLE group
  bool ice_mismatch = false;         // RFC 8839 §5.3
  TransportAttributes transport;
  std::vector<Candidate> candidates;
  std::optional<std::uint16_t> sctp_port;         // RFC 8841 §5
  std::optional<std::uint64_t> max_message_size;  // RFC 8841 §6, as written: 0 means any size
  std::string sctpmap;                            // the old form of sctp-port, its value
  friend bool operator==(const Section&, const Section&) = default;
};

// Candidate lines that were not kept, by reason.
struct IgnoredCandidates {
  std::uint32_t malformed = 0;   // broke the grammar
  std::uint32_t unusable = 0;    // parse_candidate() refused it
  std::uint32_t duplicate = 0;   // said the same as one before
  std::uint32_t over_limit = 0;  // beyond Limits::ice_remote_candidates in its section
  friend bool operator==(const IgnoredCandidates&, const IgnoredCandidates&) = default;
};

struct Description {
  Origin origin;
  std::string timing = "0 0";  // the t= line; an answer repeats its offer's (RFC 3264 §6)
  std::string tool;            // what made it, as a=tool says (RFC 8866 §6.3); empty: not said
  std::vector<std::vector<std::string>> bundle_groups;  // mids; the first is the tag (RFC 9143 §7)
  TransportAttributes transport;
  bool ice_lite = false;                    // RFC 8839 §5.3
  std::optional<std::uint64_t> ice_pacing;  // milliseconds, RFC 8839 §5.5
  std::vector<Section> sections;
  IgnoredCandidates ignored;  // filled by the parser, not written
  friend bool operator==(const Description&, const Description&) = default;
};

inline constexpr std::string_view kOwnTool = "pollrtc";              // in what we write
inline constexpr std::uint64_t kMaxNumber = std::uint64_t{1} << 63;  // larger numbers are read as this one

// ParseFailed: a line breaks its grammar or its order. Refused: the lines contradict each other. TooLarge,
// LimitReached: beyond `limits`. The error names the line, counted from 1.
Result<Description> parse_description(std::string_view text, const Limits& limits);

std::string write_description(const Description& description);

}  // namespace pollrtc::sdp
