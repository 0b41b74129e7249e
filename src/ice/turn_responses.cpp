// What a TURN client receives: answers (RFC 8489 §6.3.3, §6.3.4, §9.2.5; RFC 8656 §7.3, §7.4, §8.3, §10.3, §12.3), Data
// indications (§11.4) and ChannelData (§12.6).
#include "base/address.h"
#include "base/log.h"
#include "ice/turn_client.h"

namespace pollrtc::turn {

using stun::Attribute;
using stun::Class;
using stun::Method;

namespace {

constexpr Duration kPermissionLife = std::chrono::seconds(300);  // RFC 8656 §9
constexpr Duration kPermissionRefresh = std::chrono::seconds(240);
constexpr Duration kChannelLife = std::chrono::seconds(600);  // §12
constexpr Duration kChannelRefresh = std::chrono::seconds(540);
constexpr std::uint32_t kDefaultLifetime = 600;  // §3.2; seconds, like the next two
constexpr std::uint32_t kShortestLifetime = 10, kLongestLifetime = 3600;
constexpr int kMaxServerErrors = 4;  // RFC 8489 §6.3.4
constexpr int kMaxMismatches = 3;    // RFC 8656 §7.4: 5-tuples to try
constexpr Duration kRefreshAgain = std::chrono::seconds(15);
constexpr Duration kServerErrorWait = std::chrono::seconds(1);

}  // namespace

Client::Input Client::handle(Time now, Bytes packet) {
  Input input;
  if (state_ == ClientState::Ended || state_ == ClientState::Idle) {
    input.drop = Drop::NoSession;
  } else if (!packet.empty() && packet[0] >= 0x40 && packet[0] <= 0x7F) {
    input = on_channel_data(now, packet);
  } else {
    input = on_message(now, packet);
  }
  return input;
}

// §12.4  | channel number:16 | length:16 | data, padded in a stream |
Client::Input Client::on_channel_data(Time now, Bytes packet) {
  ByteReader r(packet);
  const std::uint16_t number = r.u16();
  const std::size_t size = r.u16();
  const Bytes data = r.take(size);
  if (!r.ok() || r.rest().size() > 3) return {.drop = Drop::TurnMalformed};
  const std::size_t index = static_cast<std::size_t>(number) - kFirstChannel;
  if (number > kLastChannel || index >= channels_.size()) return {.drop = Drop::TurnUnknownChannel};
  const Channel& channel = channels_[index];
  // §12: from the moment the ChannelBind is sent, since the server's first data may overtake its answer.
  if (!channel.is_bound && !channel.request.is_running) return {.drop = Drop::TurnUnknownChannel};
  if (!is_permitted(now, channel.peer)) return {.drop = Drop::TurnNoPermission};
  Input input;
  input.is_data = true;
  input.peer = channel.peer;
  for (const Address& relayed : relayed_)
    if (relayed.family == channel.peer.family) input.relayed = relayed;
  input.data = data;
  return input;
}

Client::Input Client::on_message(Time now, Bytes packet) {
  const auto message = stun::Message::parse(packet, stun::Usage::Turn);
  if (!message) return {.drop = message.error()};
  if (message->fingerprint_at() != 0 && !stun::verify_fingerprint(*message))
    return {.drop = Drop::StunFingerprint};
  switch (message->message_class()) {
    case Class::Indication:
      if (message->method() == Method::Data) return on_data_indication(now, *message);
      return {.drop = Drop::TurnUnexpected};
    case Class::Success:
    case Class::Error:
      return {.drop = on_response(now, *message)};
    case Class::Request:
      break;
  }
  return {.drop = Drop::StunUnknownMethod};  // a TURN client serves nobody
}

// §11.4. Indications are not authenticated (§5): what protects us is that ICE and DTLS are within.
Client::Input Client::on_data_indication(Time now, const stun::Message& message) {
  if (!message.unknown_required().empty()) return {.drop = Drop::StunUnknownAttribute};
  const auto peer = message.xor_address(Attribute::XorPeerAddress);
  const auto data = message.value_of(Attribute::Data);
  const auto icmp = message.value_of(Attribute::Icmp);
  if (!peer || message.has_malformed_value() || (!data && !icmp)) return {.drop = Drop::TurnMalformed};
  if (!is_permitted(now, *peer)) return {.drop = Drop::TurnNoPermission};
  Input input;
  input.peer = *peer;
  for (const Address& relayed : relayed_)
    if (relayed.family == peer->family) input.relayed = relayed;
  if (!data) {
    // §11.6: said, and no more: anybody on the way can forge an ICMP message.
    POLLRTC_LOG(environment_, Debug, "ice", "turn {}: ICMP type {} code {} from {}",
                address_text(config_.server).view(), (*icmp)[2] >> 1, (*icmp)[3], address_text(*peer).view());
    input.drop = Drop::TurnIcmp;
    return input;
  }
  input.is_data = true;
  input.data = *data;
  return input;
}

// RFC 8489 §6.2.1. A server that has answered is not given up for it: whoever sees our requests can forge such an error, and
// what works is not touched (agent_changes.cpp has the same for checks).
void Client::on_icmp_error(Time now, Bytes quoted) {
  const bool is_unanswered = state_ == ClientState::Allocating && main_.is_running && !has_answered();
  if (!is_unanswered || quoted.size() < stun::kHeaderSize ||
      load_u32(quoted.data() + 4) != stun::kMagicCookie ||
      !equal(quoted.subspan(8, main_.id.size()), main_.id))
    return;
  give_up(now, Target{Kind::Allocate, 0, &main_}, kUnreachable, "no server is at this address");
}

std::optional<Client::Target> Client::find(const stun::TransactionId& id) {
  std::optional<Target> found;
  const auto look = [&](Kind kind, std::size_t index, Request& request) {
    if (request.is_running && request.id == id) found = Target{kind, index, &request};
  };
  look(main_kind(), 0, main_);
  for (std::size_t i = 0; i < permissions_.size(); ++i) look(Kind::Permission, i, permissions_[i].request);
  for (std::size_t i = 0; i < channels_.size(); ++i) look(Kind::Channel, i, channels_[i].request);
  return found;
}

bool Client::awaits(const stun::TransactionId& id) const {
  return const_cast<Client*>(this)->find(id).has_value();
}

// The order of the questions is that of RFC 8489 §9.2.5.
Drop Client::on_response(Time now, const stun::Message& response) {
  const std::optional<Target> target = find(response.id());
  if (!target) return Drop::StunNoTransaction;
  static constexpr std::array<Method, 4> kMethods{Method::Allocate, Method::Refresh, Method::CreatePermission,
                                                  Method::ChannelBind};
  if (response.method() != kMethods[static_cast<std::size_t>(target->kind)]) return Drop::TurnUnexpected;
  if (response.has_malformed_value()) return Drop::StunMalformed;
  Request& request = *target->request;
  const bool is_error = response.message_class() == Class::Error;
  const auto error = is_error ? response.error_code() : std::nullopt;
  const int code = error ? error->code : 0;
  if (code == 401 || code == 438) {
    on_challenge(now, *target, response, code);
    return Drop::None;
  }
  if (LongTermAuth::is_bid_down(response)) return Drop::StunIntegrity;
  // Only the first Allocate is not signed: its bare refusal is a refusal, but a bare redirection could be anybody's
  // (RFC 8489 §14.8), and there is nothing that a success could be known by.
  const bool is_bare_refusal = !request.is_signed && is_error && code != 300;
  if (!is_bare_refusal && (!request.is_signed || !auth_.is_authentic(response))) {
    request.integrity_violated = true;
    if (config_.is_stream && !(code == 400 && stun::integrity_of(response) == stun::Integrity::None)) {
      request.is_running = false;  // §9.2.5: a reliable transport carries no second answer
      give_up(now, *target, kUnreachable, "integrity violated: the answer is not the server's");
    }
    return Drop::StunIntegrity;
  }
  request.is_running = request.is_owed = false;
  request.challenges = 0;
  if (!response.unknown_required().empty()) {
    static constexpr std::string_view kWhy = "the answer holds an unknown attribute";
    if (target->kind == Kind::Allocate && !is_error) {  // granted, but not in words that we understand
      state_ = ClientState::Allocated;
      delete_allocation(now, kUnreachable, kWhy);
    } else {
      give_up(now, *target, code, kWhy);
    }
    return Drop::StunUnknownAttribute;
  }
  if (!is_error) {
    request.server_errors = 0;
    on_success(now, *target, response);
  } else {
    on_error(now, *target, response, code, error ? error->reason : "an error without a code");
  }
  return Drop::None;
}

void Client::on_challenge(Time now, const Target& target, const stun::Message& response, int code) {
  Request& request = *target.request;
  request.is_running = request.is_owed = false;
  if (++request.challenges > environment_.limits.turn_auth_retries)
    return give_up(now, target, code, "the server asks for credentials again and again");
  std::string_view why;
  switch (auth_.challenge(response, code)) {
    case LongTermAuth::Verdict::Retry:
      request.is_running = true;
      return restart_all(now);
    case LongTermAuth::Verdict::WrongCredentials:
      why = "wrong user name or password";
      break;
    case LongTermAuth::Verdict::BidDown:
      why = "the password algorithms were taken out of the challenge";
      break;
    case LongTermAuth::Verdict::NoAlgorithm:
      why = "no password algorithm in common";
      break;
    case LongTermAuth::Verdict::Malformed:
      why = "a challenge without realm or nonce";
      break;
    case LongTermAuth::Verdict::OutOfMemory:
      why = "no memory";
      break;
  }
  give_up(now, target, code, why);
}

// ---- success

void Client::on_success(Time now, const Target& target, const stun::Message& response) {
  switch (target.kind) {
    case Kind::Allocate:
      return on_allocated(now, response);
    case Kind::Refresh:
      return on_refreshed(now, response);
    case Kind::Permission: {
      Permission& permission = permissions_[target.index];
      permission.is_told = permission.state == PermissionState::Granted;
      permission.state = PermissionState::Granted;
      permission.expires = now + kPermissionLife;
      permission.refresh = now + kPermissionRefresh;
      return;
    }
    case Kind::Channel: {
      Channel& channel = channels_[target.index];
      channel.is_bound = true;
      channel.expires = now + kChannelLife;
      channel.refresh = now + kChannelRefresh;
      return;
    }
  }
}

// A server on loopback may relay from loopback; any other would send us to ourselves.
bool Client::is_usable_relay(const Address& address) const {
  if (address.port == 0 || is_unspecified(address) || is_multicast(address) || is_broadcast(address))
    return false;
  if (is_link_local(address) && address.family == Address::Family::IPv6) return false;
  if (is_ipv4_mapped(address)) return false;
  return !is_loopback(address) || is_loopback(config_.server);
}

// §7.3. An address that is of no use makes the whole allocation useless, unless the other one serves.
void Client::on_allocated(Time now, const stun::Message& response) {
  if (const auto refused = response.value_of(Attribute::AddressErrorCode)) {
    // §18.12  | family:8 | reserved:13 | class:3 | number:8 | reason |
    const int code = ((*refused)[2] & 7) * 100 + (*refused)[3];
    ipv6_not_before_ = code == 440 ? kNever : now + std::chrono::minutes(1);
  }
  relayed_.clear();
  const auto first = response.xor_address(Attribute::XorRelayedAddress);
  const auto second_value = response.second_value_of(Attribute::XorRelayedAddress);
  const auto second = second_value ? stun::read_xor_address(*second_value, response.id()) : std::nullopt;
  for (const auto& address : {first, second})
    if (address && is_usable_relay(*address) && !is_relaying(address->family))
      static_cast<void>(relayed_.push_back(*address));
  state_ = ClientState::Allocated;
  if (relayed_.empty()) return delete_allocation(now, 440, "the server relays from no address we can use");
  mapped_ = response.xor_mapped_address().value_or(Address{});
  take_lifetime(now, response);
  keepalive_ = now + kKeepalive;
  allocated_told_ = false;
  POLLRTC_LOG(environment_, Info, "ice", "turn {}: relayed from {}", address_text(config_.server).view(),
              address_text(relayed_[0]).view());
}

// §8.1: refreshed a minute before its end, a short one at half time. What the server says counts, within reason.
void Client::take_lifetime(Time now, const stun::Message& response) {
  const std::uint32_t said = response.u32(Attribute::Lifetime).value_or(kDefaultLifetime);
  const std::chrono::seconds life(std::clamp(said, kShortestLifetime, kLongestLifetime));
  expires_ = now + life;
  refresh_ = now + (life < std::chrono::seconds(120) ? Duration(life) / 2
                                                     : Duration(life) - std::chrono::seconds(60));
}

void Client::on_refreshed(Time now, const stun::Message& response) {
  if (state_ == ClientState::Allocated) return take_lifetime(now, response);
  if (!is_resuming_) return end(now, end_code_, end_text_.view());
  is_resuming_ = false;
  state_ = ClientState::Allocating;
  begin(now, main_);
}

// ---- errors

void Client::on_error(Time now, const Target& target, const stun::Message& response, int code,
                      std::string_view reason) {
  // RFC 8489 §6.3.4: a server error may pass. 508 is none: it is an answer to this request (RFC 8656 §19).
  Request& request = *target.request;
  if (code >= 500 && code < 600 && code != 508 && request.server_errors < kMaxServerErrors) {
    request.retry = now + kServerErrorWait * (1 << request.server_errors++);
    return;
  }
  if (target.kind == Kind::Allocate) return on_allocate_error(now, response, code, reason);
  give_up(now, target, code, reason);
}

void Client::on_allocate_error(Time now, const stun::Message& response, int code, std::string_view reason) {
  switch (code) {
    case 300:
      return on_redirect(now, response);
    case 437:
      // DEVIATION RFC 8656 §7.4: this 5-tuple has an allocation already, and three of them are to be tried. A stream has a new
      // one for the asking, but a UDP socket is a host candidate, and no other is opened for this.
      if (++mismatches_ < kMaxMismatches && config_.is_stream) {
        reconnect_owed_ = true;
        return;
      }
      wait_before_next_ = std::chrono::minutes(2);
      break;
    case 440:
      if (!only_ipv6_ && config_.wants_ipv6) {  // the default is IPv4
        only_ipv6_ = true;
        return begin(now, main_);
      }
      break;
    case 486:
    case 508:
      wait_before_next_ = std::chrono::minutes(1);
      break;
    default:
      break;
  }
  end(now, code != 0 ? code : kUnreachable, reason);
}

// RFC 8489 §10. The same transport and credentials; the first of the two addresses that is of the family of our 5-tuple.
void Client::on_redirect(Time now, const stun::Message& response) {
  std::optional<Address> next;
  const auto first = response.value_of(Attribute::AlternateServer),
             second = response.second_value_of(Attribute::AlternateServer);
  for (const auto& value : {first, second}) {
    const auto address = value ? stun::read_address(*value) : std::nullopt;
    if (!next && address && address->family == config_.server.family) next = address;
  }
  if (!next) return end(now, 300, "redirected to no server that we can reach");
  const Address plain = unmapped(*next);
  if (plain.port == 0 || is_loopback(plain) || is_unspecified(plain) || is_multicast(plain) ||
      is_broadcast(plain))
    return end(now, 300, "redirected to an address that is no server's");
  const bool was_asked =
      *next == config_.server || std::find(visited_.begin(), visited_.end(), *next) != visited_.end();
  if (was_asked || visited_.size() >= environment_.limits.turn_redirects ||
      !visited_.push_back(config_.server))
    return end(now, 300, "redirected in a circle, or too often");
  const auto domain = response.text(Attribute::AlternateDomain);
  if (domain) server_name_ = FixedString<253>::from(*domain).value_or(FixedString<253>{});
  config_.server = *next;
  auth_.reset();
  main_ = Request{};
  reconnect_owed_ = config_.is_stream;
  if (!reconnect_owed_) begin(now, main_);
}

// §12.3: an unexpected 400 means that our picture of the allocation is not the server's.
void Client::reset_allocation(Time now) {
  if (was_reset_) return delete_allocation(now, 400, "the server refuses what it should know");
  delete_allocation(now, 400, "");
  was_reset_ = is_resuming_ = true;
  released_told_ = false;
}

// What had no answer. Over a stream one that is not the server's ends the wait at once, and is not to set the pace.
void Client::ask_again(Time now, Request& request) {
  if (!request.integrity_violated) return begin(now, request);
  request.retry = now + kServerErrorWait;
}

void Client::give_up(Time now, const Target& target, int code, std::string_view reason) {
  target.request->is_running = target.request->is_owed = false;
  switch (target.kind) {
    case Kind::Allocate:
      return end(now, code != 0 ? code : kUnreachable, reason);
    case Kind::Refresh:
      if (state_ ==
          ClientState::Closing) {  // §8.3: 437 says that it is deleted; and we have done what we could
        if (is_resuming_) return on_refreshed(now, stun::Message{});
        return end(now, end_code_, end_text_.view());
      }
      if (code == 437) return end(now, code, reason);
      if (code == kUnreachable) return ask_again(now, main_);  // until it has run out
      // The server has its errors for a while (RFC 8489 §6.3.4), the allocation still has its time.
      if (code >= 500 && code < 600 && refresh_ == kNever) refresh_ = now + kRefreshAgain;
      return;
    case Kind::Permission: {
      if (code == 437) return end(now, code, reason);
      Permission& permission = permissions_[target.index];
      if (code == kUnreachable && is_permitted(now, permission.peer))
        return ask_again(now, permission.request);
      POLLRTC_LOG(environment_, Info, "ice", "turn {}: no permission for {}: {} {}",
                  address_text(config_.server).view(), ip_text(permission.peer).view(), code, reason);
      permission.state = PermissionState::Refused;
      permission.code = code;
      permission.is_told = false;
      return;
    }
    case Kind::Channel:
      if (code == 437) return end(now, code, reason);
      if (code == 400) return reset_allocation(now);
      // While it is bound, it only went unheard that it is to stay so.
      if (code == kUnreachable && channels_[target.index].is_bound) return ask_again(now, *target.request);
      channels_[target.index].is_refused = true;  // Send indications do it too
      return;
  }
}

}  // namespace pollrtc::turn
