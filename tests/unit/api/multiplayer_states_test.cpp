// Every public method of MultiplayerPeer in every state: the answer, and who is refused or only asks changes nothing.
#include "base/bytes.h"
#include "support/catch.h"
#include "unit/api/players.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

struct Game {
  sim::World world{7};
  Player a{world, 1, 1}, b{world, 2, 2};
  MultiplayerPeer& peer() { return *a.peer; }
  void meet() {
    REQUIRE(a.peer->create_mesh(5));
    REQUIRE(b.peer->create_mesh(6));
    introduce(world, a, 5, b, 6);
  }
};

struct State {
  const char* name;
  std::function<void(Game&)> reach;
};
const State kStates[] = {
    {"nothing created", [](Game&) {}},
    {"a server", [](Game& g) { REQUIRE(g.peer().create_server()); }},
    {"a client without its server", [](Game& g) { REQUIRE(g.peer().create_client(5)); }},
    {"a mesh, alone", [](Game& g) { REQUIRE(g.peer().create_mesh(5)); }},
    {"a peer on its way", [](Game& g) { g.meet(); }},
    {"a peer connected",
     [](Game& g) {
       g.meet();
       REQUIRE(g.world.run_until([&] { return g.a.connected.count(6) + g.b.connected.count(5) == 2; }, 30s));
     }},
    {"closed",
     [](Game& g) {
       g.meet();
       g.world.run_for(5s);
       g.peer().close();
     }},
};
constexpr std::size_t kStateCount = std::size(kStates);

std::string said(const Status& status) { return status ? "OK" : std::string(name_of(status.error().code())); }
template <class Value>
std::string text_of(Value value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value ? "yes" : "no";
  } else {
    return std::to_string(static_cast<long long>(value));
  }
}

struct Method {
  const char* name;
  std::function<std::string(MultiplayerPeer&)> call;
  // What each state answers, in the order of kStates; one answer: all of them.
  std::vector<std::string> answers;
  bool changes_something = false;
};

const Method kMethods[] = {
    {"create_server", [](MultiplayerPeer& p) { return said(p.create_server()); }, {"OK"}, true},
    {"create_client", [](MultiplayerPeer& p) { return said(p.create_client(9)); }, {"OK"}, true},
    {"create_client, the server's id",
     [](MultiplayerPeer& p) { return said(p.create_client(1)); },
     {"InvalidArgument"}},
    {"create_client, no id",
     [](MultiplayerPeer& p) { return said(p.create_client(0)); },
     {"InvalidArgument"}},
    {"create_mesh", [](MultiplayerPeer& p) { return said(p.create_mesh(9)); }, {"OK"}, true},
    {"create_mesh, no id", [](MultiplayerPeer& p) { return said(p.create_mesh(-1)); }, {"InvalidArgument"}},
    {"initialize", [](MultiplayerPeer& p) { return said(p.initialize(9, true)); }, {"OK"}, true},
    {"initialize, no id", [](MultiplayerPeer& p) { return said(p.initialize(0)); }, {"InvalidArgument"}},
    {"add_peer",
     [](MultiplayerPeer& p) { return said(p.add_peer(std::make_shared<PeerConnection>(), 9)); },
     {"Unconfigured", "OK", "InvalidArgument", "OK", "OK", "OK", "Unconfigured"},
     true},
    {"add_peer, no connection",
     [](MultiplayerPeer& p) { return said(p.add_peer(nullptr, 9)); },
     {"Unconfigured", "InvalidArgument", "InvalidArgument", "InvalidArgument", "InvalidArgument",
      "InvalidArgument", "Unconfigured"}},
    {"add_peer, no id",
     [](MultiplayerPeer& p) { return said(p.add_peer(std::make_shared<PeerConnection>(), -9)); },
     {"Unconfigured", "InvalidArgument", "InvalidArgument", "InvalidArgument", "InvalidArgument",
      "InvalidArgument", "Unconfigured"}},
    {"remove_peer",
     [](MultiplayerPeer& p) { return said(p.remove_peer(6)); },
     {"NotFound", "NotFound", "NotFound", "NotFound", "OK", "OK", "NotFound"},
     true},
    {"disconnect_peer",
     [](MultiplayerPeer& p) { return said(p.disconnect_peer(6)); },
     {"NotFound", "NotFound", "NotFound", "NotFound", "OK", "OK", "NotFound"},
     true},
    {"disconnect_peer, by force",
     [](MultiplayerPeer& p) { return said(p.disconnect_peer(6, true)); },
     {"NotFound", "NotFound", "NotFound", "NotFound", "OK", "OK", "NotFound"},
     true},
    {"has_peer",
     [](MultiplayerPeer& p) { return text_of(p.has_peer(6)); },
     {"no", "no", "no", "no", "yes", "yes", "no"}},
    {"get_peer",
     [](MultiplayerPeer& p) {
       const auto found = p.get_peer(6);
       return found ? text_of(found->connected) : std::string(name_of(found.error().code()));
     },
     {"NotFound", "NotFound", "NotFound", "NotFound", "no", "yes", "NotFound"}},
    {"get_peers",
     [](MultiplayerPeer& p) { return text_of(p.get_peers().size()); },
     {"0", "0", "0", "0", "1", "1", "0"}},
    {"close",
     [](MultiplayerPeer& p) {
       p.close();
       return std::string("OK");
     },
     {"OK"},
     true},
    {"poll", [](MultiplayerPeer& p) { return said(p.poll()); }, {"OK"}, true},
    {"wait",
     [](MultiplayerPeer& p) { return said(p.wait(Duration::zero())); },
     {"OK", "OK", "OK", "OK", "NotSupported", "NotSupported", "OK"},
     true},
    {"get_time_to_next_deadline",
     [](MultiplayerPeer& p) { return text_of(p.get_time_to_next_deadline().has_value()); },
     {"no", "no", "no", "no", "yes", "yes", "no"}},
    {"set_target_peer",
     [](MultiplayerPeer& p) {
       p.set_target_peer(-6);
       return p.get_target_peer() == -6 ? std::string("OK") : "no";
     },
     {"OK"},
     true},
    {"get_target_peer", [](MultiplayerPeer& p) { return text_of(p.get_target_peer()); }, {"0"}},
    {"set_transfer_mode",
     [](MultiplayerPeer& p) {
       p.set_transfer_mode(MultiplayerPeer::TRANSFER_MODE_UNRELIABLE);
       return p.get_transfer_mode() == MultiplayerPeer::TRANSFER_MODE_UNRELIABLE ? std::string("OK") : "no";
     },
     {"OK"},
     true},
    {"get_transfer_mode", [](MultiplayerPeer& p) { return text_of(p.get_transfer_mode()); }, {"2"}},
    {"set_transfer_channel",
     [](MultiplayerPeer& p) {
       p.set_transfer_channel(1);
       return p.get_transfer_channel() == 1 ? std::string("OK") : "no";
     },
     {"OK"},
     true},
    {"get_transfer_channel", [](MultiplayerPeer& p) { return text_of(p.get_transfer_channel()); }, {"0"}},
    {"put_packet",
     [](MultiplayerPeer& p) { return said(p.put_packet(as_bytes("x"))); },
     {"Unconfigured", "OK", "OK", "OK", "OK", "OK", "Unconfigured"},
     true},
    {"put_packet, to nobody",
     [](MultiplayerPeer& p) {
       p.set_target_peer(77);
       const std::string answer = said(p.put_packet(as_bytes("x")));
       p.set_target_peer(0);
       return answer;
     },
     {"Unconfigured", "InvalidArgument", "InvalidArgument", "InvalidArgument", "InvalidArgument",
      "InvalidArgument", "Unconfigured"},
     true},
    {"get_packet",
     [](MultiplayerPeer& p) {
       const auto packet = p.get_packet();
       return packet ? std::string("OK") : std::string(name_of(packet.error().code()));
     },
     {"Empty"}},
    {"get_available_packet_count",
     [](MultiplayerPeer& p) { return text_of(p.get_available_packet_count()); },
     {"0"}},
    {"get_packet_peer", [](MultiplayerPeer& p) { return text_of(p.get_packet_peer()); }, {"0"}},
    {"get_packet_channel", [](MultiplayerPeer& p) { return text_of(p.get_packet_channel()); }, {"0"}},
    {"get_packet_mode", [](MultiplayerPeer& p) { return text_of(p.get_packet_mode()); }, {"0"}},
    {"get_max_packet_size", [](MultiplayerPeer& p) { return text_of(p.get_max_packet_size()); }, {"1200"}},
    {"get_connection_status",
     [](MultiplayerPeer& p) { return text_of(p.get_connection_status()); },
     {"0", "2", "1", "2", "2", "2", "0"}},
    {"get_unique_id",
     [](MultiplayerPeer& p) { return text_of(p.get_unique_id()); },
     {"1", "1", "5", "5", "5", "5", "1"}},
    {"is_server",
     [](MultiplayerPeer& p) { return text_of(p.is_server()); },
     {"yes", "yes", "no", "no", "no", "no", "yes"}},
    {"is_refusing_new_connections",
     [](MultiplayerPeer& p) { return text_of(p.is_refusing_new_connections()); },
     {"no"}},
    {"is_server_relay_supported",
     [](MultiplayerPeer& p) { return text_of(p.is_server_relay_supported()); },
     {"no", "yes", "yes", "no", "no", "no", "no"}},
    {"is_server_relay_enabled",
     [](MultiplayerPeer& p) { return text_of(p.is_server_relay_enabled()); },
     {"no"}},
    {"get_packet_error",
     [](MultiplayerPeer& p) { return text_of(p.get_packet_error().has_value()); },
     {"no"}},
    {"set_refuse_new_connections",
     [](MultiplayerPeer& p) {
       p.set_refuse_new_connections(true);
       return p.is_refusing_new_connections() ? std::string("OK") : "no";
     },
     {"OK"},
     true},
    {"generate_unique_id", [](MultiplayerPeer& p) { return text_of(p.generate_unique_id() >= 2); }, {"yes"}},
    {"set_server_relay_enabled",
     [](MultiplayerPeer& p) { return said(p.set_server_relay_enabled(true)); },
     {"OK", "OK", "OK", "OK", "InvalidState", "InvalidState", "OK"},
     true},
};

// What a refusal must leave as it was.
std::string picture(const MultiplayerPeer& p) {
  std::string text = text_of(p.get_connection_status()) + " " + text_of(p.get_unique_id()) + " " +
                     text_of(p.get_target_peer()) + " " + text_of(p.get_transfer_channel()) + " " +
                     text_of(p.get_transfer_mode()) + " " + text_of(p.is_server_relay_enabled()) + " " +
                     text_of(p.is_refusing_new_connections());
  for (const auto& [id, info] : p.get_peers())
    text += " " + text_of(id) + ":" + text_of(info.connected) + ":" +
            std::string(name_of(info.connection->get_connection_state()));
  return text;
}

}  // namespace

TEST_CASE("a MultiplayerPeer's every method in every state: the answer, and a refusal changes nothing",
          "[API-24][API-56]") {
  for (const Method& method : kMethods) {
    REQUIRE((method.answers.size() == 1 || method.answers.size() == kStateCount));
    for (std::size_t i = 0; i < kStateCount; ++i) {
      INFO(method.name << ", " << kStates[i].name);
      Game g;
      kStates[i].reach(g);
      const std::string before = picture(g.peer());
      const auto log = g.a.log;
      const std::string answer = method.call(g.peer());
      CHECK(answer == method.answers[method.answers.size() == 1 ? 0 : i]);
      // Nobody is told outside poll(), except, as in Godot, of a peer that is removed.
      const bool is_told = answer == "OK" && method.name == std::string_view("remove_peer") &&
                           log == std::vector<std::string>{"+6"};
      CHECK(g.a.log == (is_told ? std::vector<std::string>{"+6", "-6"} : log));
      if (!method.changes_something || answer != "OK") CHECK(picture(g.peer()) == before);
    }
  }
}
