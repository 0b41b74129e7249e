// An Environment for tests: seeded randomness, counted memory that can be made to fail, and the log kept as lines.
#pragma once

#include <cstdlib>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "pollrtc/environment.h"

namespace pollrtc::test {

class TestEnvironment {
 public:
  explicit TestEnvironment(std::uint64_t seed = 1) : state_(seed) {
    env.rng = {fill, this};
    env.memory = {allocate, release, this};
    env.log = {write, this, LogLevel::Trace};
  }
  TestEnvironment(const TestEnvironment&) = delete;
  TestEnvironment& operator=(const TestEnvironment&) = delete;

  Environment env;

  // From now on `successes` allocations work and all later ones fail.
  void fail_allocations_after(std::size_t successes) { allocations_left_ = successes; }
  // The allocation after `successes` others fails, and no other. SIZE_MAX: none.
  void fail_allocation(std::size_t successes) {
    failing_allocation_ = successes == SIZE_MAX ? SIZE_MAX : allocations_ + refused_ + successes;
  }
  void fail_randomness_after(std::size_t successes) { fills_left_ = successes; }
  std::size_t bytes_in_use() const { return bytes_in_use_; }
  std::size_t peak_bytes() const { return peak_bytes_; }
  std::size_t allocations() const { return allocations_; }
  std::size_t refused_allocations() const { return refused_; }
  std::vector<std::string> log_lines;

 private:
  static bool fill(void* context, MutBytes out) {
    auto& self = *static_cast<TestEnvironment*>(context);
    if (self.fills_left_ == 0) return false;
    --self.fills_left_;
    for (std::uint8_t& byte : out) byte = self.next_byte();
    return true;
  }
  std::uint8_t next_byte() {  // splitmix64, a byte a step
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<std::uint8_t>(z >> 56);
  }
  static void* allocate(void* context, std::size_t bytes, std::size_t align) {
    auto& self = *static_cast<TestEnvironment*>(context);
    if (self.allocations_left_ == 0 || self.allocations_ + self.refused_ == self.failing_allocation_) {
      ++self.refused_;
      return nullptr;
    }
    --self.allocations_left_;
    ++self.allocations_;
    self.bytes_in_use_ += bytes;
    if (self.bytes_in_use_ > self.peak_bytes_) self.peak_bytes_ = self.bytes_in_use_;
    return ::operator new(bytes, std::align_val_t(align));
  }
  static void release(void* context, void* block, std::size_t bytes, std::size_t align) {
    static_cast<TestEnvironment*>(context)->bytes_in_use_ -= bytes;
    ::operator delete(block, std::align_val_t(align));
  }
  static void write(void* context, LogLevel, std::string_view room, std::string_view line) {
    static_cast<TestEnvironment*>(context)->log_lines.push_back(std::string(room) + ": " + std::string(line));
  }

  std::uint64_t state_;
  std::size_t allocations_left_ = std::numeric_limits<std::size_t>::max();
  std::size_t failing_allocation_ = std::numeric_limits<std::size_t>::max();
  std::size_t refused_ = 0;
  std::size_t fills_left_ = std::numeric_limits<std::size_t>::max();
  std::size_t bytes_in_use_ = 0, peak_bytes_ = 0, allocations_ = 0;
};

}  // namespace pollrtc::test
