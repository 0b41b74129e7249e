// What errors, drops, ends and kinds of candidates are called.
#include "pollrtc/error.h"

#include <array>

#include "pollrtc/candidate.h"

namespace pollrtc {
namespace {

#define NAME(name, meaning) std::string_view(#name),
#define MEANING(name, meaning) std::string_view(meaning),
constexpr std::array kErrorNames{POLLRTC_ERROR_CODES(NAME)};
constexpr std::array kErrorMeanings{POLLRTC_ERROR_CODES(MEANING)};
constexpr std::array kDropNames{POLLRTC_DROPS(NAME)};
constexpr std::array kDropMeanings{POLLRTC_DROPS(MEANING)};
constexpr std::array kCloseNames{POLLRTC_CLOSES(NAME)};
constexpr std::array kCloseMeanings{POLLRTC_CLOSES(MEANING)};
#undef NAME
#undef MEANING
constexpr std::array<std::string_view, 4> kCandidateTypeNames{"host", "srflx", "prflx", "relay"};

template <class Table, class Enum>
std::string_view look_up(const Table& table, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < table.size() ? table[index] : std::string_view("?");
}

}  // namespace

std::string_view name_of(ErrorCode code) { return look_up(kErrorNames, code); }
std::string_view name_of(Drop drop) { return look_up(kDropNames, drop); }
std::string_view name_of(Close close) { return look_up(kCloseNames, close); }
std::string_view name_of(CandidateType type) { return look_up(kCandidateTypeNames, type); }
std::string_view meaning_of(ErrorCode code) { return look_up(kErrorMeanings, code); }
std::string_view meaning_of(Drop drop) { return look_up(kDropMeanings, drop); }
std::string_view meaning_of(Close close) { return look_up(kCloseMeanings, close); }

}  // namespace pollrtc
