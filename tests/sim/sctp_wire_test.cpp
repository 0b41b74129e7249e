// The watchers watched: a packet that breaks one rule, or a run that breaks one invariant, is caught by its name.
#include "sim/sctp_invariants.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sim;
using namespace pollrtc::test;

namespace {

constexpr std::uint32_t kTag = 0xAABBCCDD;

// A packet around these chunks, with the right checksum: bit by bit, to be a third opinion.
ByteVector packet(const std::string& chunks, std::uint32_t tag = kTag) {
  ByteVector bytes = hex("13881388");
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::uint8_t>(tag >> shift));
  bytes.resize(12);
  for (const std::uint8_t byte : hex(chunks)) bytes.push_back(byte);
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
  }
  for (std::size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<std::uint8_t>(~crc >> (8 * i));
  return bytes;
}

std::string fault(const ByteVector& bytes) {
  try {
    static_cast<void>(wire::read_strictly(bytes));
  } catch (const Violation& violation) {
    return violation.what();
  }
  return "";
}

// DATA: TSN, stream 1, SSN, PPID 53, flags, "abcd"
std::string data(std::uint32_t tsn, unsigned ssn = 0, const std::string& flags = "03",
                 const std::string& payload = "61626364") {
  const auto h = [](std::uint64_t value, int digits) {
    std::string text;
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
      text += "0123456789abcdef"[value >> shift & 15];
    return text;
  };
  const std::size_t size = payload.size() / 2;
  return "00" + flags + h(16 + size, 4) + h(tsn, 8) + "0001" + h(ssn, 4) + "00000035" + payload +
         std::string((4 - size % 4) % 4 * 2, '0');
}

const std::string kSack = "03000010 000003e7 00010000 00000000";
const std::string kInit = "01000014 aabbccdd 00010000 ffffffff 000003e8";
const std::string kInitAck =
    "02000028 01020304 00010000 ffffffff 000003e8 80000004 c0000004 00070008 99999999 0000";

}  // namespace

TEST_CASE("the strict reader passes what may be sent") {
  CHECK(fault(packet(data(1000))).empty());
  CHECK(fault(packet(kSack + data(1000) + data(1001, 1))).empty());
  CHECK(fault(packet("03000018 000003e7 00010000 00020000 00020003 00050005" + data(1000))).empty());
  CHECK(fault(packet(kInit, 0)).empty());
  CHECK(fault(packet("c000000c 000003e8 00010005")).empty());
  CHECK(fault(packet("82000010 0010000c 00000001 00000001")).empty());
  CHECK(fault(packet("40030018 000003e8 00010000 00000000 00000035 61626364")).empty());
  CHECK(fault(packet(data(1000, 0, "03", "61"))).empty());
}

TEST_CASE("the strict reader catches each thing that must not be sent", "[SCTP-PKT-18]") {
  struct Case {
    const char* what;
    ByteVector bytes;
  };
  ByteVector wrong_checksum = packet(data(1000)),
             dirty_padding = packet("000300110000 03e8 00010000 00000035 61 000001");
  wrong_checksum[20] ^= 1;
  const std::vector<Case> cases = {
      {"the checksum is wrong", wrong_checksum},
      {"padding that is not zero", dirty_padding},
      {"the size of a packet", ByteVector(14)},
      {"a chunk's length is wrong", packet("00030002 00000000")},
      {"a chunk's length is wrong", packet("00030100 000003e8 00010000 00000035 61626364")},
      {"DATA without user data", packet("00030010 000003e8 00010000 00000035")},
      {"reserved flags are set", packet(data(1000, 0, "13"))},
      {"a control chunk behind DATA", packet(data(1000) + kSack)},
      {"two SACKs", packet(kSack + kSack)},
      {"TSNs that do not rise", packet(data(1001) + data(1000))},
      {"TSNs that do not rise", packet(data(1000) + data(1000))},
      {"in a bundle", packet(kInit + kSack, 0)},
      {"not the first", packet(kSack + "0b000004")},
      {"DATA with an ABORT", packet("06000004" + data(1000))},
      {"do not ascend, or touch", packet("03000014 000003e7 00010000 00010000 00010003")},
      {"do not ascend, or touch", packet("03000018 000003e7 00010000 00020000 00020003 00040005")},
      {"do not ascend, or touch", packet("03000018 000003e7 00010000 00020000 00050005 00020003")},
      {"the counts of a SACK", packet("03000010 000003e7 00010000 00010000")},
      {"a stream twice", packet("c0000010 000003e8 00010005 00010006")},
      {"an initiate tag of 0", packet("01000014 00000000 00010000 ffffffff 000003e8", 0)},
      {"a_rwnd below 1500", packet("01000014 aabbccdd 000005db ffffffff 000003e8", 0)},
      {"no streams", packet("01000014 aabbccdd 00010000 0000ffff 000003e8", 0)},
      {"an address", packet("0100001c aabbccdd 00010000 ffffffff 000003e8 00050008 7f000001", 0)},
      {"a parameter twice", packet("0100001c aabbccdd 00010000 ffffffff 000003e8 c0000004 c0000004", 0)},
      {"a cookie stands in INIT ACK", packet("02000014 aabbccdd 00010000 ffffffff 000003e8")},
      {"two requests",
       packet("82000024 000d0010 00000001 00000001 00000001 000d0010 00000002 00000001 00000001")},
      {"the size of a SHUTDOWN", packet("0700000c 000003e7 00000000")},
      {"a chunk that we do not know", packet("3f000004")},
  };
  for (const Case& broken : cases) {
    INFO(broken.what << ", " << to_hex(broken.bytes));
    CHECK(fault(broken.bytes).find(broken.what) != std::string::npos);
  }
}

namespace {

// An end that is up: it sends from TSN 1000, its peer from 2000, one packet of whose has come.
struct Watched {
  Watched() {
    invariants.on_received(packet("01000014 aabbccdd 00010000 ffffffff 000007d0", 0), SctpState::Closed,
                           kTag);
    invariants.on_received(packet(data(2000)), SctpState::Established, kTag);
    invariants.on_message(1, 8, true);
    invariants.on_sent(packet(data(1000)), up, up);
  }
  SctpFacts up{.state = SctpState::Established,
               .outstanding = 20,
               .cwnd = 4000,
               .pmdcs = 1176,
               .buffered_total = 4,
               .heap = 500,
               .rx_used = 132,
               .packet_size = 1188,
               .t3_runs = true,
               .t3_must_run = true};
  void send(const std::string& chunks, std::uint32_t tag = kTag) {
    invariants.on_sent(packet(chunks, tag), up, up);
  }
  SctpInvariants invariants{{.base_size = 1188,
                             .most_tried = 1472,
                             .local_initial_tsn = 1000,
                             .peer_initial_tsn = 2000,
                             .rx_window = 0x20000,
                             .memory = 1000}};
};

// HEARTBEAT and PAD, a packet of so many bytes.
std::string probe(std::size_t size) {
  const std::size_t pad = size - 12 - 12;
  return "0400000c 00010008 01020304 8400" +
         to_hex(ByteVector{static_cast<std::uint8_t>(pad >> 8), static_cast<std::uint8_t>(pad)}) +
         std::string(2 * (pad - 4), '0');
}

// SACK of 2000 with a_rwnd 0x10000
const std::string kTruthfulSack = "03000010 000007d0 00010000 00000000";

std::string broken_by(void (*action)(Watched&)) {
  Watched watched;
  try {
    action(watched);
  } catch (const Violation& violation) {
    return violation.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a run that keeps every invariant passes") {
  CHECK(broken_by([](Watched& w) {
          w.send(kTruthfulSack);
          w.send(data(1000));     // again
          w.send(data(1001, 1));  // the next
          w.up.dont_fragment = true;
          w.send(probe(1472));
          w.invariants.on_received(packet("0500000c 00010008 01020304"), SctpState::Established, kTag);
          w.up.packet_size = 1472;
          w.invariants.on_message(1, 1441, true);
          w.send(data(1002, 2, "03", std::string(2 * 1441, '6')));
          w.up.dont_fragment = false;
          w.up.buffered_total = 0;
          w.invariants.check(Time{}, w.up);
          w.invariants.check_buffered(1, 0);
          w.invariants.check_deadline(Time{}, w.up);
          w.invariants.on_edge("ESTABLISHED", "SHUTDOWN-PENDING");
        }) == "");
}

TEST_CASE("the call that finds the last message expired moves the state and writes the SHUTDOWN ACK",
          "[INV-8]") {
  CHECK(broken_by([](Watched& w) {
          SctpFacts after = w.up;
          w.up.state = SctpState::ShutdownReceived, after.state = SctpState::ShutdownAckSent;
          w.invariants.on_sent(packet("08000004"), w.up, after);
        }) == "");
}

TEST_CASE("each broken invariant is called by its name",
          "[SCTP-TAG-09][SCTP-DATA-24][SCTP-RST-09][SCTP-PKT-19]") {
  struct Case {
    const char* name;
    void (*action)(Watched&);
  };
  const std::vector<Case> cases = {
      {"INV-13: a tag that the peer", [](Watched& w) { w.send(kTruthfulSack, 5); }},
      {"INV-13: DATA that changed", [](Watched& w) { w.send(data(1000, 0, "03", "61626365")); }},
      {"INV-13: DATA that changed", [](Watched& w) { w.send(data(1000, 1)); }},
      {"INV-13: a TSN is left out", [](Watched& w) { w.send(data(1002, 1)); }},
      {"INV-13: number 2", [](Watched& w) { w.send(data(1001, 2)); }},
      {"INV-13: a fragment that continues nothing", [](Watched& w) { w.send(data(1001, 1, "01")); }},
      {"INV-13: a message begins",
       [](Watched& w) { w.send(data(1001, 1, "02", "61") + data(1002, 2, "02", "61")); }},
      {"INV-13: DATA sent again that is acknowledged",
       [](Watched& w) {
         w.invariants.on_received(packet("03000010 000003e8 00010000 00000000"), SctpState::Established,
                                  kTag);
         w.send(data(1000));
       }},
      {"INV-13: DATA sent again that a gap block",
       [](Watched& w) {
         w.send(data(1001, 1));
         w.invariants.on_received(packet("03000014 000003e7 00010000 00010000 00020002"),
                                  SctpState::Established, kTag);
         w.send(data(1001, 1));
       }},
      {"INV-13: a gap block names",
       [](Watched& w) { w.send("03000014 000007d0 00010000 00010000 00020002"); }},
      {"INV-13: FORWARD TSN though", [](Watched& w) { w.send("c0000008 000003e8"); }},
      {"INV-13: DATA or I-DATA",
       [](Watched& w) { w.send("40030018 000003e9 00010000 00000000 00000035 61626364"); }},
      {"INV-13: a checksum of 0",
       [](Watched& w) {
         auto bytes = packet(kTruthfulSack);
         std::fill(bytes.begin() + 8, bytes.begin() + 12, std::uint8_t{0});
         w.invariants.on_sent(bytes, w.up, w.up);
       }},
      {"INV-1: more is sent", [](Watched& w) { w.send(data(1001, 1, "03", "6162636465")); }},
      {"INV-2", [](Watched& w) { w.invariants.check_buffered(1, 3); }},
      {"INV-2", [](Watched& w) { w.up.buffered_total = 5, w.invariants.check(Time{}, w.up); }},
      {"INV-3: new DATA", [](Watched& w) { w.up.outstanding = 5176, w.send(data(1001, 1)); }},
      {"INV-3: the bytes", [](Watched& w) { w.up.accounts_agree = false, w.invariants.check(Time{}, w.up); }},
      {"INV-3: 24 outstanding", [](Watched& w) { w.up.outstanding = 24, w.invariants.check(Time{}, w.up); }},
      {"INV-3: cwnd", [](Watched& w) { w.up.cwnd = 1175, w.invariants.check(Time{}, w.up); }},
      {"INV-4", [](Watched& w) { w.up.next_timeout = Time{}, w.invariants.check_deadline(Time{}, w.up); }},
      {"INV-5", [](Watched& w) { w.up.heap = 1001, w.invariants.check(Time{}, w.up); }},
      {"INV-6: a packet", [](Watched& w) { w.send(data(1001, 1, "03", std::string(2 * 1161, '6'))); }},
      {"INV-6: a packet",
       [](Watched& w) { w.up.packet_size = 508, w.send(data(1001, 1, "03", std::string(2 * 481, '6'))); }},
      {"INV-6: a packet", [](Watched& w) { w.up.dont_fragment = true, w.send(probe(1476)); }},
      {"INV-6: a path", [](Watched& w) { w.up.packet_size = 1192, w.send(data(1001, 1)); }},
      {"INV-6: a path",  // the answer to another probe
       [](Watched& w) {
         w.up.dont_fragment = true, w.send(probe(1472));
         w.invariants.on_received(packet("0500000c 00010008 01020305"), SctpState::Established, kTag);
         w.up.dont_fragment = false, w.up.packet_size = 1472, w.send(data(1001, 1));
       }},
      {"INV-6: DF", [](Watched& w) { w.up.dont_fragment = true, w.send(data(1001, 1)); }},
      {"INV-6: DF", [](Watched& w) { w.send(probe(1472)); }},
      {"INV-8", [](Watched& w) { w.up.state = SctpState::CookieEchoed, w.send(data(1001, 1)); }},
      {"INV-8", [](Watched& w) { w.send("0700 0008 000007d0"); }},
      {"INV-8", [](Watched& w) { w.invariants.on_edge("ESTABLISHED", "SHUTDOWN-ACK-SENT"); }},
      {"INV-8: DATA",  // of the last call before SHUTDOWN ACK, too late
       [](Watched& w) {
         SctpFacts after = w.up;
         w.up.state = SctpState::ShutdownReceived, after.state = SctpState::ShutdownAckSent;
         w.invariants.on_sent(packet(data(1000)), w.up, after);
       }},
      {"INV-11: the cumulative TSN goes back",
       [](Watched& w) { w.send(kTruthfulSack), w.send("03000010 000007cf 00010000 00000000"); }},
      {"INV-11: a TSN is acknowledged", [](Watched& w) { w.send("03000010 000007d1 00010000 00000000"); }},
      {"INV-12", [](Watched& w) { w.send("03000010 000007d0 0001ff7d 00000000"); }},
      {"INV-12: 128 bytes charged", [](Watched&) { SctpInvariants::check_window(128, 132); }},
      {"INV-12: 132 bytes charged", [](Watched&) { SctpInvariants::check_window(132, 128); }},
      {"INV-14", [](Watched& w) { w.up.t3_runs = false, w.invariants.check(Time{}, w.up); }},
      {"INV-15: two",
       [](Watched& w) {
         w.send("82000016 000d0012 000003e8 000007cf 000003e8 0001 0000");
         w.send("82000016 000d0012 000003e9 000007cf 000003e8 0002 0000");
       }},
      {"INV-15: the number",
       [](Watched& w) { w.send("82000016 000d0012 000003e9 000007cf 000003e8 0001 0000"); }},
      {"INV-16",
       [](Watched& w) { w.invariants.on_silence(), w.send("82000010 0010000c 00000001 00000001"); }},
      {"INV-16",
       [](Watched& w) {
         for (int i = 0; i < 2; ++i) w.send("82000010 0010000c 00000001 00000001");  // one for the INIT
       }},
  };
  for (const Case& broken : cases) {
    INFO(broken.name);
    CHECK(broken_by(broken.action).find(broken.name) == 0);
  }
}
