// What a request or a response deserves, before anything is done about it: one pure function for each. The order of the
// questions is that of RFC 8489 §6.3 and §9.1: fingerprint, authentication, unknown attributes, then ICE's own needs.
#pragma once

#include "ice/stun_auth.h"

namespace pollrtc::ice {

struct RequestVerdict {
  Drop drop = Drop::None;                             // None: it is to be answered with success
  int code = 0;                                       // of the error response; 0 for none
  stun::Integrity integrity = stun::Integrity::None;  // of the response, when the request was authenticated
  std::string_view remote_ufrag{};                    // the second part of USERNAME; a view into the request
};
RequestVerdict screen_request(const stun::Message& request, std::string_view ufrag, std::string_view pwd);

enum class ResponseVerdict : std::uint8_t {
  Success,      // with XOR-MAPPED-ADDRESS
  Error,        // with ERROR-CODE
  Unusable,     // authentic, and the transaction has failed by it
  Violated,     // someone else wrote it: as if it had not come (RFC 8489 §9.1.4)
  Unprotected,  // no right fingerprint
  Malformed,    // as if it had not come
};
ResponseVerdict screen_response(const stun::Message& response, std::string_view pwd);

}  // namespace pollrtc::ice
