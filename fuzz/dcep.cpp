// A DCEP message from the other end. What is taken as an OPEN is written and read again as the same.
#include "peer/dcep.h"
#include "base/bytes.h"
#include "support.h"

using namespace pollrtc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes message(data, size);
  const auto open = dcep::parse_open(message);
  if (!open) return 0;
  check(size == dcep::kOpenHeaderSize + open->label.size() + open->protocol.size());
  check(!(open->max_retransmits && open->max_lifetime_ms));

  Buffer written(default_memory());
  check(dcep::write_open(*open, written));
  const auto again = dcep::parse_open(written);
  check(again && again->label == open->label && again->protocol == open->protocol &&
        again->priority == open->priority && again->ordered == open->ordered &&
        again->max_retransmits == open->max_retransmits && again->max_lifetime_ms == open->max_lifetime_ms);
  // A reliable channel's parameter is not read, and is written as 0; all else is kept byte by byte.
  if (open->max_retransmits || open->max_lifetime_ms) check(equal(written, message));
  return 0;
}
