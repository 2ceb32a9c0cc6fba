/* Lists of revoked certificates (RFC 5280 5), from PEM or DER. */
#ifndef CRYPTO_REVOCATIONS_H
#define CRYPTO_REVOCATIONS_H

#include "gateway/base/bytes.h"

enum { REVOCATIONS_WHY_SIZE = 128 };

struct revocations;

/* One list, borrowed. */
struct revocation_list {
    struct bytes issuer; /* a Name in DER */
    int64_t since;       /* s since 1970 */
    bool ends;           /* whether there is ... */
    int64_t until;       /* ... a time of the next one */
};

/* None; NULL when memory is short. */
struct revocations *revocations_new(void);
void revocations_free(struct revocations *r);

/* Replaces what is there; what borrows `r` sees the new ones. `text` has a NUL
 * behind its end. False, and nothing has changed, if it cannot be read. */
MUST_USE bool revocations_read(struct revocations *r, struct bytes text,
                               char why[REVOCATIONS_WHY_SIZE]);

/* False behind the last one. */
MUST_USE bool revocations_at(const struct revocations *r, size_t index,
                             struct revocation_list *out);

#endif
