#include "gateway/crypto/openssl/certificates_openssl.h"

#include <stdlib.h>

#include <openssl/err.h>

#include "gateway/crypto/openssl/library_openssl.h"

struct revocations *revocations_new(void)
{
    struct revocations *r = calloc(1, sizeof *r);
    if (r && (r->lists = sk_X509_CRL_new_null()))
        return r;
    free(r);
    return NULL;
}

void revocations_free(struct revocations *r)
{
    if (!r)
        return;
    sk_X509_CRL_pop_free(r->lists, X509_CRL_free);
    free(r);
}

struct reading {
    STACK_OF(X509_CRL) * to;
    bool failed;
};

static void read_one(void *context, struct bytes der)
{
    struct reading *r = context;
    const unsigned char *at = der.data;
    X509_CRL *list = X509_CRL_new_ex(library_openssl(), NULL);
    bool good = list && der.size > 0 && der.size <= INT32_MAX &&
                d2i_X509_CRL(&list, &at, (long)der.size) &&
                at == der.data + der.size && sk_X509_CRL_push(r->to, list) > 0;
    if (!good) {
        X509_CRL_free(list);
        r->failed = true;
    }
}

bool revocations_read(struct revocations *r, struct bytes text,
                      char why[REVOCATIONS_WHY_SIZE])
{
    struct reading reading = {.to = sk_X509_CRL_new_null()};
    if (reading.to)
        certificates_openssl_each(text, "X509 CRL", read_one, &reading);
    if (!reading.to || reading.failed || sk_X509_CRL_num(reading.to) == 0) {
        library_openssl_explain(why, REVOCATIONS_WHY_SIZE);
        sk_X509_CRL_pop_free(reading.to, X509_CRL_free);
        return false;
    }
    ERR_clear_error();
    sk_X509_CRL_pop_free(r->lists, X509_CRL_free);
    r->lists = reading.to;
    return true;
}

bool revocations_at(const struct revocations *r, size_t index,
                    struct revocation_list *out)
{
    if (index >= (size_t)sk_X509_CRL_num(r->lists))
        return false;
    const X509_CRL *list = sk_X509_CRL_value(r->lists, (int)index);
    const ASN1_TIME *until = X509_CRL_get0_nextUpdate(list);
    const unsigned char *issuer = NULL;
    size_t size = 0;
    (void)X509_NAME_get0_der(X509_CRL_get_issuer(list), &issuer, &size);
    *out = (struct revocation_list){
        .issuer = bytes_of(issuer, size),
        .since = certificates_openssl_time(X509_CRL_get0_lastUpdate(list)),
        .ends = until != NULL,
        .until = certificates_openssl_time(until),
    };
    return true;
}
