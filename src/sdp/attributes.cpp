#include "sdp/attributes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sdp/candidate_line.h"
#include "sdp/line_reader.h"

namespace pollrtc::sdp {
namespace {

Unexpected<Error> malformed(std::string_view detail) { return fail(ErrorCode::ParseFailed, detail); }

struct HashName {
  std::string_view name;
  std::size_t size;
  std::optional<HashAlgorithm> ours;
};

// RFC 8122 §5. Those without a value of ours are known by size, so that a line of wrong length is caught all the same.
constexpr std::array<HashName, 7> kHashes = {{
    {"sha-256", 32, HashAlgorithm::Sha256},
    {"sha-384", 48, HashAlgorithm::Sha384},
    {"sha-512", 64, HashAlgorithm::Sha512},
    {"sha-1", 20, std::nullopt},
    {"sha-224", 28, std::nullopt},
    {"md5", 16, std::nullopt},
    {"md2", 16, std::nullopt},
}};

constexpr std::array<std::pair<Setup, std::string_view>, 4> kSetups = {{
    {Setup::Active, "active"},
    {Setup::Passive, "passive"},
    {Setup::Actpass, "actpass"},
    {Setup::Holdconn, "holdconn"},
}};

// Where a value goes.
struct Target {
  Description& description;
  Section* section;  // null at session level
  TransportAttributes& transport;
  const Limits& limits;
  std::string_view attribute;  // the whole line behind "a="
};

// RFC 9429 §5.8.1, §5.8.2: "a single" line. Which of two is meant nobody can say.
Status set_once(std::string& text, std::string_view value, std::string_view detail) {
  if (!text.empty()) return malformed(detail);
  text = value;
  return {};
}

Status read_ufrag(Target& target, std::string_view value) {  // RFC 8839 §5.4
  if (!is_ice_string(value, 4, 256)) return malformed("ice-ufrag is not 4 to 256 ice-chars");
  return set_once(target.transport.ufrag, value, "two ice-ufrag lines");
}

Status read_pwd(Target& target, std::string_view value) {  // RFC 8839 §5.4
  if (!is_ice_string(value, 22, 256)) return malformed("ice-pwd is not 22 to 256 ice-chars");
  return set_once(target.transport.pwd, value, "two ice-pwd lines");
}

// RFC 8839 §5.6 wants ice-chars; those of tokens are read too, since "google-ice" was written for years. Two lines add
// up.
Status read_ice_options(Target& target, std::string_view value) {
  for (FieldReader reader(value); !reader.at_end();) {
    const std::string_view option = reader.take();
    const auto fits = [](char c) { return is_ice_char(c) || is_token_char(c); };
    if (option.empty() || !all_are(option, fits)) return malformed("ice-options is no list of tags");
    target.transport.ice_options.emplace_back(option);
  }
  return {};
}

int hex_digit(char c) {
  const char lower = to_lower(c);
  return is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// RFC 8122 §5: two hex digits a byte with colons between. They are upper case by the grammar; lower case is read too.
// Gives the number of bytes, of which the first 64 are kept.
std::optional<std::size_t> read_hex(std::string_view text, std::array<std::uint8_t, 64>& bytes) {
  std::size_t count = 0;
  for (FieldReader reader(text, ':'); !reader.at_end(); ++count) {
    const std::string_view byte = reader.take();
    if (byte.size() != 2) return std::nullopt;
    const int high = hex_digit(byte[0]), low = hex_digit(byte[1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (count < bytes.size()) bytes[count] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return count;
}

Status read_fingerprint(Target& target, std::string_view value) {
  FieldReader reader(value);
  const std::string_view name = reader.take();
  Fingerprint fingerprint;
  const auto count = read_hex(reader.rest(), fingerprint.bytes);
  if (!is_token(name) || !count)
    return malformed("fingerprint is not hash name and bytes in hex with colons");
  // RFC 8841 §13.1 writes the name in capitals, so case must not count.
  const auto hash = std::find_if(kHashes.begin(), kHashes.end(),
                                 [&](const HashName& h) { return equals_ignoring_case(h.name, name); });
  if (hash != kHashes.end() && *count != hash->size)
    return malformed("fingerprint has not the length of its hash");
  if (hash == kHashes.end() || !hash->ours) {
    target.transport.other_fingerprints.emplace_back(value);
    return {};
  }
  fingerprint.hash = *hash->ours;
  target.transport.fingerprints.push_back(fingerprint);
  return {};
}

Status read_setup(Target& target, std::string_view value) {  // RFC 4145 §4
  for (const auto& [setup, word] : kSetups) {
    if (!equals_ignoring_case(word, value)) continue;
    if (target.transport.setup != Setup::None) return malformed("two setup lines");
    target.transport.setup = setup;
    return {};
  }
  return malformed("setup is not active, passive, actpass or holdconn");
}

Status read_tls_id(Target& target, std::string_view value) {  // RFC 8842 §4
  const auto fits = [](char c) { return is_ice_char(c) || c == '-' || c == '_'; };
  if (value.size() < 20 || value.size() > 255 || !all_are(value, fits))
    return malformed("tls-id is not 20 to 255 of its characters");
  return set_once(target.transport.tls_id, value, "two tls-id lines");
}

Status read_end_of_candidates(Target& target, std::string_view) {  // RFC 8840 §8.1
  target.transport.end_of_candidates = true;
  return {};
}

Status read_ice_lite(Target& target, std::string_view) {  // RFC 8839 §5.3
  target.description.ice_lite = true;
  return {};
}

Status read_ice_pacing(Target& target, std::string_view value) {  // RFC 8839 §5.5
  const auto milliseconds = parse_number(value);
  if (!milliseconds || value.size() > 10) return malformed("ice-pacing is not 1 to 10 digits");
  target.description.ice_pacing = *milliseconds;
  return {};
}

// RFC 5888 §5; only the groups of RFC 9143 mean something here.
Status read_group(Target& target, std::string_view value) {
  FieldReader reader(value);
  const std::string_view semantics = reader.take();
  if (!is_token(semantics)) return malformed("group has no semantics");
  std::vector<std::string> mids;
  while (!reader.at_end()) {
    const std::string_view mid = reader.take();
    if (!is_token(mid)) return malformed("group is no list of tokens");
    // Each mid names another section, so what has more than there may be sections need not be kept to be refused.
    if (semantics == "BUNDLE" && mids.size() == target.limits.sdp_sections)
      return fail(ErrorCode::Refused, "group has more mids than the limit");
    mids.emplace_back(mid);
  }
  if (semantics == "BUNDLE") target.description.bundle_groups.push_back(std::move(mids));
  return {};
}

Status read_mid(Target& target, std::string_view value) {  // RFC 5888 §4
  if (!is_token(value)) return malformed("mid is no token");
  return set_once(target.section->mid, value, "two mid lines in a section");
}

Status read_bundle_only(Target& target, std::string_view) {  // RFC 9143 §6
  target.section->bundle_only = true;
  return {};
}

Status read_ice_mismatch(Target& target, std::string_view) {  // RFC 8839 §5.3
  target.section->ice_mismatch = true;
  return {};
}

// DEVIATION RFC 9429 §5.8: a candidate line that breaks its grammar is counted and ignored, where the whole description
// would have to be refused. Lines from future extensions and from careless tools are common; one bad line need not cost
// the connection.
Status read_candidate(Target& target, std::string_view) {
  IgnoredCandidates& ignored = target.description.ignored;
  std::vector<Candidate>& kept = target.section->candidates;
  const Result<Candidate> candidate = parse_candidate(target.attribute);
  if (!candidate) {
    ++(candidate.error() == ErrorCode::ParseFailed ? ignored.malformed : ignored.unusable);
  } else if (std::find(kept.begin(), kept.end(), *candidate) != kept.end()) {
    ++ignored.duplicate;
  } else if (kept.size() >= target.limits.ice_remote_candidates) {
    ++ignored.over_limit;
  } else {
    kept.push_back(*candidate);
  }
  return {};
}

// RFC 8839 §5.2: checked, but of no use: RFC 9429 §5.8.2.
Status read_remote_candidates(Target&, std::string_view value) {
  for (FieldReader reader(value); !reader.at_end();) {
    const std::string_view component = reader.take(), address = reader.take(), port = reader.take();
    if (!is_number(component) || component.size() > 3 || !is_non_ws(address) || !is_number(port))
      return malformed("remote-candidates is no list of component, address and port");
  }
  return {};
}

bool has_leading_zero(std::string_view number) { return number.size() > 1 && number.front() == '0'; }

Status read_sctp_port(Target& target, std::string_view value) {  // RFC 8841 §5.2
  // DEVIATION RFC 8841 §5.2: one blank before the number is read, as Chromium does.
  if (value.starts_with(' ')) value.remove_prefix(1);
  const auto port = parse_number(value);
  if (!port || value.size() > 5 || has_leading_zero(value) || *port > 65535)
    return malformed("sctp-port is not 0 to 65535 without leading zeros");
  if (target.section->sctp_port) return malformed("two sctp-port lines in a section");
  target.section->sctp_port = static_cast<std::uint16_t>(*port);
  return {};
}

Status read_tool(Target& target, std::string_view value) {  // RFC 8866 §6.3
  if (target.description.tool.empty()) target.description.tool = value;
  return {};
}

Status read_max_message_size(Target& target, std::string_view value) {  // RFC 8841 §6.2
  const auto size = parse_number(value, kMaxNumber);
  if (!size || has_leading_zero(value))
    return malformed("max-message-size is no number without leading zeros");
  if (target.section->max_message_size) return malformed("two max-message-size lines in a section");
  target.section->max_message_size = *size;
  return {};
}

// The old form of sctp-port, before RFC 8841: "5000 webrtc-datachannel 1024".
Status read_sctpmap(Target& target, std::string_view value) {
  FieldReader reader(value);
  const std::string_view port = reader.take(), usage = reader.take();
  const bool has_streams = !reader.at_end();
  if (!is_number(port) || !is_token(usage) || (has_streams && !is_number(reader.take())) || !reader.at_end())
    return malformed("sctpmap is not port, usage and number of streams");
  const std::vector<std::string>& formats = target.section->formats;
  if (target.section->sctpmap.empty() && !formats.empty() && formats.front() == port)
    target.section->sctpmap = value;
  return {};
}

enum Level : std::uint8_t { kSession = 1, kMedia = 2, kBoth = 3 };
enum class Value : std::uint8_t { Flag, Required, Any };

struct Attribute {
  std::string_view name;
  Level level;
  Value value;
  Status (*read)(Target&, std::string_view);
};

constexpr std::array<Attribute, 19> kAttributes = {{
    {"ice-ufrag", kBoth, Value::Required, read_ufrag},
    {"ice-pwd", kBoth, Value::Required, read_pwd},
    {"ice-options", kBoth, Value::Required, read_ice_options},
    {"fingerprint", kBoth, Value::Required, read_fingerprint},
    {"setup", kBoth, Value::Required, read_setup},
    {"tls-id", kBoth, Value::Required, read_tls_id},
    {"end-of-candidates", kBoth, Value::Flag, read_end_of_candidates},
    {"ice-lite", kSession, Value::Flag, read_ice_lite},
    {"ice-pacing", kSession, Value::Required, read_ice_pacing},
    {"tool", kSession, Value::Required, read_tool},
    {"group", kSession, Value::Required, read_group},
    {"mid", kMedia, Value::Required, read_mid},
    {"bundle-only", kMedia, Value::Flag, read_bundle_only},
    {"ice-mismatch", kMedia, Value::Flag, read_ice_mismatch},
    {"candidate", kMedia, Value::Any, read_candidate},
    {"remote-candidates", kMedia, Value::Required, read_remote_candidates},
    {"sctp-port", kMedia, Value::Required, read_sctp_port},
    {"max-message-size", kMedia, Value::Required, read_max_message_size},
    {"sctpmap", kMedia, Value::Required, read_sctpmap},
}};

}  // namespace

Status read_attribute(std::string_view attribute, Description& description, Section* section,
                      const Limits& limits) {
  std::size_t colon = attribute.find(':');
  // "a=sctp-port 5000" was written for years before RFC 8841 was done, and Chromium still reads it.
  if (constexpr std::string_view kOld = "sctp-port "; attribute.starts_with(kOld)) colon = kOld.size() - 1;
  const std::string_view name = attribute.substr(0, colon);
  const bool has_value = colon != std::string_view::npos;
  const std::string_view value = has_value ? attribute.substr(colon + 1) : std::string_view();
  if (!is_token(name)) return malformed("attribute name is no token");

  const Level level = section == nullptr ? kSession : kMedia;
  for (const Attribute& known : kAttributes) {
    if (known.name != name || (known.level & level) == 0) continue;
    if (known.value == Value::Flag && has_value)
      return malformed("attribute that has no value was given one");
    if (known.value == Value::Required && value.empty()) return malformed("attribute lacks its value");
    Target target{description, section, section == nullptr ? description.transport : section->transport,
                  limits, attribute};
    return known.read(target, value);
  }
  return {};
}

std::string fingerprint_text(const Fingerprint& fingerprint) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";  // Firefox refuses lower case
  std::string text;
  for (const HashName& hash : kHashes)
    if (hash.ours == fingerprint.hash) text = hash.name;
  char separator = ' ';
  for (const std::uint8_t byte : fingerprint.view()) {
    text += separator;
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
    separator = ':';
  }
  return text;
}

std::string_view setup_text(Setup setup) {
  for (const auto& [known, word] : kSetups)
    if (known == setup) return word;
  return {};
}

}  // namespace pollrtc::sdp
