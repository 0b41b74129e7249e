// PeerConnection as Godot's users know it: states, signals, descriptions, closing.
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "api/system_network.h"
#include "base/bytes.h"
#include "support/catch.h"
#include "unit/api/connections.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool is_up(const ChannelPtr& channel) { return channel->get_ready_state() == ChannelState::Open; }

}  // namespace

TEST_CASE("a fresh object works without initialize", "[API-27]") {
  PeerConnection pc;
  CHECK(pc.get_connection_state() == ConnectionState::New);
  CHECK(pc.get_gathering_state() == GatheringState::New);
  CHECK(pc.get_signaling_state() == SignalingState::Stable);
  CHECK(pc.poll());
  CHECK(pc.get_sockets({}) == 0);
  CHECK_FALSE(pc.get_time_to_next_deadline());
  CHECK(pc.get_max_message_size() == 65536);
  CHECK(pc.create_data_channel("x"));
}

TEST_CASE("create_offer needs a channel and comes once", "[API-41][API-25]") {
  PeerConnection pc;
  int descriptions = 0;
  pc.session_description_created = [&](const std::string& type, const std::string&) {
    ++descriptions;
    CHECK(type == "offer");
  };
  CHECK(pc.create_offer().error() == ErrorCode::InvalidState);
  CHECK(pc.get_connection_state() == ConnectionState::New);
  CHECK(pc.poll());
  const auto channel = pc.create_data_channel("x");
  REQUIRE(channel);
  CHECK((*channel)->get_ready_state() == ChannelState::Connecting);
  CHECK((*channel)->get_id() == DataChannel::kUnset);
  REQUIRE(pc.create_offer());
  CHECK(descriptions == 0);  // signals come from poll() alone
  CHECK(pc.get_connection_state() == ConnectionState::Connecting);
  CHECK(pc.get_signaling_state() == SignalingState::HaveLocalOffer);
  CHECK(pc.create_offer().error() == ErrorCode::InvalidState);
  REQUIRE(pc.poll());
  REQUIRE(pc.poll());
  CHECK(descriptions == 1);
}

TEST_CASE("signals: the description before its candidates, the channel last, and each state once",
          "[API-25][API-29][API-33]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  REQUIRE(t.run_until([&] { return std::count(t.a.log.begin(), t.a.log.end(), "opened") == 1; }));
  for (const Side* side : {&t.a, &t.b}) {
    const auto& log = side->log;
    const auto at = [&](const char* what) { return std::find(log.begin(), log.end(), what) - log.begin(); };
    const bool offers = side == &t.a;
    CHECK(at(offers ? "offer" : "answer") < at("candidate"));
    CHECK(at("candidate") < at("connected"));
    CHECK(at("connecting") < at("connected"));
    CHECK(at("connected") < at(offers ? "opened" : "channel"));
    for (const char* once : {"connecting", "connected"}) CHECK(std::count(log.begin(), log.end(), once) == 1);
  }
  CHECK(std::count(t.b.log.begin(), t.b.log.end(), "opened") == 0);  // it was announced as open
}

TEST_CASE("set_local_description takes the description that was given, and no other", "[API-42]") {
  PeerConnection pc;
  std::string type, sdp;
  pc.session_description_created = [&](const std::string& t, const std::string& s) { type = t, sdp = s; };
  CHECK(pc.set_local_description("offer", "x").error() == ErrorCode::InvalidState);
  const auto channel = pc.create_data_channel("x");
  REQUIRE(pc.create_offer());
  REQUIRE(pc.poll());
  REQUIRE(type == "offer");
  CHECK(pc.set_local_description(type, sdp));
  CHECK(pc.set_local_description(type, sdp));
  CHECK(pc.set_local_description("answer", sdp).error() == ErrorCode::InvalidArgument);
  CHECK(pc.set_local_description(type, sdp + "a=x\r\n").error() == ErrorCode::InvalidArgument);
  CHECK(pc.get_signaling_state() == SignalingState::HaveLocalOffer);
}

TEST_CASE("bad text is refused by name and changes nothing", "[API-43][API-44]") {
  TwoSides t;
  PeerConnection& pc = *t.a.connection;
  const auto refuses = [](const Status& status, std::string_view word) {
    REQUIRE_FALSE(status);
    INFO(status.error().detail());
    CHECK(status.error().detail().find(word) != std::string_view::npos);
  };
  refuses(pc.set_remote_description("offers", "v=0"), "type");
  refuses(pc.set_remote_description("answer", "v=0"), "state");
  CHECK(pc.set_remote_description("offer", "").error().code() == ErrorCode::ParseFailed);
  CHECK(pc.set_remote_description("offer", "v=1\r\n").error().line() == 1);
  refuses(pc.add_ice_candidate("", -1, "candidate:1 1 udp 1 192.0.2.1 1 typ host"), "mid");
  CHECK_FALSE(pc.add_ice_candidate("0", 0, "no candidate"));
  CHECK(pc.get_connection_state() == ConnectionState::New);
  CHECK(pc.get_signaling_state() == SignalingState::Stable);

  const auto [ours, theirs] = t.connect();
  CHECK_FALSE(pc.set_remote_description("answer", "v=0"));
  CHECK_FALSE(pc.set_remote_description("offer", "garbage"));
  refuses(pc.add_ice_candidate("7", 0, "candidate:1 1 udp 1 192.0.2.1 1 typ host"), "mid");
  CHECK(pc.add_ice_candidate("0", 0, ""));
  CHECK(pc.add_ice_candidate("0", 0,
                             "candidate:1 1 udp 1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 1 typ host"));
  CHECK(pc.get_signaling_state() == SignalingState::Stable);
  REQUIRE(ours->send_text("still here"));
  REQUIRE(t.run_until([&, c = theirs] { return c->get_available_packet_count() == 1; }));
}

TEST_CASE("a malformed configuration is refused by name, and the connection goes on", "[API-45]") {
  TwoSides t;
  const auto [ours, theirs] = t.connect();
  const auto with_url = [](std::string url) {
    Configuration configuration = loopback();
    configuration.ice_servers.push_back({{std::move(url)}, {}, {}});
    return configuration;
  };
  for (const std::string& url :
       {std::string("stun:"), std::string(""), std::string("stun:host:port"), std::string("stun:host:0"),
        std::string("stun:host:65536"), std::string("http://x"),
        std::string("stun:") + std::string(10'000, 'x'), std::string("stun:a\0b", 8),
        std::string("stun:[::1"), std::string("stun:[zz]")}) {
    INFO(url.substr(0, 40));
    const Status status = t.a.connection->initialize(with_url(url));
    REQUIRE_FALSE(status);
    CHECK(status.error() == ErrorCode::InvalidArgument);
    CHECK(status.error().detail().find("ICE server url") != std::string_view::npos);
  }
  CHECK(t.a.connection->initialize(with_url("stuns:example.org")).error() == ErrorCode::NotSupported);
  CHECK(t.a.connection->initialize(with_url("turn:example.org")).error() ==
        ErrorCode::InvalidArgument);  // no user
  Configuration without = loopback();
  without.ice_servers.push_back({});
  CHECK(t.a.connection->initialize(without).error() == ErrorCode::InvalidArgument);
  Configuration ports = loopback();
  ports.port_range_begin = 6000, ports.port_range_end = 5000;
  CHECK(t.a.connection->initialize(ports).error() == ErrorCode::InvalidArgument);
  ports.port_range_begin = 0;  // no socket could be bound, and nobody would say so
  CHECK(t.a.connection->initialize(ports).error() == ErrorCode::InvalidArgument);
  CHECK(t.a.connection->get_connection_state() == ConnectionState::Connected);
  REQUIRE(ours->send_text("x"));
  REQUIRE(t.run_until([&, c = theirs] { return c->get_available_packet_count() == 1; }));
}

TEST_CASE("channel options that contradict each other are refused by name", "[API-24][API-34]") {
  PeerConnection pc;
  const auto refused = [&](std::string_view label, const DataChannelOptions& options, ErrorCode code,
                           std::string_view word) {
    const auto made = pc.create_data_channel(label, options);
    REQUIRE_FALSE(made);
    CHECK(made.error() == code);
    INFO(made.error().detail());
    CHECK(made.error().detail().find(word) != std::string_view::npos);
  };
  DataChannelOptions both;
  both.max_retransmits = 1, both.max_packet_life_time = 1;
  refused("x", both, ErrorCode::InvalidArgument, "max_retransmits");
  DataChannelOptions negotiated;
  negotiated.negotiated = true;
  refused("x", negotiated, ErrorCode::InvalidArgument, "id");
  for (const int id : {-2, 65535, 70000}) {
    negotiated.id = id;
    refused("x", negotiated, ErrorCode::InvalidArgument, "id");
  }
  refused(std::string(65536, 'x'), {}, ErrorCode::InvalidArgument, "label");
  DataChannelOptions protocol;
  protocol.protocol = std::string(65536, 'x');
  refused("x", protocol, ErrorCode::InvalidArgument, "protocol");
  CHECK(pc.create_offer().error() == ErrorCode::InvalidState);  // none of them was made

  negotiated.id = 5;
  const auto first = pc.create_data_channel("x", negotiated);
  REQUIRE(first);
  CHECK((*first)->get_id() == 5);
  refused("x", negotiated, ErrorCode::AlreadyExists, "id");
  DataChannelOptions ignored;
  ignored.id = 5;  // means nothing unless negotiated
  CHECK(pc.create_data_channel("x", ignored));
  DataChannelOptions large;
  large.max_retransmits = 100'000;
  const auto clamped = pc.create_data_channel("x", large);
  REQUIRE(clamped);
  CHECK((*clamped)->get_max_retransmits() == 65535);
}

TEST_CASE("what close() has to say is said inside it: one poll, and the other end knows",
          "[API-30][API-46][API-47]") {
  for (const int way : {0, 1, 2}) {
    INFO("way " << way);
    TwoSides t;
    const auto [ours, theirs] = t.connect();
    t.run_for(20ms);
    const auto log = t.a.log;
    if (way == 0) t.a.connection->close();
    if (way == 1) t.a.connection.reset();
    if (way == 2) REQUIRE(t.a.connection->initialize(loopback()));
    CHECK(ours->get_ready_state() == ChannelState::Closed);
    REQUIRE(t.b.connection->poll());
    CHECK(t.b.connection->get_connection_state() == ConnectionState::Closed);
    CHECK(theirs->get_ready_state() == ChannelState::Closed);
    CHECK(t.b.log.back() == "closed");
    CHECK(t.b.connection->get_sockets({}) == 0);  // nothing is left to be read or said
    CHECK(t.a.log == log);                        // its own close is no news to the one who called it
    if (way != 0) continue;
    CHECK(t.a.connection->get_connection_state() == ConnectionState::Closed);
    CHECK(t.a.connection->get_signaling_state() == SignalingState::Closed);
    CHECK(t.a.connection->poll());
    CHECK_FALSE(t.a.connection->create_offer());
    CHECK_FALSE(t.a.connection->set_remote_description("offer", "v=0"));
    CHECK_FALSE(t.a.connection->create_data_channel("x"));
    CHECK_FALSE(ours->put_packet(as_bytes(std::string_view("x"))));
    CHECK(t.a.connection->get_sockets({}) == 0);
    t.a.connection->close();
    CHECK(t.a.log == log);
  }
}

TEST_CASE("a connection closed before it was used is closed", "[API-47]") {
  PeerConnection pc;
  pc.close();
  CHECK(pc.get_connection_state() == ConnectionState::Closed);
  CHECK_FALSE(pc.create_data_channel("x"));
  REQUIRE(pc.initialize());
  CHECK(pc.get_connection_state() == ConnectionState::New);
  CHECK(pc.create_data_channel("x"));
}

TEST_CASE("initialize starts over from any state", "[API-28]") {
  TwoSides t;
  for (int round = 0; round < 3; ++round) {
    t.a.channels.clear(), t.b.channels.clear();
    const auto [ours, theirs] = t.connect();
    REQUIRE(t.a.connection->initialize(loopback()));
    REQUIRE(t.b.connection->initialize(loopback()));
    CHECK(ours->get_ready_state() == ChannelState::Closed);
    CHECK(theirs->get_ready_state() == ChannelState::Closed);
    for (const Side* side : {&t.a, &t.b}) {
      CHECK(side->connection->get_connection_state() == ConnectionState::New);
      CHECK(side->connection->get_gathering_state() == GatheringState::New);
      CHECK(side->connection->get_signaling_state() == SignalingState::Stable);
    }
  }
  // In the middle of things: what waited to be signalled is gone.
  t.a.create();
  REQUIRE(t.a.connection->create_offer());
  t.a.log.clear();
  REQUIRE(t.a.connection->initialize(loopback()));
  t.run_for(20ms);
  CHECK(t.a.log.empty());
}

TEST_CASE("connections leave no descriptor behind") {
  {
    TwoSides warm_up;  // what the system opens once for the process
    warm_up.connect();
  }
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 25; ++i) {
    TwoSides t;
    t.connect();
    CHECK(open_descriptors() > before);
    if (i % 2 == 0) t.a.connection->close();
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("a hundred connections in one process, interleaved", "[API-19]") {
  std::vector<std::unique_ptr<TwoSides>> pairs;
  for (int i = 0; i < 50; ++i) {
    pairs.push_back(std::make_unique<TwoSides>());
    pairs.back()->a.create(std::string("pair ") + std::to_string(i));
    REQUIRE(pairs.back()->a.connection->create_offer());
  }
  const auto poll_all = [&](const std::function<bool(TwoSides&)>& is_done) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    for (std::size_t done = 0; done < pairs.size() && std::chrono::steady_clock::now() < end;) {
      done = 0;
      for (const auto& pair : pairs) {
        CHECK(pair->a.connection->poll());
        CHECK(pair->b.connection->poll());
        if (is_done(*pair)) ++done;
      }
      if (done == pairs.size()) return true;
      CHECK(pairs[0]->a.connection->wait(1ms));
    }
    return false;
  };
  REQUIRE(poll_all([](TwoSides& t) { return is_up(t.a.channels[0]) && !t.b.channels.empty(); }));
  for (std::size_t i = 0; i < pairs.size(); ++i)
    REQUIRE(pairs[i]->a.channels[0]->send_text(std::to_string(i)));
  REQUIRE(poll_all([](TwoSides& t) { return t.b.channels[0]->get_available_packet_count() == 1; }));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    CHECK(pairs[i]->b.channels[0]->get_label() == std::string("pair ") + std::to_string(i));
    CHECK(take(pairs[i]->b.channels[0]) == std::to_string(i));
  }
}

TEST_CASE("many connections are slept for together, and only those with something to do are polled",
          "[API-18]") {
  std::vector<std::unique_ptr<TwoSides>> pairs;
  std::vector<PeerConnection*> all;
  for (int i = 0; i < 80; ++i) {  // more than 256 sockets would fit no fixed table
    pairs.push_back(std::make_unique<TwoSides>());
    all.push_back(pairs.back()->a.connection.get());
    all.push_back(pairs.back()->b.connection.get());
    pairs.back()->a.create(std::string("pair ") + std::to_string(i));
    REQUIRE(pairs.back()->a.connection->create_offer());
  }
  const auto run_until = [&](const std::function<bool(TwoSides&)>& is_done) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < end) {
      REQUIRE(poll_all(all, 5s));
      if (std::all_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return is_done(*pair); }))
        return true;
    }
    return false;
  };
  REQUIRE(run_until([](TwoSides& t) { return is_up(t.a.channels[0]) && !t.b.channels.empty(); }));
  for (const auto& pair : pairs) REQUIRE(pair->a.channels[0]->send_text("x"));
  REQUIRE(run_until([](TwoSides& t) { return t.b.channels[0]->get_available_packet_count() == 1; }));
  // Handlers may destroy any of them.
  pairs[0]->b.channels[0]->message_received = [&] {
    for (std::size_t k = 1; k < pairs.size(); ++k) pairs[k]->a.connection.reset();
  };
  REQUIRE(pairs[0]->a.channels[0]->send_text("go"));
  for (int i = 0; i < 100 && pairs[1]->a.connection; ++i) {
    REQUIRE(poll_all(all, 100ms));
    if (!pairs[1]->a.connection) break;
  }
  CHECK_FALSE(pairs[1]->a.connection);
  PeerConnection* const null = nullptr;
  CHECK(poll_all(std::span(&null, 1), 1ms).error() == ErrorCode::InvalidArgument);
  CHECK(poll_all({}, 1ms));
}

TEST_CASE("checks and data carry the same DSCP, since it is the sockets'", "[ICE-CHK-32]") {
  PeerConnection pc;
  Configuration configuration;
  configuration.include_loopback = true;
  configuration.dscp = 64;
  CHECK(pc.initialize(configuration).error() == ErrorCode::InvalidArgument);
  configuration.dscp = 46;
  REQUIRE(pc.initialize(configuration));
  REQUIRE(pc.create_data_channel("x"));
  REQUIRE(pc.create_offer());
  std::array<int, 64> sockets;
  const std::size_t count = std::min(pc.get_sockets(sockets), sockets.size());
  REQUIRE(count != 0);
  for (std::size_t i = 0; i < count; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    REQUIRE(getsockname(sockets[i], reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const bool v6 = address.ss_family == AF_INET6;
    int tos = 0;
    size = sizeof(tos);
    REQUIRE(getsockopt(sockets[i], v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, &tos, &size) ==
            0);
    CHECK(tos == 46 << 2);
  }
}

TEST_CASE("without a descriptor to spare the system lists no addresses: none is gone", "[ICE-NAT-04]") {
  Environment environment;
  detail::SystemNetwork system(environment);
  const Network network = system.hooks();
  const std::array<Address, 2> addresses = {Address::v4(127, 0, 0, 1, 5000),
                                            Address::v4(203, 0, 113, 1, 5000)};
  std::array<bool, 2> is_there = {false, true};
  REQUIRE(network.find_addresses(network.context, addresses, is_there));
  CHECK(is_there[0]);
  CHECK_FALSE(is_there[1]);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  const bool is_known = network.find_addresses(network.context, addresses, is_there);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK_FALSE(is_known);
}
