// Every row of vectors/sdp/torture.tsv: one mutation of a browser's offer, and what must come of it. A row is a line of
// the table below, so that a row without a test, or a test without a row, fails.
#include <functional>
#include <map>

#include "base/address.h"
#include "sdp_support.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

const std::string kFingerprint =
    "7A:D7:C9:33:94:8D:8A:BA:10:EB:93:21:7C:B4:91:6D:40:F7:56:07:CA:9D:42:D3:80:32:2D:10:D9:AC:8E:15";

std::string chrome() { return chrome_offer(); }
std::string candidate(std::string_view address_and_port, std::string_view rest = "typ host") {
  return with_candidate("a=candidate:1 1 udp 2122260223 " + std::string(address_and_port) + " " +
                        std::string(rest));
}
std::string fingerprint_line(std::string_view value) {
  return replace_line(chrome(), "a=fingerprint", "a=fingerprint:" + std::string(value));
}
std::string hex_bytes(std::size_t count) {
  std::string text = "AB";
  for (std::size_t i = 1; i < count; ++i) text += ":AB";
  return text;
}
std::string long_text(std::size_t size) { return std::string(size, 'A'); }

void accept(const std::string& text) {
  const auto remote = offered(text);
  INFO((remote ? "" : std::string(remote.error().detail())));
  REQUIRE(remote.has_value());
  CHECK(remote->has_data);
  // Whatever is accepted can be answered, and the answer holds nothing of the foreign text but what it must mirror.
  CHECK(answer_to(text).sections.size() == remote->section_count);
}
void reject(const std::string& text) { CHECK(is_refused(text)); }
void section_rejected(const std::string& text) {
  const auto remote = offered(text);
  REQUIRE(remote.has_value());
  CHECK_FALSE(remote->has_data);
  CHECK(answer_to(text).sections.at(0).port == 0);
}
// The first candidate line is ignored and counted, the second still counts.
void candidate_ignored(const std::string& text) {
  accept(text);
  const Description d = parsed(text);
  REQUIRE(d.sections.at(0).candidates.size() == 1);
  CHECK(d.sections[0].candidates[0].foundation == "755488126");
  CHECK(d.ignored.malformed + d.ignored.unusable == 1);
}
Remote facts(const std::string& text) { return *offered(text); }

std::string two_sections(const char* second_mid) {
  const std::string text = chrome();
  return text + replace(text.substr(text.find("m=")), "a=mid:0", std::string("a=mid:") + second_mid);
}

std::string answer_with(std::string_view setup) {
  return replace_line(answer_text(*make_offer(local_parameters())), "a=setup",
                      "a=setup:" + std::string(setup));
}

const std::map<std::string, std::function<void()>> kRows = {
    {"lf-only", [] { accept(replace_all(chrome(), "\r\n", "\n")); }},
    {"mixed-eol",
     [] {
       std::string text = chrome();
       for (std::size_t at = 0, n = 0; (at = text.find("\r\n", at)) != std::string::npos; ++n, at += 1)
         if (n % 2 == 1) text.erase(at, 1);
       accept(text);
     }},
    {"no-final-eol", [] { accept(chrome().substr(0, chrome().size() - 2)); }},
    {"empty", [] { reject(""); }},
    {"nul-byte",
     [] { reject(replace(chrome(), "a=ice-ufrag:v8Lx", std::string_view("a=ice-ufrag:v8\0Lx", 17))); }},
    {"non-utf8",
     [] {
       const std::string text = replace_line(chrome(), "s=", "s=\xff\xfe");
       accept(text);
       CHECK(write_description(answer_to(text)).find('\xff') == std::string::npos);
     }},
    {"v1", [] { reject(replace(chrome(), "v=0", "v=1")); }},
    {"no-v", [] { reject(replace(chrome(), "v=0\r\n", "")); }},
    {"order",
     [] {
       const std::string origin = line_of(chrome(), "o=") + "\r\n";
       reject(replace(without_line(chrome(), "o="), "s=-\r\n", "s=-\r\n" + origin));
     }},
    {"long-line",
     [] {
       const auto result = parse_description(chrome() + "a=x:" + long_text(70000) + "\r\n", kLimits);
       REQUIRE_FALSE(result.has_value());
       CHECK(result.error() == ErrorCode::TooLarge);
       CHECK(result.error().line() == 20);
     }},
    {"many-lines",
     [] {
       std::string text = chrome();
       for (int i = 0; i < 20000; ++i) text += "a=unknown\r\n";
       const auto result = parse_description(text, kLimits);
       REQUIRE_FALSE(result.has_value());
       CHECK(result.error() == ErrorCode::TooLarge);
     }},
    {"many-mlines",
     [] {
       std::string text = chrome();
       for (int i = 0; i < 300; ++i)
         text += "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n";
       const auto result = parse_description(text, kLimits);
       REQUIRE_FALSE(result.has_value());
       CHECK(result.error() == ErrorCode::LimitReached);
     }},
    {"many-candidates",
     [] {
       std::string text = without_line(without_line(chrome(), "a=candidate"), "a=candidate");
       for (int i = 0; i < 1000; ++i)
         text += "a=candidate:1 1 udp 1 192.0.2.1 " + std::to_string(1000 + i) + " typ host\r\n";
       accept(text);
       const Description d = parsed(text);
       REQUIRE(d.sections[0].candidates.size() == 64);
       CHECK(d.sections[0].candidates[63].address.port == 1063);
       CHECK(d.ignored.over_limit == 936);
     }},
    {"candidate-dup",
     [] {
       std::string text = chrome();
       for (int i = 0; i < 199; ++i) text += line_of(chrome(), "a=candidate:1669605774") + "\r\n";
       accept(text);
       CHECK(parsed(text).sections[0].candidates.size() == 2);
       CHECK(parsed(text).ignored.duplicate == 199);
     }},
    {"candidate-port-0", [] { candidate_ignored(candidate("192.0.2.173 0")); }},
    {"candidate-port-65536", [] { candidate_ignored(candidate("192.0.2.173 65536")); }},
    {"candidate-port-neg", [] { candidate_ignored(candidate("192.0.2.173 -1")); }},
    {"candidate-prio-overflow",
     [] { candidate_ignored(with_candidate("a=candidate:1 1 udp 99999999999 192.0.2.173 9 typ host")); }},
    {"candidate-component-2",
     [] { candidate_ignored(with_candidate("a=candidate:1 2 udp 2122260223 192.0.2.173 9 typ host")); }},
    {"candidate-bad-ip", [] { candidate_ignored(candidate("999.1.1.1 1000")); }},
    {"candidate-hostname", [] { candidate_ignored(candidate("host.example.org 1000")); }},
    {"candidate-local-mdns",
     [] {
       const std::string name = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
       accept(candidate(name + " 1000"));
       CHECK(parsed(candidate(name + " 1000")).sections[0].candidates.at(0).mdns_name == name);
     }},
    {"candidate-ipv6-zone", [] { candidate_ignored(candidate("fe80::1%eth0 1000")); }},
    {"candidate-v4mapped",
     [] {
       const std::string text = candidate("::ffff:127.0.0.1 1000");
       accept(text);
       CHECK(parsed(text).sections[0].candidates.at(0).address == Address::v4(127, 0, 0, 1, 1000));
     }},
    {"candidate-multicast",
     [] {
       candidate_ignored(candidate("239.1.1.1 1000"));
       candidate_ignored(candidate("ff02::1 1000"));
     }},
    {"candidate-unspecified",
     [] {
       candidate_ignored(candidate("0.0.0.0 1000"));
       candidate_ignored(candidate(":: 1000"));
     }},
    {"candidate-broadcast", [] { candidate_ignored(candidate("255.255.255.255 1000")); }},
    {"candidate-unknown-type", [] { candidate_ignored(candidate("192.0.2.173 1000", "typ foo")); }},
    {"candidate-extra-pairs",
     [] {
       const std::string text = candidate("192.0.2.173 1000", "typ host generation 0 dangling");
       accept(text);
       CHECK(parsed(text).sections[0].candidates.size() == 2);
     }},
    {"candidate-tcp-so",
     [] { candidate_ignored(with_candidate("a=candidate:1 1 tcp 1 192.0.2.173 9 typ host tcptype so")); }},
    {"ufrag-3", [] { reject(replace_line(chrome(), "a=ice-ufrag", "a=ice-ufrag:v8L")); }},
    {"ufrag-257",
     [] {
       reject(replace_line(chrome(), "a=ice-ufrag", "a=ice-ufrag:" + long_text(257)));
       accept(replace_line(chrome(), "a=ice-ufrag", "a=ice-ufrag:" + long_text(256)));
     }},
    {"pwd-21",
     [] {
       reject(replace_line(chrome(), "a=ice-pwd", "a=ice-pwd:" + long_text(21)));
       accept(replace_line(chrome(), "a=ice-pwd", "a=ice-pwd:" + long_text(22)));
     }},
    {"pwd-257",
     [] {
       reject(replace_line(chrome(), "a=ice-pwd", "a=ice-pwd:" + long_text(257)));
       accept(replace_line(chrome(), "a=ice-pwd", "a=ice-pwd:" + long_text(256)));
     }},
    {"ufrag-badchar",
     [] {
       reject(replace_line(chrome(), "a=ice-ufrag", "a=ice-ufrag:v8 Lx"));
       reject(replace_line(chrome(), "a=ice-ufrag", "a=ice-ufrag:v8:Lx"));
     }},
    {"no-ufrag", [] { reject(without_line(chrome(), "a=ice-ufrag")); }},
    {"no-fingerprint", [] { reject(without_line(chrome(), "a=fingerprint")); }},
    {"fp-sha1", [] { reject(fingerprint_line("sha-1 " + hex_bytes(20))); }},
    {"fp-md5-and-sha256",
     [] {
       const std::string text =
           fingerprint_line("md5 " + hex_bytes(16) + "\r\na=fingerprint:sha-256 " + kFingerprint);
       accept(text);
       REQUIRE(facts(text).fingerprints.size() == 1);
       CHECK(facts(text).fingerprints[0].hash == HashAlgorithm::Sha256);
       CHECK(to_vector(facts(text).fingerprints[0].view()) == hex(kFingerprint));
     }},
    {"fp-two-sha256",
     [] {
       const std::string text =
           fingerprint_line("sha-256 " + kFingerprint + "\r\na=fingerprint:sha-256 " + hex_bytes(32));
       accept(text);
       REQUIRE(facts(text).fingerprints.size() == 2);
       CHECK(facts(text).fingerprints[1] == fingerprint_of(HashAlgorithm::Sha256, 0xAB));
     }},
    {"fp-lowercase",
     [] {
       std::string lower = kFingerprint;
       for (char& c : lower) c = static_cast<char>(std::tolower(c));
       accept(fingerprint_line("sha-256 " + lower));
       CHECK(facts(fingerprint_line("sha-256 " + lower)).fingerprints == facts(chrome()).fingerprints);
     }},
    {"fp-no-colons", [] { reject(fingerprint_line("sha-256 " + replace_all(kFingerprint, ":", ""))); }},
    {"fp-short", [] { reject(fingerprint_line("sha-256 " + hex_bytes(31))); }},
    {"fp-long", [] { reject(fingerprint_line("sha-256 " + hex_bytes(33))); }},
    {"setup-missing", [] { reject(without_line(chrome(), "a=setup")); }},
    {"setup-holdconn", [] { reject(replace_line(chrome(), "a=setup", "a=setup:holdconn")); }},
    {"setup-passive-offer",
     [] {
       const std::string text = replace_line(chrome(), "a=setup", "a=setup:passive");
       accept(text);
       CHECK(answer_to(text).sections[0].transport.setup == Setup::Active);
     }},
    {"setup-answer-actpass",
     [] {
       CHECK_FALSE(read_answer(*make_offer(local_parameters()), parsed(answer_with("actpass"))).has_value());
     }},
    {"setup-answer-same",
     [] {
       Description offer = *make_offer(local_parameters());
       offer.sections[0].transport.setup = Setup::Passive;
       CHECK_FALSE(read_answer(offer, parsed(answer_with("passive"))).has_value());
       CHECK(read_answer(offer, parsed(answer_with("active"))).has_value());
     }},
    {"sctp-port-missing", [] { reject(without_line(chrome(), "a=sctp-port")); }},
    {"sctp-port-0",
     [] {
       const std::string text = replace_line(chrome(), "a=sctp-port", "a=sctp-port:0");
       accept(text);
       CHECK(facts(text).sctp_port == 0);
       CHECK(answer_to(text).sections[0].sctp_port == std::uint16_t{0});
       CHECK(answer_to(text).sections[0].port == 9);
     }},
    {"sctp-port-65536", [] { reject(replace_line(chrome(), "a=sctp-port", "a=sctp-port:65536")); }},
    {"sctp-port-space",
     [] {
       accept(replace_line(chrome(), "a=sctp-port", "a=sctp-port 5001"));
       CHECK(facts(replace_line(chrome(), "a=sctp-port", "a=sctp-port 5001")).sctp_port == 5001);
     }},
    {"mms-0",
     [] {
       CHECK(facts(replace_line(chrome(), "a=max-message-size", "a=max-message-size:0")).max_message_size ==
             kAnySize);
     }},
    {"mms-absent",
     [] { CHECK(facts(without_line(chrome(), "a=max-message-size")).max_message_size == 65536); }},
    {"mms-1",
     [] {
       CHECK(facts(replace_line(chrome(), "a=max-message-size", "a=max-message-size:1")).max_message_size ==
             1);
     }},
    {"mms-huge",
     [] {
       const std::string text =
           replace_line(chrome(), "a=max-message-size", "a=max-message-size:18446744073709551616");
       accept(text);
       CHECK(facts(text).max_message_size == kMaxNumber);
     }},
    {"mms-neg", [] { reject(replace_line(chrome(), "a=max-message-size", "a=max-message-size:-1")); }},
    {"mid-missing",
     [] {
       const std::string text = without_line(without_line(chrome(), "a=mid"), "a=group");
       accept(text);
       CHECK(facts(text).mid.empty());
       CHECK_FALSE(has_line(write_description(answer_to(text)), "a=mid"));
     }},
    {"mid-dup", [] { reject(two_sections("0")); }},
    {"mid-long", [] { reject(replace_line(chrome(), "a=mid", "a=mid:" + long_text(70000))); }},
    {"bundle-unknown-mid", [] { reject(replace_line(chrome(), "a=group", "a=group:BUNDLE 0 9")); }},
    {"bundle-only-port0",
     [] {
       const std::string text =
           replace(chrome(), "m=application 64356", "m=application 0") + "a=bundle-only\r\n";
       accept(text);
       CHECK(answer_to(text).sections[0].port == 9);
     }},
    {"port-0", [] { section_rejected(replace(chrome(), "m=application 64356", "m=application 0")); }},
    {"proto-tcp",
     [] {
       const std::string text = replace(chrome(), "UDP/DTLS/SCTP", "TCP/DTLS/SCTP");
       accept(text);
       CHECK(answer_to(text).sections[0].proto == "TCP/DTLS/SCTP");
     }},
    {"proto-rtp",
     [] { section_rejected(replace(chrome(), "UDP/DTLS/SCTP webrtc-datachannel", "UDP/TLS/RTP/SAVPF 0")); }},
    {"fmt-other", [] { section_rejected(replace(chrome(), "webrtc-datachannel", "some-other-usage")); }},
    {"ice-lite",
     [] {
       const std::string text = replace(chrome(), "a=group", "a=ice-lite\r\na=group");
       accept(text);
       CHECK(facts(text).ice_lite);
       CHECK_FALSE(has_line(write_description(answer_to(text)), "a=ice-lite"));
     }},
    {"ice-options-unknown",
     [] {
       const std::string text =
           replace_line(chrome(), "a=ice-options", "a=ice-options:foo trickle renomination");
       accept(text);
       CHECK(facts(text).trickle);
       CHECK(answer_to(text).transport.ice_options == std::vector<std::string>{"trickle"});
     }},
    {"session-level-ice",
     [] {
       std::string text = chrome(), moved;
       for (const char* name : {"a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup"}) {
         moved += line_of(text, name) + "\r\n";
         text = without_line(text, name);
       }
       text = replace(text, "m=application", moved + "m=application");
       accept(text);
       CHECK(facts(text).ufrag == "v8Lx");
       CHECK(facts(text).fingerprints == facts(chrome()).fingerprints);
     }},
    {"session-vs-media",
     [] {
       const std::string text = replace(chrome(), "m=application", "a=ice-ufrag:session\r\nm=application");
       accept(text);
       CHECK(facts(text).ufrag == "v8Lx");
     }},
    {"eoc-then-candidate",
     [] {
       const std::string text =
           replace(chrome(), "a=candidate:755488126", "a=end-of-candidates\r\na=candidate:755488126");
       accept(text);
       CHECK(facts(text).candidates.size() == 2);
       CHECK(facts(text).end_of_candidates);
     }},
    {"identity",
     [] {
       const std::string text = replace(chrome(), "a=group", "a=identity:eyJpZHAiOnt9fQ==\r\na=group");
       accept(text);
       CHECK(write_description(answer_to(text)).find("identity") == std::string::npos);
     }},
    {"tls-id-change",
     [] {
       const Remote before = facts(chrome() + "a=tls-id:abc3de65cddef001be82\r\n");
       const std::string after = chrome() + "a=tls-id:abc3de65cddef001be83\r\n";
       CHECK_FALSE(offered(after, &before).has_value());
       const std::string restart = replace_line(after, "a=ice-ufrag", "a=ice-ufrag:other");
       CHECK(offered(restart, &before).has_value());
     }},
};

}  // namespace

TEST_CASE("every row of torture.tsv behaves", "[SDP-01][SDP-19][ICE-CRED-02]") {
  std::size_t rows = 0;
  for (const auto& row : read_tsv("vectors/sdp/torture.tsv")) {
    REQUIRE(row.size() == 3);
    INFO(row[0] + ": " + row[1] + " -> " + row[2]);
    const auto found = kRows.find(row[0]);
    REQUIRE(found != kRows.end());
    found->second();
    ++rows;
  }
  CHECK(rows == kRows.size());
}
