// What the other end can make a connection hold on the C++ heap, which Environment::memory does not see: little, and bounded by
// Limits, as docs/limits.md says. This program counts the blocks of operator new while it watches.
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

bool is_watching = false;
std::size_t live = 0, most = 0;
constexpr std::size_t kMark = 16;  // in front of each block: whether it was counted

void* get(std::size_t size) {
  auto* const block = static_cast<unsigned char*>(std::malloc(size + kMark));
  if (block == nullptr) std::abort();
  block[0] = is_watching ? 1 : 0;
  if (is_watching) {
    live += malloc_usable_size(block);
    most = std::max(most, live);
  }
  return block + kMark;
}
void give_back(void* given) {
  if (given == nullptr) return;
  unsigned char* const block = static_cast<unsigned char*>(given) - kMark;
  if (block[0] != 0) live -= malloc_usable_size(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return get(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return get(size); }
void operator delete(void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }

#include "support/catch.h"
#include "unit/api/simulated_pair.h"

using namespace pollrtc;
using namespace pollrtc::test;

namespace {

// Counts while it lives; `peak` is the most that was held at a time, and `held` what is still held.
struct Watch {
  Watch() {
    live = most = 0;
    is_watching = true;
  }
  ~Watch() { is_watching = false; }
  std::size_t peak() const { return most; }
  std::size_t held() const { return live; }
};

// A description of the largest size that is taken, stuffed with that line.
std::string stuffed(std::string offer, const std::function<std::string(std::size_t)>& line) {
  const std::size_t limit = Limits().sdp_size;
  for (std::size_t i = 0;; ++i) {
    const std::string next = line(i);
    if (offer.size() + next.size() > limit) return offer;
    offer += next;
  }
}

std::string offer_of(SimPair& t) {
  std::string offer;
  t.a.connection->session_description_created = [&](const std::string&, const std::string& sdp) {
    offer = sdp;
  };
  t.ours = t.a.create();
  REQUIRE(t.a.connection->create_offer());
  REQUIRE(t.a.connection->poll());
  REQUIRE(!offer.empty());
  return offer;
}

}  // namespace

TEST_CASE(
    "a description, whatever stands in it, costs a few times its size while it is read, and little "
    "afterwards") {
  const std::function<std::string(std::size_t)> lines[] = {
      [](std::size_t) { return std::string("a=x\r\n"); },
      [](std::size_t i) {
        return std::string("a=x-") + std::to_string(i) + ":" + std::string(4000, 'y') + "\r\n";
      },
      [](std::size_t i) {
        return std::string("a=candidate:") + std::to_string(i) + " 1 udp 2130706431 10.0." +
               std::to_string(i / 256 % 256) + "." + std::to_string(i % 256) + " 9 typ host\r\n";
      },
      [](std::size_t) { return std::string("a=fingerprint:sha-256 00\r\n"); },
      [](std::size_t) { return std::string("m=audio 9 RTP/AVP 0\r\n"); },
  };
  for (const auto& line : lines) {
    INFO(line(1).substr(0, 20));
    SimPair t;
    const std::string text = stuffed(offer_of(t), line);
    CHECK(text.size() > Limits().sdp_size * 9 / 10);
    (void)t.b.connection->get_stats();
    const Watch watch;
    (void)t.b.connection->set_remote_description("offer", text);
    CHECK(watch.peak() < 8 * Limits().sdp_size);
    CHECK(watch.held() < 3 * Limits().sdp_size);
  }
}

TEST_CASE("candidates without end cost nothing beyond their limit") {
  SimPair t;
  REQUIRE(t.b.connection->set_remote_description("offer", offer_of(t)));
  std::size_t after_the_limit = 0;
  const Watch watch;
  for (int i = 0; i < 5000; ++i) {
    const std::string line = std::string("candidate:1 1 udp 2130706431 10.0.") + std::to_string(i / 256) +
                             "." + std::to_string(i % 256) + " 9 typ host";
    (void)t.b.connection->add_ice_candidate("0", 0, line);
    if (i == 2 * Limits().ice_remote_candidates) after_the_limit = watch.held();
  }
  CHECK(watch.held() <= after_the_limit + 1024);
}

TEST_CASE("a channel that the other end opens costs a fixed amount, however long its label") {
  SimPair t;
  t.connect();
  t.b.machine.poll = [&t] {
    is_watching = true;
    CHECK(t.b.connection->poll());
    is_watching = false;
  };
  live = most = 0;
  std::vector<ChannelPtr> ours;
  for (int i = 0; i < 150; ++i) {
    const auto made = t.a.connection->create_data_channel(std::string(800, 'l'));
    REQUIRE(made);
    ours.push_back(*made);
    t.world.run_for(50ms);
  }
  t.world.run_for(1s);
  REQUIRE(t.b.channels.size() == 151);
  CHECK(live < 150 * 2048);  // the objects, their handlers, and this test's own notes
}
