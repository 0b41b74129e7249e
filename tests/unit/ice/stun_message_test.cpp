#include "ice/stun_message.h"

#include "base/address.h"
#include "ice/screen.h"
#include "support/bytes.h"
#include "support/catch.h"

namespace pollrtc::test {

using stun::Attribute;
using stun::Class;
using stun::Integrity;
using stun::Message;
using stun::Writer;

namespace {

constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";  // RFC 5769 §2
constexpr std::string_view kUsername = "evtj:h6vY";

// The RFC's samples are padded with blanks, we pad with zeros. The padding is covered by the HMAC, so what `bytes` has
// between the end of a value and the next attribute is laid over what was written so far.
void copy_padding(MutBytes written, Bytes bytes) {
  for (std::size_t at = stun::kHeaderSize; at + 4 <= written.size();) {
    const std::size_t size = load_u16(bytes.data() + at + 2);
    for (std::size_t i = size; i < padded4(size); ++i) written[at + 4 + i] = bytes[at + 4 + i];
    at += 4 + padded4(size);
  }
}

Message parsed(const ByteVector& bytes) {
  const auto message = Message::parse(bytes);
  REQUIRE(message.has_value());
  return *message;
}

}  // namespace

TEST_CASE("RFC 5769 2.1: the sample request decodes and re-encodes", "[STUN-01][STUN-21][STUN-28]") {
  const ByteVector bytes = read_hex_file("vectors/stun/rfc5769-2.1-request.hex");
  const Message m = parsed(bytes);
  CHECK(m.message_class() == Class::Request);
  CHECK(m.text(Attribute::Software) == "STUN test client");
  CHECK(m.text(Attribute::Username) == kUsername);
  CHECK(m.u32(Attribute::Priority) == 0x6e0001ffu);
  CHECK(m.u64(Attribute::IceControlled) == 0x932ff9b151263b36u);
  CHECK(stun::verify_integrity(m, Integrity::Sha1, as_bytes(kPassword)));
  CHECK(stun::verify_fingerprint(m));
  CHECK_FALSE(stun::verify_integrity(m, Integrity::Sha1, as_bytes("VOkJxbRl1RmTxUk/WvJxBx")));
  CHECK_FALSE(stun::verify_integrity(m, Integrity::Sha256, as_bytes(kPassword)));

  ByteVector out(bytes.size());
  Writer w(out, Class::Request, m.id());
  w.text(Attribute::Software, "STUN test client");
  w.u32(Attribute::Priority, 0x6e0001ff);
  w.u64(Attribute::IceControlled, 0x932ff9b151263b36);
  w.text(Attribute::Username, kUsername);
  copy_padding(MutBytes(out).first(m.integrity_at()), bytes);
  w.integrity(as_bytes(kPassword));
  w.fingerprint();
  CHECK(w.finish() == bytes.size());
  CHECK(to_hex(out) == to_hex(bytes));
}

TEST_CASE("RFC 5769 2.2 and 2.3: the sample responses decode and re-encode", "[STUN-01]") {
  const bool v6 = GENERATE(false, true);
  const ByteVector bytes = read_hex_file(v6 ? "vectors/stun/rfc5769-2.3-ipv6-response.hex"
                                            : "vectors/stun/rfc5769-2.2-ipv4-response.hex");
  const Address address =
      v6 ? *parse_ip("2001:db8:1234:5678:11:2233:4455:6677", 32853) : *parse_ip("192.0.2.1", 32853);
  const Message m = parsed(bytes);
  CHECK(m.message_class() == Class::Success);
  CHECK(m.text(Attribute::Software) == "test vector");
  CHECK(m.xor_mapped_address() == address);
  CHECK_FALSE(m.mapped_address());
  CHECK(stun::verify_integrity(m, Integrity::Sha1, as_bytes(kPassword)));
  CHECK(stun::verify_fingerprint(m));

  ByteVector out(bytes.size());
  Writer w(out, Class::Success, m.id());
  w.text(Attribute::Software, "test vector");
  w.xor_address(Attribute::XorMappedAddress, address);
  copy_padding(MutBytes(out).first(m.integrity_at()), bytes);
  w.integrity(as_bytes(kPassword));
  w.fingerprint();
  CHECK(w.finish() == bytes.size());
  CHECK(to_hex(out) == to_hex(bytes));
}

TEST_CASE("RFC 5769 2.4: long-term credentials decode and re-encode", "[STUN-01]") {
  const ByteVector bytes = read_hex_file("vectors/stun/rfc5769-2.4-longterm-request.hex");
  const std::string user = "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9";
  const auto key = stun::long_term_key(user, "example.org", "TheMatrIX");
  REQUIRE(key);
  CHECK(to_hex(*key) == "e8ca7ad59d5eb0518e312911d2dab2a9");
  const Message m = parsed(bytes);
  CHECK(m.text(Attribute::Username) == user);
  CHECK(m.text(Attribute::Realm) == "example.org");
  CHECK(m.text(Attribute::Nonce) == "f//499k954d6OL34oL9FSTvy64sA");
  CHECK(stun::verify_integrity(m, Integrity::Sha1, *key));
  CHECK(m.fingerprint_at() == 0);
  CHECK_FALSE(stun::verify_fingerprint(m));

  ByteVector out(bytes.size());
  Writer w(out, Class::Request, m.id());
  w.text(Attribute::Username, user);
  w.text(Attribute::Nonce, "f//499k954d6OL34oL9FSTvy64sA");
  w.text(Attribute::Realm, "example.org");
  copy_padding(MutBytes(out).first(m.integrity_at()), bytes);
  w.integrity(*key);
  CHECK(w.finish() == bytes.size());
  CHECK(to_hex(out) == to_hex(bytes));
}

TEST_CASE("RFC 8489 B.1: USERHASH with MESSAGE-INTEGRITY-SHA256 decodes and re-encodes",
          "[STUN-01][STUN-28]") {
  const ByteVector bytes = read_hex_file("vectors/stun/rfc8489-B.1-longterm-sha256-userhash.hex");
  const auto key = stun::long_term_key("\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9", "example.org", "TheMatrIX");
  const Message m = parsed(bytes);
  CHECK(stun::integrity_of(m) == Integrity::Sha256);
  CHECK(stun::verify_integrity(m, Integrity::Sha256, *key));
  CHECK(m.value_of(Attribute::Userhash)->size() == 32);

  ByteVector out(bytes.size());
  Writer w(out, Class::Request, m.id());
  w.value(Attribute::Userhash, *m.value_of(Attribute::Userhash));
  w.text(Attribute::Nonce, *m.text(Attribute::Nonce));
  w.text(Attribute::Realm, "example.org");
  copy_padding(MutBytes(out).first(m.integrity_sha256_at()), bytes);
  w.integrity_sha256(*key);
  CHECK(w.finish() == bytes.size());
  CHECK(to_hex(out) == to_hex(bytes));
}

// What became of a row: "accept", an error code, "none" (no answer, nothing changes), or "drop".
static std::string reaction_to(const ByteVector& bytes) {
  const auto m = Message::parse(bytes);
  if (!m) return "drop";
  if (m->message_class() == Class::Indication) return "none";
  if (m->message_class() == Class::Request) {
    const ice::RequestVerdict verdict = ice::screen_request(*m, "evtj", kPassword);
    if (verdict.code != 0) return std::to_string(verdict.code);
    return verdict.drop == Drop::None ? "accept" : "drop";
  }
  switch (ice::screen_response(*m, kPassword)) {
    case ice::ResponseVerdict::Success:
      return "success";
    case ice::ResponseVerdict::Error:
      return "error " + std::to_string(m->error_code()->code);
    case ice::ResponseVerdict::Unusable:
      return "failed";
    default:
      return "drop";
  }
}

TEST_CASE("each derived message gets the reaction its row asks for",
          "[STUN-02][STUN-03][STUN-13][STUN-14][STUN-16]") {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"ok-zero-padding", "accept"},
      {"bad-fingerprint", "drop"},
      {"bad-integrity-good-fingerprint", "401"},
      {"wrong-password", "401"},
      {"no-integrity", "400"},
      {"no-username", "400"},
      {"unknown-required-0x7777", "420"},
      {"unknown-optional-0xf777", "accept"},
      {"attr-after-integrity-ignored", "accept"},
      {"length-field-long", "drop"},
      {"length-field-short", "drop"},
      {"length-not-multiple-of-4", "drop"},
      {"truncated-header", "drop"},
      {"truncated-mid-attribute", "drop"},
      {"attr-length-65535", "drop"},
      {"bad-magic", "drop"},
      {"top-bits-not-zero", "drop"},
      {"xma-bad-family", "drop"},
      {"xma-short", "drop"},
      {"xma-ipv6-with-ipv4-length", "drop"},
      {"error-code-class-0", "drop"},
      {"error-code-short", "drop"},
      {"error-487", "error 487"},
      {"two-usernames", "accept"},
      {"priority-short", "400"},
      {"use-candidate-with-value", "accept"},
      {"both-roles", "400"},
      {"indication-binding", "none"},
      {"zero-length-attr-chain", "400"},  // well formed, and without USERNAME
      {"username-514", "401"},
  };
  const auto rows = read_tsv("vectors/stun/derived-negative.tsv");
  REQUIRE(rows.size() == expected.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    INFO(rows[i][0] << ": " << rows[i][2]);
    CHECK(rows[i][0] == expected[i].first);
    CHECK(reaction_to(hex(rows[i][1])) == expected[i].second);
  }
}

TEST_CASE("what stands behind the integrity is not seen", "[STUN-04]") {
  for (const auto& row : read_tsv("vectors/stun/derived-negative.tsv"))
    if (row[0] == "attr-after-integrity-ignored") CHECK_FALSE(parsed(hex(row[1])).has(Attribute::Software));

  ByteVector out(300);
  SECTION("an unknown required attribute behind it is no reason for a 420") {
    Writer w(out, Class::Request, {});
    w.text(Attribute::Username, kUsername);
    w.u32(Attribute::Priority, 1);
    w.u64(Attribute::IceControlling, 1);
    w.integrity(as_bytes(kPassword));
    w.u32(static_cast<Attribute>(0x7777), 1);
    w.fingerprint();
    out.resize(w.finish());
    CHECK(parsed(out).unknown_required().empty());
    CHECK(reaction_to(out) == "accept");
  }
  SECTION("behind MESSAGE-INTEGRITY-SHA256 even MESSAGE-INTEGRITY is ignored") {
    Writer w(out, Class::Request, {});
    w.integrity_sha256(as_bytes(kPassword));
    w.integrity(as_bytes(kPassword));
    w.fingerprint();
    out.resize(w.finish());
    CHECK(parsed(out).integrity_at() == 0);
    CHECK(parsed(out).integrity_sha256_at() == 20);
  }
  SECTION("anything behind FINGERPRINT spoils the message") {
    Writer w(out, Class::Request, {});
    w.fingerprint();
    w.u32(static_cast<Attribute>(0xF777), 1);
    out.resize(w.finish());
    CHECK_FALSE(Message::parse(out).has_value());
  }
}

TEST_CASE("the stronger integrity speaks for a message that has both, and may not be cut short",
          "[STUN-19][STUN-22]") {
  ByteVector out(200);
  Writer w(out, Class::Request, {});
  w.integrity(as_bytes("one"));
  w.integrity_sha256(as_bytes("two"));
  out.resize(w.finish());
  const Message m = parsed(out);
  CHECK(stun::integrity_of(m) == Integrity::Sha256);
  CHECK(stun::verify_integrity(m, Integrity::Sha256, as_bytes("two")));
  CHECK(stun::verify_integrity(m, Integrity::Sha1, as_bytes("one")));

  const auto with_size = [](std::size_t size) {
    ByteVector bytes(200);
    Writer cut(bytes, Class::Request, {});
    cut.value(Attribute::MessageIntegritySha256, ByteVector(size));
    bytes.resize(cut.finish());
    return bytes;
  };
  CHECK_FALSE(Message::parse(with_size(12)).has_value());
  CHECK_FALSE(Message::parse(with_size(18)).has_value());
  CHECK_FALSE(Message::parse(with_size(36)).has_value());
  // The right HMAC, cut to 16 bytes.
  ByteVector cut(200);
  Writer c(cut, Class::Request, {});
  c.value(Attribute::MessageIntegritySha256, ByteVector(16));
  cut.resize(c.finish());
  const auto mac = crypto::hmac_sha256(as_bytes("two"), Bytes(cut).first(20));
  std::copy_n(mac->begin(), 16, cut.begin() + 24);
  const Message short_one = parsed(cut);
  CHECK_FALSE(stun::verify_integrity(short_one, Integrity::Sha256, as_bytes("two")));
}

TEST_CASE("sizes: what is too long for its attribute is marked", "[STUN-20]") {
  const auto with = [](Attribute type, std::size_t size) {
    ByteVector bytes(1000);
    Writer w(bytes, Class::Request, {});
    w.value(type, ByteVector(size, 'a'));
    bytes.resize(w.finish());
    return bytes;
  };
  for (const Attribute type :
       {Attribute::Username, Attribute::Software, Attribute::Realm, Attribute::Nonce}) {
    CHECK_FALSE(parsed(with(type, 763)).has_malformed_value());
    CHECK(parsed(with(type, 764)).has_malformed_value());
  }
  CHECK_FALSE(parsed(with(Attribute::Userhash, 32)).has_malformed_value());
  CHECK(parsed(with(Attribute::Userhash, 31)).has_malformed_value());
  CHECK_FALSE(Message::parse(with(Attribute::MessageIntegrity, 24)).has_value());
  CHECK_FALSE(Message::parse(with(Attribute::Fingerprint, 8)).has_value());
}

TEST_CASE("error codes: class 3 to 6, number 0 to 99, reserved bits and a long reason do no harm",
          "[STUN-09][STUN-20]") {
  const auto with = [](std::string_view head, std::size_t reason) {
    ByteVector value = hex(head);
    value.resize(4 + reason, 0xFF);  // no UTF-8 either
    ByteVector bytes(1000);
    Writer w(bytes, Class::Error, {});
    w.value(Attribute::ErrorCode, value);
    bytes.resize(w.finish());
    return bytes;
  };
  CHECK(parsed(with("00000300", 0)).error_code()->code == 300);
  CHECK(parsed(with("00000663", 0)).error_code()->code == 699);
  CHECK(parsed(with("fffffc57", 0)).error_code()->code == 487);
  CHECK_FALSE(parsed(with("00000264", 0)).error_code());
  CHECK_FALSE(parsed(with("00000464", 0)).error_code());
  CHECK_FALSE(parsed(with("00000701", 0)).error_code());
  const ByteVector longest = with("00000401", 763);
  CHECK(parsed(longest).error_code()->reason.size() == 763);
  const ByteVector longer = with("00000401", 800);
  CHECK(parsed(longer).error_code()->reason.size() == 763);
}

TEST_CASE("captured and borrowed messages", "[STUN-21][STUN-23]") {
  const auto file = [](const std::string& name) { return read_hex_file("vectors/stun/" + name + ".hex"); };
  const ByteVector controlled = file("capture-binding-request-ice-controlled");
  CHECK(stun::verify_fingerprint(parsed(controlled)));
  CHECK(parsed(controlled).has(Attribute::IceControlled));
  const ByteVector controlling = file("capture-binding-request-ice-controlling");
  const Message m = parsed(controlling);
  CHECK(stun::verify_fingerprint(m));
  CHECK(m.has(Attribute::UseCandidate));
  CHECK(m.u64(Attribute::IceControlling) == 0x527ad2e0d9120891u);
  CHECK(m.unknown_required().empty());  // 0xC057, network cost, may be ignored
  CHECK(parsed(file("capture-binding-request")).message_class() == Class::Request);
  const ByteVector response = file("capture-binding-response");
  CHECK(parsed(response).xor_mapped_address() == parse_ip("192.0.2.90", 53054));
  CHECK(parsed(response).mapped_address() == parse_ip("192.0.2.90", 53054));

  CHECK_FALSE(Message::parse(file("libwebrtc-rtcp-packet")).has_value());
  CHECK_FALSE(Message::parse(file("libwebrtc-stun-message-with-excess-length")).has_value());
  CHECK_FALSE(Message::parse(file("libwebrtc-stun-message-with-small-length")).has_value());
  const ByteVector bare = file("libwebrtc-stun-message-with-zero-length");
  CHECK_FALSE(stun::verify_integrity(parsed(bare), Integrity::Sha1, as_bytes("")));
  const ByteVector error = file("libwebrtc-stun-message-with-error-attribute");
  CHECK(parsed(error).error_code()->code == 401);
  CHECK(parsed(error).error_code()->reason == "Unauthorized");
  CHECK(parsed(file("libwebrtc-stun-message-with-ipv4-mapped-address")).mapped_address() ==
        parse_ip("172.23.68.230", 0x9dfc));
  CHECK(parsed(file("libwebrtc-stun-message-with-ipv4-xor-mapped-address")).xor_mapped_address() ==
        parse_ip("172.23.68.230", 0xfcb5 ^ 0x2112));
  const ByteVector v6 = file("libwebrtc-stun-message-with-ipv6-xor-mapped-address");
  CHECK(parsed(v6).xor_mapped_address()->family == Address::Family::IPv6);
  CHECK(parsed(file("libwebrtc-stun-message-with-ipv6-mapped-address")).mapped_address()->port == 0xb881);
  const ByteVector unknown = file("libwebrtc-stun-message-with-unknown-attribute");
  CHECK(parsed(unknown).text(Attribute::Username) == "abc");
}

TEST_CASE("only the first sixteen unknown attributes are listed, and only required ones") {
  ByteVector bytes(1000);
  Writer w(bytes, Class::Request, {});
  for (unsigned i = 0; i < 40; ++i) w.flag(static_cast<Attribute>((i % 2 == 0 ? 0x7000u : 0xF000u) + i));
  bytes.resize(w.finish());
  const Message m = parsed(bytes);
  CHECK(m.unknown_required().size() == 16);
  CHECK(m.unknown_required()[1] == 0x7002);
}

TEST_CASE("an address attribute: the first byte is nothing, the family decides the length", "[STUN-21]") {
  CHECK(stun::read_address(hex("ff01 1234 c0000201")) == parse_ip("192.0.2.1", 0x1234));
  CHECK_FALSE(stun::read_address(hex("0001 1234 c00002")));
  CHECK_FALSE(stun::read_address(hex("0001 1234 c000020100")));
  CHECK_FALSE(stun::read_address(hex("0002 1234 c0000201")));
  CHECK_FALSE(stun::read_address(hex("0003 1234 c0000201")));
  CHECK_FALSE(stun::read_address({}));
}

TEST_CASE("a message that does not fit is not written") {
  for (std::size_t room = 0; room < 60; ++room) {
    ByteVector out(room);
    Writer w(out, Class::Request, {});
    w.text(Attribute::Username, "abcde");
    w.integrity(as_bytes("key"));
    w.fingerprint();
    CHECK(w.finish() == 0);
  }
}

TEST_CASE("the binding method alone is known", "[STUN-13]") {
  ByteVector bytes = hex("0001 0000 2112a442 000000000000000000000000");
  CHECK(Message::parse(bytes).has_value());
  bytes[1] = 0x03;  // Allocate
  CHECK(Message::parse(bytes).error() == Drop::StunUnknownMethod);
  bytes[0] = 0x3E;
  CHECK(Message::parse(bytes).error() == Drop::StunUnknownMethod);
  CHECK(Message::parse(ByteVector(stun::kMaxMessage + 4)).error() == Drop::StunMalformed);
}

}  // namespace pollrtc::test
