#include "interop/usrsctp/usrsctp_peer.h"

#include <arpa/inet.h>
#include <sys/time.h>
#include <usrsctp.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

// usrsctp asks for time and randomness by these names; the linker gives it ours (--wrap), so that a run can be repeated.
extern "C" {
int __wrap_gettimeofday(struct timeval* now, void* zone);
void __wrap_read_random(void* buffer, unsigned size);
}

namespace pollrtc::interop {
namespace {

std::uint64_t virtual_milliseconds = 1'700'000'000'000;
std::mt19937 randomness;

constexpr std::uint16_t kPort = 5000;
// The socket option of RFC 8260 §4.3.1, which the header lacks.
constexpr int kInterleavingSupported = 0x1206;

std::set<const void*> living;  // usrsctp may still hold the address of one that is gone

int put_out(void* address, void* packet, std::size_t size, std::uint8_t, std::uint8_t) {
  if (living.count(address) == 0) return 0;
  const auto* bytes = static_cast<const std::uint8_t*>(packet);
  static_cast<UsrsctpPeer*>(address)->packets.emplace_back(bytes, bytes + size);
  return 0;
}

// Once for the process.
void start_stack() {
  static const bool started = [] {
    usrsctp_init_nothreads(0, put_out, nullptr);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_asconf_enable(0);
    usrsctp_sysctl_set_sctp_auth_enable(0);
    usrsctp_sysctl_set_sctp_nrsack_enable(0);
    usrsctp_sysctl_set_sctp_pktdrop_enable(0);
    usrsctp_sysctl_set_sctp_blackhole(2);
    usrsctp_sysctl_set_sctp_rto_min_default(400);
    usrsctp_sysctl_set_sctp_rto_initial_default(500);
    return true;
  }();
  static_cast<void>(started);
}

void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("usrsctp: ") + what + ": " + std::strerror(errno));
}

template <class T>
void set(struct socket* socket, int level, int option, const T& value, const char* what) {
  check(usrsctp_setsockopt(socket, level, option, &value, sizeof value) == 0, what);
}

}  // namespace

}  // namespace pollrtc::interop

extern "C" int __wrap_gettimeofday(struct timeval* now, void*) {
  now->tv_sec = static_cast<time_t>(pollrtc::interop::virtual_milliseconds / 1000);
  now->tv_usec = static_cast<suseconds_t>(pollrtc::interop::virtual_milliseconds % 1000 * 1000);
  return 0;
}
extern "C" void __wrap_read_random(void* buffer, unsigned size) {
  for (unsigned i = 0; i < size; ++i)
    static_cast<std::uint8_t*>(buffer)[i] = static_cast<std::uint8_t>(pollrtc::interop::randomness());
}

namespace pollrtc::interop {

struct UsrsctpPeer::Inside {
  UsrsctpPeer& self;
  struct socket* socket = nullptr;
  struct socket* listener = nullptr;
  // What has come of a message: with interleaving several grow at once.
  std::map<std::tuple<std::uint16_t, std::uint16_t, std::uint16_t>, Packet> growing;

  static int on_data(struct socket*, union sctp_sockstore, void* data, std::size_t size,
                     struct sctp_rcvinfo info, int flags, void* context) {
    if (data == nullptr) return 1;
    if (living.count(context) != 0) {
      auto& peer = *static_cast<UsrsctpPeer*>(context);
      if ((flags & MSG_NOTIFICATION) != 0) {
        peer.inside_->on_notification(*static_cast<const union sctp_notification*>(data), size);
      } else {
        peer.inside_->on_message(static_cast<const std::uint8_t*>(data), size, info, (flags & MSG_EOR) != 0);
      }
    }
    std::free(data);  // it is the receiver's
    return 1;
  }

  void on_message(const std::uint8_t* bytes, std::size_t size, const struct sctp_rcvinfo& info, bool is_end) {
    const auto unordered = static_cast<std::uint16_t>(info.rcv_flags & SCTP_UNORDERED);
    const auto key = std::make_tuple(info.rcv_sid, info.rcv_ssn, unordered);
    Packet& whole = growing[key];
    whole.insert(whole.end(), bytes, bytes + size);
    if (!is_end) return;
    self.received.push_back({.stream = info.rcv_sid,
                             .ppid = ntohl(info.rcv_ppid),
                             .unordered = unordered != 0,
                             .bytes = std::move(whole)});
    growing.erase(key);
  }

  void on_notification(const union sctp_notification& what, std::size_t size) {
    switch (what.sn_header.sn_type) {
      case SCTP_ASSOC_CHANGE:
        return on_change(what.sn_assoc_change, size);
      case SCTP_STREAM_RESET_EVENT:
        return on_reset(what.sn_strreset_event);
      case SCTP_SEND_FAILED_EVENT:
        if (self.is_up) self.troubles.emplace_back("a message could not be sent");
        return;
      default:
        return;
    }
  }
  void on_change(const struct sctp_assoc_change& change, std::size_t size) {
    switch (change.sac_state) {
      case SCTP_COMM_UP:
        self.is_up = true;
        self.streams_out = change.sac_outbound_streams;
        self.streams_in = change.sac_inbound_streams;
        for (std::size_t i = 0; i < size - sizeof change; ++i)
          if (change.sac_info[i] == SCTP_ASSOC_SUPPORTS_INTERLEAVING) self.can_interleave = true;
        return;
      case SCTP_COMM_LOST:
      case SCTP_CANT_STR_ASSOC:
        self.is_up = false;
        self.is_lost = true;
        return;
      case SCTP_SHUTDOWN_COMP:
        self.is_up = false;
        self.is_shut_down = true;
        return;
      case SCTP_RESTART:
        self.troubles.emplace_back("restart");
        return;
      default:
        return;
    }
  }
  void on_reset(const struct sctp_stream_reset_event& event) {
    if ((event.strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) != 0)
      self.troubles.emplace_back("a reset was refused");
    const std::size_t count = (event.strreset_length - sizeof event) / sizeof(std::uint16_t);
    for (std::size_t i = 0; i < count; ++i) {
      if ((event.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN) != 0)
        self.incoming_resets.push_back(event.strreset_stream_list[i]);
      if ((event.strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN) != 0)
        self.outgoing_resets.push_back(event.strreset_stream_list[i]);
    }
  }

  struct sockaddr_conn address() const {
    struct sockaddr_conn address = {};
    address.sconn_family = AF_CONN;
    address.sconn_port = htons(kPort);
    address.sconn_addr = &self;
    return address;
  }
  struct socket* make_socket(const Options& options) {
    struct socket* const s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_data, nullptr, 0, &self);
    check(s != nullptr, "socket");
    check(usrsctp_set_non_blocking(s, 1) == 0, "non-blocking");
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};  // closing a socket aborts
    set(s, SOL_SOCKET, SO_LINGER, at_once, "linger");
    const int buffer = 1024 * 1024;
    set(s, SOL_SOCKET, SO_SNDBUF, buffer, "send buffer");
    set(s, SOL_SOCKET, SO_RCVBUF, buffer, "receive buffer");
    const std::uint32_t yes = 1;
    set(s, IPPROTO_SCTP, SCTP_NODELAY, yes, "nodelay");
    const struct sctp_assoc_value resets = {SCTP_ALL_ASSOC,
                                            SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ};
    set(s, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, resets, "stream reset");
    struct sctp_initmsg init = {};
    init.sinit_num_ostreams = init.sinit_max_instreams = options.streams;
    set(s, IPPROTO_SCTP, SCTP_INITMSG, init, "streams");
    for (const std::uint16_t type : std::initializer_list<std::uint16_t>{
             SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT, SCTP_SEND_FAILED_EVENT}) {
      const struct sctp_event event = {SCTP_ALL_ASSOC, type, 1};
      set(s, IPPROTO_SCTP, SCTP_EVENT, event, "events");
    }
    if (options.interleaving) {
      const std::uint32_t level = 2;
      set(s, IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, level, "fragment interleave");
      const struct sctp_assoc_value interleaving = {SCTP_ALL_ASSOC, 1};
      set(s, IPPROTO_SCTP, kInterleavingSupported, interleaving, "interleaving");
    }
    struct sockaddr_conn here = address();
    check(usrsctp_bind(s, reinterpret_cast<struct sockaddr*>(&here), sizeof here) == 0, "bind");
    return s;
  }
  void limit_packets() {
    struct sctp_paddrparams path = {};
    const struct sockaddr_conn there = address();
    std::memcpy(&path.spp_address, &there, sizeof there);
    path.spp_flags = SPP_PMTUD_DISABLE;
    path.spp_pathmtu = 1191;
    set(socket, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path, "packet size");
  }
};

UsrsctpPeer::UsrsctpPeer(const Options& options) : inside_(new Inside{*this, nullptr, nullptr, {}}) {
  start_stack();
  living.insert(this);
  usrsctp_register_address(this);
  inside_->socket = inside_->make_socket(options);
}

UsrsctpPeer::~UsrsctpPeer() {
  if (inside_->socket != nullptr) usrsctp_close(inside_->socket);
  if (inside_->listener != nullptr) usrsctp_close(inside_->listener);
  usrsctp_deregister_address(this);
  living.erase(this);
}

void UsrsctpPeer::connect() {
  struct sockaddr_conn there = inside_->address();
  const int result =
      usrsctp_connect(inside_->socket, reinterpret_cast<struct sockaddr*>(&there), sizeof there);
  check(result == 0 || errno == EINPROGRESS, "connect");
  inside_->limit_packets();
}

void UsrsctpPeer::listen() {
  inside_->listener = std::exchange(inside_->socket, nullptr);
  check(usrsctp_listen(inside_->listener, 1) == 0, "listen");
}

void UsrsctpPeer::handle_packet(const Packet& packet) {
  usrsctp_conninput(this, packet.data(), packet.size(), 0);
  if (inside_->socket != nullptr || inside_->listener == nullptr) return;
  inside_->socket = usrsctp_accept(inside_->listener, nullptr, nullptr);
  if (inside_->socket == nullptr) return;
  usrsctp_set_non_blocking(inside_->socket, 1);
  inside_->limit_packets();
}

void UsrsctpPeer::pass_time(unsigned milliseconds) {
  virtual_milliseconds += milliseconds;
  usrsctp_handle_timers(milliseconds);
}

bool UsrsctpPeer::send(const PeerMessage& message) {
  struct sctp_sendv_spa how = {};
  how.sendv_flags = SCTP_SEND_SNDINFO_VALID;
  how.sendv_sndinfo.snd_sid = message.stream;
  how.sendv_sndinfo.snd_ppid = htonl(message.ppid);
  how.sendv_sndinfo.snd_flags =
      static_cast<std::uint16_t>(SCTP_EOR | (message.unordered ? SCTP_UNORDERED : 0));
  if (message.max_retransmits || message.lifetime_ms) {
    how.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    how.sendv_prinfo.pr_policy = message.max_retransmits ? SCTP_PR_SCTP_RTX : SCTP_PR_SCTP_TTL;
    how.sendv_prinfo.pr_value = message.max_retransmits.value_or(message.lifetime_ms.value_or(0));
  }
  const ssize_t sent = usrsctp_sendv(inside_->socket, message.bytes.data(), message.bytes.size(), nullptr, 0,
                                     &how, sizeof how, SCTP_SENDV_SPA, 0);
  if (sent < 0 && errno == EWOULDBLOCK) return false;
  check(sent == static_cast<ssize_t>(message.bytes.size()), "send");
  return true;
}

bool UsrsctpPeer::reset(const std::vector<std::uint16_t>& streams) {
  std::vector<std::uint8_t> bytes(sizeof(struct sctp_reset_streams) + 2 * streams.size());
  struct sctp_reset_streams request = {};
  request.srs_assoc_id = SCTP_ALL_ASSOC;
  request.srs_flags = SCTP_STREAM_RESET_OUTGOING;
  request.srs_number_streams = static_cast<std::uint16_t>(streams.size());
  std::memcpy(bytes.data(), &request, sizeof request);
  std::memcpy(bytes.data() + sizeof request, streams.data(), 2 * streams.size());
  return usrsctp_setsockopt(inside_->socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, bytes.data(),
                            static_cast<socklen_t>(bytes.size())) == 0;
}

void UsrsctpPeer::shut_down() { check(usrsctp_shutdown(inside_->socket, SHUT_WR) == 0, "shutdown"); }

void UsrsctpPeer::abort() {
  usrsctp_close(inside_->socket);
  inside_->socket = nullptr;
}

}  // namespace pollrtc::interop
