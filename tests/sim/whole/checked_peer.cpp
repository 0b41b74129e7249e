#include "sim/whole/checked_peer.h"

#include <algorithm>
#include <ctime>
#include <ostream>

#include "base/address.h"
#include "sim/whole/peer_window.h"

namespace pollrtc::sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kConsent = 30s;          // RFC 7675 §5.1
constexpr std::size_t kSocketBuffer = 200;  // datagrams that wait for a process that does not run

// Adds what the thread works while it lives. Of no influence on the run.
class Meter {
 public:
  explicit Meter(std::chrono::nanoseconds& sum) : sum_(sum), begin_(now()) {}
  ~Meter() { sum_ += now() - begin_; }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

 private:
  static std::chrono::nanoseconds now() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
  }
  std::chrono::nanoseconds& sum_;
  std::chrono::nanoseconds begin_;
};

template <class Enum>
struct Edge {
  Enum from, to;
};
using C = ConnectionState;
constexpr Edge<C> kConnectionEdges[] = {
    {C::New, C::Connecting},
    {C::New, C::Failed},
    {C::New, C::Closed},
    {C::Connecting, C::Connected},
    {C::Connecting, C::Failed},
    {C::Connecting, C::Closed},
    {C::Connecting, C::Disconnected},
    {C::Connected, C::Failed},
    {C::Connected, C::Closed},
    {C::Connected, C::Disconnected},
    {C::Disconnected, C::Failed},
    {C::Disconnected, C::Closed},
    {C::Disconnected, C::Connected},
    // What ICE lost, a restart of ICE can bring back.
    {C::Disconnected, C::Connecting},
    {C::Connected, C::Connecting},
    {C::Failed, C::Connecting},
    {C::Failed, C::Closed},
};
using S = SignalingState;
constexpr Edge<S> kSignalingEdges[] = {
    // RFC 9429 §3.2; none of the runs makes provisional answers
    {S::Stable, S::HaveLocalOffer},  {S::Stable, S::HaveRemoteOffer}, {S::HaveLocalOffer, S::Stable},
    {S::HaveRemoteOffer, S::Stable}, {S::Stable, S::Closed},          {S::HaveLocalOffer, S::Closed},
    {S::HaveRemoteOffer, S::Closed},
};

template <class Enum, std::size_t N>
void take_edge(const Edge<Enum> (&edges)[N], Enum& state, Enum next) {
  const bool known = std::any_of(std::begin(edges), std::end(edges),
                                 [&](const Edge<Enum>& e) { return e.from == state && e.to == next; });
  if (!known)
    throw Violation("INV-8: from " + std::string(name_of(state)) + " to " + std::string(name_of(next)));
  state = next;
}

std::uint32_t base_size(const sctp::PathSizes& path) {
  return std::clamp<std::uint32_t>(path.base, 508, 16384) & ~3u;
}
std::uint32_t most_tried(const sctp::PathSizes& path) {
  return path.max_ip == 0 ? 0 : std::min(path.max_ip - path.below, 16384u) & ~3u;
}

SctpSetup setup_of(const sctp::AssociationConfig& config, const Limits& limits, std::uint32_t tsn) {
  const sctp::PathSizes path{config.mtu, config.max_ip, config.below};
  SctpSetup setup;
  setup.base_size = base_size(path);
  setup.most_tried = most_tried(path);
  setup.local_initial_tsn = tsn;
  setup.interleaves = config.interleaving;
  setup.carries_dcep = true;
  setup.accepts_zero_checksum = config.announce_zero_checksum;
  setup.rx_window = std::max(limits.sctp_rx_window, limits.sctp_rx_window_max);
  const bool is_small = limits.sctp_tsn_span <= Limits::small().sctp_tsn_span;
  setup.memory = (is_small ? 384u : 1536u) * 1024 + setup.rx_window;
  return setup;
}

}  // namespace

CheckedPeer::CheckedPeer(const CheckedPeerOptions& options, Participant& participant, Time now)
    : options_(options),
      participant_(participant),
      environment_(options.seed),
      memory_(environment_.env.memory),
      random_(options.seed ^ 0x5EED),
      shortage_(options.seed ^ 0x5407) {
  environment_.env.memory = {allocate,
                             [](void* context, void* block, std::size_t bytes, std::size_t align) {
                               const Memory& memory = static_cast<CheckedPeer*>(context)->memory_;
                               memory.release(memory.context, block, bytes, align);
                             },
                             this};
  environment_.env.limits = options.limits;
  environment_.env.log = {on_log, this, options.log != nullptr ? LogLevel::Debug : LogLevel::Info};
  PeerConfig config = options.config;
  config.tap = {on_packet, this};
  now_ = participant.clock.local(now);
  auto made = Peer::create(environment_.env, config, now_);
  if (!made) throw Violation("no peer: " + std::string(made.error().detail()));
  peer_.emplace(*std::move(made));
}

void CheckedPeer::finish() {
  peer_.reset();
  if (environment_.bytes_in_use() != 0) throw Violation("INV-5: memory is left behind");
}

// --- hooks ---

void* CheckedPeer::allocate(void* context, std::size_t bytes, std::size_t align) {
  auto& self = *static_cast<CheckedPeer*>(context);
  if (!self.shortage_.chance(self.participant_.no_memory))
    return self.memory_.allocate(self.memory_.context, bytes, align);
  ++self.shortages_;
  return nullptr;
}

void CheckedPeer::on_log(void* context, LogLevel, std::string_view room, std::string_view line) {
  auto& self = *static_cast<CheckedPeer*>(context);
  if (self.options_.log != nullptr)
    *self.options_.log << self.now_.time_since_epoch().count() / 1000 << " ms " << self.options_.name << ' '
                       << room << ": " << line << '\n';
  if (line.starts_with("sctp ended")) self.first_failure_ = std::string(line);
  const std::size_t arrow = line.find(" -> "), colon = line.find(": ");
  if (room != "sctp" || !self.sctp_ || colon == std::string_view::npos || arrow > colon) return;
  try {
    self.sctp_->on_edge(line.substr(0, arrow), line.substr(arrow + 4, colon - arrow - 4));
  } catch (const Violation& violation) {
    self.broken_ = violation.what();
  }
}

void CheckedPeer::on_packet(void* context, const TappedPacket& packet) {
  auto& self = *static_cast<CheckedPeer*>(context);
  if (self.sink) self.sink(self.now_, packet);
  if (packet.layer != PacketLayer::Sctp || !self.broken_.empty()) return;
  try {
    self.on_sctp(packet);
  } catch (const Violation& violation) {
    self.broken_ = violation.what();
  }
}

void CheckedPeer::begin_sctp() {
  const sctp::Association& association = *inside(*peer_).association;
  sctp_.emplace(setup_of(sctp::Inspector::config(association), options_.limits,
                         sctp::Inspector::initial_tsn(association)));
}

void CheckedPeer::on_sctp(const TappedPacket& packet) {
  if (!inside(*peer_).association) {
    if (takes_sctp) takes_sctp(packet.bytes);
    return;
  }
  if (options_.is_against_attacker) {
    if (packet.is_sent) (void)wire::read_strictly(packet.bytes);
    return;
  }
  if (!sctp_) begin_sctp();
  if (packet.is_sent) {
    SctpFacts after;
    look(after);
    const sctp::PathSizes path = inside(*peer_).path_sizes();
    sctp_->set_path(base_size(path), most_tried(path));
    return sctp_->on_sent(packet.bytes, before_, after);
  }
  constexpr std::size_t kChunk = 12, kTsnOfInit = kChunk + 16;
  const bool is_init = packet.bytes.size() > kTsnOfInit + 4 &&
                       (packet.bytes[kChunk] == wire::kInit || packet.bytes[kChunk] == wire::kInitAck);
  if (!knows_peer_tsn_ && is_init) {
    knows_peer_tsn_ = true;
    sctp_->set_peer_initial_tsn(wire::u32(packet.bytes, kTsnOfInit));
  }
  const sctp::Association& association = *inside(*peer_).association;
  sctp_->on_received(packet.bytes, static_cast<SctpState>(association.state()),
                     sctp::Inspector::local_tag(association));
}

// --- the invariants around each call ---

void CheckedPeer::look(SctpFacts& facts) const {
  const sctp::Association& association = *inside(const_cast<Peer&>(*peer_)).association;
  facts.state = static_cast<SctpState>(association.state());
  const sctp::AssociationStats stats = association.stats();
  facts.outstanding = stats.outstanding_bytes;
  facts.buffered_total = 0;  // with what DCEP has waiting; the streams are looked at one by one
  facts.heap = environment_.bytes_in_use();
  facts.lacked_memory = refused_allocations() != 0;
  facts.next_timeout = association.next_timeout();
  facts.packet_size = stats.mtu;
  facts.dont_fragment = association.dont_fragment();
  sctp::Inspector::look(association, facts);
  facts.own_bytes = peak_own_bytes_ = std::max(peak_own_bytes_, facts.own_bytes);
}

void CheckedPeer::enter(Time now) {
  now_ = participant_.clock.local(now);
  if (sctp_ && inside(*peer_).association) look(before_);
  owes_ = true;
}

void CheckedPeer::leave() { check(); }

void CheckedPeer::check() {
  if (!broken_.empty()) throw Violation(broken_);
  const auto& impl = inside(*peer_);
  if (impl.association && !impl.has_ended())
    SctpInvariants::check_window(sctp::Inspector::window_used(*impl.association), window_held(*peer_));
  if (!sctp_ || !impl.association) {
    // lim.mem.peer, with the window as wide as it may become.
    const Limits& limits = options_.limits;
    const bool is_small = limits.sctp_tsn_span <= Limits::small().sctp_tsn_span;
    std::size_t most =
        (is_small ? 384u : 1536u) * 1024 + std::max(limits.sctp_rx_window, limits.sctp_rx_window_max);
    if (impl.association) {  // what our own user has waiting is no gift of the peer's
      SctpFacts facts;
      look(facts);
      most += 2 * facts.own_bytes;
    }
    if (environment_.bytes_in_use() > most)
      throw Violation("INV-5: " + std::to_string(environment_.bytes_in_use()) + " bytes of memory");
    return;
  }
  SctpFacts facts;
  look(facts);
  sctp_->check(now_, facts);
  if (impl.has_ended()) return;
  for (const std::uint16_t stream : streams_)
    sctp_->check_buffered(stream, impl.association->buffered_amount(stream));
}

// RFC 7675 §5.1: data goes only where a check was answered within 30 s.
void CheckedPeer::check_destination(const Path& path, Bytes datagram) {
  const std::uint8_t first = datagram[0];
  const auto& mine = participant_.addresses;
  if (!mine.empty() &&
      std::none_of(mine.begin(), mine.end(), [&](const Address& a) { return a.same_ip(path.local); }))
    throw Violation("a datagram from an address that was taken away");
  if (first < 4 || servers_.count(path.remote) != 0) return;
  const auto at = answered_.find(path.remote);
  if (at == answered_.end() || now_ - at->second > kConsent)
    throw Violation("INV-7: data to " + std::string(address_text(path.remote).view()) +
                    (at == answered_.end()
                         ? ", which answered nothing"
                         : ", silent for " + std::to_string((now_ - at->second).count() / 1000) + " ms"));
}

void CheckedPeer::on_state(ConnectionState next) { take_edge(kConnectionEdges, state_, next); }
void CheckedPeer::on_state(SignalingState next) { take_edge(kSignalingEdges, signaling_, next); }

void CheckedPeer::on_message(std::uint16_t stream, std::size_t size, bool reliable) {
  if (!sctp_) return;
  streams_.insert(stream);
  sctp_->on_message(stream, size, reliable);
}

// --- the engine ---

Drop CheckedPeer::handle_datagram(Time now, const Path& path, Bytes datagram) {
  if (participant_.is_paused) {
    if (waiting_.size() < kSocketBuffer) waiting_.emplace_back(path, test::to_vector(datagram));
    return Drop::None;
  }
  enter(now);
  const Drop drop = [&] {
    const Meter meter(cpu_time_);
    return peer_->handle_datagram(now_, path, datagram);
  }();
  const bool is_success = drop == Drop::None && datagram.size() > 1 && datagram[0] == 1 && datagram[1] == 1;
  if (is_success && servers_.count(path.remote) == 0) answered_[path.remote] = last_answer_ = now_;
  leave();
  return drop;
}

void CheckedPeer::resume(Time now) {
  if (!participant_.reads_first) handle_timeout(now);
  for (const auto& [path, datagram] : std::exchange(waiting_, {})) (void)handle_datagram(now, path, datagram);
  owes_ = true;
}

std::optional<Transmit> CheckedPeer::poll_transmit(Time now, MutBytes out) {
  while (owes_ && !participant_.is_paused) {
    enter(now);
    const auto transmit = [&] {
      const Meter meter(cpu_time_);
      return peer_->poll_transmit(now_, out);
    }();
    leave();
    owes_ = transmit.has_value();
    if (!transmit) break;
    check_destination(transmit->path, Bytes(out).first(transmit->size));
    if (participant_.addresses.empty() || random_.chance(participant_.send_errors)) {
      ++refused_sends_;  // the socket said no; who owns it goes on
      continue;
    }
    return transmit;
  }
  return std::nullopt;
}

void CheckedPeer::handle_timeout(Time now) {
  enter(now);
  for (int turns = 0; peer_->next_timeout() <= now_; ++turns) {
    const Time due = peer_->next_timeout();
    peer_->handle_timeout(now_);
    leave();
    if (peer_->next_timeout() <= due) throw Violation("INV-4: handle_timeout() did not move the deadline");
    if (turns == 100) throw Violation("INV-4: a hundred deadlines at one time");
  }
}

Time CheckedPeer::next_timeout() const {
  return participant_.is_paused ? kNever : participant_.clock.world(peer_->next_timeout());
}

bool CheckedPeer::poll_event(Event& event) {
  if (participant_.is_paused || !peer_->poll_event(event)) return false;
  owes_ = true;  // who hears it will call
  if (const auto* changed = std::get_if<Peer::ConnectionChanged>(&event)) on_state(changed->state);
  if (const auto* changed = std::get_if<Peer::SignalingChanged>(&event)) on_state(changed->state);
  return true;
}

}  // namespace pollrtc::sim
