/*
 * The MACs at the end of each handshake message, and the cookies that a busy
 * responder asks for (wireguard paper 5.3, 5.4.4, 5.4.7).
 *
 * mac1 shows that the sender knows the receiver's public key. mac2 shows that
 * it receives at the address that it sends from: its key is a cookie that was
 * sent there.
 */
#ifndef WIREGUARD_COOKIE_H
#define WIREGUARD_COOKIE_H

#include "gateway/base/address.h"
#include "gateway/base/instant.h"
#include "gateway/wireguard/wire.h"

enum { COOKIE_SECRET_SIZE = 32, COOKIE_SECONDS = 120 };

/* For our messages to one peer. */
struct cookie_holder {
    uint8_t mac1_key[WIRE_KEY_SIZE], cookie_key[WIRE_KEY_SIZE];
    uint8_t last_mac1[WIRE_MAC_SIZE];
    bool awaiting; /* the last message may still be answered with a cookie */
    bool held;
    uint8_t cookie[WIRE_COOKIE_SIZE];
    struct instant received;
};

void cookie_holder_init(struct cookie_holder *h,
                        const uint8_t peer_public_key[WIRE_KEY_SIZE]);
/* Fills in the last 32 bytes of a handshake message. */
void cookie_holder_stamp(struct cookie_holder *h, struct instant now,
                         uint8_t *message, size_t size);
/* False where it does not open, or answers no message of ours. */
MUST_USE bool cookie_holder_take(struct cookie_holder *h, struct instant now,
                                 const struct wire_cookie_reply *reply);

/* For the messages that we receive. */
struct cookie_checker {
    uint8_t mac1_key[WIRE_KEY_SIZE], cookie_key[WIRE_KEY_SIZE];
    uint8_t secret[COOKIE_SECRET_SIZE];
    struct instant made;
    bool has_secret;
};

void cookie_checker_init(struct cookie_checker *c,
                         const uint8_t our_public_key[WIRE_KEY_SIZE]);
/* True if the MAC of a whole handshake message is right. */
MUST_USE bool cookie_checker_mac1(const struct cookie_checker *c,
                                  struct bytes message);
MUST_USE bool cookie_checker_mac2(const struct cookie_checker *c,
                                  struct instant now, struct bytes message,
                                  const struct endpoint *from);
/* The secret is to be replaced before a reply is made. */
bool cookie_checker_stale(const struct cookie_checker *c, struct instant now);
void cookie_checker_renew(struct cookie_checker *c, struct instant now,
                          const uint8_t secret[COOKIE_SECRET_SIZE]);
/* The answer to a handshake message of `sender`, with a random nonce. */
void cookie_checker_reply(const struct cookie_checker *c, struct bytes message,
                          uint32_t sender, const struct endpoint *from,
                          const uint8_t nonce[WIRE_NONCE_SIZE],
                          uint8_t out[WIRE_COOKIE_REPLY_SIZE]);

#endif
