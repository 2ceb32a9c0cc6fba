#include "gateway/crypto/mbedtls/certificates_mbedtls.h"

#include <stdlib.h>

#include <mbedtls/error.h>

struct revocations *revocations_new(void)
{
    struct revocations *r = calloc(1, sizeof *r);
    if (r)
        mbedtls_x509_crl_init(&r->list);
    return r;
}

void revocations_free(struct revocations *r)
{
    if (!r)
        return;
    mbedtls_x509_crl_free(&r->list);
    free(r);
}

bool revocations_read(struct revocations *r, struct bytes text,
                      char why[REVOCATIONS_WHY_SIZE])
{
    mbedtls_x509_crl fresh;
    mbedtls_x509_crl_init(&fresh);
    int code = mbedtls_x509_crl_parse(&fresh, text.data,
                                      certificates_mbedtls_parse_size(text));
    if (code != 0) {
        mbedtls_x509_crl_free(&fresh);
        mbedtls_strerror(code, why, REVOCATIONS_WHY_SIZE);
        return false;
    }
    mbedtls_x509_crl_free(&r->list);
    r->list = fresh;
    return true;
}

bool revocations_at(const struct revocations *r, size_t index,
                    struct revocation_list *out)
{
    const mbedtls_x509_crl *at = &r->list;
    while (index-- > 0 && at)
        at = at->next;
    if (!at || !at->raw.len)
        return false;
    *out = (struct revocation_list){
        .issuer = bytes_of(at->issuer_raw.p, at->issuer_raw.len),
        .since = certificates_mbedtls_time(&at->this_update),
        .ends = at->next_update.year != 0,
        .until = certificates_mbedtls_time(&at->next_update),
    };
    return true;
}
