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
  CHECK(parse_ice_server_url("stuns:h").error() == ErrorCode::NotSupported);
}

TEST_CASE("a TURN url says how its server is reached", "[TURN-35]") {
  struct Row {
    std::string_view url, host;
    std::uint16_t port;
    TurnTransport transport;
  };
  for (const Row& row : {Row{"turn:relay.example.org", "relay.example.org", 3478, TurnTransport::Udp},
                         Row{"TURN:h:1000?transport=UDP", "h", 1000, TurnTransport::Udp},
                         Row{"turn:10.0.0.1?transport=tcp", "10.0.0.1", 3478, TurnTransport::Tcp},
                         Row{"turn:[2001:db8::1]:80?transport=tcp", "2001:db8::1", 80, TurnTransport::Tcp},
                         Row{"turns:h", "h", 5349, TurnTransport::Tls},
                         Row{"turns:h:443?transport=tcp", "h", 443, TurnTransport::Tls}}) {
    INFO(row.url);
    const auto parsed = parse_ice_server_url(row.url);
    REQUIRE(parsed);
    CHECK(parsed->is_turn);
    CHECK(parsed->host == row.host);
    CHECK(parsed->port == row.port);
    CHECK(parsed->transport == row.transport);
  }
  CHECK_FALSE(parse_ice_server_url("stun:h")->is_turn);
  for (const std::string_view url :
       {"turn:", "turn://h", "turn:user@h", "turn:h?transport=sctp", "turn:h?", "turn:h?x=udp", "turn:h:0",
        "turn:h?transport=", "turns:h/path", "turn:[::1]x"}) {
    INFO(url);
    CHECK(parse_ice_server_url(url).error() == ErrorCode::InvalidArgument);
  }
  // That would be DTLS (RFC 7350).
  CHECK(parse_ice_server_url("turns:h?transport=udp").error() == ErrorCode::NotSupported);
}
