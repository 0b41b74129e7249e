#include "sdp/candidate_line.h"

#include <array>
#include <utility>

#include "base/address.h"
#include "sdp/line_reader.h"

namespace pollrtc::sdp {
namespace {

constexpr std::uint64_t kMaxPriority = 0x7FFFFFFF;  // RFC 8839 §5.1

constexpr std::array<std::pair<std::string_view, TcpType>, 3> kTcpTypes = {{
    {"active", TcpType::Active},
    {"passive", TcpType::Passive},
    {"so", TcpType::So},
}};

std::optional<TcpType> tcp_type_from(std::string_view word) {
  for (const auto& [name, type] : kTcpTypes)
    if (equals_ignoring_case(name, word)) return type;
  return std::nullopt;
}

std::optional<CandidateType> candidate_type_from(std::string_view word) {
  using enum CandidateType;
  for (const CandidateType type :
       std::initializer_list<CandidateType>{Host, ServerReflexive, PeerReflexive, Relayed})
    if (equals_ignoring_case(name_of(type), word)) return type;
  return std::nullopt;
}

// The fields as text, once the grammar is known to be kept. What is not there is empty.
struct Fields {
  std::string_view foundation, component, transport, priority, address, port, type;
  std::string_view related_address, related_port, tcp_type, ufrag;
};

// RFC 8839 §5.1: name and value pairs, in any order here. A name at the end without a value is read and ignored: there
// are such lines in the wild, and nothing hangs on it.
bool split_extensions(FieldReader& reader, Fields& fields) {
  while (!reader.at_end()) {
    const std::string_view name = reader.take();
    if (reader.at_end()) return name.empty() || is_token(name);
    const std::string_view value = reader.take();
    if (!is_token(name) || !all_are(value, is_visible)) return false;
    if (name == "raddr") fields.related_address = value;
    if (name == "rport") fields.related_port = value;
    if (name == "tcptype") fields.tcp_type = value;
    if (name == "ufrag") fields.ufrag = value;
  }
  return true;
}

Result<Fields> split(std::string_view line) {
  const auto malformed = [](std::string_view detail) { return fail(ErrorCode::ParseFailed, detail); };
  if (line.starts_with("a=")) line.remove_prefix(2);
  constexpr std::string_view kPrefix = "candidate:";
  if (!line.starts_with(kPrefix)) return malformed("candidate line does not begin with 'candidate:'");
  FieldReader reader(line.substr(kPrefix.size()));
  Fields f;
  f.foundation = reader.take();
  f.component = reader.take();
  f.transport = reader.take();
  f.priority = reader.take();
  f.address = reader.take();
  f.port = reader.take();
  const std::string_view typ = reader.take();
  f.type = reader.take();
  if (!is_ice_string(f.foundation, 1, 32)) return malformed("candidate foundation is not 1 to 32 ice-chars");
  if (!is_number(f.component) || f.component.size() > 3)
    return malformed("candidate component is not 1 to 3 digits");
  if (!is_token(f.transport)) return malformed("candidate transport is no token");
  if (!is_number(f.priority) || f.priority.size() > 10)
    return malformed("candidate priority is not 1 to 10 digits");
  if (!is_non_ws(f.address)) return malformed("candidate has no address");
  if (!is_number(f.port)) return malformed("candidate port is no number");
  if (!equals_ignoring_case(typ, "typ") || !is_token(f.type)) return malformed("candidate has no 'typ'");
  if (!split_extensions(reader, f)) return malformed("candidate extensions are not pairs of name and value");
  if (!f.related_port.empty() && !is_number(f.related_port)) return malformed("candidate rport is no number");
  return f;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_number(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

Status read_address(const Fields& f, Candidate& candidate) {
  const auto refused = [](std::string_view detail) { return fail(ErrorCode::Refused, detail); };
  const auto port = parse_port(f.port);
  if (!port || *port == 0) return refused("candidate port is not 1 to 65535");
  if (is_mdns_name(f.address)) {
    const auto name = FixedString<64>::from(f.address);
    if (!name) return refused("candidate name is too long");
    candidate.mdns_name = *name;
    candidate.mdns_port = *port;
    return {};
  }
  const auto address = parse_ip(f.address, *port);
  if (!address) return refused("candidate address is no IP address and no mDNS name");
  // Whatever is asked about ::ffff:127.0.0.1 later must be asked about 127.0.0.1, so only that is kept.
  candidate.address = unmapped(*address);
  if (is_unspecified(candidate.address) || is_multicast(candidate.address) || is_broadcast(candidate.address))
    return refused("candidate address is no unicast destination");
  return {};
}

// raddr and rport are for diagnostics only: absent, hidden or odd ones do no harm (RFC 8839 §5.1).
Status read_related(const Fields& f, Candidate& candidate) {
  if (f.related_address.empty() || candidate.type == CandidateType::Host) return {};
  const auto port =
      f.related_port.empty() ? std::optional<std::uint16_t>(std::uint16_t{0}) : parse_port(f.related_port);
  if (!port) return fail(ErrorCode::Refused, "candidate rport is above 65535");
  const auto address = parse_ip(f.related_address, *port);
  if (address && !is_unspecified(*address)) candidate.related = *address;
  return {};
}

// RFC 6544 §4.5: a TCP candidate says which end connects. Simultaneous open works nowhere, so it is not used.
Status read_transport(const Fields& f, Candidate& candidate) {
  const auto refused = [](std::string_view detail) { return fail(ErrorCode::Refused, detail); };
  if (equals_ignoring_case(f.transport, "udp")) return {};
  if (!equals_ignoring_case(f.transport, "tcp")) return refused("candidate transport is neither UDP nor TCP");
  const auto tcp_type = tcp_type_from(f.tcp_type);
  if (!tcp_type || *tcp_type == TcpType::So) return refused("TCP candidate is neither active nor passive");
  candidate.transport = Transport::Tcp;
  candidate.tcp_type = *tcp_type;
  return {};
}

Result<Candidate> interpret(const Fields& f) {
  const auto refused = [](std::string_view detail) { return fail(ErrorCode::Refused, detail); };
  Candidate candidate;
  candidate.foundation = *FixedString<32>::from(f.foundation);
  // RTP's second component has no place here; 0 and above 256 are out of range in any case.
  if (parse_number(f.component) != std::uint64_t{1}) return refused("candidate is not of component 1");
  const auto priority = parse_number(f.priority);
  if (!priority || *priority == 0 || *priority > kMaxPriority)
    return refused("candidate priority is out of range");
  candidate.priority = static_cast<std::uint32_t>(*priority);
  const auto type = candidate_type_from(f.type);
  if (!type) return refused("candidate type is unknown");
  candidate.type = *type;
  if (const Status status = read_transport(f, candidate); !status) return Unexpected{status.error()};
  if (const Status status = read_address(f, candidate); !status) return Unexpected{status.error()};
  if (const Status status = read_related(f, candidate); !status) return Unexpected{status.error()};
  if (f.ufrag.empty()) return candidate;
  // A ufrag that no description may hold is the ufrag of no generation of ours.
  const auto ufrag = FixedString<256>::from(f.ufrag);
  if (!ufrag || !is_ice_string(f.ufrag, 4, 256)) return refused("candidate ufrag is not 4 to 256 ice-chars");
  candidate.ufrag = *ufrag;
  return candidate;
}

std::string_view word_of(TcpType type) {
  for (const auto& [name, known] : kTcpTypes)
    if (known == type) return name;
  return {};
}

void append(std::string& line, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) line.append(" ").append(word);
}

}  // namespace

bool is_mdns_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".local";
  constexpr std::string_view kForm =
      "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";  // RFC 4122 §4.4: version 4, variant 10
  if (name.size() != kForm.size() + kSuffix.size()) return false;
  if (!equals_ignoring_case(name.substr(kForm.size()), kSuffix)) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const char c = to_lower(name[i]);
    const bool is_hex = is_digit(c) || (c >= 'a' && c <= 'f');
    const bool fits = kForm[i] == 'x'   ? is_hex
                      : kForm[i] == 'y' ? c == '8' || c == '9' || c == 'a' || c == 'b'
                                        : c == kForm[i];
    if (!fits) return false;
  }
  return true;
}

Result<Candidate> parse_candidate(std::string_view line) {
  const Result<Fields> fields = split(line);
  if (!fields) return Unexpected{fields.error()};
  return interpret(*fields);
}

std::string write_candidate(const Candidate& candidate, bool hide_related) {
  std::string line = "candidate:" + std::string(candidate.foundation.view());
  const bool is_named = !candidate.mdns_name.empty();
  const AddressText ip = ip_text(candidate.address);
  append(line, {std::to_string(candidate.component), candidate.transport == Transport::Udp ? "udp" : "tcp",
                std::to_string(candidate.priority), is_named ? candidate.mdns_name.view() : ip.view(),
                std::to_string(is_named ? candidate.mdns_port : candidate.address.port), "typ",
                name_of(candidate.type)});
  if (candidate.type != CandidateType::Host) {
    const bool is_known = candidate.related.is_valid() && !hide_related;
    const bool is_v6 = candidate.address.family == Address::Family::IPv6;
    const AddressText related = ip_text(candidate.related);
    append(line, {"raddr",
                  is_known ? related.view()
                  : is_v6  ? "::"
                           : "0.0.0.0",
                  "rport", std::to_string(is_known ? candidate.related.port : 9)});
  }
  if (candidate.transport == Transport::Tcp) append(line, {"tcptype", word_of(candidate.tcp_type)});
  if (!candidate.ufrag.empty()) append(line, {"ufrag", candidate.ufrag.view()});
  return line;
}

}  // namespace pollrtc::sdp
