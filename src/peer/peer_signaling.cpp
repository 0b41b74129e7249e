// Descriptions and candidates of a Peer: RFC 9429 §4.1 and §5. The grammar and the pure rules are in `sdp`.
#include <algorithm>

#include "base/log.h"
#include "peer/peer_impl.h"
#include "sdp/candidate_line.h"

namespace pollrtc {
namespace {

Unexpected<Error> wrong_state(std::string_view detail) { return fail(ErrorCode::InvalidState, detail); }

// A candidate names its section by mid, or else by index (RFC 9429 §4.1.19); one that names none is for all. A bundled
// section's candidates come under the section that carries the transport (RFC 9143 §7.1.3).
bool belongs_to_us(const sdp::Remote& remote, std::string_view mid, int index) {
  if (!mid.empty()) return remote.mid.empty() || mid == remote.mid || mid == remote.transport_mid;
  if (index < 0) return true;
  const auto section = static_cast<std::size_t>(index);
  return section == remote.index || section == remote.transport_index;
}

// A port of 0 wants no association, and so no other in the place of the one there is (RFC 8841 §10.3).
bool restarts_association(const sdp::Changes& changes, const sdp::Remote& remote) {
  return changes.dtls || (changes.sctp && remote.sctp_port != 0);
}

}  // namespace

// What the other end calls it, else what we do.
std::string Peer::Impl::local_mid() const {
  if (remote_current && !remote_current->mid.empty()) return remote_current->mid;
  const auto& ours = local_pending ? local_pending : local_current;
  if (!ours) return sdp::unused_mid({});
  const std::size_t index = data_index();
  const bool is_offered = index < ours->sections.size() && ours->sections[index].port != 0;
  if (is_offered && !ours->sections[index].mid.empty()) return ours->sections[index].mid;
  return sdp::unused_mid(ours->sections);
}

std::size_t Peer::Impl::data_index() const { return remote_current ? remote_current->index : 0; }

// `restarts`: the description names a new generation, which has not begun to gather.
sdp::LocalParameters Peer::Impl::local_parameters(bool restarts) const {
  sdp::LocalParameters local;
  local.origin = origin;
  local.mid = local_mid();
  local.ufrag = restarts ? restart_credentials->ufrag.view() : agent.local_ufrag();
  local.pwd = restarts ? restart_credentials->pwd.view() : agent.local_pwd();
  for (const Fingerprint& fingerprint : certificate.fingerprints()) local.fingerprints.push_back(fingerprint);
  local.tls_id = tls_id;
  // What was closed stays closed: another port would ask for an association anew (RFC 8841 §10.5).
  local.sctp_port = remote_current && remote_current->sctp_port == 0 ? std::uint16_t{0} : config.sctp_port;
  local.max_message_size = environment.limits.sctp_max_message_rx;
  local.ice_lite = config.ice_lite;
  if (config.ice_pacing != sdp::kDefaultIcePacing && !config.ice_lite) local.ice_pacing = config.ice_pacing;
  if (restarts) return local;
  local.candidates = local_candidates;
  local.end_of_candidates = gathering_state == GatheringState::Complete;
  return local;
}

Status Peer::Impl::draw_restart_credentials() {
  if (restart_credentials) return {};
  const Result<ice::Credentials> drawn = ice::make_credentials(environment.rng);
  if (!drawn) return Unexpected{drawn.error()};
  restart_credentials = *drawn;
  return {};
}

// What was found with the servers of before is not found anew by asking these: it takes another generation. A STUN server
// is for one generation, and the next one is told of it again.
Status Peer::Impl::on_server_added(const Status& status) {
  if (has_ended() || gathering_state != GatheringState::Complete) return status;
  if (!status && status.error() != ErrorCode::InvalidState) return status;
  servers_changed = true;
  return {};
}

// The other end's description on the table has other ICE credentials than the one in force (RFC 9429 §5.10).
bool Peer::Impl::remote_restarts_ice() const {
  return transports_started && remote_pending && remote_pending->has_data &&
         sdp::changes(*remote_current, *remote_pending).ice;
}

Result<std::string> Peer::Impl::create_offer(const OfferOptions& options) {
  if (signaling_state == SignalingState::Closed) return fail(ErrorCode::Closed, "the connection is closed");
  if (signaling_state != SignalingState::Stable && signaling_state != SignalingState::HaveLocalOffer)
    return wrong_state("an offer of the other end waits for its answer");
  if (!channels.any_created() && !transports_started)
    return wrong_state("create a data channel first: an offer needs something to offer");
  // Before there is a first generation in force there is nothing to restart. A restart that is offered stays offered.
  const bool restarts =
      (options.ice_restart || servers_changed) && transports_started && !agent.is_restarting();
  if (restarts)
    if (const Status status = draw_restart_credentials(); !status) return Unexpected{status.error()};
  Result<sdp::Description> made =
      sdp::make_offer(local_parameters(restarts), local_current ? &*local_current : nullptr, data_index());
  if (!made) return Unexpected{made.error()};
  if (last_made) sdp::stamp(*made, *last_made);
  last_made = *made;
  last_offer_restarts = restarts;
  return last_offer = sdp::write_description(*made);
}

Result<std::string> Peer::Impl::create_answer() {
  if (signaling_state == SignalingState::Closed) return fail(ErrorCode::Closed, "the connection is closed");
  if (signaling_state != SignalingState::HaveRemoteOffer &&
      signaling_state != SignalingState::HaveLocalPranswer)
    return wrong_state("there is no offer of the other end to answer");
  const bool restarts = remote_restarts_ice() && !agent.is_restarting();  // it has its credentials then
  if (restarts)
    if (const Status status = draw_restart_credentials(); !status) return Unexpected{status.error()};
  Result<sdp::Description> made =
      sdp::make_answer(local_parameters(restarts), *remote_offer, *remote_pending);
  if (!made) return Unexpected{made.error()};
  if (last_made) sdp::stamp(*made, *last_made);
  last_made = *made;
  return last_answer = sdp::write_description(*made);
}

// An exchange is over: what was created before its end and not set is of a state that has passed (W3C: [[LastCreatedOffer]] and
// [[LastCreatedAnswer]]). Moved away, the texts give back their memory.
void Peer::Impl::forget_created() {
  const std::string offer = std::move(last_offer), answer = std::move(last_answer);
  last_offer_restarts = false;
  restart_credentials.reset();
}

std::string Peer::Impl::local_description() const {
  const auto& description = local_pending ? local_pending : local_current;
  if (!description) return {};
  sdp::Description now_known = *description;
  const std::size_t index = data_index();
  if (index < now_known.sections.size() && now_known.sections[index].port != 0) {
    sdp::Section& section = now_known.sections[index];
    section.candidates = local_candidates;
    section.transport.end_of_candidates = gathering_state == GatheringState::Complete;
  }
  return sdp::write_description(now_known);
}

Status Peer::Impl::set_local_description(Time now, SdpType type, std::string_view text) {
  const auto next = next_signaling_state(signaling_state, Side::Local, type);
  if (!next) return wrong_state("a local description of this type is not allowed in this signaling state");
  if (type == SdpType::Rollback) {
    roll_back(now);
    return {};
  }
  // RFC 9429 §5.4: what was created is set as it was created; anything else would promise what we do not do.
  const std::string& created = type == SdpType::Offer ? last_offer : last_answer;
  if (created.empty() || text != created)
    return fail(ErrorCode::InvalidArgument, "a local description must be the text that was created last");

  if (type == SdpType::Offer) {
    if (last_offer_restarts && !agent.is_restarting())
      if (const Status status = begin_restart(now); !status) return status;
    local_pending = *last_made;
    is_offerer = true;
    agent.set_controlling(now, true);  // checks may come before the answer does, and must find us in our role
  } else {
    if (remote_restarts_ice() && !agent.is_restarting())
      if (const Status status = begin_restart(now); !status) return status;
    if (const Status status = apply_remote(now); !status) return status;
    local_current = *last_made;
    local_pending.reset();
    remote_current = remote_pending;
    if (type == SdpType::Answer) {
      remote_pending.reset();
      remote_offer.reset();
      forget_created();
    }
  }
  become(*next);
  // An offer without data, which may have no section at all (RFC 9429 §5.2.1), is answered, and there is nothing to connect.
  const bool has_data = is_offerer || transports_started;
  if (has_data && connection_state == ConnectionState::New) become(ConnectionState::Connecting);
  if (has_data && gathering_state == GatheringState::New) {
    become(GatheringState::Gathering);
    events.push(GatheringNeeded{});
  }
  use_waiting_candidates(now);
  // RFC 8839 §4.4.3.1: the section is gone, and its transport with it.
  if (transports_started && type == SdpType::Answer && !remote_current->has_data)
    end(now, ConnectionState::Closed, Close::Remote);
  return {};
}

Status Peer::Impl::set_remote_description(Time now, SdpType type, std::string_view text) {
  const auto next = next_signaling_state(signaling_state, Side::Remote, type);
  if (!next) return wrong_state("a remote description of this type is not allowed in this signaling state");
  if (type == SdpType::Rollback) {
    roll_back(now);
    return {};
  }
  const Result<sdp::Description> parsed = sdp::parse_description(text, environment.limits);
  if (!parsed) return Unexpected{parsed.error()};
  const Status status =
      type == SdpType::Offer ? set_remote_offer(now, *next, *parsed) : set_remote_answer(now, *next, *parsed);
  if (status && type != SdpType::Offer) use_waiting_candidates(now);
  return status;
}

// Said before a generation is put in force that could not go on: a restart may make an end lite (RFC 8839 §4.4.1.1.1).
Status Peer::Impl::check_lite(const sdp::Remote& remote) const {
  if (config.ice_lite && remote.ice_lite)
    return fail(ErrorCode::NotSupported, "of two lite ends neither would send a check");
  return {};
}

Result<sdp::Remote> Peer::Impl::read_offer(const sdp::Description& description) const {
  Result<sdp::Remote> remote = sdp::read_offer(description, remote_current ? &*remote_current : nullptr);
  if (!remote) return remote;
  if (const Status status = check_lite(*remote); !status) return Unexpected{status.error()};
  if (transports_started && remote_current) {
    const sdp::Changes changes = sdp::changes(*remote_current, *remote);
    if (remote->has_data && restarts_association(changes, *remote))
      return fail(ErrorCode::NotSupported, "an offer that restarts DTLS or SCTP is not supported");
  }
  return remote;
}

Status Peer::Impl::check_offer(std::string_view text) const {
  const Result<sdp::Description> parsed = sdp::parse_description(text, environment.limits);
  if (!parsed) return Unexpected{parsed.error()};
  const Result<sdp::Remote> remote = read_offer(*parsed);
  return remote ? Status() : Status(Unexpected{remote.error()});
}

Status Peer::Impl::set_remote_offer(Time now, SignalingState next, const sdp::Description& description) {
  const Result<sdp::Remote> remote = read_offer(description);
  if (!remote) return Unexpected{remote.error()};
  remote_offer = description;
  remote_pending = *remote;
  last_answer.clear();  // that was one to the offer before
  is_offerer = false;
  agent.set_controlling(now, remote->ice_lite);
  become(next);
  return {};
}

Status Peer::Impl::set_remote_answer(Time now, SignalingState next, const sdp::Description& description) {
  sdp::AnswerContext context;
  context.current = remote_current ? &*remote_current : nullptr;
  context.offer_restarts_ice = agent.is_restarting();
  context.after_pranswer = signaling_state == SignalingState::HaveRemotePranswer;
  const Result<sdp::Remote> remote = sdp::read_answer(*local_pending, description, context);
  if (!remote) return Unexpected{remote.error()};
  if (!remote->has_data) return fail(ErrorCode::Refused, "the answer rejects the data channel section");
  if (const Status status = check_lite(*remote); !status) return status;
  if (transports_started && remote_current) {
    const sdp::Changes changes = sdp::changes(*remote_current, *remote);
    if (restarts_association(changes, *remote))
      return fail(ErrorCode::NotSupported, "an answer that restarts DTLS or SCTP is not supported");
    // DEVIATION RFC 9429 §5.10: an answer that comes from elsewhere than the provisional one, with other ICE credentials, is
    // refused. Calls of two peers are not forked.
    if (changes.ice && !agent.is_restarting())
      return fail(ErrorCode::NotSupported,
                  "other ICE credentials than in the provisional answer are not supported");
  }
  const sdp::Boxed<sdp::Remote> before = remote_pending;
  remote_pending = *remote;
  if (const Status status = apply_remote(now); !status) {
    remote_pending = before;
    return status;
  }
  remote_current = *remote;
  if (next == SignalingState::Stable) {
    local_current = *local_pending;
    local_pending.reset();
    remote_pending.reset();
    forget_created();
  }
  become(next);
  return {};
}

// RFC 9429 §5.7. What an offer alone has begun, an ICE restart, is undone: the generation in force is as it was (RFC 8839
// §4.4). Transports that a provisional answer has started go on.
void Peer::Impl::roll_back(Time now) {
  if (agent.is_restarting()) {
    agent.cancel_restart(now);
    local_addresses_done_owed = former_done_owed;
    servers_changed |= former_servers_changed;  // they were to be used by the generation that goes
    local_candidates = std::move(former_candidates);
    former_candidates.clear();
    become(agent.is_gathering_over() ? GatheringState::Complete : GatheringState::Gathering);
  }
  local_pending.reset();
  remote_pending.reset();
  remote_offer.reset();
  forget_created();
  become(SignalingState::Stable);
}

// Our description names the credentials that were drawn for it: a generation with them begins, and gathers.
Status Peer::Impl::begin_restart(Time now) {
  if (const Status status = agent.restart(now, *restart_credentials); !status) return status;
  former_servers_changed = std::exchange(servers_changed, false);
  restart_credentials.reset();
  last_offer_restarts = false;
  former_done_owed = std::exchange(local_addresses_done_owed, false);  // that was of the former gathering
  former_candidates = std::move(local_candidates);
  local_candidates.clear();
  become(GatheringState::Gathering);
  events.push(GatheringNeeded{});
  hand_over_allocations(now);
  return {};
}

// Both descriptions are known: tells the engines what remote_pending says. A later exchange can restart ICE, bring more
// candidates, end the association, or end it all; DTLS goes on as it is.
Status Peer::Impl::apply_remote(Time now) {
  const sdp::Remote& remote = *remote_pending;
  if (!transports_started) return remote.has_data ? start_transports(now, remote) : Status();
  if (!remote.has_data) return {};
  if (agent.is_restarting()) {
    if (const Status status = agent.prepare_commit(remote.ufrag.size() + remote.pwd.size()); !status)
      return status;
    agent.commit(now);
    former_candidates.clear();
    agent.set_remote_pacing(now, remote.ice_pacing);
    if (const Status status = agent.set_remote_credentials(now, remote.ufrag, remote.pwd, remote.ice_lite);
        !status)
      return status;
  }
  use_candidates(now, remote);
  // RFC 8841 §10.3, §10.4: closed, what is queued being sent first. The channels end with it, in on_sctp_ended().
  if (remote.sctp_port == 0 && association) association->shutdown(now);
  return {};
}

Status Peer::Impl::start_transports(Time now, const sdp::Remote& remote) {
  auto session =
      Owned<dtls::Session>::make(environment.memory, environment, certificate, dtls::SessionConfig{});
  if (!session) return fail(ErrorCode::OutOfMemory, "no memory for a DTLS session");
  if (const Status status = session->set_remote_fingerprints(now, remote.fingerprints); !status)
    return status;
  // RFC 8445 §6.1.1: the offerer controls, unless only one end is full: then that one does.
  agent.set_controlling(now, is_offerer || remote.ice_lite);
  agent.set_remote_pacing(now, remote.ice_pacing);
  if (const Status status = agent.set_remote_credentials(now, remote.ufrag, remote.pwd, remote.ice_lite);
      !status)
    return status;
  dtls = std::move(session);
  transports_started = true;
  offered_first = is_offerer;
  channels.on_role(remote.our_role == sdp::DtlsRole::Client);
  use_candidates(now, remote);
  return {};
}

void Peer::Impl::use_candidates(Time now, const sdp::Remote& remote) {
  for (const Candidate& candidate : remote.candidates) use_candidate(now, remote, candidate);
  if (remote.end_of_candidates) agent.end_of_remote_candidates(now);
}

void Peer::Impl::use_candidate(Time now, const sdp::Remote& remote, const Candidate& candidate) {
  // RFC 8838 §9: a candidate of another generation is ignored.
  if (!candidate.ufrag.empty() && candidate.ufrag != std::string_view(remote.ufrag)) return;
  if (!agent.add_remote_candidate(now, candidate))
    POLLRTC_LOG(environment, Info, "peer", "a remote candidate was beyond the limit");
}

void Peer::Impl::use_waiting_candidates(Time now) {
  if (!transports_started) return;
  std::vector<WaitingCandidate> waiting;
  waiting.swap(waiting_candidates);
  const sdp::Remote& remote = *remote_current;
  // While a restart is on the table, candidates of its generation come before the description that puts it in force; those
  // that name no generation are taken for such.
  const bool restarts = agent.is_restarting() || remote_restarts_ice();
  for (WaitingCandidate& w : waiting) {
    if (!belongs_to_us(remote, w.mid, w.index)) continue;
    if (w.ufrag.empty() ? restarts : w.ufrag != remote.ufrag) {
      if (restarts) waiting_candidates.push_back(std::move(w));
      continue;  // RFC 8838 §9: of another generation
    }
    if (w.candidate) {
      use_candidate(now, remote, *w.candidate);
    } else {
      agent.end_of_remote_candidates(now);
    }
  }
}

Status Peer::Impl::add_remote_candidate(Time now, std::string_view mid, int index, std::string_view line,
                                        std::string_view ufrag) {
  if (signaling_state == SignalingState::Closed) return fail(ErrorCode::Closed, "the connection is closed");
  std::optional<Candidate> candidate;
  if (!line.empty()) {
    if (mid.empty() && index < 0)
      return fail(ErrorCode::InvalidArgument, "a candidate needs the mid or the index of its section");
    const Result<Candidate> parsed = sdp::parse_candidate(line);
    // RFC 8839 §5.1: a well-formed candidate that we cannot use is ignored.
    if (!parsed) return parsed.error() == ErrorCode::Refused ? Status() : Status(Unexpected{parsed.error()});
    candidate = *parsed;
    if (!candidate->ufrag.empty()) ufrag = candidate->ufrag.view();
  }
  if (transports_started && !belongs_to_us(*remote_current, mid, index)) {
    return mid.empty() ? fail(ErrorCode::NotFound, "the section of this index takes no candidates")
                       : fail(ErrorCode::NotFound, "the section of this mid is none of ours");
  }
  if (waiting_candidates.size() > environment.limits.ice_remote_candidates)
    return fail(ErrorCode::LimitReached, "too many candidates wait for their description");
  waiting_candidates.push_back({std::string(mid), index, candidate, std::string(ufrag)});
  use_waiting_candidates(now);
  return {};
}

void Peer::Impl::on_local_candidate(const Candidate& candidate) {
  local_candidates.push_back(candidate);
  events.push(LocalCandidate{local_mid(), static_cast<int>(data_index()),
                             sdp::write_candidate(candidate, false), std::string(candidate.ufrag.view())});
}

void Peer::Impl::on_gathering_done() {
  if (gathering_state == GatheringState::Complete) return;
  become(GatheringState::Complete);
  events.push(
      LocalCandidate{local_mid(), static_cast<int>(data_index()), {}, std::string(agent.local_ufrag())});
}

}  // namespace pollrtc
