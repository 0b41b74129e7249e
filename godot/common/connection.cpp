#include "common/connection.h"

#include "common/configuration.h"
#include "common/statistics.h"
#include "crypto/digest.h"

namespace pollrtc::godot_plugin {
namespace {

// Godot's number, and what was wrong in words for whoever wrote the script.
GodotError report(const char* function, const Status& status) {
  if (!status) {
    std::string text(function);
    text.append("(): ").append(status.error().detail());
    if (status.error().line() != 0) text.append(", line ").append(std::to_string(status.error().line()));
    host::print_error(function, text);
  }
  return godot_error(status);
}

}  // namespace

Connection::Connection() {
  channels->connection = this;
  (void)start({});  // an empty configuration is refused by nobody
}

Connection::~Connection() { channels->connection = nullptr; }

Status Connection::start(const Dictionary& dictionary) {
  const Result<Settings> settings = read_settings(dictionary);
  if (!settings) return Unexpected{settings.error()};
  if (const Status status = library.initialize(settings->library); !status) return status;
  report_disconnected = settings->report_disconnected;
  is_bundling = settings->library.hold_messages;
  return {};
}

// The script's dictionary stays as it is; our copy of it may hold a private key and passwords.
GodotError Connection::initialize(Dictionary dictionary) {
  const Status status = start(dictionary);
  wipe(dictionary);
  return report("initialize", status);
}

EngineObject* Connection::create_data_channel(std::string_view label, const Dictionary& dictionary) {
  const Result<DataChannelOptions> options = read_channel_options(dictionary);
  if (!options) {
    report("create_data_channel", Unexpected{options.error()});
    return nullptr;
  }
  Result<std::shared_ptr<DataChannel>> channel = library.create_data_channel(label, *options);
  if (!channel) {
    report("create_data_channel", Unexpected{channel.error()});
    return nullptr;
  }
  return host::make_channel_object(std::make_unique<Channel>(*std::move(channel), channels));
}

GodotError Connection::create_offer() { return report("create_offer", library.create_offer()); }

GodotError Connection::set_remote_description(std::string_view type, std::string_view sdp) {
  return report("set_remote_description", library.set_remote_description(type, sdp));
}

GodotError Connection::set_local_description(std::string_view type, std::string_view sdp) {
  return report("set_local_description", library.set_local_description(type, sdp));
}

GodotError Connection::add_ice_candidate(std::string_view media, std::int64_t index, std::string_view name) {
  return report("add_ice_candidate", library.add_ice_candidate(media, static_cast<int>(index), name));
}

void Connection::flush_soon() {
  if (!is_bundling || is_flush_owed) return;
  is_flush_owed = host::call_soon(object, "flush");
  if (!is_flush_owed) library.flush();
}

void Connection::flush() {
  is_flush_owed = false;
  library.flush();
}

int Connection::get_connection_state() const {
  const ConnectionState state = library.get_connection_state();
  return static_cast<int>(
      state == ConnectionState::Disconnected && !report_disconnected ? ConnectionState::Connected : state);
}

// --- beyond Godot's

namespace {

Connection& self(void* instance) { return *static_cast<Connection*>(instance); }
PeerStats stats_of(void* instance) { return self(instance).library.get_stats(); }

Value get_stats(void* instance, std::span<const Value>) { return connection_statistics(stats_of(instance)); }
Value get_round_trip_time(void* instance, std::span<const Value>) {
  return round_trip_time(stats_of(instance));
}
Value get_loss(void* instance, std::span<const Value>) { return loss(stats_of(instance)); }
Value get_max_message_size(void* instance, std::span<const Value>) {
  return static_cast<std::int64_t>(self(instance).library.get_max_message_size());
}
Value restart_ice(void* instance, std::span<const Value>) {
  return static_cast<std::int64_t>(report("restart_ice", self(instance).library.restart_ice()));
}

Value flush(void* instance, std::span<const Value>) {
  self(instance).flush();
  return {};
}

Value generate_certificate(void*, std::span<const Value>) {
  Result<CertificatePem> made = pollrtc::generate_certificate();
  if (!made) {
    report("generate_certificate", Unexpected{made.error()});
    return Dictionary();
  }
  return Dictionary{{"certificate", std::move(made->certificate)},
                    {"privateKey", std::move(made->private_key)}};
}

constexpr Method kMethods[] = {
    {"get_stats", Method::Scope::Const, Kind::Dict, {}, get_stats},
    {"get_round_trip_time", Method::Scope::Const, Kind::Float, {}, get_round_trip_time},
    {"get_loss", Method::Scope::Const, Kind::Float, {}, get_loss},
    {"get_max_message_size", Method::Scope::Const, Kind::Int, {}, get_max_message_size},
    {"restart_ice", Method::Scope::Mutable, Kind::Int, {}, restart_ice},
    {"flush", Method::Scope::Mutable, Kind::Nil, {}, flush},
    {"generate_certificate", Method::Scope::Static, Kind::Dict, {}, generate_certificate},
};

constexpr Signal kSignals[] = {
    {"connection_state_changed", {{"state", Kind::Int}}},
    {"gathering_state_changed", {{"state", Kind::Int}}},
    {"signaling_state_changed", {{"state", Kind::Int}}},
    {"ice_server_failed", {{"url", Kind::String}, {"code", Kind::Int}, {"text", Kind::String}}},
};

}  // namespace

const std::span<const Method> connection_methods = kMethods;
const std::span<const Signal> connection_signals = kSignals;

}  // namespace pollrtc::godot_plugin
