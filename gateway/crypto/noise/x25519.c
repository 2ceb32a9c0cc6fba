/*
 * sodium_init() is not called: it reads the system's randomness, which is not
 * for a core to do, and otherwise only looks for faster code. The functions
 * called here have no state.
 */
#include "gateway/crypto/noise/x25519.h"

#include <assert.h>
#include <sodium/crypto_scalarmult_curve25519.h>

static_assert(crypto_scalarmult_curve25519_BYTES == X25519_KEY_SIZE,
              "the size of a point");

void x25519_clamp(uint8_t private_key[X25519_KEY_SIZE])
{
    private_key[0] &= 248;
    private_key[31] = (uint8_t)((private_key[31] & 127) | 64);
}

void x25519_public(uint8_t out[X25519_KEY_SIZE],
                   const uint8_t private_key[X25519_KEY_SIZE])
{
    int failed = crypto_scalarmult_curve25519_base(out, private_key);
    assert(!failed); /* it never does */
}

bool x25519_shared(uint8_t out[X25519_KEY_SIZE],
                   const uint8_t private_key[X25519_KEY_SIZE],
                   const uint8_t public_key[X25519_KEY_SIZE])
{
    static const uint8_t zero[X25519_KEY_SIZE];
    if (crypto_scalarmult_curve25519(out, private_key, public_key) == 0)
        return true;
    memcpy(out, zero, sizeof zero);
    return false;
}
