// An ICE agent driven by bytes: each operation is one byte and its arguments. Besides every call there are datagrams that
// pass authentication: requests made from the input, and answers of every kind to the checks the agent sent; else the
// fuzzer would never get past the integrity. Time moves too, and the laws of an engine are checked at every step.
#include "ice/agent.h"
#include "ice/stun_auth.h"
#include "support.h"

using namespace pollrtc;
using namespace std::chrono_literals;
using stun::Attribute;

namespace {

constexpr std::string_view kUfrag = "peer", kPwd = "0123456789abcdefghijkl";

struct Check {
  Path path;
  stun::TransactionId id;
};

class Driver {
 public:
  explicit Driver(Bytes input) : input_(input), agent_(prepare(), config()) {
    check(agent_.start(now_).has_value());
  }
  void run() {
    while (!input_.rest().empty()) {
      operate(input_.u8());
      laws();
    }
    drain();
  }

 private:
  Environment& prepare() {
    environment_.rng = {fill_counting, &seed_};
    if ((input_.u8() & 1) != 0) environment_.limits = Limits::small();
    return environment_;
  }
  ice::AgentConfig config() {
    const std::uint8_t bits = input_.u8();
    ice::AgentConfig config;
    config.controlling = (bits & 1) != 0;
    config.relay_only = (bits & 14) == 14;
    config.allow_remote_loopback = (bits & 16) != 0;
    return config;
  }
  Address local(std::uint8_t n) {
    return Address::v4(192, 0, 2, 1, static_cast<std::uint16_t>(5000 + n % 3));
  }
  Address remote(std::uint8_t n) {
    if (n >= 250) return Address::v4(127, 0, 0, 1, n);
    return Address::v4(192, 0, 2, 2, static_cast<std::uint16_t>(6000 + n % 40));
  }
  Path path(std::uint8_t n) { return {local(n >> 6), remote(n & 63)}; }

  void operate(std::uint8_t op) {
    switch (op % 14) {
      case 0:
        static_cast<void>(agent_.add_local_address(now_, local(input_.u8()), (op & 64) != 0));
        break;
      case 1:
        static_cast<void>(agent_.add_server(now_, Address::v4(198, 51, 100, 1, input_.u8())));
        break;
      case 2:
        agent_.local_addresses_done(now_);
        break;
      case 3:
        static_cast<void>(agent_.set_remote_credentials(now_, kUfrag, kPwd, (op & 64) != 0));
        break;
      case 4:
        add_candidate();
        break;
      case 5:
        agent_.end_of_remote_candidates(now_);
        break;
      case 6:
        agent_.set_controlling(now_, (op & 64) != 0);
        break;
      case 7:
        request();
        break;
      case 8:
        answer(input_.u8());
        break;
      case 9:
        raw();
        break;
      case 10:
        drain();
        break;
      case 11:
        tick();
        break;
      case 12:
        now_ += std::chrono::milliseconds(input_.u16());
        break;
      default:
        if (op == 0xFF) agent_.close(now_);
        static_cast<void>(agent_.stats());
    }
  }

  void add_candidate() {
    Candidate candidate;
    candidate.address = remote(input_.u8());
    candidate.priority = input_.u32();
    const std::uint8_t kind = input_.u8();
    candidate.type = static_cast<CandidateType>(kind & 3);
    if ((kind & 12) == 12) candidate.ufrag = *FixedString<256>::from("older");
    candidate.foundation = *FixedString<32>::from((kind & 16) != 0 ? "1" : "2");
    static_cast<void>(agent_.add_remote_candidate(now_, candidate));
  }

  void request() {
    const std::uint8_t bits = input_.u8();
    std::array<std::uint8_t, 300> out;
    stun::TransactionId id{};
    store_u32(id.data(), input_.u32());
    stun::Writer w(out, stun::Class::Request, id);
    std::array<char, 64> user;
    const std::string_view ufrag = agent_.local_ufrag(), theirs = (bits & 1) != 0 ? "other" : kUfrag;
    char* end = std::copy(ufrag.begin(), ufrag.end(), user.begin());
    *end++ = ':';
    end = std::copy(theirs.begin(), theirs.end(), end);
    w.text(Attribute::Username, {user.data(), static_cast<std::size_t>(end - user.data())});
    w.u32(Attribute::Priority, input_.u32());
    w.u64((bits & 2) != 0 ? Attribute::IceControlling : Attribute::IceControlled, input_.u64());
    if ((bits & 4) != 0) w.flag(Attribute::UseCandidate);
    if ((bits & 24) == 24) w.u32(static_cast<Attribute>(input_.u16()), 1);
    w.integrity(as_bytes((bits & 224) == 224 ? "wrong" : agent_.local_pwd()));
    w.fingerprint();
    agent_.handle_datagram(now_, path(input_.u8()), Bytes(out).first(w.finish()));
  }

  void answer(std::uint8_t which) {
    if (count_ == 0) return;
    const Check& asked = checks_[which % std::min<std::size_t>(count_, checks_.size())];
    const std::uint8_t bits = input_.u8();
    std::array<std::uint8_t, 300> out;
    const bool is_error = (bits & 3) == 3;
    stun::Writer w(out, is_error ? stun::Class::Error : stun::Class::Success, asked.id);
    static constexpr std::array<int, 8> kCodes = {300, 400, 401, 403, 420, 487, 500, 487};
    if (is_error) w.error(kCodes[bits >> 5], "");
    if (!is_error)
      w.xor_address(Attribute::XorMappedAddress, (bits & 4) != 0 ? remote(input_.u8()) : asked.path.local);
    if ((bits & 8) == 0) w.integrity(as_bytes(kPwd));
    if ((bits & 24) != 24) w.fingerprint();
    agent_.handle_datagram(now_, (bits & 48) == 48 ? path(input_.u8()) : asked.path,
                           Bytes(out).first(w.finish()));
  }

  void raw() {
    const std::size_t size = std::min<std::size_t>(input_.u8(), input_.rest().size());
    agent_.handle_datagram(now_, path(0), input_.take(size));
  }

  void tick() {
    const Time due = agent_.next_timeout();
    if (due == kNever) return;
    now_ = std::max(now_, due);
    agent_.handle_timeout(now_);
    check(agent_.next_timeout() > now_);
  }

  void drain() {
    std::array<std::uint8_t, 1200> out;
    int writes = 0;
    while (const auto transmit = agent_.poll_transmit(now_, out)) {
      check(++writes < 1000 && transmit->size <= stun::kMaxSent);
      const auto message = stun::Message::parse(Bytes(out).first(transmit->size));
      check(message.has_value() && stun::verify_fingerprint(*message));
      if (message->message_class() == stun::Class::Request)
        checks_[count_++ % checks_.size()] = {transmit->path, message->id()};
    }
    ice::Agent::Event event;
    for (int events = 0; agent_.poll_event(event); ++events) check(events < 1000);
  }

  void laws() {
    const auto selected = agent_.selected_path();
    check(!selected || agent_.is_validated(*selected));
    const ice::AgentStats stats = agent_.stats();
    check(stats.pairs <= environment_.limits.ice_pairs);
    check(stats.local_candidates <= environment_.limits.ice_local_candidates);
    check(stats.remote_candidates <=
          environment_.limits.ice_remote_candidates + environment_.limits.ice_prflx);
  }

  ByteReader input_;
  std::uint32_t seed_ = 1;
  Environment environment_;
  Time now_{};
  ice::Agent agent_;
  std::array<Check, 16> checks_{};
  std::size_t count_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver({data, size}).run();
  return 0;
}
