#include "pollrtc/lobbies.h"

#include <algorithm>
#include <limits>

namespace pollrtc::tool {
namespace {

constexpr int kHostId = 1;

}  // namespace

bool Lobbies::take(Client client, const Json& message, const char*& fault) {
  fault = "not a message of this protocol";
  const auto has_number = [&](const char* name) {
    const auto found = message.find(name);
    return found != message.end() && found->is_number_integer();
  };
  if (!message.is_object() || !has_number("type") || !has_number("id")) return false;
  const std::string data = text_of(message, "data");
  const std::int64_t number = number_of(message, "id");
  if (number < 0 || number > std::numeric_limits<int>::max()) return false;
  const auto id = static_cast<int>(number);
  const std::int64_t type = number_of(message, "type", -1);
  if (type == Join) return join(client, data, id == 0, fault);
  if (!is_in_lobby(client)) {
    fault = "join a lobby first";
    return false;
  }
  if (type == Seal) return seal(client, fault);
  if (type != Offer && type != Answer && type != Candidate) return false;
  pass_on(client, static_cast<Message>(type), id, data);
  return true;
}

bool Lobbies::join(Client client, const std::string& name, bool wants_mesh, const char*& fault) {
  const auto refuse = [&](const char* reason) {
    fault = reason;
    return false;
  };
  if (is_in_lobby(client)) return refuse("in a lobby already");
  std::string chosen = name;
  if (name.empty()) {
    if (lobbies_.size() >= kMaxLobbies) return refuse("too many lobbies");
    chosen = new_name();
    lobbies_[chosen] = {client, wants_mesh, false, {}};
  }
  const auto found = lobbies_.find(chosen);
  if (found == lobbies_.end()) return refuse("no such lobby");
  Lobby& lobby = found->second;
  if (lobby.is_sealed) return refuse("the lobby is sealed");
  if (lobby.clients.size() >= kMaxMembers) return refuse("the lobby is full");
  members_[client] = {new_id(), chosen};
  send(client, Id, name_of(client), lobby.is_mesh ? "true" : "");
  for (const Client other : lobby.clients) {
    if (!lobby.is_mesh && other != lobby.host) continue;  // clients see their host alone
    send(other, PeerConnect, name_of(client));
    send(client, PeerConnect, name_of(other));
  }
  lobby.clients.push_back(client);
  send(client, Join, 0, chosen);
  return true;
}

bool Lobbies::seal(Client client, const char*& fault) {
  const std::string name = members_.at(client).lobby;
  Lobby& lobby = lobbies_.at(name);
  if (lobby.host != client) {
    fault = "only the host seals a lobby";
    return false;
  }
  if (!lobby.is_sealed) sealed_ = name;
  lobby.is_sealed = true;
  for (const Client other : lobby.clients) send(other, Seal, 0);
  return true;
}

void Lobbies::pass_on(Client client, Message type, int to, const std::string& data) {
  const Lobby& lobby = lobbies_.at(members_.at(client).lobby);
  for (const Client other : lobby.clients)
    if (other != client && name_of(other) == to) send(other, type, name_of(client), data);
}

void Lobbies::leave(Client client) {
  const auto member = members_.find(client);
  if (member == members_.end()) return;
  const auto found = lobbies_.find(member->second.lobby);
  const int id = name_of(client);
  members_.erase(member);
  if (found == lobbies_.end()) return;  // it went with its host
  Lobby& lobby = found->second;
  std::erase(lobby.clients, client);
  if (lobby.host == client) {
    const std::vector<Client> others = std::move(lobby.clients);
    lobbies_.erase(found);
    for (const Client other : others) hooks_.drop(other, "the host has left");
    return;
  }
  if (lobby.is_sealed) return;  // the lobby is over, and its members are connected
  for (const Client other : lobby.clients)
    if (lobby.is_mesh || other == lobby.host) send(other, PeerLeave, id);
}

void Lobbies::end_sealed(const std::string& name) {
  const auto found = lobbies_.find(name);
  if (found == lobbies_.end() || !found->second.is_sealed) return;
  const std::vector<Client> clients = std::move(found->second.clients);
  lobbies_.erase(found);
  for (const Client client : clients) hooks_.drop(client, "the lobby is sealed");
}

// As the others of the lobby know it.
int Lobbies::name_of(Client client) const {
  const Member& member = members_.at(client);
  const auto found = lobbies_.find(member.lobby);
  return found != lobbies_.end() && found->second.host == client ? kHostId : member.id;
}

void Lobbies::send(Client to, Message type, int id, const std::string& data) {
  hooks_.send(to, {{"type", static_cast<int>(type)}, {"id", id}, {"data", data}});
}

int Lobbies::new_id() {
  for (;;) {
    const auto id = static_cast<int>(hooks_.random() & 0x7fffffff);
    const auto has_it = [=](const auto& member) { return member.second.id == id; };
    if (id > kHostId && std::none_of(members_.begin(), members_.end(), has_it)) return id;
  }
}

std::string Lobbies::new_name() {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string name(32, ' ');
  do
    for (char& letter : name) letter = kLetters[hooks_.random() % (sizeof kLetters - 1)];
  while (lobbies_.contains(name));
  return name;
}

}  // namespace pollrtc::tool
