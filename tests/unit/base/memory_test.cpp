#include "base/memory.h"

#include <cstring>

#include "base/drop_counters.h"
#include "base/memory_pool.h"

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

namespace {

// Counts what a pool asks its source for.
struct Source {
  std::size_t allocations = 0, bytes = 0, lists = 0;  // the pool's own lists are not among the bytes
  std::size_t& account_of(std::size_t size) { return size == MemoryPool::kListBytes ? lists : bytes; }
  static void* allocate(void* context, std::size_t size, std::size_t align) {
    Source& self = *static_cast<Source*>(context);
    ++self.allocations;
    self.account_of(size) += size;
    const Memory system = default_memory();
    return system.allocate(system.context, size, align);
  }
  static void release(void* context, void* block, std::size_t size, std::size_t align) {
    static_cast<Source*>(context)->account_of(size) -= size;
    const Memory system = default_memory();
    system.release(system.context, block, size, align);
  }
  Memory memory() { return {allocate, release, this}; }
};

}  // namespace

TEST_CASE("a pool gives out again what was given back, and allocates nothing in steady traffic") {
  Source source;
  {
    MemoryPool pool(source.memory(), 8 << 20);
    const Memory memory = pool.memory();
    const auto round = [&] {
      for (std::size_t size = 1; size <= 128 * 1024; size += 1 + size / 7) {
        void* const block = memory.allocate(memory.context, size, 1);
        REQUIRE(block != nullptr);
        std::memset(block, 0xAA, size);
        memory.release(memory.context, block, size, 1);
      }
    };
    CHECK(source.lists == 0);
    round();
    CHECK(source.bytes == pool.waiting_bytes());
    CHECK(source.lists == MemoryPool::kListBytes);
    const std::size_t before = source.allocations;
    round();
    CHECK(source.allocations == before);
    pool.trim();
    CHECK(pool.waiting_bytes() == 0);
    CHECK(source.bytes == 0);
    CHECK(source.lists == 0);
    round();
    CHECK(source.bytes != 0);
    void* const beyond = memory.allocate(memory.context, 200'000, 1);
    memory.release(memory.context, beyond, 200'000, 1);
    CHECK(source.bytes == pool.waiting_bytes());
  }
  CHECK(source.bytes == 0);
  CHECK(source.lists == 0);
}

TEST_CASE("a pool without memory for its lists lets nothing wait") {
  Source source;
  Memory without_lists = source.memory();
  without_lists.allocate = [](void* context, std::size_t size, std::size_t align) -> void* {
    return size == MemoryPool::kListBytes ? nullptr : Source::allocate(context, size, align);
  };
  MemoryPool pool(without_lists, 1000);
  const Memory memory = pool.memory();
  void* const block = memory.allocate(memory.context, 64, 1);
  REQUIRE(block != nullptr);
  memory.release(memory.context, block, 64, 1);
  CHECK(source.bytes == 0);
  CHECK(pool.waiting_bytes() == 0);
}

TEST_CASE("a ring gives back what it does not need, and is as good as before") {
  test::TestEnvironment t;
  Ring<int> ring(t.env.memory);
  for (int i = 0; i < 8; ++i) REQUIRE(ring.push_back(i));
  for (int i = 0; i < 6; ++i) ring.pop_front();
  REQUIRE(ring.push_back(8));  // where the first stood
  ring.trim_to(2);
  CHECK(ring.capacity() == 8);  // three are in it
  ring.pop_front();
  t.fail_allocations_after(0);
  ring.trim_to(2);
  CHECK(ring.capacity() == 8);
  t.fail_allocations_after(100);
  ring.trim_to(2);
  CHECK(ring.capacity() == 2);
  REQUIRE(ring.size() == 2);
  CHECK(ring.front() == 7);
  CHECK(ring.back() == 8);
  ring.clear();
  for (int i = 0; i < 3; ++i) REQUIRE(ring.push_back(i));
  CHECK(ring.front() == 0);
  CHECK(ring.back() == 2);
}

TEST_CASE("an engine counts the reasons that any layer has and its own, and a sum has them all") {
  DropCountersOf<Drop::DtlsMalformed, Drop::DtlsEmpty> dtls;
  CHECK(dtls.count(Drop::None) == Drop::None);
  CHECK(dtls.count(Drop::Ended) == Drop::Ended);
  for (const Drop reason : {Drop::DtlsMalformed, Drop::DtlsEmpty, Drop::DtlsEmpty})
    CHECK(dtls.count(reason) == reason);
  CHECK(dtls[Drop::Ended] == 1);
  CHECK(dtls[Drop::DtlsMalformed] == 1);
  CHECK(dtls[Drop::DtlsEmpty] == 2);
  CHECK(dtls[Drop::TurnLimit] == 0);     // of the layer before
  CHECK(dtls[Drop::SctpChecksum] == 0);  // of the one behind
  CHECK(dtls.total() == 4);
  DropCounters all;
  all.count(Drop::SctpTag);
  all += dtls;
  all += dtls;
  CHECK(all[Drop::SctpTag] == 1);
  CHECK(all[Drop::Ended] == 2);
  CHECK(all[Drop::DtlsEmpty] == 4);
  CHECK(all[Drop::SocketOverflow] == 0);
  CHECK(all.total() == 9);
}

TEST_CASE("the blocks of a pool are as large as was asked, and no more wait than may") {
  Source source;
  MemoryPool pool(source.memory(), 1000);
  const Memory memory = pool.memory();
  for (std::size_t size = 1; size <= 128 * 1024; size = size * 9 / 8 + 1) {
    const std::size_t waiting = pool.waiting_bytes();
    void* const a = memory.allocate(memory.context, size, 1);
    void* const b = memory.allocate(memory.context, size, 1);
    std::memset(a, 1, size);
    std::memset(b, 2, size);
    CHECK(static_cast<unsigned char*>(a)[size - 1] == 1);
    CHECK(waiting <= 1000);
    CHECK(source.bytes - pool.waiting_bytes() >= 2 * size);
    CHECK(source.bytes - pool.waiting_bytes() <= 2 * std::max<std::size_t>(16, size + size / 4));
    memory.release(memory.context, a, size, 1);
    memory.release(memory.context, b, size, 1);
    CHECK(pool.waiting_bytes() <= 1000);
    CHECK(source.bytes == pool.waiting_bytes());
  }
}

TEST_CASE("a pool without memory says so, and what is no bytes, a table or an object, passes through") {
  Memory none;
  none.allocate = [](void*, std::size_t, std::size_t) -> void* { return nullptr; };
  MemoryPool empty(none, 1000);
  CHECK(empty.memory().allocate(empty.memory().context, 10, 1) == nullptr);
  Source source;
  MemoryPool pool(source.memory(), 1 << 20);
  for (const std::size_t align : std::initializer_list<std::size_t>{4, 8, 256}) {
    void* const block = pool.memory().allocate(pool.memory().context, 64, align);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % align == 0);
    CHECK(source.bytes == 64);
    pool.memory().release(pool.memory().context, block, 64, align);
    CHECK(source.bytes == 0);
    CHECK(pool.waiting_bytes() == 0);
  }
}
