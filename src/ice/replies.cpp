#include "ice/replies.h"

namespace pollrtc::ice {

namespace {

constexpr Duration kWindow = std::chrono::seconds(1);

std::string_view reason_of(int code) {
  switch (code) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthenticated";
    case 420:
      return "Unknown Attribute";
    case 487:
      return "Role Conflict";
    default:
      return "";
  }
}

std::size_t write(const Reply& reply, MutBytes out, std::string_view reason, std::string_view password) {
  stun::Writer w(out, reply.code == 0 ? stun::Class::Success : stun::Class::Error, reply.id);
  if (reply.code == 0) {
    w.xor_address(stun::Attribute::XorMappedAddress, reply.path.remote);
  } else {
    w.error(reply.code, reason);
    if (reply.code == 420) w.unknown_attributes({reply.unknown.begin(), reply.unknown.size()});
  }
  // RFC 8489 §9.1.3: one of the two, the one that was verified; none when nobody was authenticated.
  if (reply.integrity == stun::Integrity::Sha1) w.integrity(as_bytes(password));
  if (reply.integrity == stun::Integrity::Sha256) w.integrity_sha256(as_bytes(password));
  w.fingerprint();
  return w.finish();
}

}  // namespace

Transmit Replies::pop(MutBytes out, std::string_view password) {
  const Reply reply = waiting_.front();
  waiting_.pop_front();
  std::size_t size = write(reply, out, reason_of(reply.code), password);
  if (reply.longest != 0 && size > reply.longest) size = write(reply, out, "", password);
  // DEVIATION RFC 8489 §9.1.3: an error that would be longer than its request is not sent.
  if (reply.longest != 0 && size > reply.longest) size = 0;
  return {reply.path, size};
}

bool ErrorLimiter::allow(Time now, const Address& source) {
  if (!has_begun_ || now - since_ >= kWindow) {
    has_begun_ = true;
    since_ = now;
    count_ = 0;
  }
  if (count_ >= in_all_) return false;
  const Address ip = source.with_port(0);
  Source* entry =
      std::find_if(sources_.begin(), sources_.end(), [&ip](const Source& s) { return s.ip == ip; });
  if (entry == sources_.end()) {
    if (sources_.size() >= kMostSources) {  // forget the one seen longest ago; the bound in all holds anyway
      entry = std::min_element(sources_.begin(), sources_.end(),
                               [](const Source& a, const Source& b) { return a.since < b.since; });
      *entry = Source{ip, now, 0};
    } else {
      if (!sources_.push_back(Source{ip, now, 0})) return false;
      entry = &sources_.back();
    }
  }
  if (now - entry->since >= kWindow) *entry = Source{ip, now, 0};
  if (entry->count >= each_) return false;
  ++entry->count;
  ++count_;
  return true;
}

}  // namespace pollrtc::ice
