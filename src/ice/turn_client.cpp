// The client in time: starting, ending, what falls due, what is owed. Requests are written in turn_requests.cpp and
// their answers read in turn_responses.cpp.
#include "ice/turn_client.h"

#include "base/address.h"
#include "base/log.h"
#include "base/random.h"

namespace pollrtc::turn {

namespace {

// RFC 8489 §6.2.2: over a stream nothing is repeated, and a transaction fails after this.
constexpr Duration kTi = std::chrono::milliseconds(39500);
constexpr Duration kRetry = std::chrono::seconds(1);

Address without_port(const Address& address) { return address.with_port(0); }

}  // namespace

Client::Client(Environment& environment, const Account& account, const ClientConfig& config)
    : environment_(environment),
      config_(config),
      auth_(environment.memory, account),
      permissions_(environment.memory),
      channels_(environment.memory) {}

void Client::start(Time now) {
  if (state_ != ClientState::Idle && state_ != ClientState::Allocating) return;
  state_ = ClientState::Allocating;
  begin(now, main_);
}

void Client::begin(Time now, Request& request) {
  request.retry = kNever;
  request.integrity_violated = false;
  request.is_running = fill_random(environment_.rng, request.id);
  request.is_owed = request.is_running;
  if (!request.is_running) {
    request.retry = now + kRetry;
    return;
  }
  request.is_signed = auth_.is_challenged();
  if (&request == &main_) asks_ipv6_ = config_.wants_ipv6 && now >= ipv6_not_before_;
  request.timer = config_.is_stream ? stun::Retransmission(now, kTi, 1, 1)
                                    : stun::Retransmission(now, stun::Retransmission::kMinRto);
}

// The nonce is another: what is under way begins anew, since each copy of a request has the same bytes (RFC 8489 §6.2.1).
void Client::restart_all(Time now) {
  for_each_request([&](const Target& target) {
    if (target.request->is_running) begin(now, *target.request);
  });
}

template <class F>
void Client::for_each_request(F f) {
  f(Target{main_kind(), 0, &main_});
  for (std::size_t i = 0; i < permissions_.size(); ++i)
    f(Target{Kind::Permission, i, &permissions_[i].request});
  for (std::size_t i = 0; i < channels_.size(); ++i) f(Target{Kind::Channel, i, &channels_[i].request});
}

Client::Kind Client::main_kind() const {
  return state_ == ClientState::Allocating ? Kind::Allocate : Kind::Refresh;
}

// ---- the end

void Client::forget_all() {
  permissions_.clear();
  channels_.clear();
  relayed_.clear();
  bound_peer_ = Address{};
  expires_ = refresh_ = keepalive_ = kNever;
  main_ = Request{};
  keepalive_owed_ = reconnect_owed_ = false;
  allocated_told_ = true;
}

void Client::end(Time, int code, std::string_view text) {
  if (state_ == ClientState::Ended) return;
  POLLRTC_LOG(environment_, Info, "ice", "turn {}: ended, {} {}", address_text(config_.server).view(), code,
              text);
  forget_all();
  state_ = ClientState::Ended;
  end_code_ = code;
  end_text_ = *FixedString<128>::from(text.substr(0, 128));
}

// A Refresh with LIFETIME 0 (RFC 8656 §8.1); an Allocate that may have been granted without our knowing is meant too.
void Client::delete_allocation(Time now, int code, std::string_view text) {
  const bool may_exist = state_ == ClientState::Allocated ||
                         (state_ == ClientState::Allocating && main_.is_running && main_.is_signed);
  if (!may_exist) return end(now, code, text);
  forget_all();
  state_ = ClientState::Closing;
  end_code_ = code;
  end_text_ = *FixedString<128>::from(text.substr(0, 128));
  begin(now, main_);
}

void Client::close(Time now) {
  is_resuming_ = false;
  if (state_ == ClientState::Closing) {
    end_code_ = 0;
    return;
  }
  delete_allocation(now, 0, "closed");
}

void Client::refresh(Time now) {
  if (state_ == ClientState::Allocated && !main_.is_running) begin(now, main_);
}

void Client::reject(Time now, int code, std::string_view text) { delete_allocation(now, code, text); }

void Client::on_connection_lost(Time now, std::string_view why) {
  if (state_ == ClientState::Closing) return end(now, end_code_, "closed");
  end(now, kUnreachable, why);
}

// ---- permissions and channels

Client::Permission* Client::find_permission(const Address& peer) {
  for (Permission& permission : permissions_)
    if (permission.peer == without_port(peer)) return &permission;
  return nullptr;
}
const Client::Permission* Client::find_permission(const Address& peer) const {
  return const_cast<Client*>(this)->find_permission(peer);
}
Client::Channel* Client::find_channel(const Address& peer) {
  for (Channel& channel : channels_)
    if (channel.peer == peer) return &channel;
  return nullptr;
}
const Client::Channel* Client::find_channel(const Address& peer) const {
  return const_cast<Client*>(this)->find_channel(peer);
}

bool Client::is_relaying(Address::Family family) const {
  return std::any_of(relayed_.begin(), relayed_.end(),
                     [family](const Address& relayed) { return relayed.family == family; });
}

Status Client::want_permission(Time now, const Address& peer) {
  if (state_ != ClientState::Allocated) return fail(ErrorCode::InvalidState, "there is no allocation");
  if (!is_relaying(peer.family)) return fail(ErrorCode::Refused, "no relayed address of that family");
  if (Permission* const known = find_permission(peer)) {
    // Whoever asks has not been told of an earlier refusal, and the server may think otherwise by now.
    if (known->state == PermissionState::Refused) {
      *known = Permission{};
      known->peer = without_port(peer);
    }
    known->is_wanted = true;
    step(now);
    return {};
  }
  if (permissions_.size() >= environment_.limits.turn_permissions) drop_refused();
  if (permissions_.size() >= environment_.limits.turn_permissions)
    return fail(ErrorCode::LimitReached, "too many permissions on a TURN server");
  Permission permission;
  permission.peer = without_port(peer);
  if (!permissions_.push_back(permission)) return fail(ErrorCode::OutOfMemory, "permission");
  return {};
}

// One that was refused, and said so, keeps no place from another.
void Client::drop_refused() {
  const Permission* const refused =
      std::find_if(permissions_.begin(), permissions_.end(),
                   [](const Permission& p) { return p.state == PermissionState::Refused && p.is_told; });
  if (refused != permissions_.end())
    permissions_.erase(static_cast<std::size_t>(refused - permissions_.begin()));
}

void Client::forget_permission(const Address& peer) {
  Permission* const permission = find_permission(peer);
  if (permission == nullptr) return;
  permission->is_wanted = false;
  if (permission->state == PermissionState::Granted) return;  // it ends by itself
  permissions_.erase(static_cast<std::size_t>(permission - permissions_.begin()));
}

bool Client::is_permitted(Time now, const Address& peer) const {
  const Permission* const permission = find_permission(peer);
  return permission != nullptr && permission->state == PermissionState::Granted && now < permission->expires;
}

bool Client::has_waiting() const {
  return std::any_of(permissions_.begin(), permissions_.end(),
                     [](const Permission& p) { return p.state == PermissionState::Waiting; });
}

void Client::start_waiting(Time now) {
  for (Permission& permission : permissions_) {
    if (permission.state != PermissionState::Waiting) continue;
    permission.state = PermissionState::Asking;
    return begin(now, permission.request);
  }
}

void Client::bind_channel(Time now, const Address& peer) {
  if (state_ != ClientState::Allocated || bound_peer_ == peer || !is_permitted(now, peer)) return;
  bound_peer_ = peer;
  if (Channel* const known = find_channel(peer)) {
    if (!known->is_refused && !known->request.is_running && now >= known->refresh) begin(now, known->request);
    return;
  }
  if (channels_.size() >= environment_.limits.turn_channels) return;  // Send indications do it too
  Channel channel;
  channel.peer = peer;
  if (channels_.push_back(channel)) begin(now, channels_.back().request);
}

// ---- time

void Client::step(Time now) {
  if (state_ == ClientState::Idle || state_ == ClientState::Ended) return;
  step_request(now, Target{main_kind(), 0, &main_});
  for (std::size_t i = permissions_.size(); i-- > 0 && i < permissions_.size();)
    step_request(now, Target{Kind::Permission, i, &permissions_[i].request});
  for (std::size_t i = channels_.size(); i-- > 0 && i < channels_.size();)
    step_request(now, Target{Kind::Channel, i, &channels_[i].request});
  step_lifetimes(now);
}

void Client::step_request(Time now, const Target& target) {
  Request& request = *target.request;
  if (now >= request.retry) return begin(now, request);
  if (!request.is_running) return;
  switch (request.timer.step(now)) {
    case stun::Retransmission::Step::Wait:
      return;
    case stun::Retransmission::Step::Send:
      request.is_owed = true;
      return;
    case stun::Retransmission::Step::Fail:
      // RFC 8489 §9.2.5: when answers came, but from somebody else, that is what is said.
      return give_up(now, target, kUnreachable,
                     request.integrity_violated ? "integrity violated: the answers are not the server's"
                                                : "the server does not answer");
  }
}

void Client::step_lifetimes(Time now) {
  if (state_ != ClientState::Allocated) return;
  if (now >= expires_) return end(now, kUnreachable, "the allocation has run out");
  if (now >= refresh_) {
    refresh_ = kNever;
    if (!main_.is_running) begin(now, main_);
  }
  for (std::size_t i = permissions_.size(); i-- > 0;) {
    Permission& permission = permissions_[i];
    if (permission.state != PermissionState::Granted) continue;
    if (now >= permission.expires) {
      if (permission.is_wanted) {
        permission.state = PermissionState::Refused;
        permission.code = kUnreachable;
        permission.is_told = false;
        permission.request = Request{};
      } else {
        permissions_.erase(i);
      }
    } else if (permission.is_wanted && now >= permission.refresh) {
      permission.refresh = kNever;
      begin(now, permission.request);
    }
  }
  for (Channel& channel : channels_) {
    if (now >= channel.expires) {
      channel.is_bound = false;
      channel.expires = kNever;
    }
    if (channel.peer != bound_peer_ || now < channel.refresh) continue;
    channel.refresh = kNever;
    if (!channel.is_refused) begin(now, channel.request);
  }
  if (now >= keepalive_) {
    keepalive_ = now + kKeepalive;
    keepalive_owed_ = true;
  }
}

void Client::handle_timeout(Time now) { step(now); }

Time Client::next_timeout() const {
  if (state_ == ClientState::Idle || state_ == ClientState::Ended) return kNever;
  Time next = kNever;
  const auto consider = [&next](const Request& request) {
    next = std::min(next, request.retry);
    if (request.is_running) next = std::min(next, request.timer.due());
  };
  consider(main_);
  if (state_ != ClientState::Allocated) return next;
  next = std::min({next, expires_, refresh_, keepalive_});
  for (const Permission& permission : permissions_) {
    consider(permission.request);
    if (permission.state != PermissionState::Granted) continue;
    next = std::min(next, permission.expires);
    if (permission.is_wanted) next = std::min(next, permission.refresh);
  }
  for (const Channel& channel : channels_) {
    consider(channel.request);
    next = std::min(next, channel.expires);
    if (channel.peer == bound_peer_) next = std::min(next, channel.refresh);
  }
  return next;
}

std::size_t Client::poll_packet(Time now, MutBytes out) {
  if (state_ == ClientState::Idle || state_ == ClientState::Ended || reconnect_owed_) return 0;
  std::size_t size = 0;
  for_each_request([&](const Target& target) {
    if (size != 0 || !target.request->is_owed) return;
    target.request->is_owed = false;
    size = write(target, out);
  });
  if (size == 0 && keepalive_owed_) {
    keepalive_owed_ = false;
    stun::TransactionId id;
    if (fill_random(environment_.rng, id)) size = stun::Writer(out, stun::Class::Indication, id).finish();
  }
  if (size != 0 && keepalive_ != kNever) keepalive_ = now + kKeepalive;
  return size;
}

bool Client::poll_event(Event& event) {
  if (!released_told_) {
    released_told_ = true;
    event = Released{};
    return true;
  }
  if (!allocated_told_) {
    allocated_told_ = true;
    event = Allocated{};
    return true;
  }
  for (Permission& permission : permissions_) {
    if (permission.is_told) continue;
    permission.is_told = true;
    if (permission.state == PermissionState::Granted) {
      event = Permitted{permission.peer};
    } else {
      event = Refused{permission.peer, permission.code};
    }
    return true;
  }
  if (reconnect_owed_) {
    reconnect_owed_ = false;
    event = Reconnect{};
    return true;
  }
  if (state_ != ClientState::Ended || ended_told_) return false;
  ended_told_ = true;
  event = Ended{end_code_, end_text_};
  return true;
}

}  // namespace pollrtc::turn
