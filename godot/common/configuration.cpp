#include "common/configuration.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/shared_mux.h"

namespace pollrtc::godot_plugin {
namespace {

// A mesh sends what a frame makes at once, and scripts seldom look at what is buffered: more room than a library's user needs.
constexpr std::uint32_t kMaxMessage = 4 * 1024 * 1024;
constexpr std::uint32_t kSendBuffer = 64 * 1024 * 1024;
constexpr std::uint32_t kLargestMessage = 32 * 1024 * 1024;
constexpr std::uint32_t kSmallestChunk = 1024;  // at least so much of a large message is in a packet

// Reads entries until one is wrong; that fault then stays.
class Reader {
 public:
  explicit Reader(const Dictionary& dictionary) : dictionary_(dictionary) {}

  void read(std::string_view key, bool& to, std::string_view fault) {
    const Value* const value = find(dictionary_, key);
    if (value == nullptr) return;
    if (const bool* const b = value->as<bool>()) {
      to = *b;
    } else if (const std::int64_t* const i = value->as<std::int64_t>()) {
      to = *i != 0;
    } else {
      refuse(fault);
    }
  }

  void read(std::string_view key, std::string& to, std::string_view fault) {
    const Value* const value = find(dictionary_, key);
    if (value == nullptr) return;
    if (const std::string* const text = value->as<std::string>()) {
      to = *text;
    } else {
      refuse(fault);
    }
  }

  template <class Integer>
  void read(std::string_view key, Integer& to, std::int64_t least, std::int64_t most,
            std::string_view fault) {
    const Value* const value = find(dictionary_, key);
    if (value == nullptr) return;
    const std::optional<std::int64_t> number = whole_number(*value);
    if (number && *number >= least && *number <= most) {
      to = static_cast<Integer>(*number);
    } else {
      refuse(fault);
    }
  }

  const Dictionary* dictionary(std::string_view key, std::string_view fault) {
    const Value* const value = find(dictionary_, key);
    if (value == nullptr) return nullptr;
    const Dictionary* const inner = value->as<Dictionary>();
    if (inner == nullptr) refuse(fault);
    return inner;
  }

  void refuse(std::string_view fault) {
    if (!fault_) fault_.emplace(ErrorCode::InvalidArgument, fault);
  }
  const std::optional<Error>& fault() const { return fault_; }

 private:
  const Dictionary& dictionary_;
  std::optional<Error> fault_;
};

// `urls` is an array of strings or one string; the old name `url` means the same.
bool read_urls(const Dictionary& server, std::vector<std::string>& urls) {
  const Value* value = find(server, "urls");
  if (value == nullptr) value = find(server, "url");
  if (value == nullptr) return false;
  if (const std::string* const one = value->as<std::string>()) {
    urls.push_back(*one);
    return true;
  }
  const Array* const several = value->as<Array>();
  if (several == nullptr || several->empty()) return false;
  for (const Value& entry : *several) {
    const std::string* const url = entry.as<std::string>();
    if (url == nullptr) return false;
    urls.push_back(*url);
  }
  return true;
}

void read_servers(const Dictionary& dictionary, Configuration& configuration, Reader& reader) {
  const Value* const value = find(dictionary, "iceServers");
  const Array* const servers = value == nullptr ? nullptr : value->as<Array>();
  if (servers == nullptr) return;
  for (const Value& entry : *servers) {
    const Dictionary* const server = entry.as<Dictionary>();
    if (server == nullptr) return reader.refuse("an entry of iceServers is no dictionary");
    IceServer read;
    if (!read_urls(*server, read.urls))
      return reader.refuse("urls of an ICE server is neither a string nor an array of strings");
    Reader texts(*server);
    texts.read("username", read.username, "username of an ICE server is no string");
    texts.read("credential", read.credential, "credential of an ICE server is no string");
    configuration.ice_servers.push_back(std::move(read));
    if (texts.fault()) return reader.refuse(texts.fault()->detail());
  }
}

void read_identity(Configuration& configuration, Reader& reader) {
  if (const Dictionary* const pair = reader.dictionary("certificate", "certificate is no dictionary")) {
    Reader texts(*pair);
    texts.read("certificate", configuration.certificate.certificate, "certificate.certificate is no string");
    texts.read("privateKey", configuration.certificate.private_key, "certificate.privateKey is no string");
    if (texts.fault()) reader.refuse(texts.fault()->detail());
  }
  reader.read("trustedCertificates", configuration.trusted_certificates, "trustedCertificates is no string");
}

void read_network(Configuration& configuration, Reader& reader) {
  std::string policy = "all";
  reader.read("iceTransportPolicy", policy, "iceTransportPolicy is no string");
  if (policy == "relay") {
    configuration.ice_transport_policy = IceTransportPolicy::Relay;
  } else if (policy != "all") {
    reader.refuse("iceTransportPolicy is \"all\" or \"relay\"");
  }
  std::string goal = "throughput";
  reader.read("transportGoal", goal, "transportGoal is no string");
  if (goal == "lowLatency") {
    configuration.transport_goal = TransportGoal::LowLatency;
  } else if (goal != "throughput") {
    reader.refuse("transportGoal is \"throughput\" or \"lowLatency\"");
  }
  reader.read("portRangeBegin", configuration.port_range_begin, 0, 65535,
              "portRangeBegin is a number from 0 to 65535");
  reader.read("portRangeEnd", configuration.port_range_end, 0, 65535,
              "portRangeEnd is a number from 0 to 65535");
  reader.read("includeLoopback", configuration.include_loopback, "includeLoopback is no bool");
  reader.read("restartIceAutomatically", configuration.restart_ice_automatically,
              "restartIceAutomatically is no bool");
  reader.read("iceLite", configuration.ice_lite, "iceLite is no bool");
  reader.read("dscp", configuration.dscp, -1, 63, "dscp is a number from -1 to 63");
  reader.read("mtu", configuration.max_ip_packet, 0, 65535, "mtu is a number from 0 to 65535");
  if (const Dictionary* const nat = reader.dictionary("nat1to1", "nat1to1 is no dictionary")) {
    Reader texts(*nat);
    texts.read("internal", configuration.nat_1_1_internal, "nat1to1.internal is no string");
    texts.read("external", configuration.nat_1_1_external, "nat1to1.external is no string");
    if (texts.fault()) reader.refuse(texts.fault()->detail());
  }
}

// One UDP port for all connections of the process that name it.
void read_mux(const Dictionary& dictionary, Configuration& configuration, Reader& reader) {
  if (find(dictionary, "udpMuxPort") == nullptr) return;
  std::uint16_t port = 0;
  reader.read("udpMuxPort", port, 0, 65535, "udpMuxPort is a number from 0 to 65535");
  if (reader.fault()) return;
  Result<std::shared_ptr<UdpMux>> mux = shared_mux(port, configuration.dscp);
  if (!mux) return reader.refuse(mux.error().detail());
  configuration.udp_mux = *std::move(mux);
}

void read_limits(Limits& limits, Reader& reader) {
  limits.sctp_max_message_rx = kMaxMessage;
  limits.sctp_tx_buffer_channel = limits.sctp_tx_buffer = kSendBuffer;
  reader.read("maxMessageSize", limits.sctp_max_message_rx, 1024, kLargestMessage,
              "maxMessageSize is a number from 1024 to 33554432");
  reader.read("sendBufferSize", limits.sctp_tx_buffer, 64 * 1024, 1024 * 1024 * 1024,
              "sendBufferSize is a number from 65536 to 1073741824");
  limits.sctp_tx_buffer_channel = limits.sctp_tx_buffer;
  // A message is held as a whole until its last piece is there, and beside it what other channels bring.
  const std::uint32_t message = limits.sctp_max_message_rx;
  limits.sctp_rx_window = std::max(limits.sctp_rx_window, message + message / 2);
  limits.sctp_rx_window_max = std::max(limits.sctp_rx_window_max, limits.sctp_rx_window);
  limits.sctp_chunks_queued = std::max(limits.sctp_chunks_queued, message / kSmallestChunk);
  limits.sctp_tsn_span = std::clamp<std::uint32_t>(message / kSmallestChunk, limits.sctp_tsn_span, 65535);
}

}  // namespace

Settings::~Settings() {
  wipe(library.certificate.private_key);
  for (IceServer& server : library.ice_servers) wipe(server.credential);
}

Result<Settings> read_settings(const Dictionary& dictionary) {
  Settings settings;
  settings.library.pull_events = settings.library.hold_messages = true;
  Reader reader(dictionary);
  read_servers(dictionary, settings.library, reader);
  read_identity(settings.library, reader);
  read_network(settings.library, reader);
  read_limits(settings.library.limits, reader);
  reader.read("bundleMessages", settings.library.hold_messages, "bundleMessages is no bool");
  reader.read("reportDisconnected", settings.report_disconnected, "reportDisconnected is no bool");
  read_mux(dictionary, settings.library, reader);
  if (reader.fault()) return Unexpected{*reader.fault()};
  return settings;
}

Result<DataChannelOptions> read_channel_options(const Dictionary& dictionary) {
  std::vector<Option> options;
  for (const auto& [key, value] : dictionary) {
    if (const bool* const b = value.as<bool>()) options.push_back({key, *b});
    if (const std::int64_t* const i = value.as<std::int64_t>()) options.push_back({key, *i});
    if (const double* const d = value.as<double>()) options.push_back({key, *d});
    if (const std::string* const text = value.as<std::string>())
      options.push_back({key, std::string_view(*text)});
  }
  return data_channel_options(options);
}

}  // namespace pollrtc::godot_plugin
