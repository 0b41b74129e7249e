// Limits one below, at, and one above, with both profiles: a table. Each row tries to reach a number, and tells what it reached:
// the number itself up to the limit, and the limit beyond it. Limits that take more than that to reach have tests of their own
// elsewhere; tests/checks/limits_tested.py finds those that have none.
#include <functional>

#include "ice/replies.h"
#include "ice/tcp_connections.h"
#include "sctp/rx_tracker.h"
#include "sctp/tx_queue.h"
#include "support/catch.h"
#include "unit/dtls/pair.h"
#include "unit/peer/channels_fixture.h"

namespace pollrtc::test {
namespace {

struct Row {
  const char* name;
  std::size_t (*limit)(const Limits&);
  // With these limits, asked for `wanted`.
  std::size_t (*reached)(const Limits& limits, std::size_t wanted);
};

void try_row(const Row& row) {
  for (const bool is_small : {false, true}) {
    const Limits limits = is_small ? Limits::small() : Limits{};
    const std::size_t limit = row.limit(limits);
    for (const std::size_t wanted : {limit - 1, limit, limit + 1}) {
      CAPTURE(row.name, is_small, wanted);
      CHECK(row.reached(limits, wanted) == std::min(wanted, limit));
    }
  }
}

// --- ICE ---

Address stranger(std::size_t i) {
  return Address::v4(203, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 9);
}

std::size_t errors_to(const Limits& limits, std::size_t wanted, bool to_one) {
  ice::ErrorLimiter limiter(default_memory(), limits);
  std::size_t allowed = 0;
  for (std::size_t i = 0; i < wanted; ++i) allowed += limiter.allow(Time{}, stranger(to_one ? 0 : i)) ? 1 : 0;
  return allowed;
}
std::size_t errors_to_all(const Limits& limits, std::size_t wanted) {
  return errors_to(limits, wanted, false);
}
std::size_t errors_to_one(const Limits& limits, std::size_t wanted) {
  return errors_to(limits, wanted, true);
}

// Who is accepted beyond the limit takes the place of another.
std::size_t accepted_strangers(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment;
  environment.env.limits = limits;
  ice::TcpConnections tcp(environment.env);
  std::size_t open = 0;
  for (std::size_t i = 0; i < wanted; ++i)
    open += tcp.accept(Time{}, Address::v4(192, 0, 2, 1, 5000), stranger(i)) ? 1 : 0;
  ice::TcpConnections::Event event;
  while (tcp.poll_event(event)) open -= std::holds_alternative<ice::TcpConnections::Closed>(event) ? 1 : 0;
  return open;
}

std::size_t active_connections(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment;
  environment.env.limits = limits;
  ice::TcpConnections tcp(environment.env);
  const ByteVector request = hex("0001 0000 2112a442 000000000000000000000001");
  std::size_t open = 0;
  for (std::size_t i = 0; i < wanted; ++i)
    open += tcp.send({Address::v4(192, 0, 2, 1, 9), stranger(i), Transport::Tcp}, request) ? 1 : 0;
  return open;
}

// --- DTLS ---

// A handshake message of that length begins.
std::size_t handshake_message(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment(3);
  environment.env.limits = limits;
  dtls::Session client(environment.env, client_certificate(), {});
  REQUIRE(client.start(Time{}, Role::Client, 100ms));
  (void)poll_all(client, Time{});
  constexpr std::uint8_t kServerHello = 2;
  const ByteVector record =
      make_record(22, 0xfefd, 0, 0,
                  make_fragment(kServerHello, static_cast<std::uint32_t>(wanted), 0, 0, ByteVector(100, 1)));
  return client.handle_packet(Time{}, record) == Drop::DtlsLimit ? limits.dtls_handshake_buffer : wanted;
}

// Datagrams before the role is known.
std::size_t early_datagrams(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment(3);
  environment.env.limits = limits;
  dtls::Session server(environment.env, server_certificate(), {});
  Pair other;
  REQUIRE(other.client.start(Time{}, Role::Client, 100ms));
  const auto hello = poll_all(other.client, Time{});
  REQUIRE(hello.size() == 1);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < wanted; ++i) {
    const Drop drop = server.handle_packet(Time{}, hello[0]);
    CHECK((drop == Drop::None || drop == Drop::DtlsEarly));
    kept += drop == Drop::None ? 1 : 0;
  }
  return kept;
}

// --- SCTP ---

std::size_t named_duplicates(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment;
  environment.env.limits = limits;
  sctp::RxTracker tracker(environment.env, sctp::Parameters{}, sctp::Tsn(100));
  tracker.accept(sctp::Tsn(100), false);
  for (std::size_t i = 0; i < wanted; ++i) tracker.on_duplicate(sctp::Tsn(100));
  tracker.end_of_packet(Time{});
  ByteVector bytes(1200);
  ByteWriter out(bytes);
  REQUIRE(tracker.write_sack(out, 5000));
  sctp::ChunkWalker walker(out.written());
  sctp::ChunkView chunk;
  REQUIRE(walker.next(chunk) == sctp::Walk::Item);
  return sctp::parse_sack(chunk)->duplicate_count();
}

std::size_t tsn_ahead(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment;
  environment.env.limits = limits;
  const sctp::RxTracker tracker(environment.env, sctp::Parameters{}, sctp::Tsn(100));
  const auto arrival = tracker.look_up(sctp::Tsn(99) + static_cast<std::uint32_t>(wanted));
  return arrival == sctp::RxTracker::Arrival::New ? wanted : limits.sctp_tsn_span;
}

std::size_t buffered_on_one(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment;
  environment.env.limits = limits;
  environment.env.limits.sctp_tx_buffer *= 2;
  sctp::TxQueue queue(environment.env);
  const ByteVector half(wanted / 2), rest(wanted - wanted / 2);
  REQUIRE(queue.push(Time{}, {.stream = 1}, half));
  return queue.push(Time{}, {.stream = 1}, rest) ? wanted : limits.sctp_tx_buffer_channel;
}

std::size_t buffered_on_all(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment;
  environment.env.limits = limits;
  environment.env.limits.sctp_tx_buffer_channel = limits.sctp_tx_buffer;
  sctp::TxQueue queue(environment.env);
  constexpr std::size_t kMessages = 8;
  std::size_t left = wanted - kMessages * sctp::TxQueue::kMessageOverhead;
  for (std::uint16_t stream = 1; stream < kMessages; ++stream, left -= 1000)
    REQUIRE(queue.push(Time{}, {.stream = stream}, ByteVector(1000)));
  return queue.push(Time{}, {.stream = 0}, ByteVector(left)) ? wanted : limits.sctp_tx_buffer;
}

// --- channels ---

std::size_t channels_created(const Limits& limits, std::size_t wanted) {
  ChannelsFixture t({}, limits);
  std::size_t made = 0;
  for (std::size_t i = 0; i < wanted; ++i) made += t.channels.create(t.net.now, {}, kLargest) ? 1 : 0;
  return made;
}

std::size_t kept_before_the_channel(const Limits& limits, std::size_t wanted) {
  ChannelsFixture t({.delay = 1ms}, limits);
  t.connect();
  constexpr std::size_t kCharge = 128;
  const std::size_t first = 1000;
  t.say_text(100, std::string(first - kCharge, 'a'));
  t.say_text(100, std::string(wanted - first - kCharge, 'b'));
  t.run(5s);
  const bool has_dropped = t.drops(Drop::ChannelLimit) != 0;
  CHECK(t.resets().empty() != has_dropped);
  if (has_dropped) return limits.dc_pre_open;
  const ChannelHandle late = t.create({.negotiated = true, .id = 100});
  t.run(1s);
  CHECK(std::count_if(t.told.begin(), t.told.end(),
                      [](const std::string& s) { return s.starts_with("message"); }) == 2);
  CHECK(t.state(late) == ChannelState::Open);
  return wanted;
}

// Labels and protocols of what the other end opens; in a second row what closes makes room.
std::size_t labels_of_others(const Limits& limits, std::size_t wanted) {
  ChannelsFixture t({.delay = 1ms}, limits);
  t.connect();
  std::uint16_t stream = 1;
  for (std::size_t left = wanted; left != 0; stream = static_cast<std::uint16_t>(stream + 2)) {
    const std::size_t text = std::min<std::size_t>(left, 50'000), label = text / 3;
    ByteVector open = hex("03 00 0000 00000000 0000 0000");
    open[8] = static_cast<std::uint8_t>(label >> 8);
    open[9] = static_cast<std::uint8_t>(label);
    open[10] = static_cast<std::uint8_t>((text - label) >> 8);
    open[11] = static_cast<std::uint8_t>(text - label);
    open.resize(12 + text, 'x');
    t.say({.stream = stream, .ppid = 50}, open);
    t.run(5s);
    left -= text;
  }
  const bool is_refused = t.drops(Drop::ChannelLimit) != 0;
  CHECK(t.resets().empty() != is_refused);
  return is_refused ? limits.dc_labels : wanted;
}

std::size_t announced_messages(const Limits& limits, std::size_t wanted) {
  TestEnvironment environment;
  EventQueue events(environment.env.memory, limits.api_rx_queue);
  for (std::size_t i = 0; i < wanted; ++i) events.push_message(ChannelHandle{1});
  CHECK(events.has_room() == (wanted < limits.api_rx_queue));
  std::size_t heard = 0;
  for (Peer::Event event; events.pop(event);) ++heard;
  return heard;
}

#define LIMIT_ROW(field, reached)                                                      \
  {                                                                                    \
#field, [](const Limits& l) { return static_cast<std::size_t>(l.field); }, reached \
  }

}  // namespace

TEST_CASE("limits of ICE: one below, at, one above",
          "[lim.stun.errors_per_second][lim.stun.errors_per_source][lim.ice.tcp_unverified][lim.ice.tcp_"
          "connections]") {
  for (const Row& row : {Row LIMIT_ROW(stun_errors_per_second, errors_to_all),
                         Row LIMIT_ROW(stun_errors_per_source, errors_to_one),
                         Row LIMIT_ROW(ice_tcp_unverified, accepted_strangers),
                         Row LIMIT_ROW(ice_tcp_connections, active_connections)})
    try_row(row);
}

TEST_CASE("limits of DTLS: one below, at, one above", "[lim.dtls.handshake_buffer][lim.dtls.pre_verified]") {
  for (const Row& row : {Row LIMIT_ROW(dtls_handshake_buffer, handshake_message),
                         Row LIMIT_ROW(dtls_pre_verified, early_datagrams)})
    try_row(row);
}

TEST_CASE("limits of SCTP: one below, at, one above",
          "[lim.sctp.dup_tsns][lim.sctp.tsn_span][lim.sctp.tx_buffer_channel][lim.sctp.tx_buffer]") {
  for (const Row& row :
       {Row LIMIT_ROW(sctp_dup_tsns, named_duplicates), Row LIMIT_ROW(sctp_tsn_span, tsn_ahead),
        Row LIMIT_ROW(sctp_tx_buffer_channel, buffered_on_one),
        Row LIMIT_ROW(sctp_tx_buffer, buffered_on_all)})
    try_row(row);
}

TEST_CASE("limits of channels: one below, at, one above",
          "[lim.dc.channels][lim.dc.pre_open][lim.dc.labels][lim.api.rx_queue]") {
  for (const Row& row :
       {Row LIMIT_ROW(dc_channels, channels_created), Row LIMIT_ROW(dc_pre_open, kept_before_the_channel),
        Row LIMIT_ROW(dc_labels, labels_of_others), Row LIMIT_ROW(api_rx_queue, announced_messages)})
    try_row(row);
}

TEST_CASE("a channel that is gone gives back what its label took", "[lim.dc.labels]") {
  Limits limits;
  limits.dc_labels = 10;
  ChannelsFixture t({.delay = 1ms}, limits);
  t.connect();
  for (std::uint32_t round = 0; round < 5; ++round) {
    t.say(1, "03 00 0000 00000000 0005 0005 6161616161 6262626262");
    t.run(1s);
    REQUIRE(t.drops(Drop::ChannelLimit) == 0);
    t.reset(1);
    t.run(1s);
    REQUIRE(t.state(ChannelHandle{round}) == ChannelState::Closed);
    t.channels.release(t.net.now, ChannelHandle{round});
  }
  // Our own labels do not count: they are our user's.
  const ChannelHandle ours = t.create({.label = "much longer than ten bytes"});
  t.run(1s);
  CHECK(t.state(ours) == ChannelState::Open);
  t.say(1, "03 00 0000 00000000 0005 0005 6161616161 6262626262");
  t.run(1s);
  CHECK(t.drops(Drop::ChannelLimit) == 0);
}

TEST_CASE("what receive() gave of large messages does not stay for ever", "[peer-memory]") {
  ChannelsFixture t({.delay = 1ms});
  t.user_reads = false;
  t.connect();
  const std::size_t before = t.net.a.environment.bytes_in_use();
  const std::string large(100'000, 'x');
  std::vector<ChannelHandle> channels;
  for (int i = 0; i < 5; ++i) channels.push_back(t.open({.label = "l"}));
  for (const ChannelHandle channel : channels) t.say_text(*t.info(channel).id, large);
  t.run(5s);
  for (const ChannelHandle channel : channels) {
    const auto view = t.channels.receive(channel);
    REQUIRE(view);
    CHECK(as_text(view->data) == large);  // good until the next datagram
  }
  t.channels.drop_currents();
  CHECK(t.net.a.environment.bytes_in_use() < before + 50'000);
  // Little stays as it is: no walk over all channels for each datagram.
  t.say_text(*t.info(channels[0]).id, "small");
  t.run(1s);
  const auto view = t.channels.receive(channels[0]);
  t.channels.drop_currents();
  CHECK(as_text(view->data) == "small");
}

}  // namespace pollrtc::test
