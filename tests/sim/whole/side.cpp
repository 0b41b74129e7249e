#include "sim/whole/side.h"

#include <charconv>

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRetry = 100ms;  // of a call for which memory was short
constexpr std::size_t kSmallest = MessageLedger::kSizeOfNumber;

std::uint16_t number_of(std::string_view label) {
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), number);
  if (error != std::errc() || end != label.data() + label.size())
    throw Violation("INV-1: a channel that nobody opened: " + std::string(label));
  return number;
}

}  // namespace

Side::Side(World& world, Participant& participant, const CheckedPeerOptions& options, const SidePlan& plan,
           std::uint16_t port, bool offers_first, ConnectionBooks& books, Random random)
    : world_(world),
      participant_(participant),
      plan_(plan),
      port_(port),
      offers_first_(offers_first),
      books_(books),
      out_(offers_first ? books.a_to_b : books.b_to_a),
      in_(offers_first ? books.b_to_a : books.a_to_b),
      random_(random),
      checked_(options, participant, world.now()),
      node_(world, *participant.host, checked_),
      reads_at_once_(plan.reads_at_once),
      left_(plan.messages) {
  node_.on_event = [this](Time time, const Peer::Event& event) { on_event(time, event); };
  node_.on_send = [this](Time, const Path& path, Bytes datagram) {
    last_path_ = path;
    if (on_send) on_send(*this, path, datagram);
  };
  for (const Address& ip : participant.addresses) listen(ip);
}

void Side::listen(const Address& ip) {
  const Address address = ip.with_port(port_);
  if (listening_.insert(address).second) node_.listen(address);
}

void Side::begin() {
  if (has_begun_ || participant_.is_paused) return;  // resume() begins
  has_begun_ = true;
  for (const ChannelKind& kind : plan_.channels) open(kind);
  if (offers_first_) negotiate(false);
  send_by_plan();
  if (!reads_at_once_) world_.after(plan_.read_interval, [this] { read_by_plan(); });
}

// Calls that the state of things does not allow are refused, and memory may be short; nothing else may be said.
bool Side::took(const Status& status) const {
  if (status) return true;
  switch (status.error().code()) {
    case ErrorCode::OutOfMemory:
    case ErrorCode::AlreadyExists:  // an address that went and came back during a pause
    case ErrorCode::Closed:
    case ErrorCode::InvalidState:
    case ErrorCode::BufferFull:
    case ErrorCode::LimitReached:
      return false;
    default:
      throw Violation("a call is refused: " + std::string(status.error().detail()));
  }
}

// --- signalling ---

void Side::signal(std::function<void(Side&)> message) {
  world_.after(plan_.signalling_delay, [this, message = std::move(message)] {
    other_->inbox_.push_back(message);
    other_->drain();
  });
}

void Side::drain() {
  while (!participant_.is_paused && !inbox_.empty()) {
    const auto message = std::move(inbox_.front());
    inbox_.pop_front();
    if (!is_over()) message(*this);
  }
}

void Side::negotiate(bool restarts) {
  if (is_over() || participant_.is_paused || (restarts && !may_restart)) return;
  if (peer().signaling_state() != SignalingState::Stable) {
    wants_restart_ |= restarts;
    return;
  }
  if (!restarts && peer().connection_state() != ConnectionState::New) return;  // tried again in vain
  wants_restart_ = false;
  std::string text;
  const Status status = checked_.call(now(), [&](Peer& p, Time time) -> Status {
    auto offer = p.create_offer(time, {.ice_restart = restarts});
    if (!offer) return Unexpected{offer.error()};
    text = *offer;
    return p.set_local_description(time, SdpType::Offer, text);
  });
  if (!took(status)) {
    world_.after(kRetry, [this, restarts] { negotiate(restarts); });
    return;
  }
  if (restarts) ++books_.restarts;
  signal([text](Side& to) { to.on_offer(text); });
}

// When two offers cross, the end that did not make the first offer takes its own back.
void Side::on_offer(const std::string& text) {
  if (peer().signaling_state() == SignalingState::HaveLocalOffer) {
    if (offers_first_) return;
    if (!took(checked_.call(
            now(), [](Peer& p, Time time) { return p.set_local_description(time, SdpType::Rollback, {}); })))
      return;
    wants_restart_ = true;
  }
  std::string answer_text, offer_text = text;
  if (edit_offer) edit_offer(offer_text);
  const Status status = checked_.call(now(), [&](Peer& p, Time time) -> Status {
    if (const Status set = p.set_remote_description(time, SdpType::Offer, offer_text); !set) return set;
    auto answer = p.create_answer(time);
    if (!answer) return Unexpected{answer.error()};
    answer_text = *answer;
    return p.set_local_description(time, SdpType::Answer, answer_text);
  });
  if (took(status)) {
    if (edit_answer) edit_answer(answer_text);
    return signal([answer_text](Side& to) { to.on_answer(answer_text); });
  }
  // Memory was short: the offer is still there.
  world_.after(kRetry, [this, text] {
    if (is_over() || participant_.is_paused) return;
    if (peer().signaling_state() == SignalingState::HaveRemoteOffer)
      (void)took(checked_.call(
          now(), [](Peer& p, Time time) { return p.set_remote_description(time, SdpType::Rollback, {}); }));
    on_offer(text);
  });
}

void Side::on_answer(const std::string& text) {
  if (is_over() || peer().signaling_state() != SignalingState::HaveLocalOffer) return;
  const bool is_taken = took(checked_.call(
      now(), [&](Peer& p, Time time) { return p.set_remote_description(time, SdpType::Answer, text); }));
  // Memory was short: the answer is still there.
  if (!is_taken) world_.after(kRetry, [this, text] { on_answer(text); });
}

void Side::gather() {
  const std::vector<Address> addresses = participant_.addresses;
  bound_.clear();
  checked_.call(now(), [&](Peer& p, Time time) {
    for (const Address& ip : addresses) {
      bound_.push_back(ip.with_port(port_));
      (void)took(p.add_local_address(time, bound_.back()));
    }
    for (const Address& server : stun_servers) (void)took(p.add_stun_server(time, server));
    for (const Address& server : turn_servers) {
      checked_.trust(server);
      (void)took(p.add_turn_server(time, {std::span(&server, 1), TurnTransport::Udp, "", "alice", "secret"}));
    }
    p.local_addresses_done(time);
    return true;
  });
}

void Side::move(const std::vector<Address>& addresses) {
  for (const Address& ip : addresses) listen(ip);
  checked_.call(now(), [&](Peer& p, Time time) {
    for (const Address& gone : std::exchange(bound_, {})) (void)p.remove_local_address(time, gone);
    return true;
  });
  if (!addresses.empty() && peer().connection_state() != ConnectionState::New) negotiate(true);
}

void Side::lose(const Address& ip) {
  const Address gone = ip.with_port(port_);
  if (std::erase(bound_, gone) == 0) return;
  checked_.call(now(), [&](Peer& p, Time time) {
    (void)p.remove_local_address(time, gone);
    return true;
  });
}

void Side::gain(const Address& ip) {
  listen(ip);
  if (peer().connection_state() != ConnectionState::New) negotiate(true);
}

void Side::restart() {
  if (was_up_) negotiate(true);
}

void Side::resume() {
  if (is_over()) return;
  begin();
  checked_.resume(now());
  drain();
}

// --- events ---

void Side::on_event(Time, const Peer::Event& event) {
  if (std::holds_alternative<Peer::GatheringNeeded>(event)) {
    gather();
  } else if (const auto* c = std::get_if<Peer::LocalCandidate>(&event)) {
    signal([candidate = *c](Side& to) {
      to.has_heard_candidates_ |= !candidate.line.empty();
      (void)to.took(to.checked_.call(to.now(), [&](Peer& p, Time time) {
        return p.add_remote_candidate(time, candidate.mid, candidate.index, candidate.line, candidate.ufrag);
      }));
    });
  } else if (std::holds_alternative<Peer::RestartNeeded>(event)) {
    if (!participant_.addresses.empty()) negotiate(true);
  } else if (const auto* state = std::get_if<Peer::ConnectionChanged>(&event)) {
    on_state(state->state);
  } else if (const auto* signaling = std::get_if<Peer::SignalingChanged>(&event)) {
    // Not from within: the other end's answer may be on its way through set_remote_description().
    if (signaling->state == SignalingState::Stable && wants_restart_)
      world_.after(1ms, [this] {
        if (wants_restart_) negotiate(true);
      });
  } else {
    on_channel_event(event);
  }
}

void Side::on_state(ConnectionState state) {
  if (state == ConnectionState::Connected) {
    was_up_ = true;
    if (connected_at_ == kNever) connected_at_ = now();
    up_since_ = now();
    return;
  }
  if (up_since_ != kNever) connected_for_ += now() - up_since_;
  up_since_ = kNever;
  if (state != ConnectionState::Failed) return;
  silence_at_end_ = checked_.local() - checked_.last_answer();
  if (plan_.brings_back)
    world_.after(offers_first_ ? 2s : 7s, [this] { bring_back(); });  // so that offers seldom cross
}

void Side::bring_back() {
  if (!has_failed() || is_over() || participant_.is_paused) return;
  if (!participant_.addresses.empty()) negotiate(true);
}

std::string Side::drops_text() const {
  const PeerStats stats = peer().stats();
  std::string text;
  for (std::size_t i = 1; i < kDropCount; ++i)
    if (stats.drops[i] != 0)
      text += "; " + std::string(name_of(static_cast<Drop>(i))) + " " + std::to_string(stats.drops[i]);
  return text;
}

std::map<std::uint16_t, Side::Channel>::iterator Side::find(ChannelHandle handle) {
  return std::find_if(channels_.begin(), channels_.end(),
                      [&](const auto& entry) { return entry.second.handle == handle; });
}

void Side::on_channel_event(const Peer::Event& event) {
  if (on_foreign) on_foreign(event);
  if (const auto* announced = std::get_if<Peer::ChannelAnnounced>(&event)) {
    on_announced(announced->channel);
  } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&event)) {
    const auto at = find(opened->channel);
    if (at != channels_.end()) at->second.is_open = true;
  } else if (const auto* closing = std::get_if<Peer::ChannelClosing>(&event)) {
    const auto at = find(closing->channel);
    if (at == channels_.end()) return;
    if (!at->second.is_open && was_up_ && peer().connection_state() == ConnectionState::Connected &&
        at->second.is_closing)
      throw Violation("INV-8: a channel closes twice");
    at->second.is_closing = true;
    books_.over.insert(at->first);
  } else if (const auto* closed = std::get_if<Peer::ChannelClosed>(&event)) {
    on_closed(closed->channel, closed->reason);
  } else if (std::holds_alternative<Peer::MessageReceived>(event)) {
    if (reads_at_once_) read(SIZE_MAX);
  }
}

void Side::on_announced(ChannelHandle handle) {
  const auto info = peer().channel(handle);
  if (!info) return;
  if (knows_no_labels) return;
  const std::uint16_t number = number_of(info->label);
  Channel channel;
  channel.handle = handle;
  channel.is_open = true;
  channel.kind.options = {.ordered = info->ordered,
                          .max_retransmits = info->max_retransmits,
                          .max_lifetime_ms = info->max_lifetime_ms,
                          .priority = info->priority};
  if (!channels_.emplace(number, channel).second) throw Violation("INV-1: a channel is announced twice");
}

// A channel that the other end closed: all that was sent on it before has come (RFC 8831 §6.7).
void Side::on_closed(ChannelHandle handle, Close reason) {
  const auto at = find(handle);
  if (at == channels_.end()) return;
  read(SIZE_MAX);
  // Memory that ran out for a message takes its channel along.
  const bool had_memory = checked_.refused_allocations() == 0;
  const bool is_orderly =
      (reason == Close::Local || reason == Close::Remote) && !is_over() && !other_->is_over() && had_memory;
  if (is_orderly && !at->second.closed_by_us && in_.missing(at->first) != 0)
    throw Violation("INV-1: channel " + std::to_string(at->first) + " was closed at " + participant_.name +
                    " with " + std::to_string(in_.missing(at->first)) + " messages missing" + drops_text());
  books_.over.insert(at->first);
  checked_.call(now(), [&](Peer& p, Time time) {
    p.release_channel(time, handle);
    return true;
  });
  channels_.erase(at);
}

// --- the user ---

void Side::open(const ChannelKind& kind) {
  const std::uint16_t number = books_.next_channel++;
  const std::string label = std::to_string(number);
  ChannelOptions options = kind.options;
  options.label = label;
  std::optional<ChannelHandle> handle;
  const Status status = checked_.call(now(), [&](Peer& p, Time time) -> Status {
    auto made = p.create_channel(time, options);
    if (!made) return Unexpected{made.error()};
    handle = *made;
    return {};
  });
  if (!took(status)) {
    if (!was_up_) world_.after(kRetry, [this, kind] { open(kind); });
    return;
  }
  ++books_.channels;
  Channel channel;
  channel.handle = *handle;
  channel.kind = kind;
  channel.kind.options.label = {};
  channels_.emplace(number, channel);
}

void Side::churn() {
  if (!is_up() || participant_.is_paused || plan_.channels.empty()) return;
  if (channels_.size() < 2 || random_.chance(0.5)) {
    if (channels_.size() < 12) open(plan_.channels[random_.index(plan_.channels.size())]);
    return;
  }
  auto at = channels_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(random_.below(channels_.size())));
  if (!at->second.is_open || at->second.is_closing) return;
  at->second.is_closing = at->second.closed_by_us = true;
  books_.over.insert(at->first);
  const ChannelHandle handle = at->second.handle;
  (void)took(checked_.call(now(), [&](Peer& p, Time time) { return p.close_channel(time, handle); }));
}

void Side::send_by_plan() {
  if (!sends_ || is_over()) return;
  for (std::size_t i = 0; i < plan_.at_once && left_ != 0; ++i) {
    if (!send_one(SIZE_MAX)) break;
    --left_;
  }
  if (left_ != 0) world_.after(plan_.send_interval, [this] { send_by_plan(); });
}

std::size_t Side::queued_bytes() const {
  std::size_t sum = 0;
  for (const auto& [number, channel] : channels_)
    if (const auto info = peer().channel(channel.handle)) sum += info->buffered_amount;
  return sum;
}

bool Side::send_one(std::size_t most) {
  if (!was_up_ || participant_.is_paused || channels_.empty() || has_failed()) return true;
  auto at = channels_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(random_.below(channels_.size())));
  Channel& channel = at->second;
  if (!channel.is_open || channel.is_closing) return true;
  if (queued_bytes() > plan_.most_buffered) return false;
  const ChannelOptions& kind = channel.kind.options;
  const std::size_t size =
      kSmallest +
      random_.index(std::min({channel.kind.largest, most, peer().max_message_size() - kSmallest}));
  sctp::SendOptions options{.stream = at->first, .unordered = !kind.ordered};
  if (kind.max_retransmits) options.max_retransmits = *kind.max_retransmits;
  if (kind.max_lifetime_ms) options.lifetime = std::chrono::milliseconds(*kind.max_lifetime_ms);
  const auto message = out_.next(options, size);
  const bool is_reliable = !kind.max_retransmits && !kind.max_lifetime_ms;
  const Status status = checked_.call(now(), [&](Peer& p, Time time) {
    const auto info = p.channel(channel.handle);
    const Status sent = p.send(time, channel.handle, message, false);
    if (sent) checked_.on_message(*info->id, size, is_reliable);
    return sent;
  });
  if (!took(status)) return false;
  out_.sent(options, size);
  return true;
}

void Side::read_by_plan() {
  if (reads_at_once_ || is_over()) return;
  if (!participant_.is_paused) read(3);
  world_.after(plan_.read_interval, [this] { read_by_plan(); });
}

void Side::read(std::size_t most) {
  checked_.call(now(), [&](Peer& p, Time time) {
    for (auto& [number, channel] : channels_)
      for (std::size_t i = 0; i < most; ++i) {
        const auto view = p.receive(time, channel.handle);
        if (!view) break;
        if (!knows_no_labels) in_.received(number, view->data);
      }
    return true;
  });
}

void Side::become_good() {
  sends_ = false;
  reads_at_once_ = true;
  if (participant_.is_paused) return;
  read(SIZE_MAX);
  bring_back();
}

void Side::close() {
  if (is_over()) return;
  closed_by_user_ = true;
  if (up_since_ != kNever) connected_for_ += now() - std::exchange(up_since_, kNever);
  checked_.call(now(), [](Peer& p, Time time) {
    p.close(time);
    return true;
  });
}

}  // namespace pollrtc::sim
