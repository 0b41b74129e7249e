#include "pollrtc/peer_options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace pollrtc::tool {
namespace {

constexpr std::size_t kMaxSize = 64U << 20;
constexpr std::size_t kMaxBuffer = 1U << 30;
constexpr std::size_t kMaxCount = 100'000'000;
constexpr double kMaxSeconds = 1e6;

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

void write_log_line(void*, LogLevel level, std::string_view room, std::string_view line) {
  static constexpr std::array<const char*, 6> kNames = {"trace", "debug", "info", "warning", "error", "off"};
  std::fprintf(stderr, "%s %.*s: %.*s\n", kNames[static_cast<std::size_t>(level)],
               static_cast<int>(room.size()), room.data(), static_cast<int>(line.size()), line.data());
}

// POLLRTC_LOG=debug and the like: log lines of the library on standard error.
LogSink log_from_environment() {
  LogSink log;
  const char* const wanted = std::getenv("POLLRTC_LOG");
  if (wanted == nullptr) return log;
  static constexpr std::array<std::string_view, 5> kNames = {"trace", "debug", "info", "warning", "error"};
  const auto found = std::find(kNames.begin(), kNames.end(), wanted);
  if (found == kNames.end()) return log;
  log.write = write_log_line;
  log.level = static_cast<LogLevel>(found - kNames.begin());
  return log;
}

std::optional<std::string> check_choices(const PeerOptions& options) {
  if (!is_one_of(options.role, {"offer", "answer"})) return "--role " + options.role;
  if (!is_one_of(options.mode, {"echo", "bulk", "rate", "ping", "setup", "idle", "script"}))
    return "--mode " + options.mode;
  if (!is_one_of(options.direction, {"up", "down", "both"})) return "--direction " + options.direction;
  if (options.ice_policy != "all" && options.ice_policy != "relay")
    return "--ice-policy " + options.ice_policy;
  if (!is_one_of(options.transports, {"udp", "tcp", "both"})) return "--transports " + options.transports;
  if (options.mode == "echo" && options.is_offering()) return "--mode echo is for the answering end";
  if (options.binary && options.text) return "--binary together with --text";
  return std::nullopt;
}

std::optional<std::string> check_numbers(const PeerOptions& options) {
  for (const double seconds : {options.warmup, options.duration, options.timeout})
    if (!std::isfinite(seconds) || seconds < 0 || seconds > kMaxSeconds) return "seconds out of range";
  if (options.size > kMaxSize) return "--size above 64 MiB";
  if (options.buffer > kMaxBuffer) return "--buffer above 1 GiB";
  if (options.count == 0 || options.count > kMaxCount) return "--count out of range";
  if (options.channels == 0 || options.channels > 65535 / 2) return "--channels out of range";
  if (options.max_retransmits && options.max_lifetime)
    return "--max-retransmits together with --max-lifetime";
  for (const auto& limit : {options.max_retransmits, options.max_lifetime})
    if (limit && (*limit < 0 || *limit > 65535)) return "--max-retransmits, --max-lifetime: 0 to 65535";
  if (options.negotiated_id) {
    const std::size_t last = 2 * (options.channels - 1);
    if (*options.negotiated_id < 0 || static_cast<std::size_t>(*options.negotiated_id) + last > 65534)
      return "--negotiated-id: ids of channels are 0 to 65534";
  }
  return std::nullopt;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::optional<std::string> check_ice_servers(const PeerOptions& options) {
  for (const std::string& server : options.ice_servers) {
    if (!server.starts_with("stun:") && !server.starts_with("turn:") && !server.starts_with("turns:"))
      return "--ice-server " + split(server, ',').front();
  }
  return std::nullopt;
}

}  // namespace

std::string PeerOptions::channel_label(std::size_t index) const {
  return index == 0 ? label : label + "-" + std::to_string(index);
}

DataChannelOptions PeerOptions::channel_options(std::size_t index) const {
  DataChannelOptions result;
  result.ordered = !unordered;
  result.max_retransmits = max_retransmits.value_or(-1);
  result.max_packet_life_time = max_lifetime.value_or(-1);
  result.negotiated = negotiated_id.has_value();
  if (negotiated_id) result.id = *negotiated_id + 2 * static_cast<int>(index);
  result.protocol = protocol;
  return result;
}

Configuration PeerOptions::configuration() const {
  Configuration result;
  result.include_loopback = loopback;
  result.hide_addresses = hide_addresses;
  result.udp_offload = !no_offload;
  result.max_ip_packet = max_packet;
  if (ice_policy == "relay") result.ice_transport_policy = IceTransportPolicy::Relay;
  if (transports == "tcp") result.ice_transports = IceTransports::Tcp;
  if (transports == "both") result.ice_transports = IceTransports::UdpAndTcp;
  result.log = log_from_environment();
  for (const std::string& server : ice_servers) {
    const std::vector<std::string> parts = split(server, ',');
    result.ice_servers.push_back(
        {{parts[0]}, parts.size() > 1 ? parts[1] : "", parts.size() > 2 ? parts[2] : ""});
  }
  // What was asked for must fit; where the defaults are enough they stand, so that they are what is measured.
  Limits& limits = result.limits;
  const auto raise = [](std::uint32_t& limit, std::size_t needed) {
    limit =
        static_cast<std::uint32_t>(std::max<std::size_t>(limit, std::min<std::size_t>(needed, UINT32_MAX)));
  };
  raise(limits.sctp_tx_buffer_channel, buffer + size);
  raise(limits.sctp_tx_buffer, (buffer + size) * channels);
  raise(limits.sctp_max_message_rx, size);
  if (size > limits.sctp_rx_window / 2) raise(limits.sctp_rx_window, 2 * size);
  limits.dc_channels = std::max(limits.dc_channels, static_cast<std::uint16_t>(channels));
  return result;
}

std::optional<std::string> complete(PeerOptions& options) {
  options.size = options.given_size.value_or(options.mode == "bulk" ? 65536 : 64);
  const std::size_t usual = options.mode == "setup" ? 20 : options.mode == "idle" ? 100 : 2000;
  options.count = options.given_count.value_or(usual);
  if (auto fault = check_choices(options)) return fault;
  if (auto fault = check_numbers(options)) return fault;
  return check_ice_servers(options);
}

}  // namespace pollrtc::tool
