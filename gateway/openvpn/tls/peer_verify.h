/*
 * Whether the certificate of the peer is the one that the profile wants, and
 * if not, why, in one line for a person. The TLS library checks the chain and
 * asks this judge about each certificate, the authority's first; what OpenVPN
 * checks on top is checked here (openvpn: ssl_verify.c).
 *
 * Validity is judged by the time that was passed in, not by the library's
 * clock, so that the whole client can be run against a clock of its own.
 */
#ifndef OPENVPN_TLS_PEER_VERIFY_H
#define OPENVPN_TLS_PEER_VERIFY_H

#include "gateway/crypto/certificates.h"
#include "gateway/openvpn/config/config.h"
#include "gateway/openvpn/tls/distinguished_name.h"

enum {
    PEER_VERIFY_REASON_SIZE = 768,
    PEER_KEY_USAGE_ANY = 0xffff, /* a mask: stated at all is enough */
};

/* The demands on the peer's own certificate; all borrowed. */
struct peer_rules {
    const char *peer;     /* "server" or "client", for the reason */
    bool server_usage;    /* remote-cert-tls server: usage must be stated */
    bool client_usage;    /* remote-cert-tls client */
    bool netscape_server; /* ns-cert-type server */
    const uint16_t *key_usages; /* one of these masks must be covered */
    size_t key_usage_count;
    const char *extended_usage; /* name or dotted OID; NULL: any */
    enum config_name_type name_type;
    const char *name;
    const struct blob *fingerprints; /* SHA-256 of the DER */
    size_t fingerprint_count;
    bool fingerprint_instead; /* no authority was given: it alone decides */
};

struct peer_verify {
    const struct peer_rules *rules;
    const struct revocations *revoked; /* borrowed, or NULL */
    uint32_t unix_time;
    char subject[DISTINGUISHED_NAME_SIZE]; /* of the peer's own certificate */
    char common_name[COMMON_NAME_SIZE];
    char reason[PEER_VERIFY_REASON_SIZE]; /* "" while nothing is wrong */
};

void peer_verify_init(struct peer_verify *v, const struct peer_rules *rules,
                      const struct revocations *revoked, uint32_t unix_time);

/* Borrows `v`. */
struct certificate_judge peer_verify_judge(struct peer_verify *v);

/* The reason that is left when the library refuses a chain without the judge
 * having seen why: one for its faults. */
void peer_verify_explain(struct peer_verify *v, uint32_t faults);

#endif
