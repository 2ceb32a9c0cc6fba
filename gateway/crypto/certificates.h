/*
 * Certificates of files, as OpenSSL would take them: PEM blocks one after
 * another, or one in DER. Policies restrict nothing where nobody asks for one,
 * so they are passed over, as OpenSSL does by default. Another critical
 * extension that the library does not know makes a certificate unreadable or
 * untrusted.
 */
#ifndef CRYPTO_CERTIFICATES_H
#define CRYPTO_CERTIFICATES_H

#include "gateway/crypto/certificate.h"
#include "gateway/crypto/revocations.h"

enum { CERTIFICATES_WHY_SIZE = 160 };

struct certificates;

struct certificates_result {
    unsigned read, unread;
    char why[CERTIFICATES_WHY_SIZE]; /* of the first unread one, or "" */
};

/* Empty; NULL when memory is short. */
struct certificates *certificates_new(void);
void certificates_free(struct certificates *c);

/* Holds PEM; else it is DER. */
static inline bool certificates_is_pem(struct bytes text)
{
    static const char mark[] = "-----BEGIN ";
    return text.size && memmem(text.data, text.size, mark, sizeof mark - 1);
}

/* Appends what can be read. `text` is PEM if it holds any, and has a NUL behind
 * its end. False if nothing could be read. */
MUST_USE bool certificates_read(struct certificates *c, struct bytes text,
                                struct certificates_result *result);

size_t certificates_count(const struct certificates *c);
/* False behind the last one; NULL has none. */
MUST_USE bool certificates_at(const struct certificates *c, size_t index,
                              struct certificate *out);

/* A server's chain is verified as a handshake would; for what has no handshake.
 * False if it is refused. `revoked` may be NULL; `now` is s since 1970. */
MUST_USE bool certificates_verify(const struct certificates *chain,
                                  const struct certificates *authorities,
                                  const struct revocations *revoked,
                                  enum certificate_strength strength,
                                  const struct certificate_judge *judge,
                                  int64_t now);

#endif
