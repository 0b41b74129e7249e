// What the tests of descriptions share: a base offer, small edits of text, local parameters.
#pragma once

#include <string>
#include <string_view>

#include "sdp/offer_answer.h"

namespace pollrtc::test {

using namespace pollrtc::sdp;

inline const Limits kLimits;

std::string chrome_offer();

// Puts `with` where `what` stands. `what` must be there, else the test would test nothing.
std::string replace(std::string text, std::string_view what, std::string_view with);
std::string replace_all(std::string text, std::string_view what, std::string_view with);
// The whole line that begins with `begin`, without its end.
std::string line_of(const std::string& text, std::string_view begin);
bool has_line(const std::string& text, std::string_view begin);
std::string replace_line(const std::string& text, std::string_view begin, std::string_view with);
std::string without_line(const std::string& text, std::string_view begin);
std::string with_candidate(std::string_view line);

Description parsed(const std::string& text);
// Parsed, and usable as an offer.
Result<Remote> offered(const std::string& text, const Remote* current = nullptr);
inline bool is_refused(const std::string& text) { return !offered(text).has_value(); }

Fingerprint fingerprint_of(HashAlgorithm hash, std::uint8_t byte);
LocalParameters local_parameters();
Description answer_to(const std::string& text, const LocalParameters& local = local_parameters());

// A peer's answer to our offer, as text that the test may edit.
std::string answer_text(const Description& offer);
std::string candidate_line(std::string_view middle);

}  // namespace pollrtc::test
