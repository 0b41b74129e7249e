// An Environment for tests: seeded randomness, counted memory that can be made to fail, and the log kept as lines.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "pollrtc/environment.h"

namespace pollrtc::test {

class TestEnvironment {
 public:
  explicit TestEnvironment(std::uint64_t seed = 1);
  ~TestEnvironment();
  TestEnvironment(const TestEnvironment&) = delete;
  TestEnvironment& operator=(const TestEnvironment&) = delete;

  Environment env;

  // From now on `successes` allocations work and all later ones fail.
  void fail_allocations_after(std::size_t successes) { allocations_left_ = successes; }
  // The allocation after `successes` others fails, and no other. SIZE_MAX: none.
  void fail_allocation(std::size_t successes);
  void fail_randomness_after(std::size_t successes) { fills_left_ = successes; }
  std::size_t bytes_in_use() const { return bytes_in_use_; }
  std::size_t peak_bytes() const { return peak_bytes_; }
  std::size_t allocations() const { return allocations_; }
  std::size_t refused_allocations() const { return refused_; }
  std::vector<std::string> log_lines;

 private:
  static bool fill(void* context, MutBytes out);
  std::uint8_t next_byte();  // splitmix64, a byte a step
  static void* allocate(void* context, std::size_t bytes, std::size_t align);
  static void release(void* context, void* block, std::size_t bytes, std::size_t align);
  static void write(void* context, LogLevel, std::string_view room, std::string_view line);

  std::uint64_t state_;
  std::size_t allocations_left_ = std::numeric_limits<std::size_t>::max();
  std::size_t failing_allocation_ = std::numeric_limits<std::size_t>::max();
  std::size_t refused_ = 0;
  std::size_t fills_left_ = std::numeric_limits<std::size_t>::max();
  std::size_t bytes_in_use_ = 0, peak_bytes_ = 0, allocations_ = 0;
};

}  // namespace pollrtc::test
