// Messages in pieces: handed in bit by bit, given out bit by bit, of any size in bounded memory.
#include <string>

#include "sctp/rx_data.h"
#include "support/catch.h"
#include "two_associations.h"
#include "tx_fixture.h"

namespace pollrtc::sctp::test {

namespace {

AssociationConfig config_of(bool interleaving, std::uint32_t max_message = 0xFFFFFFFF) {
  AssociationConfig config;
  config.interleaving = interleaving;
  config.max_message_rx = max_message;
  return config;
}

std::uint8_t byte_at(std::uint64_t i) { return static_cast<std::uint8_t>((i * 2654435761u) >> 13); }

// Sends one message of `size` bytes in pieces from a to b, reading as it comes.
struct Stream {
  TwoAssociations& net;
  std::uint64_t size;
  std::size_t piece_size;
  SendOptions options = {};
  std::uint64_t sent = 0, received = 0;
  std::size_t pieces = 0, full = 0;
  bool begun = false, ended = false, intact = true, abandoned = false;

  void feed() {
    while (sent < size) {
      ByteVector piece(static_cast<std::size_t>(std::min<std::uint64_t>(piece_size, size - sent)));
      for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = byte_at(sent + i);
      const Status status =
          net.a.association->send_piece(net.now, options, piece, sent + piece.size() == size);
      if (!status) {
        CHECK(status.error() == ErrorCode::BufferFull);
        ++full;
        return;
      }
      sent += piece.size();
    }
  }
  void read() {
    Message message(net.b.environment.env.memory);
    while (net.b.association->receive(message)) {
      intact = intact && message.begins == !begun && !ended && message.ppid == options.ppid;
      begun = true;
      ended = message.ends;
      abandoned = message.abandoned;
      for (const std::uint8_t byte : Bytes(message.payload)) intact = intact && byte == byte_at(received++);
      ++pieces;
      net.b.association->release(message.charge);
    }
  }
  bool run(Duration limit) {
    net.b.reads = false;
    return net.run_until(
        [this] {
          feed();
          read();
          return ended;
        },
        limit);
  }
};

}  // namespace

TEST_CASE("a message far larger than every buffer passes in pieces, in bounded memory", "[sctp]") {
  for (const bool interleaving : {false, true}) {
    Limits limits;
    limits.sctp_rx_window = 256 * 1024;
    limits.sctp_tx_buffer_channel = 256 * 1024;
    LinkOptions link;
    link.delay = 1ms;
    TwoAssociations net(link, 1, limits, config_of(interleaving));
    net.connect();
    REQUIRE(net.b.association->is_interleaving() == interleaving);
    REQUIRE(net.b.association->receive_in_pieces(3, true));
    Stream stream{net, 64 * 1024 * 1024, 16 * 1024, {.stream = 3, .ppid = 53}};
    REQUIRE(stream.run(3000s));
    CHECK(stream.intact);
    CHECK_FALSE(stream.abandoned);
    CHECK(stream.received == stream.size);
    CHECK(stream.pieces > 1000);
    CHECK(stream.full > 10);  // the sender had to wait
    CHECK(net.a.environment.peak_bytes() < 2 * 1024 * 1024);
    CHECK(net.b.environment.peak_bytes() < 1024 * 1024);
  }
}

TEST_CASE("a message in pieces survives loss, reordering and duplication", "[SCTP-DATA-06]") {
  LinkOptions link;
  link.loss = 0.1;
  link.reorder = 0.1;
  link.duplicate = 0.1;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (const bool unordered : {false, true}) {
      AssociationConfig config = config_of(seed % 2 == 0);
      config.initial_tsn = 0xFFFFFFFF - 100;
      TwoAssociations net(link, seed, {}, config);
      net.connect();
      REQUIRE(net.b.association->receive_in_pieces(3, true));
      Stream stream{net, 1000 * 1000, 777, {.stream = 3, .ppid = 53, .unordered = unordered}};
      REQUIRE(stream.run(3000s));
      CHECK(stream.intact);
      CHECK(stream.received == stream.size);
    }
  }
}

TEST_CASE("what is sent in pieces is one message to who reads whole ones, and the other way round",
          "[sctp]") {
  for (const bool interleaving : {false, true}) {
    TwoAssociations net({}, 1, {}, config_of(interleaving));
    net.connect();
    Stream whole{net, 200 * 1000, 1000, {.stream = 3, .ppid = 53}};
    REQUIRE(whole.run(100s));
    CHECK(whole.intact);
    CHECK(whole.pieces == 1);
    CHECK(whole.received == whole.size);

    REQUIRE(net.b.association->receive_in_pieces(3, true));
    Stream pieces{net, 200 * 1000, 200 * 1000, {.stream = 3, .ppid = 53}};
    REQUIRE(pieces.run(100s));
    CHECK(pieces.intact);
    CHECK(pieces.pieces > 10);

    // A message of one chunk is whole anyway.
    REQUIRE(net.b.association->receive_in_pieces(3, false));
    Stream small{net, 100, 100, {.stream = 3, .ppid = 53}};
    REQUIRE(small.run(100s));
    CHECK(small.pieces == 1);
  }
}

TEST_CASE("other streams go on beside a message in pieces; without I-DATA they wait for its end",
          "[SCTP-ID-06]") {
  for (const bool interleaving : {false, true}) {
    TwoAssociations net({}, 1, {}, config_of(interleaving));
    net.connect();
    Association& a = *net.a.association;
    const ByteVector piece(5000, 1), note(10, 2);
    REQUIRE(a.send_piece(net.now, {.stream = 1, .ppid = 53}, piece, false));
    net.run_for(1s);
    CHECK(a.buffered_total() == 0);
    REQUIRE(a.send(net.now, {.stream = 2, .ppid = 53}, note));
    CHECK(a.send(net.now, {.stream = 1, .ppid = 53}, note).error() == ErrorCode::InvalidState);
    net.run_for(1s);
    CHECK(net.b.received.size() == (interleaving ? 1 : 0));
    REQUIRE(a.send_piece(net.now, {.stream = 1, .ppid = 53}, piece, true));
    REQUIRE(a.send(net.now, {.stream = 1, .ppid = 53}, note));
    net.run_for(1s);
    REQUIRE(net.b.received.size() == 3);
    std::size_t large = 0;
    for (const auto& [stream, payload] : net.b.received) large += payload.size() == 10000 ? 1 : 0;
    CHECK(large == 1);
  }
}

TEST_CASE("a message in pieces that is given up is reported, and the stream goes on",
          "[SCTP-PR-02][SCTP-ID-07]") {
  for (const bool interleaving : {false, true}) {
    for (const bool in_pieces : {false, true}) {
      for (const bool unordered : {false, true}) {
        TwoAssociations net({}, 1, {}, config_of(interleaving));
        net.connect();
        Association &a = *net.a.association, &b = *net.b.association;
        if (in_pieces) REQUIRE(b.receive_in_pieces(1, true));
        net.b.reads = false;
        SendOptions options{.stream = 1, .ppid = 53, .unordered = unordered};
        REQUIRE(a.send_piece(net.now, options, ByteVector(5000, 1), false));
        net.run_for(1s);
        a.abandon_piece(net.now, 1);
        REQUIRE(a.send(net.now, options, ByteVector(7, 2)));
        REQUIRE(a.send(net.now, {.stream = 2, .ppid = 53}, ByteVector(8, 3)));
        net.run_for(2s);
        std::string seen;
        Message message(net.b.environment.env.memory);
        std::size_t bytes = 0;
        while (b.receive(message)) {
          if (message.stream == 2) continue;
          bytes += message.payload.size();
          seen += message.begins ? "[" : "";
          seen += message.abandoned ? "x" : ".";
          seen += message.ends ? "]" : "";
        }
        INFO("I-DATA " << interleaving << ", pieces " << in_pieces << ", unordered " << unordered);
        CHECK(seen.substr(seen.size() - 3) == "[.]");
        CHECK(bytes == (in_pieces ? 5007 : 7));
        if (in_pieces) CHECK(seen.find(".x][.]") != seen.npos);
        CHECK(a.buffered_total() == 0);
      }
    }
  }
}

TEST_CASE("what never went out is given up without a trace", "[SCTP-PR-02]") {
  TxFixture f;
  SendOptions options;
  options.stream = 1;
  f.tx->set_peer_rwnd(0);
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(100, 1), false));
  CHECK(f.queue->buffered_total() == 100);
  f.tx->abandon_open(f.now, StreamId{1});
  CHECK(f.queue->buffered_total() == 0);
  CHECK(f.queue->messages().count() == 0);
  CHECK_FALSE(f.forward());
  CHECK(f.flush().empty());
  CHECK(f.queue->empty());
}

TEST_CASE("the last piece has the E bit, and only a piece with bytes can be it", "[SCTP-DATA-01]") {
  TxFixture f;
  SendOptions options;
  options.stream = 1;
  CHECK(f.queue->push_piece(f.now, options, {}, true).error() == ErrorCode::InvalidArgument);
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(10, 1), false));
  CHECK(f.queue->push_piece(f.now, options, {}, true).error() == ErrorCode::InvalidArgument);
  Packet p = f.packet();
  REQUIRE(p.size() == 1);
  CHECK((p[0].begin && !p[0].end && p[0].size == 10));
  CHECK(f.packet().empty());
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(20, 1), false));
  p = f.packet();
  REQUIRE(p.size() == 1);
  CHECK((!p[0].begin && !p[0].end && p[0].size == 20 && p[0].ssn == 0));
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(30, 1), true));
  p = f.packet();
  REQUIRE(p.size() == 1);
  CHECK((!p[0].begin && p[0].end && p[0].size == 30 && p[0].ssn == 0));
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(5, 1), true));
  p = f.packet();
  CHECK((p.at(0).begin && p.at(0).end && p.at(0).ssn == 1));
  f.sack(p.at(0).tsn);
  CHECK(f.queue->messages().count() == 0);
}

TEST_CASE("pieces count against the stream's buffer, and sending makes room", "[lim.sctp.tx_buffer]") {
  Limits limits;
  limits.sctp_tx_buffer_channel = 1000;
  TxFixture f(1000, limits);
  SendOptions options;
  options.stream = 1;
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(600, 1), false));
  CHECK(f.queue->push_piece(f.now, options, ByteVector(401, 1), false).error() == ErrorCode::BufferFull);
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(400, 1), false));
  CHECK(f.queue->buffered_amount(StreamId{1}) == 1000);
  f.queue->set_low_threshold(StreamId{1}, 500);
  f.flush();
  CHECK(f.queue->pop_low() == StreamId{1});
  REQUIRE(f.queue->push_piece(f.now, options, ByteVector(1000, 1), false));
}

TEST_CASE("what asks for limits of reliability is not sent in pieces, nor to a peer that cannot skip",
          "[SCTP-PR-13]") {
  TwoAssociations net;
  net.connect();
  const ByteVector piece(10, 1);
  Association& a = *net.a.association;
  CHECK(a.send_piece(net.now, {.stream = 1, .max_retransmits = 0}, piece, false).error() ==
        ErrorCode::InvalidArgument);
  CHECK(a.send_piece(net.now, {.stream = 1, .lifetime = 1s}, piece, false).error() ==
        ErrorCode::InvalidArgument);
  CHECK(a.send_piece(net.now, {.stream = 65535}, piece, false).error() == ErrorCode::InvalidArgument);
  CHECK(a.receive_in_pieces(65535, true).error() == ErrorCode::InvalidArgument);
}

TEST_CASE("a reset and a shutdown give up the message in pieces that is open", "[SCTP-RST-01]") {
  for (const bool interleaving : {false, true}) {
    for (const bool shutdown : {false, true}) {
      TwoAssociations net({}, 1, {}, config_of(interleaving));
      net.connect();
      Association &a = *net.a.association, &b = *net.b.association;
      REQUIRE(b.receive_in_pieces(1, true));
      REQUIRE(a.send_piece(net.now, {.stream = 1, .ppid = 53}, ByteVector(5000, 1), false));
      net.run_for(1s);
      if (shutdown) {
        a.shutdown(net.now);
      } else {
        REQUIRE(a.reset_stream(net.now, 1));
        REQUIRE(a.send(net.now, {.stream = 1, .ppid = 53}, ByteVector(9, 1)));
      }
      net.run_for(5s);
      if (shutdown) {
        CHECK(a.state() == AssociationState::Closed);
        CHECK(b.state() == AssociationState::Closed);
      } else {
        CHECK(net.b.received.back().second.size() == 9);
      }
    }
  }
}

namespace {

// The receiving half alone.
struct Rx {
  explicit Rx(bool is_idata, std::size_t max_message = 256 * 1024, Limits limits = {})
      : interleaving(is_idata) {
    environment.env.limits = limits;
    rx.emplace(environment.env, Parameters{}, Tsn(100), std::uint16_t{100}, max_message, is_idata);
    REQUIRE(rx->reassembly().receive_in_pieces(StreamId{1}, true));
  }
  RxData::Outcome data(std::uint32_t tsn, std::string_view flags, std::uint32_t number, std::uint32_t fsn,
                       std::string_view text) {
    DataChunk c;
    c.tsn = Tsn(tsn);
    c.stream = StreamId{1};
    c.ssn = Ssn(static_cast<std::uint16_t>(number));
    c.mid = Mid(number);
    c.begin = flags.find('B') != flags.npos;
    c.end = flags.find('E') != flags.npos;
    c.unordered = flags.find('U') != flags.npos;
    if (!interleaving || c.begin) c.ppid = Ppid{51};
    if (interleaving && !c.begin) c.fsn = Fsn(fsn);
    c.payload = as_bytes(text);
    return rx->on_data(c);
  }
  // "(abc" begins, "def)" ends, "!)" was given up.
  std::string received() {
    std::string all;
    Message message(environment.env.memory);
    while (rx->receive(message)) {
      CHECK(message.ppid == 51);
      all += (message.begins ? "(" : "|") + std::string(as_text(message.payload)) +
             (message.abandoned ? "!" : "") + (message.ends ? ")" : "");
      rx->release(message.charge);
    }
    return all;
  }
  bool skip(std::uint32_t tsn, std::uint32_t number, bool unordered) {
    std::array<std::uint8_t, 8> entry{};
    entry[1] = 1;
    bool taken = false;
    if (interleaving) {
      entry[3] = unordered ? 1 : 0;
      store_u32(entry.data() + 4, number);
      taken = rx->on_i_forward_tsn({Tsn(tsn), entry}) == Drop::None;
    } else {
      store_u16(entry.data() + 2, static_cast<std::uint16_t>(number));
      taken = rx->on_forward_tsn({Tsn(tsn), unordered ? Bytes{} : Bytes(entry).first(4)}) == Drop::None;
    }
    rx->end_of_packet(Time{});
    return taken;
  }
  std::size_t used() const { return rx->reassembly().used(); }

  bool interleaving;
  TestEnvironment environment;
  std::optional<RxData> rx;
};

}  // namespace

TEST_CASE("pieces come in the order of their message; later messages wait for its end", "[sctp]") {
  for (const bool idata : {false, true}) {
    Rx f(idata);
    f.data(100, "B", 0, 0, "a");
    CHECK(f.received() == "(a");
    f.data(102, "", 0, 2, "c");
    f.data(104, "BE", 1, 0, "second");
    f.data(105, "BEU", 0, 0, "free");
    CHECK(f.received().empty());
    f.data(101, "", 0, 1, "b");
    CHECK(f.received() == "|bc");
    f.data(103, "E", 0, 3, "d");
    CHECK(f.received() == "|d)(free)(second)");
    CHECK(f.used() == 0);
    f.data(106, "B", 2, 0, "x");
    f.data(107, "E", 2, 1, "y");
    CHECK(f.received() == "(x|y)");
    CHECK(f.used() == 0);
  }
}

TEST_CASE("FSNs wrap within a message in pieces", "[SCTP-DATA-08]") {
  Rx f(true);
  // As if 2^32 - 2 fragments had been given out since the first: a message that begins where it would have come to.
  f.data(100, "B", 0, 0, "a");
  CHECK(f.received() == "(a");
  f.rx->reassembly().set_next_fsn(StreamId{1}, Fsn(0xFFFFFFFE));
  f.data(102, "", 0, 0xFFFFFFFF, "c");
  f.data(104, "", 0, 1, "e");
  f.data(101, "", 0, 0xFFFFFFFE, "b");
  CHECK(f.received() == "|bc");
  f.data(103, "", 0, 0, "d");
  CHECK(f.received() == "|de");
  f.data(105, "E", 0, 2, "f");
  CHECK(f.received() == "|f)");
  CHECK(f.used() == 0);
}

TEST_CASE("a message of which a part is out and the rest is skipped ends as given up",
          "[SCTP-PR-07][SCTP-ID-07]") {
  for (const bool idata : {false, true}) {
    for (const bool unordered : {false, true}) {
      Rx f(idata);
      const std::string u = unordered ? "U" : "";
      f.data(100, "B" + u, 0, 0, "a");
      f.data(102, u, 0, 2, "c");
      f.data(104, "BE" + u, 1, 0, "next");
      CHECK(f.received() == "(a");
      CHECK(f.skip(103, 0, unordered));
      CHECK(f.received() == "|!)(next)");
      CHECK(f.used() == 0);
      CHECK(f.rx->tracker().cumulative() == Tsn(104));
    }
  }
}

TEST_CASE("a message in pieces above the limit ends as given up, and what follows it comes",
          "[lim.sctp.max_message_rx]") {
  for (const bool idata : {false, true}) {
    Rx f(idata, 5);
    f.data(100, "B", 0, 0, "abc");
    f.data(101, "", 0, 1, "de");
    CHECK(f.received() == "(abc|de");
    CHECK_FALSE(f.rx->pop_too_large());
    f.data(102, "", 0, 2, "f");
    CHECK(f.received() == "|!)");
    CHECK(f.rx->pop_too_large() == StreamId{1});
    f.data(103, "", 0, 3, "ghi");
    f.data(105, "BE", 1, 0, "next");
    CHECK(f.received().empty());
    f.data(104, "E", 0, 4, "j");
    CHECK(f.received() == "(next)");
    CHECK(f.used() == 0);
    CHECK_FALSE(f.rx->pop_too_large());
  }
}

TEST_CASE("asked for in the midst of a message, its pieces come from the next fragment on", "[sctp]") {
  for (const bool idata : {false, true}) {
    Rx f(idata);
    REQUIRE(f.rx->reassembly().receive_in_pieces(StreamId{1}, false));
    f.data(100, "B", 0, 0, "a");
    f.data(101, "", 0, 1, "b");
    CHECK(f.received().empty());
    REQUIRE(f.rx->reassembly().receive_in_pieces(StreamId{1}, true));
    f.data(102, "", 0, 2, "c");
    CHECK(f.received() == "(abc");
    REQUIRE(f.rx->reassembly().receive_in_pieces(StreamId{1}, false));
    f.data(103, "", 0, 3, "d");  // what began in pieces goes on so
    f.data(104, "E", 0, 4, "e");
    CHECK(f.received() == "|d|e)");
    f.data(105, "B", 1, 0, "x");
    CHECK(f.received().empty());
    f.data(106, "E", 1, 1, "y");
    CHECK(f.received() == "(xy)");
    CHECK(f.used() == 0);
  }
}

TEST_CASE("a full window is relieved by giving out what it holds of the message", "[SCTP-DATA-12]") {
  for (const bool idata : {false, true}) {
    Limits limits;
    limits.sctp_rx_window = 8 * 1024;
    Rx f(idata, 1024 * 1024, limits);
    const std::string text(1000, 'x');
    REQUIRE(f.rx->reassembly().receive_in_pieces(StreamId{1}, false));
    std::uint32_t i = 0;
    while (i < 7 && f.data(100 + i, i == 0 ? "B" : "", 0, i, text) == RxData::Outcome::Accepted) ++i;
    REQUIRE(f.rx->reassembly().receive_in_pieces(StreamId{1}, true));
    f.data(100 + i, "", 0, i, text);
    CHECK(f.received().size() > 6000);
    CHECK_FALSE(f.rx->pop_too_large());
    CHECK(f.used() <= text.size() + RxReassembly::kOverhead);
  }
}

TEST_CASE("without memory a fragment waits in the table, and goes with the next", "[sctp]") {
  for (const bool idata : {false, true}) {
    for (std::size_t successes = 0; successes < 24; ++successes) {
      Rx f(idata);
      std::uint32_t tsn = 100;
      std::string all;
      f.environment.fail_allocations_after(successes);
      for (const char* const flags : {"B", "", "", "E"}) {
        const std::string text(1, static_cast<char>('a' + tsn - 100));
        if (f.data(tsn, flags, 0, tsn - 100, text) != RxData::Outcome::Accepted) {
          f.environment.fail_allocations_after(1000);
          REQUIRE(f.data(tsn, flags, 0, tsn - 100, text) == RxData::Outcome::Accepted);
        }
        ++tsn;
        all += f.received();
      }
      std::string letters;
      for (const char c : all)
        if (c >= 'a' && c <= 'z') letters += c;
      CHECK(letters == "abcd");
      CHECK(f.used() == 0);
    }
  }
}

TEST_CASE("without memory for the last piece the fragment that makes it is as if never received", "[sctp]") {
  for (const bool idata : {false, true}) {
    int refused = 0;
    for (std::size_t successes = 0;; ++successes) {  // each allocation that it takes fails once
      Rx f(idata);
      CHECK(f.data(100, "B", 0, 0, "a") == RxData::Outcome::Accepted);
      CHECK(f.data(102, "", 0, 2, "c") == RxData::Outcome::Accepted);
      CHECK(f.data(103, "E", 0, 3, "d") == RxData::Outcome::Accepted);
      CHECK(f.received() == "(a");
      f.environment.fail_allocation(successes);
      const bool is_refused = f.data(101, "", 0, 1, "b") == RxData::Outcome::Refused;
      const bool had_memory = f.environment.refused_allocations() == 0;
      f.environment.fail_allocation(SIZE_MAX);
      if (is_refused) {
        ++refused;
        CHECK(f.received().empty());
        CHECK(f.data(101, "", 0, 1, "b") == RxData::Outcome::Accepted);
      }
      CHECK(f.received() == "|bcd)");
      CHECK(f.used() == 0);
      if (had_memory) break;
    }
    CHECK(refused >= 2);  // for the fragment and for the piece
  }
}

}  // namespace pollrtc::sctp::test
