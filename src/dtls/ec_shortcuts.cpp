#include "dtls/ec_shortcuts.h"

#ifdef POLLRTC_MBEDTLS_EC_SHORTCUTS

#include <mbedtls/ecdsa.h>
#include <mbedtls/platform.h>

#include <utility>

namespace pollrtc::dtls {
namespace {

const mbedtls_pk_info_t* ecdsa() { return mbedtls_pk_info_from_type(MBEDTLS_PK_ECDSA); }

bool is_ec(const mbedtls_pk_context& key) { return mbedtls_pk_get_type(&key) == MBEDTLS_PK_ECKEY; }

// All or nothing. The group's mbedtls_ecp_group_free() frees what we put there.
bool copy_table(mbedtls_ecp_group& to, const mbedtls_ecp_group& from) {
  if (from.T == nullptr || to.T != nullptr || to.id != from.id) return false;
  void* const block = mbedtls_calloc(from.T_size, sizeof(mbedtls_ecp_point));
  if (block == nullptr) return false;
  to.T = static_cast<mbedtls_ecp_point*>(block);
  to.T_size = from.T_size;
  int code = 0;
  for (std::size_t i = 0; i < to.T_size; ++i) {
    mbedtls_ecp_point_init(&to.T[i]);
    if (code == 0) code = mbedtls_ecp_copy(&to.T[i], &from.T[i]);
  }
  return code == 0;
}

}  // namespace

mbedtls_pk_context as_ecdsa_key(const mbedtls_pk_context& key) {
  mbedtls_pk_context view = key;
  if (is_ec(key)) view.pk_info = ecdsa();
  return view;
}

void lend_table(mbedtls_pk_context& peer, const mbedtls_pk_context& own) {
  if (!is_ec(peer) || !is_ec(own)) return;
  mbedtls_pk_context hastened;
  mbedtls_pk_init(&hastened);
  if (mbedtls_pk_setup(&hastened, ecdsa()) == 0) {
    mbedtls_ecp_keypair& key = *mbedtls_pk_ec(hastened);
    if (mbedtls_ecdsa_from_keypair(&key, mbedtls_pk_ec(peer)) == 0 &&
        copy_table(key.grp, mbedtls_pk_ec(own)->grp))
      std::swap(peer, hastened);
  }
  mbedtls_pk_free(&hastened);
}

}  // namespace pollrtc::dtls

#endif
