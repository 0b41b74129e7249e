// Lines, their order and their grammar: RFC 8866 §5 and §9.
#include "sdp/line_reader.h"
#include "sdp_support.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

Error error_of(const std::string& text) {
  const auto description = parse_description(text, kLimits);
  REQUIRE_FALSE(description.has_value());
  return description.error();
}
bool is_read(const std::string& text) { return parse_description(text, kLimits).has_value(); }

// Session lines in place of s= and t=.
std::string session(std::string_view lines) {
  return "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n" + std::string(lines);
}
// Lines behind the m= line.
std::string section(std::string_view lines) {
  return session("s=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n") + std::string(lines);
}
std::string media(std::string_view value) {
  return session("s=-\r\nt=0 0\r\nm=") + std::string(value) + "\r\n";
}

}  // namespace

TEST_CASE("a line is one letter, '=' and a value, ended by CRLF or LF", "[SDP-27]") {
  CHECK(is_read("v=0\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\nt=0 0"));
  CHECK(is_read(session("s=\r\nt=0 0\r\n")));  // the empty name of the RFCs' own examples
  CHECK(is_read(session("s= with a blank\r\nt=0 0\r\n")));
  for (const char* wrong :
       {"s =-\r\nt=0 0\r\n", "s\r\nt=0 0\r\n", "s=-\r\n\r\nt=0 0\r\n", "s=-\rt=0 0\r\n", "s=-\r\r\nt=0 0\r\n",
        "S=-\r\nt=0 0\r\n", "s=-\r\n t=0 0\r\n", "ss=-\r\nt=0 0\r\n"})
    CHECK_FALSE(is_read(session(wrong)));
}

TEST_CASE("an error names its line", "[SDP-35]") {
  CHECK(error_of(section("a=x\r\na=ice-ufrag:abc\r\n")).line() == 7);
  CHECK(error_of(section("a=x\r\na=ice-ufrag:abc\r\n")) == ErrorCode::ParseFailed);
  CHECK(error_of("v=1\r\n").line() == 1);
  CHECK(error_of(section(std::string_view("a=x\0y\r\n", 7))).line() == 6);
}

TEST_CASE("session lines stand in their fixed order", "[SDP-28]") {
  CHECK(is_read(session(
      "s=-\r\ni=info\r\nu=http://example.org\r\ne=a@example.org\r\ne=b@example.org\r\np=+1 617\r\n"
      "c=IN IP4 192.0.2.1\r\nb=AS:1\r\nb=CT:2\r\nt=0 0\r\nr=7d 1h 0 25h\r\nz=2882844526 -1h 2898848070 0\r\n"
      "t=3034423619 3042462419\r\nr=604800 3600 0\r\nk=prompt\r\na=x\r\na=y:z\r\n")));
  CHECK(is_read(section("i=info\r\nc=IN IP4 0.0.0.0\r\nc=IN IP6 ::\r\nb=AS:30\r\nk=clear:x\r\na=x\r\n")));
  for (const char* wrong : {
           "",           // no s=, no t=
           "s=-\r\n",    // no t=
           "t=0 0\r\n",  // no s=
           "t=0 0\r\ns=-\r\n",
           "s=-\r\na=x\r\n",
           "s=-\r\na=x\r\nt=0 0\r\n",
           "s=-\r\nt=0 0\r\nb=AS:1\r\n",
           "s=-\r\nt=0 0\r\na=x\r\nk=prompt\r\n",
           "s=-\r\ns=-\r\nt=0 0\r\n",
           "s=-\r\ni=a\r\ni=b\r\nt=0 0\r\n",
           "s=-\r\nu=a\r\ni=b\r\nt=0 0\r\n",
           "s=-\r\nr=7d 1h 0\r\nt=0 0\r\n",         // r= before any t=
           "s=-\r\nt=0 0\r\nz=2882844526 -1h\r\n",  // z= without r=
           "s=-\r\nt=0 0\r\nr=7d 1h 0\r\nz=2882844526 x\r\n",
           "s=-\r\nt=0 0\r\nr=7d 1h 0\r\nz=x 1h\r\n",
           "s=-\r\nt=0 0\r\nr=7d 1h 0\r\nz=2882844526 -1h 2898848070\r\n",  // a time without its offset
           "s=-\r\nt=0 0\r\nr=7d 1h\r\n",
           "s=-\r\nt=0 0\r\nr=7d 1h x\r\n",
           "s=-\r\nt=0 0\r\na=x\r\nt=0 0\r\n",
           "s=-\r\nt=0 0\r\nv=0\r\n",  // a second description
           "s=-\r\nt=0 0\r\na=x\r\nv=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
           "s=-\r\nm=audio 9 RTP/AVP 0\r\n",  // m= before t=
       })
    CHECK_FALSE(is_read(session(wrong)));
  for (const char* wrong : {"a=x\r\nc=IN IP4 0.0.0.0\r\n", "b=AS:1\r\nc=IN IP4 0.0.0.0\r\n", "i=a\r\ni=b\r\n",
                            "a=x\r\ns=-\r\n", "t=0 0\r\n"})
    CHECK_FALSE(is_read(section(wrong)));
  CHECK_FALSE(is_read("o=- 1 1 IN IP4 0.0.0.0\r\nv=0\r\ns=-\r\nt=0 0\r\n"));
  CHECK_FALSE(is_read("v=0\r\ns=-\r\nt=0 0\r\n"));  // no o=
}

TEST_CASE("an unknown line type or version refuses the description", "[SDP-29]") {
  CHECK_FALSE(is_read(session("s=-\r\nt=0 0\r\nx=1\r\n")));
  CHECK_FALSE(is_read(section("x=1\r\n")));
  for (const char* version : {"v=1", "v=00", "v=", "v=0 ", "v=x"})
    CHECK_FALSE(is_read(std::string(version) + "\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"));
}

TEST_CASE("origin, bandwidth and time keep their grammar", "[SDP-30]") {
  const auto with_origin = [](const char* value) {
    return "v=0\r\no=" + std::string(value) + "\r\ns=-\r\nt=0 0\r\n";
  };
  CHECK(is_read(with_origin("mozilla...THIS_IS_SDPARTA-99.0 1001454497203609291 0 IN IP4 0.0.0.0")));
  for (const char* wrong :
       {"- 1 1 IN IP4", "- 1 1 IN IP4 0.0.0.0 x", "-  1 1 IN IP4 0.0.0.0", "- x 1 IN IP4 0.0.0.0",
        "- 1 -1 IN IP4 0.0.0.0", " - 1 1 IN IP4 0.0.0.0", "- 1 1 IN IP4 0.0.0.0 "})
    CHECK_FALSE(is_read(with_origin(wrong)));
  for (const char* wrong : {"b=AS", "b=AS:", "b=:1", "b=AS:-1", "b=AS:1:2", "b=A S:1", "b=AS: 1"})
    CHECK_FALSE(is_read(section(std::string(wrong) + "\r\n")));
  for (const char* wrong :
       {"t=0", "t=0  0", "t=0 0 0", "t=1 0", "t=0123456789 0", "t=00 0", "t=x 0", "t=-1 0"})
    CHECK_FALSE(is_read(session("s=-\r\n" + std::string(wrong) + "\r\n")));
  CHECK(is_read(session("s=-\r\nt=3034423619 0\r\n")));
  for (const char* wrong : {"r=7d", "r=7d 1h", "r=7x 1h 0", "r="})
    CHECK_FALSE(is_read(session("s=-\r\nt=0 0\r\n" + std::string(wrong) + "\r\n")));
}

TEST_CASE("session id and version are kept as text, however long", "[SDP-18]") {
  const std::string id(200, '9');
  const Description d = parsed("v=0\r\no=- " + id + " 007 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
  CHECK(d.origin.session_id == id);
  CHECK(d.origin.session_version == "007");
}

TEST_CASE("numbers are digits without sign, blank, hex or wrap", "[SDP-18]") {
  CHECK(parse_number("0") == 0u);
  CHECK(parse_number("007") == 7u);
  CHECK(parse_number("18446744073709551615") == ~0ull);
  CHECK(parse_number("18446744073709551616") == ~0ull);
  CHECK(parse_number(std::string(1000, '9')) == ~0ull);
  CHECK(parse_number("101", 100) == 100u);
  CHECK(parse_number("100", 100) == 100u);
  for (const char* wrong : {"", "+1", "-1", " 1", "1 ", "0x1", "1.0", "1e3"})
    CHECK_FALSE(parse_number(wrong));
  for (const char* port : {"05000", "+5000", "-1", "0x1", "5000 ", "  5000", "", "65536", "100000", "5e3"})
    CHECK_FALSE(is_read(section("a=sctp-port:" + std::string(port) + "\r\n")));
  for (const char* size : {"01", "-1", "+1", "1 ", "", "0x10"})
    CHECK_FALSE(is_read(section("a=max-message-size:" + std::string(size) + "\r\n")));
}

TEST_CASE("the SCTP port is any number from 0 to 65535", "[SDP-43]") {
  for (const char* port : {"0", "1", "5000", "6000", "65535"})
    CHECK(parsed(section("a=sctp-port:" + std::string(port) + "\r\n")).sections[0].sctp_port ==
          parse_number(port));
}

TEST_CASE("names are tokens and values are any text", "[SDP-31]") {
  CHECK(is_read(section("a=x-!#$%&'*+-.^_`{|}~:any \xff value: with (bytes)\r\n")));
  CHECK(is_read(section("a=unknown:\r\n")));  // an empty value of an attribute that we do not know
  for (const char* wrong : {"a=", "a=:x", "a=a b:c", "a=a(b", "a= x:y", "a=mid:a b", "a=mid:", "a=mid:\"a\""})
    CHECK_FALSE(is_read(section(std::string(wrong) + "\r\n")));
}

TEST_CASE("the media line keeps its grammar", "[SDP-32]") {
  CHECK(is_read(media("audio 9 UDP/TLS/RTP/SAVPF 111 0 8")));
  CHECK(is_read(media("audio 9/2 RTP/AVP 0")));
  for (const char* wrong :
       {"audio 9 RTP/AVP", "audio 9  RTP/AVP 0", "audio 9 RTP/AVP 0 ", "audio 65536 RTP/AVP 0",
        "audio -1 RTP/AVP 0", "audio x RTP/AVP 0", "audio 9/ RTP/AVP 0", "audio 9/0 RTP/AVP 0",
        "audio 9/1/1 RTP/AVP 0", "audio 9 RTP//AVP 0", "audio 9 RTP/ 0", "au(dio 9 RTP/AVP 0",
        "audio 9 RTP/AVP (", "", "audio"})
    CHECK_FALSE(is_read(media(wrong)));
}

TEST_CASE("a known attribute that breaks its grammar refuses the description, also where it is not needed",
          "[SDP-35]") {
  for (const char* wrong : {"a=ice-ufrag:a-b-c-d",
                            "a=ice-pwd:short",
                            "a=ice-options:",
                            "a=ice-options:a  b",
                            "a=fingerprint:sha-256",
                            "a=fingerprint:sha-256 ",
                            "a=fingerprint:sha-256 AB:",
                            "a=fingerprint:x A:B",
                            "a=setup:both",
                            "a=setup",
                            "a=tls-id:short",
                            "a=end-of-candidates:x",
                            "a=bundle-only:x",
                            "a=mid",
                            "a=sctpmap:x webrtc-datachannel",
                            "a=sctpmap:5000",
                            "a=remote-candidates:1 192.0.2.1",
                            "a=remote-candidates:1234 192.0.2.1 5",
                            "a=remote-candidates:1 192.0.2.1\x7f 5",
                            "a=remote-candidates:x 192.0.2.1 5",
                            "a=remote-candidates:1 192.0.2.1 x",
                            "a=setup:active\r\na=setup:active",
                            "a=mid:0\r\na=mid:0",
                            "a=sctp-port:1\r\na=sctp-port:1",
                            "a=max-message-size:1\r\na=max-message-size:1"})
    CHECK_FALSE(is_read(session("s=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n") + wrong + "\r\n"));
  for (const char* wrong :
       {"a=ice-pacing:12345678901", "a=ice-pacing:-1", "a=ice-lite:x", "a=group:", "a=group:BUNDLE a  b"})
    CHECK_FALSE(is_read(session("s=-\r\nt=0 0\r\n") + wrong + "\r\n"));
}

TEST_CASE("an attribute of sections that stands before all of them is not even read") {
  for (const char* line : {"mid:0", "mid", "bundle-only:x", "ice-mismatch:x", "candidate:nonsense",
                           "remote-candidates:x", "sctp-port:x", "max-message-size:x", "sctpmap:x"})
    CHECK(is_read(session("s=-\r\nt=0 0\r\n") + "a=" + line + "\r\n"));
}

TEST_CASE("a malformed candidate line is counted and ignored", "[SDP-35][SDP-34]") {
  const Description d = parsed(section(
      "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\na=candidate:nonsense\r\na=candidate\r\na=candidate:\r\n"
      "a=candidate:1 1 udp 1 host.example 1 typ host\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n"));
  CHECK(d.sections[0].candidates.size() == 1);
  CHECK(d.ignored.malformed == 3);
  CHECK(d.ignored.unusable == 1);
  CHECK(d.ignored.duplicate == 1);
}

TEST_CASE("one blank before the SCTP port is read", "[SDP-35]") {
  CHECK(parsed(section("a=sctp-port: 5000\r\n")).sections[0].sctp_port == std::uint16_t{5000});
}

TEST_CASE("attribute names and mids compare byte by byte, ABNF words without case", "[SDP-37]") {
  const Description d = parsed(section("a=ICE-UFRAG:!!!\r\na=Mid:0\r\na=SCTP-PORT:x\r\na=setup:ActPass\r\n"));
  CHECK(d.sections[0].transport.ufrag.empty());
  CHECK(d.sections[0].mid.empty());
  CHECK(d.sections[0].transport.setup == Setup::Actpass);
  CHECK(is_read(session("s=-\r\nt=0 0\r\na=group:bundle x\r\n")));  // another group semantics, not BUNDLE
  CHECK_FALSE(is_read(session("s=-\r\nt=0 0\r\na=group:BUNDLE A\r\nm=audio 9 RTP/AVP 0\r\na=mid:a\r\n")));
}

TEST_CASE("lines that mean nothing here are ignored", "[SDP-25][SDP-75][SDP-76]") {
  const std::string plain = chrome_offer();
  std::string noisy =
      replace(plain, "t=0 0\r\n", "c=IN IP6 ::\r\nb=CT:1\r\nb=X-YZ:128\r\nt=0 0\r\nk=prompt\r\n");
  noisy = replace(noisy, "a=extmap-allow-mixed",
                  "a=candidate:9 1 udp 1 192.0.2.9 9 typ "
                  "host\r\na=sendrecv\r\na=identity:x\r\na=extmap-allow-mixed");
  noisy = replace(noisy, "c=IN IP4 192.0.2.173\r\n",
                  "c=IN IP4 192.0.2.173\r\nc=IN IP4 192.0.2.174\r\nb=AS:30\r\nk=base64:x\r\n");
  noisy +=
      "a=inactive\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtcp-mux-only\r\na=sctp-init:!!!\r\na=ssrc:1 "
      "cname:x\r\n";
  CHECK(parsed(noisy) == parsed(plain));
  CHECK(write_description(answer_to(noisy)) == write_description(answer_to(plain)));
}

TEST_CASE("the tool is the session's, and the first that is named") {
  const std::string plain = chrome_offer();
  CHECK(parsed(plain).tool.empty());
  const std::string named = replace(plain, "t=0 0\r\n", "t=0 0\r\na=tool:foobar V3.2\r\na=tool:pollrtc\r\n");
  CHECK(parsed(named).tool == "foobar V3.2");
  CHECK(parsed(write_description(parsed(named))) == parsed(named));
  CHECK(parsed(plain + "a=tool:x\r\n") == parsed(plain));
  CHECK_FALSE(is_read(replace(plain, "t=0 0\r\n", "t=0 0\r\na=tool\r\n")));
}

TEST_CASE("a group has no more mids than there may be sections", "[SDP-19]") {
  std::string group = "a=group:BUNDLE";
  for (int i = 0; i < 17; ++i) group += " " + std::to_string(i);
  CHECK(error_of(session("s=-\r\nt=0 0\r\n" + group + "\r\n")) == ErrorCode::Refused);
  CHECK(error_of(session("s=-\r\nt=0 0\r\n" + group + "\r\n")).line() == 5);
}

TEST_CASE("limits on size, line, sections and candidates hold",
          "[SDP-19][lim.sdp.size][lim.sdp.line][lim.sdp.sections]") {
  Limits limits;
  const std::string text = chrome_offer();
  limits.sdp_size = static_cast<std::uint32_t>(text.size());
  limits.sdp_line = static_cast<std::uint32_t>(line_of(text, "a=candidate:755488126").size());
  limits.sdp_sections = 1;
  limits.ice_remote_candidates = 2;
  REQUIRE(parse_description(text, limits).has_value());
  limits.ice_remote_candidates = 1;
  CHECK(parse_description(text, limits)->ignored.over_limit == 1);
  limits.sdp_line -= 1;
  CHECK(parse_description(text, limits).error() == ErrorCode::TooLarge);
  limits = {};
  limits.sdp_size = static_cast<std::uint32_t>(text.size()) - 1;
  CHECK(parse_description(text, limits).error() == ErrorCode::TooLarge);
  limits = {};
  limits.sdp_sections = 1;
  const Error error = parse_description(text + "m=audio 0 RTP/AVP 0\r\n", limits).error();
  CHECK(error == ErrorCode::LimitReached);
  CHECK(error.line() == 20);
}
