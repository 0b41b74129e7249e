// What happened, oldest first: the description before its candidates, messages before the end of their channel.
// next_event() finds it; poll() gives it to the handlers, unless the user pulls.
#include <algorithm>

#include "api/connection_core.h"

namespace pollrtc::detail {
namespace {

// By value: the handler may destroy what holds it.
template <class Handler, class... Arguments>
void call(Handler handler, const Arguments&... arguments) {
  if (handler) handler(arguments...);
}

bool is_failure(Close reason) {
  return reason != Close::None && reason != Close::Local && reason != Close::Remote;
}

}  // namespace

bool ConnectionCore::pull_event(Event& event) { return configuration_.pull_events && next_event(event); }

bool ConnectionCore::next_event(Event& event) {
  if (!peer_ || in_hook_) return false;
  const Call call(*this);
  if (next_description(event)) return true;
  if (!lost_servers_.empty()) {
    event = lost_servers_.front();
    lost_servers_.erase(lost_servers_.begin());
    return true;
  }
  Peer::Event raw;
  while (peer_->poll_event(raw))
    if (translate(raw, event)) return true;
  return next_buffered_low(event);
}

bool ConnectionCore::next_description(Event& event) {
  if (!pending_description_) return false;
  if (pending_description_->wait_for_gathering) {
    if (peer_->gathering_state() != GatheringState::Complete) return false;
    pending_description_->sdp = peer_->local_description();
    last_local_description_ = pending_description_->sdp;
  }
  const PendingDescription description = *std::exchange(pending_description_, nullptr);
  event = PeerConnection::DescriptionCreated{description.type, description.sdp};
  return true;
}

// False: nothing that the user is told.
bool ConnectionCore::translate(Peer::Event& raw, Event& out) {
  const auto about = [&](auto event, ChannelHandle handle) {
    event.channel = channel(handle);
    const bool is_held = event.channel != nullptr;
    if (is_held) out = std::move(event);
    return is_held;
  };
  if (const auto* local = std::get_if<Peer::LocalCandidate>(&raw)) {
    // Inside a description that waits for them, candidates are not signalled one by one; nor is the end of
    // them: Godot has no signal for it, and an empty candidate would confuse its users' code.
    if (candidates_in_description_ || local->line.empty()) return false;
    out = PeerConnection::CandidateCreated{local->mid, local->index, local->line};
  } else if (const auto* connection = std::get_if<Peer::ConnectionChanged>(&raw)) {
    out = PeerConnection::ConnectionStateChanged{connection->state};
  } else if (const auto* gathering = std::get_if<Peer::GatheringChanged>(&raw)) {
    out = PeerConnection::GatheringStateChanged{gathering->state};
  } else if (const auto* signaling = std::get_if<Peer::SignalingChanged>(&raw)) {
    out = PeerConnection::SignalingStateChanged{signaling->state};
  } else if (const auto* announced = std::get_if<Peer::ChannelAnnounced>(&raw)) {
    out = PeerConnection::ChannelReceived{make_channel(announced->channel)};
  } else if (const auto* opened = std::get_if<Peer::ChannelOpened>(&raw)) {
    return about(PeerConnection::ChannelOpened{}, opened->channel);
  } else if (const auto* closing = std::get_if<Peer::ChannelClosing>(&raw)) {
    return about(PeerConnection::ChannelClosing{}, closing->channel);
  } else if (const auto* message = std::get_if<Peer::MessageReceived>(&raw)) {
    return about(PeerConnection::MessageReceived{}, message->channel);
  } else if (const auto* report = std::get_if<Peer::MessageReport>(&raw)) {
    return about(PeerConnection::MessageReport{nullptr, report->report, report->outcome}, report->channel);
  } else if (const auto* closed = std::get_if<Peer::ChannelClosed>(&raw)) {
    return about(PeerConnection::ChannelClosed{nullptr, closed->reason}, closed->channel);
  } else if (const auto* failed = std::get_if<Peer::IceServerFailed>(&raw)) {
    out = PeerConnection::IceServerFailed{url_of(failed->server, failed->transport), failed->code,
                                          failed->text};
  } else if (const auto* wanted = std::get_if<Peer::NameWanted>(&raw)) {
    names_.resolve(now(), wanted->name);
    return false;
  } else if (std::holds_alternative<Peer::RestartNeeded>(raw)) {
    restart_owed_ = true;
    next_look_ = std::min(next_look_, now());
    return false;
  } else {
    handle_stream_event(raw);
    return false;
  }
  return true;
}

// Connections to TURN servers are the system's alone: a network that was given has none.
void ConnectionCore::handle_stream_event(const Peer::Event& raw) {
  if (const auto* needed = std::get_if<Peer::StreamNeeded>(&raw)) {
    if (has_given_network())
      return peer_->stream_closed(now(), needed->stream, "the network that was given has no TCP");
    streams_.open(*peer_, needed->stream, needed->remote, needed->local);
    more_to_stream_ = true;
  } else if (const auto* done = std::get_if<Peer::StreamDone>(&raw)) {
    streams_.finish(*peer_, done->stream);
  }
}

// The amount that the user sees falls only here (W3C: in a task of its own), though packets leave in send() as well. So the
// low event is told by that amount too; the Peer's own BufferLow speaks of another.
void ConnectionCore::refresh_buffered() {
  buffered_outdated_ = false;
  if (!std::exchange(has_buffered_, false)) return;
  for (ChannelEntry& e : channels_) {
    if (e.buffered == 0) continue;
    const ChannelInfo now = info(e.handle);
    if (now.state == ChannelState::Closed) continue;  // W3C: what was never sent stays in the amount
    const std::size_t before = e.buffered;
    e.buffered = std::min(before, now.buffered_amount);
    has_buffered_ = has_buffered_ || e.buffered != 0;
    const bool is_owed =
        std::find(buffered_low_.begin(), buffered_low_.end(), e.handle) != buffered_low_.end();
    if (before > e.low_threshold && e.buffered <= e.low_threshold && !is_owed)
      buffered_low_.push_back(e.handle);
  }
}

bool ConnectionCore::next_buffered_low(Event& event) {
  while (!buffered_low_.empty()) {
    const auto c = channel(buffered_low_.front());
    buffered_low_.erase(buffered_low_.begin());
    if (c == nullptr || c->get_ready_state() != ChannelState::Open) continue;
    event = PeerConnection::BufferedAmountLow{c};
    return true;
  }
  return false;
}

// --- to handlers

void ConnectionCore::emit_events() {
  for (Event event; owner_ != nullptr && next_event(event);) {
    if (owner_ == nullptr) return;  // a hook dropped it meanwhile
    emit_to_connection(event);
    emit_to_channel(event);
    event = {};  // lets go of its channel before the next one is looked for
  }
}

void ConnectionCore::emit_to_connection(const Event& event) {
  if (const auto* description = std::get_if<PeerConnection::DescriptionCreated>(&event)) {
    call(owner_->session_description_created, description->type, description->sdp);
  } else if (const auto* candidate = std::get_if<PeerConnection::CandidateCreated>(&event)) {
    call(owner_->ice_candidate_created, candidate->media, candidate->index, candidate->name);
  } else if (const auto* connection = std::get_if<PeerConnection::ConnectionStateChanged>(&event)) {
    call(owner_->connection_state_changed, connection->state);
  } else if (const auto* gathering = std::get_if<PeerConnection::GatheringStateChanged>(&event)) {
    call(owner_->gathering_state_changed, gathering->state);
  } else if (const auto* signaling = std::get_if<PeerConnection::SignalingStateChanged>(&event)) {
    call(owner_->signaling_state_changed, signaling->state);
  } else if (const auto* received = std::get_if<PeerConnection::ChannelReceived>(&event)) {
    call(owner_->data_channel_received, received->channel);
  } else if (const auto* failed = std::get_if<PeerConnection::IceServerFailed>(&event)) {
    call(owner_->ice_server_failed, failed->url, failed->code, failed->text);
  }
}

void ConnectionCore::emit_to_channel(const Event& event) {
  if (const auto* opened = std::get_if<PeerConnection::ChannelOpened>(&event)) {
    call(opened->channel->opened);
  } else if (const auto* closing = std::get_if<PeerConnection::ChannelClosing>(&event)) {
    call(closing->channel->closing);
  } else if (const auto* message = std::get_if<PeerConnection::MessageReceived>(&event)) {
    emit_message(message->channel);
  } else if (const auto* low = std::get_if<PeerConnection::BufferedAmountLow>(&event)) {
    call(low->channel->buffered_amount_low);
  } else if (const auto* report = std::get_if<PeerConnection::MessageReport>(&event)) {
    call(report->channel->message_outcome, report->report, report->outcome);
  } else if (const auto* closed = std::get_if<PeerConnection::ChannelClosed>(&event)) {
    if (is_failure(closed->reason)) call(closed->channel->failed, closed->reason);
    if (owner_ != nullptr && !is_closed_) call(closed->channel->closed);
  }
}

// data_received takes what waits out of the queue; nobody else then has to.
void ConnectionCore::emit_message(const std::shared_ptr<DataChannel>& channel) {
  if (!channel->data_received) return call(channel->message_received);
  while (owner_ != nullptr && !is_closed_ && channel->data_received) {
    const Result<Bytes> packet = channel->get_packet();
    if (!packet) return;
    call(channel->data_received, channel->get_label(), *packet);
  }
}

}  // namespace pollrtc::detail
