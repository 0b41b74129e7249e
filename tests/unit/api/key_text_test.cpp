// A private key's text does not stay behind in memory that is given back: this program looks at each block it frees.
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "pollrtc/peer_connection.h"
#include "pollrtc/pollrtc.h"
#include "support/catch.h"

namespace {

// A part of the key's text, which is looked for while it is set. No string: that would be found itself.
char wanted[33];
std::size_t found = 0, freed = 0;

void look_at(const void* block, std::size_t size) {
  ++freed;
  if (wanted[0] == '\0') return;
  const auto* const bytes = static_cast<const char*>(block);
  const std::size_t length = sizeof wanted - 1;
  if (std::search(bytes, bytes + size, wanted, wanted + length) != bytes + size) ++found;
}

void* get(std::size_t size) {
  void* const block = std::calloc(1, std::max<std::size_t>(size, 1));
  if (block == nullptr) std::abort();
  return block;
}
void give_back(void* block) {
  if (block == nullptr) return;
  look_at(block, malloc_usable_size(block));
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return get(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return get(size); }
void* operator new(std::size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
  const std::size_t room = (size + 63) / 64 * 64;
  void* const block = std::aligned_alloc(static_cast<std::size_t>(align), room);
  return block != nullptr ? std::memset(block, 0, room)
                          : nullptr;  // nothing that look_at() reads is undefined
}
void operator delete(void* block) noexcept { give_back(block); }
void operator delete(void* block, std::size_t) noexcept { give_back(block); }
void operator delete(void* block, std::align_val_t) noexcept { give_back(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { give_back(block); }

using namespace pollrtc;

namespace {

// Keeps the text where no string is, and looks for it from now on.
void look_for(const CertificatePem& pem) {
  const std::size_t begin = pem.private_key.find('\n') + 1;
  REQUIRE(pem.private_key.size() > begin + sizeof wanted);
  std::copy_n(pem.private_key.data() + begin, sizeof wanted - 1, wanted);
  found = 0;
}

struct Quiet {
  ~Quiet() { wanted[0] = '\0'; }
};

}  // namespace

TEST_CASE("making a certificate, and using it, leaves nothing of the key's text behind") {
  const Quiet quiet;
  // The same randomness makes the same key, so its text is known before it is made again.
  Environment environment;
  std::uint64_t state = 1;
  environment.rng = {
      [](void* context, MutBytes out) {
        auto& s = *static_cast<std::uint64_t*>(context);
        for (std::uint8_t& byte : out)
          byte = static_cast<std::uint8_t>((s = s * 6364136223846793005U + 1442695040888963407U) >> 56);
        return true;
      },
      &state};
  CertificatePem first = *generate_certificate(environment, 1'800'000'000);
  look_for(first);
  state = 1;
  CertificatePem again = *generate_certificate(environment, 1'800'000'000);
  REQUIRE(again.private_key == first.private_key);
  CHECK(found == 0);

  Configuration configuration;
  configuration.certificate = again;
  {
    PeerConnection connection;
    REQUIRE(connection.initialize(configuration));
    REQUIRE(connection.create_data_channel("x"));
    REQUIRE(connection.create_offer());
    REQUIRE(connection.poll());
    connection.close();
  }
  CHECK(found == 0);
  {
    PeerConnection connection;
    configuration.certificate.certificate = "no certificate";
    REQUIRE(connection.initialize(configuration).error() == ErrorCode::ParseFailed);
  }
  CHECK(found == 0);
  CHECK(freed > 100);
  // The net has holes small enough: this very text is found when it is freed.
  { const std::string copy = first.private_key; }
  CHECK(found == 1);
  for (CertificatePem* pem : {&first, &again, &configuration.certificate})
    std::fill(pem->private_key.begin(), pem->private_key.end(), 'x');
}

TEST_CASE("through the C interface neither") {
  const Quiet quiet;
  pollrtc_certificate* certificate = nullptr;
  REQUIRE(pollrtc_certificate_generate(&certificate) == POLLRTC_OK);
  pollrtc_config config{};
  config.size = sizeof config;
  config.certificate = pollrtc_certificate_get_certificate(certificate);
  config.private_key = pollrtc_certificate_get_private_key(certificate);
  std::copy_n(std::strchr(config.private_key, '\n') + 1, sizeof wanted - 1, wanted);
  found = 0;
  pollrtc_connection* connection = nullptr;
  REQUIRE(pollrtc_connection_create(&config, &connection) == POLLRTC_OK);
  pollrtc_connection_destroy(connection);
  pollrtc_certificate_destroy(certificate);
  CHECK(found == 0);
}
