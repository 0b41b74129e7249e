// Permissions, channels and data.
#include "support/catch.h"
#include "turn_rig.h"

namespace pollrtc::test {

namespace {

const Address kPeer = at("192.0.2.50", 6000), kOther = at("192.0.2.51", 6000), kSix = at("2001:db8::5", 6000);

Client::Input take(TurnRig& rig, const ByteVector& packet) {
  return rig.client->handle(rig.now, rig.received.emplace_back(packet));
}

TurnRig& allocated(TurnRig& rig) {
  rig.start();
  REQUIRE(rig.client->state() == ClientState::Allocated);
  return rig;
}

}  // namespace

TEST_CASE("a permission comes before the first datagram and is kept for five minutes at a time",
          "[TURN-10]") {
  TurnRig rig;
  allocated(rig);
  CHECK(rig.send(kPeer, "early").empty());
  REQUIRE(rig.client->want_permission(rig.now, kPeer));
  CHECK(rig.client->has_waiting());
  CHECK(rig.send(kPeer, "early").empty());
  REQUIRE(rig.permit(kPeer));
  CHECK(rig.last<Client::Permitted>()->peer == kPeer.with_port(0));
  const Time granted = rig.now;
  // One for each address: the port does not matter.
  REQUIRE(rig.permit(kPeer.with_port(7000)));
  CHECK(rig.server.count(Method::CreatePermission) == 1);

  const ByteVector sent = rig.send(kPeer, "hello");
  const auto message = *stun::Message::parse(sent, stun::Usage::Turn);
  CHECK(message.method() == Method::Send);
  CHECK(message.message_class() == stun::Class::Indication);
  CHECK(message.xor_address(Attribute::XorPeerAddress) == kPeer);
  CHECK(message.text(Attribute::Data) == "hello");
  CHECK_FALSE(message.has(Attribute::MessageIntegrity));

  rig.run_to(granted + 239s);
  CHECK(rig.server.count(Method::CreatePermission) == 1);
  rig.run_to(granted + 299s);  // renewed in time
  CHECK(rig.server.count(Method::CreatePermission) == 2);
  CHECK(rig.client->is_permitted(granted + 301s, kPeer));
  // Not renewed: it ends five minutes after the answer.
  rig.server.is_silent = true;
  const Time renewed = granted + 240s;
  rig.run_to(renewed + 300s - 1ms);
  CHECK(rig.client->is_permitted(rig.now, kPeer));
  rig.run_to(renewed + 300s);
  CHECK_FALSE(rig.client->is_permitted(rig.now, kPeer));
  CHECK(rig.last<Client::Refused>()->peer == kPeer.with_port(0));
}

TEST_CASE("a refused permission", "[TURN-10]") {
  for (const int code : {403, 443, 400, 508}) {
    TurnRig rig;
    allocated(rig);
    rig.server.refusals[Method::CreatePermission].push_back({code});
    CHECK_FALSE(rig.permit(kPeer));
    REQUIRE(rig.last<Client::Refused>());
    CHECK(rig.last<Client::Refused>()->code == code);
    rig.wait(100s);
    CHECK(rig.server.count(Method::CreatePermission) == 1);
    CHECK(rig.permit(kOther));  // the others live on
  }
  TurnRig four;
  allocated(four);
  CHECK(four.client->want_permission(four.now, kSix).error() == ErrorCode::Refused);
  CHECK(four.server.count(Method::CreatePermission) == 0);
  // RFC 8656 §10.1: peers of a family without relayed address are not asked for; with one they are.
  TurnRig both;
  both.server.relay_v6 = at("2001:db8::77", 50000);
  allocated(both);
  CHECK(both.permit(kSix));
}

TEST_CASE("who asks again for a refused permission gets another answer", "[TURN-10]") {
  TurnRig rig;
  allocated(rig);
  for (const int code : {403, 508}) {
    rig.server.refusals[Method::CreatePermission].push_back({code});
    rig.events.clear();
    CHECK_FALSE(rig.permit(kPeer));
    REQUIRE(rig.last<Client::Refused>());
    CHECK(rig.last<Client::Refused>()->code == code);
  }
  CHECK(rig.server.count(Method::CreatePermission) == 2);
  rig.events.clear();
  CHECK(rig.permit(kPeer));
  REQUIRE(rig.last<Client::Permitted>());
  CHECK(rig.last<Client::Permitted>()->peer == kPeer.with_port(0));
  // One that ran out, too.
  rig.server.is_silent = true;
  rig.wait(301s);
  REQUIRE(rig.last<Client::Refused>());
  rig.server.is_silent = false;
  CHECK(rig.permit(kPeer));
}

TEST_CASE("permissions are limited", "[TURN-10][lim.turn.permissions]") {
  Limits limits;
  limits.turn_permissions = 3;
  TurnRig rig(false, true, limits);
  allocated(rig);
  for (int i = 0; i < 3; ++i) CHECK(rig.permit(at("192.0.2." + std::to_string(10 + i))));
  CHECK(rig.client->want_permission(rig.now, kPeer).error() == ErrorCode::LimitReached);
  rig.client->forget_permission(at("192.0.2.10"));
  CHECK(rig.client->want_permission(rig.now, kPeer).error() ==
        ErrorCode::LimitReached);  // it still stands there
  rig.wait(301s);
  CHECK_FALSE(rig.client->is_permitted(rig.now, at("192.0.2.10")));  // and was not renewed
  CHECK(rig.client->is_permitted(rig.now, at("192.0.2.11")));
  CHECK(rig.permit(kPeer));
}

TEST_CASE("a refused permission keeps no place from another", "[TURN-10]") {
  Limits limits;
  limits.turn_permissions = 2;
  TurnRig rig(false, true, limits);
  allocated(rig);
  CHECK(rig.permit(kOther));
  rig.server.refusals[Method::CreatePermission].push_back({403});
  REQUIRE(rig.client->want_permission(rig.now, at("192.0.2.99")));
  CHECK(rig.client->want_permission(rig.now, kPeer).error() == ErrorCode::LimitReached);  // not known yet
  CHECK_FALSE(rig.permit(at("192.0.2.99")));
  REQUIRE(rig.last<Client::Refused>());
  CHECK(rig.permit(kPeer));
  CHECK(rig.client->is_permitted(rig.now, kOther));
  CHECK(rig.client->want_permission(rig.now, at("192.0.2.99")).error() == ErrorCode::LimitReached);
}

TEST_CASE("Data indications: from whom, and with what", "[TURN-11]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  const auto good = take(rig, TurnServer::data_indication(kPeer, as_bytes("hello")));
  CHECK(good.is_data);
  CHECK(good.peer == kPeer);
  CHECK(good.relayed == rig.client->relayed()[0]);
  CHECK(as_text(good.data) == "hello");
  const auto empty = take(rig, TurnServer::data_indication(kPeer, {}));
  CHECK(empty.is_data);
  CHECK(empty.data.empty());
  const auto stranger = take(rig, TurnServer::data_indication(kOther, as_bytes("x")));
  CHECK_FALSE(stranger.is_data);
  CHECK(stranger.drop == Drop::TurnNoPermission);
  const auto make = [](auto fill) {
    ByteVector out(200);
    stun::Writer w(out, stun::Class::Indication, {}, Method::Data);
    fill(w);
    out.resize(w.finish());
    return out;
  };
  CHECK(take(rig, make([](auto& w) { w.text(Attribute::Data, "x"); })).drop == Drop::TurnMalformed);
  CHECK(take(rig, make([](auto& w) { w.xor_address(Attribute::XorPeerAddress, kPeer); })).drop ==
        Drop::TurnMalformed);
  CHECK(take(rig, make([](auto& w) {
               w.xor_address(Attribute::XorPeerAddress, kPeer);
               w.text(Attribute::Data, "x");
               w.u32(static_cast<Attribute>(0x7777), 1);
             }))
            .drop == Drop::StunUnknownAttribute);
}

TEST_CASE("an ICMP message that the server reports changes nothing", "[TURN-33]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  const auto icmp = [](const std::optional<Address>& peer) {
    ByteVector out(200);
    stun::Writer w(out, stun::Class::Indication, {}, Method::Data);
    if (peer) w.xor_address(Attribute::XorPeerAddress, *peer);
    w.value(Attribute::Icmp, hex("0000 0604 00000500"));  // type 3, code 4, next-hop MTU 1280
    out.resize(w.finish());
    return out;
  };
  const auto reported = take(rig, icmp(kPeer));
  CHECK(reported.drop == Drop::TurnIcmp);
  CHECK(reported.peer == kPeer);
  CHECK_FALSE(reported.is_data);
  CHECK(take(rig, icmp(std::nullopt)).drop == Drop::TurnMalformed);
  CHECK(take(rig, icmp(kOther)).drop == Drop::TurnNoPermission);
  CHECK(rig.client->state() == ClientState::Allocated);
  CHECK(rig.client->is_permitted(rig.now, kPeer));
  rig.exchange();
  CHECK_FALSE(rig.last<Client::Refused>());
}

TEST_CASE("channels: numbers, one peer each way, renewed in time", "[TURN-12][TURN-30]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  REQUIRE(rig.permit(kOther));
  rig.client->bind_channel(rig.now, kPeer);
  // Sent, not answered: data goes by Send indication, and what comes by the channel is taken already.
  ByteVector request(600);
  request.resize(rig.client->poll_packet(rig.now, request));
  CHECK(rig.client->headroom(kPeer) == 36);
  CHECK(stun::Message::parse(rig.send(kPeer, "x"), stun::Usage::Turn)->method() == Method::Send);
  CHECK(take(rig, TurnServer::channel_data(0x4000, as_bytes("early"))).is_data);
  for (const auto& reply : rig.server.handle(rig.own, rig.server.address, request))
    rig.client->handle_packet(rig.now, reply.bytes);
  const Time bound = rig.now;
  CHECK(rig.client->headroom(kPeer) == turn::kChannelHeader);
  CHECK(rig.send(kPeer, "data") == TurnServer::channel_data(0x4000, as_bytes("data")));
  CHECK(rig.server.last(Method::ChannelBind).u32(Attribute::ChannelNumber) == 0x40000000u);
  CHECK(rig.server.last(Method::ChannelBind).xor_address(Attribute::XorPeerAddress) == kPeer);

  rig.client->bind_channel(rig.now, kPeer);  // again: nothing to do
  rig.exchange();
  CHECK(rig.server.count(Method::ChannelBind) == 1);
  rig.run_to(bound + 539s);
  CHECK(rig.server.count(Method::ChannelBind) == 1);
  rig.run_to(bound + 541s);
  CHECK(rig.server.count(Method::ChannelBind) == 2);
  CHECK(rig.server.last(Method::ChannelBind).u32(Attribute::ChannelNumber) == 0x40000000u);

  // Another peer, another number; the first is not renewed any more, and ends ten minutes after its last renewal.
  rig.client->bind_channel(rig.now, kOther);
  rig.exchange();
  CHECK(rig.server.last(Method::ChannelBind).u32(Attribute::ChannelNumber) == 0x40010000u);
  CHECK(rig.send(kOther, "x")[1] == 1);
  rig.run_to(bound + 540s + 600s - 1s);
  CHECK(rig.client->headroom(kPeer) == turn::kChannelHeader);
  rig.run_to(bound + 540s + 600s + 1s);
  CHECK(rig.client->headroom(kPeer) == 36);
  CHECK(take(rig, TurnServer::channel_data(0x4000, as_bytes("late"))).drop == Drop::TurnUnknownChannel);
  // The same peer gets the same number again.
  rig.client->bind_channel(rig.now, kPeer);
  rig.exchange();
  CHECK(rig.server.last(Method::ChannelBind).u32(Attribute::ChannelNumber) == 0x40000000u);
}

TEST_CASE("a channel whose renewal goes unheard for a while is not lost for it", "[TURN-12]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  rig.client->bind_channel(rig.now, kPeer);
  rig.exchange();
  REQUIRE(rig.client->headroom(kPeer) == turn::kChannelHeader);
  rig.wait(539s);
  rig.server.is_silent = true;
  rig.wait(45s);
  rig.server.is_silent = false;
  rig.wait(20s);  // beyond the ten minutes
  CHECK(rig.client->headroom(kPeer) == turn::kChannelHeader);
  // A server that does not want to: Send indications do it.
  rig.wait(500s);
  REQUIRE(rig.client->state() == ClientState::Allocated);
  rig.server.refusals[Method::ChannelBind].push_back({403});
  rig.wait(140s);
  CHECK(rig.client->headroom(kPeer) == 36);
  CHECK(rig.client->is_permitted(rig.now, kPeer));
}

// Over a stream such an answer ends the wait for a true one.
TEST_CASE("answers over a stream that are not the server's do not set the pace of renewals", "[TURN-24]") {
  for (const Method method : {Method::Refresh, Method::CreatePermission, Method::ChannelBind}) {
    TurnRig rig(true);
    allocated(rig);
    REQUIRE(rig.permit(kPeer));
    rig.client->bind_channel(rig.now, kPeer);
    rig.exchange();
    for (int i = 0; i < 1000; ++i)
      rig.server.refusals[method].push_back(
          {403, false, [](auto& w) { w.integrity(as_bytes(std::string_view("another key"))); }});
    while (rig.server.refusals[method].size() == 1000) rig.wait(1s);
    rig.wait(20s);
    const std::size_t asked = 1000 - rig.server.refusals[method].size();
    CHECK(asked > 10);
    CHECK(asked < 25);
    CHECK(rig.client->state() == ClientState::Allocated);
    rig.server.refusals.clear();
    rig.wait(2s);
    CHECK(rig.client->is_permitted(rig.now, kPeer));
  }
}

TEST_CASE("channels are limited, and a refused one costs nothing", "[TURN-12][lim.turn.channels]") {
  Limits limits;
  limits.turn_channels = 1;
  TurnRig rig(false, true, limits);
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  REQUIRE(rig.permit(kOther));
  rig.client->bind_channel(rig.now, kPeer);
  rig.client->bind_channel(rig.now, kOther);
  rig.exchange();
  CHECK(rig.server.count(Method::ChannelBind) == 1);
  CHECK(rig.client->headroom(kOther) == 36);
  TurnRig refused;
  allocated(refused);
  REQUIRE(refused.permit(kPeer));
  refused.server.refusals[Method::ChannelBind].push_back({403});
  refused.client->bind_channel(refused.now, kPeer);
  refused.exchange();
  CHECK(refused.client->headroom(kPeer) == 36);
  CHECK(refused.client->is_permitted(refused.now, kPeer));
  CHECK(refused.client->state() == ClientState::Allocated);
}

TEST_CASE("ChannelData that is taken, and that is not", "[TURN-13]") {
  for (const bool is_stream : {false, true}) {
    TurnRig rig(is_stream);
    allocated(rig);
    REQUIRE(rig.permit(kPeer));
    rig.client->bind_channel(rig.now, kPeer);
    rig.exchange();
    const auto data = take(rig, TurnServer::channel_data(0x4000, as_bytes("hello")));
    CHECK(data.is_data);
    CHECK(data.peer == kPeer);
    CHECK(data.relayed == rig.client->relayed()[0]);
    CHECK(as_text(data.data) == "hello");
    CHECK(as_text(take(rig, TurnServer::channel_data(0x4000, as_bytes("hello"), 3)).data) == "hello");
    const auto empty = take(rig, TurnServer::channel_data(0x4000, {}));
    CHECK(empty.is_data);
    CHECK(empty.data.empty());
    for (const std::uint16_t number : std::initializer_list<std::uint16_t>{0x4001, 0x4FFF, 0x5000, 0x7FFF})
      CHECK(take(rig, TurnServer::channel_data(number, as_bytes("x"))).drop == Drop::TurnUnknownChannel);
    CHECK_FALSE(take(rig, TurnServer::channel_data(0x8000, as_bytes("x"))).is_data);
    CHECK_FALSE(take(rig, TurnServer::channel_data(0xFFFF, as_bytes("x"))).is_data);
    auto longer = TurnServer::channel_data(0x4000, as_bytes("hello"));
    longer[3] = 6;
    CHECK(take(rig, longer).drop == Drop::TurnMalformed);
    CHECK(take(rig, hex("4000")).drop == Drop::TurnMalformed);
    CHECK(take(rig, TurnServer::channel_data(0x4000, as_bytes("hello"), 4)).drop == Drop::TurnMalformed);
    // Padded in a stream, not in a datagram; and not counted either way.
    for (const std::string_view text : {"", "1", "12", "123", "1234", "12345"}) {
      const ByteVector sent = rig.send(kPeer, text);
      CHECK(sent.size() == 4 + (is_stream ? padded4(text.size()) : text.size()));
      CHECK(load_u16(sent.data() + 2) == text.size());
      for (std::size_t i = 4 + text.size(); i < sent.size(); ++i) CHECK(sent[i] == 0);
    }
    rig.server.is_silent = true;
    rig.wait(301s);  // the permission ends before the channel does
    CHECK(take(rig, TurnServer::channel_data(0x4000, as_bytes("hello"))).drop == Drop::TurnNoPermission);
  }
}

TEST_CASE("nothing is answered, and no request is served", "[TURN-18][STUN-26]") {
  TurnRig rig;
  allocated(rig);
  const std::size_t before = rig.sent.size();
  for (const Method method : {Method::Binding, Method::Allocate, Method::Refresh, Method::Send, Method::Data,
                              Method::CreatePermission, Method::ChannelBind}) {
    for (const auto message_class :
         {stun::Class::Request, stun::Class::Indication, stun::Class::Success, stun::Class::Error}) {
      ByteVector out(100);
      stun::Writer w(out, message_class, {9}, method);
      out.resize(w.finish());
      const auto input = take(rig, out);
      CHECK(input.drop != Drop::None);
      CHECK_FALSE(input.is_data);
    }
  }
  rig.exchange();
  CHECK(rig.sent.size() == before);
  CHECK(rig.client->state() == ClientState::Allocated);
}

TEST_CASE("437 to anything but an Allocate ends it all at once", "[TURN-29]") {
  for (const Method method : {Method::Refresh, Method::CreatePermission, Method::ChannelBind}) {
    TurnRig rig;
    allocated(rig);
    REQUIRE(rig.permit(kPeer));
    rig.server.refusals[method].push_back({437});
    if (method == Method::CreatePermission) CHECK_FALSE(rig.permit(kOther));
    if (method == Method::ChannelBind) rig.client->bind_channel(rig.now, kPeer);
    rig.exchange();
    if (method == Method::Refresh) rig.wait(541s);
    CHECK(rig.client->state() == ClientState::Ended);
    CHECK(rig.end_code() == 437);
    CHECK(rig.client->relayed().empty());
    CHECK_FALSE(rig.client->is_permitted(rig.now, kPeer));
    CHECK(rig.send(kPeer, "x").empty());
    CHECK(take(rig, TurnServer::data_indication(kPeer, as_bytes("x"))).drop == Drop::NoSession);
    CHECK(rig.client->next_timeout() == kNever);
  }
}

TEST_CASE("an unexpected 400 to ChannelBind: the allocation is deleted and made anew", "[TURN-31]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  rig.server.refusals[Method::ChannelBind].push_back({400});
  rig.client->bind_channel(rig.now, kPeer);
  rig.exchange();
  CHECK(rig.last<Client::Released>());
  CHECK(rig.server.last(Method::Refresh).u32(Attribute::Lifetime) == 0u);
  REQUIRE(rig.client->state() == ClientState::Allocated);
  CHECK(rig.client->relayed()[0] == at("198.51.100.77", 50001));
  CHECK_FALSE(rig.client->is_permitted(rig.now, kPeer));
  // Once only.
  REQUIRE(rig.permit(kPeer));
  rig.server.refusals[Method::ChannelBind].push_back({400});
  rig.client->bind_channel(rig.now, kPeer);
  rig.exchange();
  CHECK(rig.client->state() == ClientState::Ended);
  CHECK(rig.end_code() == 400);
  CHECK(rig.server.allocations.empty());
}

TEST_CASE("data renews nothing", "[TURN-32]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  rig.client->bind_channel(rig.now, kPeer);
  rig.exchange();
  rig.server.is_silent = true;
  const Time begun = rig.now;
  for (int i = 1; i < 300; ++i) {
    rig.run_to(begun + i * 1s);
    CHECK_FALSE(rig.send(kPeer, "x").empty());
    take(rig, TurnServer::channel_data(0x4000, as_bytes("x")));
    take(rig, TurnServer::data_indication(kPeer, as_bytes("x")));
  }
  rig.run_to(begun + 300s);
  CHECK(rig.send(kPeer, "x").empty());
  rig.run_to(begun + 600s);
  CHECK(rig.client->state() == ClientState::Ended);
  CHECK(rig.client->headroom(kPeer) == 36);  // the channel has ended with the allocation
}

TEST_CASE("a server that falls silent or goes away", "[TURN-16]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  rig.server.is_silent = true;
  rig.wait(700s);
  CHECK(rig.end_code() == turn::kUnreachable);
  CHECK(rig.last<Client::Refused>());
  TurnRig stream(true);
  allocated(stream);
  stream.client->on_connection_lost(stream.now, "reset by the server");
  stream.exchange();
  CHECK(stream.end_code() == turn::kUnreachable);
  CHECK(stream.end_text() == "reset by the server");
}

TEST_CASE("a quiet allocation keeps its NAT binding", "[TURN-16]") {
  TurnRig rig;
  allocated(rig);
  const std::size_t before = rig.sent.size();
  rig.wait(14s);
  CHECK(rig.sent.size() == before);
  rig.wait(2s);
  REQUIRE(rig.sent.size() == before + 1);
  const auto keepalive = *stun::Message::parse(rig.sent.back());
  CHECK(keepalive.message_class() == stun::Class::Indication);
}

TEST_CASE("data keeps the NAT binding of an allocation as well as a keepalive does", "[TURN-16]") {
  TurnRig rig;
  allocated(rig);
  REQUIRE(rig.permit(kPeer));
  const std::size_t before = rig.sent.size();
  for (int i = 0; i < 10; ++i) {
    rig.wait(10s);
    CHECK_FALSE(rig.send(kPeer, "data").empty());
    CHECK(rig.client->next_timeout() > rig.now);
  }
  rig.wait(turn::kKeepalive - 1us);
  CHECK(rig.sent.size() == before);
  rig.wait(1us);
  CHECK(rig.sent.size() == before + 1);
}

TEST_CASE("a TURN request with ordinary names fits the smallest path", "[STUN-27]") {
  TurnRig rig;
  rig.server.user = std::string(64, 'u');
  rig.server.realm = std::string(64, 'r');
  rig.server.nonce = "obMatJos2gAAA" + std::string(64, 'n');
  rig.server.algorithms = {2, 1};
  REQUIRE(rig.account.username.assign(as_bytes(rig.server.user)));
  rig.server.relay_v6 = at("2001:db8::77", 50000);
  allocated(rig);
  REQUIRE(rig.permit(kSix));
  rig.client->bind_channel(rig.now, kSix);
  rig.wait(600s);
  rig.client->close(rig.now);
  rig.exchange();
  for (const ByteVector& packet : rig.sent) CHECK(packet.size() < stun::kMaxSent);
}

}  // namespace pollrtc::test
