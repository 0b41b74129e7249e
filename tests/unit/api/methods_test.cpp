// The rest of the public methods, in every state: with states_test.cpp every one of them has a row, which
// tests/checks/methods_listed.py holds against the headers. A refusal changes nothing, nor does a question.
#include "support/catch.h"
#include "unit/api/states.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

constexpr std::size_t kStateCount = std::size(kStates);

template <class Value>
std::string text_of(const Value& value) {
  if constexpr (std::is_convertible_v<Value, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<Value, bool>) {
    return value ? "yes" : "no";
  } else if constexpr (std::is_enum_v<Value>) {
    return std::string(name_of(value));
  } else {
    return std::to_string(value);
  }
}

struct Method {
  const char* name;
  std::function<std::string(SimPair&)> call;
  // What each state answers, in the order of kStates; one answer: all of them.
  std::vector<std::string> answers;
  bool changes_something = false;
};

// Of our channel, where there is one.
template <class Call>
std::function<std::string(SimPair&)> of_channel(Call call) {
  return [call](SimPair& t) {
    if (!t.ours) return std::string("none");
    if constexpr (std::is_same_v<decltype(call(*t.ours)), Status>) {
      return said(call(*t.ours));
    } else {
      return text_of(call(*t.ours));
    }
  };
}

const Method kMethods[] = {
    {"restart_ice",
     [](SimPair& t) { return said(t.a.connection->restart_ice()); },
     {"InvalidState", "InvalidState", "InvalidState", "InvalidState", "OK", "OK", "OK", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState", "InvalidState"},
     true},
    {"next_event",
     [](SimPair& t) {
       PeerConnection::Event event;
       return text_of(t.a.connection->next_event(event));
     },
     {"no"}},
    {"get_connection_state",
     [](SimPair& t) { return text_of(t.a.connection->get_connection_state()); },
     {"new", "new", "connecting", "connecting", "connected", "disconnected", "failed", "failed", "closed",
      "closed", "new", "new"}},
    {"get_gathering_state",
     [](SimPair& t) { return text_of(t.a.connection->get_gathering_state()); },
     {"new", "new", "complete", "complete", "complete", "complete", "complete", "complete", "complete",
      "complete", "new", "new"}},
    {"get_signaling_state",
     [](SimPair& t) { return text_of(t.a.connection->get_signaling_state()); },
     {"stable", "stable", "have-local-offer", "stable", "stable", "stable", "stable", "closed", "closed",
      "closed", "stable", "stable"}},
    {"get_max_message_size",
     [](SimPair& t) { return text_of(t.a.connection->get_max_message_size()); },
     {"65536", "65536", "65536", "262144", "262144", "262144", "262144", "262144", "262144", "262144",
      "65536", "65536"}},
    {"get_sockets",
     [](SimPair& t) { return text_of(t.a.connection->get_sockets({})); },
     {"0", "0", "1", "1", "1", "1", "1", "0", "0", "0", "0", "0"}},
    {"get_time_to_next_deadline",
     [](SimPair& t) { return text_of(t.a.connection->get_time_to_next_deadline().has_value()); },
     {"no", "no", "yes", "yes", "yes", "yes", "yes", "no", "no", "no", "no", "no"}},
    {"get_stats",
     [](SimPair& t) { return text_of(t.a.connection->get_stats().close_reason); },
     {"None", "None", "None", "None", "None", "None", "ConsentExpired", "ConsentExpired", "Local",
      "RemoteAbort", "None", "None"}},
    {"channel.send_text",
     of_channel([](DataChannel& c) { return c.send_text("x"); }),
     {"none", "InvalidState", "InvalidState", "none", "OK", "OK", "OK", "InvalidState", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState"},
     true},
    {"channel.send_with_report",
     of_channel([](DataChannel& c) { return c.send_with_report(1, Bytes()); }),
     {"none", "InvalidState", "InvalidState", "none", "OK", "OK", "OK", "InvalidState", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState"},
     true},
    {"channel.send_piece",
     of_channel([](DataChannel& c) { return c.send_piece(Bytes(), false); }),
     {"none", "InvalidState", "InvalidState", "none", "InvalidArgument", "InvalidArgument", "InvalidArgument",
      "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState"},
     true},
    {"channel.send_piece, an empty last one",
     of_channel([](DataChannel& c) { return c.send_piece(Bytes(), true); }),
     {"none", "InvalidState", "InvalidState", "none", "InvalidArgument", "InvalidArgument", "InvalidArgument",
      "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState"},
     true},
    {"channel.abandon_message",
     of_channel([](DataChannel& c) { return c.abandon_message(); }),
     {"none", "InvalidState", "InvalidState", "none", "InvalidState", "InvalidState", "InvalidState",
      "InvalidState", "InvalidState", "InvalidState", "InvalidState", "InvalidState"},
     true},
    {"channel.set_receive_in_pieces",
     of_channel([](DataChannel& c) { return c.set_receive_in_pieces(true); }),
     {"none", "OK", "OK", "none", "OK", "OK", "OK", "OK", "OK", "OK", "OK", "OK"},
     true},
    {"channel.poll",
     of_channel([](DataChannel& c) { return c.poll(); }),
     {"none", "OK", "OK", "none", "OK", "OK", "OK", "OK", "OK", "OK", "OK", "OK"}},
    {"channel.set_write_mode",
     of_channel([](DataChannel& c) {
       c.set_write_mode(DataChannel::WRITE_MODE_TEXT);
       return text_of(c.get_write_mode() == DataChannel::WRITE_MODE_TEXT);
     }),
     {"none", "yes", "yes", "none", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes"}},
    {"channel.get_write_mode",
     of_channel([](DataChannel& c) { return text_of(c.get_write_mode() == DataChannel::WRITE_MODE_BINARY); }),
     {"none", "yes", "yes", "none", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes"}},
    {"channel.set_buffered_amount_low_threshold",
     of_channel([](DataChannel& c) {
       c.set_buffered_amount_low_threshold(100);
       return text_of(c.get_buffered_amount());
     }),
     {"none", "0", "0", "none", "0", "0", "0", "0", "0", "0", "0", "0"}},
    {"channel.get_packet_error",
     of_channel([](DataChannel& c) { return text_of(c.get_packet_error().has_value()); }),
     {"none", "no", "no", "none", "no", "no", "no", "no", "no", "no", "no", "no"}},
    {"channel.get_available_packet_count",
     of_channel([](DataChannel& c) { return text_of(c.get_available_packet_count()); }),
     {"none", "0", "0", "none", "0", "0", "0", "0", "0", "0", "0", "0"}},
    {"channel.get_max_packet_size",
     of_channel([](DataChannel& c) { return text_of(c.get_max_packet_size()); }),
     {"none", "65536", "65536", "none", "262144", "262144", "262144", "262144", "262144", "262144", "262144",
      "262144"}},
    {"channel.was_string_packet",
     of_channel([](DataChannel& c) { return text_of(c.was_string_packet()); }),
     {"none", "no", "no", "none", "no", "no", "no", "no", "no", "no", "no", "no"}},
    {"channel.is_message_complete",
     of_channel([](DataChannel& c) { return text_of(c.is_message_complete()); }),
     {"none", "yes", "yes", "none", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes"}},
    {"channel.was_abandoned",
     of_channel([](DataChannel& c) { return text_of(c.was_abandoned()); }),
     {"none", "no", "no", "none", "no", "no", "no", "no", "no", "no", "no", "no"}},
    {"channel.get_ready_state",
     of_channel([](DataChannel& c) { return text_of(c.get_ready_state()); }),
     {"none", "connecting", "connecting", "none", "open", "open", "open", "closed", "closed", "closed",
      "closed", "closed"}},
    {"channel.get_label",
     of_channel([](DataChannel& c) { return text_of(c.get_label()); }),
     {"none", "chat", "chat", "none", "chat", "chat", "chat", "chat", "chat", "chat", "chat", "chat"}},
    {"channel.get_protocol",
     of_channel([](DataChannel& c) { return text_of(c.get_protocol()); }),
     {"none", "", "", "none", "", "", "", "", "", "", "", ""}},
    {"channel.get_id",
     of_channel([](DataChannel& c) { return text_of(c.get_id()); }),
     {"none", "65535", "65535", "none", "1", "1", "1", "1", "1", "1", "1", "1"}},
    {"channel.is_ordered",
     of_channel([](DataChannel& c) { return text_of(c.is_ordered()); }),
     {"none", "yes", "yes", "none", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes"}},
    {"channel.is_negotiated",
     of_channel([](DataChannel& c) { return text_of(c.is_negotiated()); }),
     {"none", "no", "no", "none", "no", "no", "no", "no", "no", "no", "no", "no"}},
    {"channel.get_max_retransmits",
     of_channel([](DataChannel& c) { return text_of(c.get_max_retransmits()); }),
     {"none", "65535", "65535", "none", "65535", "65535", "65535", "65535", "65535", "65535", "65535",
      "65535"}},
    {"channel.get_max_packet_life_time",
     of_channel([](DataChannel& c) { return text_of(c.get_max_packet_life_time()); }),
     {"none", "65535", "65535", "none", "65535", "65535", "65535", "65535", "65535", "65535", "65535",
      "65535"}},
    {"channel.get_priority",
     of_channel([](DataChannel& c) { return text_of(c.get_priority()); }),
     {"none", "256", "256", "none", "256", "256", "256", "256", "256", "256", "256", "256"}},
    {"channel.get_buffered_amount",
     of_channel([](DataChannel& c) { return text_of(c.get_buffered_amount()); }),
     {"none", "0", "0", "none", "0", "0", "0", "0", "0", "0", "0", "0"}},
    {"channel.get_stats",
     of_channel([](DataChannel& c) { return text_of(c.get_stats().messages_sent); }),
     {"none", "0", "0", "none", "0", "0", "0", "0", "0", "0", "0", "0"}},
};

}  // namespace

TEST_CASE("the other methods in every state: the answer, and who only asks changes nothing",
          "[API-24][API-44]") {
  for (const Method& method : kMethods) {
    REQUIRE((method.answers.size() == 1 || method.answers.size() == kStateCount));
    for (std::size_t i = 0; i < kStateCount; ++i) {
      INFO(method.name << ", " << kStates[i].name);
      SimPair t;
      kStates[i].reach(t);
      t.a.connection->get_stats();
      const Snapshot before(t);
      const std::string answer = method.call(t);
      CHECK(answer == method.answers[method.answers.size() == 1 ? 0 : i]);
      if (method.changes_something && (answer == "OK" || answer == "none")) continue;
      Snapshot after(t);
      if (before.connection == ConnectionState::New)
        after.memory = before.memory;  // the first call makes the key pair
      CHECK(after == before);
    }
  }
}
