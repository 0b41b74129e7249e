// An association whose peer is authenticated and malicious: it sends any chunks with a right tag and checksum, near the
// numbers that matter, while time goes on, memory runs out now and then, and the user makes any calls in any order. The
// input is a program: one byte names a step, the bytes behind it are its arguments.
//
// After each step holds what holds whatever a peer does, of the invariants that the simulator checks: accounts and cwnd
// (INV-3), deadlines (INV-4), memory (INV-5), packet size (INV-6), states (INV-8), the cumulative TSN (INV-11), the window
// (INV-12), the form of packets (INV-13), T3 (INV-14), one request (INV-15), replies (INV-16).
#include <array>
#include <cstdlib>
#include <new>
#include <vector>

#include "base/bytes.h"
#include "sctp/association.h"
#include "sctp/chunk_control.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/chunk_init.h"
#include "sctp/chunk_reconfig.h"
#include "sctp/chunk_sack.h"
#include "sctp_watch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;

namespace {

struct Heap {
  std::size_t in_use = 0;
  int until_failure = 0, failures = 0;  // so many more succeed, and then so many fail
  static void* allocate(void* context, std::size_t bytes, std::size_t align) {
    auto& self = *static_cast<Heap*>(context);
    if (self.failures != 0 && self.until_failure-- <= 0) {
      --self.failures;
      return nullptr;
    }
    self.in_use += bytes;
    return ::operator new(bytes, std::align_val_t(align));
  }
  static void release(void* context, void* block, std::size_t bytes, std::size_t align) {
    static_cast<Heap*>(context)->in_use -= bytes;
    ::operator delete(block, std::align_val_t(align));
  }
};

bool fill(void* context, MutBytes out) {
  auto& state = *static_cast<std::uint64_t*>(context);
  for (std::uint8_t& byte : out) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::uint8_t>(state >> 56);
  }
  return true;
}

class Program {
 public:
  explicit Program(Bytes input) : in_(input) {
    env_.rng = {fill, &random_};
    env_.memory = {Heap::allocate, Heap::release, &heap_};
    env_.limits = Limits::small();
    association_.emplace(env_, AssociationConfig{});
  }

  void run() {
    const std::uint8_t how = in_.u8();
    interleaving_ = (how & 2) != 0;  // the peer offers I-DATA, and speaks it
    if ((how & 1) != 0) {
      check(association_->connect(now_).has_value());
    } else {
      set_up();
    }
    for (int steps = 0; steps < 400 && !in_.rest().empty(); ++steps) {
      step(in_.u8());
      watch_.check_all(*association_, heap_.in_use);
    }
    heap_.failures = 0;
    poll(10000);
    association_.reset();
    check(heap_.in_use == 0);
  }

 private:
  void step(std::uint8_t what) {
    switch (what % 16) {
      case 0:
        return give(in_.take(std::min<std::size_t>(in_.u8(), in_.rest().size())));
      case 1:
        return give_chunk();
      case 2:
        return give_data();
      case 3:
        return give_sack();
      case 4:
        return give_forward_tsn();
      case 5:
        return give_reset();
      case 6:
        return pass_time(std::chrono::milliseconds(in_.u8() * 4));
      case 7:
        return next_timeout();
      case 8:
        return send();
      case 9:
        return receive();
      case 10:
        static_cast<void>(association_->reset_stream(now_, in_.u8() % 8));
        return;
      case 11:
        return set_up();
      case 12:
        return poll(1 + in_.u8() % 8);
      case 13:
        return poll(10000);
      case 14:
        return rare_call();
      default:
        return events();
    }
  }

  void rare_call() {
    switch (in_.u8() % 14) {
      case 0:
        return association_->shutdown(now_);
      case 1:
        return association_->abort(now_, "enough");
      case 2:
        static_cast<void>(association_->connect(now_));
        return;
      case 3:
        return association_->set_initial_rtt(std::chrono::milliseconds(in_.u8()));
      case 4:
        return association_->on_path_change(
            now_, {.base = 500u + in_.u8() * 4u, .max_ip = in_.u8() * 40u, .below = 69});
      case 5:
        static_cast<void>(
            association_->handle_packet(now_, in_.take(std::min<std::size_t>(40, in_.rest().size()))));
        return;
      case 6:
        static_cast<void>(association_->stats());
        return;
      case 7:
        static_cast<void>(association_->receive_in_pieces(in_.u8() % 4, in_.u8() % 4 != 0));
        return;
      case 8:
      case 9:
        return send_piece();
      case 10:
        return association_->abandon_piece(now_, in_.u8() % 8);
      case 11:
        heap_.until_failure = in_.u8() % 8;
        heap_.failures = in_.u8() % 4;
        return;
      case 12:
        return association_->set_stream_priority(in_.u8() % 4, static_cast<std::uint16_t>(in_.u8() * 8));
      default:
        return association_->set_buffer_low_threshold(in_.u8() % 8, in_.u8() * 16u);
    }
  }

  // A packet of these chunks, with our right tag.
  void give(Bytes chunks) {
    std::array<std::uint8_t, 4096> out;
    PacketWriter writer(out, out.size(), 5000, 5000, tag_);
    writer.chunks().bytes(chunks.first(std::min<std::size_t>(chunks.size(), 4000)));
    writer.chunks().pad_to_4();
    const std::size_t size = writer.finish(false);
    if (size != 0) watch_.on_received(Bytes(out).first(size).subspan(kCommonHeader));
    static_cast<void>(association_->handle_packet(now_, Bytes(out).first(size)));
  }
  template <class Write>
  void give_written(Write&& write) {
    std::array<std::uint8_t, 4000> out;
    ByteWriter w(out);
    write(w);
    if (w.ok()) give(w.written());
  }
  void give_chunk() {
    const std::uint8_t type = in_.u8(), flags = in_.u8();
    const Bytes value = in_.take(std::min<std::size_t>(in_.u8(), in_.rest().size()));
    give_written([&](ByteWriter& w) { write_chunk(w, static_cast<ChunkType>(type), flags, value); });
  }
  void give_data() {
    DataChunk data;
    data.tsn = Tsn(peer_tsn_ + static_cast<std::uint32_t>(static_cast<std::int8_t>(in_.u8())));
    const std::uint8_t flags = in_.u8();
    data.begin = (flags & 1) == 0;
    data.end = (flags & 2) == 0;
    data.unordered = (flags & 4) != 0;
    data.immediate = (flags & 8) != 0;
    if ((flags & 0x80) == 0) data.tsn = Tsn(peer_tsn_++);
    data.stream = StreamId{static_cast<std::uint16_t>(flags >> 4 & 3)};
    data.ssn = Ssn(in_.u8() % 16);
    data.ppid = Ppid{53};
    const std::vector<std::uint8_t> payload(in_.u8() * 4u, 0x33);
    data.payload = payload;
    data.mid = Mid(data.ssn.value());
    if (interleaving_ && !data.begin) data.fsn = Fsn(in_.u8() % 8u + (flags >> 6 & 1) * 0xfffffffcu);
    const bool as_idata =
        interleaving_ != (data.immediate && data.payload.size() == 4 * 77);  // now and then wrong
    give_written([&](ByteWriter& w) { as_idata ? write_idata(w, data) : write_data(w, data); });
  }
  void give_sack() {
    const Tsn cumulative(local_tsn_ + in_.u8() - 2);
    const std::uint32_t a_rwnd = in_.u8() * 512u;
    std::array<GapBlock, 3> gaps;
    for (GapBlock& gap : gaps) gap = {in_.u8(), in_.u8()};
    const std::size_t count = in_.u8() % 4;
    give_written([&](ByteWriter& w) { write_sack(w, cumulative, a_rwnd, std::span(gaps).first(count), {}); });
    if ((in_.u8() & 1) != 0) local_tsn_ = cumulative.value();
  }
  void give_forward_tsn() {
    std::array<std::uint8_t, 12> value{};
    store_u32(value.data(), peer_tsn_ + static_cast<std::uint32_t>(static_cast<std::int8_t>(in_.u8())) * 4);
    value[5] = in_.u8() % 4;
    value[7] = in_.u8() % 16;
    value[9] = in_.u8() % 4;
    value[11] = in_.u8() % 16;
    const std::size_t count = in_.u8() % 3u;
    if (!interleaving_) {
      return give_written([&](ByteWriter& w) {
        write_chunk(w, ChunkType::ForwardTsn, 0, Bytes(value).first(4 + 4 * count));
      });
    }
    const std::uint8_t kinds = in_.u8();
    const std::array<SkippedMessages, 2> skipped = {{{StreamId{value[5]}, (kinds & 1) != 0, Mid(value[7])},
                                                     {StreamId{value[9]}, (kinds & 2) != 0, Mid(value[11])}}};
    give_written([&](ByteWriter& w) {
      write_i_forward_tsn(w, Tsn(load_u32(value.data())), std::span(skipped).first(count));
    });
  }
  void give_reset() {
    const std::uint8_t what = in_.u8();
    if ((what & 1) != 0) {
      const std::array<ReconfigResponse, 1> response = {
          {{ReconfigSeq(first_local_tsn_ + in_.u8() % 4), static_cast<ReconfigResult>(what >> 1 & 7)}}};
      return give_written([&](ByteWriter& w) { write_reconfig_responses(w, response); });
    }
    const std::array<StreamId, 2> streams = {StreamId{static_cast<std::uint16_t>(what >> 1 & 3)},
                                             StreamId{static_cast<std::uint16_t>(what >> 3 & 3)}};
    const ReconfigSeq number(first_peer_tsn_ + in_.u8() % 8);
    const Tsn last(peer_tsn_ + in_.u8() % 8 - 4);
    give_written([&](ByteWriter& w) {
      write_outgoing_reset(w, number, ReconfigSeq(0), last, std::span(streams).first(what >> 5 & 1 ? 2 : 1));
    });
  }

  // INIT and COOKIE ECHO of the peer: sets up, collides or restarts.
  void set_up() {
    poll(10000);
    std::array<std::uint8_t, 64> chunks;
    ByteWriter w(chunks);
    InitChunk init;
    init.initiate_tag = VerificationTag{++peer_tag_};
    init.a_rwnd = 100000;
    init.outbound_streams = init.inbound_streams = 4;
    peer_tsn_ = first_peer_tsn_ = 0xfffffff0;
    init.initial_tsn = Tsn(peer_tsn_);
    ChunkWriter chunk = begin_init(w, ChunkType::Init, init);
    write_capabilities(w, false, interleaving_);
    chunk.finish();
    const VerificationTag before = std::exchange(tag_, VerificationTag{});
    give(w.written());
    tag_ = before;
    answer_ = {};
    poll(10000);
    if (answer_.empty()) return;
    const auto parameters = parse_init_parameters(Bytes(answer_).subspan(16));
    check(parameters.has_value() && parameters->cookie.has_value());
    tag_ = VerificationTag{load_u32(answer_.data())};
    local_tsn_ = first_local_tsn_ = load_u32(answer_.data() + 12);
    give_written([&](ByteWriter& out) { write_chunk(out, ChunkType::CookieEcho, 0, *parameters->cookie); });
  }

  void pass_time(Duration duration) {
    now_ += duration;
    association_->handle_timeout(now_);
    check(association_->next_timeout() > now_);
  }
  void next_timeout() {
    poll(10000);
    const Time due = association_->next_timeout();
    if (due == kNever) return;
    now_ = std::max(now_, due);
    association_->handle_timeout(now_);
    check(association_->next_timeout() > now_);
  }
  void send() {
    const std::uint8_t flags = in_.u8();
    SendOptions options{
        .stream = static_cast<std::uint16_t>(flags & 7), .ppid = 53, .unordered = (flags & 8) != 0};
    if ((flags & 16) != 0) options.max_retransmits = flags >> 5 & 1;
    if ((flags & 64) != 0) options.lifetime = std::chrono::milliseconds(in_.u8());
    const std::vector<std::uint8_t> message(in_.u8() * 40u, 0x44);
    static_cast<void>(association_->send(now_, options, message));
  }
  void send_piece() {
    const std::uint8_t flags = in_.u8();
    const SendOptions options{
        .stream = static_cast<std::uint16_t>(flags & 3), .ppid = 53, .unordered = (flags & 8) != 0};
    const std::vector<std::uint8_t> piece(in_.u8() * 40u, 0x55);
    static_cast<void>(association_->send_piece(now_, options, piece, (flags & 16) != 0));
  }
  void receive() {
    Message message(env_.memory);
    for (int i = in_.u8() % 8; i >= 0 && association_->receive(message); --i) {
      check(!message.payload.empty() != message.abandoned &&
            message.payload.size() <= AssociationConfig{}.max_message_rx);
      watch_.on_taken(message);
      association_->release(message.charge);
      watch_.on_released(message.charge);
    }
  }
  void events() {
    Association::Event event;
    int count = 0;
    while (association_->poll_event(event)) {
      check(!ended_ && ++count < 100000);
      if (std::holds_alternative<Association::Ended>(event)) ended_ = true;
    }
  }
  void poll(int most) {
    std::array<std::uint8_t, 1500> out;
    for (int i = 0; i < most; ++i) {
      const std::size_t size = association_->poll_packet(now_, out);
      if (size == 0) return;
      check_packet(Bytes(out).first(size));
      watch_.on_sent(*association_, Bytes(out).first(size));
    }
    check(most < 10000);  // a poll until empty must come to an end
  }
  // What we send passes our own parser, control before SACK before DATA, INIT and INIT ACK alone.
  void check_packet(Bytes bytes) {
    const auto packet = parse_packet(bytes, false);
    check(packet.has_value());
    ChunkWalker walker(packet->chunks);
    ChunkView chunk;
    Walk walk;
    int rank = 0, chunks = 0;
    bool is_alone = false;
    while ((walk = walker.next(chunk)) == Walk::Item) {
      const auto type = static_cast<ChunkType>(chunk.type);
      const bool is_data = type == ChunkType::Data || type == ChunkType::IData;
      const bool is_forward = type == ChunkType::ForwardTsn || type == ChunkType::IForwardTsn;
      const int next = is_data ? 3 : is_forward ? 2 : type == ChunkType::Sack ? 1 : 0;
      check(next >= rank);
      rank = next;
      ++chunks;
      if (type == ChunkType::Init || type == ChunkType::InitAck || type == ChunkType::ShutdownComplete)
        is_alone = true;
      if (type == ChunkType::InitAck) answer_.assign(chunk.value.begin(), chunk.value.end());
      if (type == ChunkType::Data) check(parse_data(chunk).has_value() && chunk.value.size() > 12);
      if (type == ChunkType::IData) check(parse_idata(chunk).has_value() && chunk.value.size() > 16);
      if (type == ChunkType::Init) tag_ = VerificationTag{load_u32(chunk.value.data())};
    }
    check(walk == Walk::End && chunks != 0 && (!is_alone || chunks == 1));
  }
  ByteReader in_;
  std::uint64_t random_ = 1;
  Heap heap_;
  Environment env_;
  SctpWatch watch_{Limits::small()};
  std::optional<Association> association_;
  Time now_{};
  VerificationTag tag_{1};
  std::uint32_t peer_tag_ = 0x10000;
  std::uint32_t peer_tsn_ = 0, first_peer_tsn_ = 0, local_tsn_ = 0, first_local_tsn_ = 0;
  std::vector<std::uint8_t> answer_;
  bool ended_ = false;
  bool interleaving_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Program(Bytes(data, size)).run();
  return 0;
}
