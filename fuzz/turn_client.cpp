// A TURN client and a server that says anything: each operation is one byte and its arguments. Besides raw bytes there are
// answers to what the client asked, signed as it should be or not; else the fuzzer would never get past the integrity.
#include "ice/turn_client.h"
#include "support.h"

using namespace pollrtc;
using stun::Attribute;
using stun::Method;

namespace {

class Driver {
 public:
  explicit Driver(Bytes input)
      : input_(input), account_(prepare()), client_(environment_, account_, config()) {}

  void run() {
    while (!input_.rest().empty()) {
      operate(input_.u8());
      drain();
    }
  }

 private:
  Memory prepare() {
    environment_.rng = {fill_counting, &seed_};
    if ((input_.u8() & 1) != 0) environment_.limits = Limits::small();
    return environment_.memory;
  }
  turn::ClientConfig config() {
    check(account_.username.assign(as_bytes("user")) && account_.password.assign(as_bytes("pass")));
    const std::uint8_t bits = input_.u8();
    return {Address::v4(203, 0, 113, 9, 3478), (bits & 1) != 0, (bits & 2) != 0};
  }
  Address peer() {
    const std::uint8_t n = input_.u8();
    Address address = Address::v4(192, 0, 2, n % 80, 1000 + n % 3);
    if (n >= 200) address.family = Address::Family::IPv6;
    return address;
  }

  void operate(std::uint8_t op) {
    switch (op % 10) {
      case 0:
        client_.start(now_);
        break;
      case 1:
        static_cast<void>(client_.want_permission(now_, peer()));
        break;
      case 2:
        client_.start_waiting(now_);
        break;
      case 3:
        client_.bind_channel(now_, peer());
        break;
      case 4:
        answer();
        break;
      case 5:
        tick();
        break;
      case 6:
        now_ += std::chrono::milliseconds(input_.u16());
        break;
      case 7:
        send();
        break;
      case 8:
        client_.handle(now_, input_.take(std::min<std::size_t>(input_.u8(), input_.rest().size())));
        break;
      default:
        if (op == 9) client_.close(now_);
        if (op == 19) client_.on_connection_lost(now_, "lost");
        if (op == 29) client_.reject(now_, 440, "of no use");
        if (op == 39) client_.forget_permission(peer());
        if (op >= 49) data();
    }
  }

  void answer() {
    if (asked_ == 0) return;
    const auto request = stun::Message::parse(Bytes(last_).first(asked_), stun::Usage::Turn);
    check(request.has_value());
    const std::uint8_t bits = input_.u8();
    std::array<std::uint8_t, 600> out;
    const bool is_error = (bits & 1) != 0;
    stun::Writer w(out, is_error ? stun::Class::Error : stun::Class::Success, request->id(),
                   request->method());
    static constexpr std::array<int, 16> kCodes = {401, 438, 300, 400, 403, 437, 440, 441,
                                                   442, 443, 486, 500, 508, 420, 401, 438};
    if (is_error) w.error(kCodes[input_.u8() % kCodes.size()], "");
    if ((bits & 2) != 0) {
      w.text(Attribute::Realm, "realm");
      const std::size_t size = std::min<std::size_t>(input_.u8() % 40, input_.rest().size());
      w.value(Attribute::Nonce, input_.take(size));
    }
    if ((bits & 4) != 0)
      w.value(Attribute::PasswordAlgorithms, input_.take(std::min<std::size_t>(8, input_.rest().size())));
    if ((bits & 8) != 0) w.xor_address(Attribute::XorRelayedAddress, peer());
    if ((bits & 16) != 0) w.u32(Attribute::Lifetime, input_.u32());
    if ((bits & 32) != 0) w.address(Attribute::AlternateServer, peer());
    if ((bits & 64) == 0) {
      if (request->has(Attribute::PasswordAlgorithm))
        w.integrity_sha256(*stun::long_term_key_sha256("user", "realm", "pass"));
      else
        w.integrity(*stun::long_term_key("user", "realm", "pass"));
    }
    client_.handle(now_, Bytes(out).first(w.finish()));
  }

  void data() {
    std::array<std::uint8_t, 200> out;
    stun::Writer w(out, stun::Class::Indication, {}, Method::Data);
    w.xor_address(Attribute::XorPeerAddress, peer());
    w.value(Attribute::Data, input_.take(std::min<std::size_t>(input_.u8() % 64, input_.rest().size())));
    const auto got = client_.handle(now_, Bytes(out).first(w.finish()));
    check(!got.is_data || client_.is_permitted(now_, got.peer));
  }

  void send() {
    const Address to = peer();
    std::array<std::uint8_t, 300> out{};
    const std::size_t room = client_.headroom(to), size = input_.u8();
    check(room <= turn::kMaxHeadroom);
    const std::size_t wrapped = client_.wrap(now_, to, out, size);
    check(wrapped == 0 ||
          (wrapped >= room + size && wrapped <= room + size + 3 && client_.is_permitted(now_, to)));
  }

  void tick() {
    const Time due = client_.next_timeout();
    if (due == kNever) return;
    now_ = std::max(now_, due);
    client_.handle_timeout(now_);
    check(client_.next_timeout() > now_);
  }

  void drain() {
    std::array<std::uint8_t, 2560> out;
    for (int writes = 0; const std::size_t size = client_.poll_packet(now_, out); ++writes) {
      check(writes < 1000);
      const auto message = stun::Message::parse(Bytes(out).first(size), stun::Usage::Turn);
      check(message.has_value());
      if (message->message_class() != stun::Class::Request) continue;
      last_ = out;
      asked_ = size;
    }
    turn::Client::Event event;
    for (int events = 0; client_.poll_event(event); ++events) check(events < 1000);
    check(client_.state() == turn::ClientState::Allocated || client_.relayed().empty());
    if (client_.state() == turn::ClientState::Ended) check(client_.next_timeout() == kNever);
  }

  ByteReader input_;
  std::uint32_t seed_ = 1;
  Environment environment_;
  Time now_{};
  turn::Account account_;
  turn::Client client_;
  std::array<std::uint8_t, 2560> last_{};
  std::size_t asked_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver({data, size}).run();
  return 0;
}
