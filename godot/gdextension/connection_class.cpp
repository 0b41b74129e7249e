// PollRTCPeerConnection. What happened is pulled after the library's poll() and emitted one by one, so a handler may call
// anything: also poll(), initialize() and close() on the same object, and it may let go of it.
#include <algorithm>

#include "common/configuration.h"
#include "common/statistics.h"
#include "gdextension/classes.h"

namespace pollrtc::gdextension {
namespace {

struct ConnectionInstance {
  EngineObject* object = nullptr;
  PeerConnection connection;
  bool report_disconnected = false;
  std::shared_ptr<ChannelList> channels = std::make_shared<ChannelList>();
};

ConnectionInstance& self(Instance* instance) { return *static_cast<ConnectionInstance*>(instance); }
PeerConnection& connection_of(Instance* instance) { return self(instance).connection; }

// Godot's number, and what was wrong in words for whoever wrote the script.
GodotError report(const char* function, const Status& status) {
  if (!status) {
    std::string text(function);
    text.append("(): ").append(status.error().detail());
    if (status.error().line() != 0) text.append(", line ").append(std::to_string(status.error().line()));
    print_error(function, text);
  }
  return godot_error(status);
}
using gdextension::give;  // beside this one
void give(void* result, const char* function, const Status& status) {
  give(result, static_cast<std::int64_t>(report(function, status)));
}

// --- WebRTCPeerConnection

template <auto kGetter>
void get_state(Instance* instance, const void* const*, void* result) {
  give(result, static_cast<std::int64_t>((connection_of(instance).*kGetter)()));
}

// As Settings::report_disconnected says why: CONNECTED until it is known that nobody is there any more.
void get_connection_state(Instance* instance, const void* const*, void* result) {
  ConnectionState state = connection_of(instance).get_connection_state();
  if (state == ConnectionState::Disconnected && !self(instance).report_disconnected)
    state = ConnectionState::Connected;
  give(result, static_cast<std::int64_t>(state));
}

Status start(ConnectionInstance& at, const Dictionary& dictionary) {
  const Result<godot_plugin::Settings> settings = godot_plugin::read_settings(dictionary);
  if (!settings) return Unexpected{settings.error()};
  if (const Status status = at.connection.initialize(settings->library); !status) return status;
  at.report_disconnected = settings->report_disconnected;
  return {};
}

void initialize(Instance* instance, const void* const* arguments, void* result) {
  give(result, "initialize", start(self(instance), dictionary_of(arguments[0])));
}

void create_data_channel(Instance* instance, const void* const* arguments, void* result) {
  const Result<DataChannelOptions> options = godot_plugin::read_channel_options(dictionary_of(arguments[1]));
  if (!options) {
    report("create_data_channel", Unexpected{options.error()});
    return;
  }
  Result<std::shared_ptr<DataChannel>> channel =
      connection_of(instance).create_data_channel(text_of(arguments[0]), *options);
  if (!channel) {
    report("create_data_channel", Unexpected{channel.error()});
    return;
  }
  engine().ref_set_object(result, make_channel_object(*std::move(channel), self(instance).channels));
}

void create_offer(Instance* instance, const void* const*, void* result) {
  give(result, "create_offer", connection_of(instance).create_offer());
}

void set_remote_description(Instance* instance, const void* const* arguments, void* result) {
  give(result, "set_remote_description",
       connection_of(instance).set_remote_description(text_of(arguments[0]), text_of(arguments[1])));
}

void set_local_description(Instance* instance, const void* const* arguments, void* result) {
  give(result, "set_local_description",
       connection_of(instance).set_local_description(text_of(arguments[0]), text_of(arguments[1])));
}

void add_ice_candidate(Instance* instance, const void* const* arguments, void* result) {
  const std::int64_t index = *static_cast<const std::int64_t*>(arguments[1]);
  give(result, "add_ice_candidate",
       connection_of(instance).add_ice_candidate(text_of(arguments[0]), static_cast<int>(index),
                                                 text_of(arguments[2])));
}

void close(Instance* instance, const void* const*, void*) { connection_of(instance).close(); }

// --- signals

Variant text(std::string_view string) { return Variant(Value(string)); }
template <class Number>
Variant number(Number value) {
  return Variant(Value(static_cast<std::int64_t>(value)));
}

void emit_candidate(ConnectionInstance& at, const PeerConnection::CandidateCreated& candidate) {
  emit(at.object, classes->ice_candidate_created, text(candidate.media), number(candidate.index),
       text(candidate.name));
}

// A handler that does not keep the channel has refused it: the reference in the Variant is then the last.
void emit_channel(ConnectionInstance& at, const PeerConnection::ChannelReceived& received) {
  const Variant channel = Variant::of(make_channel_object(received.channel, at.channels));
  emit(at.object, classes->data_channel_received, channel);
}

void emit_to_connection(ConnectionInstance& at, const PeerConnection::Event& event) {
  if (const auto* description = std::get_if<PeerConnection::DescriptionCreated>(&event)) {
    emit(at.object, classes->session_description_created, text(description->type), text(description->sdp));
  } else if (const auto* candidate = std::get_if<PeerConnection::CandidateCreated>(&event)) {
    emit_candidate(at, *candidate);
  } else if (const auto* received = std::get_if<PeerConnection::ChannelReceived>(&event)) {
    emit_channel(at, *received);
  } else if (const auto* changed = std::get_if<PeerConnection::ConnectionStateChanged>(&event)) {
    emit(at.object, classes->connection_state_changed, number(changed->state));
  } else if (const auto* gathering = std::get_if<PeerConnection::GatheringStateChanged>(&event)) {
    emit(at.object, classes->gathering_state_changed, number(gathering->state));
  } else if (const auto* signaling = std::get_if<PeerConnection::SignalingStateChanged>(&event)) {
    emit(at.object, classes->signaling_state_changed, number(signaling->state));
  } else if (const auto* failed = std::get_if<PeerConnection::IceServerFailed>(&event)) {
    emit(at.object, classes->ice_server_failed, text(failed->url), number(failed->code), text(failed->text));
  }
}

template <class... Arguments>
void emit_to_channel(const ConnectionInstance& at, const std::shared_ptr<DataChannel>& channel,
                     const StringName& signal, const Arguments&... arguments) {
  const auto found = std::find_if(at.channels->begin(), at.channels->end(),
                                  [&](const ChannelInstance* c) { return c->channel == channel; });
  if (found == at.channels->end()) return;  // its object is gone already
  const Held held((*found)->object);
  emit((*found)->object, signal, arguments...);
}

void emit_to_channels(const ConnectionInstance& at, const PeerConnection::Event& event) {
  if (const auto* opened = std::get_if<PeerConnection::ChannelOpened>(&event)) {
    emit_to_channel(at, opened->channel, classes->opened);
  } else if (const auto* closing = std::get_if<PeerConnection::ChannelClosing>(&event)) {
    emit_to_channel(at, closing->channel, classes->closing);
  } else if (const auto* closed = std::get_if<PeerConnection::ChannelClosed>(&event)) {
    emit_to_channel(at, closed->channel, classes->closed, text(name_of(closed->reason)));
  } else if (const auto* message = std::get_if<PeerConnection::MessageReceived>(&event)) {
    emit_to_channel(at, message->channel, classes->message_received);
  } else if (const auto* low = std::get_if<PeerConnection::BufferedAmountLow>(&event)) {
    emit_to_channel(at, low->channel, classes->buffered_amount_low);
  }
}

void poll(Instance* instance, const void* const*, void* result) {
  ConnectionInstance& at = self(instance);
  const Status status = at.connection.poll();
  give(result, static_cast<std::int64_t>(godot_error(status)));
  PeerConnection::Event event;
  if (!at.connection.next_event(event)) return;
  const Held held(at.object);  // a handler may drop every other reference
  do {
    emit_to_connection(at, event);
    emit_to_channels(at, event);
    event = {};  // lets go of its channel before the next one is looked for
  } while (at.connection.next_event(event));
}

constexpr Virtual kVirtuals[] = {
    {"_get_connection_state", 2275710506, get_connection_state},
    {"_get_gathering_state", 4262591401, get_state<&PeerConnection::get_gathering_state>},
    {"_get_signaling_state", 3342956226, get_state<&PeerConnection::get_signaling_state>},
    {"_initialize", 1494659981, initialize},
    {"_create_data_channel", 4111292546, create_data_channel},
    {"_create_offer", 166280745, create_offer},
    {"_set_remote_description", 852856452, set_remote_description},
    {"_set_local_description", 852856452, set_local_description},
    {"_add_ice_candidate", 3958950400, add_ice_candidate},
    {"_poll", 166280745, poll},
    {"_close", 3218959716, close},
};

// --- beyond Godot's

Value get_stats(Instance* instance, std::span<const Value>) {
  return godot_plugin::connection_statistics(connection_of(instance).get_stats());
}
Value get_round_trip_time(Instance* instance, std::span<const Value>) {
  return godot_plugin::round_trip_time(connection_of(instance).get_stats());
}
Value get_loss(Instance* instance, std::span<const Value>) {
  return godot_plugin::loss(connection_of(instance).get_stats());
}
Value get_max_message_size(Instance* instance, std::span<const Value>) {
  return static_cast<std::int64_t>(connection_of(instance).get_max_message_size());
}
Value restart_ice(Instance* instance, std::span<const Value>) {
  return static_cast<std::int64_t>(report("restart_ice", connection_of(instance).restart_ice()));
}
Value generate_certificate(Instance*, std::span<const Value>) {
  const Result<CertificatePem> made = pollrtc::generate_certificate();
  if (!made) {
    report("generate_certificate", Unexpected{made.error()});
    return Dictionary();
  }
  return Dictionary{{"certificate", std::string_view(made->certificate)},
                    {"privateKey", std::string_view(made->private_key)}};
}

constexpr Method kMethods[] = {
    {"get_stats", kMethodNormal | kMethodConst, Type::Dictionary, {}, get_stats},
    {"get_round_trip_time", kMethodNormal | kMethodConst, Type::Float, {}, get_round_trip_time},
    {"get_loss", kMethodNormal | kMethodConst, Type::Float, {}, get_loss},
    {"get_max_message_size", kMethodNormal | kMethodConst, Type::Int, {}, get_max_message_size},
    {"restart_ice", kMethodNormal, Type::Int, {}, restart_ice},
    {"generate_certificate", kMethodNormal | kMethodStatic, Type::Dictionary, {}, generate_certificate},
};

constexpr Signal kSignals[] = {
    {"connection_state_changed", {{"state", Type::Int}}},
    {"gathering_state_changed", {{"state", Type::Int}}},
    {"signaling_state_changed", {{"state", Type::Int}}},
    {"ice_server_failed", {{"url", Type::String}, {"code", Type::Int}, {"text", Type::String}}},
};

// --- life

// Scripts use the object at once, with or without initialize().
EngineObject* create(bool is_new) {
  auto* const instance = new ConnectionInstance;  // NOLINT: the engine owns it until it calls free()
  (void)start(*instance, {});                     // an empty configuration is refused by nobody
  instance->object = make_object(kConnectionClass.base, classes->connection.name(), instance, is_new);
  return instance->object;
}

void free(Instance* instance) { delete static_cast<ConnectionInstance*>(instance); }  // NOLINT

}  // namespace

const ClassDescription kConnectionClass = {
    .name = "PollRTCPeerConnection",
    .base = "WebRTCPeerConnectionExtension",
    .virtuals = kVirtuals,
    .methods = kMethods,
    .signals = kSignals,
    .properties = {},
    .create = create,
    .free = free,
};

}  // namespace pollrtc::gdextension
