// The Peer behind a PeerConnection: descriptions, candidates, channels, and its end.
#include "api/connection_core.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "net/clock.h"
#include "net/entropy.h"
#include "net/trusted_certificates.h"

namespace pollrtc::detail {
namespace {

// At least. Our datagrams are no larger than max_ip_packet, but a request to a TURN server holds whatever realm and nonce it
// gave us.
constexpr std::size_t kSendBuffer = 2560;

// Of a description that we made: one line of it says so.
std::string_view ufrag_of(std::string_view sdp) {
  constexpr std::string_view kLine = "a=ice-ufrag:";
  const std::size_t at = sdp.find(kLine);
  if (at == std::string_view::npos) return {};
  sdp.remove_prefix(at + kLine.size());
  return sdp.substr(0, sdp.find('\r'));
}

net::Resolver::Config resolver_config(const Configuration& configuration) {
  net::Resolver::Config config;
  config.hook = configuration.resolver;
  return config;
}

}  // namespace

ConnectionCore::ConnectionCore(PeerConnection* owner, const Configuration& configuration,
                               std::vector<IceServerEntry> servers)
    : owner_(owner),
      configuration_(configuration),
      servers_(std::move(servers)),
      environment_(make_environment()),
      system_network_(environment_, configuration.dscp, configuration.udp_offload),
      network_(choose_network()),
      own_network_(choose_own_network()),
      names_(environment_, own_network_),
      largest_datagram_(std::max<std::size_t>(kSendBuffer, configuration.max_ip_packet)),
      resolver_(environment_, resolver_config(configuration_)),
      poller_(environment_.memory) {}

ConnectionCore::~ConnectionCore() {
  close_sockets();
  wipe_key();
}

void ConnectionCore::wipe_key() {
  std::string& key = configuration_.certificate.private_key;
  crypto::wipe(key.data(), key.size());
}

Environment ConnectionCore::make_environment() {
  Environment environment;
  environment.rng = configuration_.rng.fill != nullptr ? configuration_.rng : net::system_rng();
  if (configuration_.memory.allocate != nullptr) environment.memory = configuration_.memory;
  if (configuration_.log.write != nullptr) environment.log = {write_log_line, this, configuration_.log.level};
  environment.limits = configuration_.limits;
  environment.pacer = configuration_.pacer;
  return environment;
}

Network ConnectionCore::choose_network() {
  if (configuration_.network.is_set()) return configuration_.network;
  if (configuration_.udp_mux == nullptr) return system_network_.hooks();
  mux_member_.emplace(configuration_.udp_mux->core_).attach(*this);
  return mux_member_->hooks();
}

// The sockets for names are a connection's own, also where those for datagrams are shared; and those for TURN, since a server
// sees one client in all that comes from one port.
Network ConnectionCore::choose_own_network() {
  if (!mux_member_) return network_;
  return mux_member_->core().is_given() ? mux_member_->core().network() : system_network_.hooks();
}

// One that poll(2) cannot watch.
bool ConnectionCore::has_given_network() const {
  return configuration_.network.is_set() || (mux_member_ && mux_member_->core().is_given());
}

int ConnectionCore::descriptor_of(const Socket& socket) const {
  if (mux_member_ && !socket.is_for_turn) return mux_member_->core().descriptor(socket.number);
  return has_given_network() ? socket.number : system_network_.descriptor(socket.number);
}

Time ConnectionCore::now() const { return latest_ = std::max(latest_, network_.now(network_.context)); }

Result<Peer*> ConnectionCore::ensure_peer() {
  if (peer_) return &*peer_;
  PeerConfig config;
  config.unix_time = net::unix_seconds();
  config.allow_loopback = configuration_.include_loopback;
  config.relay_only = configuration_.ice_transport_policy == IceTransportPolicy::Relay;
  config.ice_lite = configuration_.ice_lite;
  config.shared_sockets = mux_member_.has_value();
  if (network_.send_whole != nullptr) config.max_ip_packet = configuration_.max_ip_packet;
  config.transport_goal = configuration_.transport_goal;
  config.certificate_pem = configuration_.certificate.certificate;
  config.private_key_pem = configuration_.certificate.private_key;
  if (configuration_.tap.packet != nullptr) config.tap = {tap_packet, this};
  Result<Peer> made = Peer::create(environment_, config, now());
  if (!made) return Unexpected{made.error()};
  peer_.emplace(*std::move(made));
  wipe_key();  // it is in the Peer now, in a form of its own
  // Moved away, the texts give back their memory; assigned or cleared, they would keep it.
  const CertificatePem used = std::move(configuration_.certificate);
  trust_somebody();
  return &*peer_;
}

// Reading the system's certificates takes a while, so it is done for those who need them.
void ConnectionCore::trust_somebody() {
  const bool is_needed = std::any_of(servers_.begin(), servers_.end(), [](const IceServerEntry& entry) {
    return entry.server.is_turn && entry.server.transport == TurnTransport::Tls;
  });
  if (!is_needed) return;
  Buffer system(environment_.memory);
  if (configuration_.trusted_certificates.empty()) net::read_trusted_certificates(system);
  const std::string_view pem =
      system.empty() ? std::string_view(configuration_.trusted_certificates) : as_text(system);
  if (const Status status = peer_->add_trusted_certificates(now(), pem); !status)
    POLLRTC_LOG(environment_, Warning, "api", "turns: {}", status.error().detail());
}

// --- hooks

// The sink and the tap run in the middle of an engine's work, where no call may change anything.
Status ConnectionCore::check_no_hook() const {
  if (in_hook_) return fail(ErrorCode::InvalidState, "called from inside a log sink or a packet tap");
  return {};
}

Status ConnectionCore::check_mux(const UdpMux& mux) { return mux.core_->check(); }

void ConnectionCore::write_log_line(void* context, LogLevel level, std::string_view room,
                                    std::string_view line) {
  ConnectionCore& core = *static_cast<ConnectionCore*>(context);
  if (core.in_hook_) return;
  core.in_hook_ = true;
  core.configuration_.log.write(core.configuration_.log.context, level, room, line);
  core.in_hook_ = false;
}

void ConnectionCore::tap_packet(void* context, const TappedPacket& packet) {
  ConnectionCore& core = *static_cast<ConnectionCore*>(context);
  if (core.in_hook_) return;
  core.in_hook_ = true;
  core.configuration_.tap.packet(core.configuration_.tap.context, packet);
  core.in_hook_ = false;
}

void ConnectionCore::finish_for_hook() {
  const std::shared_ptr<ConnectionCore> self = std::move(kept_by_hook_);
  std::vector<ChannelHandle> released;
  released.swap(released_by_hook_);
  for (const ChannelHandle handle : released) release_channel(handle);
  if (std::exchange(end_owed_, false)) end();
}

// --- the end

void ConnectionCore::close() {
  if (!check_no_hook()) return;
  const Call call(*this);
  is_closed_ = true;
  pending_description_.reset();
  buffered_low_.clear();
  lost_servers_.clear();
  if (!peer_ && !ensure_peer()) return;  // a connection closed before its first use is closed all the same
  if (gathered_ != 0) flush();           // what was handed in before goes before it
  peer_->close(now());
  while (!flush()) {
  }
  close_sockets();
  // All it has to tell now is that its streams are done. With nobody to take that it would be due for ever.
  for (Peer::Event left; peer_->poll_event(left);) {
  }
  gathering_ = false;
  lookups_.clear();
}

void ConnectionCore::end() {
  if (in_hook_) {
    end_owed_ = true;
    if (calls_ != 0) kept_by_hook_ = shared_from_this();
  } else if (peer_) {
    close();
  }
}

// --- descriptions

Status ConnectionCore::announce(SdpType type, const std::string& sdp) {
  if (const Status status = peer_->set_local_description(now(), type, sdp); !status) return status;
  if (mux_member_) mux_member_->add_ufrag(ufrag_of(sdp));
  if (peer_->gathering_state() == GatheringState::Gathering) gather();
  last_local_type_ = name_of(type);
  last_local_description_ = sdp;
  // RFC 8838 §5: to an end that cannot take candidates later, everything goes in one piece.
  candidates_in_description_ = type == SdpType::Answer && peer_->can_trickle() == false &&
                               peer_->gathering_state() != GatheringState::New;  // there will be some
  pending_description_ = std::make_unique<PendingDescription>(
      PendingDescription{last_local_type_, sdp, candidates_in_description_});
  flush();
  return {};
}

Status ConnectionCore::create_offer() {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  if ((*peer)->connection_state() != ConnectionState::New)
    return fail(ErrorCode::InvalidState, "an offer can be made only once, before anything else");
  const Result<std::string> offer = (*peer)->create_offer(now());
  if (!offer) return Unexpected{offer.error()};
  return announce(SdpType::Offer, *offer);
}

Status ConnectionCore::restart_ice() {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const ConnectionState state = peer_ ? peer_->connection_state() : ConnectionState::New;
  const bool has_failed = state == ConnectionState::Failed;
  if (state != ConnectionState::Connected && state != ConnectionState::Disconnected && !has_failed)
    return fail(ErrorCode::InvalidState, "there is no connection to restart");
  const SignalingState signaling = peer_->signaling_state();
  if (signaling == SignalingState::Closed)
    return fail(ErrorCode::InvalidState, "the connection has ended, and cannot be restarted");
  // An offer that was made while the path was being lost is perhaps lost as well. The other end may also have it, or have
  // answered it: so it is the same that is given again, not another.
  if (has_failed && signaling == SignalingState::HaveLocalOffer) {
    last_local_description_ = peer_->local_description();
    pending_description_ = std::make_unique<PendingDescription>(
        PendingDescription{last_local_type_, last_local_description_, false});
    return {};
  }
  if (signaling != SignalingState::Stable)
    return fail(ErrorCode::InvalidState, "an offer waits for its answer");
  OfferOptions options;
  options.ice_restart = true;
  const Result<std::string> offer = peer_->create_offer(now(), options);
  if (!offer) return Unexpected{offer.error()};
  restart_owed_ = false;
  return announce(SdpType::Offer, *offer);
}

Status ConnectionCore::set_local_description(std::string_view type, std::string_view sdp) {
  if (const Status status = check_no_hook(); !status) return status;
  if (!peer_ || peer_->signaling_state() == SignalingState::Closed)
    return fail(ErrorCode::InvalidState, "there is no local description to set");
  if (type == name_of(SdpType::Rollback)) return roll_back();
  if (type != last_local_type_ || sdp != last_local_description_)
    return fail(ErrorCode::InvalidArgument, "not the description that session_description_created gave");
  return {};
}

// RFC 9429 §5.7: either setter may ask for it, and means the same.
Status ConnectionCore::roll_back() {
  const Call call(*this);
  if (const Status status = take_offer_back(); !status) return status;
  last_local_type_.clear();
  last_local_description_.clear();
  flush();
  return {};
}

// The mux forgets its user name, or some in a row would push out the one in force. Credentials of the first offer stay in use.
Status ConnectionCore::take_offer_back() {
  if (const Status status = peer_->set_local_description(now(), SdpType::Rollback, {}); !status)
    return status;
  pending_description_.reset();
  const std::string in_force = peer_->local_description();
  const std::string_view offered = ufrag_of(last_local_description_);
  if (mux_member_ && !in_force.empty() && ufrag_of(in_force) != offered) mux_member_->drop_ufrag(offered);
  return {};
}

Status ConnectionCore::create_answer() {
  if (const Status status = check_no_hook(); !status) return status;
  if (last_local_type_ != name_of(SdpType::Answer))
    return fail(ErrorCode::InvalidState, "an answer needs the other end's offer: set_remote_description()");
  return {};
}

Status ConnectionCore::prepare() {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const Result<Peer*> peer = ensure_peer();
  return peer ? Status() : Status(Unexpected{peer.error()});
}

Status ConnectionCore::set_remote_description(std::string_view type_name, std::string_view sdp) {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const auto type = sdp_type_from(type_name);
  if (!type)
    return fail(ErrorCode::InvalidArgument,
                "the type of a description is \"offer\", \"pranswer\" or \"answer\"");
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  // Both ends restarted at once: the one that did not begin the connection gives way (RFC 9429 §4.1.10.2), so that the
  // other one has nothing to do with the offer that crossed its own.
  const bool has_crossed =
      *type == SdpType::Offer && (*peer)->signaling_state() == SignalingState::HaveLocalOffer;
  const ConnectionState state = (*peer)->connection_state();
  const bool was_connected = state == ConnectionState::Connected || state == ConnectionState::Disconnected ||
                             state == ConnectionState::Failed;
  const bool passes_over = has_crossed && offered_first_ == true && was_connected;
  const bool gives_way = has_crossed && offered_first_ == false;
  if (passes_over || gives_way) {
    // What is refused takes nothing back.
    if (const Status status = (*peer)->check_offer(sdp); !status) return status;
  }
  if (passes_over) return {};
  if (gives_way)
    if (const Status status = take_offer_back(); !status) return status;
  if (*type == SdpType::Rollback) return roll_back();
  if (const Status status = (*peer)->set_remote_description(now(), *type, sdp); !status) return status;
  if (*type == SdpType::Offer) {
    const Result<std::string> answer = (*peer)->create_answer(now());
    Status status = answer ? announce(SdpType::Answer, *answer) : Status(Unexpected{answer.error()});
    if (!status) (void)(*peer)->set_remote_description(now(), SdpType::Rollback, {});
    if (status && !offered_first_) offered_first_ = false;
    return status;
  }
  if (!offered_first_) offered_first_ = true;
  flush();
  return {};
}

Status ConnectionCore::add_candidate(std::string_view mid, int index, std::string_view line) {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  const Status status = (*peer)->add_remote_candidate(now(), mid, index, line);
  flush();
  return status;
}

// --- channels

Result<std::shared_ptr<DataChannel>> ConnectionCore::create_channel(std::string_view label,
                                                                    const DataChannelOptions& options) {
  if (const Status status = check_no_hook(); !status) return Unexpected{status.error()};
  const Call call(*this);
  const Result<Peer*> peer = ensure_peer();
  if (!peer) return Unexpected{peer.error()};
  const auto limit = [](int value) -> std::optional<std::uint16_t> {
    if (value < 0) return std::nullopt;
    return static_cast<std::uint16_t>(std::min(value, 65535));
  };
  ChannelOptions channel;
  channel.label = label;
  channel.protocol = options.protocol;
  channel.ordered = options.ordered;
  channel.negotiated = options.negotiated;
  channel.priority = options.priority;
  channel.discard_when_full = options.discard_when_full;
  channel.max_retransmits = limit(options.max_retransmits);
  channel.max_lifetime_ms = limit(options.max_packet_life_time);
  if (options.negotiated) {
    if (options.id > 65534) return fail(ErrorCode::InvalidArgument, "a channel id is at most 65534");
    channel.id = limit(options.id);
  }
  const Result<ChannelHandle> handle = (*peer)->create_channel(now(), channel);
  if (!handle) return Unexpected{handle.error()};
  std::shared_ptr<DataChannel> made = make_channel(*handle);
  flush();
  return made;
}

std::shared_ptr<DataChannel> ConnectionCore::make_channel(ChannelHandle handle) {
  std::shared_ptr<DataChannel> channel(new DataChannel(shared_from_this(), handle));
  channels_.insert(channels_.begin() + static_cast<std::ptrdiff_t>(place_of(handle)), {handle, channel});
  return channel;
}

// The entries are sorted by their handles. A channel of the other end has had its handle since its OPEN came, and gets its entry
// when the event is given out: by then one of ours may have a later handle.
std::size_t ConnectionCore::place_of(ChannelHandle handle) const {
  const auto at = std::lower_bound(channels_.begin(), channels_.end(), handle,
                                   [](const ChannelEntry& e, ChannelHandle h) { return e.handle < h; });
  return static_cast<std::size_t>(at - channels_.begin());
}
const ConnectionCore::ChannelEntry* ConnectionCore::entry(ChannelHandle handle) const {
  const std::size_t at = place_of(handle);
  return at < channels_.size() && channels_[at].handle == handle ? &channels_[at] : nullptr;
}
ConnectionCore::ChannelEntry* ConnectionCore::entry(ChannelHandle handle) {
  return const_cast<ChannelEntry*>(std::as_const(*this).entry(handle));
}

std::shared_ptr<DataChannel> ConnectionCore::channel(ChannelHandle handle) {
  const ChannelEntry* e = entry(handle);
  return e == nullptr ? nullptr : e->channel.lock();
}

void ConnectionCore::send_held() {
  if (!check_no_hook() || !peer_) return;
  const Call call(*this);
  flush();
}

Status ConnectionCore::send(ChannelHandle handle, Bytes data, bool is_text,
                            std::optional<std::uint32_t> report) {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const Status status = peer_->send(now(), handle, data, is_text, report);
  if (!status) return status;
  if (ChannelEntry* e = entry(handle)) e->buffered += data.size();
  flush_sent(data.size());
  buffered_outdated_ = has_buffered_ = true;
  return status;
}

Status ConnectionCore::send_piece(ChannelHandle handle, Bytes piece, bool is_text, bool last) {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const Status status = peer_->send_piece(now(), handle, piece, is_text, last);
  if (!status) return status;
  if (ChannelEntry* e = entry(handle)) e->buffered += piece.size();
  flush_sent(piece.size());
  buffered_outdated_ = has_buffered_ = true;
  return status;
}

Status ConnectionCore::abandon_message(ChannelHandle handle) {
  if (const Status status = check_no_hook(); !status) return status;
  const Call call(*this);
  const Status status = peer_->abandon_message(now(), handle);
  flush();
  buffered_outdated_ = has_buffered_ = true;
  return status;
}

Status ConnectionCore::receive_in_pieces(ChannelHandle handle, bool on) {
  if (const Status status = check_no_hook(); !status) return status;
  return peer_->receive_in_pieces(handle, on);
}

std::optional<MessageView> ConnectionCore::receive(ChannelHandle handle) {
  if (in_hook_) return std::nullopt;
  const Call call(*this);
  return peer_->receive(now(), handle);
}

ChannelInfo ConnectionCore::info(ChannelHandle handle) const {
  ChannelInfo closed;
  closed.state = ChannelState::Closed;
  return peer_->channel(handle).value_or(closed);
}

std::size_t ConnectionCore::buffered_amount(ChannelHandle handle) const {
  const ChannelEntry* e = entry(handle);
  return e == nullptr ? 0 : e->buffered;
}

void ConnectionCore::set_buffer_low_threshold(ChannelHandle handle, std::size_t bytes) {
  if (ChannelEntry* e = entry(handle)) e->low_threshold = bytes;
}

void ConnectionCore::close_channel(ChannelHandle handle) {
  if (in_hook_) return;
  const Call call(*this);
  (void)peer_->close_channel(now(), handle);
  flush();
}

void ConnectionCore::release_channel(ChannelHandle handle) {
  if (in_hook_ && calls_ != 0) {
    released_by_hook_.push_back(handle);
    kept_by_hook_ = shared_from_this();
    return;
  }
  const Call call(*this);
  if (const ChannelEntry* e = entry(handle)) channels_.erase(channels_.begin() + (e - channels_.data()));
  peer_->release_channel(now(), handle);
  flush();
}

}  // namespace pollrtc::detail
