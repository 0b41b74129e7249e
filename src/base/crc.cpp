#include "base/crc.h"

#include <array>

#include "base/bytes.h"
#include "base/crc_hardware.h"

namespace pollrtc {
namespace {

// Reflected CRC, eight bytes a step: table k holds the effect of a byte that still has k bytes behind it in the step.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables(std::uint32_t reflected_polynomial) {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ reflected_polynomial : crc >> 1;
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xff];
  return tables;
}

constexpr Tables kIeee = make_tables(0xEDB88320);
constexpr Tables kCastagnoli = make_tables(0x82F63B78);

std::uint32_t update(const Tables& t, std::uint32_t crc, Bytes bytes) {
  while (bytes.size() >= 8) {
    const std::uint8_t* p = bytes.data();
    crc = t[7][(crc ^ p[0]) & 0xff] ^ t[6][(crc >> 8 ^ p[1]) & 0xff] ^ t[5][(crc >> 16 ^ p[2]) & 0xff] ^
          t[4][(crc >> 24 ^ p[3]) & 0xff] ^ t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
    bytes = bytes.subspan(8);
  }
  for (const std::uint8_t byte : bytes) crc = crc >> 8 ^ t[0][(crc ^ byte) & 0xff];
  return crc;
}

}  // namespace

std::uint32_t crc32(Bytes bytes) { return ~update(kIeee, ~std::uint32_t{0}, bytes); }

std::uint32_t crc32c(Bytes bytes, std::uint32_t previous) {
  if (detail::has_crc32c_instructions()) return ~detail::crc32c_by_instructions(~previous, bytes);
  return crc32c_by_tables(bytes, previous);
}

std::uint32_t crc32c_by_tables(Bytes bytes, std::uint32_t previous) {
  return ~update(kCastagnoli, ~previous, bytes);
}

}  // namespace pollrtc
