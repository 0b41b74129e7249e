// The TURN servers of a connection and our allocations on them: the layer below ICE. For what is above, a relayed address
// is a socket like any other; here the datagrams that go through it are put into what a TURN server understands, and taken
// out again. RFC 8656 §3 (overview), §3.9 (two families), §12.5 (streams); RFC 8305 (racing connections).
//
//   unwrap(path, datagram)     what came from a server: of itself, or a peer's datagram with the path it took to us
//   wrap(path, out, size)      the packet around a datagram that is to leave from a relayed address
//
// DEVIATION RFC 8445 §8.3.1: an allocation is not freed when another pair was selected. Data moves to its pair when that one falls
// silent, and a restart takes it over.
//
// A connection to a server by TCP or TLS is named by a StreamId. Whoever owns the sockets opens it when StreamNeeded says
// so, and moves its bytes; TLS lies between, and is none of ours.
#pragma once

#include "base/byte_queue.h"
#include "base/drop_counters.h"
#include "ice/candidate.h"
#include "ice/turn_client.h"
#include "ice/turn_stream.h"
#include "pollrtc/turn_server.h"

namespace pollrtc::ice {

// What a peer sent through a relay, or Drop and nothing.
struct Unwrapped {
  Drop drop = Drop::None;
  bool is_data = false;
  Path path;
  Bytes bytes;
};

class Relays {
 public:
  // Between two allocations, permissions or connections begun. DEVIATION RFC 8445 §14.2: the checks have a pace of their
  // own beside it, since a server is no stranger whom somebody made us call on.
  static constexpr Duration kPace = std::chrono::milliseconds(50);
  static constexpr Duration kConnectTimeout = std::chrono::milliseconds(39500);
  static constexpr Duration kAttemptDelay = std::chrono::milliseconds(250);  // RFC 8305 §8
  // How long gathering anew waits to hear whether an allocation still stands.
  static constexpr Duration kVerifyTimeout = std::chrono::seconds(10);

  struct Allocated {
    Address relayed, mapped;  // `mapped` may be invalid
    Address base, server;     // `base` is invalid for a stream
    TurnTransport transport;
  };
  struct Lost {
    Address relayed;
  };
  struct Permission {
    Address relayed, peer;  // the peer's port does not matter
    bool granted;
  };
  struct StreamNeeded {
    StreamId stream;
    Address server;
    bool is_tls;
    FixedString<253> name;  // that its certificate must bear
  };
  struct StreamDone {  // to be closed once its bytes are written
    StreamId stream;
  };
  struct Failed {  // no allocation from there, or not any more. STUN's code, or 701
    Address server;
    TurnTransport transport;
    int code;
    FixedString<128> text;
  };
  using Event = std::variant<std::monostate, Allocated, Lost, Permission, StreamNeeded, StreamDone, Failed>;

  explicit Relays(Environment& environment);

  // In any order; what was added before is no error. A base is asked from, by UDP; for streams the system chooses one.
  Status add_base(Time now, const Address& base);
  // Its socket is gone, and with it the allocations made from it: Lost, but not Failed. It may be added again.
  bool remove_base(Time now, const Address& base);
  Status add_server(Time now, const TurnServer& server);
  // Is there an allocation that gathering should wait for?
  bool is_pending() const;
  bool empty() const { return relays_.empty(); }

  Status want_permission(Time now, const Address& relayed, const Address& peer);
  bool is_permitted(Time now, const Address& relayed, const Address& peer) const;
  // Those for which is_wanted(relayed, peer) does not hold: they are not refreshed any more.
  template <class IsWanted>
  void forget_permissions(IsWanted is_wanted) {
    for (const Owned<Relay>& relay : relays_)
      relay->client->forget_permissions([&](const Address& peer) {
        return std::any_of(relay->announced.begin(), relay->announced.end(),
                           [&](const Address& relayed) { return is_wanted(relayed, peer); });
      });
  }
  // Data takes this path from now on: a channel pays.
  void bind_channel(Time now, const Path& path);

  bool owns(const Address& relayed) const { return find_relayed(relayed) != nullptr; }
  std::size_t headroom(const Path& path) const;
  // The datagram of `size` bytes stands at out[headroom(path)]. What is to be sent; nothing when it went into a stream,
  // or was lost.
  std::optional<Transmit> wrap(Time now, const Path& path, MutBytes out, std::size_t size);
  // Is there room below for another datagram on this path? Else it would be lost.
  bool can_send(const Path& path) const;
  // A hard ICMP error for what went along `path`, which began with `quoted`.
  void handle_icmp_error(Time now, const Path& path, Bytes quoted);
  // Nothing: it is none of a TURN server's.
  std::optional<Unwrapped> unwrap(Time now, const Path& path, Bytes datagram);

  // Streams. `local` is their end of ours. A message a call; nothing when there is none in what came so far.
  void stream_opened(Time now, StreamId stream);
  void stream_closed(Time now, StreamId stream, std::string_view why);
  std::optional<Unwrapped> next_from_stream(Time now, StreamId stream, Bytes& chunk);
  std::size_t poll_stream(Time now, StreamId stream, MutBytes out);

  std::optional<Transmit> poll_transmit(Time now, MutBytes out);
  void handle_timeout(Time now);
  Time next_timeout() const;
  bool poll_event(Event& event);

  // Deletes the allocations: what poll_transmit() and poll_stream() give next. Nobody waits for the answers.
  void close(Time now);
  using Drops = DropCountersOf<Drop::StunMalformed, Drop::TurnLimit>;  // TURN speaks STUN
  const Drops& drops() const { return drops_; }

 private:
  struct Server {
    explicit Server(const Memory& memory) : account(memory) {}
    turn::Account account;
    FixedVec<Address, 16> addresses;
    FixedString<253> host;
    TurnTransport transport = TurnTransport::Udp;
    Time not_before{};  // it wants no Allocate from us before
    Time full_until{};  // nor from another socket of ours: 486 and 508 (RFC 8656 §7.4)
    Address chosen;     // the address that answered first; the others are given up
  };
  enum class Phase : std::uint8_t { Waiting, Connecting, Running };
  struct Relay {
    explicit Relay(const Memory& memory) : framer(memory), out(memory) {}
    Owned<turn::Client> client;
    std::uint16_t server = 0;  // index
    Phase phase = Phase::Waiting;
    Address base;
    Address asked;      // of the server's addresses this one; it may have sent us on to another server
    Time due = kNever;  // Waiting: to begin then. Connecting: given up then
    StreamId stream{};  // 0: UDP
    bool stream_told = false;
    bool is_given_up = false;   // another address of the server was faster, or another account
    Time verified_by = kNever;  // the server was asked whether it still knows us
    bool is_replaced = false;
    FixedVec<Address, 2> announced, lost;
    turn::StreamFramer framer;
    ByteQueue out;  // bytes for the stream
  };

  static bool is_same(const Server& known, const TurnServer& given);
  static bool is_same(const turn::Account& one, const turn::Account& other);
  static void take_addresses(Server& server, const TurnServer& given);
  bool verify_server(Time now, std::size_t index);
  Status restart_server(Time now, std::size_t index, const TurnServer& given);
  Status start_server(Time now, std::size_t index);
  bool add_relay(Time now, std::size_t server, const Address& address, const Address& base, Time due);
  void begin(Time now, Relay& relay);
  void settle(Time now);
  void settle_tuples(Time now);
  void connect(Time now, Relay& relay);
  void fill(Time now, Relay& relay);
  Unwrapped deliver(Time now, Relay& relay, Bytes packet);
  bool is_to_be_replaced(const Relay& relay, int code) const;
  bool is_overtaken(const Relay& relay, int code) const;
  bool translate(Relay& relay, const turn::Client::Event& event, Event& out);
  static bool tell(const Relay& relay, const Address& peer, bool granted, Event& out);
  bool is_our_own(const Relay& relay, const Address& relayed) const;
  static bool is_on(const Relay& relay, const Address& base, const Address& server);
  bool is_shared(const Relay& relay, std::initializer_list<turn::ClientState> states) const;
  Relay* find_taker(const Path& path, Bytes datagram) const;
  void give_up(Time now, Relay& relay);
  Relay* find_relayed(const Address& relayed) const;
  Relay* find_stream(StreamId stream) const;
  Server& server_of(const Relay& relay) { return *servers_[relay.server]; }
  bool is_reachable(const Address& base, const Address& server) const;

  Environment& environment_;
  Vec<Owned<Server>> servers_;
  Vec<Owned<Relay>> relays_;
  Vec<Address> bases_;
  FixedVec<StreamId, 32> done_;
  Drops drops_;
  Time now_{};
  Time pacer_{};
  std::uint32_t last_stream_ = 0;
  bool is_closed_ = false;
};

}  // namespace pollrtc::ice
