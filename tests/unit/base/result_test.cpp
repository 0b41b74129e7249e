#include "pollrtc/result.h"

#include <memory>
#include <string>

#include "support/catch.h"

using namespace pollrtc;

static Result<int> halve(int n) {
  if (n % 2 != 0) return fail(ErrorCode::InvalidArgument, "odd");
  return n / 2;
}

TEST_CASE("Result holds a value or an error") {
  CHECK(*halve(8) == 4);
  const auto bad = halve(7);
  REQUIRE_FALSE(bad);
  CHECK(bad.error() == ErrorCode::InvalidArgument);
  CHECK(bad.error().detail() == "odd");
  CHECK(bad.value_or(-1) == -1);
}

TEST_CASE("Result carries types that can only be moved") {
  Result<std::unique_ptr<std::string>> r = std::make_unique<std::string>("x");
  const std::unique_ptr<std::string> taken = *std::move(r);
  CHECK(*taken == "x");
}

TEST_CASE("every code has a name and a meaning") {
  CHECK(name_of(ErrorCode::Empty) == "Empty");
  CHECK(name_of(Drop::None) == "None");
  CHECK(name_of(Drop::MessageTooLarge) == "MessageTooLarge");
  CHECK(name_of(static_cast<Drop>(kDropCount)) == "?");
  CHECK(meaning_of(Close::ConsentExpired).find("7675") != std::string_view::npos);
  for (std::size_t i = 0; i < kDropCount; ++i) CHECK_FALSE(meaning_of(static_cast<Drop>(i)).empty());
}
