// Making offers and answers, and reading those of the other end: pure functions from facts to facts. The
// signaling states are not here; `peer` asks these functions and then acts. Read first: RFC 9429 §5.2, §5.3,
// §5.8 to §5.11; RFC 8842 §5 (DTLS roles); RFC 8841 §10; RFC 9143 §7.3.
//
// As offerer:   make_offer -> write_description -> ... -> parse_description -> read_answer
// As answerer:  parse_description -> read_offer -> make_answer -> write_description
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <span>

#include "sdp/description.h"

namespace pollrtc::sdp {

enum class DtlsRole : std::uint8_t { Client, Server };

inline constexpr std::uint64_t kAnySize = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint64_t kDefaultMaxMessageSize = 65536;                // RFC 8841 §6.1: "64K"
inline constexpr std::uint64_t kLargestWritten = 0x7FFFFFFF;                  // Chromium refuses 2^32 - 1
inline constexpr Duration kDefaultIcePacing = std::chrono::milliseconds(50);  // RFC 8839 §5.5
inline constexpr Duration kMaxIcePacing = std::chrono::seconds(2);

// What we say about ourselves.
struct LocalParameters {
  Origin origin;      // see stamp()
  std::string mid;    // of the data section, and of no other; used in offers only, an answer has the offer's
  std::string ufrag;  // RFC 8839 §5.4: 4 to 32 characters when sending
  std::string pwd;    // 22 to 256
  std::vector<Fingerprint> fingerprints;
  std::string tls_id;  // 20 to 255
  std::uint16_t sctp_port = 5000;
  std::uint64_t max_message_size = 262144;
  std::vector<Candidate> candidates;  // those gathered so far in this generation
  bool end_of_candidates = false;     // gathering is over
  bool ice_lite = false;
  std::optional<Duration> ice_pacing;  // only when it is not the default (RFC 8839 §4.3.1)
  bool hide_related = false;           // RFC 9429 §3.5.3: raddr and rport say nothing
};

// What the other end's description says about the one data section in use, resolved over session level,
// section and bundle. It is also what the next description is compared with.
struct Remote {
  bool has_data = false;  // false: no data section, or it is rejected; only `section_count` counts then
  std::size_t section_count = 0;
  std::size_t index = 0;  // of the data section among the m= lines
  std::size_t transport_index =
      0;            // where ICE and DTLS lines stand: another one only when bundled (RFC 9143 §7.1.3)
  std::string mid;  // empty: the other end uses none
  std::string transport_mid;

  std::string ufrag;
  std::string pwd;
  std::vector<std::string> ice_options;  // sorted, without repetition
  bool ice_lite = false;
  bool trickle = false;  // RFC 8838 §3: it can take candidates later
  Duration ice_pacing = kDefaultIcePacing;
  std::vector<Candidate> candidates;
  bool end_of_candidates = false;

  std::vector<Fingerprint> fingerprints;  // only those of the one hash that we prefer (RFC 8122 §5.1)
  std::string tls_id;
  Setup setup = Setup::None;
  DtlsRole our_role = DtlsRole::Client;

  std::uint16_t sctp_port = 5000;  // theirs; 0: no association (RFC 8841 §9.3)
  bool is_pollrtc = false;         // the other end is one of ours
  bool is_legacy = false;          // DTLS/SCTP with sctpmap: both ends use the port in the m= line
  std::uint64_t max_message_size = kDefaultMaxMessageSize;  // theirs, effective: kAnySize when they said 0
};

// How two descriptions of the same end differ, in what must be started anew.
struct Changes {
  bool ice = false;   // ufrag or pwd: an ICE restart (RFC 9429 §5.10)
  bool dtls = false;  // fingerprints, tls-id or role: a new DTLS association (RFC 8842 §3.1)
  bool sctp = false;  // the SCTP port (RFC 8841 §9.3)
};
Changes changes(const Remote& before, const Remote& after);

// RFC 8842 §5.3: the answerer's role for what the offer says. Nothing when no answer is possible. `living` is
// the answerer's role in the association that goes on, if there is one.
std::optional<DtlsRole> answerer_role(Setup offer, std::optional<DtlsRole> living);
// The offerer's role, once the answer is there. Nothing when the answer does not fit the offer.
std::optional<DtlsRole> offerer_role(Setup offer, Setup answer);

// --- making
// -----------------------------------------------------------------------------------------------------

// An offer of one data section. `current` is our last description that was agreed on, if any: its other
// sections stay, rejected, since a section never goes away (RFC 3264 §8); the data section keeps its place
// (`data_index`).
Result<Description> make_offer(const LocalParameters& local, const Description* current = nullptr,
                               std::size_t data_index = 0);

// The answer to an offer that read_offer() accepted, with what it returned.
Result<Description> make_answer(const LocalParameters& local, const Description& offer, const Remote& remote);

// RFC 9429 §5.2.2: the origin of a description is that of the one made last, with the version one higher when
// anything differs. `last` is the last one *made*, so that a version that was rolled back is not used again.
void stamp(Description& next, const Description& last);
// An origin for a first description: 63 random bits (RFC 9429 §5.2.1); and a tls-id of 144 (RFC 8842 §4).
Result<Origin> make_origin(const Rng& rng);
Result<std::string> make_tls_id(const Rng& rng);

// For a section that is new, also one in the place of a rejected one (RFC 9429 §5.2.2): the smallest number that no section has.
std::string unused_mid(std::span<const Section> sections);

// The SCTP port of a data section in either form: `sctp-port`, or the format of the old proto.
std::optional<std::uint16_t> sctp_port_of(const Section& section);

// --- reading
// ----------------------------------------------------------------------------------------------------

// The offer, checked and resolved. `current` is what the last agreed description of the other end said, if
// any. An offer without a data section that we can take is no error: has_data is false and the answer rejects
// all.
Result<Remote> read_offer(const Description& offer, const Remote* current = nullptr);

struct AnswerContext {
  const Remote* current = nullptr;  // what the last agreed description of the other end said, if any
  bool offer_restarts_ice = false;  // our offer had other credentials than our description before
  bool after_pranswer = false;  // `current` is from a provisional answer to the same offer (RFC 9429 §5.10)
};
// The answer (or provisional answer), checked against our offer and resolved.
Result<Remote> read_answer(const Description& offer, const Description& answer,
                           const AnswerContext& context = {});

inline Status check_offer(const Description& offer, const Remote* current = nullptr) {
  const Result<Remote> remote = read_offer(offer, current);
  return remote ? Status() : Status(Unexpected{remote.error()});
}
inline Status check_answer(const Description& offer, const Description& answer,
                           const AnswerContext& context = {}) {
  const Result<Remote> remote = read_answer(offer, answer, context);
  return remote ? Status() : Status(Unexpected{remote.error()});
}

}  // namespace pollrtc::sdp
