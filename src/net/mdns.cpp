#include "net/mdns.h"

#include "base/address.h"
#include "base/log.h"
#include "net/special_names.h"

namespace pollrtc::net {
namespace {

// What no neighbour sends from.
bool is_no_source(const Address& address, const Address& local) {
  return address.family != local.family || address.port == 0 || is_unspecified(address) ||
         is_multicast(address) || is_broadcast(address);
}

bool matches(const DnsQuestion& question, const Address& address) {
  const auto own = address.family == Address::Family::IPv4 ? DnsType::A : DnsType::Aaaa;
  return question.type == static_cast<std::uint16_t>(own) ||
         question.type == static_cast<std::uint16_t>(DnsType::Any);
}

bool is_internet(std::uint16_t rr_class) {
  const std::uint16_t plain = rr_class & static_cast<std::uint16_t>(~kTopBit);
  return plain == kClassInternet;
}

struct Name {
  FixedString<64> text;
  DnsName wire;
};
std::optional<Name> local_name(std::string_view text) {
  const auto kept = FixedString<64>::from(text);
  const auto wire = DnsName::from_text(text);
  if (!kept || !wire || !is_multicast_dns_name(text)) return std::nullopt;
  return Name{*kept, *wire};
}

}  // namespace

// --- links

std::optional<std::size_t> Mdns::find_link(const Address& local) const {
  for (std::size_t i = 0; i < links_.size(); ++i)
    if (links_[i].is_valid() && links_[i].same_ip(local)) return i;
  return std::nullopt;
}

std::size_t Mdns::links() const {
  return static_cast<std::size_t>(
      std::count_if(links_.begin(), links_.end(), [](const Address& a) { return a.is_valid(); }));
}

Status Mdns::add_link(Time, const Address& local) {
  if (!local.is_valid()) return fail(ErrorCode::InvalidArgument, "a link needs an address");
  if (find_link(local)) return fail(ErrorCode::AlreadyExists, "the link is there already");
  const auto place =
      std::find_if(links_.begin(), links_.end(), [](const Address& a) { return !a.is_valid(); });
  if (place == links_.end()) return fail(ErrorCode::LimitReached, "too many links");
  *place = local;
  const auto link = static_cast<std::size_t>(place - links_.begin());
  for (Question& question : questions_)
    if (!question.is_over) question.owed |= LinkSet{1} << link;
  for (Own& own : records_)
    if (!own.is_leaving) announce(own, link);
  return {};
}

void Mdns::remove_link(const Address& local) {
  const auto link = find_link(local);
  if (!link) return;
  links_[*link] = {};
  for (Question& question : questions_) question.owed &= ~(LinkSet{1} << *link);
  for (Own& own : records_) own.on[*link] = {};
  for (std::size_t i = replies_.size(); i-- > 0;)
    if (replies_[i].local.same_ip(local)) replies_.erase(i);
  drop_those_gone();
}

// --- asking

Status Mdns::resolve(Time now, std::string_view text) {
  const auto name = local_name(text);
  if (!name) return fail(ErrorCode::InvalidArgument, "not a name of multicast DNS");
  for (const Question& question : questions_)
    if (question.name == name->text) return {};
  if (questions_.size() >= environment_.limits.ice_mdns_names)
    return fail(ErrorCode::LimitReached, "too many names are being resolved");
  // DEVIATION RFC 6762 §5.2: the first copy goes out at once, without a random delay.
  Question question;
  question.name = name->text;
  question.wire = name->wire;
  question.next_copy = now + kFirstGap;
  question.give_up = now + kGiveUp;
  for (std::size_t i = 0; i < links_.size(); ++i)
    if (links_[i].is_valid()) question.owed |= LinkSet{1} << i;
  if (!questions_.push_back(question)) return fail(ErrorCode::OutOfMemory, "no memory for a name");
  return {};
}

// RFC 6762 §11, §18: source port, opcode and rcode decide whether it is looked at; ID and question section do not. All
// sections count, since an answer to the one type brings the record of the other along.
Drop Mdns::on_response(const DnsHeader& header, const Path& path, Bytes message) {
  if (path.remote.port != kMdnsPort) return Drop::DnsUnexpected;
  std::size_t at = kDnsHeaderSize;
  for (std::size_t i = 0; i < header.questions; ++i)
    if (i == kMaxSectionItems || !DnsQuestion::read(message, at)) return Drop::DnsMalformed;
  const std::size_t records = std::min<std::size_t>(
      kMaxSectionItems, std::size_t{header.answers} + header.authorities + header.additionals);
  const std::size_t begin = at;
  for (std::size_t i = 0; i < records; ++i)  // nothing is used of a message that breaks off
    if (!DnsRecord::read(message, at)) return Drop::DnsMalformed;
  Drop drop = Drop::DnsUnexpected;
  for (Question& question : questions_) {
    if (question.is_over) continue;
    at = begin;
    bool has_several = false;
    for (std::size_t i = 0; i < records; ++i) {
      const auto record = DnsRecord::read(message, at);
      if (!record || record->ttl == 0 || !is_internet(record->rr_class)) continue;
      const auto address = record->address();
      if (!address || !(record->owner == question.wire)) continue;
      has_several = has_several || (question.address.is_valid() && question.address != *address);
      question.address = *address;
      question.is_over = true;
    }
    // mdns draft §3.2.1: a name of more than one address is none of a candidate's.
    if (has_several) question.address = {};
    if (question.is_over) drop = Drop::None;
  }
  return drop;
}

// --- answering

Mdns::Own* Mdns::find_own(const DnsName& name) {
  for (Own& own : records_)
    if (own.wire == name && !own.is_leaving) return &own;
  return nullptr;
}

void Mdns::announce(Own& own, std::size_t link) {
  own.on[link].is_owed = true;
  own.on[link].announcements = kAnnouncements;
}

Status Mdns::publish(Time, std::string_view text, const Address& address) {
  const auto name = local_name(text);
  if (!name) return fail(ErrorCode::InvalidArgument, "not a name of multicast DNS");
  if (!address.is_valid()) return fail(ErrorCode::InvalidArgument, "a name needs an address");
  if (find_own(name->wire) != nullptr) return fail(ErrorCode::AlreadyExists, "the name is published already");
  if (records_.size() >= environment_.limits.ice_local_candidates)
    return fail(ErrorCode::LimitReached, "too many names of our own");
  Own own;
  own.name = name->text;
  own.wire = name->wire;
  own.address = address;
  for (std::size_t i = 0; i < links_.size(); ++i)
    if (links_[i].is_valid()) announce(own, i);
  if (!records_.push_back(own)) return fail(ErrorCode::OutOfMemory, "no memory for a name");
  return {};
}

// RFC 6762 §10.1: to all who may have heard of it.
void Mdns::withdraw(std::string_view text) {
  for (Own& own : records_) {
    if (own.is_leaving || !(own.name == text)) continue;
    own.is_leaving = true;
    for (Own::OnLink& on : own.on) {
      on.is_owed = on.last_sent != Time::min();
      on.due = kNever;
      on.announcements = 0;
    }
  }
  drop_those_gone();
}

void Mdns::withdraw_all() {
  for (std::size_t i = records_.size(); i-- > 0;) withdraw(FixedString<64>(records_[i].name).view());
}

void Mdns::drop_those_gone() {
  for (std::size_t i = records_.size(); i-- > 0;)
    if (records_[i].is_leaving && std::none_of(records_[i].on.begin(), records_[i].on.end(),
                                               [](const Own::OnLink& on) { return on.is_owed; }))
      records_.erase(i);
}

Drop Mdns::on_query(Time now, const DnsHeader& header, const Path& path, std::size_t link, Bytes message) {
  // The known answers stand behind the last question.
  std::size_t end = kDnsHeaderSize;
  for (std::size_t i = 0; i < header.questions; ++i)
    if (i == kMaxSectionItems || !DnsQuestion::read(message, end)) return Drop::DnsMalformed;
  Drop drop = Drop::DnsUnexpected;
  std::size_t at = kDnsHeaderSize;
  for (std::size_t i = 0; i < header.questions; ++i) {
    const auto question = DnsQuestion::read(message, at);
    if (!question) return Drop::DnsMalformed;
    const bool is_any = (question->rr_class & ~kTopBit) == kClassAny;
    if (!is_any && !is_internet(question->rr_class)) continue;
    Own* const own = find_own(question->name);
    if (own == nullptr) continue;
    const bool is_known = matches(*question, own->address) && is_known_answer(header, message, end, *own);
    const Drop outcome = is_known ? Drop::None : answer(now, *question, header.id, path, link, *own);
    if (drop != Drop::None) drop = outcome;
  }
  return drop;
}

// RFC 6762 §7.1: who knows the record for at least half of its life more need not be told.
bool Mdns::is_known_answer(const DnsHeader& header, Bytes message, std::size_t at, const Own& own) const {
  for (std::size_t i = 0; i < std::min<std::size_t>(header.answers, kMaxSectionItems); ++i) {
    const auto record = DnsRecord::read(message, at);
    if (!record) return false;
    if (record->owner == own.wire && is_internet(record->rr_class) && record->ttl >= kMdnsTtl / 2 &&
        record->address() == std::optional(own.address.with_port(0)))
      return true;
  }
  return false;
}

Drop Mdns::answer(Time now, const DnsQuestion& question, std::uint16_t id, const Path& path, std::size_t link,
                  Own& own) {
  const bool is_legacy = path.remote.port != kMdnsPort;
  if (is_legacy || (question.rr_class & kTopBit) != 0) {
    if (!may_reply(now)) return Drop::DnsRateLimited;
    Reply reply;
    reply.local = links_[link];
    reply.remote = path.remote;
    reply.question = question;
    reply.id = id;
    reply.is_legacy = is_legacy;
    return replies_.size() < kMaxReplies && replies_.push_back(reply) ? Drop::None : Drop::DnsRateLimited;
  }
  Own::OnLink& on = own.on[link];
  if (on.is_owed) {
    on.denial_first = on.denial_first && !matches(question, own.address);
    return Drop::None;
  }
  const bool is_new = on.due == kNever;
  on.denial_first = !matches(question, own.address) && (is_new || on.denial_first);
  if (on.last_sent == Time::min() || now >= on.last_sent + kRecordGap) {
    on.is_owed = true;
  } else {
    on.due = on.last_sent + kRecordGap;
  }
  return Drop::None;
}

// A question has a source that anybody can forge: what goes there is little.
bool Mdns::may_reply(Time now) {
  if (second_began_ == Time::min() || now >= second_began_ + std::chrono::seconds(1)) {
    second_began_ = now;
    replies_this_second_ = 0;
  }
  if (replies_this_second_ >= environment_.limits.mdns_replies_per_second) return false;
  ++replies_this_second_;
  return true;
}

// --- the engine

Drop Mdns::handle_datagram(Time now, const Path& path, Bytes datagram) {
  const auto link = find_link(path.local);
  if (!link || is_no_source(path.remote, links_[*link])) return drops_.count(Drop::DnsUnexpected);
  const auto header = DnsHeader::read(datagram);
  if (!header || datagram.size() > kMaxMdnsMessage) return drops_.count(Drop::DnsMalformed);
  // RFC 6762 §18.3, §18.11
  if ((header->flags & (DnsHeader::kOpcode | DnsHeader::kRcode)) != 0)
    return drops_.count(Drop::DnsUnexpected);
  const Drop drop = header->is_response() ? on_response(*header, path, datagram)
                                          : on_query(now, *header, path, *link, datagram);
  return drops_.count(drop);
}

Transmit Mdns::to_group(std::size_t link, std::size_t size) const {
  Address group = mdns_group(links_[link].family);
  group.scope_id = links_[link].scope_id;
  return {{links_[link].with_port(kMdnsPort), group, Transport::Udp}, size};
}

std::optional<Transmit> Mdns::poll_question(MutBytes out) {
  for (Question& question : questions_) {
    for (std::size_t link = 0; link < links_.size(); ++link) {
      if ((question.owed & LinkSet{1} << link) == 0) continue;
      question.owed &= ~(LinkSet{1} << link);
      if (question.is_over) continue;
      const std::size_t size = write_mdns_question(question.wire, out);
      if (size != 0) return to_group(link, size);
    }
  }
  return std::nullopt;
}

std::optional<Transmit> Mdns::poll_record(Time now, MutBytes out) {
  for (std::size_t i = 0; i < records_.size(); ++i) {
    Own& own = records_[i];
    for (std::size_t link = 0; link < links_.size(); ++link) {
      Own::OnLink& on = own.on[link];
      if (!on.is_owed) continue;
      const std::size_t size = own.is_leaving
                                   ? write_mdns_goodbye(own.wire, own.address, out)
                                   : write_mdns_answer(own.wire, own.address, on.denial_first, out);
      on.is_owed = on.denial_first = false;
      on.last_sent = now;
      on.due = on.announcements > 1 ? now + kRecordGap : kNever;
      if (on.announcements > 0) --on.announcements;
      const Transmit transmit = to_group(link, size);
      if (own.is_leaving) drop_those_gone();
      return size != 0 ? std::optional(transmit) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<Transmit> Mdns::poll_reply(MutBytes out) {
  while (!replies_.empty()) {
    const Reply reply = replies_[0];
    replies_.erase(0);
    const Own* const own = find_own(reply.question.name);
    if (own == nullptr) continue;
    const bool has_answer = matches(reply.question, own->address);
    const std::size_t size =
        reply.is_legacy ? write_legacy_answer(reply.id, reply.question, own->address, has_answer, out)
                        : write_mdns_answer(own->wire, own->address, !has_answer, out);
    if (size != 0) return Transmit{{reply.local.with_port(kMdnsPort), reply.remote, Transport::Udp}, size};
  }
  return std::nullopt;
}

std::optional<Transmit> Mdns::poll_transmit(Time now, MutBytes out) {
  if (const auto question = poll_question(out)) return question;
  if (const auto record = poll_record(now, out)) return record;
  return poll_reply(out);
}

void Mdns::handle_timeout(Time now) {
  for (Question& question : questions_) {
    if (question.is_over) continue;
    if (now >= question.give_up) {
      question.is_over = true;
    } else if (now >=
               question.next_copy) {  // RFC 6762 §5.2: after a second, then after twice as long each time
      question.gap *= 2;
      question.next_copy = now + question.gap;
      for (std::size_t i = 0; i < links_.size(); ++i)
        if (links_[i].is_valid()) question.owed |= LinkSet{1} << i;
    }
  }
  for (Own& own : records_)
    for (Own::OnLink& on : own.on) {
      if (now < on.due) continue;
      on.due = kNever;
      on.is_owed = true;
    }
}

Time Mdns::next_timeout() const {
  Time next = kNever;
  for (const Question& question : questions_)
    if (!question.is_over) next = std::min({next, question.next_copy, question.give_up});
  for (const Own& own : records_)
    for (const Own::OnLink& on : own.on) next = std::min(next, on.due);
  return next;
}

bool Mdns::poll_event(Event& event) {
  for (std::size_t i = 0; i < questions_.size(); ++i) {
    if (!questions_[i].is_over) continue;
    event.name = questions_[i].name;
    event.address = questions_[i].address;
    POLLRTC_LOG(environment_, Debug, "net", "mDNS: {} {}", event.name.view(),
                event.address.is_valid() ? "is resolved" : "has no address");
    questions_.erase(i);
    return true;
  }
  return false;
}

}  // namespace pollrtc::net
