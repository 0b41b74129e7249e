// An ICE agent driven by bytes, with the framing of its TCP connections (RFC 6544) below it as in a Peer: each operation is one
// byte and its arguments. Besides every call there are packets that pass authentication: requests made from the input, and
// answers of every kind to the checks the agent sent; else the fuzzer would never get past the integrity. They come as datagrams
// or in a stream, cut anywhere. Time moves too, and the laws of an engine are checked at every step.
#include "ice/agent.h"
#include "ice/stun_auth.h"
#include "ice/tcp_connections.h"
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
  explicit Driver(Bytes input) : input_(input), agent_(prepare(), config()), tcp_(environment_) {
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
  Address tcp_local() { return Address::v4(192, 0, 2, 1, 7000); }
  Address relayed(std::uint8_t n) {
    return Address::v4(203, 0, 113, 9, static_cast<std::uint16_t>(50000 + n % 3));
  }
  // Where the agent gets a packet from: a datagram by this path or, when a stream was chosen, a frame in it.
  void deliver(const Path& along, Bytes packet) {
    if (stream_ == 0) {
      agent_.handle_datagram(now_, along, packet);
      return;
    }
    std::array<std::uint8_t, 2> length;
    store_u16(length.data(), static_cast<std::uint16_t>(packet.size()));
    const std::size_t cut = std::min<std::size_t>(input_.u8(), packet.size());
    feed(length);
    feed(packet.first(cut));
    feed(packet.subspan(cut));
  }
  void feed(Bytes bytes) {
    const auto stream = static_cast<StreamId>(ice::TcpConnections::kFirstStream + stream_);
    for (int packets = 0; const auto packet = tcp_.next(now_, stream, bytes); ++packets) {
      check(packets < 70000 && packet->path.transport == Transport::Tcp);
      tcp_.on_verdict(*packet, agent_.handle_datagram(now_, packet->path, packet->bytes));
      settle();
    }
  }
  // As Peer does after every call.
  void settle() {
    tcp_.keep_if([&](const Path& along) { return agent_.keeps_connection(along); });
    ice::TcpConnections::Event event;
    for (int events = 0; tcp_.poll_event(event); ++events) {
      check(events < 1000);
      if (const auto* opened = std::get_if<ice::TcpConnections::Opened>(&event))
        agent_.on_connection_opened(now_, opened->path);
      if (const auto* closed = std::get_if<ice::TcpConnections::Closed>(&event))
        agent_.on_connection_closed(now_, closed->path, closed->is_stranger);
    }
  }

  // Those that came later, so that the seeds of before mean what they meant.
  void operate_further(std::uint8_t op) {
    const auto stream = [&] {
      return static_cast<StreamId>(ice::TcpConnections::kFirstStream + 1u + input_.u8() % 40u);
    };
    switch (op / 14) {
      case 0:
        static_cast<void>(agent_.add_tcp_address(now_, tcp_local(), TcpType::Passive, false));
        break;
      case 1:
        static_cast<void>(agent_.add_tcp_address(now_, tcp_local().with_port(9), TcpType::Active, false));
        break;
      case 2:
        static_cast<void>(tcp_.accept(now_, tcp_local(), remote(input_.u8())));
        break;
      case 3:
        tcp_.stream_opened(now_, stream());
        break;
      case 4:
        tcp_.stream_closed(now_, stream());
        break;
      case 5:  // what follows comes as datagrams (0) or in this stream
        stream_ = input_.u8() % 41u;
        break;
      case 6:
        feed(input_.take(std::min<std::size_t>(input_.u8(), input_.rest().size())));
        break;
      case 7:
        static_cast<void>(agent_.remove_local_address(now_, local(input_.u8())));
        break;
      case 8:
        static_cast<void>(agent_.remove_tcp_addresses(now_, tcp_local()));
        break;
      case 9:
        static_cast<void>(agent_.add_relayed(now_, {relayed(input_.u8()), remote(1), local(0), remote(2)}));
        break;
      case 10:
        permissions(input_.u8());
        break;
      case 11:
        agent_.on_relay_lost(now_, relayed(input_.u8()));
        break;
      case 12:
        icmp(input_.u8());
        break;
      case 13:
        agent_.set_paused(now_, (input_.u8() & 1) != 0);
        break;
      case 14:
        names(input_.u8());
        break;
      case 15:
        agent_.on_data_acknowledged(now_);
        agent_.on_data_sent(now_);
        break;
      case 16:
        agent_.set_remote_pacing(now_, std::chrono::milliseconds(input_.u8()));
        break;
      default:
        static_cast<void>(agent_.add_server(now_, local(input_.u8())));
    }
    settle();
  }

  void permissions(std::uint8_t bits) {
    Path wanted;
    for (int asked = 0; agent_.next_permission(wanted); ++asked) {
      check(asked < 1000);
      agent_.on_permission(now_, wanted.local, wanted.remote, (bits & 1) != 0);
    }
    if ((bits & 2) != 0) agent_.on_permission(now_, relayed(bits), remote(bits), (bits & 4) != 0);
  }

  void icmp(std::uint8_t which) {
    if (count_ == 0) return;
    const Check& asked = checks_[which % std::min<std::size_t>(count_, checks_.size())];
    std::array<std::uint8_t, stun::kHeaderSize> quoted{};
    store_u32(quoted.data() + 4, stun::kMagicCookie);
    std::copy(asked.id.begin(), asked.id.end(), quoted.begin() + 8);
    agent_.handle_timeout(now_);  // what time alone takes away is gone before
    const auto selected = agent_.selected_path();
    agent_.handle_icmp_error(now_, (which & 128) != 0 ? path(which) : asked.path, quoted);
    check(!selected || agent_.selected_path().has_value());  // ATK-25
  }

  void names(std::uint8_t bits) {
    static constexpr std::string_view kNames[] = {"7b5ae1c1-6e2e-4c26-9d0b-7f6d1b1c8d4e.local",
                                                  "7b5ae1c1-6e2e-4c26-9d0b-7f6d1b1c8d4f.local"};
    const std::string_view name = kNames[bits & 1];
    if ((bits & 2) != 0) {
      Candidate candidate;
      candidate.mdns_name = *FixedString<64>::from(name);
      candidate.address.port = 6001;
      candidate.priority = bits;
      candidate.foundation = *FixedString<32>::from("3");
      static_cast<void>(agent_.add_remote_candidate(now_, candidate));
    }
    FixedString<64> asked;
    for (int count = 0; agent_.next_name(asked); ++count) check(count < 100);
    if ((bits & 4) != 0) agent_.on_name_resolved(now_, name, (bits & 8) != 0 ? remote(bits) : Address());
  }

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
        if (op % 14 == 13) operate_further(op);
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
    if ((kind & 192) == 192) {
      candidate.transport = Transport::Tcp;
      candidate.tcp_type = (kind & 32) != 0 ? TcpType::Passive : TcpType::Active;
    }
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
    deliver(path(input_.u8()), Bytes(out).first(w.finish()));
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
    deliver((bits & 48) == 48 ? path(input_.u8()) : asked.path, Bytes(out).first(w.finish()));
  }

  void raw() {
    const std::size_t size = std::min<std::size_t>(input_.u8(), input_.rest().size());
    agent_.handle_datagram(now_, path(0), input_.take(size));
  }

  void tick() {
    const Time due = std::min(agent_.next_timeout(), tcp_.next_timeout());
    if (due == kNever) return;
    now_ = std::max(now_, due);
    tcp_.handle_timeout(now_);
    check(tcp_.next_timeout() > now_);
    settle();
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
      if (transmit->path.transport != Transport::Tcp) continue;
      const bool is_sent = tcp_.send(transmit->path, Bytes(out).first(transmit->size));
      if (!is_sent && !tcp_.has(transmit->path)) agent_.on_connection_closed(now_, transmit->path, false);
    }
    for (std::uint32_t n = 1; n <= 40; ++n)
      for (int reads = 0;
           tcp_.poll_stream(static_cast<StreamId>(ice::TcpConnections::kFirstStream + n), out) != 0; ++reads)
        check(reads < 1000);
    settle();
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
  ice::TcpConnections tcp_;
  std::uint32_t stream_ = 0;
  std::array<Check, 16> checks_{};
  std::size_t count_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver({data, size}).run();
  return 0;
}
