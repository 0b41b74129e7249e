// Allocations: credentials, refusals, redirections, lifetimes.
#include "support/catch.h"
#include "turn_rig.h"

namespace pollrtc::test {

namespace {

const Address kPeer = at("192.0.2.50", 6000);

void add_alternate(stun::Writer& w, const Address& first, const Address& second = {}) {
  w.address(Attribute::AlternateServer, first);
  if (second.is_valid()) w.address(Attribute::AlternateServer, second);
}

}  // namespace

TEST_CASE("the first Allocate is bare, the second is signed, and there is no third", "[TURN-01]") {
  TurnRig rig;
  rig.start();
  REQUIRE(rig.client->state() == ClientState::Allocated);
  REQUIRE(rig.server.requests.size() == 2);
  const auto first = *stun::Message::parse(rig.server.requests[0].second, stun::Usage::Turn);
  for (const Attribute bare : {Attribute::Username, Attribute::Userhash, Attribute::Realm, Attribute::Nonce,
                               Attribute::MessageIntegrity, Attribute::MessageIntegritySha256})
    CHECK_FALSE(first.has(bare));
  const auto second = rig.server.last(Method::Allocate);
  CHECK(second.text(Attribute::Realm) == "example.org");
  CHECK(second.text(Attribute::Nonce) == "first");
  CHECK(first.id() != second.id());
  CHECK(rig.last<Client::Allocated>());
  CHECK(rig.client->relayed()[0] == at("198.51.100.77", 50000));
  CHECK(rig.client->mapped() == rig.own);

  TurnRig wrong;
  wrong.server.password = "another";
  wrong.start();
  CHECK(wrong.client->state() == ClientState::Ended);
  CHECK(wrong.end_code() == 401);
  CHECK(wrong.end_text() == "wrong user name or password");
  CHECK(wrong.server.requests.size() == 2);
  wrong.wait(120s);
  CHECK(wrong.server.requests.size() == 2);
}

TEST_CASE("a stale nonce is replaced, for each kind of request, but not for ever",
          "[TURN-02][lim.turn.auth_retries]") {
  TurnRig rig;
  rig.start();
  rig.server.nonce = "second";
  REQUIRE(rig.permit(kPeer));
  CHECK(rig.server.last(Method::CreatePermission).text(Attribute::Nonce) == "second");
  rig.server.nonce = "third";
  rig.client->bind_channel(rig.now, kPeer);
  rig.exchange();
  CHECK(rig.client->headroom(kPeer) == turn::kChannelHeader);
  rig.server.nonce = "fourth";
  rig.wait(545s);
  CHECK(rig.client->state() == ClientState::Allocated);
  CHECK(rig.server.last(Method::Refresh).text(Attribute::Nonce) == "fourth");
  rig.server.nonce = "fifth";
  rig.client->close(rig.now);
  rig.exchange();
  CHECK(rig.server.allocations.empty());

  TurnRig loop;
  for (int i = 0; i < 20; ++i) loop.server.refusals[Method::Allocate].push_back({438, false});
  loop.start();
  CHECK(loop.client->state() == ClientState::Ended);
  CHECK(loop.end_code() == 438);
  // One 401 and so many 438 in a row.
  CHECK(loop.server.count(Method::Allocate) == 1u + loop.environment.env.limits.turn_auth_retries);
}

TEST_CASE("a nonce cookie that promises algorithms wants them", "[TURN-03][ATK-27]") {
  // "gAAA": bit 0 set. Without PASSWORD-ALGORITHMS somebody took them out.
  TurnRig stripped;
  stripped.server.nonce = "obMatJos2gAAAnonce";
  stripped.start();
  CHECK(stripped.client->state() == ClientState::Ended);
  CHECK(stripped.end_code() == 401);
  CHECK(stripped.server.requests.size() == 1);

  TurnRig unknown;
  unknown.server.nonce = "obMatJos2gAAAnonce";
  unknown.server.algorithms = {7, 0x1000};
  unknown.start();
  CHECK(unknown.client->state() == ClientState::Ended);
  CHECK(unknown.server.requests.size() == 1);

  // 438 to a signed request, the list gone.
  TurnRig later;
  later.server.nonce = "obMatJos2gAAAnonce";
  later.server.algorithms = {2};
  later.start();
  REQUIRE(later.client->state() == ClientState::Allocated);
  later.server.nonce = "obMatJos2gAAAother";
  later.server.algorithms.clear();
  CHECK_FALSE(later.permit(kPeer));
  CHECK(later.server.count(Method::CreatePermission) == 1);
  CHECK(later.last<Client::Refused>()->code == 438);

  // Any other response with such a nonce and no list: as if it had not come.
  TurnRig other;
  other.server.add_to_success = [](Method, stun::Writer& w) {
    w.text(Attribute::Nonce, "obMatJos2gAAAnonce");
  };
  other.start();
  CHECK(other.client->state() == ClientState::Allocating);
  CHECK(other.drop == Drop::StunIntegrity);

  // Bits that are clear ask for nothing; a nonce too short for the bits is no cookie.
  for (const std::string_view nonce : {"obMatJos2AAAAnonce", "obMatJos2", "obMatJos2g", "obMatJos2g!AA"}) {
    TurnRig plain;
    plain.server.nonce = nonce;
    plain.start();
    CHECK(plain.client->state() == ClientState::Allocated);
  }
}

TEST_CASE("a success that nobody signed is none", "[TURN-04][STUN-17]") {
  for (const bool is_stream : {false, true}) {
    TurnRig rig(is_stream);
    rig.server.signs = false;
    rig.start();
    CHECK(rig.drop == Drop::StunIntegrity);
    CHECK(rig.client->relayed().empty());
    if (!is_stream) {  // the copies go on, and the end says why
      CHECK(rig.client->state() == ClientState::Allocating);
      rig.wait(39s);
      CHECK(rig.server.count(Method::Allocate) == 1 + 7);
      rig.wait(1s);
    }
    CHECK(rig.client->state() == ClientState::Ended);
    CHECK(rig.end_code() == turn::kUnreachable);
    CHECK(rig.end_text().find("integrity violated") == 0);
  }
  // Signed with another key, or by another algorithm than the request.
  TurnRig forged;
  forged.server.signs = false;
  forged.server.add_to_success = [](Method, stun::Writer& w) { w.integrity(as_bytes("another key")); };
  forged.start();
  CHECK(forged.client->state() == ClientState::Allocating);
  TurnRig other;
  other.server.signs = false;
  other.server.add_to_success = [](Method, stun::Writer& w) {
    w.integrity_sha256(*stun::long_term_key("alice", "example.org", "secret"));
  };
  other.start();
  CHECK(other.client->state() == ClientState::Allocating);
  // A good answer after the bad one is taken: over UDP the transaction lives.
  other.server.signs = true;
  other.server.add_to_success = nullptr;
  other.wait(600ms);
  CHECK(other.client->state() == ClientState::Allocated);
}

TEST_CASE("realm and nonce of the greatest sizes work, longer ones do not", "[TURN-05]") {
  TurnRig rig;
  rig.server.realm = std::string(763, 'r');
  rig.server.nonce = std::string(763, 'n');
  rig.start();
  CHECK(rig.client->state() == ClientState::Allocated);
  CHECK(rig.server.last(Method::Allocate).text(Attribute::Realm) == rig.server.realm);
  CHECK(rig.server.last(Method::Allocate).text(Attribute::Nonce) == rig.server.nonce);
  CHECK(rig.permit(kPeer));
  for (const bool realm : {false, true}) {
    TurnRig longer;
    (realm ? longer.server.realm : longer.server.nonce) = std::string(764, 'x');
    longer.start();
    CHECK(longer.client->state() == ClientState::Allocating);
    CHECK(longer.server.requests.size() == 1);
    CHECK(longer.drop == Drop::StunMalformed);
  }
}

TEST_CASE("437 to an Allocate asks for another 5-tuple, three in all", "[TURN-06]") {
  TurnRig rig(true);
  for (int i = 0; i < 5; ++i) rig.server.refusals[Method::Allocate].push_back({437});
  rig.start();
  for (int i = 1; i < 3; ++i) {
    REQUIRE(rig.last<Client::Reconnect>());
    rig.events.clear();
    const auto before = rig.server.last(Method::Allocate).id();
    rig.client->start(rig.now);  // on the new connection
    rig.exchange();
    CHECK(rig.server.last(Method::Allocate).id() != before);
  }
  CHECK_FALSE(rig.last<Client::Reconnect>());
  CHECK(rig.end_code() == 437);
  CHECK(rig.client->wait_before_next() == 2min);

  for (const int code : {486, 508, 441, 442, 440, 403, 400}) {
    TurnRig other(false, false);
    for (int i = 0; i < 9; ++i) other.server.refusals[Method::Allocate].push_back({code});
    other.start();
    other.wait(200s);
    CHECK(other.end_code() == code);
    CHECK(other.server.count(Method::Allocate) == 2);
  }
}

TEST_CASE("after a refusal the server is left alone", "[TURN-25]") {
  for (const int code : {486, 508}) {
    TurnRig rig;
    rig.server.refusals[Method::Allocate].push_back({code});
    rig.start();
    CHECK(rig.client->wait_before_next() == 1min);
  }
  for (const int code : {400, 401, 403, 441, 442}) {
    TurnRig rig;
    for (int i = 0; i < 3; ++i) rig.server.refusals[Method::Allocate].push_back({code});
    rig.start();
    rig.wait(100s);
    CHECK(rig.end_code() == code);
    CHECK(rig.server.count(Method::Allocate) == 2);
  }
  // 440: no IPv4 there. Not asked for again; IPv6 is, once.
  TurnRig six;
  six.server.refusals[Method::Allocate].push_back({440});
  six.server.relay_v6 = at("2001:db8::77", 50000);
  six.start();
  REQUIRE(six.client->state() == ClientState::Allocated);
  CHECK(six.client->relayed().size() == 1);
  CHECK(six.server.last(Method::Allocate).u32(Attribute::RequestedAddressFamily) == 0x02000000u);
  TurnRig none;
  for (int i = 0; i < 9; ++i) none.server.refusals[Method::Allocate].push_back({440});
  none.start();
  none.wait(100s);
  CHECK(none.end_code() == 440);
  CHECK(none.server.count(Method::Allocate) == 3);
}

TEST_CASE("a server that asks to try another one", "[TURN-07][TURN-39][STUN-25][lim.turn.redirects]") {
  const Address next = at("203.0.113.10", 3479), six = at("2001:db8::10", 3479);
  // The first is of the other family: the one of ours is taken.
  TurnRig rig;
  rig.server.refusals[Method::Allocate].push_back({300, true, [&](auto& w) { add_alternate(w, six, next); }});
  rig.client->start(rig.now);
  rig.exchange();
  CHECK(rig.client->server() == next);
  CHECK(rig.client->state() == ClientState::Allocated);  // the rig answers for both
  CHECK_FALSE(rig.last<Client::Reconnect>());
  CHECK(rig.server.last(Method::Allocate).text(Attribute::Username) == "alice");

  // Back to where it came from; more often than is allowed; and to what can be no server.
  struct Row {
    std::vector<Address> targets;
    int redirects;
  };
  for (const Row& row :
       {Row{{next, rig.server.address}, 8}, Row{{next, at("203.0.113.11", 1)}, 1},
        Row{{at("127.0.0.1", 1)}, 1}, Row{{at("224.0.0.1", 1)}, 1}, Row{{at("0.0.0.0", 1)}, 1},
        Row{{at("203.0.113.10", 0)}, 1}, Row{{six}, 1}, Row{{rig.server.address}, 1}}) {
    Limits limits;
    limits.turn_redirects = static_cast<std::uint16_t>(row.redirects);
    TurnRig bad(false, true, limits);
    for (const Address& target : row.targets)
      bad.server.refusals[Method::Allocate].push_back(
          {300, true, [target](auto& w) { add_alternate(w, target); }});
    bad.start();
    CHECK(bad.client->state() == ClientState::Ended);
    CHECK(bad.end_code() == 300);
  }
  // Without ALTERNATE-SERVER.
  TurnRig empty;
  empty.server.refusals[Method::Allocate].push_back({300});
  empty.start();
  CHECK(empty.end_code() == 300);

  // A stream: another connection, and the name that its certificate must bear.
  TurnRig stream(true);
  stream.server.refusals[Method::Allocate].push_back({300, true, [&](auto& w) {
                                                        add_alternate(w, next);
                                                        w.text(Attribute::AlternateDomain,
                                                               "other.example.org");
                                                      }});
  stream.start();
  CHECK(stream.last<Client::Reconnect>());
  CHECK(stream.client->server_name() == "other.example.org");
  CHECK(stream.server.count(Method::Allocate) == 2);
}

TEST_CASE("errors count by who signed them", "[TURN-24][TURN-07]") {
  // The first Allocate takes a bare refusal, but not a bare redirection.
  TurnRig refused;
  refused.server.bare_refusals.push_back({403, false});
  refused.start();
  CHECK(refused.end_code() == 403);
  TurnRig redirected;
  redirected.server.bare_refusals.push_back(
      {300, false, [](auto& w) { add_alternate(w, at("203.0.113.10", 1)); }});
  redirected.start();
  CHECK(redirected.client->state() == ClientState::Allocating);
  CHECK(redirected.client->server() == redirected.server.address);
  CHECK(redirected.drop == Drop::StunIntegrity);
  // Later ones need integrity, all but 401 and 438.
  for (const int code : {300, 400, 403, 437, 441, 486, 500, 508}) {
    TurnRig rig;
    rig.server.refusals[Method::Allocate].push_back(
        {code, false, [](auto& w) { add_alternate(w, at("203.0.113.10", 1)); }});
    rig.start();
    CHECK(rig.client->state() == ClientState::Allocating);
    CHECK(rig.drop == Drop::StunIntegrity);
    rig.wait(600ms);  // the next copy is answered well
    CHECK(rig.client->state() == ClientState::Allocated);
  }
  // Over a stream an unsigned answer ends the transaction, but a 400 is as never received.
  TurnRig lost(true);
  lost.server.refusals[Method::Allocate].push_back({403, false});
  lost.start();
  CHECK(lost.client->state() == ClientState::Ended);
  TurnRig forged(true);  // it has an integrity, and a wrong one
  forged.server.refusals[Method::Allocate].push_back(
      {400, false, [](auto& w) { w.integrity(as_bytes(std::string_view("another key"))); }});
  forged.start();
  CHECK(forged.client->state() == ClientState::Ended);
  TurnRig bare(true);
  bare.server.refusals[Method::Allocate].push_back({400, false});
  bare.start();
  CHECK(bare.client->state() == ClientState::Allocating);
  bare.wait(39400ms);
  CHECK(bare.client->state() == ClientState::Allocating);
  bare.wait(200ms);
  CHECK(bare.client->state() == ClientState::Ended);
}

TEST_CASE("an answer proves itself by the attribute that the request had, not by another beside it",
          "[TURN-24]") {
  // Unless the server offers algorithms, requests have MESSAGE-INTEGRITY: one with SHA-256 as well answers nothing of ours.
  for (const bool has_both : {false, true}) {
    TurnRig rig;
    rig.start();
    REQUIRE(rig.client->state() == ClientState::Allocated);
    rig.server.is_silent = true;
    rig.sent.clear();
    rig.client->refresh(rig.now);
    rig.exchange();
    REQUIRE(rig.sent.size() == 1);
    const auto request = stun::Message::parse(rig.sent[0], stun::Usage::Turn);
    REQUIRE(request);
    REQUIRE(stun::integrity_of(*request) == stun::Integrity::Sha1);
    const auto key = *stun::long_term_key("alice", *request->text(Attribute::Realm), "secret");
    ByteVector answer(300);
    stun::Writer w(answer, stun::Class::Error, request->id(), Method::Refresh);
    w.error(437, "gone");
    w.integrity(key);
    if (has_both) w.integrity_sha256(key);
    answer.resize(w.finish());
    CHECK(rig.client->handle_packet(rig.now, answer) == (has_both ? Drop::StunIntegrity : Drop::None));
    CHECK(rig.client->state() == (has_both ? ClientState::Allocated : ClientState::Ended));
  }
}

TEST_CASE("a hard ICMP error ends an Allocate that nobody has answered, and touches nothing else",
          "[STUN-31]") {
  TurnRig rig;
  rig.server.is_silent = true;
  rig.start();
  REQUIRE(rig.sent.size() == 1);
  ByteVector foreign = rig.sent[0];
  foreign[19] ^= 1;
  ByteVector other = rig.sent[0];
  other[4] ^= 1;  // no STUN
  for (const ByteVector& quoted : {foreign, other, ByteVector(), ByteVector(19, 0)}) {
    rig.client->on_icmp_error(rig.now, quoted);
    CHECK(rig.client->state() == ClientState::Allocating);
  }
  rig.client->on_icmp_error(rig.now, Bytes(rig.sent[0]).first(20));
  CHECK(rig.client->state() == ClientState::Ended);
  rig.exchange();
  CHECK(rig.end_code() == turn::kUnreachable);

  TurnRig known;
  known.start();
  REQUIRE(known.client->state() == ClientState::Allocated);
  known.server.is_silent = true;
  known.sent.clear();
  known.client->refresh(known.now);
  known.exchange();
  REQUIRE(known.sent.size() == 1);
  known.client->on_icmp_error(known.now, known.sent[0]);
  CHECK(known.client->state() == ClientState::Allocated);
}

TEST_CASE("an allocation granted in words that we do not understand is deleted, and its end told",
          "[TURN-24][TURN-17]") {
  TurnRig rig;
  rig.server.add_to_success = [](Method method, stun::Writer& w) {
    if (method == Method::Allocate) w.u32(static_cast<Attribute>(0x7777), 1);
  };
  rig.start();
  CHECK(rig.server.count(Method::Allocate) == 2);
  CHECK_FALSE(rig.last<Client::Allocated>());
  CHECK(rig.server.last(Method::Refresh).u32(Attribute::Lifetime) == 0u);
  CHECK(rig.server.allocations.empty());
  CHECK(rig.client->state() == ClientState::Ended);
  CHECK(rig.end_code() == turn::kUnreachable);
  // A refusal without a code is one all the same: 0 would say that it ended as we wished.
  for (const bool is_strange : {false, true}) {
    TurnRig bare;
    bare.server.refusals[Method::Allocate].push_back({0, true, [&](auto& w) {
                                                        if (is_strange)
                                                          w.u32(static_cast<Attribute>(0x7777), 1);
                                                      }});
    bare.start();
    CHECK(bare.client->state() == ClientState::Ended);
    CHECK(bare.end_code() == turn::kUnreachable);
  }
}

TEST_CASE("lifetimes: the server's word within reason, refreshed in time", "[TURN-08]") {
  struct Row {
    std::optional<std::uint32_t> said;
    Duration first, life;
  };
  for (const Row& row : {Row{600u, 540s, 600s}, Row{std::nullopt, 540s, 600s}, Row{0u, 5s, 10s},
                         Row{0xFFFFFFFFu, 3540s, 3600s}, Row{119u, 59500ms, 119s}, Row{120u, 60s, 120s},
                         Row{1u, 5s, 10s}, Row{1800u, 1740s, 1800s}}) {
    TurnRig rig;
    rig.server.lifetime = row.said;
    rig.start();
    REQUIRE(rig.client->expires() == rig.now + row.life);
    const Time begun = rig.now;
    rig.run_to(begun + row.first - 1ms);
    CHECK(rig.server.count(Method::Refresh) == 0);
    rig.run_to(begun + row.first);
    CHECK(rig.server.count(Method::Refresh) == 1);
    CHECK(rig.client->expires() == rig.now + row.life);
    CHECK_FALSE(rig.server.last(Method::Refresh).has(Attribute::Lifetime));
    // From now on nobody answers: it lives as long as the server said, and no longer.
    rig.server.is_silent = true;
    const Time end = rig.client->expires();
    rig.run_to(end - 1ms);
    CHECK(rig.client->state() == ClientState::Allocated);
    rig.run_to(end);
    CHECK(rig.client->state() == ClientState::Ended);
    CHECK(rig.end_code() == turn::kUnreachable);
  }
}

TEST_CASE("a relayed address that is of no use is given back", "[TURN-09]") {
  for (const Address& address :
       {at("0.0.0.0", 50000), at("198.51.100.77", 0), at("224.0.0.1", 1), at("127.0.0.1", 1),
        at("255.255.255.255", 1), at("::ffff:1.2.3.4", 1), Address{}}) {
    TurnRig rig;
    rig.server.relay_v4 = {};
    rig.server.add_to_success = [&](Method method, stun::Writer& w) {
      if (method == Method::Allocate && address.is_valid())
        w.xor_address(Attribute::XorRelayedAddress, address);
    };
    rig.start();
    CHECK(rig.client->state() == ClientState::Ended);
    CHECK(rig.server.allocations.empty());
    CHECK(rig.server.last(Method::Refresh).u32(Attribute::Lifetime) == 0u);
    CHECK(rig.end_code() != 0);
    CHECK_FALSE(rig.last<Client::Allocated>());
    rig.wait(200s);
    CHECK(rig.server.count(Method::Allocate) == 2);
  }
  // One of a family we do not know: the same.
  TurnRig strange;
  strange.server.relay_v4 = {};
  strange.server.add_to_success = [](Method method, stun::Writer& w) {
    if (method == Method::Allocate) w.value(Attribute::XorRelayedAddress, hex("0003 1234 01020304"));
  };
  strange.start();
  CHECK(strange.client->state() == ClientState::Ended);
  CHECK(strange.server.allocations.empty());
}

TEST_CASE("what an Allocate says", "[TURN-26]") {
  TurnRig rig;
  rig.start();
  const auto request = rig.server.last(Method::Allocate);
  CHECK(request.u32(Attribute::RequestedTransport) == 0x11000000u);
  CHECK(request.u32(Attribute::AdditionalAddressFamily) == 0x02000000u);
  CHECK_FALSE(request.has(Attribute::RequestedAddressFamily));
  CHECK(request.unknown_required()
            .empty());  // EVEN-PORT, DONT-FRAGMENT and RESERVATION-TOKEN are unknown to us
  TurnRig four(false, false);
  four.start();
  CHECK_FALSE(four.server.last(Method::Allocate).has(Attribute::AdditionalAddressFamily));
  TurnRig six;
  six.server.refusals[Method::Allocate].push_back({440});
  six.start();
  CHECK(six.server.last(Method::Allocate).has(Attribute::RequestedAddressFamily));
  CHECK_FALSE(six.server.last(Method::Allocate).has(Attribute::AdditionalAddressFamily));
}

TEST_CASE("two families, and one of them refused", "[TURN-27][TURN-21]") {
  TurnRig both;
  both.server.relay_v6 = at("2001:db8::77", 50000);
  both.start();
  REQUIRE(both.client->relayed().size() == 2);
  CHECK(both.client->relayed()[1] == at("2001:db8::77", 50000));
  CHECK(both.permit(at("2001:db8::5")));
  both.wait(545s);
  CHECK_FALSE(both.server.last(Method::Refresh).has(Attribute::RequestedAddressFamily));  // both at once

  // The refusal of IPv6 is kept in mind when the allocation is made anew: 440 for ever, 508 for a minute.
  for (const int code : {440, 508}) {
    for (const Duration wait : {0s, 61s}) {
      TurnRig rig;
      rig.server.add_to_success = [code](Method method, stun::Writer& w) {
        const std::uint8_t value[4] = {2, 0, static_cast<std::uint8_t>(code / 100),
                                       static_cast<std::uint8_t>(code % 100)};
        if (method == Method::Allocate) w.value(Attribute::AddressErrorCode, value);
      };
      rig.start();
      REQUIRE(rig.client->state() == ClientState::Allocated);
      CHECK(rig.client->relayed().size() == 1);
      REQUIRE(rig.permit(kPeer));
      rig.wait(wait);
      rig.server.refusals[Method::ChannelBind].push_back({400});
      rig.client->bind_channel(rig.now, kPeer);
      rig.exchange();
      REQUIRE(rig.client->state() == ClientState::Allocated);
      CHECK(rig.server.last(Method::Allocate).has(Attribute::AdditionalAddressFamily) ==
            (code == 508 && wait != 0s));
    }
  }
}

TEST_CASE("all requests of an allocation speak as the same user", "[TURN-28]") {
  TurnRig rig;
  rig.start();
  REQUIRE(rig.permit(kPeer));
  rig.client->bind_channel(rig.now, kPeer);
  rig.exchange();
  rig.wait(545s);
  rig.client->close(rig.now);
  rig.exchange();
  for (const Method method : {Method::CreatePermission, Method::ChannelBind, Method::Refresh}) {
    const auto request = rig.server.last(method);
    CHECK(request.text(Attribute::Username) == "alice");
    CHECK(request.text(Attribute::Realm) == "example.org");
    CHECK(stun::verify_integrity(request, stun::Integrity::Sha1,
                                 *stun::long_term_key("alice", "example.org", "secret")));
  }
}

TEST_CASE("an allocation outlives a server's errors that end before it does", "[TURN-08]") {
  TurnRig rig;
  rig.start();
  for (int i = 0; i < 6; ++i) rig.server.refusals[Method::Refresh].push_back({500});
  rig.wait(599s);
  CHECK(rig.client->expires() > rig.now + 500s);
  // Errors without end: it ends when it has run out, and asks no more often than that.
  const Time expires = rig.client->expires();
  const std::size_t asked = rig.server.count(Method::Refresh);
  for (int i = 0; i < 100; ++i) rig.server.refusals[Method::Refresh].push_back({500});
  rig.run_to(expires - 1ms);
  CHECK(rig.client->state() == ClientState::Allocated);
  CHECK(rig.server.count(Method::Refresh) == asked + 7);
  rig.run_to(expires);
  CHECK(rig.client->state() == ClientState::Ended);
  // What is no error of the server's own is not asked for again.
  TurnRig refused;
  refused.start();
  refused.server.refusals[Method::Refresh].push_back({403});
  refused.wait(599s);
  CHECK(refused.server.count(Method::Refresh) == 1);
}

TEST_CASE("password algorithms: the list comes back unchanged, the strongest is used", "[TURN-22]") {
  struct Row {
    std::vector<std::uint16_t> offered;
    std::uint32_t chosen;
  };
  for (const Row& row : {Row{{1, 2}, 0x00020000}, Row{{2, 1}, 0x00020000}, Row{{2}, 0x00020000},
                         Row{{1}, 0x00010000}, Row{{9, 1, 8}, 0x00010000}}) {
    TurnRig rig;
    rig.server.nonce = "obMatJos2gAAAnonce";
    rig.server.algorithms = row.offered;
    rig.start();
    REQUIRE(rig.client->state() == ClientState::Allocated);
    const auto request = rig.server.last(Method::Allocate);
    CHECK(request.u32(Attribute::PasswordAlgorithm) == row.chosen);
    CHECK(request.value_of(Attribute::PasswordAlgorithms)->size() == 4 * row.offered.size());
    CHECK(load_u16(request.value_of(Attribute::PasswordAlgorithms)->data()) == row.offered[0]);
    CHECK_FALSE(request.has(Attribute::MessageIntegrity));
    CHECK(stun::integrity_of(request) == stun::Integrity::Sha256);
    REQUIRE(rig.permit(kPeer));
    CHECK(stun::integrity_of(rig.server.last(Method::CreatePermission)) == stun::Integrity::Sha256);
    CHECK_FALSE(rig.server.last(Method::CreatePermission).has(Attribute::MessageIntegrity));
  }
  TurnRig old;
  old.start();
  const auto request = old.server.last(Method::Allocate);
  CHECK(stun::integrity_of(request) == stun::Integrity::Sha1);
  CHECK_FALSE(request.has(Attribute::PasswordAlgorithm));
  CHECK_FALSE(request.has(Attribute::PasswordAlgorithms));
}

TEST_CASE("a user who should stay unknown is named by a hash", "[TURN-23][TURN-19][TURN-38]") {
  TurnRig rig;
  rig.server.nonce = "obMatJos2QAAAnonce";  // bit 1
  rig.start();
  REQUIRE(rig.client->state() == ClientState::Allocated);
  const auto request = rig.server.last(Method::Allocate);
  CHECK_FALSE(request.has(Attribute::Username));
  REQUIRE(request.has(Attribute::Userhash));
  CHECK(equal(*request.value_of(Attribute::Userhash), *stun::userhash("alice", "example.org")));
  for (const std::string_view nonce : {"plain", "obMatJos2AAAAnonce", "obMatJos2IAAAnonce"}) {
    TurnRig named;
    named.server.nonce = nonce;
    named.start();
    CHECK(named.server.last(Method::Allocate).text(Attribute::Username) == "alice");
    CHECK_FALSE(named.server.last(Method::Allocate).has(Attribute::Userhash));
  }
}

TEST_CASE("nobody reads credentials in the log", "[TURN-19]") {
  TurnRig rig;
  rig.server.realm = "a-realm";
  rig.start();
  rig.permit(kPeer);
  rig.client->close(rig.now);
  rig.exchange();
  TurnRig wrong;
  wrong.server.password = "another";
  wrong.start();
  for (const auto* lines : {&rig.environment.log_lines, &wrong.environment.log_lines}) {
    CHECK_FALSE(lines->empty());
    for (const std::string& line : *lines) {
      CHECK(line.find("secret") == std::string::npos);
      CHECK(line.find("alice") == std::string::npos);
    }
  }
}

TEST_CASE("names and passwords beyond ASCII go out as the bytes they are", "[TURN-20]") {
  TurnRig rig;
  rig.server.user = "J\xC3\xBCrgen";
  rig.server.password = "\xE2\x98\x83 snow";
  REQUIRE(rig.account.username.assign(as_bytes(rig.server.user)));
  REQUIRE(rig.account.password.assign(as_bytes(rig.server.password)));
  rig.start();
  CHECK(rig.client->state() == ClientState::Allocated);
  CHECK(rig.server.last(Method::Allocate).text(Attribute::Username) == rig.server.user);
}

TEST_CASE("closing gives the allocation back", "[TURN-17]") {
  TurnRig rig;
  rig.start();
  rig.client->close(rig.now);
  CHECK(rig.client->relayed().empty());
  rig.client->close(rig.now);
  rig.exchange();
  CHECK(rig.server.allocations.empty());
  CHECK(rig.server.last(Method::Refresh).u32(Attribute::Lifetime) == 0u);
  CHECK(rig.server.count(Method::Refresh) == 1);
  CHECK(rig.client->state() == ClientState::Ended);
  CHECK(rig.end_code() == 0);

  TurnRig gone;  // the server has forgotten it: just as well
  gone.start();
  gone.server.allocations.clear();
  gone.client->close(gone.now);
  gone.exchange();
  CHECK(gone.client->state() == ClientState::Ended);
  CHECK(gone.end_code() == 0);

  TurnRig pending;  // the answer to a signed Allocate is on its way: there may be an allocation
  pending.client->start(pending.now);
  ByteVector out(600);
  out.resize(pending.client->poll_packet(pending.now, out));
  pending.client->handle_packet(pending.now,
                                pending.server.handle(pending.own, pending.server.address, out)[0].bytes);
  out.assign(600, 0);
  out.resize(pending.client->poll_packet(pending.now, out));
  const auto late = pending.server.handle(pending.own, pending.server.address, out)[0].bytes;
  pending.client->close(pending.now);
  CHECK(pending.client->handle_packet(pending.now, late) == Drop::StunNoTransaction);
  pending.exchange();
  CHECK(pending.server.allocations.empty());
  CHECK(pending.client->state() == ClientState::Ended);

  TurnRig early;  // before anybody knew who we are there is nothing to give back
  early.client->start(early.now);
  early.client->close(early.now);
  CHECK(early.client->state() == ClientState::Ended);
  early.exchange();
  CHECK(early.sent.empty());
  for (TurnRig* r : {&rig, &gone, &pending, &early}) {
    r->wait(100s);
    CHECK(r->client->next_timeout() == kNever);
    r->client.reset();
    r->account = turn::Account(r->environment.env.memory);
    CHECK(r->environment.bytes_in_use() == 0);
  }
}

TEST_CASE("server errors pass, but not for ever", "[STUN-25][TURN-06]") {
  TurnRig rig;
  for (int i = 0; i < 3; ++i) rig.server.refusals[Method::Allocate].push_back({500});
  rig.start();
  rig.wait(30s);
  CHECK(rig.client->state() == ClientState::Allocated);
  TurnRig never;
  for (int i = 0; i < 30; ++i) never.server.refusals[Method::Allocate].push_back({500});
  never.start();
  never.wait(100s);
  CHECK(never.end_code() == 500);
  CHECK(never.server.count(Method::Allocate) == 1 + 1 + 4);
  // An error without a code, and one of a class nobody knows, is a failure at once.
  TurnRig nameless;
  nameless.server.refusals[Method::Allocate].push_back({0});
  nameless.start();
  CHECK(nameless.client->state() == ClientState::Ended);
  for (const int code : {600, 699}) {
    TurnRig unknown;
    unknown.server.refusals[Method::Allocate].push_back({code});
    unknown.start();
    unknown.wait(100s);
    CHECK(unknown.end_code() == code);
    CHECK(unknown.server.count(Method::Allocate) == 2);
  }
}

TEST_CASE("over a stream nothing is repeated, and 39.5 s are enough", "[STUN-15]") {
  TurnRig rig(true);
  rig.server.is_silent = true;
  rig.start();
  rig.wait(39499ms);
  CHECK(rig.sent.size() == 1);
  CHECK(rig.client->state() == ClientState::Allocating);
  rig.wait(1ms);
  CHECK(rig.client->state() == ClientState::Ended);
  CHECK(rig.end_code() == turn::kUnreachable);
  CHECK(rig.sent.size() == 1);

  TurnRig reset(true);
  reset.start();
  REQUIRE(reset.permit(kPeer));
  reset.client->bind_channel(reset.now, kPeer);
  reset.client->on_connection_lost(reset.now, "reset");
  reset.exchange();
  CHECK(reset.client->state() == ClientState::Ended);
  CHECK(reset.end_text() == "reset");
  CHECK_FALSE(reset.client->is_permitted(reset.now, kPeer));
  CHECK(reset.client->next_timeout() == kNever);
}

}  // namespace pollrtc::test
