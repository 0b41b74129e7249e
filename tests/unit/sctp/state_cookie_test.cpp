#include "sctp/state_cookie.h"

#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;

namespace {

StateCookie sample() {
  StateCookie cookie;
  cookie.created = Time(std::chrono::seconds(7));
  cookie.local_tag = VerificationTag{0x11111111};
  cookie.peer_tag = VerificationTag{0x22222222};
  cookie.ties = {0x33333333, 0x44444444};
  cookie.local_initial_tsn = Tsn(5);
  cookie.peer_initial_tsn = Tsn(6);
  cookie.peer_a_rwnd = 70000;
  cookie.outbound_streams = 8;
  cookie.inbound_streams = 9;
  cookie.local_port = 5000;
  cookie.remote_port = 5001;
  cookie.peer_capabilities = {.partial_reliability = true, .zero_checksum = true};
  return cookie;
}

}  // namespace

TEST_CASE("a cookie comes back as it was made") {
  CookieSecret secret;
  secret.fill(0x5a);
  const auto bytes = seal_cookie(sample(), secret);
  REQUIRE(bytes.has_value());
  const auto opened = open_cookie(*bytes, secret);
  REQUIRE(opened.has_value());
  CHECK(opened->created == Time(std::chrono::seconds(7)));
  CHECK(opened->local_tag == VerificationTag{0x11111111});
  CHECK(opened->peer_tag == VerificationTag{0x22222222});
  CHECK(opened->ties == TieTags{0x33333333, 0x44444444});
  CHECK(opened->local_initial_tsn == Tsn(5));
  CHECK(opened->peer_initial_tsn == Tsn(6));
  CHECK(opened->peer_a_rwnd == 70000);
  CHECK(opened->outbound_streams == 8);
  CHECK(opened->inbound_streams == 9);
  CHECK(opened->local_port == 5000);
  CHECK(opened->remote_port == 5001);
  CHECK(opened->peer_capabilities == Capabilities{.partial_reliability = true, .zero_checksum = true});
}

TEST_CASE("a cookie altered in any single bit, cut or grown, is refused; so is one of another secret",
          "[SCTP-CKI-01]") {
  CookieSecret secret;
  secret.fill(0x5a);
  auto bytes = *seal_cookie(sample(), secret);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1u << (bit % 8)));
    REQUIRE_FALSE(open_cookie(bytes, secret).has_value());
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1u << (bit % 8)));
  }
  REQUIRE(open_cookie(bytes, secret).has_value());
  CHECK_FALSE(open_cookie(Bytes(bytes).first(bytes.size() - 1), secret).has_value());
  test::ByteVector longer(bytes.begin(), bytes.end());
  longer.push_back(0);
  CHECK_FALSE(open_cookie(longer, secret).has_value());
  CHECK_FALSE(open_cookie({}, secret).has_value());
  CookieSecret other = secret;
  other[31] ^= 1;
  CHECK_FALSE(open_cookie(bytes, other).has_value());
}

TEST_CASE("every byte of the cookie's fields is a field: two equal cookies are equal bytes",
          "[SCTP-CKI-06]") {
  CookieSecret secret{};
  CHECK(kCookieFields == 48);
  CHECK(*seal_cookie(sample(), secret) == *seal_cookie(sample(), secret));
  CHECK(test::to_hex(Bytes(*seal_cookie(sample(), secret)).first(kCookieFields)) ==
        "00000000006acfc0"
        "11111111"
        "22222222"
        "33333333"
        "44444444"
        "00000005"
        "00000006"
        "00011170"
        "00080009"
        "13881389"
        "00000005");
}

TEST_CASE("table 12: tags of cookie and association name the case", "[SCTP-CKI-04][SCTP-CKI-10]") {
  const VerificationTag local{1}, peer{2}, other{9};
  const TieTags ties{3, 4};
  const auto of = [&](VerificationTag cookie_local, VerificationTag cookie_peer, TieTags cookie_ties,
                      VerificationTag our_peer) {
    StateCookie cookie;
    cookie.local_tag = cookie_local;
    cookie.peer_tag = cookie_peer;
    cookie.ties = cookie_ties;
    return cookie_case(cookie, {local, our_peer, ties});
  };
  const TieTags none, wrong{3, 5}, half{3, 0};
  CHECK(of(other, other, ties, peer) == CookieCase::Restart);    // X X M M
  CHECK(of(local, other, ties, peer) == CookieCase::Collision);  // M X A A
  CHECK(of(local, other, none, peer) == CookieCase::Collision);
  CHECK(of(local, other, none, VerificationTag{}) == CookieCase::Collision);  // M 0 A A
  CHECK(of(other, peer, none, peer) == CookieCase::Late);                     // X M 0 0
  CHECK(of(local, peer, none, peer) == CookieCase::Duplicate);                // M M A A
  CHECK(of(local, peer, wrong, peer) == CookieCase::Duplicate);
  CHECK(of(other, other, none, peer) == CookieCase::Unlisted);
  CHECK(of(other, other, wrong, peer) == CookieCase::Unlisted);
  CHECK(of(other, other, half, peer) == CookieCase::Unlisted);
  CHECK(of(other, peer, ties, peer) == CookieCase::Unlisted);
  CHECK(of(other, other, ties, VerificationTag{}) == CookieCase::Restart);
}

TEST_CASE("without tie-tags of its own an association sees no restart", "[SCTP-CKI-10]") {
  StateCookie cookie;
  cookie.local_tag = VerificationTag{8};
  cookie.peer_tag = VerificationTag{9};
  CHECK(cookie_case(cookie, {VerificationTag{1}, VerificationTag{}, {}}) == CookieCase::Unlisted);
}
