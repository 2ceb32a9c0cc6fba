#include "gateway/wireguard/handshake.h"

#include "gateway/base/secret.h"
#include "gateway/crypto/noise/blake2s_hash.h"
#include "gateway/crypto/noise/chacha20_poly1305.h"
#include "gateway/crypto/noise/x25519.h"

#define CONSTRUCTION "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
#define IDENTIFIER   "WireGuard v1 zx2c4 Jason@zx2c4.com"

/* Each key of a handshake seals one message. */
static const uint8_t first_nonce[CHACHA20_POLY1305_NONCE_SIZE];
static const struct bytes nothing = {NULL, 0};

static struct bytes key_bytes(const uint8_t key[WIRE_KEY_SIZE])
{
    return bytes_of(key, WIRE_KEY_SIZE);
}

static void mix_hash(struct handshake *h, struct bytes data)
{
    blake2s_hash(h->hash, key_bytes(h->hash), data);
}

/* The key that comes of it may be NULL: nobody wants it. */
static void mix_key(struct handshake *h, struct bytes input,
                    uint8_t key[WIRE_KEY_SIZE])
{
    blake2s_hash_derive((uint8_t *[]){h->chaining_key, key}, key ? 2 : 1,
                        h->chaining_key, input);
}

static bool mix_shared(struct handshake *h, const uint8_t private_key[],
                       const uint8_t public_key[], uint8_t key[])
{
    uint8_t shared[WIRE_KEY_SIZE];
    bool good = x25519_shared(shared, private_key, public_key);
    if (good)
        mix_key(h, key_bytes(shared), key);
    secret_wipe(shared, sizeof shared);
    return good;
}

static void mix_ephemeral(struct handshake *h, const uint8_t public_key[])
{
    mix_key(h, key_bytes(public_key), NULL);
    mix_hash(h, key_bytes(public_key));
}

static void mix_preshared(struct handshake *h, const uint8_t preshared[],
                          uint8_t key[WIRE_KEY_SIZE])
{
    uint8_t tau[WIRE_KEY_SIZE];
    blake2s_hash_derive((uint8_t *[]){h->chaining_key, tau, key}, 3,
                        h->chaining_key, key_bytes(preshared));
    mix_hash(h, key_bytes(tau));
    secret_wipe(tau, sizeof tau);
}

static void seal(struct handshake *h, uint8_t key[WIRE_KEY_SIZE],
                 struct bytes plain, uint8_t *sealed)
{
    chacha20_poly1305_seal(sealed, plain, key_bytes(h->hash), first_nonce, key);
    mix_hash(h, bytes_of(sealed, plain.size + WIRE_TAG_SIZE));
    secret_wipe(key, WIRE_KEY_SIZE);
}

static bool open(struct handshake *h, uint8_t key[WIRE_KEY_SIZE],
                 struct bytes sealed, uint8_t *plain)
{
    bool good = chacha20_poly1305_open(plain, sealed, key_bytes(h->hash),
                                       first_nonce, key);
    mix_hash(h, sealed);
    secret_wipe(key, WIRE_KEY_SIZE);
    return good;
}

/* Before the first message both know the responder's key. */
static void begin(struct handshake *h, const uint8_t responder[WIRE_KEY_SIZE])
{
    blake2s_hash(h->chaining_key, bytes_of_text(CONSTRUCTION), nothing);
    blake2s_hash(h->hash, key_bytes(h->chaining_key),
                 bytes_of_text(IDENTIFIER));
    mix_hash(h, key_bytes(responder));
}

static void take_ephemeral(struct handshake *h, const uint8_t random[],
                           uint8_t public_key[])
{
    memcpy(h->ephemeral, random, WIRE_KEY_SIZE);
    x25519_clamp(h->ephemeral);
    x25519_public(public_key, h->ephemeral);
}

void handshake_identity_init(struct identity *identity,
                             const uint8_t private_key[WIRE_KEY_SIZE])
{
    memcpy(identity->private_key, private_key, WIRE_KEY_SIZE);
    x25519_clamp(identity->private_key);
    x25519_public(identity->public_key, identity->private_key);
}

bool handshake_peer_init(struct handshake_peer *peer,
                         const struct identity *identity,
                         const uint8_t public_key[WIRE_KEY_SIZE],
                         const uint8_t preshared[WIRE_KEY_SIZE])
{
    memcpy(peer->public_key, public_key, WIRE_KEY_SIZE);
    memcpy(peer->preshared, preshared, WIRE_KEY_SIZE);
    if (x25519_shared(peer->shared, identity->private_key, public_key))
        return true;
    secret_wipe(peer, sizeof *peer);
    return false;
}

bool handshake_initiate(struct handshake *h, const struct identity *identity,
                        const struct handshake_peer *peer,
                        const uint8_t ephemeral[WIRE_KEY_SIZE],
                        uint32_t local_index,
                        const uint8_t timestamp[WIRE_TIMESTAMP_SIZE],
                        struct wire_initiation *out)
{
    uint8_t key[WIRE_KEY_SIZE];
    *h = (struct handshake){.initiator = true, .local_index = local_index};
    *out = (struct wire_initiation){.sender = local_index};
    begin(h, peer->public_key);
    take_ephemeral(h, ephemeral, out->ephemeral);
    mix_ephemeral(h, out->ephemeral);
    if (!mix_shared(h, h->ephemeral, peer->public_key, key))
        return false;
    seal(h, key, key_bytes(identity->public_key), out->sealed_static);
    mix_key(h, key_bytes(peer->shared), key);
    seal(h, key, bytes_of(timestamp, WIRE_TIMESTAMP_SIZE),
         out->sealed_timestamp);
    return true;
}

bool handshake_identify(struct handshake *h, const struct identity *identity,
                        const struct wire_initiation *m)
{
    uint8_t key[WIRE_KEY_SIZE];
    *h = (struct handshake){.remote_index = m->sender};
    memcpy(h->remote_ephemeral, m->ephemeral, WIRE_KEY_SIZE);
    begin(h, identity->public_key);
    mix_ephemeral(h, m->ephemeral);
    return mix_shared(h, identity->private_key, m->ephemeral, key) &&
           open(h, key, bytes_of(m->sealed_static, sizeof m->sealed_static),
                h->remote_static);
}

bool handshake_accept(struct handshake *h, const struct handshake_peer *peer,
                      const struct wire_initiation *m,
                      uint8_t timestamp[WIRE_TIMESTAMP_SIZE])
{
    uint8_t key[WIRE_KEY_SIZE];
    mix_key(h, key_bytes(peer->shared), key);
    return open(h, key,
                bytes_of(m->sealed_timestamp, sizeof m->sealed_timestamp),
                timestamp);
}

bool handshake_respond(struct handshake *h, const struct handshake_peer *peer,
                       const uint8_t ephemeral[WIRE_KEY_SIZE],
                       uint32_t local_index, struct wire_response *out)
{
    uint8_t key[WIRE_KEY_SIZE];
    h->local_index = local_index;
    *out = (struct wire_response){.sender = local_index,
                                  .receiver = h->remote_index};
    take_ephemeral(h, ephemeral, out->ephemeral);
    mix_ephemeral(h, out->ephemeral);
    if (!mix_shared(h, h->ephemeral, h->remote_ephemeral, NULL) ||
        !mix_shared(h, h->ephemeral, peer->public_key, NULL))
        return false;
    mix_preshared(h, peer->preshared, key);
    seal(h, key, nothing, out->sealed_empty);
    return true;
}

bool handshake_finish(const struct handshake *h,
                      const struct identity *identity,
                      const struct handshake_peer *peer,
                      const struct wire_response *m, struct handshake *done)
{
    uint8_t key[WIRE_KEY_SIZE];
    *done = *h;
    done->remote_index = m->sender;
    mix_ephemeral(done, m->ephemeral);
    if (!mix_shared(done, h->ephemeral, m->ephemeral, NULL) ||
        !mix_shared(done, identity->private_key, m->ephemeral, NULL))
        return false;
    mix_preshared(done, peer->preshared, key);
    return open(done, key, bytes_of(m->sealed_empty, sizeof m->sealed_empty),
                NULL);
}

void handshake_keys(struct handshake *h, struct handshake_keys *out)
{
    uint8_t *first = h->initiator ? out->send : out->receive;
    uint8_t *second = h->initiator ? out->receive : out->send;
    blake2s_hash_derive((uint8_t *[]){first, second}, 2, h->chaining_key,
                        nothing);
    handshake_clear(h);
}

void handshake_clear(struct handshake *h)
{
    secret_wipe(h, sizeof *h);
}
