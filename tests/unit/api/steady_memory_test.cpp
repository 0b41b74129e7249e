// Steady traffic allocates nothing, at neither end: this program counts each block that anybody in the process asks for, through
// operator new or malloc, so Mbed TLS as well. And what waits for the next message is given back when none comes.
#include <cerrno>
#include <cstdlib>

#include "support/catch.h"
#include "support/direct_pair.h"
#include "support/sanitizer.h"

namespace {

std::size_t blocks = 0;  // asked for since the start

}  // namespace

#if defined(POLLRTC_TEST_ASAN)

#include <sanitizer/allocator_interface.h>

namespace {
const int installed = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, std::size_t) { ++blocks; }, [](const volatile void*) {});
}

#else

// glibc's own, under the names that stay when ours take the usual ones.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t align, std::size_t size);

void* malloc(std::size_t size) {
  ++blocks;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++blocks;
  return __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) {
  ++blocks;
  return __libc_realloc(block, size);
}
void* aligned_alloc(std::size_t align, std::size_t size) {
  ++blocks;
  return __libc_memalign(align, size);
}
int posix_memalign(void** block, std::size_t align, std::size_t size) {
  ++blocks;
  *block = __libc_memalign(align, size);
  return *block == nullptr ? ENOMEM : 0;
}
}

#endif

using namespace pollrtc;
using namespace pollrtc::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSizes[] = {64, 1200, 16 * 1024, 64 * 1024};

DataChannelOptions unreliable() {
  DataChannelOptions options;
  options.ordered = false;
  options.max_retransmits = 0;
  return options;
}

// Of what Configuration::memory gives.
struct Counted {
  std::size_t bytes = 0, most = 0;
  Memory memory() {
    return {[](void* context, std::size_t size, std::size_t align) {
              Counted& self = *static_cast<Counted*>(context);
              self.bytes += size;
              self.most = std::max(self.most, self.bytes);
              const Memory system = default_memory();
              return system.allocate(system.context, size, align);
            },
            [](void* context, void* block, std::size_t size, std::size_t align) {
              static_cast<Counted*>(context)->bytes -= size;
              const Memory system = default_memory();
              system.release(system.context, block, size, align);
            },
            this};
  }
};

}  // namespace

TEST_CASE("what counts here sees the blocks of C++, of C and of Mbed TLS") {
  const std::size_t before = blocks;
  void* volatile one = ::operator new(1);
  void* volatile other = std::malloc(1);
  ::operator delete(one);
  std::free(other);
  const std::size_t after = blocks;
  CHECK(after == before + 2);
  DirectPair pair;
  REQUIRE(pair.connect());
  const std::size_t set_up = blocks - after;
  CHECK(set_up > 1000);  // most of them are Mbed TLS's
}

TEST_CASE("steady traffic allocates nothing, whatever the size of its messages and their reliability") {
  for (const bool is_reliable : std::initializer_list<bool>{true, false}) {
    for (const std::size_t size : kSizes) {
      INFO(size << (is_reliable ? " reliable" : " unreliable"));
      DirectPair pair;
      REQUIRE(pair.connect(is_reliable ? DataChannelOptions() : unreliable()));
      const std::vector<std::uint8_t> message(size, 1);
      const std::size_t many = std::max<std::size_t>(200, 4'000'000 / size);
      REQUIRE(pair.transfer(4 * many, message) == 4 * many);
      const std::size_t before = blocks;
      const std::size_t came = pair.transfer(many, message);
      const std::size_t after = blocks;
      CHECK(came == many);
      CHECK(after == before);
    }
  }
}

TEST_CASE("a message there and back allocates nothing") {
  DirectPair pair;
  REQUIRE(pair.connect());
  const std::vector<std::uint8_t> message(64, 1);
  REQUIRE(pair.ping(3000, message) == 3000);
  const std::size_t before = blocks;
  const std::size_t came = pair.ping(3000, message);
  const std::size_t after = blocks;
  CHECK(came == 3000);
  CHECK(after == before);
}

TEST_CASE("silence allocates nothing: neither the checks of consent nor their answers") {
  DirectPair pair;
  REQUIRE(pair.connect());
  REQUIRE(pair.transfer(10, std::vector<std::uint8_t>(64, 1)) == 10);
  pair.rest(30s);
  const std::size_t before = blocks;
  pair.rest(300s);
  const std::size_t after = blocks;
  CHECK(after == before);
}

TEST_CASE("what waits for the next message is no more than the limit, and is given back when none comes") {
  Counted ours, theirs;
  DirectPair pair;
  pair.a.memory = ours.memory();
  pair.b.memory = theirs.memory();
  REQUIRE(pair.connect());
  pair.rest(15s);
  const std::size_t at_rest[] = {ours.bytes, theirs.bytes};
  const std::vector<std::uint8_t> message(64 * 1024, 1);
  REQUIRE(pair.transfer(100, message) == 100);
  CHECK(ours.bytes > at_rest[0] + 128 * 1024);
  CHECK(theirs.bytes > at_rest[1] + 128 * 1024);
  CHECK(ours.bytes < at_rest[0] + Limits().sctp_rx_window + 128 * 1024);
  CHECK(theirs.bytes < at_rest[1] + Limits().sctp_rx_window + 128 * 1024);
  pair.rest(8s);  // one check of consent at least falls after the first second of them
  CHECK(ours.bytes < at_rest[0] + 96 * 1024);                     // the tables that have grown
  CHECK(theirs.bytes < at_rest[1] + 96 * 1024 + message.size());  // and the message that was read last
}
