#include "pollrtc/lobbies.h"

#include <algorithm>

#include "support/catch.h"

using namespace pollrtc::tool;

namespace {

// A server whose clients are numbers, and what each of them was told.
struct Server {
  std::uint32_t next_random = 100;
  std::map<int, std::vector<std::string>> told;
  std::vector<int> dropped;
  Lobbies lobbies{{[this](int to, const Json& message) {
                     std::string line = std::to_string(message["type"].get<int>()) + " " +
                                        std::to_string(message["id"].get<int>());
                     if (const std::string data = message["data"]; !data.empty()) line += " " + data;
                     told[to].push_back(line);
                   },
                   [this](int client, const char*) { dropped.push_back(client); },
                   [this] { return next_random++; }}};

  // What was wrong with the message, or nothing.
  std::string say(int client, int type, int id, const std::string& data = {}) {
    const char* fault = nullptr;
    return lobbies.take(client, {{"type", type}, {"id", id}, {"data", data}}, fault) ? "" : fault;
  }
  std::vector<std::string> heard(int client) { return std::exchange(told[client], {}); }
  std::string make_lobby(int host, bool is_mesh = true) {
    REQUIRE(say(host, Lobbies::Join, is_mesh ? 0 : 1).empty());
    const std::string line = heard(host).back();
    REQUIRE(line.starts_with("0 0 "));
    return line.substr(4);
  }
};
using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a mesh: the host is 1, and everybody hears of everybody") {
  Server server;
  const std::string name = server.make_lobby(7);
  CHECK(name.size() == 32);
  REQUIRE(server.say(8, Lobbies::Join, 0, name).empty());
  const Lines second = server.heard(8);
  REQUIRE(second.size() == 3);
  const std::string id = second[0].substr(2, second[0].find(' ', 2) - 2);
  CHECK(second == Lines{"1 " + id + " true", "2 1", "0 0 " + name});
  CHECK(server.heard(7) == Lines{"2 " + id});
  REQUIRE(server.say(9, Lobbies::Join, 1, name).empty());  // what sort it is was the host's choice
  CHECK(server.heard(8).size() == 1);
  CHECK(server.heard(9).size() == 4);
}

TEST_CASE("a server and its clients: they hear of the server alone") {
  Server server;
  const std::string name = server.make_lobby(7, false);
  REQUIRE(server.say(8, Lobbies::Join, 0, name).empty());
  REQUIRE(server.say(9, Lobbies::Join, 0, name).empty());
  CHECK(server.heard(8).size() == 3);
  const Lines third = server.heard(9);
  REQUIRE(third.size() == 3);
  CHECK(third[0].ends_with(' ') == false);  // no "true": not a mesh
  CHECK(third[1] == "2 1");
  server.heard(7);
  server.lobbies.leave(9);
  CHECK(server.heard(7).size() == 1);
  CHECK(server.heard(8).empty());
}

TEST_CASE("offers, answers and candidates go to whom they are for, with the name of who sent them") {
  Server server;
  const std::string name = server.make_lobby(7);
  const std::string other = server.make_lobby(20);
  for (const int client : std::initializer_list<int>{8, 9})
    REQUIRE(server.say(client, Lobbies::Join, 0, name).empty());
  const std::string id = server.heard(8)[0].substr(2, 3);
  for (const int client : std::initializer_list<int>{7, 8, 9}) server.heard(client);
  CHECK(server.say(8, Lobbies::Offer, 1, "an offer").empty());
  CHECK(server.heard(7) == Lines{"4 " + id + " an offer"});
  CHECK(server.say(7, Lobbies::Answer, std::stoi(id), "an answer").empty());
  CHECK(server.heard(8) == Lines{"5 1 an answer"});
  CHECK(server.say(7, Lobbies::Candidate, std::stoi(id), "\n0\n0\ncandidate:1").empty());
  CHECK(server.heard(8) == Lines{"6 1 \n0\n0\ncandidate:1"});
  CHECK(server.heard(9).empty());
  // Somebody who has gone, or is elsewhere: lost, and nobody's fault.
  CHECK(server.say(20, Lobbies::Offer, std::stoi(id), "a stranger's").empty());
  CHECK(server.heard(8).empty());
}

TEST_CASE("what a client must not say is named") {
  Server server;
  const char* fault = nullptr;
  CHECK_FALSE(server.lobbies.take(1, Json("text"), fault));
  CHECK_FALSE(server.lobbies.take(1, Json{{"type", 1.5}, {"id", 0}}, fault));
  CHECK_FALSE(server.lobbies.take(1, Json{{"type", 0}, {"id", std::int64_t{1} << 32}, {"data", ""}}, fault));
  CHECK(std::string(fault) == "not a message of this protocol");
  CHECK(server.say(1, Lobbies::Offer, 1) == "join a lobby first");
  CHECK(server.say(1, Lobbies::Join, 0, "nowhere") == "no such lobby");
  const std::string name = server.make_lobby(1);
  CHECK(server.say(1, Lobbies::Join, 0) == "in a lobby already");
  CHECK(server.say(1, Lobbies::Id, 5) == "not a message of this protocol");
  CHECK(server.say(1, 99, 5) == "not a message of this protocol");
  REQUIRE(server.say(2, Lobbies::Join, 0, name).empty());
  CHECK(server.say(2, Lobbies::Seal, 0) == "only the host seals a lobby");
  for (int client = 3; client <= static_cast<int>(Lobbies::kMaxMembers); ++client)
    REQUIRE(server.say(client, Lobbies::Join, 0, name).empty());
  CHECK(server.say(1000, Lobbies::Join, 0, name) == "the lobby is full");
}

TEST_CASE("a sealed lobby takes nobody else, tells of nobody's leaving, and ends when its time has come") {
  Server server;
  const std::string name = server.make_lobby(1);
  for (const int client : std::initializer_list<int>{2, 3})
    REQUIRE(server.say(client, Lobbies::Join, 0, name).empty());
  CHECK(server.lobbies.take_sealed().empty());
  server.lobbies.end_sealed(name);  // it is not
  CHECK(server.lobbies.is_in_lobby(2));
  server.heard(2);
  REQUIRE(server.say(1, Lobbies::Seal, 0).empty());
  CHECK(server.lobbies.take_sealed() == name);
  CHECK(server.lobbies.take_sealed().empty());
  CHECK(server.heard(2) == Lines{"7 0"});
  CHECK(server.say(4, Lobbies::Join, 0, name) == "the lobby is sealed");
  server.lobbies.leave(3);
  CHECK(server.heard(2).empty());
  server.lobbies.end_sealed(name);
  CHECK(server.dropped == std::vector<int>{1, 2});
  for (const int client : server.dropped) server.lobbies.leave(client);
  CHECK(server.lobbies.count() == 0);
  CHECK_FALSE(server.lobbies.is_in_lobby(2));
}

TEST_CASE("the host goes, and the lobby with it; another member goes, and the rest hear of it") {
  Server server;
  const std::string name = server.make_lobby(1);
  for (const int client : std::initializer_list<int>{2, 3})
    REQUIRE(server.say(client, Lobbies::Join, 0, name).empty());
  const std::string id = server.heard(3)[0].substr(2, 3);
  server.heard(2);
  server.lobbies.leave(3);
  CHECK(server.heard(2) == Lines{"3 " + id});
  CHECK(server.dropped.empty());
  server.lobbies.leave(1);
  CHECK(server.dropped == std::vector<int>{2});
  server.lobbies.leave(2);
  CHECK(server.lobbies.count() == 0);
  CHECK(server.say(4, Lobbies::Join, 0, name) == "no such lobby");
}
