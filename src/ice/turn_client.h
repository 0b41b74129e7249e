// A TURN client: one allocation on one server, over one 5-tuple. RFC 8656 §5 (general), §7 (allocations), §8 (refresh), §9
// and §10 (permissions), §11 (Send and Data), §12 (channels); RFC 8489 §6.2 (transactions), §9.2 (credentials), §10
// (ALTERNATE-SERVER).
//
//   Idle --start()--> Allocating --> Allocated --close()--> Closing --> Ended
//                         |  ^           |
//                         |  +-- 300 ----|----------- loss, refusal ----> Ended
//
// An engine with one peer below it: whole messages go in and come out. Which socket they take, and how messages are told
// apart in a stream, is known to `Relays`.
#pragma once

#include <variant>

#include "base/engine.h"
#include "base/fixed_vec.h"
#include "ice/stun_transaction.h"
#include "ice/turn_auth.h"
#include "pollrtc/fixed_string.h"

namespace pollrtc::turn {

inline constexpr std::uint16_t kFirstChannel = 0x4000, kLastChannel = 0x4FFF;  // RFC 8656 §12
inline constexpr std::size_t kChannelHeader = 4;
// What stands before relayed data at the most: a Send indication to an IPv6 peer.
inline constexpr std::size_t kMaxHeadroom = 20 + 24 + 4;
// NATs forget a UDP binding after half a minute, a firewall a silent connection sooner or later.
inline constexpr Duration kKeepalive = std::chrono::seconds(15);
// W3C: no answer at all. The other codes are STUN's.
inline constexpr int kUnreachable = 701;

enum class ClientState : std::uint8_t { Idle, Allocating, Allocated, Closing, Ended };

struct ClientConfig {
  Address server;
  bool is_stream = false;  // TCP or TLS: nothing is sent twice, and frames are padded
  bool wants_ipv6 = true;  // a relayed IPv6 address besides the IPv4 one
};

class Client {
 public:
  struct Allocated {};  // relayed() and mapped() say what
  struct Released {};   // those addresses are gone; a new allocation is being asked for
  struct Permitted {
    Address peer;  // its port does not matter
  };
  struct Refused {  // no permission for this address, or not any more
    Address peer;
    int code;
  };
  // Another 5-tuple is needed: server() and server_name() say where to. Streams only; start() goes on there.
  struct Reconnect {};
  struct Ended {  // nothing is left of it. Code 0: as we wished
    int code;
    FixedString<128> text;
  };
  using Event = std::variant<std::monostate, Allocated, Released, Permitted, Refused, Reconnect, Ended>;

  // What came in. Data of a peer is a view into the packet.
  struct Input {
    Drop drop = Drop::None;
    bool is_data = false;
    Address peer, relayed;
    Bytes data;
  };

  // `account` must outlive the client.
  Client(Environment& environment, const Account& account, const ClientConfig& config);

  void start(Time now);
  // Deletes the allocation, if there may be one, and ends.
  void close(Time now);
  // The 5-tuple is gone: nothing can be asked or deleted any more.
  void on_connection_lost(Time now, std::string_view why);
  // A hard ICMP error came for a datagram of ours that begins like this: it ends an Allocate that nobody has answered.
  void on_icmp_error(Time now, Bytes quoted);
  // Asks the server whether it still has the allocation for this 5-tuple: if not, the client ends with 437.
  void refresh(Time now);
  bool is_refreshing() const { return state_ == ClientState::Allocated && main_.is_running; }
  // The allocation is of no use to us: it is deleted, and the client ends with this code and text.
  void reject(Time now, int code, std::string_view text);

  // One permission for each IP address of a peer: one that was refused is asked for again. LimitReached, OutOfMemory; nothing
  // to do for one that stands, or is being asked for.
  Status want_permission(Time now, const Address& peer);
  void forget_permission(const Address& peer);  // not refreshed any more
  template <class IsWanted>
  void forget_permissions(IsWanted is_wanted) {  // all but these
    for (std::size_t i = permissions_.size(); i-- > 0;)
      if (const Address peer = permissions_[i].peer; !is_wanted(peer)) forget_permission(peer);
  }
  bool is_permitted(Time now, const Address& peer) const;
  // Requests that wait for their turn (RFC 8445 §14.2 paces them): the first Allocate is start() itself.
  bool has_waiting() const;
  void start_waiting(Time now);
  // Data to this peer, permission granted, is to go over a channel from now on.
  void bind_channel(Time now, const Address& peer);

  // How much room to leave in front of data for `peer`; then the packet around `size` bytes that stand at
  // out[headroom]. 0 when it cannot go: no permission, no room.
  std::size_t headroom(const Address& peer) const;
  std::size_t wrap(Time now, const Address& peer, MutBytes out, std::size_t size);

  // Is an answer to this request still to come?
  bool awaits(const stun::TransactionId& id) const;
  Input handle(Time now, Bytes packet);
  Drop handle_packet(Time now, Bytes packet) { return handle(now, packet).drop; }
  std::size_t poll_packet(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  ClientState state() const { return state_; }
  const Address& server() const { return config_.server; }
  std::string_view server_name() const { return server_name_.view(); }  // ALTERNATE-DOMAIN; else empty
  const FixedVec<Address, 2>& relayed() const { return relayed_; }
  const Address& mapped() const { return mapped_; }
  Time expires() const { return expires_; }
  // The server has asked who we are, or has granted an allocation: it is there.
  bool has_answered() const { return auth_.is_challenged() || state_ == ClientState::Allocated; }
  // RFC 8656 §7.4: how long the server wants no other Allocate from us, after it has ended.
  Duration wait_before_next() const { return wait_before_next_; }

 private:
  enum class Kind : std::uint8_t { Allocate, Refresh, Permission, Channel };
  struct Request {
    stun::TransactionId id{};
    stun::Retransmission timer;
    Time retry = kNever;  // a server error: once more then
    bool is_running = false;
    bool is_owed = false;
    bool is_signed = false;
    bool integrity_violated = false;
    std::uint8_t challenges = 0;     // in a row
    std::uint8_t server_errors = 0;  // in a row
  };
  enum class PermissionState : std::uint8_t { Waiting, Asking, Granted, Refused };
  struct Permission {
    Address peer;  // port 0
    PermissionState state = PermissionState::Waiting;
    Time expires = kNever, refresh = kNever;
    Request request;
    int code = 0;
    bool is_wanted = true;
    bool is_told = true;  // nothing new to report
  };
  struct
      Channel {  // its number is kFirstChannel + its place in the table, so that none is ever used twice (§12)
    Address peer;
    Time expires = kNever, refresh = kNever;
    Request request;
    bool is_bound = false;
    bool is_refused = false;
  };
  struct Target {
    Kind kind = Kind::Allocate;
    std::size_t index = 0;
    Request* request = nullptr;
  };

  // turn_client.cpp
  void begin(Time now, Request& request);
  void restart_all(Time now);
  template <class F>
  void for_each_request(F f);
  Kind main_kind() const;
  void step(Time now);
  void step_request(Time now, const Target& target);
  void step_lifetimes(Time now);
  void delete_allocation(Time now, int code, std::string_view text);
  void end(Time now, int code, std::string_view text);
  void forget_all();
  Channel* find_channel(const Address& peer);
  const Channel* find_channel(const Address& peer) const;
  Permission* find_permission(const Address& peer);
  const Permission* find_permission(const Address& peer) const;
  void drop_refused();
  bool is_relaying(Address::Family family) const;

  // turn_requests.cpp
  std::size_t write(const Target& target, MutBytes out);
  void write_allocate(stun::Writer& w) const;

  // turn_responses.cpp
  Input on_message(Time now, Bytes packet);
  Input on_channel_data(Time now, Bytes packet);
  Input on_data_indication(Time now, const stun::Message& message);
  std::optional<Target> find(const stun::TransactionId& id);
  Drop on_response(Time now, const stun::Message& response);
  void on_challenge(Time now, const Target& target, const stun::Message& response, int code);
  void on_success(Time now, const Target& target, const stun::Message& response);
  void on_allocated(Time now, const stun::Message& response);
  void on_refreshed(Time now, const stun::Message& response);
  void on_error(Time now, const Target& target, const stun::Message& response, int code,
                std::string_view reason);
  void on_allocate_error(Time now, const stun::Message& response, int code, std::string_view reason);
  void on_redirect(Time now, const stun::Message& response);
  void reset_allocation(Time now);
  void ask_again(Time now, Request& request);
  void give_up(Time now, const Target& target, int code, std::string_view reason);
  bool is_usable_relay(const Address& address) const;
  void take_lifetime(Time now, const stun::Message& response);

  Environment& environment_;
  ClientConfig config_;
  LongTermAuth auth_;
  ClientState state_ = ClientState::Idle;
  Request main_;  // Allocate or Refresh
  Vec<Permission> permissions_;
  Vec<Channel> channels_;
  FixedVec<Address, 2> relayed_;
  Address mapped_;
  Time expires_ = kNever, refresh_ = kNever, keepalive_ = kNever;
  Duration wait_before_next_{};
  FixedString<253> server_name_;
  FixedVec<Address, 8> visited_;  // servers asked before this one
  FixedString<128> end_text_;
  int end_code_ = 0;
  std::uint8_t mismatches_ = 0;  // 437 to Allocate, each on another 5-tuple
  bool asks_ipv6_ = false;       // in the Allocate under way
  bool only_ipv6_ = false;       // 440: this server relays no IPv4
  bool reconnect_owed_ = false, allocated_told_ = true, ended_told_ = false;
  bool keepalive_owed_ = false;
  Address bound_peer_;      // whose channel is kept alive
  Time ipv6_not_before_{};  // RFC 8656 §7.3: after ADDRESS-ERROR-CODE 508; kNever after 440
  bool is_resuming_ = false,
       was_reset_ = false;  // deleted after an unexpected 400 (RFC 8656 §12.3), and anew
  bool released_told_ = true;
};

static_assert(PacketEngine<Client>);

}  // namespace pollrtc::turn
