// What the library's poll() found, as the engine's signals.
#include <algorithm>
#include <array>

#include "common/connection.h"

namespace pollrtc::godot_plugin {
namespace {

template <class... Arguments>
void emit(EngineObject* object, SignalName signal, Arguments... arguments) {
  const std::array<Value, sizeof...(arguments)> values{Value(std::move(arguments))...};
  host::emit(object, signal, values);
}

template <class Number>
std::int64_t number(Number value) {
  return static_cast<std::int64_t>(value);
}

void emit_to_connection(const Connection& at, const PeerConnection::Event& event) {
  if (const auto* description = std::get_if<PeerConnection::DescriptionCreated>(&event)) {
    emit(at.object, SignalName::SessionDescriptionCreated, description->type, description->sdp);
  } else if (const auto* candidate = std::get_if<PeerConnection::CandidateCreated>(&event)) {
    emit(at.object, SignalName::IceCandidateCreated, candidate->media, number(candidate->index),
         candidate->name);
  } else if (const auto* received = std::get_if<PeerConnection::ChannelReceived>(&event)) {
    // A handler that does not keep the channel has refused it.
    EngineObject* const channel =
        host::make_channel_object(std::make_unique<Channel>(received->channel, at.channels));
    host::emit_with_object(at.object, SignalName::DataChannelReceived, channel);
  } else if (const auto* changed = std::get_if<PeerConnection::ConnectionStateChanged>(&event)) {
    emit(at.object, SignalName::ConnectionStateChanged, number(changed->state));
  } else if (const auto* gathering = std::get_if<PeerConnection::GatheringStateChanged>(&event)) {
    emit(at.object, SignalName::GatheringStateChanged, number(gathering->state));
  } else if (const auto* signaling = std::get_if<PeerConnection::SignalingStateChanged>(&event)) {
    emit(at.object, SignalName::SignalingStateChanged, number(signaling->state));
  } else if (const auto* failed = std::get_if<PeerConnection::IceServerFailed>(&event)) {
    emit(at.object, SignalName::IceServerFailed, failed->url, number(failed->code), failed->text);
  }
}

template <class... Arguments>
void emit_to_channel(const Connection& at, const std::shared_ptr<DataChannel>& channel, SignalName signal,
                     Arguments... arguments) {
  const std::vector<Channel*>& channels = at.channels->channels;
  const auto found =
      std::find_if(channels.begin(), channels.end(), [&](const Channel* c) { return c->channel == channel; });
  if (found == channels.end()) return;  // its object is gone already
  EngineObject* const object = (*found)->object;
  const Held held(object);
  emit(object, signal, std::move(arguments)...);
}

void emit_to_channels(const Connection& at, const PeerConnection::Event& event) {
  if (const auto* opened = std::get_if<PeerConnection::ChannelOpened>(&event)) {
    emit_to_channel(at, opened->channel, SignalName::Opened);
  } else if (const auto* closing = std::get_if<PeerConnection::ChannelClosing>(&event)) {
    emit_to_channel(at, closing->channel, SignalName::Closing);
  } else if (const auto* closed = std::get_if<PeerConnection::ChannelClosed>(&event)) {
    emit_to_channel(at, closed->channel, SignalName::Closed, name_of(closed->reason));
  } else if (const auto* message = std::get_if<PeerConnection::MessageReceived>(&event)) {
    emit_to_channel(at, message->channel, SignalName::MessageReceived);
  } else if (const auto* low = std::get_if<PeerConnection::BufferedAmountLow>(&event)) {
    emit_to_channel(at, low->channel, SignalName::BufferedAmountLow);
  }
}

}  // namespace

GodotError Connection::poll() {
  is_flush_owed = false;
  const GodotError result = godot_error(library.poll());
  PeerConnection::Event event;
  if (!library.next_event(event)) return result;
  const Held held(object);  // a handler may drop every other reference
  do {
    emit_to_connection(*this, event);
    emit_to_channels(*this, event);
    event = {};  // lets go of its channel before the next one is looked for
  } while (library.next_event(event));
  return result;
}

}  // namespace pollrtc::godot_plugin
