// Which section of a description is the data section, in its new and its old form. Shared by the reading and the
// making of offers and answers.
// Read first: RFC 8841 §4.3 (m= line), RFC 9429 §5.1.2 (protos), RFC 9143 §7.3.1 (which section of a bundle counts).
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "sdp/description.h"
#include "sdp/line_reader.h"

namespace pollrtc::sdp {

inline constexpr std::string_view kUsage = "webrtc-datachannel";

// RFC 8841 §4.3: "webrtc-datachannel" over SCTP over DTLS. Names compare byte by byte (RFC 8866 §5).
inline bool is_new_form(const Section& section) {
  return section.media == "application" &&
         (section.proto == "UDP/DTLS/SCTP" || section.proto == "TCP/DTLS/SCTP") &&
         section.formats.size() == 1 && section.formats.front() == kUsage;
}

// The drafts before RFC 8841: the format is the SCTP port, and sctpmap says what runs over it.
inline std::optional<std::uint16_t> old_form_port(const Section& section) {
  if (section.media != "application" || section.proto != "DTLS/SCTP" || section.formats.size() != 1)
    return std::nullopt;
  FieldReader map(section.sctpmap);
  const auto port = parse_number(section.formats.front());
  if (!port || *port > 65535 || map.take() != section.formats.front() || map.take() != kUsage)
    return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

inline bool is_data(const Section& section) {
  return !section.several_ports && (is_new_form(section) || old_form_port(section).has_value());
}

// RFC 9143 §6: port 0 does not mean "rejected" where bundle-only stands beside it.
inline bool is_alive(const Section& section) { return section.port != 0 || section.bundle_only; }

// The section that the group of `section` is tagged with: the first of the group. Null outside a group.
inline const Section* tagged_section(const Description& description, const Section& section) {
  if (section.mid.empty()) return nullptr;
  for (const auto& group : description.bundle_groups) {
    if (std::find(group.begin(), group.end(), section.mid) == group.end()) continue;
    for (const Section& other : description.sections)
      if (other.mid == group.front()) return &other;
  }
  return nullptr;
}

}  // namespace pollrtc::sdp
