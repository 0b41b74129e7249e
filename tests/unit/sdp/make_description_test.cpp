// What this end says: offers, answers, origins.
#include "sdp/candidate_line.h"
#include "sdp/line_reader.h"
#include "sdp_support.h"
#include "support/bytes.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

std::string vector_text(const std::string& name) { return read_test_file("vectors/sdp/" + name); }
std::string offer_text(const LocalParameters& local = local_parameters()) {
  return write_description(*make_offer(local));
}

const std::string kAudio =
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\na=sendrecv\r\na=rtcp-mux\r\n";

// The browser's offer with an audio section in front.
std::string with_audio(std::string_view group = "a=group:BUNDLE a 0") {
  return replace(replace_line(chrome_offer(), "a=group", group), "m=application", kAudio + "m=application");
}

}  // namespace

TEST_CASE("an offer has every line that RFCs and browsers want", "[SDP-04][SDP-74][SDP-65][SDP-46]") {
  const std::string text = offer_text();
  CHECK(
      text.starts_with("v=0\r\no=- 4611686018427387904 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 "
                       "0\r\na=tool:pollrtc\r\na=group:BUNDLE 0\r\n"));
  // The c= line right behind the m= line, port 9 and no address.
  CHECK(text.find("\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n") !=
        std::string::npos);
  for (const char* line :
       {"a=mid:0", "a=sctp-port:5000", "a=max-message-size:262144", "a=ice-ufrag:ourUfrag",
        "a=ice-pwd:ourPasswordOf24Character", "a=setup:actpass", "a=tls-id:ourTlsId0123456789abcdef",
        "a=fingerprint:sha-256 AB:AB:", "a=group:BUNDLE 0", "a=ice-options:trickle ice2"})
    CHECK(has_line(text, line));
}

TEST_CASE("an offer says what it was given, not what is usual", "[SDP-04]") {
  LocalParameters local = local_parameters();
  local.mid = "x1";
  local.sctp_port = 6001;
  local.max_message_size = 100'000;
  local.fingerprints.push_back(fingerprint_of(HashAlgorithm::Sha384, 0xCD));
  const std::string text = offer_text(local);
  for (const char* line :
       {"a=group:BUNDLE x1\r\n", "a=mid:x1\r\n", "a=sctp-port:6001\r\n", "a=max-message-size:100000\r\n",
        "a=fingerprint:sha-256 AB:AB:", "a=fingerprint:sha-384 CD:CD:"})
    CHECK(has_line(text, line));
}

TEST_CASE("an offer holds nothing that does not belong there", "[SDP-60][SDP-73][SDP-75][SDP-55]") {
  LocalParameters local = local_parameters();
  local.candidates = {*parse_candidate("candidate:1 1 udp 1 192.0.2.1 5 typ host")};
  const std::string text = offer_text(local) + write_description(answer_to(chrome_offer(), local));
  for (const char* word :
       {"ice-lite", "rtcp", "sctp-init", "bundle-only", "remote-candidates", "crypto", "sendrecv", "k="})
    CHECK(text.find(word) == std::string::npos);
}

TEST_CASE("the announced message size stays below 2^31", "[SDP-46][SDP-74]") {
  LocalParameters local = local_parameters();
  for (const std::uint64_t size :
       {std::uint64_t{0x7FFFFFFF}, std::uint64_t{0x80000000}, std::uint64_t{0xFFFFFFFF}, kAnySize}) {
    local.max_message_size = size;
    CHECK(line_of(offer_text(local), "a=max-message-size") == "a=max-message-size:2147483647");
  }
  local.max_message_size = 0;
  CHECK(make_offer(local).error() == ErrorCode::InvalidArgument);
}

TEST_CASE("our message size is in each answer, whatever the offer says", "[SDP-46]") {
  for (const std::string& text :
       {chrome_offer(), without_line(chrome_offer(), "a=max-message-size"),
        replace_line(chrome_offer(), "a=max-message-size", "a=max-message-size:100"),
        vector_text("offer-opera-legacy.sdp")})
    CHECK(answer_to(text).sections[0].max_message_size == std::uint64_t{262144});
}

TEST_CASE("candidates are written into the section, m= and c= stay as they were",
          "[SDP-65][ICE-GATH-16][SDP-55]") {
  LocalParameters local = local_parameters();
  local.candidates = {*parse_candidate("candidate:1 1 udp 2113937151 192.0.2.1 5 typ host ufrag ourUfrag"),
                      *parse_candidate("candidate:2 1 udp 1 192.0.2.2 6 typ srflx raddr 10.0.0.1 rport 5")};
  std::string text = offer_text(local);
  CHECK(has_line(text, "a=candidate:1 1 udp 2113937151 192.0.2.1 5 typ host\r\n"));
  CHECK(has_line(text, "a=candidate:2 1 udp 1 192.0.2.2 6 typ srflx raddr 10.0.0.1 rport 5\r\n"));
  CHECK(line_of(text, "m=") == "m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
  CHECK(line_of(text, "c=") == "c=IN IP4 0.0.0.0");
  CHECK_FALSE(has_line(text, "a=end-of-candidates"));
  local.end_of_candidates = true;
  CHECK(has_line(offer_text(local), "a=end-of-candidates\r\n"));
}

TEST_CASE("a hidden address is nowhere in our description", "[SDP-22]") {
  LocalParameters local = local_parameters();
  local.hide_related = true;
  Candidate c = *parse_candidate("candidate:2 1 udp 1 192.0.2.2 6 typ srflx raddr 10.11.12.13 rport 7777");
  c.base = Address::v4(10, 11, 12, 13, 7777);
  local.candidates = {c};
  for (const std::string& text : {offer_text(local), write_description(answer_to(chrome_offer(), local))}) {
    CHECK(has_line(text, "a=candidate:2 1 udp 1 192.0.2.2 6 typ srflx raddr 0.0.0.0 rport 9\r\n"));
    CHECK(text.find("10.11.12.13") == std::string::npos);
    CHECK(text.find("7777") == std::string::npos);
    CHECK(line_of(text, "o=").find("IN IP4 0.0.0.0") != std::string::npos);
  }
}

TEST_CASE("what would break a line is refused before it is written", "[SDP-23][SDP-39]") {
  const auto refuses = [](auto change) {
    LocalParameters local = local_parameters();
    change(local);
    return !make_offer(local).has_value();
  };
  CHECK_FALSE(refuses([](LocalParameters&) {}));
  for (const char* bad : {"0\r\na=ice-lite", "0\na=x", "", "a b"})
    CHECK(refuses([&](LocalParameters& l) { l.mid = bad; }));
  CHECK(refuses([](LocalParameters& l) { l.mid = std::string("a\0b", 3); }));
  CHECK(refuses([](LocalParameters& l) { l.ufrag = "abcd\r\na=x"; }));
  CHECK(refuses([](LocalParameters& l) { l.ufrag = "abc"; }));
  CHECK(refuses([](LocalParameters& l) { l.ufrag = std::string(33, 'a'); }));  // up to 32 when sending
  CHECK_FALSE(refuses([](LocalParameters& l) { l.ufrag = std::string(32, 'a'); }));
  CHECK(refuses([](LocalParameters& l) { l.pwd = std::string(21, 'a'); }));
  CHECK(refuses([](LocalParameters& l) { l.pwd[3] = '\n'; }));
  CHECK(refuses([](LocalParameters& l) { l.tls_id += "\r\n"; }));
  CHECK(refuses([](LocalParameters& l) { l.tls_id = "short"; }));
  CHECK(refuses([](LocalParameters& l) { l.fingerprints.clear(); }));
  CHECK(refuses([](LocalParameters& l) { l.origin.username = "a b"; }));
  CHECK(refuses([](LocalParameters& l) { l.origin.address = "IN IP4 0.0.0.0\r\ns=x"; }));
  CHECK(refuses([](LocalParameters& l) { l.origin.session_version = "-1"; }));
  CHECK(refuses([](LocalParameters& l) {
    Candidate c = *parse_candidate("candidate:1 1 udp 1 192.0.2.1 5 typ host");
    c.foundation = *FixedString<32>::from("1\r\na=x");
    l.candidates = {c};
  }));
}

TEST_CASE("an answer mirrors order, count, mids, media types, protos and time", "[SDP-05][SDP-70]") {
  const std::string text =
      replace(vector_text("offer-derived-audio-video-data.sdp"), "t=0 0", "t=3034423619 0");
  const Description offer = parsed(text), answer = answer_to(text);
  REQUIRE(answer.sections.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(answer.sections[i].media == offer.sections[i].media);
    CHECK(answer.sections[i].proto == offer.sections[i].proto);
    CHECK(answer.sections[i].mid == offer.sections[i].mid);
    CHECK(answer.sections[i].formats.size() == 1);
    CHECK(answer.sections[i].formats[0] == offer.sections[i].formats[0]);
  }
  CHECK(answer.sections[0].port == 0);
  CHECK(answer.sections[1].port == 0);
  CHECK(answer.sections[2].port == 9);
  CHECK(answer.timing == "3034423619 0");
  CHECK(answer.sections[0].transport == TransportAttributes{});

  const std::string second = replace(chrome_offer().substr(chrome_offer().find("m=")), "a=mid:0", "a=mid:1");
  const Description two = answer_to(chrome_offer() + second);
  REQUIRE(two.sections.size() == 2);
  CHECK(two.sections[0].port == 9);
  CHECK(two.sections[1].port == 0);
}

TEST_CASE("an answer keeps one format of a rejected section, and has a mid where the offer has", "[SDP-05]") {
  const Description audio = answer_to(with_audio());
  CHECK(audio.sections[0].formats == std::vector<std::string>{"111"});  // of two
  CHECK(audio.sections[0].proto == "UDP/TLS/RTP/SAVPF");
  const std::string without = without_line(without_line(chrome_offer(), "a=mid"), "a=group");
  CHECK(answer_to(without).sections[0].mid.empty());
  CHECK_FALSE(has_line(write_description(answer_to(without)), "a=mid"));
  const Description old = answer_to(vector_text("offer-opera-legacy.sdp"));
  CHECK(old.sections[0].proto == "DTLS/SCTP");
  CHECK(old.sections[0].formats == std::vector<std::string>{"5000"});
  // The other end's answer is held to the same.
  const Description offer = *make_offer(local_parameters());
  REQUIRE(read_answer(offer, parsed(answer_text(offer))));
  CHECK_FALSE(read_answer(
      offer, parsed(replace(replace(answer_text(offer), "a=mid:0", "a=mid:1"), "BUNDLE 0", "BUNDLE 1"))));
  CHECK_FALSE(
      read_answer(offer, parsed(replace(without_line(answer_text(offer), "a=group"), "a=mid:0", "a=mid:1"))));
}

TEST_CASE("an offer without a data section gets an answer without data", "[SDP-21]") {
  const std::string session = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
  CHECK(answer_to(session).sections.empty());
  const Description answer = answer_to(session + kAudio);
  REQUIRE(answer.sections.size() == 1);
  CHECK(answer.sections[0].port == 0);
  CHECK(answer.bundle_groups.empty());
  CHECK_FALSE(offered(session)->has_data);
  // And it can be read by the one that offered.
  CHECK_FALSE(read_answer(parsed(session + kAudio), answer)->has_data);
}

TEST_CASE("a section with formats or port count of another kind is rejected", "[SDP-32][SDP-36]") {
  for (const char* media :
       {"m=application 9 UDP/DTLS/SCTP webrtc-datachannel other",
        "m=application 9/2 UDP/DTLS/SCTP webrtc-datachannel", "m=application 9 UDP/DTLS/SCTP 5000",
        "m=application 9 udp/dtls/sctp webrtc-datachannel", "m=audio 9 UDP/DTLS/SCTP webrtc-datachannel",
        "m=application 9 DTLS/SCTP 5000"}) {
    INFO(media);
    const std::string text = replace_line(chrome_offer(), "m=", media);
    REQUIRE(offered(text).has_value());
    CHECK_FALSE(offered(text)->has_data);
    CHECK(answer_to(text).sections[0].port == 0);
  }
  CHECK(offered(replace(chrome_offer(), "m=application 64356", "m=application 64356/1"))->has_data);
}

TEST_CASE("the old form of the section is answered in the old form, and offered anew in the new one",
          "[SDP-36]") {
  for (const char* name : {"offer-opera-legacy.sdp", "offer-firefox58-legacy-sctpmap.sdp"}) {
    const Description answer = answer_to(vector_text(name));
    CHECK(answer.sections[0].proto == "DTLS/SCTP");
    CHECK(answer.sections[0].formats == std::vector<std::string>{"5000"});
    CHECK(answer.sections[0].sctpmap == "5000 webrtc-datachannel 65535");
    CHECK_FALSE(answer.sections[0].sctp_port.has_value());
    CHECK(sctp_port_of(answer.sections[0]) == std::uint16_t{5000});
    CHECK(make_offer(local_parameters(), &answer)->sections[0].proto == "UDP/DTLS/SCTP");
  }
  const std::string other_port = replace_all(vector_text("offer-opera-legacy.sdp"), "5000", "6001");
  CHECK(offered(other_port)->sctp_port == 6001);
  CHECK(offered(other_port)->is_legacy);
  for (const char* map : {"a=sctpmap:5001 webrtc-datachannel 1024", "a=sctpmap:5000 other 1024", "a=x"})
    CHECK_FALSE(offered(replace_line(vector_text("offer-opera-legacy.sdp"), "a=sctpmap", map))->has_data);
  // Of several lines for the port the first counts.
  CHECK(offered(vector_text("offer-opera-legacy.sdp") + "a=sctpmap:5000 other 1024\r\n")->has_data);
}

TEST_CASE("an answer takes of the ICE options what the offer had", "[SDP-60][ICE-CRED-03]") {
  const auto options = [](const char* line) {
    return answer_to(replace_line(chrome_offer(), "a=ice-options", line)).transport.ice_options;
  };
  using List = std::vector<std::string>;
  CHECK(options("a=ice-options:trickle") == List{"trickle"});
  CHECK(options("a=ice-options:ice2 trickle sped") == List{"trickle", "ice2"});
  CHECK(options("a=ice-options:ice2") == List{"ice2"});
  CHECK(options("a=x") == List{});
  CHECK(options("a=ice-options:google-ice renomination") == List{});
}

TEST_CASE("an answer bundles what it accepts of the offer's group", "[SDP-67]") {
  using Groups = std::vector<std::vector<std::string>>;
  CHECK(answer_to(chrome_offer()).bundle_groups == Groups{{"0"}});
  CHECK(answer_to(without_line(chrome_offer(), "a=group")).bundle_groups.empty());
  CHECK(answer_to(with_audio()).bundle_groups == Groups{{"0"}});
  CHECK(answer_to(with_audio("a=group:BUNDLE a")).bundle_groups.empty());
}

TEST_CASE("when the tagged section is rejected the data section becomes the tag", "[SDP-68]") {
  CHECK(answer_to(with_audio()).sections[1].port == 9);
  // With port 0 it has nothing of its own to live on.
  const std::string bundle_only =
      replace(with_audio(), "m=application 64356", "m=application 0") + "a=bundle-only\r\n";
  CHECK_FALSE(offered(bundle_only)->has_data);
  CHECK(answer_to(bundle_only).bundle_groups.empty());
}

TEST_CASE("bundle-only with port 0 is alive, and never in our answer", "[SDP-20]") {
  const std::string text =
      replace(chrome_offer(), "m=application 64356", "m=application 0") + "a=bundle-only\r\n";
  CHECK(offered(text)->has_data);
  CHECK(write_description(answer_to(text)).find("bundle-only") == std::string::npos);
}

TEST_CASE("a tls-id is answered with one, its absence with none", "[SDP-72]") {
  CHECK(answer_to(chrome_offer()).sections[0].transport.tls_id.empty());
  CHECK(answer_to(chrome_offer() + "a=tls-id:abc3de65cddef001be82\r\n").sections[0].transport.tls_id ==
        local_parameters().tls_id);
  for (const char* wrong : {"abc3de65cddef001be8", "abc3de65cddef001be8!", "abc3de65cddef001be8 2"})
    CHECK(is_refused(chrome_offer() + "a=tls-id:" + wrong + "\r\n"));
  CHECK(is_refused(chrome_offer() + "a=tls-id:" + std::string(256, 'a') + "\r\n"));
  CHECK_FALSE(is_refused(chrome_offer() + "a=tls-id:" + std::string(251, 'a') + "+/-_\r\n"));
}

TEST_CASE("a section of a single-section offer without mid is answered without", "[SDP-71]") {
  const std::string text = without_line(without_line(chrome_offer(), "a=mid"), "a=group");
  CHECK(answer_to(text).sections[0].mid.empty());
  CHECK(answer_to(text).bundle_groups.empty());
}

TEST_CASE("an origin is 63 random bits below 2^63 - 1", "[SDP-08]") {
  TestEnvironment environment(7);
  const auto a = make_origin(environment.env.rng), b = make_origin(environment.env.rng);
  REQUIRE(a.has_value());
  CHECK(a->session_id != b->session_id);
  CHECK(a->username == "-");
  CHECK(a->address == "IN IP4 0.0.0.0");
  CHECK(a->session_version == "1");
  Rng ones;
  ones.fill = [](void*, MutBytes out) {
    std::fill(out.begin(), out.end(), std::uint8_t{0xff});
    return true;
  };
  CHECK(*parse_number(make_origin(ones)->session_id) < 0x7FFFFFFFFFFFFFFFu);
  std::uint64_t seen = 0;  // each of the 63 bits comes
  for (int i = 0; i < 100; ++i) seen |= *parse_number(make_origin(environment.env.rng)->session_id);
  CHECK(seen == 0x7FFFFFFFFFFFFFFFu);
  environment.fail_randomness_after(0);
  CHECK(make_origin(environment.env.rng).error() == ErrorCode::NoRandomness);
}

TEST_CASE("a tls-id is 20 characters or more, and another each time", "[SDP-72]") {
  TestEnvironment environment(7);
  const auto a = make_tls_id(environment.env.rng), b = make_tls_id(environment.env.rng);
  REQUIRE(a.has_value());
  CHECK(a->size() == 24);  // six random bits each: 144
  CHECK(*a != *b);
  std::array<std::string, 24> seen;  // no place has the same character each time
  for (int i = 0; i < 64; ++i) {
    const std::string id = *make_tls_id(environment.env.rng);
    for (std::size_t at = 0; at < seen.size(); ++at)
      if (seen[at].find(id[at]) == std::string::npos) seen[at] += id[at];
  }
  for (const std::string& characters : seen) CHECK(characters.size() > 20);
  LocalParameters local = local_parameters();
  local.tls_id = *a;
  CHECK(make_offer(local).has_value());
  environment.fail_randomness_after(0);
  CHECK(make_tls_id(environment.env.rng).error() == ErrorCode::NoRandomness);
}

TEST_CASE("the version goes up by one with each change, and only then", "[SDP-08][SDP-26]") {
  LocalParameters local = local_parameters();
  Description last = *make_offer(local);
  Description same = *make_offer(local);
  stamp(same, last);
  CHECK(same.origin == last.origin);

  const std::size_t size = write_description(last).size();
  for (int i = 0; i < 1000; ++i) {
    local.ufrag[0] = static_cast<char>('a' + i % 26);
    Description next = *make_offer(local, &last);
    stamp(next, last);
    CHECK(next.origin.session_id == last.origin.session_id);
    CHECK(*parse_number(next.origin.session_version) == *parse_number(last.origin.session_version) + 1);
    CHECK(write_description(next).size() <= size + 3);  // a longer version number, no more
    last = next;
  }
  Description unchanged = *make_offer(local, &last);  // made with the first version
  stamp(unchanged, last);
  CHECK(unchanged.origin == last.origin);
}

TEST_CASE("a ufrag has four characters at the least and 32 at the most", "[ICE-CRED-02]") {
  for (const std::size_t size : {3u, 4u, 32u, 33u}) {
    LocalParameters local = local_parameters();
    local.ufrag = std::string(size, 'u');
    const auto made = make_offer(local);
    CHECK(made.has_value() == (size >= 4 && size <= 32));
    if (!made) CHECK(made.error() == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("an end that is lite says so in its offers and its answers") {
  LocalParameters local = local_parameters();
  CHECK_FALSE(has_line(offer_text(local), "a=ice-lite"));
  local.ice_lite = true;
  CHECK(has_line(offer_text(local), "a=ice-lite"));
  CHECK(has_line(write_description(answer_to(chrome_offer(), local)), "a=ice-lite"));
}

TEST_CASE("an answer is ours, whatever the offer's origin") {
  const Description answer = answer_to(chrome_offer());
  CHECK(answer.origin == local_parameters().origin);
}
