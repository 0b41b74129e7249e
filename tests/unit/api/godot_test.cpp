// Godot's names, numbers and dictionaries.
#include "pollrtc/godot.h"

#include <limits>

#include "support/catch.h"

using namespace pollrtc;

TEST_CASE("enumerations have Godot's numbers", "[API-37]") {
  const auto number = [](auto value) { return static_cast<int>(value); };
  using PC = WebRTCPeerConnection;
  const int connection[] = {number(PC::STATE_NEW),       number(PC::STATE_CONNECTING),
                            number(PC::STATE_CONNECTED), number(PC::STATE_DISCONNECTED),
                            number(PC::STATE_FAILED),    number(PC::STATE_CLOSED)};
  const int gathering[] = {number(PC::GATHERING_STATE_NEW), number(PC::GATHERING_STATE_GATHERING),
                           number(PC::GATHERING_STATE_COMPLETE)};
  const int signaling[] = {number(PC::SIGNALING_STATE_STABLE),
                           number(PC::SIGNALING_STATE_HAVE_LOCAL_OFFER),
                           number(PC::SIGNALING_STATE_HAVE_REMOTE_OFFER),
                           number(PC::SIGNALING_STATE_HAVE_LOCAL_PRANSWER),
                           number(PC::SIGNALING_STATE_HAVE_REMOTE_PRANSWER),
                           number(PC::SIGNALING_STATE_CLOSED)};
  using DC = WebRTCDataChannel;
  const int channel[] = {number(DC::STATE_CONNECTING), number(DC::STATE_OPEN), number(DC::STATE_CLOSING),
                         number(DC::STATE_CLOSED)};
  const int write_mode[] = {number(DC::WRITE_MODE_TEXT), number(DC::WRITE_MODE_BINARY)};
  using MP = WebRTCMultiplayerPeer;
  const int transfer[] = {number(MP::TRANSFER_MODE_UNRELIABLE), number(MP::TRANSFER_MODE_UNRELIABLE_ORDERED),
                          number(MP::TRANSFER_MODE_RELIABLE)};
  const int status[] = {number(MP::CONNECTION_DISCONNECTED), number(MP::CONNECTION_CONNECTING),
                        number(MP::CONNECTION_CONNECTED)};
  const auto is_counted = [](std::span<const int> numbers) {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if (numbers[i] != static_cast<int>(i)) return false;
    return true;
  };
  CHECK(is_counted(connection));
  CHECK(is_counted(gathering));
  CHECK(is_counted(signaling));
  CHECK(is_counted(channel));
  CHECK(is_counted(write_mode));
  CHECK(is_counted(transfer));
  CHECK(is_counted(status));
  CHECK(MP::TARGET_PEER_BROADCAST == 0);
  CHECK(MP::TARGET_PEER_SERVER == 1);
  CHECK(number(WebRTCConnectionState::CONNECTION_STATE_CONNECTED) == 2);
  CHECK(DC::kUnset == 65535);
}

TEST_CASE("errors have Godot's numbers") {
  CHECK(static_cast<int>(godot_error(Status())) == 0);
  const auto number = [](ErrorCode code) { return static_cast<int>(godot_error(code)); };
  CHECK(number(ErrorCode::InvalidState) == 1);
  CHECK(number(ErrorCode::TooLarge) == 1);
  CHECK(number(ErrorCode::Empty) == 2);
  CHECK(number(ErrorCode::Unconfigured) == 3);
  CHECK(number(ErrorCode::Unauthorized) == 4);
  CHECK(number(ErrorCode::OutOfMemory) == 6);
  CHECK(number(ErrorCode::InvalidArgument) == 31);
}

TEST_CASE("channel options by name: both spellings of the life time, and Godot's conversions", "[API-38]") {
  const auto plain = data_channel_options({{"unknown", "ignored"}});
  REQUIRE(plain);
  CHECK(plain->ordered);
  CHECK_FALSE(plain->negotiated);
  CHECK(plain->max_retransmits < 0);
  CHECK(plain->max_packet_life_time < 0);
  CHECK(plain->id < 0);
  CHECK(plain->priority == 256);

  CHECK(data_channel_options({{"maxPacketLifeTime", 100}})->max_packet_life_time == 100);
  CHECK(data_channel_options({{"maxPacketLifetime", 1}})->max_packet_life_time == 1);
  CHECK(data_channel_options({{"maxPacketLifetime", 1}, {"maxPacketLifeTime", 2}})->max_packet_life_time ==
        2);
  CHECK(data_channel_options({{"maxPacketLifeTime", 0}})->max_packet_life_time == 0);  // a limit
  CHECK(data_channel_options({{"maxRetransmits", -7}})->max_retransmits < 0);          // none

  const auto all = data_channel_options({{"negotiated", 1},
                                         {"id", "42"},
                                         {"maxRetransmits", 3.0},
                                         {"ordered", false},
                                         {"protocol", "pr\xc3\xb6tocol"},
                                         {"priority", 512},
                                         {"discardWhenFull", true}});
  REQUIRE(all);
  CHECK(all->negotiated);
  CHECK(all->id == 42);
  CHECK(all->max_retransmits == 3);
  CHECK_FALSE(all->ordered);
  CHECK(all->protocol == "pr\xc3\xb6tocol");
  CHECK(all->priority == 512);
  CHECK(all->discard_when_full);
  CHECK_FALSE(plain->discard_when_full);
  CHECK(data_channel_options({{"id", std::int64_t{1} << 40}})->id == std::numeric_limits<int>::max());

  CHECK(data_channel_options({{"id", "forty-two"}}).error() == ErrorCode::InvalidArgument);
  CHECK(data_channel_options({{"ordered", ""}}).error() == ErrorCode::InvalidArgument);
  CHECK(data_channel_options({{"maxRetransmits", std::numeric_limits<double>::quiet_NaN()}}).error() ==
        ErrorCode::InvalidArgument);
  CHECK(data_channel_options({{"protocol", 7}}).error() == ErrorCode::InvalidArgument);

  // The tutorial's.
  CHECK(data_channel_options({{"reliable", true}})->max_retransmits < 0);
  const auto unreliable = data_channel_options({{"reliable", false}});
  CHECK(unreliable->max_retransmits == 0);
  CHECK_FALSE(unreliable->ordered);
  const auto said = data_channel_options({{"reliable", false}, {"maxPacketLifetime", 5}});
  CHECK(said->max_retransmits < 0);
  CHECK(said->ordered);
}

TEST_CASE("a channel's limits reach 65535 and no further", "[API-38]") {
  PeerConnection connection;
  const auto made =
      connection.create_data_channel("x", *data_channel_options({{"maxPacketLifeTime", 70'000}}));
  REQUIRE(made);
  CHECK((*made)->get_max_packet_life_time() == 65535);
  CHECK_FALSE(connection.create_data_channel(
      "x", *data_channel_options({{"maxPacketLifetime", 1}, {"maxRetransmits", 0}})));
}
