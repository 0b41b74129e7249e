// Packets as annotated hex, and the files of tests/vectors.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pollrtc/types.h"

namespace pollrtc::test {

using ByteVector = std::vector<std::uint8_t>;

// "0001 | 2112a442  # header" -> bytes. Blanks, '|' and ':' separate; '#' starts a comment up to the end of its line.
inline ByteVector hex(std::string_view text) {
  ByteVector bytes;
  int pending = -1;
  bool comment = false;
  for (const char c : text) {
    if (c == '\n') comment = false;
    if (c == '#') comment = true;
    if (comment || c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '|' || c == ':') continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) throw std::invalid_argument("not hex: " + std::string(text));
    if (pending < 0) {
      pending = digit;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(pending << 4 | digit));
      pending = -1;
    }
  }
  if (pending >= 0) throw std::invalid_argument("odd number of hex digits");
  return bytes;
}

inline std::string to_hex(Bytes bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t b : bytes) {
    text += kDigits[b >> 4];
    text += kDigits[b & 15];
  }
  return text;
}

inline ByteVector to_vector(Bytes bytes) { return {bytes.begin(), bytes.end()}; }
inline ByteVector to_vector(std::string_view text) { return {text.begin(), text.end()}; }

extern const char* const kTestFolder;  // tests/

// `path` is relative to tests/, for example "vectors/stun/rfc5769-2.1-request.hex".
inline std::string read_test_file(const std::string& path) {
  std::ifstream file(std::string(kTestFolder) + "/" + path, std::ios::binary);
  if (!file) throw std::runtime_error("no test file " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline ByteVector read_hex_file(const std::string& path) { return hex(read_test_file(path)); }

// The rows of a .tsv file: lines that begin with '#' are comments, columns are separated by one TAB, "-" means empty.
inline std::vector<std::vector<std::string>> read_tsv(const std::string& path) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(read_test_file(path));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> row;
    std::istringstream columns(line);
    for (std::string column; std::getline(columns, column, '\t');) row.push_back(column == "-" ? "" : column);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace pollrtc::test
