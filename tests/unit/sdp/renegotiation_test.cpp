// Offers and answers after the first: what may change, and what must change with it.
#include "sdp_support.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

const std::string kTlsId = "a=tls-id:abc3de65cddef001be82\r\n";
std::string first_offer() { return chrome_offer() + kTlsId; }
Remote current() { return *offered(first_offer()); }

// The credentials changed, as a restart does.
std::string restarted(const std::string& text) {
  return replace_line(replace_line(text, "a=ice-ufrag", "a=ice-ufrag:newUfrag"), "a=ice-pwd",
                      "a=ice-pwd:newPasswordOf24Characters");
}
std::string other_fingerprint(const std::string& text) { return replace(text, "7A:D7:C9", "7A:D7:C8"); }
Result<Remote> again(const std::string& text) {
  const Remote before = current();
  return offered(text, &before);
}

const Description& our_offer() {
  static const Description offer = *make_offer(local_parameters());
  return offer;
}
std::string good_answer() { return answer_text(our_offer()); }
Result<Remote> answered_again(const std::string& text, bool offer_restarts_ice, bool after_pranswer = false) {
  const Remote before = *read_answer(our_offer(), parsed(good_answer()));
  return read_answer(our_offer(), parsed(text), {&before, offer_restarts_ice, after_pranswer});
}

}  // namespace

TEST_CASE("the same ufrag and password are no restart, wherever the lines stand", "[SDP-09][ICE-RST-05]") {
  REQUIRE(again(first_offer()).has_value());
  CHECK_FALSE(changes(current(), *again(first_offer())).ice);
  std::string moved = first_offer();
  const std::string lines = line_of(moved, "a=ice-ufrag") + "\r\n" + line_of(moved, "a=ice-pwd") + "\r\n";
  moved = replace(without_line(without_line(moved, "a=ice-ufrag"), "a=ice-pwd"), "m=application",
                  lines + "m=application");
  CHECK_FALSE(changes(current(), *again(moved)).ice);
  CHECK(changes(current(), *again(restarted(first_offer()))).ice);
  CHECK(changes(current(), *again(replace_line(first_offer(), "a=ice-ufrag", "a=ice-ufrag:newUfrag"))).ice);
  CHECK(changes(current(),
                *again(replace_line(first_offer(), "a=ice-pwd", "a=ice-pwd:newPasswordOf24Characters")))
            .ice);
}

TEST_CASE("a restart of ICE alone keeps the DTLS association", "[SDP-10]") {
  const Changes changed = changes(current(), *again(restarted(first_offer())));
  CHECK(changed.ice);
  CHECK_FALSE(changed.dtls);
  CHECK_FALSE(changed.sctp);
}

TEST_CASE("fingerprint, tls-id or role changed without a restart are refused in an offer", "[SDP-10]") {
  const std::string changed[] = {
      other_fingerprint(first_offer()), replace(first_offer(), "001be82", "001be83"),
      without_line(first_offer(), "a=tls-id"), replace_line(first_offer(), "a=setup", "a=setup:active")};
  for (const std::string& text : changed) {
    CHECK(again(text).error() == ErrorCode::Refused);
    REQUIRE(again(restarted(text)).has_value());
    CHECK(changes(current(), *again(restarted(text))).dtls);
  }
  CHECK(again(replace_line(first_offer(), "a=setup", "a=setup:passive"))
            .has_value());  // we are the client already
}

TEST_CASE("the same fingerprints in another order are no change", "[SDP-10]") {
  const std::string one = line_of(first_offer(), "a=fingerprint");
  const std::string two = replace(one, "7A:D7:C9", "00:00:00");
  const Remote before = *offered(replace_line(first_offer(), "a=fingerprint", one + "\r\n" + two));
  const auto swapped = offered(replace_line(first_offer(), "a=fingerprint", two + "\r\n" + one), &before);
  REQUIRE(swapped.has_value());
  CHECK_FALSE(changes(before, *swapped).dtls);
}

TEST_CASE("fingerprint, tls-id or role changed without a restart are refused in an answer",
          "[SDP-10][SDP-56]") {
  const std::string changed[] = {replace(good_answer(), "CD:CD:CD", "CD:CD:CE"),
                                 replace(good_answer(), "theirTlsId0", "theirTlsId1"),
                                 replace(good_answer(), "a=setup:active", "a=setup:passive")};
  for (const std::string& text : changed) {
    CHECK(answered_again(text, false).error() == ErrorCode::Refused);
    CHECK(answered_again(restarted(text), true).has_value());
  }
  CHECK(answered_again(good_answer(), false).has_value());
}

TEST_CASE(
    "an answerer that never says tls-id and turns its role round keeps the association, as Firefox does",
    "[SDP-56]") {
  const std::string plain = without_line(good_answer(), "a=tls-id");
  const std::string turned = replace(plain, "a=setup:active", "a=setup:passive");
  const Remote before = *read_answer(our_offer(), parsed(plain));
  for (const bool restarts : {false, true}) {
    const auto after =
        read_answer(our_offer(), parsed(restarts ? restarted(turned) : turned), {&before, restarts});
    REQUIRE(after.has_value());
    CHECK(after->our_role == before.our_role);
    CHECK_FALSE(changes(before, *after).dtls);
    // With other fingerprints it is another association after all.
    const std::string other = replace(turned, "CD:CD:CD", "CD:CD:CE");
    const auto changed =
        read_answer(our_offer(), parsed(restarts ? restarted(other) : other), {&before, restarts});
    CHECK(changed.has_value() == restarts);
    if (changed) CHECK(changes(before, *changed).dtls);
  }
}

TEST_CASE("an answer to a re-offer keeps the role of the living association", "[SDP-56]") {
  CHECK(answerer_role(Setup::Actpass, DtlsRole::Server) == DtlsRole::Server);
  CHECK(answerer_role(Setup::Actpass, DtlsRole::Client) == DtlsRole::Client);
  Remote before = current();
  before.our_role = DtlsRole::Server;  // we offered first, and the other end took the active role
  const Description offer = parsed(first_offer());
  const auto remote = read_offer(offer, &before);
  REQUIRE(remote.has_value());
  const Description answer = *make_answer(local_parameters(), offer, *remote);
  CHECK(answer.origin == local_parameters().origin);
  CHECK(answer.sections[0].transport.setup == Setup::Passive);
  CHECK(answer.sections[0].transport.fingerprints == local_parameters().fingerprints);
  CHECK(answer.sections[0].transport.tls_id == local_parameters().tls_id);
}

TEST_CASE("an answer restarts ICE exactly when the offer did", "[SDP-52]") {
  CHECK(answered_again(good_answer(), false).has_value());
  CHECK(answered_again(restarted(good_answer()), true).has_value());
  CHECK(answered_again(restarted(good_answer()), false).error() == ErrorCode::Refused);
  CHECK(answered_again(good_answer(), true).error() == ErrorCode::Refused);
  // One of the two is enough.
  for (const std::string& text :
       {replace_line(good_answer(), "a=ice-ufrag", "a=ice-ufrag:newUfrag"),
        replace_line(good_answer(), "a=ice-pwd", "a=ice-pwd:newPasswordOf24Characters")}) {
    const auto unasked = answered_again(text, false);
    REQUIRE_FALSE(unasked.has_value());
    CHECK(unasked.error() == ErrorCode::Refused);
    CHECK(answered_again(text, true).has_value());
  }
}

TEST_CASE("after a provisional answer the credentials may change, and with them the association",
          "[SDP-49]") {
  CHECK(answered_again(restarted(good_answer()), false, true).has_value());
  CHECK(answered_again(good_answer(), false, true).has_value());
  const std::string other = replace(good_answer(), "CD:CD:CD", "CD:CD:CE");
  CHECK_FALSE(answered_again(other, false, true).has_value());
  CHECK(answered_again(restarted(other), false, true).has_value());
}

TEST_CASE("a re-offer has at least as many sections as the one before", "[SDP-53]") {
  const std::string two = first_offer() + "m=audio 0 RTP/AVP 0\r\n";
  const Remote before = *offered(two);
  CHECK(offered(first_offer(), &before).error() == ErrorCode::Refused);
  CHECK(offered(two, &before).has_value());
  CHECK(offered(two + "m=video 0 RTP/AVP 0\r\n", &before).has_value());
}

TEST_CASE("a data section that goes to port 0 ends, and its slot may be used again", "[SDP-53]") {
  const std::string ended = replace(first_offer(), "m=application 64356", "m=application 0");
  const auto gone = again(ended);
  REQUIRE(gone.has_value());
  CHECK_FALSE(gone->has_data);
  const Description offer = parsed(ended);
  CHECK(make_answer(local_parameters(), offer, *gone)->sections[0].port == 0);

  const std::string reused = replace(replace(first_offer(), "a=mid:0", "a=mid:1"), "BUNDLE 0", "BUNDLE 1");
  const auto back = offered(reused, &*gone);
  REQUIRE(back.has_value());
  CHECK(back->has_data);
  const Changes changed = changes(*gone, *back);
  CHECK((changed.ice && changed.dtls && changed.sctp));
  CHECK(again(reused).error() == ErrorCode::Refused);  // a living section keeps its mid
}

TEST_CASE("a section that had no mid may be given one, or lose it, and is the same section", "[SDP-71]") {
  const std::string plain = without_line(without_line(first_offer(), "a=mid"), "a=group");
  const std::string texts[] = {plain, first_offer()};
  for (const bool has_first : {false, true}) {
    const Remote before = *offered(texts[has_first]);
    const auto after = offered(texts[!has_first], &before);
    REQUIRE(after.has_value());
    const Changes changed = changes(before, *after);
    CHECK_FALSE((changed.ice || changed.dtls || changed.sctp));
  }
  // Answers likewise, whether the offer restarts ICE or not.
  const std::string plain_answer = without_line(without_line(good_answer(), "a=mid"), "a=group");
  const Remote before = *read_answer(our_offer(), parsed(plain_answer));
  REQUIRE(before.mid.empty());
  for (const bool restarts : {false, true}) {
    const auto after = read_answer(our_offer(), parsed(restarts ? restarted(good_answer()) : good_answer()),
                                   {&before, restarts});
    REQUIRE(after.has_value());
    CHECK(changes(before, *after).ice == restarts);
    CHECK_FALSE(changes(before, *after).dtls);
  }
}

TEST_CASE("the section in use stays in use when another comes up before it", "[SDP-70]") {
  const std::string slot = "m=audio 0 RTP/AVP 0\r\n";
  const std::string before_text = replace(first_offer(), "m=application", slot + "m=application");
  const Remote before = *offered(before_text);
  CHECK(before.index == 1);
  std::string newcomer = replace(chrome_offer().substr(chrome_offer().find("m=")), "a=mid:0", "a=mid:9");
  newcomer = restarted("\r\n" + newcomer).substr(2);
  const auto after = offered(replace(before_text, slot, newcomer), &before);
  REQUIRE(after.has_value());
  CHECK(after->index == 1);
}

TEST_CASE("a bundled section of a re-offer lives on the transport that is there", "[SDP-69][SDP-20]") {
  const std::string audio =
      "m=audio 9 UDP/TLS/RTP/SAVPF "
      "111\r\na=mid:a\r\na=ice-ufrag:v8Lx\r\na=ice-pwd:GdpW980Caww9WWsbg6jJ5pGu\r\n";
  const std::string both = replace(replace_line(first_offer(), "a=group", "a=group:BUNDLE a 0"),
                                   "m=application", audio + "m=application");
  const Remote before = *offered(both);
  const std::string later = replace(both, "m=application 64356", "m=application 0") + "a=bundle-only\r\n";
  REQUIRE(offered(later, &before).has_value());
  CHECK(offered(later, &before)->has_data);
  CHECK_FALSE(offered(later)->has_data);  // as a first offer it has nothing to live on
}

TEST_CASE("a re-offer that says the same is answered all the same", "[SDP-54]") {
  const auto same = again(first_offer());
  REQUIRE(same.has_value());
  const Changes changed = changes(current(), *same);
  CHECK_FALSE((changed.ice || changed.dtls || changed.sctp));
  CHECK(make_answer(local_parameters(), parsed(first_offer()), *same).has_value());
}

TEST_CASE("ice-lite, ice-options and ice-pacing change with a restart only", "[SDP-58][ICE-RST-05]") {
  const auto with_session_line = [](const char* line) {
    return replace(first_offer(), "a=group", std::string(line) + "\r\na=group");
  };
  const std::string changed[] = {with_session_line("a=ice-lite"), with_session_line("a=ice-pacing:20"),
                                 replace_line(first_offer(), "a=ice-options", "a=ice-options:trickle ice2"),
                                 without_line(first_offer(), "a=ice-options")};
  for (const std::string& text : changed) {
    CHECK(again(text).error() == ErrorCode::Refused);
    CHECK(again(restarted(text)).has_value());
  }
  CHECK(again(with_session_line("a=ice-pacing:50")).has_value());
  CHECK(again(with_session_line("a=ice-options:trickle")).has_value());  // compared as sets
}

TEST_CASE("a new SCTP port is a new association and nothing else", "[SDP-45]") {
  const auto after = again(replace_line(first_offer(), "a=sctp-port", "a=sctp-port:5001"));
  REQUIRE(after.has_value());
  const Changes changed = changes(current(), *after);
  CHECK(changed.sctp);
  CHECK_FALSE((changed.ice || changed.dtls));
}

TEST_CASE("our re-offer keeps name, time, mid, and offers actpass again", "[SDP-55]") {
  const Description offer = parsed(replace(first_offer(), "t=0 0", "t=3034423619 0"));
  const Description answer = *make_answer(local_parameters(), offer, *read_offer(offer));
  const Description again_offered = *make_offer(local_parameters(), &answer, 0);
  CHECK(again_offered.timing == "3034423619 0");
  REQUIRE(again_offered.sections.size() == 1);
  CHECK(again_offered.sections[0].mid == "0");
  CHECK(again_offered.sections[0].transport.setup == Setup::Actpass);
  CHECK(again_offered.sections[0].transport.ufrag == answer.sections[0].transport.ufrag);
  CHECK(again_offered.sections[0].transport.tls_id == local_parameters().tls_id);
}

TEST_CASE("our re-offer has the ICE options of the description before it, until ICE restarts") {
  using List = std::vector<std::string>;
  for (const auto& [line, said] :
       {std::pair{"a=ice-options:trickle", List{"trickle"}}, std::pair{"a=x", List{}},
        std::pair{"a=ice-options:ice2 trickle", List{"trickle", "ice2"}}}) {
    const Description answer = answer_to(replace_line(first_offer(), "a=ice-options", line));
    const Description plain = *make_offer(local_parameters(), &answer, 0);
    CHECK(plain.transport.ice_options == said);
    // The other end would refuse any change.
    const Remote before = *read_answer(parsed(first_offer()), answer);
    CHECK(read_offer(plain, &before).has_value());
    LocalParameters other = local_parameters();
    (answer.transport.ice_options.empty() ? other.ufrag : other.pwd).back() = 'x';
    CHECK(make_offer(other, &answer, 0)->transport.ice_options == List{"trickle", "ice2"});
  }
}

TEST_CASE("our re-offer keeps the other sections in their place, rejected", "[SDP-55][SDP-53]") {
  const std::string text = read_test_file("vectors/sdp/offer-derived-audio-video-data.sdp");
  const Description answer = answer_to(text);
  LocalParameters local = local_parameters();
  local.mid = "d";
  const Description offer = *make_offer(local, &answer, 2);
  REQUIRE(offer.sections.size() == 3);
  CHECK(offer.sections[0].port == 0);
  CHECK(offer.sections[0].media == "audio");
  CHECK(offer.sections[0].mid == "a");
  CHECK(offer.sections[2].port == 9);
  CHECK(offer.bundle_groups == std::vector<std::vector<std::string>>{{"d"}});
  CHECK(read_offer(offer).has_value());
  CHECK(read_offer(offer)->index == 2);
  CHECK(make_offer(local, &answer, 4).error() == ErrorCode::InvalidArgument);
  local.mid = "a";  // a mid is one section's, and a dead one keeps its own
  CHECK(make_offer(local, &answer, 2).error() == ErrorCode::InvalidArgument);
}

TEST_CASE("an answer is made only of the facts of its offer") {
  Remote remote = current();
  remote.section_count = 2;
  CHECK(make_answer(local_parameters(), parsed(first_offer()), remote).error() == ErrorCode::InvalidArgument);
  remote = current();
  remote.index = 1;
  CHECK(make_answer(local_parameters(), parsed(first_offer()), remote).error() == ErrorCode::InvalidArgument);
}
