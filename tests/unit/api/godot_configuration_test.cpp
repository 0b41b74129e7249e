// What the keys of the plugin's configuration become: godot/common/configuration.cpp.
#include "common/configuration.h"
#include "support/catch.h"

using namespace pollrtc;
using namespace pollrtc::godot_plugin;

TEST_CASE("transportGoal is throughput or lowLatency, and throughput when it is not given") {
  const auto goal_of = [](const Value& value) -> std::optional<TransportGoal> {
    Dictionary dictionary;
    dictionary.emplace_back("transportGoal", value);
    const Result<Settings> settings = read_settings(dictionary);
    if (!settings) return std::nullopt;
    return settings->library.transport_goal;
  };
  CHECK(goal_of(std::string("lowLatency")) == TransportGoal::LowLatency);
  CHECK(goal_of(std::string("throughput")) == TransportGoal::Throughput);
  CHECK_FALSE(goal_of(std::string("fast")));
  CHECK_FALSE(goal_of(std::int64_t{1}));
  const Result<Settings> silent = read_settings({});
  REQUIRE(silent);
  CHECK(silent->library.transport_goal == TransportGoal::Throughput);
}
