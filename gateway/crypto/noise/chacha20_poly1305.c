#include "gateway/crypto/noise/chacha20_poly1305.h"

#include <assert.h>
#include <sodium/crypto_aead_chacha20poly1305.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>

static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES ==
                      CHACHA20_POLY1305_TAG_SIZE &&
                  crypto_aead_chacha20poly1305_ietf_NPUBBYTES ==
                      CHACHA20_POLY1305_NONCE_SIZE &&
                  crypto_aead_xchacha20poly1305_ietf_NPUBBYTES ==
                      CHACHA20_POLY1305_LONG_NONCE_SIZE,
              "the sizes are the library's");

void chacha20_poly1305_seal(uint8_t *sealed, struct bytes plain,
                            struct bytes associated,
                            const uint8_t nonce[CHACHA20_POLY1305_NONCE_SIZE],
                            const uint8_t key[CHACHA20_POLY1305_KEY_SIZE])
{
    int failed = crypto_aead_chacha20poly1305_ietf_encrypt(
        sealed, NULL, plain.data, plain.size, associated.data, associated.size,
        NULL, nonce, key);
    assert(!failed); /* it never does */
}

bool chacha20_poly1305_open(uint8_t *plain, struct bytes sealed,
                            struct bytes associated,
                            const uint8_t nonce[CHACHA20_POLY1305_NONCE_SIZE],
                            const uint8_t key[CHACHA20_POLY1305_KEY_SIZE])
{
    return crypto_aead_chacha20poly1305_ietf_decrypt(
               plain, NULL, NULL, sealed.data, sealed.size, associated.data,
               associated.size, nonce, key) == 0;
}

void chacha20_poly1305_seal_long(
    uint8_t *sealed, struct bytes plain, struct bytes associated,
    const uint8_t nonce[CHACHA20_POLY1305_LONG_NONCE_SIZE],
    const uint8_t key[CHACHA20_POLY1305_KEY_SIZE])
{
    int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        sealed, NULL, plain.data, plain.size, associated.data, associated.size,
        NULL, nonce, key);
    assert(!failed); /* it never does */
}

bool chacha20_poly1305_open_long(
    uint8_t *plain, struct bytes sealed, struct bytes associated,
    const uint8_t nonce[CHACHA20_POLY1305_LONG_NONCE_SIZE],
    const uint8_t key[CHACHA20_POLY1305_KEY_SIZE])
{
    return crypto_aead_xchacha20poly1305_ietf_decrypt(
               plain, NULL, NULL, sealed.data, sealed.size, associated.data,
               associated.size, nonce, key) == 0;
}
