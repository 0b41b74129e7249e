#include "dtls/handshake_reassembly.h"

#include "support/catch.h"
#include "unit/dtls/pair.h"

using namespace pollrtc;
using namespace pollrtc::test;
using dtls::HandshakeFragment;
using dtls::HandshakeReassembly;
using dtls::Record;

namespace {

struct Hello {
  std::string name;
  ByteVector first, second, whole;
};

std::vector<Hello> captured_hellos() {
  std::vector<Hello> hellos;
  for (const std::string name : {"chromium", "firefox"}) {
    const std::string base = "vectors/dtls/" + name + "-client-hello-";
    hellos.push_back({name, read_hex_file(base + "1.hex"), read_hex_file(base + "2.hex"),
                      read_hex_file(base + "reassembled.hex")});
  }
  return hellos;
}

// Gives one datagram of one record of one fragment; the completed message, or nothing.
ByteVector add(HandshakeReassembly& reassembly, Bytes datagram, Drop expected = Drop::None) {
  Record record;
  HandshakeFragment fragment;
  REQUIRE(dtls::take_record(datagram, record));
  Bytes rest = record.fragment, message;
  REQUIRE(dtls::take_fragment(rest, fragment));
  CHECK(reassembly.add(record, fragment, message) == expected);
  return to_vector(message);
}

ByteVector piece(std::uint64_t sequence, Bytes body, std::size_t from, std::size_t to,
                 std::uint16_t message_seq = 0, std::size_t length = 0) {
  return make_record(
      22, 0xfeff, 0, sequence,
      make_fragment(1, static_cast<std::uint32_t>(length == 0 ? body.size() : length), message_seq,
                    static_cast<std::uint32_t>(from), body.subspan(from, to - from)));
}

ByteVector body_of(std::size_t size) {
  ByteVector body(size);
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<std::uint8_t>(i * 31 + 7);
  return body;
}

}  // namespace

TEST_CASE("the browsers' ClientHello comes out as one record, in either order", "[DTLS-30]") {
  for (const Hello& hello : captured_hellos()) {
    INFO(hello.name);
    TestEnvironment env;
    HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
    CHECK(add(reassembly, hello.first).empty());
    CHECK(add(reassembly, hello.second) == hello.whole);

    ByteVector expected = hello.whole;
    expected[10] = 0;  // the newest record is the first one now: sequence number 0
    CHECK(add(reassembly, hello.second).empty());
    CHECK(add(reassembly, hello.first) == expected);
  }
}

TEST_CASE("what comes out has the newest record's number, all 48 bits of it", "[DTLS-30]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
  const ByteVector body = body_of(100);
  CHECK(add(reassembly, piece(0x010203040506, body, 0, 50)).empty());
  const ByteVector whole = add(reassembly, piece(0x0102030405A7, body, 50, 100));
  REQUIRE(whole.size() == dtls::kRecordHeaderSize + dtls::kHandshakeHeaderSize + 100);
  CHECK(to_hex(Bytes(whole).subspan(5, 6)) == "0102030405a7");
}

TEST_CASE("a lost or repeated piece does no harm", "[DTLS-30]") {
  for (const Hello& hello : captured_hellos()) {
    TestEnvironment env;
    HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
    CHECK(add(reassembly, hello.second).empty());  // the first piece is lost
    CHECK(add(reassembly, hello.second).empty());  // and the second one comes twice, with the same number
    ByteVector again = hello.first;
    again[10] = 9;
    const ByteVector message = add(reassembly, again);
    REQUIRE(message.size() == hello.whole.size());
    CHECK(message[10] == 9);  // the newest number
    CHECK(std::equal(message.begin() + 13, message.end(), hello.whole.begin() + 13));
    CHECK(reassembly.messages_in_progress() == 0);
  }
}

TEST_CASE("pieces may overlap and be cut differently in a repetition", "[DTLS-26]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
  const ByteVector body = body_of(1461);
  CHECK(add(reassembly, piece(0, body, 0, 1000)).empty());
  CHECK(add(reassembly, piece(1, body, 1163, 1461)).empty());
  CHECK(add(reassembly, piece(2, body, 900, 1162)).empty());  // one byte short
  const ByteVector message = add(reassembly, piece(3, body, 1100, 1200));
  REQUIRE(message.size() == 25 + 1461);
  CHECK(std::equal(body.begin(), body.end(), message.begin() + 25));
  // The headers say: one whole fragment, length 1461, record number 3.
  CHECK(to_hex(Bytes(message).first(25)) ==
        "16feff000000000000000305c1"
        "010005b500000000000005b5");
}

TEST_CASE("the record number of the whole is all 48 bits of the newest piece's", "[DTLS-30]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
  const ByteVector body = body_of(20);
  CHECK(add(reassembly, piece(0x010203040505, body, 0, 10)).empty());
  const ByteVector message = add(reassembly, piece(0x010203040506, body, 10, 20));
  REQUIRE(message.size() == 45);
  CHECK(to_hex(Bytes(message).subspan(5, 6)) == "010203040506");
}

TEST_CASE("every cut into pieces of one size, in any order, gives the message", "[DTLS-30]") {
  const ByteVector body = body_of(97);
  for (std::size_t size = 1; size <= 97; ++size) {
    TestEnvironment env;
    HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
    std::vector<ByteVector> pieces;
    for (std::size_t at = 0; at < body.size(); at += size)
      pieces.push_back(piece(at, body, at, std::min(at + size, body.size()), 1));
    std::rotate(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(pieces.size() / 2),
                pieces.end());
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) CHECK(add(reassembly, pieces[i]).empty());
    const ByteVector message = add(reassembly, pieces.back());
    REQUIRE(message.size() == 25 + body.size());
    CHECK(std::equal(body.begin(), body.end(), message.begin() + 25));
  }
}

TEST_CASE("another length for the same message_seq neither spoils nor blocks the message", "[DTLS-11]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
  const ByteVector body = body_of(200), forged(100, 0xff);
  CHECK(add(reassembly, piece(0, forged, 0, 100, 0, 3000)).empty());
  CHECK(add(reassembly, piece(1, body, 0, 100)).empty());
  CHECK(add(reassembly, piece(2, forged, 0, 100, 0, 150)).empty());
  const ByteVector message = add(reassembly, piece(3, body, 100, 200));
  REQUIRE(message.size() == 225);
  CHECK(std::equal(body.begin(), body.end(), message.begin() + 25));
}

TEST_CASE("of a byte that changes the first copy stays", "[DTLS-26]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
  const ByteVector body = body_of(20), other(20, 0xee);
  CHECK(add(reassembly, piece(0, body, 0, 10)).empty());
  const ByteVector message = add(reassembly, piece(1, other, 5, 20));
  CHECK(std::equal(body.begin(), body.begin() + 10, message.begin() + 25));
  CHECK(message.back() == 0xee);
}

TEST_CASE("what is held is bounded, whatever comes", "[DTLS-12]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 16 * 1024);
  const ByteVector body = body_of(1);
  for (std::uint32_t length = 1; length < 20'000; length += 7) {
    const bool fits = length <= reassembly.max_message();
    if (length == 1) continue;
    add(reassembly, piece(length, body, 0, 1, length % 2, length), fits ? Drop::None : Drop::DtlsLimit);
    REQUIRE(reassembly.messages_in_progress() <= 4);
    REQUIRE(env.bytes_in_use() <= 16 * 1024);
  }
  CHECK(reassembly.max_message() >= 1461);  // Firefox, even in the small profile
  reassembly.clear();
  CHECK(reassembly.messages_in_progress() == 0);
}

TEST_CASE("a message_seq that no ClientHello has, and an empty ClientHello, are refused", "[DTLS-11]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 16 * 1024);
  const ByteVector body = body_of(10);
  CHECK(add(reassembly, piece(0, body, 0, 10, 2), Drop::DtlsFragment).empty());
  CHECK(add(reassembly, make_record(22, 0xfeff, 0, 0, make_fragment(1, 0, 0, 0, {})), Drop::DtlsFragment)
            .empty());
}

TEST_CASE("no memory is a drop like others") {
  TestEnvironment env;
  env.fail_allocations_after(GENERATE(std::size_t{0}, std::size_t{1}));
  HandshakeReassembly reassembly(env.env.memory, 16 * 1024);
  CHECK(add(reassembly, piece(0, body_of(10), 0, 5), Drop::OutOfMemory).empty());
  CHECK(reassembly.messages_in_progress() == 0);
}

TEST_CASE("fragments that break their format are not taken", "[DTLS-11]") {
  const auto takes = [](Bytes bytes) {
    HandshakeFragment fragment;
    return dtls::take_fragment(bytes, fragment);
  };
  const ByteVector ten(10);
  CHECK(takes(make_fragment(1, 10, 0, 0, ten)));
  CHECK(takes(make_fragment(14, 0, 3, 0, {})));         // ServerHelloDone: whole and empty
  CHECK_FALSE(takes(make_fragment(1, 10, 0, 5, {})));   // an empty piece
  CHECK_FALSE(takes(make_fragment(1, 10, 0, 1, ten)));  // past the end
  CHECK_FALSE(takes(make_fragment(1, 10, 0, 0xffffff, ten)));
  CHECK_FALSE(takes(Bytes(make_fragment(1, 10, 0, 0, ten)).first(21)));
  CHECK_FALSE(takes(Bytes(ten)));
}

TEST_CASE("of four messages in progress the one that waited longest for a fragment makes room", "[DTLS-12]") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
  std::uint64_t sequence = 0;
  // Told apart by their number and their length.
  const auto part = [&](std::size_t message, std::size_t from, std::size_t to) {
    const ByteVector body = body_of(100 + message / 2);
    return add(reassembly, piece(sequence++, body, from, std::min(to, body.size()),
                                 static_cast<std::uint16_t>(message % 2)));
  };
  for (std::size_t message = 0; message < 4; ++message) CHECK(part(message, 0, 40).empty());
  CHECK(part(0, 40, 60).empty());  // so 1 is the oldest now
  CHECK(reassembly.messages_in_progress() == 4);
  CHECK(part(4, 0, 40).empty());
  CHECK(reassembly.messages_in_progress() == 4);
  CHECK_FALSE(part(0, 60, 200).empty());
  CHECK_FALSE(part(2, 40, 200).empty());
  CHECK_FALSE(part(3, 40, 200).empty());
  CHECK_FALSE(part(4, 40, 200).empty());
  CHECK(part(1, 40, 200).empty());  // its first part is gone
}

TEST_CASE("the sequence number of the record that completes a message is the message's, all 48 bits") {
  TestEnvironment env;
  HandshakeReassembly reassembly(env.env.memory, 32 * 1024);
  const ByteVector body = body_of(10);
  const ByteVector whole = add(reassembly, piece(0x123456789ABCu, body, 0, 10));
  REQUIRE(whole.size() > 11);
  CHECK(to_hex(Bytes(whole).subspan(5, 6)) == "123456789abc");
}
