#include "pollrtc/payload.h"

#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::tool;

namespace {

std::vector<std::uint8_t> message(Payload& payload, std::uint64_t number) {
  const Bytes bytes = payload.make(number);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("a binary message is its number, big endian, and bytes that follow from it") {
  Payload payload(12, false, true);
  CHECK(message(payload, 0x0102) ==
        std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 1, 2, 0x0a, 0x0b, 0x0c, 0x0d});
  CHECK(message(payload, 250) == std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 0, 250, 2, 3, 4, 5});
}

TEST_CASE("a text message is its number in hexadecimal, and letters that follow from it") {
  Payload payload(12, true, true);
  const auto text = message(payload, 0xabc);  // 0xabc + 8 = 2756 = 106 * 26
  CHECK(std::string(text.begin(), text.end()) == "00000abcabcd");
}

TEST_CASE("without --verify only the number changes") {
  Payload binary(10, false, false), text(10, true, false);
  CHECK(message(binary, 3) == std::vector<std::uint8_t>{0, 0, 0, 0, 0, 0, 0, 3, 0, 0});
  const auto letters = message(text, 3);
  CHECK(std::string(letters.begin(), letters.end()) == "00000003aa");
}

TEST_CASE("a message of less than eight bytes has no number, and only its size and type are looked at") {
  Payload payload(3, false, true);
  CHECK(message(payload, 7).size() == 3);
  CHECK_FALSE(payload.has_number());
  CHECK(payload.read(message(payload, 7), false).is_right);
  CHECK_FALSE(payload.read(message(payload, 7), true).is_right);
  CHECK_FALSE(Payload(4, false, true).read(message(payload, 7), false).is_right);
}

TEST_CASE("what was made is read again, and a change of any byte is seen") {
  for (const bool is_text : {false, true}) {
    Payload payload(300, is_text, true);
    for (const auto number : std::initializer_list<std::uint64_t>{0, 1, 255, 256, 123456}) {
      std::vector<std::uint8_t> bytes = message(payload, number);
      const auto reading = payload.read(bytes, is_text);
      CHECK(reading.is_right);
      CHECK(reading.number == number);
      CHECK_FALSE(payload.read(bytes, !is_text).is_right);
      for (const std::size_t at : {std::size_t{7}, std::size_t{8}, std::size_t{150}, bytes.size() - 1}) {
        bytes[at] ^= 1;  // a changed number no longer fits the bytes after it
        CHECK_FALSE(payload.read(bytes, is_text).is_right);
        bytes[at] ^= 1;
      }
      bytes.pop_back();
      CHECK_FALSE(payload.read(bytes, is_text).is_right);
    }
  }
}

TEST_CASE("a sequence counts what is missing, repeated and out of order") {
  Sequence sequence;
  Verdict verdict;
  for (const auto number : std::initializer_list<std::uint64_t>{0, 1, 2}) sequence.note(number, verdict);
  CHECK(verdict.out_of_order == 0);
  CHECK(sequence.missing() == 0);
  sequence.note(5, verdict);  // 3 and 4 have not come
  CHECK(verdict.out_of_order == 1);
  CHECK(sequence.missing() == 2);
  sequence.note(3, verdict);
  sequence.note(3, verdict);
  CHECK(verdict.duplicate == 1);
  CHECK(sequence.missing() == 1);
  CHECK(verdict.bad == 0);
}

TEST_CASE("a number far above the others is damage, and takes no memory") {
  Sequence sequence;
  Verdict verdict;
  sequence.note(0, verdict);
  sequence.note(std::uint64_t{1} << 60, verdict);
  CHECK(verdict.bad == 1);
  CHECK(sequence.missing() == 0);
}
