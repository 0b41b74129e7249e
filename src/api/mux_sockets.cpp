// The sockets of a UdpMux: one for each local address, opened when somebody first needs it, and closed only to make room.
#include <algorithm>
#include <array>

#include "api/mux_core.h"

namespace pollrtc::detail {

// They stay open as long as the mux, so that its port does; but see replace().
int MuxCore::open(const Address& local, Address& bound) {
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    if (!sockets_[i].local.same_ip(local)) continue;
    bound = sockets_[i].local;
    return static_cast<int>(i);
  }
  if (sockets_.size() >= kMostSockets) return -1;
  const std::optional<Socket> socket = open_socket(local);
  if (!socket) return -1;
  sockets_.push_back(*socket);
  bound = socket->local;
  return static_cast<int>(sockets_.size()) - 1;
}

std::optional<MuxCore::Socket> MuxCore::open_socket(const Address& local) const {
  Socket socket{};
  socket.number = network_.open(network_.context, local, config_.port, config_.port, socket.local);
  return socket.number < 0 ? std::nullopt : std::optional(socket);
}

// When there are as many as there may be: in the place of one whose address the machine has lost, as those of a laptop come and
// go. No connection has it open, so no table has its number.
int MuxCore::replace(const Address& local, Address& bound) {
  const auto is_unused = [](const Socket& socket) { return socket.users == 0; };
  if (sockets_.size() < kMostSockets || std::none_of(sockets_.begin(), sockets_.end(), is_unused)) return -1;
  presence_at_.reset();  // what was so half a second ago is too old
  if (!look_for_presence()) return -1;
  std::size_t place = 0;
  while (place < sockets_.size() && (presence_[place] || !is_unused(sockets_[place]))) ++place;
  if (place == sockets_.size()) return -1;
  const std::optional<Socket> socket = open_socket(local);
  if (!socket) return -1;
  network_.close(network_.context, sockets_[place].number);
  sockets_[place] = *socket;
  presence_at_.reset();  // it spoke of the other one
  bound = socket->local;
  return static_cast<int>(place);
}

// Of the addresses that a connection takes by itself: those of loopback where there are no others.
Status MuxCore::open_all() {
  if (const Status status = check(); !status) return status;
  std::array<Address, kMostSockets> storage;
  const auto most =
      std::span(storage).first(std::min<std::size_t>(kMostSockets, config_.limits.ice_local_candidates));
  std::size_t count = list_addresses(false, most);
  if (count == 0) count = list_addresses(true, most);
  const std::size_t before = sockets_.size();
  bool is_any_open = false, is_any_taken = false;
  for (const Address& address : most.first(count)) {
    Address bound;
    if (open(address, bound) >= 0)
      is_any_open = true;
    else
      is_any_taken |= is_port_taken(address);
  }
  if (is_any_open && !is_any_taken) return {};
  for (; sockets_.size() > before; sockets_.pop_back())
    network_.close(network_.context, sockets_.back().number);
  return fail(ErrorCode::Network,
              is_any_taken ? "another program has the port" : "there is no address to open it at");
}

// Where another port can be had. An address that has none (the process may have no IPv6, say) serves nobody anyway.
bool MuxCore::is_port_taken(const Address& address) {
  if (config_.port == 0 || sockets_.size() >= kMostSockets) return false;
  Address bound;
  const int socket = network_.open(network_.context, address, 0, 0, bound);
  if (socket < 0) return false;
  network_.close(network_.context, socket);
  return true;
}

}  // namespace pollrtc::detail
