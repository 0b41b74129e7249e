// A description from the other end: read, written and read again, and taken as first offer, as re-offer and as answer.
// Input: a description, or two with a byte 0 between; the second then follows the first as a re-offer.
#include "base/bytes.h"
#include "sdp/offer_answer.h"
#include "support.h"

using namespace pollrtc;
using namespace pollrtc::sdp;

namespace {

LocalParameters local_parameters() {
  LocalParameters local;
  local.origin.session_id = "1";
  local.mid = "0";
  local.ufrag = "ourUfrag";
  local.pwd = "ourPasswordOf24Character";
  local.fingerprints.emplace_back();
  local.tls_id = "ourTlsId0123456789abcdef";
  return local;
}

void check_round_trip(Description description, const Limits& limits) {
  description.ignored = {};
  const std::string text = write_description(description);
  // Ours is longer than what came in: a c= line in each section, defaults written out.
  Limits wide = limits;
  wide.sdp_size *= 2;
  wide.sdp_line *= 2;
  const auto again = parse_description(text, wide);
  check(again.has_value() && *again == description && write_description(*again) == text);
}

void check_limits(const Description& description, const Limits& limits) {
  check(description.sections.size() <= limits.sdp_sections);
  for (const Section& section : description.sections)
    check(section.candidates.size() <= limits.ice_remote_candidates);
}

// An offer that is accepted can be answered, and who made it accepts the answer.
void check_answerable(const Description& offer, const Remote& remote, const Limits& limits) {
  const auto answer = make_answer(local_parameters(), offer, remote);
  check(answer.has_value() && answer->sections.size() == offer.sections.size());
  check_round_trip(*answer, limits);
  check(!remote.has_data || (!remote.ufrag.empty() && !remote.pwd.empty() && !remote.fingerprints.empty()));
  LocalParameters ours = local_parameters();
  ours.mid = remote.mid.empty() ? unused_mid(answer->sections) : remote.mid;
  const auto next = make_offer(ours, &*answer, remote.index);
  check(next.has_value() && (read_offer(*next).has_value()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Limits limits;
  limits.sdp_size = 16 * 1024;
  limits.ice_remote_candidates = 8;
  const std::string_view text = as_text(Bytes(data, size));
  const std::size_t cut = text.find('\0');
  const auto first = parse_description(text.substr(0, cut), limits);
  if (!first) {
    check(!first.error().detail().empty());
    return 0;
  }
  check_limits(*first, limits);
  check_round_trip(*first, limits);

  static const Description our_offer = *make_offer(local_parameters());
  (void)read_answer(our_offer, *first);

  const auto remote = read_offer(*first);
  if (!remote) return 0;
  check_answerable(*first, *remote, limits);
  const auto same = read_offer(*first, &*remote);
  check(same.has_value());  // saying the same again is no change
  const Changes none = changes(*remote, *same);
  check(!none.ice && !none.dtls && !none.sctp);

  if (cut == std::string_view::npos) return 0;
  const auto second = parse_description(text.substr(cut + 1), limits);
  if (!second) return 0;
  (void)read_answer(*first, *second);
  const auto later = read_offer(*second, &*remote);
  if (later) check_answerable(*second, *later, limits);
  return 0;
}
