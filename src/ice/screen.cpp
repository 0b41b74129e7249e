#include "ice/screen.h"

namespace pollrtc::ice {

using stun::Attribute;
using stun::Integrity;

RequestVerdict screen_request(const stun::Message& request, std::string_view ufrag, std::string_view pwd) {
  if (!stun::verify_fingerprint(request)) return {Drop::StunFingerprint};  // RFC 8445 §7.3: always there
  // RFC 8489 §9.1.3: 400 when there is nothing to authenticate by, 401 when it does not match; both bare.
  const Integrity integrity = stun::integrity_of(request);
  const auto username = request.text(Attribute::Username);
  if (!username || integrity == Integrity::None) return {Drop::StunBadRequest, 400};
  // RFC 8445 §7.3: two parts with a colon between them, the first of them ours.
  const std::size_t colon = username->find(':');
  if (colon == std::string_view::npos || username->substr(0, colon) != ufrag)
    return {Drop::StunUnknownUser, 401};
  if (!stun::verify_integrity(request, integrity, as_bytes(pwd))) return {Drop::StunIntegrity, 401};
  if (!request.unknown_required().empty()) return {Drop::StunUnknownAttribute, 420, integrity};
  const bool has_one_role = request.has(Attribute::IceControlling) != request.has(Attribute::IceControlled);
  if (!request.has(Attribute::Priority) || !has_one_role || request.has_malformed_value())
    return {Drop::StunBadRequest, 400, integrity};
  return {Drop::None, 0, integrity, username->substr(colon + 1)};
}

ResponseVerdict screen_response(const stun::Message& response, std::string_view pwd) {
  if (!stun::verify_fingerprint(response)) return ResponseVerdict::Unprotected;
  // Our checks carry MESSAGE-INTEGRITY, so their answers must, and with no other algorithm (RFC 8489 §9.1.4).
  if (stun::integrity_of(response) != Integrity::Sha1 ||
      !stun::verify_integrity(response, Integrity::Sha1, as_bytes(pwd)))
    return ResponseVerdict::Violated;
  if (response.has_malformed_value()) return ResponseVerdict::Malformed;
  if (!response.unknown_required().empty()) return ResponseVerdict::Unusable;  // §6.3.3, §6.3.4
  if (response.message_class() == stun::Class::Error)
    return response.error_code() ? ResponseVerdict::Error : ResponseVerdict::Unusable;
  return response.xor_mapped_address() ? ResponseVerdict::Success : ResponseVerdict::Malformed;
}

}  // namespace pollrtc::ice
