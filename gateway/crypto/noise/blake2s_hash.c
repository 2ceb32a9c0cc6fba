#include "gateway/crypto/noise/blake2s_hash.h"

#include <assert.h>
#include <blake2.h>

#include "gateway/base/secret.h"

enum { BLOCK_SIZE = 64 };

static_assert((int)BLAKE2S_OUTBYTES == (int)BLAKE2S_HASH_SIZE &&
                  (int)BLAKE2S_BLOCKBYTES == (int)BLOCK_SIZE,
              "the sizes are the library's");

/* The library fails only for sizes that are not the hash's. */
static void add(blake2s_state *state, struct bytes input)
{
    int failed = blake2s_update(state, input.data, input.size);
    assert(!failed);
}

static void finish(blake2s_state *state, uint8_t *out, size_t size)
{
    int failed = blake2s_final(state, out, size);
    assert(!failed);
    secret_wipe(state, sizeof *state);
}

void blake2s_hash(uint8_t out[BLAKE2S_HASH_SIZE], struct bytes first,
                  struct bytes second)
{
    blake2s_state state;
    int failed = blake2s_init(&state, BLAKE2S_HASH_SIZE);
    assert(!failed);
    add(&state, first);
    add(&state, second);
    finish(&state, out, BLAKE2S_HASH_SIZE);
}

void blake2s_hash_mac(uint8_t out[BLAKE2S_HASH_MAC_SIZE], struct bytes key,
                      struct bytes input)
{
    blake2s_state state;
    int failed =
        blake2s_init_key(&state, BLAKE2S_HASH_MAC_SIZE, key.data, key.size);
    assert(!failed);
    add(&state, input);
    finish(&state, out, BLAKE2S_HASH_MAC_SIZE);
}

void blake2s_hash_hmac(uint8_t out[BLAKE2S_HASH_SIZE], struct bytes key,
                       struct bytes first, struct bytes second)
{
    uint8_t inner[BLOCK_SIZE] = {0}, outer[BLOCK_SIZE];
    uint8_t digest[BLAKE2S_HASH_SIZE];
    blake2s_state state;
    assert(key.size <= BLOCK_SIZE);
    if (key.size)
        memcpy(inner, key.data, key.size);
    for (size_t i = 0; i < BLOCK_SIZE; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    int failed = blake2s_init(&state, BLAKE2S_HASH_SIZE);
    assert(!failed);
    add(&state, bytes_of(inner, sizeof inner));
    add(&state, first);
    add(&state, second);
    finish(&state, digest, sizeof digest);
    blake2s_hash(out, bytes_of(outer, sizeof outer),
                 bytes_of(digest, sizeof digest));
    secret_wipe(inner, sizeof inner);
    secret_wipe(outer, sizeof outer);
    secret_wipe(digest, sizeof digest);
}

void blake2s_hash_derive(uint8_t *const out[], size_t count,
                         const uint8_t chaining_key[BLAKE2S_HASH_SIZE],
                         struct bytes input)
{
    uint8_t extracted[BLAKE2S_HASH_SIZE], key[BLAKE2S_HASH_SIZE];
    assert(count > 0 && count <= BLAKE2S_HASH_KEYS_MAX);
    blake2s_hash_hmac(extracted, bytes_of(chaining_key, BLAKE2S_HASH_SIZE),
                      input, bytes_of(NULL, 0));
    struct bytes before = bytes_of(NULL, 0);
    for (uint8_t i = 1; i <= count; i++) {
        blake2s_hash_hmac(key, bytes_of(extracted, sizeof extracted), before,
                          bytes_of(&i, 1));
        if (out[i - 1])
            memcpy(out[i - 1], key, sizeof key);
        before = bytes_of(key, sizeof key);
    }
    secret_wipe(extracted, sizeof extracted);
    secret_wipe(key, sizeof key);
}
