// A name server on loopback, by UDP and TCP on one port, which answers as a test says.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "net/dns_message.h"
#include "net/file_descriptor.h"
#include "net/poller.h"
#include "net/socket_address.h"
#include "net/udp_socket.h"
#include "support/bytes.h"
#include "support/catch.h"

namespace pollrtc::test {

class NameServer {
 public:
  struct Question {
    std::string name;  // "stun.example"
    std::uint16_t type = 0;
    bool by_tcp = false;
    Address source;
  };
  struct Reply {
    std::vector<std::string> records = {};  // hex, owner included: "c00c 0001 0001 00000000 0004 c0000201"
    unsigned rcode = 0;
    bool truncated = false, silent = false;
    bool other_id = false, other_question = false;  // forgeries that guessed wrong
  };

  explicit NameServer(std::function<Reply(const Question&)> answer, bool v6 = false)
      : answer_(std::move(answer)) {
    Address any = Address::v4(127, 0, 0, 1, 0);
    if (v6) {
      any = {};
      any.family = Address::Family::IPv6;
      any.ip[15] = 1;
    }
    auto bound = net::UdpSocket::bind(any);
    REQUIRE(bound);
    udp_ = std::move(*bound);
    if (v6) return;
    listener_ = net::FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const net::SocketAddress address = net::to_socket_address(udp_.local());
    REQUIRE(::bind(listener_.get(), address.get(), address.size) == 0);
    REQUIRE(::listen(listener_.get(), 4) == 0);
  }

  const Address& address() const { return udp_.local(); }
  std::vector<Question> questions;

  void watch(net::Poller& poller) const {
    REQUIRE(poller.add(udp_.fd()));
    if (listener_.is_open()) REQUIRE(poller.add(listener_.get()));
    if (stream_.is_open()) REQUIRE(poller.add(stream_.get()));
  }

  void step() {
    std::array<std::uint8_t, 1024> buffer;
    for (;;) {
      const net::Received got = udp_.receive(buffer);
      if (got.result != net::ReceiveResult::Received) break;
      const ByteVector reply = reply_to(Bytes(buffer).first(got.size), false, got.source);
      if (!reply.empty()) (void)udp_.send_to(got.source, reply);
    }
    if (!listener_.is_open()) return;
    if (const int accepted = ::accept(listener_.get(), nullptr, nullptr); accepted >= 0)
      stream_ = net::FileDescriptor(accepted);
    if (!stream_.is_open()) return;
    const ssize_t size = ::recv(stream_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) inbox_.insert(inbox_.end(), buffer.begin(), buffer.begin() + size);
    while (inbox_.size() >= 2 && inbox_.size() >= 2u + load_u16(inbox_.data())) {
      const std::size_t length = load_u16(inbox_.data());
      ByteVector reply = reply_to(Bytes(inbox_).subspan(2, length), true, {});
      inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(2 + length));
      ByteVector framed(2);
      store_u16(framed.data(), static_cast<std::uint16_t>(reply.size()));
      framed.insert(framed.end(), reply.begin(), reply.end());
      if (!reply.empty()) REQUIRE(::send(stream_.get(), framed.data(), framed.size(), MSG_NOSIGNAL) > 0);
    }
  }

 private:
  ByteVector reply_to(Bytes message, bool by_tcp, const Address& source) {
    std::size_t at = net::kDnsHeaderSize;
    const auto question = net::DnsQuestion::read(message, at);
    REQUIRE(question);
    Question asked{{}, question->type, by_tcp, source};
    for (std::size_t i = 0; const std::size_t label = question->name.wire()[i]; i += 1 + label) {
      if (i != 0) asked.name += '.';
      asked.name += as_text(question->name.wire().subspan(i + 1, label));
    }
    questions.push_back(asked);
    const Reply reply = answer_(asked);
    if (reply.silent) return {};
    ByteVector bytes(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(at));
    if (reply.other_id) bytes[0] ^= 0xffu;
    if (reply.other_question) ++bytes[net::kDnsHeaderSize + 1];
    bytes[2] = static_cast<std::uint8_t>(0x81u | (reply.truncated ? 0x02u : 0u));
    bytes[3] = static_cast<std::uint8_t>(0x80u | reply.rcode);
    store_u16(bytes.data() + 6, static_cast<std::uint16_t>(reply.records.size()));
    store_u32(bytes.data() + 8, 0);  // no OPT record comes back
    for (const std::string& record : reply.records) {
      const ByteVector r = hex(record);
      bytes.insert(bytes.end(), r.begin(), r.end());
    }
    return bytes;
  }

  std::function<Reply(const Question&)> answer_;
  net::UdpSocket udp_;
  net::FileDescriptor listener_, stream_;
  ByteVector inbox_;
};

}  // namespace pollrtc::test
