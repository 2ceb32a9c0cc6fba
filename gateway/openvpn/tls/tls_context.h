/*
 * Shared by all TLS handshakes of one end: authorities, own certificate and
 * key, revocation list, versions, cipher suites, groups; parsed once. The
 * handshakes themselves are tls_session.h. Role-neutral.
 */
#ifndef OPENVPN_TLS_TLS_CONTEXT_H
#define OPENVPN_TLS_TLS_CONTEXT_H

#include "gateway/crypto/tls_end.h"
#include "gateway/openvpn/keys/static_key.h"
#include "gateway/openvpn/tls/peer_verify.h"

enum { TLS_PROBLEM_SIZE = 256 };

struct tls_context {
    enum openvpn_role role;
    struct tls_random random;
    struct peer_rules rules;
    struct tls_end *end; /* owned, as what it borrows */
    struct certificates *authorities, *own;
    struct revocations *revoked;
    struct private_key *key;             /* NULL: none */
    enum tls_end_version oldest, newest; /* that the profile allows */
    bool password_wrong; /* of the private key; why it cannot be used */
    char problem[TLS_PROBLEM_SIZE]; /* why it cannot be used, or "" */
};

/* From the TLS part of a profile, which is borrowed for the context's life.
 * `key_password` may be NULL. False if something in it cannot be used: the
 * log and `problem`, which outlives tls_context_clear(), say what. To be
 * cleared in either case. */
MUST_USE bool tls_context_init(struct tls_context *t, enum openvpn_role role,
                               const struct config *config,
                               struct bytes key_password,
                               const struct tls_random *random);
/* Whether sessions to come offer TLS 1.3; they do at first, if the profile
 * lets them. False if they must or must not. */
MUST_USE bool tls_context_offer_tls_1_3(struct tls_context *t, bool offer);
/* The demand on the peer's certificate; at first it is required. */
void tls_context_demand(struct tls_context *t, enum tls_end_demand demand);
/* Another list of revoked certificates, for handshakes from now on. False, and
 * the one before stays, if it cannot be read; the log says why. */
MUST_USE bool tls_context_revoke(struct tls_context *t,
                                 const struct blob *list);
/* Wipes the key. */
void tls_context_clear(struct tls_context *t);

/* The PEM of a private key says that it is encrypted. */
bool tls_context_key_is_encrypted(struct bytes key);
/* The private key or PKCS#12 container of the profile is encrypted, so that a
 * password is needed. Tries a container with an empty one: not for the way of
 * packets. */
bool tls_context_needs_password(const struct config *config);

#endif
