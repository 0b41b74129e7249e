#include "api/ice_server_url.h"

#include "support/catch.h"

using namespace pollrtc;

TEST_CASE("a STUN url is a host and perhaps a port", "[STUN-29]") {
  const auto plain = parse_ice_server_url("stun:stun.example.org");
  REQUIRE(plain);
  CHECK(plain->host == "stun.example.org");
  CHECK(plain->port == 3478);
  CHECK(parse_ice_server_url("STUN:10.0.0.1:19302")->port == 19302);
  const auto v6 = parse_ice_server_url("stun:[2001:db8::1]:5000");
  REQUIRE(v6);
  CHECK(v6->host == "2001:db8::1");
  CHECK(v6->port == 5000);
}

TEST_CASE("a malformed url is an error, not a crash", "[API-45]") {
  const std::string long_url = "stun:" + std::string(10'000, 'a');
  const std::string with_nul = std::string("stun:a") + '\0' + "b";
  for (const std::string& url :
       {std::string(""), std::string("stun"), std::string("stun:"), std::string("stun::3478"),
        std::string("stun:h:"), std::string("stun:h:0"), std::string("stun:h:65536"),
        std::string("stun:h:12x"), std::string("stun:h:-1"), std::string("stun://h"),
        std::string("stun:user@h"), std::string("stun:h?x=y"), std::string("stun:[::1"),
        std::string("stun:[1.2.3.4]"), std::string("stun:[::1]x"), std::string("http:h"), long_url,
        with_nul}) {
    INFO(url.substr(0, 40));
    const auto parsed = parse_ice_server_url(url);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == ErrorCode::InvalidArgument);
    CHECK_FALSE(parsed.error().detail().empty());
  }
  CHECK(parse_ice_server_url("turn:h").error() == ErrorCode::NotSupported);
}
