/*
 * How many handshakes are answered: they cost multiplications. Where more come
 * than are answered at ease, and for a second after, whoever sends one must
 * show that it receives at its address (cookie.h), and each address may send
 * 20 a second, 5 at once. Nothing is kept of a stranger: addresses share a
 * table of fixed size by a keyed hash.
 */
#ifndef WIREGUARD_ADMISSION_H
#define WIREGUARD_ADMISSION_H

#include "gateway/base/address.h"
#include "gateway/base/siphash.h"
#include "gateway/base/token_bucket.h"

enum {
    ADMISSION_EASE = 500,       /* a second, */
    ADMISSION_EASE_BURST = 128, /* and so many at once */
    ADMISSION_SOURCE = 20,
    ADMISSION_SOURCE_BURST = 5,
    ADMISSION_SOURCES = 1024,
    ADMISSION_LOADED_FOR = 1, /* s, after the last that was too many */
};

struct admission {
    struct siphash_key key;
    struct token_bucket ease;
    struct instant loaded_until;
    struct token_bucket sources[ADMISSION_SOURCES];
};

/* `random` has 16 bytes. */
void admission_init(struct admission *a, const uint8_t random[16]);
/* One more handshake message has come: are there too many? */
MUST_USE bool admission_loaded(struct admission *a, struct instant now);
/* Asked under load of an address that was proven. An IPv6 address counts with
 * its /64. */
MUST_USE bool admission_take(struct admission *a, struct instant now,
                             const struct address *source);

#endif
