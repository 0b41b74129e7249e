// What sockets of all kinds need: one of the system's, options, and a port from a range.
#pragma once

#include "net/file_descriptor.h"

namespace pollrtc::net {

// Ports to choose from, both ends included; 0 to 0 leaves the choice to the system.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  constexpr bool is_valid() const { return first <= last && (first != 0 || last == 0); }
};

// Non-blocking and close-on-exec; `type` is SOCK_DGRAM or SOCK_STREAM. Not open when the system gives none.
FileDescriptor open_socket(bool v6, int type);
bool set_option(int fd, int level, int name, int value);
// One socket per family: an IPv4 peer must not show up as ::ffff:a.b.c.d.
bool keep_to_v6(int fd);
// For systems where no flag of send() keeps a closed connection from raising a signal.
void keep_silent(int fd);
// A port of `ports`, not that of `local`. In a range the search begins at a place that `first_try` chooses.
bool bind_to(int fd, const Address& local, PortRange ports, std::uint32_t first_try);
// What it was bound to; invalid when the system does not tell.
Address local_name_of(int fd);

}  // namespace pollrtc::net
