#include "common/statistics.h"

#include <algorithm>

#include "base/address.h"
#include "sdp/attributes.h"

namespace pollrtc::godot_plugin {
namespace {

Value count(std::uint64_t number) { return static_cast<std::int64_t>(number); }
Value seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// As SDP writes it (RFC 8122 §5), without the hash: "AB:CD:...".
std::string fingerprint_text(const Fingerprint& fingerprint) {
  std::string text = sdp::fingerprint_text(fingerprint);
  return text.substr(text.find(' ') + 1);
}

Dictionary drops(const PeerStats& stats) {
  Dictionary result;
  for (std::size_t i = 0; i < kDropCount; ++i)
    if (stats.drops[i] != 0) result.emplace_back(name_of(static_cast<Drop>(i)), count(stats.drops[i]));
  return result;
}

void add_path(const PeerStats& stats, Dictionary& result) {
  if (!stats.selected_path) return;
  result.emplace_back("local_address", address_text(stats.selected_path->local).view());
  result.emplace_back("remote_address", address_text(stats.selected_path->remote).view());
  result.emplace_back("local_candidate_type", name_of(stats.local_type));
  result.emplace_back("remote_candidate_type", name_of(stats.remote_type));
}

}  // namespace

double round_trip_time(const PeerStats& stats) {
  if (stats.sctp_srtt > Duration::zero()) return std::chrono::duration<double>(stats.sctp_srtt).count();
  if (stats.ice_round_trip_time) return std::chrono::duration<double>(*stats.ice_round_trip_time).count();
  return -1;
}

double loss(const PeerStats& stats) {
  if (stats.datagrams_sent == 0) return 0;
  return std::min(
      1.0, static_cast<double>(stats.sctp_retransmitted_chunks) / static_cast<double>(stats.datagrams_sent));
}

Dictionary connection_statistics(const PeerStats& stats) {
  Dictionary result{
      {"packets_sent", count(stats.datagrams_sent)},
      {"packets_received", count(stats.datagrams_received)},
      {"bytes_sent", count(stats.bytes_sent)},
      {"bytes_received", count(stats.bytes_received)},
      {"messages_sent", count(stats.messages_sent)},
      {"messages_received", count(stats.messages_received)},
      {"round_trip_time", round_trip_time(stats)},
      {"loss", loss(stats)},
      {"retransmitted_chunks", count(stats.sctp_retransmitted_chunks)},
      {"retransmission_timeout", seconds(stats.sctp_rto)},
      {"congestion_window", count(stats.sctp_cwnd)},
      {"receive_window_of_peer", count(stats.sctp_peer_rwnd)},
      {"bytes_in_flight", count(stats.sctp_outstanding)},
      {"mtu", count(stats.sctp_mtu)},
      {"dtls_version", stats.dtls_version},
      {"dtls_cipher_suite", stats.dtls_cipher_suite},
      {"local_fingerprint", std::string_view(fingerprint_text(stats.local_fingerprint))},
      {"close_reason", name_of(stats.close_reason)},
      {"drops", drops(stats)},
  };
  if (stats.remote_fingerprint)
    result.emplace_back("remote_fingerprint", std::string_view(fingerprint_text(*stats.remote_fingerprint)));
  add_path(stats, result);
  return result;
}

Dictionary channel_statistics(const ChannelInfo& info) {
  return {
      {"messages_sent", count(info.messages_sent)},     {"messages_received", count(info.messages_received)},
      {"bytes_sent", count(info.bytes_sent)},           {"bytes_received", count(info.bytes_received)},
      {"buffered_amount", count(info.buffered_amount)}, {"waiting_messages", count(info.waiting_messages)},
  };
}

}  // namespace pollrtc::godot_plugin
