#include "ice/replies.h"

#include "base/address.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

namespace pollrtc::test {

using namespace ice;
using namespace std::chrono_literals;

namespace {
Path path_to(std::string_view remote) { return {*parse_ip("192.0.2.1", 1), *parse_ip(remote, 2)}; }
}  // namespace

TEST_CASE(
    "a success response: XOR-MAPPED-ADDRESS, one integrity of the request's kind, FINGERPRINT, no USERNAME",
    "[STUN-18][ICE-CHK-24]") {
  TestEnvironment environment;
  Replies replies(environment.env.memory);
  Reply reply;
  reply.path = path_to("198.51.100.7");
  reply.id = {1, 2, 3};
  reply.integrity = GENERATE(stun::Integrity::Sha1, stun::Integrity::Sha256);
  REQUIRE(replies.push(reply));
  ByteVector out(200);
  const Transmit transmit = replies.pop(out, "secret");
  CHECK(transmit.path == reply.path);
  const auto m = stun::Message::parse(Bytes(out).first(transmit.size));
  REQUIRE(m.has_value());
  CHECK(m->message_class() == stun::Class::Success);
  CHECK(m->id() == reply.id);
  CHECK(m->xor_mapped_address() == reply.path.remote);
  CHECK(stun::integrity_of(*m) == reply.integrity);
  CHECK((m->integrity_at() != 0) != (m->integrity_sha256_at() != 0));
  CHECK(stun::verify_integrity(*m, reply.integrity, as_bytes("secret")));
  CHECK(stun::verify_fingerprint(*m));
  CHECK_FALSE(m->has(stun::Attribute::Username));
}

TEST_CASE("an error is never longer than what provoked it", "[ATK-02]") {
  TestEnvironment environment;
  Replies replies(environment.env.memory);
  ByteVector out(200);
  for (std::size_t longest = 20; longest < 80; ++longest) {
    Reply reply;
    reply.path = path_to("198.51.100.7");
    reply.code = 401;
    reply.longest = longest;
    REQUIRE(replies.push(reply));
    const std::size_t size = replies.pop(out, "secret").size;
    CHECK(size <= longest);
    CHECK((size != 0) == (longest >= 36));
    if (size == 0) continue;
    const auto m = stun::Message::parse(Bytes(out).first(size));
    CHECK(m->error_code()->code == 401);
    CHECK(stun::integrity_of(*m) == stun::Integrity::None);
  }
}

TEST_CASE("a full queue loses the answer, as a network would") {
  TestEnvironment environment;
  Replies replies(environment.env.memory);
  for (std::size_t i = 0; i < Replies::kMaxWaiting; ++i) CHECK(replies.push({}));
  CHECK_FALSE(replies.push({}));
  environment.fail_allocations_after(0);
  Replies none(environment.env.memory);
  CHECK_FALSE(none.push({}));
}

TEST_CASE("errors: ten a second to a source, a hundred in all", "[ATK-01]") {
  const Limits limits;
  ErrorLimiter limiter(default_memory(), limits);
  Time now{};
  const Address source = *parse_ip("198.51.100.1", 1);
  for (int i = 0; i < 10; ++i) CHECK(limiter.allow(now, source.with_port(static_cast<std::uint16_t>(i))));
  CHECK_FALSE(limiter.allow(now, source));
  CHECK(limiter.allow(now, *parse_ip("198.51.100.2", 1)));
  int allowed = 11;
  for (int i = 0; i < 1000; ++i) {
    Address other = Address::v4(203, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 9);
    allowed += limiter.allow(now, other);
  }
  CHECK(allowed == 100);
  CHECK_FALSE(limiter.allow(now + 999ms, source));
  CHECK(limiter.allow(now + 1s, source));
}

}  // namespace pollrtc::test
