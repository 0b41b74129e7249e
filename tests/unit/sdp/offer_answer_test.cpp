// What the other end says, read for the first time.
#include "sdp_support.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

const Description& our_offer() {
  static const Description offer = *make_offer(local_parameters());
  return offer;
}

Result<Remote> answered(const std::string& text) {
  const auto answer = parse_description(text, kLimits);
  if (!answer) return Unexpected{answer.error()};
  return read_answer(our_offer(), *answer);
}
std::string good_answer() { return answer_text(our_offer()); }

std::string with_setup(std::string_view setup) {
  return replace_line(chrome_offer(), "a=setup", "a=setup:" + std::string(setup));
}

// Moves lines of the section to session level.
std::string hoisted(std::string text, std::initializer_list<const char*> names) {
  std::string moved;
  for (const char* name : names) {
    moved += line_of(text, name) + "\r\n";
    text = without_line(text, name);
  }
  return replace(text, "m=application", moved + "m=application");
}

const std::string kTaggedAudio =
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=ice-ufrag:tagd\r\n"
    "a=ice-pwd:taggedPasswordOf24Charac\r\na=ice-options:trickle\r\n"
    "a=candidate:7 1 udp 1 192.0.2.7 7 typ host\r\na=setup:actpass\r\n";

}  // namespace

TEST_CASE("the facts of a browser's offer", "[SDP-01][SDP-41]") {
  const Remote r = *offered(chrome_offer());
  CHECK(r.has_data);
  CHECK(r.section_count == 1);
  CHECK(r.index == 0);
  CHECK(r.transport_index == 0);
  CHECK(r.mid == "0");
  CHECK(r.ufrag == "v8Lx");
  CHECK(r.pwd == "GdpW980Caww9WWsbg6jJ5pGu");
  CHECK(r.ice_options == std::vector<std::string>{"trickle"});
  CHECK(r.trickle);
  CHECK_FALSE(r.ice_lite);
  CHECK(r.candidates.size() == 2);
  CHECK_FALSE(r.end_of_candidates);
  CHECK(r.setup == Setup::Actpass);
  CHECK(r.our_role == DtlsRole::Client);
  CHECK(r.sctp_port == 5000);
  CHECK_FALSE(r.is_legacy);
  CHECK(r.max_message_size == 262144);
}

TEST_CASE("the answerer's role follows the offer's setup", "[SDP-06]") {
  CHECK(answerer_role(Setup::Actpass, {}) == DtlsRole::Client);
  CHECK(answerer_role(Setup::Active, {}) == DtlsRole::Server);
  CHECK(answerer_role(Setup::Passive, {}) == DtlsRole::Client);
  CHECK_FALSE(answerer_role(Setup::None, {}));
  CHECK_FALSE(answerer_role(Setup::Holdconn, {}));

  CHECK(answer_to(with_setup("actpass")).sections[0].transport.setup == Setup::Active);
  CHECK(answer_to(with_setup("active")).sections[0].transport.setup == Setup::Passive);
  CHECK(answer_to(with_setup("passive")).sections[0].transport.setup == Setup::Active);
  CHECK(offered(with_setup("active"))->our_role == DtlsRole::Server);
  CHECK(is_refused(with_setup("holdconn")));
  CHECK(is_refused(without_line(chrome_offer(), "a=setup")));
}

TEST_CASE("the offerer's role follows both setups", "[SDP-06]") {
  const std::optional<DtlsRole> client = DtlsRole::Client, server = DtlsRole::Server, none;
  const Setup all[] = {Setup::None, Setup::Active, Setup::Passive, Setup::Actpass, Setup::Holdconn};
  const std::optional<DtlsRole> expected[5][5] = {
      // answer: none, active, passive, actpass, holdconn
      {none, none, none, none, none},      // offer: none
      {none, none, client, none, none},    // active
      {none, server, none, none, none},    // passive
      {none, server, client, none, none},  // actpass
      {none, none, none, none, none},      // holdconn
  };
  for (std::size_t offer = 0; offer < 5; ++offer)
    for (std::size_t answer = 0; answer < 5; ++answer)
      CHECK(offerer_role(all[offer], all[answer]) == expected[offer][answer]);

  CHECK(answered(good_answer())->our_role == DtlsRole::Server);
  CHECK(answered(replace(good_answer(), "a=setup:active", "a=setup:passive"))->our_role == DtlsRole::Client);
  for (const char* wrong : {"a=setup:actpass", "a=setup:holdconn", "a=x"})
    CHECK_FALSE(answered(replace(good_answer(), "a=setup:active", wrong)).has_value());
}

TEST_CASE("the peer's message size: absent is 65536, 0 is any", "[SDP-07]") {
  const auto size = [](const char* line) {
    return offered(replace_line(chrome_offer(), "a=max-message-size", line))->max_message_size;
  };
  CHECK(size("a=x") == 65536);
  CHECK(size("a=max-message-size:0") == kAnySize);
  CHECK(size("a=max-message-size:1") == 1);
  CHECK(size("a=max-message-size:1073741823") == 1073741823);
  CHECK(size("a=max-message-size:99999999999999999999999999") == kMaxNumber);
}

TEST_CASE("ICE credentials must be there, from the section or from the session",
          "[SDP-39][SDP-63][ICE-CRED-02]") {
  CHECK(is_refused(without_line(chrome_offer(), "a=ice-ufrag")));
  CHECK(is_refused(without_line(chrome_offer(), "a=ice-pwd")));
  CHECK_FALSE(answered(without_line(good_answer(), "a=ice-ufrag")).has_value());
  const Remote r = *offered(hoisted(chrome_offer(), {"a=ice-ufrag", "a=ice-pwd"}));
  CHECK(r.ufrag == "v8Lx");
  CHECK(r.pwd == "GdpW980Caww9WWsbg6jJ5pGu");
  const std::string both = replace(chrome_offer(), "m=application",
                                   "a=ice-ufrag:sess\r\na=ice-pwd:sessionPasswordOf24Chars\r\nm=application");
  CHECK(offered(both)->ufrag == "v8Lx");
  CHECK(offered(both)->pwd == "GdpW980Caww9WWsbg6jJ5pGu");
}

TEST_CASE("an answer that says ice-mismatch is refused, an offer may say what it likes", "[SDP-63]") {
  CHECK_FALSE(answered(good_answer() + "a=ice-mismatch\r\n").has_value());
  CHECK(offered(chrome_offer() + "a=ice-mismatch\r\n").has_value());
  CHECK(offered(chrome_offer() + "a=remote-candidates:1 192.0.2.1 5 2 192.0.2.1 6\r\n").has_value());
}

TEST_CASE("a c= line may be absent, a name, or no candidate's address", "[SDP-40][ICE-GATH-16]") {
  CHECK_FALSE(is_refused(without_line(chrome_offer(), "c=")));
  for (const char* line :
       {"c=IN IP4 0.0.0.0", "c=IN IP6 ::", "c=IN IP4 host.example.org", "c=IN IP4 203.0.113.9"})
    CHECK_FALSE(is_refused(replace_line(chrome_offer(), "c=", line)));
  CHECK(is_refused(replace_line(chrome_offer(), "c=", "c=IN IP4")));
  // We write one right behind every m= line, also of a section that we reject.
  const std::string two =
      replace(chrome_offer(), "m=application", "m=audio 9 RTP/AVP 0\r\na=mid:a\r\nm=application");
  const auto remote = offered(two);
  REQUIRE(remote.has_value());
  for (const std::string& text :
       {write_description(*make_offer(local_parameters())),
        write_description(*make_answer(local_parameters(), parsed(two), *remote))}) {
    std::size_t sections = 0;
    for (std::size_t at = text.find("\r\nm="); at != std::string::npos; at = text.find("\r\nm=", at + 1)) {
      ++sections;
      const std::size_t end = text.find("\r\n", at + 2);
      CHECK(text.compare(end, 20, "\r\nc=IN IP4 0.0.0.0\r\n") == 0);
    }
    CHECK(sections >= 1);
  }
}

TEST_CASE("attributes that may stand at both levels are read at both", "[SDP-41][SDP-38]") {
  const Remote there = *offered(chrome_offer());
  const Remote r = *offered(
      hoisted(chrome_offer(), {"a=ice-ufrag", "a=ice-pwd", "a=ice-options", "a=fingerprint", "a=setup"}));
  CHECK(r.ufrag == there.ufrag);
  CHECK(r.trickle);
  CHECK(r.fingerprints == there.fingerprints);
  CHECK(r.setup == Setup::Actpass);
  // A set in the section replaces the set of the session, also when it is one that we cannot use.
  std::string sha1 = "a=fingerprint:sha-1 AB";
  for (int i = 1; i < 20; ++i) sha1 += ":AB";
  CHECK(is_refused(hoisted(chrome_offer(), {"a=fingerprint"}) + sha1 + "\r\n"));
}

TEST_CASE("of the hashes offered only the lines of the best one count", "[DTLS-07]") {
  const auto line = [](const char* name, std::size_t size, const char* byte) {
    std::string text = "a=fingerprint:" + std::string(name) + " " + byte;
    for (std::size_t i = 1; i < size; ++i) text += std::string(":") + byte;
    return text + "\r\n";
  };
  const std::string text = without_line(chrome_offer(), "a=fingerprint");
  const auto hashes = [&](const std::string& lines) { return offered(text + lines)->fingerprints; };
  CHECK(hashes(line("sha-256", 32, "01") + line("sha-512", 64, "02") + line("sha-384", 48, "03") +
               line("sha-512", 64, "04")) ==
        std::vector<Fingerprint>{fingerprint_of(HashAlgorithm::Sha512, 2),
                                 fingerprint_of(HashAlgorithm::Sha512, 4)});
  CHECK(hashes(line("sha-256", 32, "01") + line("sha-384", 48, "03")) ==
        std::vector<Fingerprint>{fingerprint_of(HashAlgorithm::Sha384, 3)});
  CHECK(hashes(line("sha-1", 20, "01") + line("sha-256", 32, "02")) ==
        std::vector<Fingerprint>{fingerprint_of(HashAlgorithm::Sha256, 2)});
  CHECK(is_refused(text + line("sha-1", 20, "01") + line("md5", 16, "01") + line("sha-224", 28, "01")));
  CHECK(is_refused(text));
}

TEST_CASE("sctp-port has no default", "[SDP-42]") {
  CHECK(is_refused(without_line(chrome_offer(), "a=sctp-port")));
  CHECK_FALSE(answered(without_line(good_answer(), "a=sctp-port")).has_value());
  // Also in a second data section that would be rejected.
  const std::string second = without_line(chrome_offer().substr(chrome_offer().find("m=")), "a=sctp-port");
  CHECK(is_refused(chrome_offer() + replace(second, "a=mid:0", "a=mid:1")));
}

TEST_CASE("the two ends may use different SCTP ports", "[SDP-43]") {
  CHECK(offered(replace_line(chrome_offer(), "a=sctp-port", "a=sctp-port:6000"))->sctp_port == 6000);
  CHECK(answer_to(replace_line(chrome_offer(), "a=sctp-port", "a=sctp-port:6000")).sections[0].sctp_port ==
        std::uint16_t{5000});
  CHECK(answered(replace_line(good_answer(), "a=sctp-port", "a=sctp-port:7000"))->sctp_port == 7000);
}

TEST_CASE("sctp-port 0 rejects no section and is answered with 0", "[SDP-44]") {
  const std::string text = replace_line(chrome_offer(), "a=sctp-port", "a=sctp-port:0");
  CHECK(offered(text)->has_data);
  CHECK(offered(text)->sctp_port == 0);
  CHECK(answer_to(text).sections[0].sctp_port == std::uint16_t{0});
  CHECK(answer_to(text).sections[0].port == 9);
  const auto answer = answered(replace_line(good_answer(), "a=sctp-port", "a=sctp-port:0"));
  REQUIRE(answer.has_value());
  CHECK(answer->has_data);
  CHECK(answer->sctp_port == 0);
}

TEST_CASE("whether the other end is one of ours is what its tool says, all of it") {
  const auto is_ours = [](std::string_view tool) {
    return offered(replace(chrome_offer(), "t=0 0\r\n", "t=0 0\r\na=tool:" + std::string(tool) + "\r\n"))
        ->is_pollrtc;
  };
  CHECK_FALSE(offered(chrome_offer())->is_pollrtc);
  CHECK(is_ours("pollrtc"));
  CHECK_FALSE(is_ours("pollrtc2"));
  CHECK_FALSE(is_ours("a pollrtc"));
}

TEST_CASE("trickle is looked for at both levels", "[SDP-61]") {
  CHECK(offered(chrome_offer())->trickle);
  CHECK(offered(hoisted(chrome_offer(), {"a=ice-options"}))->trickle);
  CHECK_FALSE(offered(without_line(chrome_offer(), "a=ice-options"))->trickle);
  CHECK_FALSE(offered(replace_line(chrome_offer(), "a=ice-options", "a=ice-options:ice2 trickles"))->trickle);
}

TEST_CASE("end-of-candidates counts at either level", "[SDP-62]") {
  CHECK(offered(chrome_offer() + "a=end-of-candidates\r\n")->end_of_candidates);
  CHECK(offered(replace(chrome_offer(), "m=application", "a=end-of-candidates\r\nm=application"))
            ->end_of_candidates);
  // That of another section is not ours.
  const std::string text =
      replace(chrome_offer(), "m=application", "m=audio 9 RTP/AVP 0\r\na=end-of-candidates\r\nm=application");
  CHECK_FALSE(offered(text)->end_of_candidates);
}

TEST_CASE("ice-pacing: absent is 50 ms, and there is a bound", "[SDP-64]") {
  const auto pacing = [](const char* line) {
    return offered(replace(chrome_offer(), "a=group", std::string(line) + "\r\na=group"))->ice_pacing;
  };
  CHECK(pacing("a=x") == std::chrono::milliseconds(50));
  CHECK(pacing("a=ice-pacing:20") == std::chrono::milliseconds(20));
  CHECK(pacing("a=ice-pacing:2000") == std::chrono::milliseconds(2000));
  CHECK(pacing("a=ice-pacing:9999999999") == std::chrono::seconds(2));
}

TEST_CASE("unknown ICE options and a missing ice2 are no error", "[SDP-60][ICE-CRED-03]") {
  CHECK_FALSE(is_refused(replace_line(chrome_offer(), "a=ice-options", "a=ice-options:foo sped googspedv1")));
  CHECK_FALSE(is_refused(without_line(chrome_offer(), "a=ice-options")));
}

TEST_CASE("of two data sections the first usable one is taken", "[SDP-70]") {
  const std::string second = replace(chrome_offer().substr(chrome_offer().find("m=")), "a=mid:0", "a=mid:1");
  CHECK(offered(chrome_offer() + second)->index == 0);
  CHECK(offered(replace(chrome_offer(), "m=application 64356", "m=application 0") + second)->index == 1);
}

TEST_CASE("a bundled section without lines of its own has those of the tagged section", "[SDP-69][SDP-41]") {
  std::string text = replace(replace_line(chrome_offer(), "a=group", "a=group:BUNDLE a 0"), "m=application",
                             kTaggedAudio + "m=application");
  const Remote own = *offered(text);
  CHECK(own.ufrag == "v8Lx");
  CHECK(own.transport_index == 1);
  for (const char* name : {"\r\na=ice-ufrag:v8Lx", "\r\na=ice-pwd:GdpW980Caww9WWsbg6jJ5pGu"})
    text = replace(text, name, "");
  text = without_line(text, "a=setup");
  const auto r = offered(text);
  REQUIRE(r.has_value());
  CHECK(r->index == 1);
  CHECK(r->transport_index == 0);
  CHECK(r->transport_mid == "a");
  CHECK(r->mid == "0");
  CHECK(r->ufrag == "tagd");
  CHECK(r->pwd == "taggedPasswordOf24Charac");
  CHECK(r->setup == Setup::Actpass);
  REQUIRE(r->candidates.size() == 1);
  CHECK(r->candidates[0].foundation == "7");
  CHECK(r->sctp_port == 5000);
  // Outside the group nothing is inherited.
  CHECK(is_refused(replace_line(text, "a=group", "a=group:BUNDLE a")));
}

TEST_CASE("an answer must mirror the offer's sections", "[SDP-24]") {
  CHECK(answered(good_answer()).has_value());
  const std::string more = "m=audio 9 RTP/AVP 0\r\n";
  CHECK_FALSE(answered(good_answer() + more).has_value());
  CHECK_FALSE(answered("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n").has_value());
  CHECK_FALSE(answered(replace(good_answer(), "m=application", "m=audio")).has_value());
  CHECK_FALSE(
      answered(replace(good_answer(), "m=application 9", "m=audio 0")).has_value());  // also when rejected
  CHECK_FALSE(answered(replace(good_answer(), "UDP/DTLS/SCTP", "TCP/DTLS/SCTP")).has_value());
  CHECK_FALSE(answered(replace(good_answer(), "UDP/DTLS/SCTP webrtc-datachannel", "UDP/DTLS/SCTP other"))
                  .has_value());
  CHECK_FALSE(
      answered(replace(replace(good_answer(), "a=mid:0", "a=mid:1"), "BUNDLE 0", "BUNDLE 1")).has_value());
  Description disabled = our_offer();
  disabled.sections[0].port = 0;
  CHECK_FALSE(read_answer(disabled, parsed(good_answer())).has_value());
}

TEST_CASE("an answer that rejects the data section is read as that", "[SDP-24]") {
  const auto r = answered(replace(good_answer(), "m=application 9", "m=application 0"));
  REQUIRE(r.has_value());
  CHECK_FALSE(r->has_data);
  CHECK(r->section_count == 1);
}

TEST_CASE("an answer bundles nothing that the offer did not", "[SDP-67]") {
  CHECK(answered(without_line(good_answer(), "a=group")).has_value());
  CHECK(answered(replace_line(good_answer(), "a=group", "a=group:BUNDLE")).has_value());
  Description plain = our_offer();
  plain.bundle_groups.clear();
  CHECK_FALSE(read_answer(plain, parsed(good_answer())).has_value());
  CHECK(read_answer(plain, parsed(without_line(good_answer(), "a=group"))).has_value());
}

TEST_CASE("the checks say what the readers say") {
  CHECK(check_offer(parsed(chrome_offer())).has_value());
  CHECK(check_offer(parsed(without_line(chrome_offer(), "a=setup"))).error().detail() == "setup is missing");
  CHECK(check_answer(our_offer(), parsed(good_answer())).has_value());
  CHECK(check_answer(our_offer(), parsed(without_line(good_answer(), "a=setup"))).error() ==
        ErrorCode::Refused);
}
