#include "base/bytes.h"

#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using test::hex;

TEST_CASE("a reader takes fields in network byte order") {
  const auto bytes = hex("01 0203 04050607 08090a0b0c0d0e0f ff");
  ByteReader r(bytes);
  CHECK(r.u8() == 0x01);
  CHECK(r.u16() == 0x0203);
  CHECK(r.u32() == 0x04050607);
  CHECK(r.u64() == 0x08090a0b0c0d0e0f);
  CHECK(r.ok());
  CHECK_FALSE(r.at_end());
  CHECK(r.rest().size() == 1);
}

TEST_CASE("a read past the end gives zero, and the failure stays") {
  const auto bytes = hex("0102 03");
  ByteReader r(bytes);
  CHECK(r.u32() == 0);
  CHECK_FALSE(r.ok());
  CHECK(r.u8() == 0);  // though a byte would have been there
  CHECK(r.take(0).empty());
  CHECK_FALSE(r.ok());
}

TEST_CASE("a writer never writes past its end, and can take back what did not fit") {
  test::ByteVector out(4);
  ByteWriter w(out);
  w.u16(0x0102);
  const std::size_t before = w.size();
  w.u32(7);
  CHECK_FALSE(w.ok());
  CHECK(w.size() == before);
  w.u8(9);
  CHECK(w.size() == before);  // sticky
  w.rewind(before);
  CHECK(w.ok());
  w.u8(3);
  w.pad_to_4();
  CHECK(test::to_vector(w.written()) == hex("01020300"));
  w.patch_u16(2, 0xabcd);
  w.patch_u16(3, 0xffff);  // would end past what is written
  CHECK(test::to_vector(w.written()) == hex("0102abcd"));
}

TEST_CASE("padding goes to the next multiple of four") {
  CHECK(padded4(0) == 0);
  CHECK(padded4(1) == 4);
  CHECK(padded4(4) == 4);
  CHECK(padded4(5) == 8);
}
