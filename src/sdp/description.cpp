#include "sdp/description.h"

#include <algorithm>
#include <utility>

#include "sdp/attributes.h"
#include "sdp/line_reader.h"

namespace pollrtc::sdp {
namespace {

Unexpected<Error> malformed(std::string_view detail) { return fail(ErrorCode::ParseFailed, detail); }

// RFC 8866 §5: the order of lines. A line may follow one of its own kind only where `repeats` says so.
struct Rank {
  char type;
  std::uint8_t rank;
  bool repeats;
};
constexpr Rank kSessionOrder[] = {{'v', 0, false},  {'o', 1, false}, {'s', 2, false}, {'i', 3, false},
                                  {'u', 4, false},  {'e', 5, true},  {'p', 6, true},  {'c', 7, false},
                                  {'b', 8, true},   {'t', 9, true},  {'r', 10, true}, {'z', 11, false},
                                  {'k', 12, false}, {'a', 13, true}};
constexpr Rank kMediaOrder[] = {{'m', 0, false}, {'i', 1, false}, {'c', 2, true},
                                {'b', 3, true},  {'k', 4, false}, {'a', 5, true}};

template <std::size_t N>
const Rank* find_rank(const Rank (&order)[N], char type) {
  for (const Rank& rank : order)
    if (rank.type == type) return &rank;
  return nullptr;
}

// Checks one line's place after another.
class LineOrder {
 public:
  Status next(char type) {
    if (type == 'm') {
      if (const Status status = end_session(); !status) return status;
      in_media_ = true;
      last_ = &kMediaOrder[0];
      return {};
    }
    const Rank* rank = in_media_ ? find_rank(kMediaOrder, type) : find_rank(kSessionOrder, type);
    if (rank == nullptr) return malformed("line type is unknown here");
    if (const Status status = follows(*rank); !status) return status;
    last_ = rank;
    return {};
  }
  // All of v, o, s and t must have been there before the first section, or before the end.
  Status end_session() const {
    if (!in_media_ && (last_ == nullptr || last_->rank < 9)) return malformed("v=, o=, s= or t= is missing");
    return {};
  }

 private:
  Status follows(const Rank& rank) const {
    constexpr std::string_view kOutOfOrder = "line is out of order";
    const std::uint8_t last_rank = last_ == nullptr ? std::uint8_t{0} : last_->rank;
    const char last_type = last_ == nullptr ? '\0' : last_->type;
    if (in_media_)
      return rank.rank > last_rank || (&rank == last_ && rank.repeats) ? Status() : malformed(kOutOfOrder);
    // The first three have no choice: each comes right after the one before.
    if (last_ == nullptr)
      return rank.type == 'v' ? Status() : malformed("description does not begin with v=");
    if (last_rank < 2) return rank.rank == last_rank + 1 ? Status() : malformed(kOutOfOrder);
    if (rank.type == 't' && (last_type == 'r' || last_type == 'z')) return {};  // the next time-description
    if (rank.type == 'r' && last_type != 't' && last_type != 'r') return malformed("r= without t=");
    if (rank.type == 'z' && last_type != 'r') return malformed("z= without r=");
    if (rank.rank > 9 && last_rank < 9) return malformed("t= is missing");
    return rank.rank > last_rank || (&rank == last_ && rank.repeats) ? Status() : malformed(kOutOfOrder);
  }

  const Rank* last_ = nullptr;
  bool in_media_ = false;
};

Status read_origin(std::string_view value, Origin& origin) {  // RFC 8866 §5.2
  FieldReader reader(value);
  const std::string_view username = reader.take(), id = reader.take(), version = reader.take();
  const std::string_view where = reader.rest();
  const std::string_view net = reader.take(), type = reader.take(), address = reader.take();
  if (!is_non_ws(username) || !is_number(id) || !is_number(version) || !is_token(net) || !is_token(type) ||
      !is_non_ws(address) || !reader.at_end())
    return malformed("o= is not user, id, version, network, address type and address");
  origin.username = username;
  origin.session_id = id;
  origin.session_version = version;
  origin.address = where;
  return {};
}

bool is_time(std::string_view text) {  // RFC 8866 §9: "0", or ten digits and more, the first not 0
  return text == "0" || (is_number(text) && text.size() >= 10 && text.front() != '0');
}

bool is_typed_time(std::string_view text) {  // RFC 8866 §9: digits and perhaps a unit
  if (!text.empty() && std::string_view("dhms").find(text.back()) != std::string_view::npos)
    text.remove_suffix(1);
  return is_number(text);
}

Status check_time(std::string_view value) {
  FieldReader reader(value);
  const std::string_view start = reader.take(), stop = reader.take();
  return is_time(start) && is_time(stop) && reader.at_end() ? Status()
                                                            : malformed("t= is not start and stop time");
}

Status check_repeat(std::string_view value) {  // RFC 8866 §5.10: interval, duration, one offset or more
  std::size_t count = 0;
  for (FieldReader reader(value); !reader.at_end(); ++count)
    if (!is_typed_time(reader.take())) return malformed("r= is no list of times");
  return count >= 3 ? Status() : malformed("r= has too few times");
}

Status check_zone(std::string_view value) {  // RFC 8866 §5.11: pairs of time and offset
  for (FieldReader reader(value); !reader.at_end();) {
    const std::string_view time = reader.take();
    std::string_view offset = reader.take();
    if (offset.starts_with('-')) offset.remove_prefix(1);
    if (!is_time(time) || !is_typed_time(offset)) return malformed("z= is no list of time and offset");
  }
  return {};
}

Status check_connection(std::string_view value) {  // RFC 8866 §5.7; the value is never used: RFC 9429 §5.8.1
  FieldReader reader(value);
  const std::string_view net = reader.take(), type = reader.take(), address = reader.take();
  const bool fits = is_token(net) && is_token(type) && is_non_ws(address) && reader.at_end();
  return fits ? Status() : malformed("c= is not network, address type and address");
}

Status check_bandwidth(std::string_view value) {  // RFC 8866 §5.8
  FieldReader reader(value, ':');
  const std::string_view type = reader.take(), bandwidth = reader.take();
  return is_token(type) && is_number(bandwidth) && reader.at_end() ? Status()
                                                                   : malformed("b= is not type:number");
}

// RFC 8866 §5.14: media port["/"count] proto fmt...
Status read_media(std::string_view value, Section& section) {
  FieldReader reader(value);
  const std::string_view media = reader.take(), ports = reader.take(), proto = reader.take();
  if (!is_token(media)) return malformed("m= has no media type");
  FieldReader port_reader(ports, '/');
  const auto port = parse_number(port_reader.take());
  if (!port || *port > 65535) return malformed("m= port is not 0 to 65535");
  if (!port_reader.at_end()) {
    const auto count = parse_number(port_reader.take());
    if (!count || *count == 0 || !port_reader.at_end()) return malformed("m= port count is no number");
    section.several_ports = *count != 1;
  }
  for (FieldReader parts(proto, '/'); !parts.at_end();)
    if (!is_token(parts.take())) return malformed("m= proto is no list of tokens");
  if (reader.at_end()) return malformed("m= has no format");
  while (!reader.at_end()) {
    const std::string_view format = reader.take();
    if (!is_token(format)) return malformed("m= formats are not tokens with one blank between");
    section.formats.emplace_back(format);
  }
  section.media = media;
  section.port = static_cast<std::uint16_t>(*port);
  section.proto = proto;
  return {};
}

class Parser {
 public:
  explicit Parser(const Limits& limits) : limits_(limits) {}

  Status take(const Line& line) {
    if (const Status status = order_.next(line.type); !status) return status;
    switch (line.type) {
      case 'v':
        return line.value == "0" ? Status() : malformed("v= is not 0");
      case 'o':
        return read_origin(line.value, description_.origin);
      case 't':
        return take_time(line.value);
      case 'r':
        return check_repeat(line.value);
      case 'z':
        return check_zone(line.value);
      case 'c':
        return check_connection(line.value);
      case 'b':
        return check_bandwidth(line.value);
      case 's':  // one byte at least by the grammar, but the examples of the RFCs have none
      case 'k':  // RFC 8866 §5.12: obsolete, must not be used
        return {};
      case 'm':
        return take_media(line.value);
      case 'a':
        return read_attribute(line.value, description_, section(), limits_);
      default:  // i, u, e, p: never used
        return line.value.empty() ? malformed("line has no value") : Status();
    }
  }

  Result<Description> finish() {
    if (const Status status = order_.end_session(); !status) return Unexpected{status.error()};
    if (const Status status = check_mids(); !status) return Unexpected{status.error()};
    if (const Status status = check_passwords(); !status) return Unexpected{status.error()};
    return std::move(description_);
  }

 private:
  Section* section() { return description_.sections.empty() ? nullptr : &description_.sections.back(); }

  Status take_time(std::string_view value) {
    if (const Status status = check_time(value); !status) return status;
    if (!has_time_) description_.timing = value;
    has_time_ = true;
    return {};
  }

  Status take_media(std::string_view value) {
    if (description_.sections.size() >= limits_.sdp_sections)
      return fail(ErrorCode::LimitReached, "more sections than the limit");
    return read_media(value, description_.sections.emplace_back());
  }

  // RFC 9143 §5, RFC 5888 §4: a mid names one section and is in one BUNDLE group at most.
  Status check_mids() {
    std::vector<Section>& sections = description_.sections;
    const auto find = [&](auto begin, const std::string& mid) {
      return std::find_if(begin, sections.end(), [&](const Section& s) { return s.mid == mid; });
    };
    for (auto at = sections.begin(); at != sections.end(); ++at)
      if (!at->mid.empty() && find(at + 1, at->mid) != sections.end())
        return fail(ErrorCode::Refused, "two sections have the same mid");
    std::vector<bool> is_bundled(sections.size());
    for (const auto& group : description_.bundle_groups) {
      for (const std::string& mid : group) {
        const auto found = find(sections.begin(), mid);
        if (found == sections.end()) return fail(ErrorCode::Refused, "BUNDLE group names an unknown mid");
        const auto index = static_cast<std::size_t>(found - sections.begin());
        if (is_bundled[index]) return fail(ErrorCode::Refused, "mid is in BUNDLE groups twice");
        is_bundled[index] = true;
      }
    }
    // RFC 9143 §6: bundle-only means something inside a group only.
    for (std::size_t i = 0; i < sections.size(); ++i) sections[i].bundle_only &= is_bundled[i];
    return {};
  }

  // RFC 8839 §5.4: sections that share a ufrag share the password.
  Status check_passwords() const {
    const auto own = [&](const Section& section) {
      const TransportAttributes &mine = section.transport, &session = description_.transport;
      return std::pair<std::string_view, std::string_view>(mine.ufrag.empty() ? session.ufrag : mine.ufrag,
                                                           mine.pwd.empty() ? session.pwd : mine.pwd);
    };
    for (const Section& a : description_.sections)
      for (const Section& b : description_.sections)
        if (!own(a).first.empty() && own(a).first == own(b).first && own(a).second != own(b).second)
          return fail(ErrorCode::Refused, "two sections share a ufrag but not the password");
    return {};
  }

  const Limits& limits_;
  LineOrder order_;
  Description description_;
  bool has_time_ = false;
};

}  // namespace

Result<Description> parse_description(std::string_view text, const Limits& limits) {
  if (text.size() > limits.sdp_size) return fail(ErrorCode::TooLarge, "description is longer than the limit");
  Parser parser(limits);
  for (LineReader lines(text, limits.sdp_line); !lines.at_end();) {
    const Result<Line> line = lines.next();
    if (!line) return Unexpected{line.error()};
    if (const Status status = parser.take(*line); !status)
      return Unexpected{Error(status.error().code(), status.error().detail(), line->number)};
  }
  return parser.finish();
}

}  // namespace pollrtc::sdp
