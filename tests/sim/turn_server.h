// A TURN server for tests (RFC 8656): small, correct where it is asked to be, and otherwise as hostile as its rules say.
// It knows no sockets: datagrams go in with their two addresses, and datagrams come out.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "ice/stun_auth.h"
#include "support/bytes.h"

namespace pollrtc::sim {

class TurnServer {
 public:
  using Method = stun::Method;
  using Attribute = stun::Attribute;
  struct Datagram {
    Address from, to;
    test::ByteVector bytes;
  };
  // One answer that is not what it should be.
  struct Refusal {
    int code = 0;
    bool is_signed = true;
    std::function<void(stun::Writer&)> extra = {};
  };
  struct Allocation {
    stun::TransactionId id{};  // of its Allocate
    std::vector<Address> relayed;
    std::set<Address> permissions;  // ports are 0
    std::map<std::uint16_t, Address> channels;
  };

  explicit TurnServer(const Address& own);
  ~TurnServer();

  Address address;
  std::string user = "alice", password = "secret", realm = "example.org", nonce = "first";
  std::vector<std::uint16_t> algorithms;  // of PASSWORD-ALGORITHMS; none: it has none
  Address relay_v4 = *parse_ip("198.51.100.77", 50000),
          relay_v6;  // of the first allocation; ports count up. Invalid: no such family
  std::optional<std::uint32_t> lifetime = 600;
  std::map<Method, std::deque<Refusal>> refusals;
  std::function<void(Method, stun::Writer&)> add_to_success;
  bool signs = true;  // its successes
  bool is_silent = false;
  bool is_lax = false;  // whoever asks again from the same 5-tuple gets another allocation for the old one
  std::map<Address, Allocation> allocations;  // by client
  std::vector<std::pair<Method, test::ByteVector>> requests;

  std::size_t count(Method method) const;
  stun::Message last(Method method) const;

  // What a client sent to the server, or a peer to a relayed address.
  std::vector<Datagram> handle(const Address& from, const Address& to, Bytes bytes);

  // The packet around `data` from `peer`, as the server would send it to that client; no permission is asked for.
  static test::ByteVector data_indication(const Address& peer, Bytes data);
  static test::ByteVector channel_data(std::uint16_t number, Bytes data, std::size_t padding = 0);

 private:
  void sign(stun::Writer& w, const stun::Message& request) const;
  bool is_from_user(const stun::Message& m) const;
  test::ByteVector error(const stun::Message& request, const Refusal& refusal) const;
  void challenge(stun::Writer& w) const;
  test::ByteVector bind(const Address& from, const stun::Message& request) const;
  test::ByteVector answer_to(const Address& from, const stun::Message& request);
  // To a request that nobody signed.
  test::ByteVector first_answer(const stun::Message& request);
  test::ByteVector success(const Address& from, const stun::Message& request);
  void allocate(const Address& from, const stun::Message& request, stun::Writer& w);
  void make(Allocation& made, const stun::Message& request);

  // ---- data

  std::vector<Datagram> to_peer(const Address& client, const Address& peer, Bytes data);
  std::vector<Datagram> from_channel(const Address& client, Bytes bytes);
  std::vector<Datagram> from_send(const Address& client, const stun::Message& message);
  std::vector<Datagram> from_peer(const Address& peer, const Address& relayed, Bytes bytes);

  std::size_t allocations_made_ = 0;

 public:
  std::deque<Refusal> bare_refusals;  // for requests without integrity, before any challenge
  std::size_t channel_data_received = 0, sends_received = 0;
};

}  // namespace pollrtc::sim
