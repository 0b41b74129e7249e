// Lines and tokens over a string_view: nothing is copied, every byte is looked at once or a few times.
// Read first: RFC 8866 §5 (lines) and §9 (the grammar whose names are used here).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/ascii.h"
#include "pollrtc/result.h"

namespace pollrtc::sdp {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// RFC 8839 §5.1
constexpr bool is_ice_char(char c) { return is_alphanumeric(c) || c == '+' || c == '/'; }
// RFC 8866 §9: token-char
constexpr bool is_token_char(char c) {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`{|}~").find(c) != std::string_view::npos;
}
// RFC 8866 §9: VCHAR or any byte above ASCII
constexpr bool is_visible(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f;
}

template <class Predicate>
constexpr bool all_are(std::string_view text, Predicate predicate) {
  for (const char c : text)
    if (!predicate(c)) return false;
  return true;
}
constexpr bool is_token(std::string_view text) { return !text.empty() && all_are(text, is_token_char); }
constexpr bool is_number(std::string_view text) { return !text.empty() && all_are(text, is_digit); }
constexpr bool is_non_ws(std::string_view text) { return !text.empty() && all_are(text, is_visible); }
constexpr bool is_ice_string(std::string_view text, std::size_t min, std::size_t max) {
  return text.size() >= min && text.size() <= max && all_are(text, is_ice_char);
}

// Digits only: no sign, no blank, no hexadecimal. A number above `max` is read as `max`, however long it is, so that
// nothing wraps around.
constexpr std::optional<std::uint64_t> parse_number(
    std::string_view text, std::uint64_t max = std::numeric_limits<std::uint64_t>::max()) {
  if (!is_number(text)) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (max - digit) / 10) return max;
    value = value * 10 + digit;
  }
  return value;
}

// Takes apart at single separators: "a b" is two fields, "a  b" three with an empty one between.
class FieldReader {
 public:
  explicit FieldReader(std::string_view text, char separator = ' ') : rest_(text), separator_(separator) {}

  // Nothing once all fields are taken. The empty text is one empty field.
  std::optional<std::string_view> next() {
    if (done_) return std::nullopt;
    const std::size_t end = rest_.find(separator_);
    const std::string_view field = rest_.substr(0, end);
    done_ = end == std::string_view::npos;
    rest_.remove_prefix(done_ ? rest_.size() : end + 1);
    return field;
  }
  // As next(), with an empty view in place of "no more": for fields that may not be empty.
  std::string_view take() { return next().value_or(std::string_view()); }
  std::string_view rest() const { return rest_; }
  bool at_end() const { return done_; }

 private:
  std::string_view rest_;
  char separator_;
  bool done_ = false;
};

struct Line {
  char type = 0;           // the letter
  std::string_view value;  // what stands behind '='
  std::uint32_t number = 0;
};

// Lines of "x=value". They end with CRLF; LF alone, and no end at the last, are read too (RFC 8866 §5).
class LineReader {
 public:
  LineReader(std::string_view text, std::size_t max_line) : rest_(text), max_line_(max_line) {}

  bool at_end() const { return rest_.empty(); }
  std::uint32_t number() const { return number_; }  // of the line read last

  // Only when not at_end().
  Result<Line> next() {
    ++number_;
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > max_line_) return error(ErrorCode::TooLarge, "line is longer than the limit");
    // RFC 8866 §9: byte-string. A lone CR or a NUL would end the line for some other reader.
    if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos)
      return error(ErrorCode::ParseFailed, "CR or NUL inside a line");
    if (line.size() < 2 || line[1] != '=')
      return error(ErrorCode::ParseFailed, "not a line of letter, '=' and value");
    return Line{line[0], line.substr(2), number_};
  }

 private:
  Unexpected<Error> error(ErrorCode code, std::string_view detail) const {
    return Unexpected{Error(code, detail, number_)};
  }

  std::string_view rest_;
  std::size_t max_line_;
  std::uint32_t number_ = 0;
};

}  // namespace pollrtc::sdp
