// What the relays have to tell: what clients say, in the words of whoever sees addresses and streams only.
#include "ice/relays.h"

namespace pollrtc::ice {

// A server that relays from an address of ours would make us talk to ourselves; one that another allocation has, too.
bool Relays::is_our_own(const Relay& relay, const Address& relayed) const {
  if (std::find(bases_.begin(), bases_.end(), relayed) != bases_.end()) return true;
  const Relay* const other = find_relayed(relayed);
  return other != nullptr && other != &relay;
}

bool Relays::tell(const Relay& relay, const Address& peer, bool granted, Event& out) {
  for (const Address& relayed : relay.announced) {
    if (relayed.family != peer.family) continue;
    out = Permission{relayed, peer, granted};
    return true;
  }
  return false;
}

// The server was asked, and has no allocation of ours: another one will do, from the same socket.
bool Relays::is_to_be_replaced(const Relay& relay, int code) const {
  return code == 437 && relay.verified_by != kNever && relay.base.is_valid() && !is_closed_;
}

// 437 and 441 (RFC 8656 §7.2, §5): the 5-tuple has an allocation, and it is another client's of ours.
bool Relays::is_overtaken(const Relay& relay, int code) const {
  return (code == 437 || code == 441) &&
         is_shared(relay, {turn::ClientState::Allocating, turn::ClientState::Allocated});
}

bool Relays::translate(Relay& relay, const turn::Client::Event& event, Event& out) {
  if (std::holds_alternative<turn::Client::Released>(event)) {
    relay.lost = std::exchange(relay.announced, {});
  } else if (const auto* permitted = std::get_if<turn::Client::Permitted>(&event)) {
    return tell(relay, permitted->peer, true, out);
  } else if (const auto* refused = std::get_if<turn::Client::Refused>(&event)) {
    return tell(relay, refused->peer, false, out);
  } else if (std::holds_alternative<turn::Client::Reconnect>(event)) {
    static_cast<void>(done_.push_back(relay.stream));
    connect(now_, relay);
  } else if (const auto* ended = std::get_if<turn::Client::Ended>(&event)) {
    Server& server = server_of(relay);
    const Time wanted = now_ + relay.client->wait_before_next();
    server.not_before = std::max(server.not_before, wanted);
    if (ended->code == 486 || ended->code == 508) server.full_until = wanted;
    relay.is_replaced = is_to_be_replaced(relay, ended->code);
    for (const Address& relayed : relay.announced) static_cast<void>(relay.lost.push_back(relayed));
    relay.announced.clear();
    if (relay.stream != StreamId{})
      static_cast<void>(done_.push_back(std::exchange(relay.stream, StreamId{})));
    if (ended->code != 0 && !relay.is_given_up && !is_closed_ && !relay.is_replaced &&
        !is_overtaken(relay, ended->code)) {
      out = Failed{relay.client->server(), server_of(relay).transport, ended->code, ended->text};
      return true;
    }
  }
  return false;
}

bool Relays::poll_event(Event& event) {
  if (!done_.empty()) {
    event = StreamDone{done_[0]};
    done_.erase(0);
    return true;
  }
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    Relay& relay = *relays_[i];
    if (relay.phase == Phase::Connecting && !relay.stream_told) {
      relay.stream_told = true;
      const std::string_view moved = relay.client->server_name();
      event =
          StreamNeeded{relay.stream, relay.client->server(), server_of(relay).transport == TurnTransport::Tls,
                       moved.empty() ? server_of(relay).host : *FixedString<253>::from(moved)};
      return true;
    }
    turn::Client::Event said;
    while (relay.client->poll_event(said))
      if (translate(relay, said, event)) return true;
    if (!relay.lost.empty()) {
      event = Lost{relay.lost.back()};
      relay.lost.erase(relay.lost.size() - 1);
      return true;
    }
    for (const Address& relayed : relay.client->relayed()) {
      if (std::find(relay.announced.begin(), relay.announced.end(), relayed) != relay.announced.end())
        continue;
      if (is_our_own(relay, relayed)) {
        relay.client->reject(now_, turn::kUnreachable, "the server relays from an address of our own");
        break;
      }
      static_cast<void>(relay.announced.push_back(relayed));
      event = Allocated{relayed, relay.client->mapped(), relay.base, relay.client->server(),
                        server_of(relay).transport};
      return true;
    }
    if (relay.client->state() != turn::ClientState::Ended || !done_.empty()) continue;
    const Owned<Relay> ended = std::move(relays_[i]);
    relays_.erase(i--);
    if (ended->is_replaced) add_relay(now_, ended->server, ended->asked, ended->base, now_);
  }
  if (done_.empty()) return false;
  return poll_event(event);
}

}  // namespace pollrtc::ice
