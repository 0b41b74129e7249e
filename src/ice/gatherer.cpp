#include "ice/gatherer.h"

#include <utility>

#include "base/address.h"
#include "base/format.h"

namespace pollrtc::ice {

namespace {

// Hosts and relayed candidates are sent from; the reflexive ones are other names of theirs.
bool is_base(const CandidateFacts& candidate) {
  return candidate.type == CandidateType::Host || candidate.type == CandidateType::Relayed;
}

void hide(CandidateFacts& candidate, const FixedString<64>& name) {
  if (name.empty()) return;
  candidate.mdns_name = name;
  candidate.mdns_port = candidate.base.port;
}

}  // namespace

void Gatherer::begin(Time now) {
  if (cut_off_ == kNever && !is_done_) cut_off_ = now + kCutOff;
}

Status Gatherer::check_base(const CandidateFacts& candidate, bool loopback_allowed) const {
  if (is_over()) return fail(ErrorCode::InvalidState, "gathering is over");
  if (!is_gatherable(candidate.base, loopback_allowed))
    return fail(ErrorCode::Refused, "not an address for a candidate");
  if (candidate.address.family != candidate.base.family ||
      !is_gatherable(candidate.address, loopback_allowed))
    return fail(ErrorCode::Refused, "not an address to announce");
  if (find_base(candidate.base, candidate.transport))
    return fail(ErrorCode::AlreadyExists, "the address was added before");
  if (locals_.size() >= limit_) return fail(ErrorCode::LimitReached, "too many local candidates");
  return {};
}

Status Gatherer::add_base(Time now, const Address& base, bool loopback_allowed, const Address& announced,
                          const FixedString<64>& hidden_as) {
  CandidateFacts candidate;
  candidate.base = base;
  candidate.address = announced.is_valid() ? announced : base;
  if (!announced.is_valid()) hide(candidate, hidden_as);
  if (const Status status = check_base(candidate, loopback_allowed); !status) return status;
  begin(now);
  if (relay_only_) return {};
  if (!add_local(candidate, Address{})) return fail(ErrorCode::OutOfMemory, "local candidate");
  if (!add_probes(static_cast<std::uint16_t>(locals_.size() - 1), 0)) {
    locals_.pop_back();
    return fail(ErrorCode::OutOfMemory, "question to a STUN server");
  }
  return {};
}

// RFC 6544 §5.1. No servers are asked about TCP: a NAT's mapping for a listening port would be of no use to an end that
// only connects, as browsers do.
Status Gatherer::add_tcp(Time now, const Address& base, TcpType direction, bool loopback_allowed,
                         const Address& announced, const FixedString<64>& hidden_as) {
  if (direction != TcpType::Active && direction != TcpType::Passive)
    return fail(ErrorCode::NotSupported, "a TCP candidate of ours is active or passive");
  const bool is_active = direction == TcpType::Active;
  CandidateFacts candidate;
  candidate.transport = Transport::Tcp;
  candidate.tcp_type = direction;
  candidate.base = is_active ? base.with_port(kActivePort) : base;
  candidate.address = !announced.is_valid() ? candidate.base
                      : is_active           ? announced.with_port(kActivePort)
                                            : announced;
  if (!announced.is_valid()) hide(candidate, hidden_as);
  if (const Status status = check_base(candidate, loopback_allowed); !status) return status;
  begin(now);
  if (relay_only_) return {};
  return add_local(candidate, Address{}) ? Status() : fail(ErrorCode::OutOfMemory, "local candidate");
}

Status Gatherer::add_server(Time now, const Address& server) {
  if (is_over()) return fail(ErrorCode::InvalidState, "gathering is over");
  const Address plain = unmapped(server);
  if (!is_checkable(plain)) return fail(ErrorCode::Refused, "not an address of a server");
  if (std::find(servers_.begin(), servers_.end(), plain) != servers_.end()) return {};
  if (servers_.size() >= kMaxServers) return fail(ErrorCode::LimitReached, "too many STUN servers");
  begin(now);
  if (!servers_.push_back(plain)) return fail(ErrorCode::OutOfMemory, "STUN server");
  const std::size_t before = probes_.size();
  for (std::size_t i = 0; i < locals_.size(); ++i) {
    const CandidateFacts& candidate = locals_[i].candidate;
    if (candidate.type != CandidateType::Host || candidate.transport != Transport::Udp) continue;
    if (add_probes(static_cast<std::uint16_t>(i), servers_.size() - 1)) continue;
    probes_.erase(before, probes_.size() - before);
    servers_.erase(servers_.size() - 1);
    return fail(ErrorCode::OutOfMemory, "question to a STUN server");
  }
  return {};
}

// The questions of one socket to the servers from `first_server` on. Beyond kMaxProbes none are asked. False without
// memory, and then none were added.
bool Gatherer::add_probes(std::uint16_t local, std::size_t first_server) {
  const std::size_t before = probes_.size();
  for (std::size_t i = first_server; i < servers_.size() && probes_.size() < kMaxProbes; ++i) {
    const Address& base = locals_[local].candidate.base;
    if (!can_pair(base, servers_[i], false) || is_loopback(base) != is_loopback(servers_[i])) continue;
    Probe probe;
    probe.server = scoped_as(servers_[i], base);
    probe.local = local;
    probe.server_index = static_cast<std::uint16_t>(i);
    if (!probes_.push_back(probe)) {
      probes_.erase(before, probes_.size() - before);
      return false;
    }
  }
  return true;
}

void Gatherer::done(Time now) {
  begin(now);
  is_done_ = true;
}

// Silent servers, and names that are never resolved, must not hold it up for ever.
void Gatherer::tick(Time now, bool keep_bindings) {
  if (now >= cut_off_) {
    cut_off_ = kNever;
    is_done_ = true;
    for (Probe& probe : probes_) {
      if (probe.state == Probe::State::Waiting && !probe.is_finished_once) probe.state = Probe::State::Over;
      probe.is_finished_once = true;
    }
  }
  if (!keep_bindings) return;
  for (Probe& probe : probes_) {
    if (now < probe.keepalive_due) continue;
    probe.keepalive_due = kNever;
    if (probe.state == Probe::State::Over) probe.state = Probe::State::Waiting;
  }
}

Time Gatherer::next_timeout(bool keep_bindings) const {
  Time next = is_over() ? kNever : cut_off_;
  if (keep_bindings)
    for (const Probe& probe : probes_) next = std::min(next, probe.keepalive_due);
  return next;
}

bool Gatherer::is_over() const {
  return is_done_ && std::all_of(probes_.begin(), probes_.end(),
                                 [](const Probe& probe) { return probe.is_finished_once; });
}

bool Gatherer::has_waiting_probe() const {
  return std::any_of(probes_.begin(), probes_.end(),
                     [](const Probe& probe) { return probe.state == Probe::State::Waiting; });
}

Probe* Gatherer::next_probe() {
  for (Probe& probe : probes_)
    if (probe.state == Probe::State::Waiting) return &probe;
  return nullptr;
}

Duration Gatherer::rto(Duration ta) const {
  return std::max<Duration>(std::chrono::milliseconds(500), ta * static_cast<Duration::rep>(probes_.size()));
}

void Gatherer::on_answer(Time now, Probe& probe, const std::optional<Address>& mapped) {
  const bool was_over = is_over();
  probe.state = Probe::State::Over;
  probe.is_finished_once = true;
  probe.has_answered = true;
  probe.keepalive_due = now + kKeepalive;
  if (was_over || is_concluded_ || !mapped || locals_[probe.local].is_gone)
    return;  // RFC 8838 §13: nothing new after our end-of-candidates
  add_reflexive(probe.local, *mapped, probe.server, probe.server_index);
}

void Gatherer::add_reflexive(std::uint16_t host, const Address& mapped, const Address& server,
                             std::uint16_t server_index) {
  const Address base = locals_[host].candidate.base;
  if (!is_plausible_mapping(mapped, base)) return;
  // RFC 8838 §9: redundant with one that was signalled, so the newer one goes, whatever its priority. mdns draft §3.1.2: but
  // not with one that only its name was signalled of.
  for (const Local& local : locals_)
    if (local.candidate.mdns_name.empty() && local.candidate.address == mapped &&
        local.candidate.base == base && local.candidate.transport == Transport::Udp)
      return;
  if (locals_.size() >= limit_) return;
  give_preferences();
  CandidateFacts candidate;
  candidate.type = CandidateType::ServerReflexive;
  candidate.address = mapped;
  candidate.base = base;
  if (locals_[host].candidate.mdns_name.empty()) candidate.related = base;
  // One base may have a candidate from each server; each needs a preference of its own (RFC 8445 §5.1.2.1).
  const auto preference = static_cast<std::uint16_t>(locals_[host].local_preference - server_index);
  candidate.priority = candidate_priority(candidate.type, preference);
  if (add_local(candidate, server)) locals_.back().local_preference = preference;
}

// RFC 8445 §5.1.1.2: a relayed candidate is its own base, and the allocation's mapped address is a reflexive candidate
// too. Datagrams are preferred to TCP, TCP to TLS, since each layer costs; IPv6 to IPv4, as elsewhere.
Status Gatherer::add_relayed(Time now, const RelayedAddress& relay) {
  if (is_over() || is_concluded_) return fail(ErrorCode::InvalidState, "a relayed candidate too late");
  begin(now);
  if (const auto host = find_base(relay.base); host && relay.mapped.is_valid())
    add_reflexive(*host, relay.mapped, relay.server, kMaxServers);
  if (find_base(relay.relayed) || locals_.size() >= limit_)
    return fail(ErrorCode::LimitReached, "a relayed candidate too many");
  CandidateFacts candidate;
  candidate.type = CandidateType::Relayed;
  candidate.address = candidate.base = relay.relayed;
  // The related address tells where we are; under the relay policy nobody is to know (RFC 8839 §5.1).
  const bool is_hiding = std::any_of(locals_.begin(), locals_.end(),
                                     [](const Local& local) { return !local.candidate.mdns_name.empty(); });
  if (!relay_only_ && !is_hiding) candidate.related = relay.mapped;
  const int step = relay.relayed.family == Address::Family::IPv6 ? 0 : 1;
  const int rank = 8192 * static_cast<int>(relay.transport) + 4096 * step + static_cast<int>(locals_.size());
  const auto preference = static_cast<std::uint16_t>(65535 - rank);
  candidate.priority = candidate_priority(candidate.type, preference);
  if (!add_local(candidate, relay.server)) return fail(ErrorCode::OutOfMemory, "relayed candidate");
  locals_.back().local_preference = preference;
  return {};
}

// The binding of a server that is silent for a while, or answers with an error, stands and is signalled all the same: it is kept
// alive like before (RFC 8445 §5.1.1.4).
void Gatherer::on_failure(Time now, Time asked, Probe& probe) {
  probe.state = Probe::State::Over;
  probe.is_finished_once = true;
  if (probe.has_answered && !is_concluded_ && !locals_[probe.local].is_gone)
    probe.keepalive_due = std::max(now, asked + kKeepalive);
}

bool Gatherer::remove_base(const Address& base, Transport transport) {
  if (!find_base(base, transport)) return false;
  for (Local& local : locals_) {
    if (local.candidate.base != base || local.candidate.transport != transport) continue;
    local.is_gone = local.is_announced = true;
    local.may_pair = false;
  }
  if (transport != Transport::Udp) return true;
  for (Probe& probe : probes_) {
    if (locals_[probe.local].candidate.base != base) continue;
    probe.state = Probe::State::Over;
    probe.is_finished_once = true;
    probe.keepalive_due = kNever;
  }
  return true;
}

void Gatherer::conclude() {
  is_concluded_ = true;
  for (Probe& probe : probes_) {
    probe.keepalive_due = kNever;
    if (probe.state != Probe::State::Waiting) continue;
    probe.state = Probe::State::Over;
    probe.is_finished_once = true;
  }
}

bool Gatherer::add_local(const CandidateFacts& candidate, const Address& server) {
  Local local;
  local.candidate = candidate;
  local.server = server;
  local.foundation = foundation_of(candidate, server);
  char text[16];
  local.candidate.foundation = *FixedString<32>::from(format_text(text, "{}", local.foundation));
  return locals_.push_back(local);
}

// RFC 8445 §5.1.1.3: the same for the same type, base address, server address and transport.
std::uint32_t Gatherer::foundation_of(const CandidateFacts& candidate, const Address& server) {
  std::uint32_t last = 0;
  for (const Local& local : locals_) {
    const CandidateFacts& known = local.candidate;
    if (known.type == candidate.type && known.transport == candidate.transport &&
        known.base.same_ip(candidate.base) && local.server.same_ip(server))
      return local.foundation;
    last = std::max(last, local.foundation);
  }
  return last + 1;
}

// RFC 8421 §4: IPv6 first, but after Hi = (N4 + N6) / N4 of them an IPv4 address, so that a broken IPv6 costs little.
// Loopback comes last. The step of 256 leaves room for the reflexive candidates of the same base.
void Gatherer::give_preferences() {
  if (std::exchange(preferred_, locals_.size()) == locals_.size()) return;
  give_preferences({Transport::Udp, TcpType::None}, rank_);
  give_preferences({Transport::Tcp, TcpType::Active}, active_rank_);
  give_preferences({Transport::Tcp, TcpType::Passive}, passive_rank_);
}

void Gatherer::prefer(Local& local, std::uint16_t rank) {
  CandidateFacts& candidate = local.candidate;
  if (candidate.transport == Transport::Udp) {
    local.local_preference = static_cast<std::uint16_t>(65535 - 256 * std::min<int>(rank, 254));
  } else {
    const auto other = static_cast<std::uint16_t>(kMaxOtherPreference - rank);
    local.local_preference = tcp_local_preference(candidate.type, candidate.tcp_type, other);
  }
  candidate.priority = candidate_priority(candidate.type, local.local_preference, 1, candidate.transport);
}

void Gatherer::give_preferences(Kind kind, std::uint16_t& rank) {
  std::size_t count[2] = {0, 0};
  const auto wants_one = [kind](const Local& local, bool loopback, Address::Family family) {
    return local.candidate.type == CandidateType::Host && local.local_preference == 0 &&
           local.candidate.transport == kind.transport && local.candidate.tcp_type == kind.direction &&
           is_loopback(local.candidate.base) == loopback && local.candidate.base.family == family;
  };
  for (const bool loopback : {false, true}) {
    for (const auto family : {Address::Family::IPv4, Address::Family::IPv6})
      count[family == Address::Family::IPv6] =
          static_cast<std::size_t>(std::count_if(locals_.begin(), locals_.end(), [&](const Local& local) {
            return wants_one(local, loopback, family);
          }));
    const std::size_t head_start = count[0] == 0 ? count[1] : (count[0] + count[1]) / count[0];
    std::size_t run = 0;
    while (count[0] + count[1] != 0) {
      const bool is_v6 = count[1] != 0 && (run < head_start || count[0] == 0);
      run = is_v6 ? run + 1 : 0;
      --count[is_v6];
      const auto family = is_v6 ? Address::Family::IPv6 : Address::Family::IPv4;
      Local* const local = std::find_if(locals_.begin(), locals_.end(),
                                        [&](const Local& l) { return wants_one(l, loopback, family); });
      prefer(*local, rank++);
    }
  }
}

Candidate Gatherer::as_signalled(const Local& local) {
  Candidate candidate;
  static_cast<CandidateFacts&>(candidate) = local.candidate;
  if (!candidate.mdns_name.empty()) candidate.address = candidate.base = candidate.related = {};
  return candidate;
}

// The best first, so that the peer's checks, which begin with the first pair it can form, begin with a good one.
Gatherer::Local* Gatherer::next_unannounced() {
  // Asked after each datagram, and nearly always there is none.
  if (is_concluded_ ||
      std::all_of(locals_.begin(), locals_.end(), [](const Local& l) { return l.is_announced; }))
    return nullptr;
  give_preferences();
  Local* best = nullptr;
  for (Local& local : locals_)
    if (!local.is_announced && (best == nullptr || local.candidate.priority > best->candidate.priority))
      best = &local;
  return best;
}

std::optional<std::uint16_t> Gatherer::find_base(const Address& base, Transport transport) const {
  for (std::size_t i = 0; i < locals_.size(); ++i)
    if (is_base(locals_[i].candidate) && locals_[i].candidate.base == base &&
        locals_[i].candidate.transport == transport && !locals_[i].is_gone)
      return static_cast<std::uint16_t>(i);
  return std::nullopt;
}

bool Gatherer::is_mapped_to(std::uint16_t local, const Address& mapped) const {
  return scoped_as(locals_[local].candidate.address, Address{}) == mapped;  // a mapped address has no zone
}

std::uint16_t Gatherer::identify(std::uint16_t base, const Address& mapped, std::uint32_t priority) {
  const CandidateFacts& own = locals_[base].candidate;
  const Address home = own.base;
  for (std::size_t i = 0; i < locals_.size(); ++i) {
    const CandidateFacts& candidate = locals_[i].candidate;
    const auto index = static_cast<std::uint16_t>(i);
    if (candidate.base == home && candidate.transport == own.transport && is_mapped_to(index, mapped))
      return index;
  }
  if (locals_.size() >= limit_) return base;
  CandidateFacts candidate;
  candidate.type = CandidateType::PeerReflexive;
  candidate.address = mapped;
  candidate.base = candidate.related = home;
  candidate.transport = own.transport;
  candidate.tcp_type = own.tcp_type;
  candidate.priority = priority;
  if (!add_local(candidate, Address{})) return base;
  locals_.back().is_announced = true;  // the peer knows it already: it told us
  return static_cast<std::uint16_t>(locals_.size() - 1);
}

std::uint32_t Gatherer::reflexive_priority(std::uint16_t base) {
  give_preferences();
  return candidate_priority(CandidateType::PeerReflexive, locals_[base].local_preference, 1,
                            locals_[base].candidate.transport);
}

}  // namespace pollrtc::ice
