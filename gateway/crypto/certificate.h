/*
 * One X.509 certificate as far as a judge has to know it, what can be wrong
 * with it, and the judge: who decides about each certificate of a chain after
 * the library has looked at it.
 */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H

#include "gateway/base/bytes.h"

enum { CERTIFICATE_PURPOSES_MAX = 32 };

/* keyUsage, RFC 5280 4.2.1.3, as its bytes stand in DER. */
enum certificate_usage {
    CERTIFICATE_DIGITAL_SIGNATURE = 0x80,
    CERTIFICATE_KEY_ENCIPHERMENT = 0x20,
    CERTIFICATE_KEY_AGREEMENT = 0x08,
    CERTIFICATE_KEY_CERT_SIGN = 0x04,
    CERTIFICATE_ENCIPHER_ONLY = 0x01,
    CERTIFICATE_DECIPHER_ONLY = 0x8000,
};

/* Borrowed from the chain that it is of. */
struct certificate {
    struct bytes der;             /* all of it */
    struct bytes subject, issuer; /* each a Name in DER */
    int64_t valid_from, valid_to; /* s since 1970 */
    bool states_usage;            /* whether it has a keyUsage */
    uint16_t usage;               /* of enum certificate_usage */
    bool netscape_server;         /* nsCertType says server */
    size_t purpose_count;         /* of extKeyUsage; the first ones */
    struct bytes purposes[CERTIFICATE_PURPOSES_MAX]; /* OIDs, DER's content */
};

enum certificate_fault {
    CERTIFICATE_EXPIRED = 1 << 0,
    CERTIFICATE_FUTURE = 1 << 1, /* not valid yet */
    CERTIFICATE_REVOKED = 1 << 2,
    CERTIFICATE_UNTRUSTED = 1 << 3, /* its issuer is unknown */
    CERTIFICATE_MISSING = 1 << 4,
    CERTIFICATE_WEAK_HASH = 1 << 5,
    CERTIFICATE_KEY_KIND = 1 << 6, /* a kind that is not allowed */
    CERTIFICATE_WEAK_KEY = 1 << 7,
    CERTIFICATE_BAD_USAGE = 1 << 8,     /* keyUsage */
    CERTIFICATE_BAD_PURPOSE = 1 << 9,   /* extKeyUsage */
    CERTIFICATE_BAD_NETSCAPE = 1 << 10, /* nsCertType */
    CERTIFICATE_LIST_EXPIRED = 1 << 11, /* the revocation list of its issuer */
    CERTIFICATE_LIST_FUTURE = 1 << 12,
    CERTIFICATE_LIST_UNTRUSTED = 1 << 13,
    CERTIFICATE_LIST_WEAK = 1 << 14, /* its signature */
    CERTIFICATE_REFUSED = 1 << 15,   /* by the judge, or for any other reason */
};

struct certificate_judge {
    void *context;
    /* The faults that remain of those found; what is not 0 refuses the chain.
     * Called for each certificate, the peer's own, of depth 0, last. */
    uint32_t (*decide)(void *context, const struct certificate *c,
                       unsigned depth, uint32_t faults);
};

/* The demands on a chain. */
enum certificate_strength {
    CERTIFICATE_LEGACY,    /* SHA-1, RSA with 1024 bits */
    CERTIFICATE_PREFERRED, /* SHA-2, RSA with 2048 bits, P-256 */
    CERTIFICATE_SUITEB,
    CERTIFICATE_INSECURE,
};

#endif
