#include "support/environment.h"

#include <new>

namespace pollrtc::test {

TestEnvironment::TestEnvironment(std::uint64_t seed) : state_(seed) {
  env.rng = {fill, this};
  env.memory = {allocate, release, this};
  env.log = {write, this, LogLevel::Trace};
}
TestEnvironment::~TestEnvironment() = default;

void TestEnvironment::fail_allocation(std::size_t successes) {
  failing_allocation_ = successes == SIZE_MAX ? SIZE_MAX : allocations_ + refused_ + successes;
}

bool TestEnvironment::fill(void* context, MutBytes out) {
  auto& self = *static_cast<TestEnvironment*>(context);
  if (self.fills_left_ == 0) return false;
  --self.fills_left_;
  for (std::uint8_t& byte : out) byte = self.next_byte();
  return true;
}

std::uint8_t TestEnvironment::next_byte() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<std::uint8_t>(z >> 56);
}

void* TestEnvironment::allocate(void* context, std::size_t bytes, std::size_t align) {
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

void TestEnvironment::release(void* context, void* block, std::size_t bytes, std::size_t align) {
  static_cast<TestEnvironment*>(context)->bytes_in_use_ -= bytes;
  ::operator delete(block, std::align_val_t(align));
}

void TestEnvironment::write(void* context, LogLevel, std::string_view room, std::string_view line) {
  static_cast<TestEnvironment*>(context)->log_lines.push_back(std::string(room) + ": " + std::string(line));
}

}  // namespace pollrtc::test
