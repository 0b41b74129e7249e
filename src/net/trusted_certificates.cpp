#include "net/trusted_certificates.h"

#include <stdlib.h>

#include <initializer_list>

#include "net/file_descriptor.h"

namespace pollrtc::net {
namespace {

constexpr std::size_t kUsualSize = 512 * 1024, kMostBytes = 4 * 1024 * 1024;

void read_file(const char* path, Buffer& out) {
  for (std::size_t size = kUsualSize; size <= kMostBytes; size *= 2) {
    const FileDescriptor file = FileDescriptor::open_for_reading(path);
    if (!file.is_open() || !out.resize_discarding(size)) return out.clear();
    const std::size_t got = file.read(out.writable());
    out.truncate(got);
    if (got < size) return;
  }
  out.clear();
}

}  // namespace

void read_trusted_certificates(Buffer& out) {
  if (const char* chosen = getenv("SSL_CERT_FILE"); chosen != nullptr && *chosen != 0)
    return read_file(chosen, out);
  for (const char* path :
       std::initializer_list<const char*>{"/etc/ssl/certs/ca-certificates.crt",  // Debian, Arch
                                          "/etc/pki/tls/certs/ca-bundle.crt",    // Fedora
                                          "/etc/ssl/ca-bundle.pem",              // openSUSE
                                          "/etc/ssl/cert.pem"}) {                // Alpine, the BSDs, macOS
    read_file(path, out);
    if (!out.empty()) return;
  }
}

}  // namespace pollrtc::net
