// for_each_seed: runs a scenario under many seeds; a failure says how to run that one again.
//
//   TEST_CASE("both ends connect") {
//     sim::for_each_seed(1, 100, [](std::uint64_t seed) { ... REQUIRE(...); });
//   }
//
// POLLRTC_SEED=n runs seed n alone; POLLRTC_SEEDS=n runs n seeds instead of the number in the test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include "support/catch.h"

namespace pollrtc::sim {

struct SeedPlan {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

// A variable that holds no number counts as not set.
inline SeedPlan plan_seeds(std::uint64_t base, std::uint64_t count, const char* seed, const char* seeds) {
  const auto number = [](const char* text, std::uint64_t& out) {
    if (text == nullptr || *text == '\0') return false;
    char* end = nullptr;
    out = std::strtoull(text, &end, 0);
    return *end == '\0';
  };
  SeedPlan plan{base, count};
  number(seeds, plan.count);
  if (number(seed, plan.first)) plan.count = 1;
  return plan;
}

// The test name as Catch2's command line wants it.
inline std::string escaped_test_name(const std::string& name) {
  std::string escaped;
  for (const char c : name) {
    if (c == ',' || c == '[' || c == '\\') escaped += '\\';
    if (c == '"' || c == '$' || c == '`') escaped += '\\';  // for the shell
    escaped += c;
  }
  return escaped;
}

inline std::string replay_command(std::uint64_t seed) {
  std::error_code ignored;
  auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto relative = std::filesystem::relative(program, std::filesystem::current_path(ignored), ignored);
  if (!ignored && !relative.empty()) program = relative;
  if (program.empty()) program = "<this test program>";
  const std::string directory = program.has_parent_path() ? "" : "./";
  return "POLLRTC_SEED=" + std::to_string(seed) + " " + directory + program.string() + " \"" +
         escaped_test_name(Catch::getResultCapture().getCurrentTestName()) + "\"";
}

template <class Scenario>
void for_each_seed(std::uint64_t base, std::uint64_t count, Scenario scenario) {
  const SeedPlan plan = plan_seeds(base, count, std::getenv("POLLRTC_SEED"), std::getenv("POLLRTC_SEEDS"));
  for (std::uint64_t seed = plan.first; seed - plan.first < plan.count; ++seed) {
    INFO("replay with: " << replay_command(seed));  // shown with each failed CHECK
    try {
      scenario(seed);
    } catch (...) {  // a failed REQUIRE, or something that was thrown
      std::cerr << "replay with: " << replay_command(seed) << std::endl;
      throw;
    }
  }
}

}  // namespace pollrtc::sim
