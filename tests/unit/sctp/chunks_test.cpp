// Each chunk: parsed from bytes written by other stacks or by hand, and written back to the same bytes.
#include "sctp/chunk_control.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward_tsn.h"
#include "sctp/chunk_init.h"
#include "sctp/chunk_reconfig.h"
#include "sctp/chunk_sack.h"
#include "sctp/packet.h"
#include "support/bytes.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::sctp;
using test::ByteVector;
using test::hex;

namespace {

// The bytes stay with the view.
struct Chunk {
  explicit Chunk(ByteVector b) : bytes(std::move(b)) { REQUIRE(ChunkWalker(bytes).next(view) == Walk::Item); }
  ByteVector bytes;
  ChunkView view;
};

ByteVector captured(const std::string& name) {
  for (const auto& row : test::read_tsv("vectors/sctp/dcsctp-chunks.tsv")) {
    if (row[0] == name + ":FromCapture" || row[0] == name) return hex(row[1]);
  }
  throw std::runtime_error("no chunk " + name);
}

template <class Write>
std::string written(Write&& write) {
  std::array<std::uint8_t, 600> out;
  ByteWriter w(out);
  write(w);
  REQUIRE(w.ok());
  return test::to_hex(w.written());
}

std::string padded_hex(ByteVector bytes) {
  bytes.resize(padded4(bytes.size()));
  return test::to_hex(bytes);
}

}  // namespace

TEST_CASE("DATA", "[vectors]") {
  const Chunk chunk(captured("data_chunk"));
  const auto data = parse_data(chunk.view);
  REQUIRE(data.has_value());
  CHECK(data->tsn == Tsn(0x5508363c));
  CHECK(data->stream == StreamId{2});
  CHECK(data->ssn == Ssn(1));
  CHECK(data->ppid == Ppid{53});
  CHECK((data->begin && data->end && !data->unordered && !data->immediate));
  CHECK(test::to_hex(data->payload) == "00010203");
  CHECK(written([&](ByteWriter& w) { write_data(w, *data); }) == test::to_hex(chunk.bytes));
}

TEST_CASE("the flags of DATA are I, U, B, E from the top; others are ignored",
          "[SCTP-PKT-17][SCTP-DATA-05]") {
  const auto flags_of = [](const char* flags) {
    const Chunk chunk(hex(std::string("00 ") + flags + " 0011 00000001 0002 0003 00000004 aa"));
    return *parse_data(chunk.view);
  };
  CHECK((flags_of("08").immediate && !flags_of("08").unordered));
  CHECK((flags_of("04").unordered && !flags_of("04").begin));
  CHECK((flags_of("02").begin && !flags_of("02").end));
  CHECK(flags_of("01").end);
  const auto reserved = flags_of("f0");
  CHECK_FALSE((reserved.immediate || reserved.unordered || reserved.begin || reserved.end));
}

TEST_CASE("SACK", "[vectors]") {
  const Chunk chunk(captured("sack_chunk"));
  const auto sack = parse_sack(chunk.view);
  REQUIRE(sack.has_value());
  CHECK(sack->cumulative_tsn_ack == Tsn(0x369dd00b));
  CHECK(sack->a_rwnd == 0x1ed73);
  REQUIRE(sack->gap_count() == 2);
  REQUIRE(sack->duplicate_count() == 1);
  CHECK(sack->gap(0) == GapBlock{2, 6});
  CHECK(sack->gap(1) == GapBlock{8, 8});
  CHECK(sack->duplicate(0) == Tsn(0x369dd011));
  const std::array<GapBlock, 2> gaps = {GapBlock{2, 6}, GapBlock{8, 8}};
  const std::array<Tsn, 1> duplicates = {Tsn(0x369dd011)};
  CHECK(written([&](ByteWriter& w) { write_sack(w, Tsn(0x369dd00b), 0x1ed73, gaps, duplicates); }) ==
        test::to_hex(chunk.bytes));
}

TEST_CASE("a SACK that claims more blocks or duplicates than it holds is refused", "[SCTP-SACK-05]") {
  const Chunk gaps(hex("03 00 0014 00000001 00010000 0002 0000 00020003"));
  CHECK_FALSE(parse_sack(gaps.view).has_value());
  const Chunk duplicates(hex("03 00 0014 00000001 00010000 0000 ffff 00020003"));
  CHECK_FALSE(parse_sack(duplicates.view).has_value());
}

TEST_CASE("a chunk shorter than its fixed part is refused", "[SCTP-PKT-16]") {
  CHECK_FALSE(parse_data(Chunk(hex("00 03 000f 00000001 0002 0003 000000")).view).has_value());
  CHECK_FALSE(parse_sack(Chunk(hex("03 00 000c 00000001 00010000")).view).has_value());
  CHECK_FALSE(parse_shutdown(Chunk(hex("07 00 0007 000000")).view).has_value());
  CHECK_FALSE(parse_init(Chunk(hex("01 00 0012 00000001 00010000 0001 0001 0000")).view).has_value());
  CHECK_FALSE(parse_forward_tsn(Chunk(hex("c0 00 0006 0000")).view).has_value());
}

TEST_CASE("FORWARD TSN", "[vectors]") {
  const Chunk bare(captured("forward_tsn_chunk"));
  CHECK(parse_forward_tsn(bare.view)->new_cumulative_tsn == Tsn(0x71976b2a));
  CHECK(parse_forward_tsn(bare.view)->skipped_count() == 0);

  const auto packet_bytes = test::read_hex_file("vectors/sctp/aiortc-forward-tsn.hex");
  const auto packet = parse_packet(packet_bytes, false);
  ChunkView view;
  REQUIRE(ChunkWalker(packet->chunks).next(view) == Walk::Item);
  const auto forward = parse_forward_tsn(view);
  REQUIRE(forward.has_value());
  REQUIRE(forward->skipped_count() == 1);
  CHECK(forward->skipped(0) == SkippedStream{StreamId{12}, Ssn(34)});
  const std::array<SkippedStream, 1> skipped = {SkippedStream{StreamId{12}, Ssn(34)}};
  CHECK(written([&](ByteWriter& w) { write_forward_tsn(w, Tsn(1234), skipped); }) ==
        test::to_hex(packet->chunks));
  CHECK_FALSE(parse_forward_tsn(Chunk(hex("c0 00 000a 00000001 0001")).view).has_value());
}

TEST_CASE("INIT with the parameters of an old stack: addresses, AUTH and ASCONF say nothing to us",
          "[vectors][SCTP-INIT-13]") {
  const Chunk chunk(captured("init_chunk"));
  const auto init = parse_init(chunk.view);
  REQUIRE(init.has_value());
  CHECK(init->initiate_tag == VerificationTag{0xde7a1690});
  CHECK(init->a_rwnd == 0x20000);
  CHECK(init->outbound_streams == 1000);
  CHECK(init->inbound_streams == 1000);
  CHECK(init->initial_tsn == Tsn(621623272));
  const auto parameters = parse_init_parameters(init->parameters);
  REQUIRE(parameters.has_value());
  CHECK(parameters->capabilities == Capabilities{.partial_reliability = true, .reconfig = true});
  CHECK_FALSE(parameters->cookie.has_value());
  CHECK(parameters->unrecognized.empty());

  const auto with_addresses =
      hex("0005 0008 7f000001 | 0006 0014 00000000000000000000000000000001 | 000c 0006 0005 0000 | 8000 0004 "
          "| c000 0004");
  const auto ignored = parse_init_parameters(with_addresses);
  REQUIRE(ignored.has_value());
  CHECK(ignored->unrecognized.empty());
  CHECK(ignored->capabilities.partial_reliability);
}

TEST_CASE("INIT ACK gives its cookie", "[vectors]") {
  const Chunk chunk(captured("init_ack_chunk"));
  const auto init = parse_init(chunk.view);
  REQUIRE(init.has_value());
  CHECK(init->has_valid_values());
  const auto parameters = parse_init_parameters(init->parameters);
  REQUIRE(parameters.has_value());
  REQUIRE(parameters->cookie.has_value());
  CHECK(parameters->cookie->size() == 0x104 - 4);
  CHECK(test::to_hex(*parameters->cookie).substr(0, 16) == "4b414d452d425344");
}

TEST_CASE("INIT of both browsers", "[SCTP-INIT-22]") {
  const Chunk chromium(hex("0100001e 83f9bf2f 00500000 ffff ffff 935f9d94 | c0000004 | 80080006 82c0 0000"));
  const auto parameters = parse_init_parameters(parse_init(chromium.view)->parameters);
  REQUIRE(parameters.has_value());
  CHECK(parameters->capabilities == Capabilities{.partial_reliability = true, .reconfig = true});
  // Ours has the same parameters in the same order.
  InitChunk init = *parse_init(chromium.view);
  CHECK(written([&](ByteWriter& w) {
          ChunkWriter c = begin_init(w, ChunkType::Init, init);
          write_capabilities(w, false, false);
          c.finish();
        }) == padded_hex(hex("0100001e 83f9bf2f 00500000 ffff ffff 935f9d94 | c0000004 | 80080006 82c0")));
}

TEST_CASE("unknown parameters: skipped, reported or the end, by their top bits", "[SCTP-PKT-09]") {
  // 0x4001: report and stop. 0xC001: report and go on. 0x8123: go on. 0x0099: stop.
  const auto bytes = hex("c001 0004 | 8123 0004 | 4001 0006 aabb 0000 | c000 0004");
  const auto reported = parse_init_parameters(bytes);
  REQUIRE(reported.has_value());
  REQUIRE(reported->unrecognized.size() == 2);
  CHECK(test::to_hex(reported->unrecognized[0]) == "c0010004");
  CHECK(test::to_hex(reported->unrecognized[1]) == "40010006aabb");
  CHECK_FALSE(reported->capabilities.partial_reliability);  // it stands behind the one that stops

  const auto stopped = parse_init_parameters(hex("c000 0004 | 0099 0004 | 8008 0006 82c0 0000"));
  REQUIRE(stopped.has_value());
  CHECK(stopped->unrecognized.empty());
  CHECK(stopped->capabilities.partial_reliability);  // what was read before keeps its effect
  CHECK_FALSE(stopped->capabilities.reconfig);
}

TEST_CASE("Zero Checksum Acceptable counts with method 1 and length 8 only", "[SCTP-PKT-02]") {
  CHECK(parse_init_parameters(hex("8001 0008 00000001"))->capabilities.zero_checksum);
  CHECK_FALSE(parse_init_parameters(hex("8001 0008 00000002"))->capabilities.zero_checksum);
  CHECK_FALSE(parse_init_parameters(hex("8001 0006 0001"))->capabilities.zero_checksum);
}

TEST_CASE("a PAD parameter is skipped in silence", "[SCTP-PMTU-08]") {
  const auto padded = parse_init_parameters(hex("8005 000c ffffffffffffffff | c000 0004"));
  REQUIRE(padded.has_value());
  CHECK(padded->unrecognized.empty());
  CHECK(padded->capabilities.partial_reliability);
}

TEST_CASE("a parameter list with a wrong length is refused whole", "[SCTP-PKT-10]") {
  CHECK_FALSE(parse_init_parameters(hex("c000 0004 | 0007 0040 00000000")).has_value());
}

TEST_CASE("the padding of a chunk's last parameter may be counted in its length",
          "[SCTP-PKT-14][SCTP-PKT-06]") {
  const auto counted = parse_init_parameters(hex("c000 0004 | 8008 0006 82c0 0000"));
  const auto not_counted = parse_init_parameters(hex("c000 0004 | 8008 0006 82c0"));
  REQUIRE((counted.has_value() && not_counted.has_value()));
  CHECK(counted->capabilities == not_counted->capabilities);
}

TEST_CASE("HEARTBEAT with a foreign info is no nonce of ours", "[vectors]") {
  CHECK_FALSE(parse_heartbeat_nonce(Chunk(captured("heartbeat_ack_chunk")).view).has_value());
  const auto ours = hex(written([](ByteWriter& w) { write_heartbeat(w, 0x0102030405060708); }));
  CHECK(test::to_hex(ours) ==
        "0400001000010"
        "00c0102030405060708");
  CHECK(parse_heartbeat_nonce(Chunk(ours).view) == 0x0102030405060708u);
}

TEST_CASE("causes: the text of an ABORT is made harmless, a wrong length is a format error",
          "[SCTP-END-04]") {
  const auto text = parse_causes(hex("000c 0009 41 0a 42 ff 43"));
  REQUIRE(text.has_value());
  CHECK(text->cause == CauseCode::UserInitiatedAbort);
  CHECK(text->text == "A?B?C");
  CHECK(parse_causes({})->cause == CauseCode::None);
  CHECK(parse_causes(hex("1234 0004"))->cause == static_cast<CauseCode>(0x1234));
  CHECK_FALSE(parse_causes(hex("000c 0003")).has_value());
  CHECK_FALSE(parse_causes(hex("000c 0008 41")).has_value());
  ByteVector longest = hex("000d 0204");
  longest.resize(0x204, 'x');
  CHECK(parse_causes(longest)->text.view().size() == 128);
}

TEST_CASE("RE-CONFIG", "[vectors]") {
  const Chunk chunk(captured("reconfig_chunk"));
  const auto parsed = parse_reconfig(chunk.view);
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->size() == 1);
  const auto* request = std::get_if<OutgoingResetRequest>(&(*parsed)[0]);
  REQUIRE(request != nullptr);
  CHECK(request->request == ReconfigSeq(0x8755d823));
  CHECK(request->last_assigned_tsn == Tsn(0x8755d832));
  REQUIRE(request->streams.count() == 1);
  CHECK(request->streams[0] == StreamId{6});
  const std::array<StreamId, 1> streams = {StreamId{6}};
  CHECK(written([&](ByteWriter& w) {
          write_outgoing_reset(w, request->request, request->response, request->last_assigned_tsn, streams);
        }) == padded_hex(hex("82000016 000d0012 8755d823 71976a9e 8755d832 0006")));

  const std::array<ReconfigResponse, 1> response = {{{ReconfigSeq(0xdc9a8549), ReconfigResult::Performed}}};
  const std::string bytes = written([&](ByteWriter& w) { write_reconfig_responses(w, response); });
  CHECK(bytes ==
        "8200001000"
        "10000cdc9a854900000001");
}

TEST_CASE("RE-CONFIG parameters have the lengths of their types", "[SCTP-RST-14]") {
  const auto fault = [](const char* value) {
    ByteVector bytes = hex(std::string("82 00 0000 ") + value);
    store_u16(bytes.data() + 2, static_cast<std::uint16_t>(bytes.size()));
    const Chunk chunk(bytes);
    const auto parsed = parse_reconfig(chunk.view);
    return parsed.has_value()                           ? std::string("fine")
           : parsed.error() == ReconfigFault::Malformed ? "malformed"
                                                        : "combination";
  };
  CHECK(fault("000d 0010 00000001 00000002 00000003") == "fine");
  CHECK(fault("000d 000c 00000001 00000002") == "malformed");
  CHECK(fault("000d 0011 00000001 00000002 00000003 00") == "malformed");
  CHECK(fault("000e 0008 00000001") == "fine");
  CHECK(fault("000e 0009 00000001 00") == "malformed");
  CHECK(fault("000f 0008 00000001") == "fine");
  CHECK(fault("000f 000c 00000001 00000000") == "malformed");
  CHECK(fault("0010 000c 00000001 00000001") == "fine");
  CHECK(fault("0010 0014 00000001 00000001 00000002 00000003") == "fine");
  CHECK(fault("0010 0010 00000001 00000001 00000002") == "malformed");
  CHECK(fault("0011 000c 00000001 00010000") == "fine");
  CHECK(fault("0011 0008 00000001") == "malformed");
  CHECK(fault("0012 000c 00000001 00010000") == "fine");
  CHECK(fault("0013 000c 00000001 00010000") == "malformed");
}

TEST_CASE("RE-CONFIG holds one parameter, or two that may stand together", "[SCTP-RST-08]") {
  const std::string out = "000d 0010 00000001 00000002 00000003", in = "000e 0008 00000001",
                    tsn = "000f 0008 00000001", response = "0010 000c 00000001 00000001",
                    add_out = "0011 000c 00000001 00010000", add_in = "0012 000c 00000001 00010000";
  const auto is_allowed = [](const std::string& value) {
    ByteVector bytes = hex("82 00 0000 " + value);
    store_u16(bytes.data() + 2, static_cast<std::uint16_t>(bytes.size()));
    const Chunk chunk(bytes);
    return parse_reconfig(chunk.view).has_value();
  };
  for (const auto& one : {out, in, tsn, response, add_out, add_in}) CHECK(is_allowed(one));
  for (const auto& [a, b] : {std::pair(out, in), {add_out, add_in}, {response, out}, {response, response}}) {
    CHECK(is_allowed(a + b));
  }
  for (const auto& [a, b] : {std::pair(out, out),
                             {in, in},
                             {tsn, tsn},
                             {tsn, out},
                             {response, in},
                             {response, tsn},
                             {response, add_out},
                             {out, add_out},
                             {in, add_in},
                             {add_out, add_out}}) {
    CHECK_FALSE(is_allowed(a + b));
  }
  CHECK_FALSE(is_allowed(response + response + response));
}

TEST_CASE("the other captured chunks are headers, or written back as they were", "[vectors]") {
  for (const char* name : {"shutdown_ack_chunk", "shutdown_complete_chunk", "cookie_ack_chunk",
                           "cookie_echo_chunk", "error_chunk", "abort_chunk"}) {
    const Chunk chunk(captured(name));
    CHECK(written([&](ByteWriter& w) {
            write_chunk(w, static_cast<ChunkType>(chunk.view.type), chunk.view.flags, chunk.view.value);
          }) == test::to_hex(chunk.bytes));
  }
  const Chunk shutdown(captured("shutdown_chunk"));
  CHECK(parse_shutdown(shutdown.view) == Tsn(0x0611d1bd));
  CHECK(written([](ByteWriter& w) { write_shutdown(w, Tsn(0x0611d1bd)); }) == test::to_hex(shutdown.bytes));
}
