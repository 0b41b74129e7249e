#include "pollrtc/peer_connection.h"

#include "api/connection_core.h"

namespace pollrtc {

using detail::ConnectionCore;

PeerConnection::PeerConnection()
    : core_(std::make_shared<ConnectionCore>(this, Configuration{}, std::vector<IceServerUrl>{})) {}

PeerConnection::~PeerConnection() {
  if (core_ == nullptr) return;  // moved from
  core_->set_owner(nullptr);
  core_->end();
}

PeerConnection::PeerConnection(PeerConnection&& other) noexcept
    : session_description_created(std::move(other.session_description_created)),
      ice_candidate_created(std::move(other.ice_candidate_created)),
      data_channel_received(std::move(other.data_channel_received)),
      connection_state_changed(std::move(other.connection_state_changed)),
      core_(std::move(other.core_)) {
  if (core_ != nullptr) core_->set_owner(this);
}

PeerConnection& PeerConnection::operator=(PeerConnection&& other) noexcept {
  std::swap(session_description_created, other.session_description_created);
  std::swap(ice_candidate_created, other.ice_candidate_created);
  std::swap(data_channel_received, other.data_channel_received);
  std::swap(connection_state_changed, other.connection_state_changed);
  std::swap(core_, other.core_);
  if (core_ != nullptr) core_->set_owner(this);
  if (other.core_ != nullptr) other.core_->set_owner(&other);
  return *this;
}

Status PeerConnection::initialize(const Configuration& configuration) {
  std::vector<IceServerUrl> servers;
  for (const IceServer& server : configuration.ice_servers) {
    if (server.urls.empty()) return fail(ErrorCode::InvalidArgument, "an ICE server has no urls");
    for (const std::string& url : server.urls) {
      const Result<IceServerUrl> parsed = parse_ice_server_url(url);
      if (!parsed) return Unexpected{parsed.error()};
      servers.push_back(*parsed);
    }
  }
  if (configuration.port_range_begin > configuration.port_range_end)
    return fail(ErrorCode::InvalidArgument, "the port range ends before it begins");
  auto fresh = std::make_shared<ConnectionCore>(this, configuration, std::move(servers));
  core_->set_owner(nullptr);
  core_->end();
  core_ = std::move(fresh);
  return {};
}

Result<std::shared_ptr<DataChannel>> PeerConnection::create_data_channel(std::string_view label,
                                                                         const DataChannelOptions& options) {
  return core_->create_channel(label, options);
}
Status PeerConnection::create_offer() { return core_->create_offer(); }
Status PeerConnection::set_local_description(std::string_view type, std::string_view sdp) {
  return core_->set_local_description(type, sdp);
}
Status PeerConnection::set_remote_description(std::string_view type, std::string_view sdp) {
  return core_->set_remote_description(type, sdp);
}
Status PeerConnection::add_ice_candidate(std::string_view media, int index, std::string_view name) {
  return core_->add_candidate(media, index, name);
}
Status PeerConnection::poll() {
  const std::shared_ptr<ConnectionCore> core = core_;  // a handler may replace it or destroy this object
  return core->poll();
}
Status PeerConnection::wait(Duration timeout) {
  const std::shared_ptr<ConnectionCore> core = core_;
  return core->wait(timeout);
}
void PeerConnection::close() { core_->close(); }

ConnectionState PeerConnection::get_connection_state() const {
  return core_->peer() ? core_->peer()->connection_state() : ConnectionState::New;
}
GatheringState PeerConnection::get_gathering_state() const {
  return core_->peer() ? core_->peer()->gathering_state() : GatheringState::New;
}
SignalingState PeerConnection::get_signaling_state() const {
  return core_->peer() ? core_->peer()->signaling_state() : SignalingState::Stable;
}
std::size_t PeerConnection::get_sockets(std::span<int> out) const { return core_->sockets(out); }
std::optional<Duration> PeerConnection::get_time_to_next_deadline() const {
  return core_->time_to_next_deadline();
}
std::size_t PeerConnection::get_max_message_size() const {
  return core_->peer() ? core_->peer()->max_message_size() : 65536;
}
PeerStats PeerConnection::get_stats() const { return core_->peer() ? core_->peer()->stats() : PeerStats{}; }

}  // namespace pollrtc
