// Limits by their names, for C. tests/checks/limits_documented.py compares the table with the struct.
#include <limits>
#include <variant>

#include "api/c_handles.h"

namespace pollrtc::detail {
namespace {

using Field = std::variant<std::uint16_t Limits::*, std::uint32_t Limits::*, Duration Limits::*>;
struct Row {
  std::string_view name;
  Field field;
};

#define LIMIT(name) \
  Row { #name, &Limits::name }
constexpr Row kRows[] = {
    LIMIT(ice_local_candidates),
    LIMIT(ice_remote_candidates),
    LIMIT(ice_prflx),
    LIMIT(ice_pairs),
    LIMIT(ice_tcp_connections),
    LIMIT(ice_tcp_unverified),
    LIMIT(ice_tcp_buffer),
    LIMIT(stun_pending),
    LIMIT(stun_errors_per_second),
    LIMIT(stun_errors_per_source),
    LIMIT(ice_restart_window),
    LIMIT(turn_servers),
    LIMIT(turn_allocations),
    LIMIT(turn_permissions),
    LIMIT(turn_channels),
    LIMIT(turn_auth_retries),
    LIMIT(turn_redirects),
    LIMIT(turn_stream_buffer),
    LIMIT(dtls_handshake_buffer),
    LIMIT(dtls_pre_verified),
    LIMIT(dtls_handshake_timeout),
    LIMIT(sctp_rx_window),
    LIMIT(sctp_rx_window_max),
    LIMIT(sctp_tx_buffer_channel),
    LIMIT(sctp_tx_buffer),
    LIMIT(sctp_max_message_rx),
    LIMIT(sctp_tsn_span),
    LIMIT(sctp_chunks_queued),
    LIMIT(sctp_dup_tsns),
    LIMIT(sctp_outcomes),
    LIMIT(sctp_streams),
    LIMIT(sctp_ootb_replies_per_second),
    LIMIT(dc_channels),
    LIMIT(dc_pre_open),
    LIMIT(dc_labels),
    LIMIT(api_rx_queue),
    LIMIT(dns_answers),
    LIMIT(ice_mdns_names),
    LIMIT(mdns_replies_per_second),
    LIMIT(sdp_size),
    LIMIT(sdp_line),
    LIMIT(sdp_sections),
};
#undef LIMIT

bool set(Limits& limits, Duration Limits::*field, std::uint64_t milliseconds) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (milliseconds > kMost) return false;
  limits.*field = std::chrono::milliseconds(milliseconds);
  return true;
}
template <class Number>
bool set(Limits& limits, Number Limits::*field, std::uint64_t value) {
  if (value > std::numeric_limits<Number>::max()) return false;
  limits.*field = static_cast<Number>(value);
  return true;
}

}  // namespace

bool apply_limits(const pollrtc_limit* given, std::size_t count, Limits& limits) {
  if (is_missing(given, count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (given[i].name == nullptr) return false;
    const auto* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                         [&](const Row& r) { return r.name == given[i].name; });
    if (row == std::end(kRows)) return false;
    if (!std::visit([&](auto field) { return set(limits, field, given[i].value); }, row->field)) return false;
  }
  return true;
}

}  // namespace pollrtc::detail
