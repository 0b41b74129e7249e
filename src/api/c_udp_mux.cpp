// UdpMux for C. What each call means stands in pollrtc/udp_mux.h.
#include "api/c_handles.h"
#include "api/system_network.h"

using namespace pollrtc;
using namespace pollrtc::detail;

namespace {

void write_log(void* context, LogLevel level, std::string_view room, std::string_view line) {
  const pollrtc_udp_mux_config& config = static_cast<HeldMux*>(context)->config;
  if (config.log == nullptr) return;
  const std::string room_text(room), line_text(line);
  config.log(config.log_context, static_cast<pollrtc_log_level>(level), room_text.c_str(), line_text.c_str());
}

}  // namespace

pollrtc_result pollrtc_udp_mux_create(const pollrtc_udp_mux_config* config, pollrtc_udp_mux** out) {
  if (out == nullptr) return POLLRTC_INVALID_ARGUMENT;
  *out = nullptr;
  const auto known = known_part(config);
  const auto held = std::make_shared<HeldMux>();
  UdpMux::Config to;
  if (!known || !held->platform.read(nullptr, known->random, known->network, nullptr) ||
      !is_known(known->log_level, POLLRTC_LOG_ERROR) ||
      !apply_limits(known->limits, known->limit_count, to.limits))
    return POLLRTC_INVALID_ARGUMENT;
  held->config = *known;
  to.port = known->port;
  if (known->set_dscp != 0) to.dscp = known->dscp;
  to.udp_offload = known->no_udp_offload == 0;
  if (known->max_addresses != 0) to.max_addresses = known->max_addresses;
  if (known->max_addresses_each != 0) to.max_addresses_each = known->max_addresses_each;
  if (known->max_waiting != 0) to.max_waiting = known->max_waiting;
  if (known->log != nullptr) to.log = {write_log, held.get(), static_cast<LogLevel>(known->log_level)};
  to.rng = held->platform.rng_hooks();
  to.network = held->platform.network_hooks();
  if (!check_network_settings(to.dscp, to.network)) return POLLRTC_INVALID_ARGUMENT;
  held->mux.emplace(to);
  *out = new (std::nothrow) pollrtc_udp_mux{held};
  return *out == nullptr ? POLLRTC_OUT_OF_MEMORY : POLLRTC_OK;
}

void pollrtc_udp_mux_destroy(pollrtc_udp_mux* mux) {
  if (mux != nullptr) mux->held->config = {};
  delete mux;
}

pollrtc_result pollrtc_udp_mux_open(pollrtc_udp_mux* mux) {
  if (mux == nullptr) return POLLRTC_INVALID_ARGUMENT;
  const Status status = mux->held->mux->open();
  return status ? POLLRTC_OK : result_of(status.error().code());
}

pollrtc_result pollrtc_udp_mux_poll(pollrtc_udp_mux* mux, int timeout_ms) {
  if (mux == nullptr) return POLLRTC_INVALID_ARGUMENT;
  const Status status = mux->held->mux->poll(std::chrono::milliseconds(timeout_ms));
  return status ? POLLRTC_OK : result_of(status.error().code());
}

pollrtc_result pollrtc_udp_mux_get_stats(const pollrtc_udp_mux* mux, pollrtc_udp_mux_stats* stats) {
  if (mux == nullptr || stats == nullptr || stats->size < sizeof stats->size) return POLLRTC_INVALID_ARGUMENT;
  const UdpMux::Stats from = mux->held->mux->get_stats();
  pollrtc_udp_mux_stats to{};
  to.connections = from.connections;
  to.addresses = from.addresses;
  to.strangers_refused = from.strangers_refused;
  to.dropped = from.dropped;
  to.overflows = from.overflows;
  return hand_out(to, stats);
}
