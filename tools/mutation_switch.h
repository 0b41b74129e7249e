// What mutation_exam.py compiles its faults behind: on(17) is true in a process whose POLLRTC_FAULT is 17. With
// POLLRTC_FAULTS_REACHED, the number of each switch that is come by is added to the file of that name, once.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <type_traits>

namespace mutation {

inline int chosen() {
  static const int number = [] {
    const char* const text = std::getenv("POLLRTC_FAULT");
    return text == nullptr ? -1 : std::atoi(text);
  }();
  return number;
}

inline void reached(int number) {
  static const char* const name = std::getenv("POLLRTC_FAULTS_REACHED");
  static bool seen[10'000] = {};
  if (name == nullptr || seen[number]) return;
  seen[number] = true;
  std::FILE* const file = std::fopen(name, "a");
  if (file == nullptr) std::abort();
  std::fprintf(file, "%d\n", number);
  std::fclose(file);
}

// What the compiler works out itself has no faults.
constexpr bool on(int number) {
  if (std::is_constant_evaluated()) return false;
  reached(number);
  return chosen() == number;
}

}  // namespace mutation
