// Any bytes as a STUN message: read every attribute, verify, screen as request and as response. What was read as an
// address must come out the same when it is written again. Input: one datagram.
#include "ice/screen.h"
#include "support.h"

using namespace pollrtc;
using stun::Attribute;

namespace {

constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

// Written by us, a message must be read back as it was meant.
void write_again(const stun::Message& message) {
  std::array<std::uint8_t, stun::kMaxMessage> out;
  stun::Writer w(out, message.message_class(), message.id());
  const auto mapped = message.xor_mapped_address();
  const auto error = message.error_code();
  const auto username = message.text(Attribute::Username);
  if (mapped) w.xor_address(Attribute::XorMappedAddress, *mapped);
  if (error) w.error(error->code, error->reason);
  if (username) w.text(Attribute::Username, *username);
  w.integrity(as_bytes(kPassword));
  w.fingerprint();
  const std::size_t size = w.finish();
  if (size == 0) return;  // did not fit
  const auto again = stun::Message::parse(Bytes(out).first(size));
  check(again.has_value());
  check(again->xor_mapped_address() == mapped);
  check(again->text(Attribute::Username) == username);
  check(again->error_code().has_value() == error.has_value());
  if (error) check(again->error_code()->code == error->code && again->error_code()->reason == error->reason);
  check(stun::verify_integrity(*again, stun::Integrity::Sha1, as_bytes(kPassword)));
  check(stun::verify_fingerprint(*again));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = stun::Message::parse({data, size});
  if (!message) {
    check(message.error() == Drop::StunMalformed || message.error() == Drop::StunUnknownMethod);
    return 0;
  }
  for (const stun::AttributeRule& rule : stun::kAttributes) {
    const auto value = message->value_of(rule.type);
    check(!value || (value->data() >= data && value->data() + value->size() <= data + size));
    static_cast<void>(message->u32(rule.type));
    static_cast<void>(message->u64(rule.type));
  }
  static_cast<void>(message->mapped_address());
  static_cast<void>(stun::verify_integrity(*message, stun::integrity_of(*message), as_bytes(kPassword)));
  const ice::RequestVerdict verdict = ice::screen_request(*message, "evtj", kPassword);
  check((verdict.code == 0) == (verdict.drop == Drop::None || verdict.drop == Drop::StunFingerprint));
  static_cast<void>(ice::screen_response(*message, kPassword));
  write_again(*message);
  return 0;
}
