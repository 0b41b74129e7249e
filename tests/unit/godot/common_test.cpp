// What the plugins for Godot share: dictionaries read, secrets overwritten, thresholds passed on. No engine: what a binding does
// for the shared code is done by the few lines below.
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "common/configuration.h"
#include "common/connection.h"
#include "support/catch.h"
#include "unit/api/simulated_pair.h"

namespace {

// Looked for in each block that is given back, while it is set. No string: that would be found itself.
char wanted[33];
std::size_t found = 0;

void give_back(void* block) {
  if (block == nullptr) return;
  const auto* const bytes = static_cast<const char*>(block);
  const std::size_t size = malloc_usable_size(block), length = std::strlen(wanted);
  if (length != 0 && std::search(bytes, bytes + size, wanted, wanted + length) != bytes + size) ++found;
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return std::calloc(1, std::max<std::size_t>(size, 1));
}
void* operator new(std::size_t size) {
  void* const block = operator new(size, std::nothrow);
  if (block == nullptr) std::abort();
  return block;
}
void operator delete(void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }

namespace pollrtc::godot_plugin::host {

std::string last_error;
void print_error(const char*, std::string_view message) { last_error = message; }
void hold(EngineObject*) {}
void let_go(EngineObject*) {}
void emit(EngineObject*, SignalName, std::span<const Value>) {}
void emit_with_object(EngineObject*, SignalName, EngineObject*) {}
// What the engine was asked to call, and whether it says that it will.
std::vector<std::string> called_soon;
bool can_call_soon = true;
bool call_soon(EngineObject*, const char* method) {
  if (can_call_soon) called_soon.emplace_back(method);
  return can_call_soon;
}
EngineObject* make_channel_object(std::unique_ptr<Channel> channel) { return channel.release(); }

}  // namespace pollrtc::godot_plugin::host

using namespace pollrtc;
using namespace pollrtc::godot_plugin;

namespace {

Dictionary servers(Dictionary server) { return {{"iceServers", Array{Value(std::move(server))}}}; }

std::vector<std::string> urls_of(Dictionary server) {
  const auto settings = read_settings(servers(std::move(server)));
  REQUIRE(settings);
  REQUIRE(settings->library.ice_servers.size() == 1);
  return settings->library.ice_servers[0].urls;
}

bool is_refused(const Dictionary& dictionary, std::string_view word) {
  const auto settings = read_settings(dictionary);
  return !settings && settings.error() == ErrorCode::InvalidArgument &&
         settings.error().detail().find(word) != std::string_view::npos;
}

Value call(std::span<const Method> methods, void* instance, std::string_view name,
           std::initializer_list<Value> arguments = {}) {
  const auto method =
      std::find_if(methods.begin(), methods.end(), [&](const Method& m) { return name == m.name; });
  REQUIRE(method != methods.end());
  REQUIRE(method->arguments.count() == arguments.size());
  return method->call(instance, {arguments.begin(), arguments.size()});
}

// Sets what is looked for; the text itself stands in no block that will be freed.
struct Watch {
  explicit Watch(char filler) {
    std::fill_n(wanted, sizeof wanted - 1, filler);
    found = 0;
  }
  ~Watch() { wanted[0] = '\0'; }
};
// Longer than what a string holds in itself; it is there before it is looked for.
std::string secret(char filler) { return std::string(200, filler); }

}  // namespace

TEST_CASE("the urls of a server: a string or an array, and `url` says the same", "[API-45]") {
  using Urls = std::vector<std::string>;
  CHECK(urls_of({{"urls", "stun:a"}}) == Urls{"stun:a"});
  CHECK(urls_of({{"urls", Array{"stun:a", "stun:b"}}}) == Urls{"stun:a", "stun:b"});
  CHECK(urls_of({{"url", "stun:c"}}) == Urls{"stun:c"});
  CHECK(urls_of({{"url", Array{"stun:c", "stun:d"}}}) == Urls{"stun:c", "stun:d"});
  CHECK(urls_of({{"url", "stun:c"}, {"urls", "stun:a"}}) == Urls{"stun:a"});
  CHECK(urls_of({{"urls", Value()}, {"url", "stun:c"}}) == Urls{"stun:c"});
  for (const Dictionary& wrong :
       {Dictionary{}, Dictionary{{"urls", std::int64_t{1}}}, Dictionary{{"urls", Array{}}},
        Dictionary{{"url", Array{"stun:a", std::int64_t{1}}}}, Dictionary{{"Urls", "stun:a"}}})
    CHECK(is_refused(servers(wrong), "urls"));
  CHECK(is_refused({{"iceServers", Array{"stun:a"}}}, "iceServers"));
  const auto with_account =
      read_settings(servers({{"urls", "turn:a"}, {"username", "u"}, {"credential", "c"}}));
  REQUIRE(with_account);
  CHECK(with_account->library.ice_servers[0].username == "u");
  CHECK(with_account->library.ice_servers[0].credential == "c");
  CHECK(is_refused(servers({{"urls", "turn:a"}, {"username", std::int64_t{1}}}), "username"));
  CHECK(is_refused(servers({{"urls", "turn:a"}, {"credential", std::int64_t{1}}}), "credential"));
}

TEST_CASE("the largest message is one that can be received: window, fragments and span are for it",
          "[API-57]") {
  for (const std::int64_t size : std::initializer_list<std::int64_t>{1024, 262'144, 4 << 20, 32 << 20}) {
    INFO(size);
    const auto settings = read_settings({{"maxMessageSize", size}});
    REQUIRE(settings);
    const Limits &limits = settings->library.limits, usual;
    const auto bytes = static_cast<std::uint32_t>(size);
    CHECK(limits.sctp_max_message_rx == bytes);
    CHECK(limits.sctp_rx_window >= bytes + bytes / 2);
    CHECK(limits.sctp_rx_window >= usual.sctp_rx_window);
    CHECK(limits.sctp_rx_window_max >= limits.sctp_rx_window);
    CHECK(limits.sctp_rx_window_max >= usual.sctp_rx_window_max);
    // A chunk holds a kilobyte of it at least.
    CHECK(limits.sctp_chunks_queued >= bytes / 1024);
    CHECK(limits.sctp_chunks_queued >= usual.sctp_chunks_queued);
    CHECK(limits.sctp_tsn_span >= std::min<std::uint32_t>(bytes / 1024, 65535));
    CHECK(limits.sctp_tsn_span >= usual.sctp_tsn_span);
    CHECK(limits.sctp_tsn_span <= 65535);
  }
  const auto plain = read_settings({});
  REQUIRE(plain);
  CHECK(plain->library.limits.sctp_max_message_rx == 4u << 20);
  CHECK(plain->library.limits.sctp_tx_buffer == 64u << 20);
  CHECK(plain->library.limits.sctp_tx_buffer_channel == 64u << 20);
  CHECK(plain->library.pull_events);
  CHECK_FALSE(plain->report_disconnected);
  const auto smaller = read_settings({{"sendBufferSize", std::int64_t{65536}}});
  REQUIRE(smaller);
  CHECK(smaller->library.limits.sctp_tx_buffer == 65536);
  CHECK(smaller->library.limits.sctp_tx_buffer_channel == 65536);
}

TEST_CASE("each key goes where it belongs, and a value out of its range is refused by name", "[API-45]") {
  const auto settings =
      read_settings({{"iceTransportPolicy", "relay"},
                     {"portRangeBegin", std::int64_t{5000}},
                     {"portRangeEnd", 5010.0},
                     {"includeLoopback", true},
                     {"restartIceAutomatically", std::int64_t{0}},
                     {"iceLite", std::int64_t{1}},
                     {"dscp", std::int64_t{46}},
                     {"mtu", std::int64_t{1400}},
                     {"trustedCertificates", "pem"},
                     {"reportDisconnected", true},
                     {"bundleMessages", false},
                     {"nat1to1", Dictionary{{"internal", "10.0.0.1"}, {"external", "192.0.2.1"}}},
                     {"certificate", Dictionary{{"certificate", "c"}, {"privateKey", "k"}}},
                     {"somebodyElses", Array{}}});
  REQUIRE(settings);
  const Configuration& c = settings->library;
  CHECK(c.ice_transport_policy == IceTransportPolicy::Relay);
  CHECK(c.port_range_begin == 5000);
  CHECK(c.port_range_end == 5010);
  CHECK(c.include_loopback);
  CHECK_FALSE(c.restart_ice_automatically);
  CHECK(c.ice_lite);
  CHECK(c.dscp == 46);
  CHECK(c.max_ip_packet == 1400);
  CHECK(c.trusted_certificates == "pem");
  CHECK(settings->report_disconnected);
  CHECK_FALSE(c.hold_messages);
  CHECK(read_settings({})->library.hold_messages);
  CHECK(c.nat_1_1_internal == "10.0.0.1");
  CHECK(c.nat_1_1_external == "192.0.2.1");
  CHECK(c.certificate.certificate == "c");
  CHECK(c.certificate.private_key == "k");

  struct Range {
    const char* key;
    std::int64_t least, most;
  };
  for (const Range& range :
       {Range{"portRangeBegin", 0, 65535}, Range{"portRangeEnd", 0, 65535}, Range{"dscp", -1, 63},
        Range{"mtu", 0, 65535}, Range{"udpMuxPort", 0, 65535}, Range{"maxMessageSize", 1024, 33554432},
        Range{"sendBufferSize", 65536, 1073741824}}) {
    INFO(range.key);
    CHECK(is_refused({{range.key, range.least - 1}}, range.key));
    CHECK(is_refused({{range.key, range.most + 1}}, range.key));
    CHECK(is_refused({{range.key, "1024"}}, range.key));
    if (std::string_view(range.key) == "udpMuxPort") continue;  // it would open the port
    CHECK(read_settings({{range.key, range.least}}));
    CHECK(read_settings({{range.key, range.most}}));
  }
  for (const char* key : {"includeLoopback", "restartIceAutomatically", "iceLite", "reportDisconnected",
                          "bundleMessages", "certificate", "nat1to1"})
    CHECK(is_refused({{key, "yes"}}, key));
  for (const char* key : {"iceTransportPolicy", "trustedCertificates"})
    CHECK(is_refused({{key, std::int64_t{1}}}, key));
  CHECK(is_refused({{"iceTransportPolicy", "none"}}, "iceTransportPolicy"));
  for (const char* key : {"certificate", "privateKey"})
    CHECK(is_refused({{"certificate", Dictionary{{key, std::int64_t{1}}}}}, key));
  for (const char* key : {"internal", "external"})
    CHECK(is_refused({{"nat1to1", Dictionary{{key, std::int64_t{1}}}}}, key));
}

TEST_CASE("wiping a dictionary overwrites every text in it, however deep") {
  Dictionary dictionary{{"a", secret('q')},
                        {"b", Dictionary{{"c", secret('q')}}},
                        {"d", Array{secret('q'), Array{secret('q')}, Dictionary{{"e", secret('q')}}}}};
  {
    const Watch watch('q');
    wipe(dictionary);
    dictionary.clear();
    dictionary.shrink_to_fit();
    CHECK(found == 0);
  }
  {
    // A short text stands in the string itself, and stays there when it is moved from.
    Dictionary moved_from{{"a", std::string(15, 'q')}};
    const std::string taken = std::move(std::get<std::string>(moved_from[0].second.content));
    std::fill_n(wanted, 15, 'q');
    found = 0;
    wipe(moved_from);
    moved_from.clear();
    moved_from.shrink_to_fit();
    CHECK(found == 0);
    std::fill(std::begin(wanted), std::end(wanted), '\0');
    CHECK(taken.size() == 15);
  }
  Dictionary not_wiped{{"a", secret('q')}, {"b", Dictionary{{"c", secret('q')}}}};
  const Watch watch('q');
  not_wiped = Dictionary();
  CHECK(found == 2);  // the net catches
}

TEST_CASE("neither settings nor initialize() leave a private key or a password behind, refused or not") {
  const auto dictionary = [](bool is_good) {
    return Dictionary{
        {"certificate", Dictionary{{"certificate", "no certificate"}, {"privateKey", secret('k')}}},
        {"iceServers",
         Array{Dictionary{{"urls", "turn:192.0.2.1"}, {"username", "u"}, {"credential", secret('p')}}}},
        {"mtu", std::int64_t{is_good ? 1200 : -1}}};
  };
  for (const char which : {'k', 'p'}) {
    for (const bool is_good : {true, false}) {
      INFO(which << " " << is_good);
      Dictionary read = dictionary(is_good);
      {
        const Watch watch(which);
        { CHECK(read_settings(read).has_value() == is_good); }
        CHECK(found == 0);
      }
      Connection connection;
      const Watch watch(which);
      CHECK(connection.initialize(std::move(read)) != GodotError::OK);
      if (which == 'k') CHECK(found == 0);
    }
  }
}

TEST_CASE("the threshold that a script sets is the channel's, and the signal comes as it is crossed",
          "[API-08]") {
  test::SimPair t;
  t.connect();
  for (const auto& [from, to] : {std::pair(t.kA, t.kB), std::pair(t.kB, t.kA)})
    t.world.link(from, to).config.bits_per_second = 2'000'000;
  Channel channel(t.ours, std::make_shared<ChannelList>());
  std::vector<std::int32_t> amounts;
  t.ours->buffered_amount_low = [&] { amounts.push_back(channel.get_buffered_amount()); };
  const auto set = [&](std::int64_t bytes) {
    CHECK(call(channel_methods, &channel, "set_buffered_amount_low_threshold", {bytes}).is_null());
    const Value now = call(channel_methods, &channel, "get_buffered_amount_low_threshold");
    REQUIRE(now.as<std::int64_t>() != nullptr);
    return *now.as<std::int64_t>();
  };
  const auto send_all = [&] {
    amounts.clear();
    const std::vector<std::uint8_t> data(200'000);
    REQUIRE(channel.put_packet(data.data(), static_cast<std::int64_t>(data.size())) == GodotError::OK);
    REQUIRE(t.run_until([&] { return channel.get_buffered_amount() == 0; }));
    t.world.run_for(std::chrono::seconds(1));
    REQUIRE(amounts.size() == 1);
  };
  CHECK(set(100'000) == 100'000);
  send_all();
  CHECK(amounts[0] <= 100'000);
  CHECK(amounts[0] > 10'000);
  CHECK(set(-5) == 0);
  send_all();
  CHECK(amounts[0] == 0);

  Channel orphan;
  CHECK(call(channel_methods, &orphan, "set_buffered_amount_low_threshold", {std::int64_t{7}}).is_null());
  CHECK(*call(channel_methods, &orphan, "get_buffered_amount_low_threshold").as<std::int64_t>() == 7);
  CHECK(orphan.get_ready_state() == static_cast<int>(ChannelState::Closed));
  CHECK(orphan.put_packet(nullptr, 0) == GodotError::FAILED);
}

TEST_CASE(
    "the packets of a frame are one call of flush() that the engine owes, or each its own where it can owe "
    "none") {
  test::SimPair t([](Configuration& configuration) { configuration.hold_messages = true; });
  t.connect();
  Connection connection;
  Channel channel(t.ours, connection.channels);
  const std::uint8_t byte = 1;
  const auto put = [&] { REQUIRE(channel.put_packet(&byte, 1) == GodotError::OK); };
  using Calls = std::vector<std::string>;
  host::called_soon.clear();
  put();
  put();
  CHECK(host::called_soon == Calls{"flush"});
  connection.flush();
  put();
  CHECK(host::called_soon == Calls{"flush", "flush"});
  connection.flush();

  host::can_call_soon = false;  // another thread
  put();
  host::can_call_soon = true;
  put();
  CHECK(host::called_soon.size() == 3);
  connection.flush();

  REQUIRE(connection.initialize({{"bundleMessages", false}}) == GodotError::OK);
  put();
  CHECK(host::called_soon.size() == 3);
}
