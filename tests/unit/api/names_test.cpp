// Names: those of servers, and those that stand for hidden addresses.
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// A resolver of the caller's that knows nothing: it refuses "refused.example", and finds no address for others.
HostResolver know_nothing() {
  HostResolver resolver;
  resolver.start = [](void*, std::uint32_t, std::string_view host) { return host != "refused.example"; };
  resolver.poll = [](void*, std::uint32_t, std::span<Address>, std::size_t& count) {
    count = 0;
    return true;
  };
  return resolver;
}

}  // namespace

TEST_CASE("a server whose name has no address is reported, and costs nothing else") {
  SimPair t([](Configuration& c) {
    c.resolver = know_nothing();
    c.ice_servers = {{{"stun:refused.example", "stun:unknown.example", "stun:printer.local"}, "", ""}};
  });
  std::vector<std::string> failures;
  t.a.connection->ice_server_failed = [&](const std::string& url, int code, const std::string& text) {
    CHECK(code == 701);
    CHECK_FALSE(text.empty());
    failures.push_back(url);
  };
  t.connect();
  std::sort(failures.begin(), failures.end());
  CHECK(failures ==
        std::vector<std::string>{"stun:printer.local", "stun:refused.example", "stun:unknown.example"});
}
