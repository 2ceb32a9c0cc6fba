/*
 * Shared by all TLS connections of one end: whom it trusts, what it shows, and
 * what it offers. TLS 1.2 and 1.3, without renegotiation, resumption and
 * tickets: OpenVPN makes new keys with a new handshake. The connections are
 * tls_connection.h. Arguments are borrowed for the end's life, except where it
 * says otherwise.
 */
#ifndef CRYPTO_TLS_END_H
#define CRYPTO_TLS_END_H

#include "gateway/crypto/certificates.h"
#include "gateway/crypto/private_key.h"
#include "gateway/crypto/revocations.h"
#include "gateway/crypto/tls_random.h"

struct tls_end;

enum tls_end_kind { TLS_END_CLIENT, TLS_END_SERVER };
enum tls_end_version { TLS_END_1_2, TLS_END_1_3 };

/* The fate of a peer without a certificate, or with a bad one. */
enum tls_end_demand {
    TLS_END_REQUIRED, /* both are refused */
    TLS_END_OPTIONAL, /* only a bad one is */
    TLS_END_NONE,     /* none is asked for */
};

/* Trusts nobody and shows nothing. NULL when memory is short, or the library
 * does not start. `random` is copied. */
struct tls_end *tls_end_new(enum tls_end_kind kind,
                            const struct tls_random *random);
void tls_end_free(struct tls_end *e);

/* `revoked` is read at each handshake. */
MUST_USE bool tls_end_trust(struct tls_end *e,
                            const struct certificates *authorities,
                            const struct revocations *revoked);
void tls_end_demand(struct tls_end *e, enum tls_end_demand demand);
void tls_end_set_strength(struct tls_end *e,
                          enum certificate_strength strength);
/* Our own: the key's certificate first, and its authorities behind it. */
MUST_USE bool tls_end_show(struct tls_end *e, struct certificates *own,
                           struct private_key *key);

void tls_end_set_versions(struct tls_end *e, enum tls_end_version oldest,
                          enum tls_end_version newest);
/* By the numbers of IANA's registries, 0 behind the last, the best first; they
 * are copied. Numbers that the library lacks are passed over. */
MUST_USE bool tls_end_set_suites(struct tls_end *e, const uint16_t *suites);
MUST_USE bool tls_end_set_groups(struct tls_end *e, const uint16_t *groups);

/* The number of a cipher suite by IANA's name, with '-' in the place of '_'
 * ("TLS-AES-256-GCM-SHA384"). 0 if the library lacks it. */
uint16_t tls_end_suite_number(const char *name);

/* Whether the library has the group with that number of IANA's. */
bool tls_end_has_group(uint16_t group);

/* In brackets, what an end that finds nothing in common with us may have and
 * this library lacks; "" for nothing of note. */
const char *tls_end_lack(void);

#endif
