// Whom the operating system trusts: its certificates, as one text in PEM.
#pragma once

#include "base/memory.h"

namespace pollrtc::net {

// Empty when there is no such file. SSL_CERT_FILE names another one, as it does for OpenSSL.
void read_trusted_certificates(Buffer& out);

}  // namespace pollrtc::net
