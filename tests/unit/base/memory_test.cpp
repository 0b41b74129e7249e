#include "base/memory.h"

#include "base/fixed_vec.h"
#include "support/catch.h"
#include "support/environment.h"

using namespace pollrtc;

namespace {
struct Counted {  // knows how many of it live
  explicit Counted(int v) : value(v) { ++alive; }
  Counted(Counted&& other) noexcept : value(other.value) { ++alive; }
  Counted& operator=(Counted&&) = default;
  ~Counted() { --alive; }
  int value;
  static inline int alive = 0;
};
}  // namespace

TEST_CASE("Vec inserts, erases and grows, and gives everything back") {
  test::TestEnvironment t;
  {
    Vec<Counted> v(t.env.memory);
    for (int i = 0; i < 10; ++i) REQUIRE(v.push_back(Counted(i)));
    REQUIRE(v.insert(3, Counted(100)));
    REQUIRE(v.insert(0, Counted(200)));
    REQUIRE(v.insert(v.size(), Counted(300)));
    v.erase(1, 2);
    std::vector<int> values;
    for (const auto& c : v) values.push_back(c.value);
    CHECK(values == std::vector<int>{200, 2, 100, 3, 4, 5, 6, 7, 8, 9, 300});
    CHECK(Counted::alive == 11);
    Vec<Counted> moved(std::move(v));
    CHECK(moved.size() == 11);
    CHECK(v.empty());
  }
  CHECK(Counted::alive == 0);
  CHECK(t.bytes_in_use() == 0);
}

TEST_CASE("containers answer false when there is no memory, and keep what they have") {
  test::TestEnvironment t;
  Vec<int> v(t.env.memory);
  Ring<int> r(t.env.memory);
  Buffer b(t.env.memory);
  FlatMap<int, int> m(t.env.memory);
  for (int i = 0; i < 4; ++i) {
    REQUIRE(v.push_back(i));
    REQUIRE(r.push_back(i));
    REQUIRE(m.insert(i, i));
  }
  t.fail_allocations_after(0);
  CHECK_FALSE(v.push_back(4));
  CHECK_FALSE(r.push_back(4));
  CHECK(m.insert(4, 4) == nullptr);
  CHECK_FALSE(b.resize_discarding(10));
  CHECK(v.size() == 4);
  CHECK(r.back() == 3);
  CHECK(*m.find(3) == 3);
  CHECK_FALSE(Owned<int>::make(t.env.memory, 5));
}

TEST_CASE("Ring keeps its order while it wraps and grows") {
  test::TestEnvironment t;
  Ring<int> r(t.env.memory);
  int in = 0, out = 0;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < round % 7; ++i) REQUIRE(r.push_back(in++));
    for (int i = 0; i < round % 5 && !r.empty(); ++i) {
      REQUIRE(r.front() == out++);
      r.pop_front();
    }
    for (std::size_t i = 0; i < r.size(); ++i) REQUIRE(r[i] == out + static_cast<int>(i));
  }
  r.clear();
  CHECK(r.empty());
}

TEST_CASE("FlatMap is sorted by key") {
  test::TestEnvironment t;
  FlatMap<std::uint16_t, int> m(t.env.memory);
  for (const auto key : std::initializer_list<std::uint16_t>{5, 1, 9, 3, 65535, 0})
    REQUIRE(m.insert(key, key * 2));
  CHECK(*m.find(9) == 18);
  CHECK(m.find(4) == nullptr);
  CHECK(m.erase(1));
  CHECK_FALSE(m.erase(1));
  std::vector<int> keys;
  for (const auto& entry : m) keys.push_back(entry.key);
  CHECK(keys == std::vector<int>{0, 3, 5, 9, 65535});
}

TEST_CASE("FixedVec holds N and refuses the next") {
  FixedVec<int, 2> v;
  CHECK(v.push_back(1));
  CHECK(v.push_back(2));
  CHECK_FALSE(v.push_back(3));
  v.erase(0);
  CHECK(v.size() == 1);
  CHECK(v[0] == 2);
}
