// What a description means: vectors, the round trip, mids and groups.
#include "sdp/description.h"

#include "sdp_support.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

const char* const kVectors[] = {"offer-chrome.sdp", "offer-derived-audio-video-data.sdp",
                                "offer-firefox58-legacy-sctpmap.sdp", "offer-firefox63-sctp-port.sdp",
                                "offer-opera-legacy.sdp"};

std::string vector_text(const std::string& name) { return read_test_file("vectors/sdp/" + name); }

void check_round_trip(Description d) {
  d.ignored = {};
  const std::string text = write_description(d);
  Description again = parsed(text);
  CHECK(again == d);
  CHECK(write_description(again) == text);
}

// A random description of everything that the writer can write.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  Description description() {
    Description d;
    d.origin.session_id = number();
    d.origin.session_version = number();
    if (one_in(3)) d.timing = "3034423619 0";
    d.transport = transport();
    d.ice_lite = one_in(3);
    if (one_in(3)) d.ice_pacing = below(10000);
    const std::size_t count = index(5);
    std::vector<std::string> group;
    for (std::size_t i = 0; i < count; ++i) {
      d.sections.push_back(section(std::to_string(i)));
      const bool bundled = !d.sections.back().mid.empty() && one_in(2);
      if (bundled) group.push_back(d.sections.back().mid);
      d.sections.back().bundle_only = bundled && one_in(3);
    }
    if (!group.empty() || one_in(5)) d.bundle_groups.push_back(group);
    return d;
  }

 private:
  std::uint64_t below(std::uint64_t bound) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_ % bound;
  }
  std::size_t index(std::size_t bound) { return static_cast<std::size_t>(below(bound)); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::string number() { return std::to_string(below(~0ull)); }
  std::string text(std::size_t min, std::size_t max) {
    static constexpr std::string_view kChars = "abcXYZ019+/";
    std::string result;
    for (std::size_t n = min + index(max - min + 1); result.size() < n;)
      result += kChars[index(kChars.size())];
    return result;
  }
  TransportAttributes transport() {
    TransportAttributes t;
    if (one_in(2)) t.ufrag = text(4, 256);
    if (!t.ufrag.empty()) t.pwd = "pwd/of/" + t.ufrag + "/long/enough/for/that";  // same ufrag, same password
    if (t.pwd.size() > 256) t.pwd.resize(256);
    for (std::size_t n = index(4); n != 0; --n) t.ice_options.push_back(text(1, 9));
    for (std::size_t n = index(3); n != 0; --n)
      t.fingerprints.push_back(
          fingerprint_of(static_cast<HashAlgorithm>(below(3)), static_cast<std::uint8_t>(below(256))));
    if (one_in(3)) t.other_fingerprints.push_back("x-hash 01:aB");
    if (one_in(3)) t.tls_id = text(20, 255);
    t.setup = static_cast<Setup>(below(5));
    t.end_of_candidates = one_in(2);
    return t;
  }
  Candidate candidate() {
    Candidate c;
    c.foundation = *FixedString<32>::from(text(1, 32));
    c.priority = static_cast<std::uint32_t>(1 + below(0x7FFFFFFF));
    c.type = static_cast<CandidateType>(below(4));
    const auto port = static_cast<std::uint16_t>(1 + below(65535));
    if (one_in(4)) {
      c.mdns_name = *FixedString<64>::from("1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
      c.mdns_port = port;
    } else if (one_in(2)) {
      c.address = Address::v4(10, 0, 0, static_cast<std::uint8_t>(below(256)), port);
    } else {
      c.address.family = Address::Family::IPv6;
      c.address.ip = {0x20, 0x01, 0x0d, 0xb8};
      c.address.ip[15] = static_cast<std::uint8_t>(below(256));
      c.address.port = port;
    }
    if (c.type != CandidateType::Host && one_in(2)) c.related = Address::v4(192, 0, 2, 1, port);
    if (one_in(3)) {
      c.transport = Transport::Tcp;
      c.tcp_type = one_in(2) ? TcpType::Active : TcpType::Passive;
    }
    if (one_in(3)) c.ufrag = *FixedString<256>::from(text(4, 256));
    return c;
  }
  Section section(const std::string& mid) {
    Section s;
    s.media = one_in(2) ? "application" : "audio";
    s.proto = one_in(2) ? "UDP/DTLS/SCTP" : "DTLS/SCTP";
    s.formats = {one_in(2) ? "webrtc-datachannel" : "5000"};
    s.port = static_cast<std::uint16_t>(below(65536));
    s.several_ports = one_in(5);
    if (!one_in(4)) s.mid = mid;
    s.ice_mismatch = one_in(5);
    s.transport = transport();
    for (std::size_t n = index(4); n != 0; --n) s.candidates.push_back(candidate());
    if (one_in(2)) s.sctp_port = static_cast<std::uint16_t>(below(65536));
    if (one_in(2)) s.max_message_size = below(~0ull) % (kMaxNumber + 1);
    if (s.formats[0] == "5000" && one_in(2)) s.sctpmap = "5000 webrtc-datachannel 16";
    return s;
  }

  std::uint64_t random_;
};

}  // namespace

TEST_CASE("every offer of a browser is read and can be answered", "[SDP-01]") {
  for (const char* name : kVectors) {
    INFO(name);
    const auto remote = offered(vector_text(name));
    REQUIRE(remote.has_value());
    CHECK(remote->has_data);
    CHECK(remote->fingerprints.size() == 1);
    CHECK(remote->our_role == DtlsRole::Client);
    CHECK(remote->sctp_port == 5000);
    check_round_trip(parsed(vector_text(name)));
    check_round_trip(answer_to(vector_text(name)));
  }
}

TEST_CASE("what is written is read again as the same description, and written as the same bytes",
          "[SDP-02]") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    check_round_trip(Generator(seed * 0x9E3779B97F4A7C15u).description());
  }
}

TEST_CASE("line ends are CRLF, also the last, and no line is longer than its reader takes",
          "[SDP-27][SDP-74]") {
  const std::string text = write_description(*make_offer(local_parameters()));
  CHECK(text.substr(text.size() - 2) == "\r\n");
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; ++at) CHECK(text[at - 1] == '\r');
}

TEST_CASE("fingerprints are written in upper case with colons", "[SDP-38][SDP-74]") {
  const std::string text = write_description(*make_offer(local_parameters()));
  std::string expected = "a=fingerprint:sha-256 AB";
  for (int i = 1; i < 32; ++i) expected += ":AB";
  CHECK(line_of(text, "a=fingerprint") == expected);
}

TEST_CASE("a fingerprint has as many bytes as its hash, whatever the case of the name", "[SDP-38][SDP-37]") {
  const auto line = [](std::string_view name, std::size_t count) {
    std::string text = "a=fingerprint:" + std::string(name) + " 0a";
    for (std::size_t i = 1; i < count; ++i) text += ":0a";
    return replace_line(chrome_offer(), "a=fingerprint", text);
  };
  for (const auto& [name, size] : {std::pair("SHA-256", 32u), {"sha-384", 48u}, {"Sha-512", 64u}}) {
    REQUIRE(offered(line(name, size)).has_value());
    CHECK(offered(line(name, size))->fingerprints.at(0).bytes[size - 1] == 0x0a);
  }
  for (const auto& [name, size] : {std::pair("sha-1", 20u), {"sha-224", 28u}, {"md5", 16u}, {"md2", 16u}}) {
    CHECK(parse_description(line(name, size), kLimits).has_value());
    CHECK_FALSE(parse_description(line(name, size - 1), kLimits).has_value());
    CHECK_FALSE(parse_description(line(name, size + 1), kLimits).has_value());
  }
  for (const auto& [name, size] :
       {std::pair("sha-256", 31u), {"sha-256", 33u}, {"sha-512", 65u}, {"sha-512", 32u}})
    CHECK_FALSE(parse_description(line(name, size), kLimits).has_value());
}

TEST_CASE("a mid names one section, and a group names sections that are there", "[SDP-71]") {
  const auto two = [](const char* group, const char* first, const char* second) {
    return parse_description("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + std::string(group) +
                                 "m=audio 9 RTP/AVP 0\r\na=mid:" + first +
                                 "\r\nm=audio 9 RTP/AVP 0\r\na=mid:" + second + "\r\n",
                             kLimits);
  };
  CHECK(two("a=group:BUNDLE a b\r\n", "a", "b").has_value());
  CHECK(two("a=group:BUNDLE a\r\na=group:BUNDLE b\r\n", "a", "b").has_value());
  CHECK(two("a=group:LS a x\r\n", "a", "b").has_value());
  CHECK(two("a=group:BUNDLE\r\n", "a", "b").has_value());
  CHECK(two("", "a", "a").error() == ErrorCode::Refused);
  CHECK(two("a=group:BUNDLE a b x\r\n", "a", "b").error() == ErrorCode::Refused);
  CHECK(two("a=group:BUNDLE a b\r\na=group:BUNDLE a\r\n", "a", "b").error() == ErrorCode::Refused);
  CHECK(two("a=group:BUNDLE a a\r\n", "a", "b").error() == ErrorCode::Refused);
}

TEST_CASE("sections that share a ufrag share the password", "[ICE-CRED-02]") {
  const auto two = [](const char* second_ufrag, const char* second_pwd) {
    return parse_description(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 "
        "0\r\na=ice-ufrag:same\r\na=ice-pwd:passwordOf22Characters\r\n"
        "m=audio 9 RTP/AVP 0\r\nm=audio 9 RTP/AVP 0\r\na=ice-ufrag:" +
            std::string(second_ufrag) + "\r\na=ice-pwd:" + second_pwd + "\r\n",
        kLimits);
  };
  CHECK(two("same", "passwordOf22Characters").has_value());
  CHECK(two("other", "anotherPasswordOf24chars").has_value());
  CHECK(two("same", "anotherPasswordOf24chars").error() == ErrorCode::Refused);
}

TEST_CASE("bundle-only counts inside a BUNDLE group only", "[SDP-20]") {
  const std::string text = chrome_offer() + "a=bundle-only\r\n";
  CHECK(parsed(text).sections[0].bundle_only);
  CHECK_FALSE(parsed(without_line(text, "a=group")).sections[0].bundle_only);
  // Thrown away outside, so the port decides.
  CHECK(offered(without_line(text, "a=group"))->has_data);
  CHECK_FALSE(
      offered(replace(without_line(text, "a=group"), "m=application 64356", "m=application 0"))->has_data);
}
