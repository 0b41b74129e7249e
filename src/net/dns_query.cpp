#include "net/dns_query.h"

#include "base/address.h"
#include "base/log.h"
#include "base/random.h"

namespace pollrtc::net {

DnsQuery::DnsQuery(Environment& environment, const DnsServers& servers)
    : environment_(environment), servers_(servers) {}

Status DnsQuery::start(Time now, std::string_view name) {
  if (started_) return fail(ErrorCode::InvalidState, "this query has been started");
  const auto wire = DnsName::from_text(name);
  if (!wire) return fail(ErrorCode::InvalidArgument, "not a host name");
  if (servers_.addresses.empty()) return fail(ErrorCode::Network, "no name server is known");
  // RFC 5452 §9.2: ids that cannot be guessed, one for each question.
  const auto ids = random_u32(environment_.rng);
  if (!ids) return fail(ErrorCode::NoRandomness, "no random id for a DNS question");
  const auto first_id = static_cast<std::uint16_t>(*ids >> 16);
  auto second_id = static_cast<std::uint16_t>(*ids);
  if (second_id == first_id) ++second_id;
  asks_[0].question = {first_id, *wire, DnsType::Aaaa};
  asks_[1].question = {second_id, *wire, DnsType::A};
  for (Ask& ask : asks_) {
    ask.owed = true;
    ask.next_attempt = now + servers_.attempt;
  }
  give_up_ = now + servers_.total;
  started_ = true;
  return {};
}

Drop DnsQuery::handle_datagram(Time now, const Path& path, Bytes datagram) {
  if (!started_ || done_ || !is_server(path.remote)) return drops_.count(Drop::DnsUnexpected);
  if (datagram.size() < 2) return drops_.count(Drop::DnsMalformed);
  for (Ask& ask : asks_)
    if (!ask.over && load_u16(datagram.data()) == ask.question.id) return on_response(now, ask, datagram);
  return drops_.count(Drop::DnsUnexpected);
}

Drop DnsQuery::on_response(Time now, Ask& ask, Bytes datagram) {
  switch (read_dns_response(datagram, ask.question, most_answers(), ask.addresses)) {
    case DnsOutcome::Malformed:
      return drops_.count(Drop::DnsMalformed);  // not believed; the true answer may still come
    case DnsOutcome::NotOurs:
      return drops_.count(Drop::DnsUnexpected);
    case DnsOutcome::ServerFailed:
      if (++ask.refusals < servers_.addresses.size()) {
        try_next_server(now, ask);
        return Drop::None;
      }
      ask.over = true;
      break;
    case DnsOutcome::Answered:
    case DnsOutcome::NoAddress:
      ask.over = true;
      break;
  }
  finish_if_over(now);
  return Drop::None;
}

void DnsQuery::try_next_server(Time now, Ask& ask) {
  ask.server = (ask.server + 1) % servers_.addresses.size();
  ask.owed = true;
  ask.next_attempt = now + servers_.attempt;
}

std::optional<Transmit> DnsQuery::poll_transmit(Time, MutBytes out) {
  if (done_) return std::nullopt;
  for (Ask& ask : asks_) {
    if (!ask.owed || ask.over) continue;
    const std::size_t size = write_dns_question(ask.question, out);
    if (size == 0) return std::nullopt;  // the buffer is too small; it stays owed
    ask.owed = false;
    Transmit transmit;
    transmit.path.remote = servers_.addresses[ask.server];
    transmit.size = size;
    return transmit;
  }
  return std::nullopt;
}

void DnsQuery::handle_timeout(Time now) {
  if (!started_ || done_) return;
  if (now >= give_up_) return finish();
  for (Ask& ask : asks_)
    if (!ask.over && now >= ask.next_attempt) try_next_server(now, ask);
}

Time DnsQuery::next_timeout() const {
  if (!started_ || done_) return kNever;
  Time next = give_up_;
  for (const Ask& ask : asks_)
    if (!ask.over) next = std::min(next, ask.next_attempt);
  return next;
}

bool DnsQuery::poll_event(Event& event) {
  if (!event_owed_) return false;
  event_owed_ = false;
  event = {};
  return true;
}

void DnsQuery::finish_if_over(Time now) {
  if (asks_[0].over && asks_[1].over) return finish();
  // One family has addresses: a server that never answers for the other one must not cost the whole wait.
  for (const Ask& ask : asks_)
    if (ask.over && !ask.addresses.empty()) give_up_ = std::min(give_up_, now + servers_.straggler);
}

void DnsQuery::finish() {
  const std::size_t most = most_answers();
  for (std::size_t i = 0; i < kMaxDnsAnswers; ++i)
    for (const Ask& ask : asks_)
      if (i < ask.addresses.size() && result_.size() < most)
        static_cast<void>(result_.push_back(ask.addresses[i]));  // most <= its capacity
  done_ = event_owed_ = true;
  POLLRTC_LOG(environment_, Debug, "net", "DNS: {} addresses", result_.size());
}

// RFC 5452 §9.1: only a server that was asked may answer, from the address it was asked at.
bool DnsQuery::is_server(const Address& address) const {
  for (const Address& server : servers_.addresses)
    if (server.port == address.port && server.family == address.family && server.ip == address.ip)
      return true;
  return false;
}

std::size_t DnsQuery::most_answers() const {
  return std::min<std::size_t>(environment_.limits.dns_answers, kMaxDnsAnswers);
}

}  // namespace pollrtc::net
