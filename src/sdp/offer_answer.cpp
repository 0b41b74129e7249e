// Reading what the other end says: choosing its data section, resolving what applies to it, checking it against what
// was said before.
#include "sdp/offer_answer.h"

#include <algorithm>

#include "sdp/data_section.h"

namespace pollrtc::sdp {
namespace {

Unexpected<Error> refused(std::string_view detail) { return fail(ErrorCode::Refused, detail); }

// A section with port 0 and bundle-only lives on the transport of its group's tagged section, or on its own when it is
// that one. In a first offer the tagged section may be one that we reject; then there is nothing to live on
// (RFC 9143 §7.3.1, §7.3.2). Later the transport is there already.
bool is_usable(const Description& description, const Section& section, bool has_transport) {
  if (!is_data(section) || !is_alive(section)) return false;
  if (section.port != 0) return true;
  const Section* tagged = tagged_section(description, section);
  return tagged == &section || (has_transport && tagged != nullptr && tagged->port != 0);
}

// One association a connection (RFC 8841 §5.3), so of several data sections one is taken: the one in use, else the
// first.
std::optional<std::size_t> find_data(const Description& description, const Remote* current) {
  const bool has_transport = current != nullptr && current->has_data;
  const std::vector<Section>& sections = description.sections;
  const auto usable = [&](const Section& section) { return is_usable(description, section, has_transport); };
  if (has_transport && current->index < sections.size() && usable(sections[current->index]))
    return current->index;
  const auto found = std::find_if(sections.begin(), sections.end(), usable);
  if (found == sections.end()) return std::nullopt;
  return static_cast<std::size_t>(found - sections.begin());
}

// RFC 8841 §5.1: there is no default, so the section is invalid; RFC 9429 §5.8.2: and with it the description.
Status check_sctp_ports(const Description& description) {
  for (const Section& section : description.sections)
    if (is_new_form(section) && is_alive(section) && !section.sctp_port)
      return refused("sctp-port is missing");
  return {};
}

// RFC 8122 §5.1: of the hashes offered only the lines of the one that we prefer count; larger is preferred.
std::vector<Fingerprint> preferred(const std::vector<Fingerprint>& offered) {
  HashAlgorithm best = HashAlgorithm::Sha256;
  for (const Fingerprint& fingerprint : offered) best = std::max(best, fingerprint.hash);
  std::vector<Fingerprint> kept;
  for (const Fingerprint& fingerprint : offered)
    if (fingerprint.hash == best && std::find(kept.begin(), kept.end(), fingerprint) == kept.end())
      kept.push_back(fingerprint);
  return kept;
}

// Levels in the order in which they count for a section: its own lines; when it is bundled, those of the tagged section
// (RFC 9143 §7.1.3); those of the session.
struct Levels {
  const TransportAttributes* level[3];

  template <class Has>
  const TransportAttributes& first(Has has) const {
    for (const TransportAttributes* attributes : level)
      if (attributes != nullptr && has(*attributes)) return *attributes;
    return *level[2];
  }
};

Levels levels_of(const Description& description, const Section& section) {
  const Section* tagged = tagged_section(description, section);
  return {{&section.transport, tagged != nullptr && is_alive(*tagged) ? &tagged->transport : nullptr,
           &description.transport}};
}

void resolve_ice(const Description& description, const Section& section, const Levels& levels,
                 Remote& remote) {
  const auto has_ufrag = [](const TransportAttributes& t) { return !t.ufrag.empty(); };
  const TransportAttributes& credentials = levels.first(has_ufrag);
  // Browsers repeat the credentials in each bundled section, and still signal the candidates under the tagged one alone.
  const TransportAttributes* const tagged = levels.level[1];
  const bool is_foreign =
      tagged != nullptr && tagged->ufrag == credentials.ufrag && tagged->pwd == credentials.pwd;
  const Section& from = is_foreign ? *tagged_section(description, section) : section;
  remote.transport_index = static_cast<std::size_t>(&from - description.sections.data());
  remote.transport_mid = from.mid;
  remote.ufrag = credentials.ufrag;
  remote.pwd = levels.first([](const TransportAttributes& t) { return !t.pwd.empty(); }).pwd;
  remote.candidates = from.candidates;
  if (&from != &section && !section.transport.ufrag.empty())
    remote.candidates.insert(remote.candidates.end(), section.candidates.begin(), section.candidates.end());
  remote.end_of_candidates = from.transport.end_of_candidates || description.transport.end_of_candidates;
  remote.ice_lite = description.ice_lite;
  for (const TransportAttributes* level : levels.level)
    if (level != nullptr)
      remote.ice_options.insert(remote.ice_options.end(), level->ice_options.begin(),
                                level->ice_options.end());
  std::vector<std::string>& options = remote.ice_options;
  std::sort(options.begin(), options.end());
  options.erase(std::unique(options.begin(), options.end()), options.end());
  remote.trickle = std::binary_search(options.begin(), options.end(), "trickle");
  if (description.ice_pacing) {
    // A peer that asks for a check an hour would stop us; RFC 8839 §5.5 names no bound, so this one is ours.
    const auto most = static_cast<std::uint64_t>(kMaxIcePacing / std::chrono::milliseconds(1));
    remote.ice_pacing = std::chrono::milliseconds(std::min(*description.ice_pacing, most));
  }
}

void resolve_dtls(const Levels& levels, Remote& remote) {
  const auto has_fingerprint = [](const TransportAttributes& t) {
    return !t.fingerprints.empty() || !t.other_fingerprints.empty();
  };
  remote.fingerprints = preferred(levels.first(has_fingerprint).fingerprints);
  remote.setup = levels.first([](const TransportAttributes& t) { return t.setup != Setup::None; }).setup;
  remote.tls_id = levels.first([](const TransportAttributes& t) { return !t.tls_id.empty(); }).tls_id;
}

Result<Remote> resolve(const Description& description, std::size_t index) {
  const Section& section = description.sections[index];
  const Levels levels = levels_of(description, section);
  Remote remote;
  remote.has_data = true;
  remote.section_count = description.sections.size();
  remote.index = index;
  remote.mid = section.mid;
  remote.is_pollrtc = description.tool == kOwnTool;
  resolve_ice(description, section, levels, remote);
  resolve_dtls(levels, remote);
  remote.is_legacy = !is_new_form(section);
  remote.sctp_port = *sctp_port_of(section);
  if (section.max_message_size)  // RFC 8841 §6.1
    remote.max_message_size = *section.max_message_size == 0 ? kAnySize : *section.max_message_size;

  // RFC 9429 §5.8.3: what must be there.
  if (remote.ufrag.empty()) return refused("ice-ufrag is missing");
  if (remote.pwd.empty()) return refused("ice-pwd is missing");
  if (remote.fingerprints.empty()) {
    const bool any = !levels.first([](const TransportAttributes& t) { return !t.other_fingerprints.empty(); })
                          .other_fingerprints.empty();
    return any ? refused("no fingerprint of a hash that we accept") : refused("fingerprint is missing");
  }
  if (remote.setup == Setup::None) return refused("setup is missing");
  if (remote.setup == Setup::Holdconn) return refused("setup must not be holdconn");  // RFC 8842 §5.1
  return remote;
}

// RFC 9429 §5.2.2: a mid stays. But a section that had none at first has one as soon as either end offers with it
// (RFC 9429 §5.3.1: the answer repeats the offer's), and is the same section.
bool has_other_mid(const Remote& before, const Remote& after) {
  return !before.mid.empty() && !after.mid.empty() && before.mid != after.mid;
}

// A description against the one before it, both of the same end and about the same section.
Status check_continuity(const Remote& before, const Remote& after) {
  if (has_other_mid(before, after)) return refused("the mid of the data section changed");
  const Changes changed = changes(before, after);
  // RFC 9429 §5.8.3, §5.11: another DTLS association needs other ICE credentials, to tell the packets of both apart.
  if (changed.dtls && !changed.ice)
    return refused("fingerprint, tls-id or role changed without an ICE restart");
  return {};
}

bool same_fingerprints(const Remote& a, const Remote& b) {
  const auto contains = [](const Remote& all, const Fingerprint& one) {
    return std::find(all.fingerprints.begin(), all.fingerprints.end(), one) != all.fingerprints.end();
  };
  return a.fingerprints.size() == b.fingerprints.size() &&
         std::all_of(a.fingerprints.begin(), a.fingerprints.end(),
                     [&](const auto& f) { return contains(b, f); });
}

// RFC 9429 §5.8.3, RFC 3264 §6: section by section, the answer is to the offer.
Status check_mirror(const Description& offer, const Description& answer) {
  if (offer.sections.size() != answer.sections.size())
    return refused("answer has not as many sections as the offer");
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    const Section &offered = offer.sections[i], &answered = answer.sections[i];
    if (offered.media != answered.media) return refused("answer has another media type than the offer");
    if (offered.proto != answered.proto) return refused("answer has another proto than the offer");
    if (!answered.mid.empty() && offered.mid != answered.mid)
      return refused("answer has another mid than the offer");
    if (!is_alive(offered) && is_alive(answered))
      return refused("answer takes a section that the offer had disabled");
    // RFC 8839 §4.2.5: our offer's default destination was changed on the way. There is no going on without ICE.
    if (answered.ice_mismatch) return refused("the answer says ice-mismatch");
  }
  return {};
}

// RFC 9143 §7.4: what the answer bundles was bundled in the offer, in one group.
Status check_groups(const Description& offer, const Description& answer) {
  for (const auto& answered : answer.bundle_groups) {
    const auto holds = [&](const std::vector<std::string>& offered) {
      return std::all_of(answered.begin(), answered.end(), [&](const std::string& mid) {
        return std::find(offered.begin(), offered.end(), mid) != offered.end();
      });
    };
    if (!answered.empty() && std::none_of(offer.bundle_groups.begin(), offer.bundle_groups.end(), holds))
      return refused("answer bundles sections that the offer did not");
  }
  return {};
}

}  // namespace

std::optional<std::uint16_t> sctp_port_of(const Section& section) {
  return is_new_form(section) ? section.sctp_port : old_form_port(section);
}

Changes changes(const Remote& before, const Remote& after) {
  Changes changed;
  const bool is_other =
      before.has_data != after.has_data || before.index != after.index || has_other_mid(before, after);
  changed.ice = is_other || before.ufrag != after.ufrag || before.pwd != after.pwd;
  changed.dtls = is_other || !same_fingerprints(before, after) || before.tls_id != after.tls_id ||
                 before.our_role != after.our_role;
  changed.sctp = is_other || before.sctp_port != after.sctp_port;
  return changed;
}

std::optional<DtlsRole> answerer_role(Setup offer, std::optional<DtlsRole> living) {
  switch (offer) {
    case Setup::Actpass:  // RFC 9429 §5.3.1: active, unless that would swap the roles
      return living.value_or(DtlsRole::Client);
    case Setup::Active:
      return DtlsRole::Server;
    case Setup::Passive:
      return DtlsRole::Client;
    case Setup::None:      // RFC 9429 §5.8.3: there is no default for DTLS
    case Setup::Holdconn:  // RFC 8842 §5.1
      break;
  }
  return std::nullopt;
}

std::optional<DtlsRole> offerer_role(Setup offer, Setup answer) {
  const bool may_be_client = offer == Setup::Actpass || offer == Setup::Active;
  const bool may_be_server = offer == Setup::Actpass || offer == Setup::Passive;
  if (answer == Setup::Passive && may_be_client) return DtlsRole::Client;
  if (answer == Setup::Active && may_be_server) return DtlsRole::Server;
  return std::nullopt;
}

Result<Remote> read_offer(const Description& offer, const Remote* current) {
  if (current != nullptr && offer.sections.size() < current->section_count)
    return refused("offer has fewer sections than the one before");  // RFC 3264 §8
  if (const Status status = check_sctp_ports(offer); !status) return Unexpected{status.error()};
  const auto index = find_data(offer, current);
  if (!index) {
    Remote none;
    none.section_count = offer.sections.size();
    return none;
  }
  Result<Remote> remote = resolve(offer, *index);
  if (!remote) return remote;
  const bool is_same_section = current != nullptr && current->has_data && current->index == *index;
  const auto role =
      answerer_role(remote->setup, is_same_section ? std::optional(current->our_role) : std::nullopt);
  if (!role) return refused("setup cannot be answered");
  remote->our_role = *role;
  if (!is_same_section) return remote;

  if (const Status status = check_continuity(*current, *remote); !status) return Unexpected{status.error()};
  // RFC 8839 §4.4.2.1: the parameters of ICE are those of its generation.
  const bool same_ice = remote->ice_lite == current->ice_lite &&
                        remote->ice_options == current->ice_options &&
                        remote->ice_pacing == current->ice_pacing;
  if (!same_ice && !changes(*current, *remote).ice)
    return refused("ice-lite, ice-options or ice-pacing changed without an ICE restart");
  return remote;
}

Result<Remote> read_answer(const Description& offer, const Description& answer,
                           const AnswerContext& context) {
  if (const Status status = check_mirror(offer, answer); !status) return Unexpected{status.error()};
  if (const Status status = check_groups(offer, answer); !status) return Unexpected{status.error()};
  if (const Status status = check_sctp_ports(answer); !status) return Unexpected{status.error()};
  // Our offer has one data section; an answer in another form of the m= line does not accept it.
  const auto offered = find_data(offer, nullptr);
  if (!offered || !is_alive(answer.sections[*offered])) {
    Remote none;
    none.section_count = answer.sections.size();
    return none;
  }
  if (!is_data(answer.sections[*offered])) return refused("answer has another format than the offer");
  Result<Remote> remote = resolve(answer, *offered);
  if (!remote) return remote;
  const auto role = offerer_role(offer.sections[*offered].transport.setup, remote->setup);
  if (!role) return refused("setup of the answer does not fit the offer");
  remote->our_role = *role;

  const Remote* current = context.current;
  if (current == nullptr || !current->has_data || current->index != *offered) return remote;
  // DEVIATION RFC 8842 §3.1: another role alone is no new DTLS association when the other end never says tls-id. Firefox
  // answers every later offer with "active", whatever it was, and keeps the association it has.
  if (same_fingerprints(*current, *remote) && current->tls_id.empty() && remote->tls_id.empty())
    remote->our_role = current->our_role;
  if (const Status status = check_continuity(*current, *remote); !status) return Unexpected{status.error()};
  const bool restarts = changes(*current, *remote).ice;
  if (context.after_pranswer)
    return remote;  // RFC 9429 §5.10: the answer may have other credentials than that
  if (restarts && !context.offer_restarts_ice) return refused("answer restarts ICE, but the offer did not");
  if (!restarts && context.offer_restarts_ice)
    return refused("answer does not restart ICE, but the offer did");
  return remote;
}

}  // namespace pollrtc::sdp
