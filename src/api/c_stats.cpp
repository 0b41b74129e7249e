// What a connection and a channel have counted, for C.
#include "api/c_handles.h"

using namespace pollrtc;
using namespace pollrtc::detail;

namespace {

template <std::size_t kSize>
void copy_text(std::string_view from, char (&to)[kSize]) {
  const std::size_t size = std::min(from.size(), kSize - 1);
  std::copy_n(from.begin(), size, to);
  to[size] = '\0';
}

void copy_fingerprint(const Fingerprint& from, std::uint8_t (&to)[32]) {
  std::copy_n(from.bytes.begin(), sizeof to, to);
}

pollrtc_stats convert(const PeerStats& from) {
  pollrtc_stats to{};
  to.datagrams_sent = from.datagrams_sent;
  to.datagrams_received = from.datagrams_received;
  to.bytes_sent = from.bytes_sent;
  to.bytes_received = from.bytes_received;
  to.messages_sent = from.messages_sent;
  to.messages_received = from.messages_received;
  for (std::size_t i = 1; i < kDropCount; ++i) to.drops += from.drops[i];  // the first is Drop::None
  to.ice_round_trip_time_us = from.ice_round_trip_time ? from.ice_round_trip_time->count() : -1;
  const bool has_sctp = from.sctp_rto != Duration::zero();
  to.sctp_srtt_us = has_sctp ? from.sctp_srtt.count() : -1;
  to.sctp_rto_us = has_sctp ? from.sctp_rto.count() : -1;
  to.sctp_cwnd = from.sctp_cwnd;
  to.sctp_peer_rwnd = from.sctp_peer_rwnd;
  to.sctp_outstanding = from.sctp_outstanding;
  to.sctp_retransmitted_chunks = from.sctp_retransmitted_chunks;
  to.sctp_mtu = from.sctp_mtu;
  to.dtls_is_client = from.dtls_is_client ? 1 : 0;
  copy_text(from.dtls_version, to.dtls_version);
  copy_text(from.dtls_cipher_suite, to.dtls_cipher_suite);
  copy_fingerprint(from.local_fingerprint, to.local_fingerprint);
  if (from.remote_fingerprint) copy_fingerprint(*from.remote_fingerprint, to.remote_fingerprint);
  if (from.selected_path) {
    to.local_address = c_address(from.selected_path->local);
    to.remote_address = c_address(from.selected_path->remote);
    to.is_tcp = from.selected_path->transport == Transport::Tcp ? 1 : 0;
  }
  to.local_type = static_cast<pollrtc_candidate_type>(from.local_type);
  to.remote_type = static_cast<pollrtc_candidate_type>(from.remote_type);
  copy_text(from.local_name.view(), to.local_name);
  copy_text(from.remote_name.view(), to.remote_name);
  to.close_reason = name_of(from.close_reason).data();  // a literal, so it ends with a NUL
  return to;
}
static_assert(static_cast<int>(CandidateType::Relayed) == POLLRTC_CANDIDATE_RELAYED);

}  // namespace

pollrtc_result pollrtc_connection_get_stats(const pollrtc_connection* connection, pollrtc_stats* stats) {
  if (connection == nullptr || stats == nullptr || stats->size < sizeof stats->size)
    return POLLRTC_INVALID_ARGUMENT;
  return hand_out(convert(connection->connection->get_stats()), stats);
}

uint64_t pollrtc_connection_get_drops(const pollrtc_connection* connection, unsigned reason,
                                      const char** name) {
  const bool is_reason = reason < kDropCount;
  if (name != nullptr) *name = is_reason ? name_of(static_cast<Drop>(reason)).data() : nullptr;
  return connection == nullptr || !is_reason ? 0 : connection->connection->get_stats().drops[reason];
}

pollrtc_result pollrtc_channel_get_stats(const pollrtc_channel* channel, pollrtc_channel_stats* stats) {
  if (channel == nullptr || stats == nullptr || stats->size < sizeof stats->size)
    return POLLRTC_INVALID_ARGUMENT;
  const ChannelInfo from = channel->channel->get_stats();
  pollrtc_channel_stats to{};
  to.messages_sent = from.messages_sent;
  to.messages_received = from.messages_received;
  to.bytes_sent = from.bytes_sent;
  to.bytes_received = from.bytes_received;
  to.buffered_amount = from.buffered_amount;
  to.waiting_messages = from.waiting_messages;
  return hand_out(to, stats);
}
