#include "gateway/wireguard/cookie.h"

#include <assert.h>

#include "gateway/base/secret.h"
#include "gateway/crypto/noise/blake2s_hash.h"
#include "gateway/crypto/noise/chacha20_poly1305.h"

enum { MACS_SIZE = 2 * WIRE_MAC_SIZE };

static void make_keys(const uint8_t public_key[WIRE_KEY_SIZE],
                      uint8_t mac1_key[WIRE_KEY_SIZE],
                      uint8_t cookie_key[WIRE_KEY_SIZE])
{
    struct bytes key = bytes_of(public_key, WIRE_KEY_SIZE);
    blake2s_hash(mac1_key, bytes_of_text("mac1----"), key);
    blake2s_hash(cookie_key, bytes_of_text("cookie--"), key);
}

static void make_mac1(const uint8_t key[WIRE_KEY_SIZE], struct bytes message,
                      uint8_t out[WIRE_MAC_SIZE])
{
    blake2s_hash_mac(out, bytes_of(key, WIRE_KEY_SIZE),
                     bytes_of(message.data, message.size - MACS_SIZE));
}

static void make_mac2(const uint8_t cookie[WIRE_COOKIE_SIZE],
                      struct bytes message, uint8_t out[WIRE_MAC_SIZE])
{
    blake2s_hash_mac(out, bytes_of(cookie, WIRE_COOKIE_SIZE),
                     bytes_of(message.data, message.size - WIRE_MAC_SIZE));
}

static struct bytes mac1_of(struct bytes message)
{
    return bytes_of(message.data + message.size - MACS_SIZE, WIRE_MAC_SIZE);
}

static struct bytes mac2_of(struct bytes message)
{
    return bytes_of(message.data + message.size - WIRE_MAC_SIZE, WIRE_MAC_SIZE);
}

static bool expired(struct instant now, struct instant made)
{
    return instant_reached(
        now, instant_after(made, duration_seconds(COOKIE_SECONDS)));
}

/* --- What we send -------------------------------------------------------- */

void cookie_holder_init(struct cookie_holder *h,
                        const uint8_t peer_public_key[WIRE_KEY_SIZE])
{
    *h = (struct cookie_holder){0};
    make_keys(peer_public_key, h->mac1_key, h->cookie_key);
}

void cookie_holder_stamp(struct cookie_holder *h, struct instant now,
                         uint8_t *message, size_t size)
{
    uint8_t *macs = message + size - MACS_SIZE;
    struct bytes all = bytes_of(message, size);
    assert(size > MACS_SIZE);
    make_mac1(h->mac1_key, all, macs);
    memcpy(h->last_mac1, macs, WIRE_MAC_SIZE);
    h->awaiting = true;
    if (h->held && expired(now, h->received))
        h->held = false;
    if (h->held)
        make_mac2(h->cookie, all, macs + WIRE_MAC_SIZE);
    else
        memset(macs + WIRE_MAC_SIZE, 0, WIRE_MAC_SIZE);
}

bool cookie_holder_take(struct cookie_holder *h, struct instant now,
                        const struct wire_cookie_reply *reply)
{
    uint8_t cookie[WIRE_COOKIE_SIZE];
    struct bytes sealed =
        bytes_of(reply->sealed_cookie, sizeof reply->sealed_cookie);
    if (!h->awaiting ||
        !chacha20_poly1305_open_long(cookie, sealed,
                                     bytes_of(h->last_mac1, WIRE_MAC_SIZE),
                                     reply->nonce, h->cookie_key))
        return false;
    memcpy(h->cookie, cookie, sizeof cookie);
    h->received = now;
    h->held = true;
    h->awaiting = false;
    return true;
}

/* --- What we receive ----------------------------------------------------- */

void cookie_checker_init(struct cookie_checker *c,
                         const uint8_t our_public_key[WIRE_KEY_SIZE])
{
    *c = (struct cookie_checker){0};
    make_keys(our_public_key, c->mac1_key, c->cookie_key);
}

bool cookie_checker_mac1(const struct cookie_checker *c, struct bytes message)
{
    uint8_t mac[WIRE_MAC_SIZE];
    make_mac1(c->mac1_key, message, mac);
    return secret_equal(bytes_of(mac, sizeof mac), mac1_of(message));
}

static void make_cookie(const struct cookie_checker *c,
                        const struct endpoint *from,
                        uint8_t out[WIRE_COOKIE_SIZE])
{
    uint8_t source[16 + 2];
    size_t size = address_size(from->address.family);
    memcpy(source, from->address.bytes, size);
    store_u16(source + size, from->port);
    blake2s_hash_mac(out, bytes_of(c->secret, sizeof c->secret),
                     bytes_of(source, size + 2));
}

bool cookie_checker_mac2(const struct cookie_checker *c, struct instant now,
                         struct bytes message, const struct endpoint *from)
{
    uint8_t cookie[WIRE_COOKIE_SIZE], mac[WIRE_MAC_SIZE];
    if (cookie_checker_stale(c, now))
        return false;
    make_cookie(c, from, cookie);
    make_mac2(cookie, message, mac);
    secret_wipe(cookie, sizeof cookie);
    return secret_equal(bytes_of(mac, sizeof mac), mac2_of(message));
}

bool cookie_checker_stale(const struct cookie_checker *c, struct instant now)
{
    return !c->has_secret || expired(now, c->made);
}

void cookie_checker_renew(struct cookie_checker *c, struct instant now,
                          const uint8_t secret[COOKIE_SECRET_SIZE])
{
    memcpy(c->secret, secret, sizeof c->secret);
    c->made = now;
    c->has_secret = true;
}

void cookie_checker_reply(const struct cookie_checker *c, struct bytes message,
                          uint32_t sender, const struct endpoint *from,
                          const uint8_t nonce[WIRE_NONCE_SIZE],
                          uint8_t out[WIRE_COOKIE_REPLY_SIZE])
{
    struct wire_cookie_reply reply = {.receiver = sender};
    uint8_t cookie[WIRE_COOKIE_SIZE];
    memcpy(reply.nonce, nonce, sizeof reply.nonce);
    make_cookie(c, from, cookie);
    chacha20_poly1305_seal_long(reply.sealed_cookie,
                                bytes_of(cookie, sizeof cookie),
                                mac1_of(message), nonce, c->cookie_key);
    wire_write_cookie_reply(out, &reply);
    secret_wipe(cookie, sizeof cookie);
}
