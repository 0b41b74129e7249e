// Saying what this end is: offers, answers and what both have in common.
#include <algorithm>
#include <array>

#include "base/random.h"
#include "sdp/data_section.h"
#include "sdp/offer_answer.h"

namespace pollrtc::sdp {
namespace {

constexpr std::size_t kTlsIdSize = 24;  // 144 random bits, where RFC 8842 §4 wants 120
// As many streams as SCTP can have; in the old form their number was written.
constexpr std::string_view kOldFormStreams = " webrtc-datachannel 65535";

Unexpected<Error> invalid(std::string_view detail) { return fail(ErrorCode::InvalidArgument, detail); }

// Nothing that goes into a line may end it: RFC 8866 §9. The values are ours, or a caller's that we pass on.
Status check(const LocalParameters& local) {
  const Origin& origin = local.origin;
  const auto fits_text = [](char c) { return is_visible(c) || c == ' '; };
  if (!is_non_ws(origin.username) || !is_number(origin.session_id) || !is_number(origin.session_version) ||
      origin.address.empty() || !all_are(origin.address, fits_text))
    return invalid("origin breaks the grammar of its line");
  // RFC 8839 §5.4: up to 256 are read, up to 32 written.
  if (!is_ice_string(local.ufrag, 4, 32)) return invalid("ufrag is not 4 to 32 ice-chars");
  if (!is_ice_string(local.pwd, 22, 256)) return invalid("pwd is not 22 to 256 ice-chars");
  if (local.fingerprints.empty()) return invalid("no fingerprint");
  const auto fits_tls_id = [](char c) { return is_ice_char(c) || c == '-' || c == '_'; };
  if (local.tls_id.size() < 20 || local.tls_id.size() > 255 || !all_are(local.tls_id, fits_tls_id))
    return invalid("tls-id is not 20 to 255 of its characters");
  if (local.max_message_size == 0) return invalid("max_message_size 0 would promise to take any size");
  for (const Candidate& candidate : local.candidates)
    if (!is_ice_string(candidate.foundation.view(), 1, 32) ||
        !(candidate.mdns_name.empty() || is_non_ws(candidate.mdns_name.view())))
      return invalid("candidate breaks the grammar of its line");
  return {};
}

// RFC 3264 §6: a section that is not taken, or no longer, stays in its place with port 0 and one format.
Section rejected(const Section& section) {
  Section answer;
  answer.media = section.media;
  answer.proto = section.proto;
  answer.formats = {section.formats.empty() ? std::string("0") : section.formats.front()};
  answer.port = 0;
  answer.mid = section.mid;
  return answer;
}

// The lines that offer and answer have in common. Port 9 and 0.0.0.0 stay for ever.
// DEVIATION RFC 9429 §5.2.2: the m= and c= lines do not follow the default candidate, as in both browsers. Nobody with
// ICE reads them, and an address written there would get past the policy on hidden addresses.
Section data_section(const LocalParameters& local, Setup setup) {
  Section section;
  section.media = "application";
  section.proto = "UDP/DTLS/SCTP";
  section.formats = {std::string(kUsage)};
  section.transport.ufrag = local.ufrag;
  section.transport.pwd = local.pwd;
  section.transport.fingerprints = local.fingerprints;
  section.transport.tls_id = local.tls_id;
  section.transport.setup = setup;
  section.transport.end_of_candidates = local.end_of_candidates;
  section.sctp_port = local.sctp_port;
  section.max_message_size = std::min(local.max_message_size, kLargestWritten);
  for (Candidate candidate : local.candidates) {
    candidate.base = {};   // not for the other end to know
    candidate.ufrag = {};  // the section has it
    if (local.hide_related) candidate.related = {};
    section.candidates.push_back(candidate);
  }
  return section;
}

std::optional<std::uint64_t> milliseconds_of(const std::optional<Duration>& time) {
  if (!time) return std::nullopt;
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(*time).count());
}

bool is_bundled(const Description& description, const std::string& mid) {
  return std::any_of(
      description.bundle_groups.begin(), description.bundle_groups.end(),
      [&](const auto& group) { return std::find(group.begin(), group.end(), mid) != group.end(); });
}

// RFC 9429 §5.3.1: of our options those that the offer had.
std::vector<std::string> common_options(const Remote& remote) {
  std::vector<std::string> common;
  for (const char* option : {"trickle", "ice2"})
    if (std::find(remote.ice_options.begin(), remote.ice_options.end(), option) != remote.ice_options.end())
      common.emplace_back(option);
  return common;
}

}  // namespace

Result<Description> make_offer(const LocalParameters& local, const Description* current,
                               std::size_t data_index) {
  if (const Status status = check(local); !status) return Unexpected{status.error()};
  if (!is_token(local.mid)) return invalid("mid is no token");
  const std::size_t count = current == nullptr ? 0 : current->sections.size();
  if (data_index > count) return invalid("data_index is behind the last section");

  Description offer;
  offer.origin = local.origin;
  offer.tool = kOwnTool;
  if (current != nullptr) {
    offer.timing = current->timing;  // RFC 9429 §5.2.2
    for (const Section& section : current->sections) {
      if (section.mid == local.mid && offer.sections.size() != data_index)
        return invalid("mid is that of another section");
      offer.sections.push_back(rejected(section));
    }
  }
  if (data_index == count) offer.sections.emplace_back();
  // DEVIATION RFC 8839 §4.4.1.2.2: no remote-candidates line, as JSEP has none either.
  Section& section = offer.sections[data_index];
  section = data_section(local, Setup::Actpass);  // RFC 8842 §5.2, §5.5: in every offer
  section.mid = local.mid;
  offer.bundle_groups = {{local.mid}};
  offer.ice_lite = local.ice_lite;
  offer.ice_pacing = milliseconds_of(local.ice_pacing);
  // RFC 9429 §5.2.1: at session level. RFC 8839 §4.4.1.1.1: what an answer of ours left out stays out until ICE restarts.
  const TransportAttributes* before =
      current != nullptr && data_index < count ? &current->sections[data_index].transport : nullptr;
  const bool same_ice = before != nullptr && before->ufrag == local.ufrag && before->pwd == local.pwd;
  offer.transport.ice_options =
      same_ice ? current->transport.ice_options : std::vector<std::string>{"trickle", "ice2"};
  return offer;
}

Result<Description> make_answer(const LocalParameters& local, const Description& offer,
                                const Remote& remote) {
  if (const Status status = check(local); !status) return Unexpected{status.error()};
  if (remote.section_count != offer.sections.size() ||
      (remote.has_data && remote.index >= offer.sections.size()))
    return invalid("the facts are not those of this offer");
  Description answer;
  answer.origin = local.origin;
  answer.tool = kOwnTool;
  answer.timing = offer.timing;  // RFC 3264 §6
  for (const Section& section : offer.sections) answer.sections.push_back(rejected(section));
  if (!remote.has_data) return answer;

  const Section& offered = offer.sections[remote.index];
  Section& section = answer.sections[remote.index];
  section = data_section(local, remote.our_role == DtlsRole::Client ? Setup::Active : Setup::Passive);
  section.proto = offered.proto;  // RFC 9429 §5.3.1: both exactly as offered
  section.formats = offered.formats;
  section.mid = offered.mid;
  if (remote.is_legacy) {
    section.sctp_port.reset();
    section.sctpmap = offered.formats.front() + std::string(kOldFormStreams);
  } else if (remote.sctp_port == 0) {
    section.sctp_port = std::uint16_t{0};  // RFC 8841 §10.3: no association, said by both
  }
  if (remote.tls_id.empty()) section.transport.tls_id.clear();  // RFC 8842 §5.3
  // DEVIATION RFC 9429 §5.3.1: when the tagged section is one that we reject, the group lives on with our section as
  // its tag (RFC 9143 §7.3.1); JSEP would reject the whole group.
  if (is_bundled(offer, offered.mid)) answer.bundle_groups = {{offered.mid}};
  answer.transport.ice_options = common_options(remote);
  answer.ice_lite = local.ice_lite;
  answer.ice_pacing = milliseconds_of(local.ice_pacing);
  return answer;
}

void stamp(Description& next, const Description& last) {
  next.origin = last.origin;
  if (next == last) return;
  const std::uint64_t version = parse_number(last.origin.session_version, kMaxNumber).value_or(0);
  next.origin.session_version = std::to_string(version + 1);
}

std::string unused_mid(std::span<const Section> sections) {
  std::string mid = std::to_string(0);
  const auto has_it = [&](const Section& section) { return section.mid == mid; };
  for (std::size_t next = 1; std::any_of(sections.begin(), sections.end(), has_it); ++next)
    mid = std::to_string(next);
  return mid;
}

Result<Origin> make_origin(const Rng& rng) {
  const auto random = random_u64(rng);
  if (!random) return fail(ErrorCode::NoRandomness, "no random session id");
  constexpr std::uint64_t kTooLarge = (std::uint64_t{1} << 63) - 1;  // RFC 9429 §5.2.1: below this
  Origin origin;
  origin.session_id = std::to_string((*random >> 1) % kTooLarge);
  origin.session_version = std::to_string(1);  // a literal draws a false -Wrestrict from gcc 12
  return origin;
}

Result<std::string> make_tls_id(const Rng& rng) {
  std::array<char, kTlsIdSize> text;
  if (!fill_random_ice_chars(rng, text)) return fail(ErrorCode::NoRandomness, "no random tls-id");
  return std::string(text.data(), text.size());
}

}  // namespace pollrtc::sdp
