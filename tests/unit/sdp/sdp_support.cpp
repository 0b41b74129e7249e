#include "unit/sdp/sdp_support.h"

#include <stdexcept>

#include "support/bytes.h"

namespace pollrtc::test {

std::string chrome_offer() { return read_test_file("vectors/sdp/offer-chrome.sdp"); }

std::string replace(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  if (at == std::string::npos) throw std::invalid_argument("not in the text: " + std::string(what));
  return text.replace(at, what.size(), with);
}

std::string replace_all(std::string text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

std::string line_of(const std::string& text, std::string_view begin) {
  const std::size_t at = text.rfind("\r\n" + std::string(begin));
  if (at == std::string::npos) throw std::invalid_argument("no line " + std::string(begin));
  return text.substr(at + 2, text.find("\r\n", at + 2) - at - 2);
}

bool has_line(const std::string& text, std::string_view begin) {
  return text.find("\r\n" + std::string(begin)) != std::string::npos;
}

std::string replace_line(const std::string& text, std::string_view begin, std::string_view with) {
  return replace(text, line_of(text, begin) + "\r\n",
                 with.empty() ? std::string() : std::string(with) + "\r\n");
}

std::string without_line(const std::string& text, std::string_view begin) {
  return replace_line(text, begin, "");
}

std::string with_candidate(std::string_view line) {
  return replace_line(chrome_offer(), "a=candidate:1669605774", line);
}

Description parsed(const std::string& text) {
  const Result<Description> description = parse_description(text, kLimits);
  if (!description) throw std::invalid_argument(std::string(description.error().detail()));
  return *description;
}

Result<Remote> offered(const std::string& text, const Remote* current) {
  const Result<Description> description = parse_description(text, kLimits);
  if (!description) return Unexpected{description.error()};
  return read_offer(*description, current);
}

Fingerprint fingerprint_of(HashAlgorithm hash, std::uint8_t byte) {
  Fingerprint fingerprint;
  fingerprint.hash = hash;
  for (std::size_t i = 0; i < fingerprint.size(); ++i) fingerprint.bytes[i] = byte;
  return fingerprint;
}

LocalParameters local_parameters() {
  LocalParameters local;
  local.origin.session_id = "4611686018427387904";
  local.origin.session_version = "1";
  local.mid = "0";
  local.ufrag = "ourUfrag";
  local.pwd = "ourPasswordOf24Character";
  local.fingerprints = {fingerprint_of(HashAlgorithm::Sha256, 0xAB)};
  local.tls_id = "ourTlsId0123456789abcdef";
  return local;
}

Description answer_to(const std::string& text, const LocalParameters& local) {
  const Description offer = parsed(text);
  const Result<Remote> remote = read_offer(offer);
  if (!remote) throw std::invalid_argument(std::string(remote.error().detail()));
  const Result<Description> answer = make_answer(local, offer, *remote);
  if (!answer) throw std::invalid_argument(std::string(answer.error().detail()));
  return *answer;
}

std::string answer_text(const Description& offer) {
  LocalParameters theirs = local_parameters();
  theirs.ufrag = "theirUfrag";
  theirs.pwd = "theirPasswordOf24Charact";
  theirs.tls_id = "theirTlsId0123456789abcd";
  theirs.fingerprints = {fingerprint_of(HashAlgorithm::Sha256, 0xCD)};
  return write_description(*make_answer(theirs, offer, *read_offer(offer)));
}

std::string candidate_line(std::string_view middle) {
  return "candidate:1 1 udp 2113937151 " + std::string(middle);
}

}  // namespace pollrtc::test
