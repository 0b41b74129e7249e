#include "base/format.h"

#include <array>

#include "base/log.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;

TEST_CASE("formatted text is a view of the front of the buffer") {
  std::array<char, 16> buffer;
  const std::string_view text = format_text(buffer, "{}:{:04}", "port", 80);
  CHECK(text == "port:0080");
  CHECK(text.data() == buffer.data());
}

TEST_CASE("text longer than the buffer is cut at its end, and nothing is written beyond") {
  std::array<char, 8> buffer{'.', '.', '.', '.', '.', '.', '.', '.'};
  CHECK(format_text(std::span(buffer).first(4), "{}", 1234567) == "1234");
  CHECK(buffer[4] == '.');
  CHECK(format_text(std::span(buffer).first(0), "{}", 1).empty());
}

TEST_CASE("a log line below the sink's level is not formatted, and a long one is cut") {
  test::TestEnvironment environment;
  environment.env.log.level = LogLevel::Info;
  int evaluated = 0;
  POLLRTC_LOG(environment.env, Debug, "ice", "{}", ++evaluated);
  CHECK(evaluated == 0);
  CHECK(environment.log_lines.empty());
  POLLRTC_LOG(environment.env, Info, "ice", "pair {}", ++evaluated);
  CHECK(environment.log_lines == std::vector<std::string>{"ice: pair 1"});
  POLLRTC_LOG(environment.env, Warning, "sctp", "{}", std::string(1000, 'x'));
  REQUIRE(environment.log_lines.size() == 2);
  CHECK(environment.log_lines[1] == "sctp: " + std::string(400, 'x'));
}
