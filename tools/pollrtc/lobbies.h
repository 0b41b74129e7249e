// The lobbies of a signalling server, in the messages of Godot's own demo (networking/webrtc_signaling for Godot 4), so
// that its clients, ours and a page can meet in one. A message is {"type": T, "id": N, "data": "text"}:
//
//   T              to the server                                   from the server
//   0 Join         data: the lobby, "" for a new one; id: 0 for    data: the lobby that was joined
//                  a mesh, 1 for a server and its clients
//   1 Id           -                                               id: who you are; data: "true" in a mesh
//   2 PeerConnect  -                                               id: somebody to connect to
//   3 PeerLeave    -                                               id: who has gone
//   4 Offer, 5 Answer, 6 Candidate: id: for whom                   id: from whom
//   7 Seal         the host wants nobody else in                   the lobby is sealed, and goes in 10 s
//
// The host, who made the lobby, is 1; when it goes the lobby does. What a client must not say ends its connection, but not
// a word to somebody who has just left.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "pollrtc/json.h"

namespace pollrtc::tool {

class Lobbies {
 public:
  enum Message { Join, Id, PeerConnect, PeerLeave, Offer, Answer, Candidate, Seal };
  static constexpr std::size_t kMaxLobbies = 1024, kMaxMembers = 256;
  using Client = int;  // a number of the caller's

  // `send` and `drop` are called from inside the calls; after `drop` the caller calls leave().
  struct Hooks {
    std::function<void(Client client, const Json& message)> send;
    std::function<void(Client client, const char* reason)> drop;
    std::function<std::uint32_t()> random;
  };
  explicit Lobbies(Hooks hooks) : hooks_(std::move(hooks)) {}

  // False: the message breaks the rules above, which `fault` names, and the client is to be dropped.
  bool take(Client client, const Json& message, const char*& fault);
  void leave(Client client);
  // Ends the lobby of this name if it is sealed.
  void end_sealed(const std::string& name);
  bool is_in_lobby(Client client) const { return members_.contains(client); }
  // The lobby that was sealed by the last message, until it is asked for; else empty.
  std::string take_sealed() { return std::exchange(sealed_, {}); }
  std::size_t count() const { return lobbies_.size(); }

 private:
  struct Lobby {
    Client host;
    bool is_mesh, is_sealed = false;
    std::vector<Client> clients;
  };
  struct Member {
    int id;  // beyond 1; the host is called 1 all the same
    std::string lobby;
  };

  bool join(Client client, const std::string& name, bool wants_mesh, const char*& fault);
  bool seal(Client client, const char*& fault);
  void pass_on(Client client, Message type, int to, const std::string& data);
  int name_of(Client client) const;
  void send(Client to, Message type, int id, const std::string& data = {});
  int new_id();
  std::string new_name();

  Hooks hooks_;
  std::map<std::string, Lobby> lobbies_;
  std::map<Client, Member> members_;
  std::string sealed_;
};

}  // namespace pollrtc::tool
