#include "pollrtc/peer_connection.h"

#include <algorithm>

#include "api/connection_core.h"
#include "base/address.h"
#include "net/clock.h"
#include "net/entropy.h"
#include "net/socket_setup.h"

namespace pollrtc {

using detail::ConnectionCore;

namespace {

bool has_peer(const std::shared_ptr<ConnectionCore>& core) {
  return core != nullptr && core->peer() != nullptr;
}

}  // namespace

PeerConnection::PeerConnection()
    : core_(std::make_shared<ConnectionCore>(this, Configuration{}, std::vector<detail::IceServerEntry>{})) {}

ConnectionCore& PeerConnection::core() {
  if (core_ == nullptr)
    core_ = std::make_shared<ConnectionCore>(this, Configuration{}, std::vector<detail::IceServerEntry>{});
  return *core_;
}

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
      gathering_state_changed(std::move(other.gathering_state_changed)),
      signaling_state_changed(std::move(other.signaling_state_changed)),
      ice_server_failed(std::move(other.ice_server_failed)),
      core_(std::move(other.core_)) {
  if (core_ != nullptr) core_->set_owner(this);
}

PeerConnection& PeerConnection::operator=(PeerConnection&& other) noexcept {
  std::swap(session_description_created, other.session_description_created);
  std::swap(ice_candidate_created, other.ice_candidate_created);
  std::swap(data_channel_received, other.data_channel_received);
  std::swap(connection_state_changed, other.connection_state_changed);
  std::swap(gathering_state_changed, other.gathering_state_changed);
  std::swap(signaling_state_changed, other.signaling_state_changed);
  std::swap(ice_server_failed, other.ice_server_failed);
  std::swap(core_, other.core_);
  if (core_ != nullptr) core_->set_owner(this);
  if (other.core_ != nullptr) other.core_->set_owner(&other);
  return *this;
}

Status PeerConnection::initialize(const Configuration& configuration) {
  std::vector<detail::IceServerEntry> servers;
  for (const IceServer& server : configuration.ice_servers) {
    if (server.urls.empty()) return fail(ErrorCode::InvalidArgument, "an ICE server has no urls");
    for (const std::string& url : server.urls) {
      const Result<IceServerUrl> parsed = parse_ice_server_url(url);
      if (!parsed) return Unexpected{parsed.error()};
      if (parsed->is_turn && (server.username.empty() || server.credential.empty()))
        return fail(ErrorCode::InvalidArgument, "a TURN server needs a username and a credential");
      servers.push_back({*parsed, url, server.username, server.credential});
    }
  }
  if (!net::PortRange{configuration.port_range_begin, configuration.port_range_end}.is_valid())
    return fail(ErrorCode::InvalidArgument, "a port range runs from 1 or more upwards, or is 0 to 0");
  for (const std::string& text : {configuration.nat_1_1_internal, configuration.nat_1_1_external})
    if (text.empty() != configuration.nat_1_1_internal.empty() || (!text.empty() && !parse_ip(text)))
      return fail(ErrorCode::InvalidArgument, "a one-to-one NAT is two IP addresses");
  if (const Status status = detail::check_network_settings(configuration.dscp, configuration.network);
      !status)
    return status;
  if (configuration.network.is_set() && configuration.udp_mux != nullptr)
    return fail(ErrorCode::InvalidArgument, "a network was given, and a UdpMux, which has one of its own");
  if (configuration.udp_mux != nullptr)
    if (const Status status = ConnectionCore::check_mux(*configuration.udp_mux); !status) return status;
  if (configuration.network.is_set() && configuration.ice_transports != IceTransports::Udp)
    return fail(ErrorCode::NotSupported, "a network that was given has no TCP");
  if ((configuration.memory.allocate == nullptr) != (configuration.memory.release == nullptr))
    return fail(ErrorCode::InvalidArgument, "of the hooks of a memory one is missing");
  if (const Status status = core().check_no_hook(); !status) return status;
  const std::shared_ptr<ConnectionCore> former = core_;
  auto fresh = std::make_shared<ConnectionCore>(this, configuration, std::move(servers));
  // A certificate of the user's is read now, while there is somebody to tell.
  const CertificatePem& given = configuration.certificate;
  if (!given.certificate.empty() || !given.private_key.empty())
    if (const Status status = fresh->prepare(); !status) return status;
  // In both calls a log sink may drop this object, or start it over: then nothing of it is touched any more.
  const auto dropped = [] { return fail(ErrorCode::InvalidState, "a log sink has dropped the connection"); };
  if (!former->is_owned_by(this)) return dropped();
  former->end();
  if (!former->is_owned_by(this)) return dropped();
  former->set_owner(nullptr);
  core_ = std::move(fresh);
  return {};
}

Status PeerConnection::prepare() { return core().prepare(); }

Result<std::shared_ptr<DataChannel>> PeerConnection::create_data_channel(std::string_view label,
                                                                         const DataChannelOptions& options) {
  return core().create_channel(label, options);
}
Status PeerConnection::create_offer() { return core().create_offer(); }
Status PeerConnection::restart_ice() { return core().restart_ice(); }
Status PeerConnection::create_answer() { return core().create_answer(); }
Status PeerConnection::set_local_description(std::string_view type, std::string_view sdp) {
  return core().set_local_description(type, sdp);
}
Status PeerConnection::set_remote_description(std::string_view type, std::string_view sdp) {
  return core().set_remote_description(type, sdp);
}
Status PeerConnection::add_ice_candidate(std::string_view media, int index, std::string_view name) {
  return core().add_candidate(media, index, name);
}
Status PeerConnection::poll() {
  (void)core();
  const std::shared_ptr<ConnectionCore> core = core_;  // a handler may replace it or destroy this object
  return core->poll();
}
Status PeerConnection::wait(Duration timeout) {
  (void)core();
  const std::shared_ptr<ConnectionCore> core = core_;
  return core->wait(timeout);
}
bool PeerConnection::next_event(Event& event) {
  (void)core();
  const std::shared_ptr<ConnectionCore> core = core_;  // a hook may drop this object
  return core->pull_event(event);
}
void PeerConnection::flush() { core().send_held(); }
void PeerConnection::close() { core().close(); }

Status poll_all(std::span<PeerConnection* const> connections, Duration timeout) {
  struct Watched {
    std::shared_ptr<ConnectionCore> core;  // a handler may destroy any of the connections
    std::size_t first, end;                // its places in the poller
  };
  std::vector<Watched> all;
  all.reserve(connections.size());
  net::Poller poller;
  std::vector<detail::MuxCore*> muxes;  // each once; the connections keep them alive
  for (PeerConnection* const connection : connections) {
    if (connection == nullptr) return fail(ErrorCode::InvalidArgument, "a connection is null");
    (void)connection->core();
    const std::size_t first = poller.size();
    if (!connection->core_->watch(poller))
      return fail(ErrorCode::NotSupported, "a connection whose network was given cannot be slept for");
    all.push_back({connection->core_, first, poller.size()});
    detail::MuxCore* const mux = connection->core_->mux();
    if (mux != nullptr && std::find(muxes.begin(), muxes.end(), mux) == muxes.end()) {
      muxes.push_back(mux);
      (void)mux->watch(poller);
    }
    if (const auto deadline = connection->core_->time_to_sleep()) timeout = std::min(timeout, *deadline);
  }
  poller.wait(timeout);
  // Read once, for all; who is polled from inside another one's poll has done so already.
  std::erase_if(muxes, [](const detail::MuxCore* mux) { return mux->holds_reading(); });
  for (detail::MuxCore* const mux : muxes) {
    mux->read_all();
    mux->hold_reading(true);
  }
  for (const Watched& watched : all) {
    if (!poller.is_any_ready(watched.first, watched.end) && !watched.core->is_due()) continue;
    (void)watched.core->poll();  // refused where the caller stands inside its signal
  }
  for (detail::MuxCore* const mux : muxes) mux->hold_reading(false);
  return {};
}

Result<CertificatePem> generate_certificate() {
  Environment environment;
  environment.rng = net::system_rng();
  return generate_certificate(environment, net::unix_seconds());
}

ConnectionState PeerConnection::get_connection_state() const {
  return has_peer(core_) ? core_->peer()->connection_state() : ConnectionState::New;
}
GatheringState PeerConnection::get_gathering_state() const {
  return has_peer(core_) ? core_->peer()->gathering_state() : GatheringState::New;
}
SignalingState PeerConnection::get_signaling_state() const {
  return has_peer(core_) ? core_->peer()->signaling_state() : SignalingState::Stable;
}
std::size_t PeerConnection::get_sockets(std::span<int> out) const {
  return core_ == nullptr ? 0 : core_->sockets(out);
}
std::optional<Duration> PeerConnection::get_time_to_next_deadline() const {
  return core_ == nullptr ? std::nullopt : core_->time_to_next_deadline();
}
std::size_t PeerConnection::get_max_message_size() const {
  return has_peer(core_) ? core_->peer()->max_message_size() : 65536;
}
PeerStats PeerConnection::get_stats() const {
  if (!has_peer(core_)) return {};
  PeerStats stats = core_->peer()->stats();
  for (std::size_t i = 0; i < kDropCount; ++i) stats.drops[i] += core_->name_drops()[static_cast<Drop>(i)];
  stats.drops[static_cast<std::size_t>(Drop::SocketOverflow)] += core_->overflows();
  return stats;
}

}  // namespace pollrtc
