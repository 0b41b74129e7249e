// Datagrams between the Peer and the network, several at a time where the network takes and brings them so.
//
// An idle connection has no buffers: what it reads and writes lies on the stack. While much goes on they are large: then consecutive datagrams
// to one remote are written one behind another by the Peer itself, and go as one run without being copied (UDP GSO), and
// what the network brings as one (UDP GRO) is cut where it lies.
#include <algorithm>
#include <array>

#include "api/connection_core.h"

namespace pollrtc::detail {
namespace {

// One poll() reads and writes at most so many datagrams, so that a flood cannot keep it from returning.
constexpr int kReadsPerSocket = 64;
constexpr int kErrorsPerSocket = 16;
constexpr int kWrites = 256;
constexpr int kStreamRounds = 8;
constexpr Duration kBlockedPoll = std::chrono::milliseconds(1);

// From so many datagrams in a row on, large buffers are worth their memory.
constexpr int kMany = 8;
constexpr std::size_t kLargeBuffer = 65536;
// After so long without any, poll() gives both back, and asks for them again when it needs them.
constexpr Duration kIdle = std::chrono::seconds(1);

}  // namespace

// ---- in

void ConnectionCore::read_sockets(MutBytes scratch) {
  more_to_read_ = false;
  // Somebody has read for all of the mux: what came lies here, and there is nothing to ask the others for.
  const bool is_read_already = mux_member_ && mux_member_->core().holds_reading();
  for (Socket& socket : sockets_) {
    if (is_read_already && turn_sockets_ == 0 && !mux_member_->has_mail()) break;
    if (is_read_already && !socket.is_for_turn && !mux_member_->has_mail_at(socket.number)) continue;
    int left = kReadsPerSocket;
    while (left > 0) {
      const std::size_t count = read_run(socket, scratch);
      if (count == 0) break;
      left -= static_cast<int>(count);
    }
    if (left <= 0) more_to_read_ = true;
    reads_ = std::max(reads_, kReadsPerSocket - left);
    if (left < kReadsPerSocket) count_overflows(socket);
    read_errors(socket, scratch);
  }
  if (!takes_runs_ && reads_ >= kMany && network_.receive_run != nullptr) {
    receive_buffer_.resize(kLargeBuffer);
    takes_runs_ = true;
  }
  if (streams_.read(*peer_, now())) more_to_read_ = true;
}

// How many datagrams came; 0 when there is nothing more.
std::size_t ConnectionCore::read_run(const Socket& socket, MutBytes scratch) {
  using enum Network::Outcome;
  std::size_t size = 0, segment = 0;
  Address source;
  MutBytes room = receive_buffer_.empty() ? scratch : MutBytes(receive_buffer_);
  if (!takes_runs_) room = room.first(std::min(room.size(), kLargeBuffer - 1));
  const Network& network = network_of(socket);
  const Network::Outcome outcome =
      network.receive_run != nullptr
          ? network.receive_run(network.context, socket.number, room, size, segment, source)
          : network.receive(network.context, socket.number, room, size, source);
  if (outcome == WouldBlock || outcome == Error) return 0;
  if (outcome != Done || size > room.size()) return 1;
  if (segment == 0) segment = size;
  const Time time = now();
  const Path path{socket.local, source};
  std::size_t count = 0;
  Bytes rest = room.first(size);
  do {
    const Bytes datagram = rest.first(std::min(segment, rest.size()));
    if (!datagram.empty() && datagram[0] > 3) busy_at_ = time;  // RFC 7983: not STUN
    const Drop drop = peer_->handle_datagram(time, path, datagram);
    if (mux_member_ && !socket.is_for_turn && drop == Drop::None)
      mux_member_->on_taken(socket.number, source, datagram);
    rest = rest.subspan(datagram.size());
    ++count;
  } while (!rest.empty());
  return count;
}

void ConnectionCore::count_overflows(Socket& socket) {
  const Network& network = network_of(socket);
  if (network.overflows == nullptr) return;
  const std::uint32_t all = network.overflows(network.context, socket.number);
  overflows_ += all - socket.overflows;
  socket.overflows = all;
}

void ConnectionCore::read_errors(const Socket& socket, MutBytes scratch) {
  std::size_t size = 0;
  Address remote;
  const Network& network = network_of(socket);
  for (int left = kErrorsPerSocket; left > 0 && network.receive_error != nullptr; --left) {
    if (!network.receive_error(network.context, socket.number, scratch, size, remote)) return;
    peer_->handle_icmp_error(now(), Path{socket.local, remote}, scratch.first(size));
  }
}

// ---- out

// A message goes at once, since the next poll() may be a frame away. But whoever hands in many between two of them gains by
// having small ones share packets, and large ones runs: from the 33rd on, or from 48 KiB on, they go when there are enough of
// them for a run, or a millisecond has passed, or poll() is called, which the deadline asks for at once. With
// Configuration::hold_messages all wait.
void ConnectionCore::flush_sent(std::size_t bytes) {
  constexpr int kPrompt = 32;
  constexpr std::size_t kGather = 48 * 1024;
  constexpr Duration kLongest = std::chrono::milliseconds(1);
  busy_at_ = now();
  gathered_ += bytes + 1;  // an empty message is one as well
  if (configuration_.hold_messages) return;
  const std::size_t worth = 1 + bytes / (kGather / kPrompt);
  sends_ = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(sends_) + worth, kPrompt + 1));
  if (sends_ > kPrompt && gathered_ < kGather && now() < flushed_at_ + kLongest) return;
  flush();
}

// True when nothing more is owed, or nothing more can go now. What a stream has taken makes room for more.
bool ConnectionCore::flush() {
  gathered_ = 0;
  flushed_at_ = now();
  bool is_done = flush_datagrams();
  if (peer_ && has_ended()) streams_.drop_unused();
  more_to_stream_ = true;
  for (int round = 0; round < kStreamRounds && more_to_stream_; ++round) {
    more_to_stream_ = peer_ && streams_.write(*peer_);
    if (more_to_stream_) is_done = flush_datagrams();
  }
  stream_retry_ = streams_.wants_to_write() ? now() + kBlockedPoll : kNever;
  return is_done;
}

bool ConnectionCore::flush_datagrams() {
  more_to_send_ = false;
  if (!peer_) return true;
  if (!send_collected(send_buffer_)) return true;
  std::array<std::uint8_t, kScratch> scratch;
  for (int left = kWrites; left > 0;) {
    if (send_buffer_.empty() && largest_datagram_ > scratch.size()) send_buffer_.resize(largest_datagram_);
    const MutBytes room = send_buffer_.empty() ? MutBytes(scratch) : MutBytes(send_buffer_);
    const Collected collected = collect(left, room);
    if (collected.count == 0) return true;
    left -= collected.count;
    writes_ = std::max(writes_, kWrites - left);
    if (!send_collected(room)) {
      if (send_buffer_.empty()) send_buffer_.assign(room.begin(), room.end());  // it must outlive this call
      return true;
    }
    if (writes_ >= kMany && send_buffer_.size() < kLargeBuffer && network_.send_run != nullptr)
      send_buffer_.resize(kLargeBuffer);
    if (collected.is_all) return true;
  }
  more_to_send_ = true;
  return false;
}

// The last of a run may be smaller; and it may be one that need not stay whole, since it stays so in the others' company
// and they would be lost with it.
bool ConnectionCore::Outgoing::takes(const Outgoing& next) const {
  return socket == next.socket && remote == next.remote && segment != 0 && size % segment == 0 &&
         next.size <= segment &&
         (next.dont_fragment == dont_fragment || (dont_fragment && next.size < segment));
}

// Has the peer fill `room` with at most so many datagrams that it owes.
ConnectionCore::Collected ConnectionCore::collect(int most, MutBytes room) {
  const Time time = now();
  std::size_t used = 0;
  Collected collected;
  while (collected.count < most && !outgoing_.full() && room.size() - used >= largest_datagram_) {
    const auto transmit = peer_->poll_transmit(time, room.subspan(used));
    if (!transmit) {
      collected.is_all = true;
      break;
    }
    ++collected.count;
    const auto socket = std::find_if(sockets_.begin(), sockets_.end(),
                                     [&](const Socket& s) { return s.local == transmit->path.local; });
    if (socket == sockets_.end()) continue;  // its interface is gone: the datagram is lost, as on any network
    const Outgoing next{static_cast<std::size_t>(socket - sockets_.begin()),
                        transmit->path.remote,
                        used,
                        transmit->size,
                        transmit->size,
                        transmit->dont_fragment};
    used += next.size;
    if (network_of(*socket).send_run != nullptr && !outgoing_.empty() && outgoing_.back().takes(next))
      outgoing_.back().size += next.size;
    else
      static_cast<void>(outgoing_.push_back(next));
  }
  return collected;
}

// False when a socket's buffer is full; what has not gone then waits in `room`, which holds what was collected.
bool ConnectionCore::send_collected(Bytes room) {
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    if (send_out(outgoing_[i], room) != Network::Outcome::WouldBlock) continue;
    for (; i != 0; --i) outgoing_.erase(0);
    send_again_ = now() + kBlockedPoll;
    return false;
  }
  outgoing_.clear();
  return true;
}

// What has been dealt with is taken off the run.
Network::Outcome ConnectionCore::send_out(Outgoing& run, Bytes room) {
  const Network& network = network_of(sockets_[run.socket]);
  const int socket = sockets_[run.socket].number;
  Network::Outcome outcome = Network::Outcome::Done;
  if (run.size > run.segment) {
    std::size_t taken = 0;
    outcome = network.send_run(network.context, socket, run.remote, room.subspan(run.begin, run.size),
                               run.segment, run.dont_fragment && network.send_whole != nullptr, taken);
    taken = std::min(taken, run.size);
    run.begin += taken;
    run.size -= taken;
    return outcome;
  }
  const bool whole = run.dont_fragment && network.send_whole != nullptr;
  return (whole ? network.send_whole : network.send)(network.context, socket, run.remote,
                                                     room.subspan(run.begin, run.size));
}

// ---- buffers

// Called once a second at most. Large ones go when a second has brought little: the receive buffer in two steps, since what
// the system holds already may be a run.
void ConnectionCore::fit_buffers() {
  if (std::exchange(reads_, 0) < kMany && !receive_buffer_.empty()) {
    if (!std::exchange(takes_runs_, false)) receive_buffer_ = std::vector<std::uint8_t>();
  }
  if (std::exchange(writes_, 0) < kMany && send_buffer_.size() > largest_datagram_ && !is_blocked())
    send_buffer_ = std::vector<std::uint8_t>();
}

void ConnectionCore::drop_idle_buffers() {
  if (is_blocked() || now() - kIdle < busy_at_) return;
  send_buffer_ = std::vector<std::uint8_t>();  // the large one for reading has its own way to go
}

}  // namespace pollrtc::detail
