#include "gateway/crypto/openssl/certificates_openssl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "gateway/crypto/openssl/library_openssl.h"

/* --- PEM ----------------------------------------------------------------- */

/* The block that starts at `at`; how much of the text it was. */
static size_t read_block(struct bytes at,
                         void (*take)(void *context, struct bytes der),
                         void *context)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long size = 0;
    size_t used = 1;
    BIO *bio =
        at.size <= INT32_MAX ? BIO_new_mem_buf(at.data, (int)at.size) : NULL;
    if (bio && PEM_read_bio(bio, &name, &header, &data, &size) == 1)
        used = at.size - (size_t)BIO_pending(bio);
    take(context, bytes_of(data, data ? (size_t)size : 0));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(bio);
    return used;
}

void certificates_openssl_each(struct bytes text, const char *name,
                               void (*take)(void *context, struct bytes der),
                               void *context)
{
    char begin[64];
    const uint8_t *at;
    if (!certificates_is_pem(text)) {
        take(context, text);
        return;
    }
    int length = snprintf(begin, sizeof begin, "-----BEGIN %s-----", name);
    while (text.size &&
           (at = memmem(text.data, text.size, begin, (size_t)length))) {
        text = bytes_of(at, text.size - (size_t)(at - text.data));
        size_t used = read_block(text, take, context);
        text = bytes_of(text.data + used, text.size - used);
    }
}

/* --- One certificate ----------------------------------------------------- */

int64_t certificates_openssl_time(const ASN1_TIME *t)
{
    struct tm tm;
    return t && ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

static struct bytes bytes_of_name(const X509_NAME *name)
{
    const unsigned char *der;
    size_t size;
    return X509_NAME_get0_der(name, &der, &size) == 1 ? bytes_of(der, size)
                                                      : bytes_of(NULL, 0);
}

static bool is_netscape_server(const X509 *x)
{
    ASN1_BIT_STRING *type =
        X509_get_ext_d2i(x, NID_netscape_cert_type, NULL, NULL);
    bool server = type && ASN1_STRING_length(type) > 0 &&
                  ASN1_STRING_get0_data(type)[0] & NS_SSL_SERVER;
    ASN1_BIT_STRING_free(type);
    return server;
}

static void add_purposes(struct certificate_openssl *c)
{
    struct certificate *facts = &c->facts;
    int count = c->purposes ? sk_ASN1_OBJECT_num(c->purposes) : 0;
    for (int i = 0;
         i < count && facts->purpose_count < CERTIFICATE_PURPOSES_MAX; i++) {
        const ASN1_OBJECT *oid = sk_ASN1_OBJECT_value(c->purposes, i);
        facts->purposes[facts->purpose_count++] =
            bytes_of(OBJ_get0_data(oid), OBJ_length(oid));
    }
}

bool certificates_openssl_wrap(struct certificate_openssl *c, X509 *x)
{
    *c = (struct certificate_openssl){0};
    int size = i2d_X509(x, &c->der);
    if (size <= 0 || X509_up_ref(x) != 1) {
        OPENSSL_free(c->der);
        return false;
    }
    c->x = x;
    c->purposes = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
    bool states = X509_get_extension_flags(x) & EXFLAG_KUSAGE;
    c->facts = (struct certificate){
        .der = bytes_of(c->der, (size_t)size),
        .subject = bytes_of_name(X509_get_subject_name(x)),
        .issuer = bytes_of_name(X509_get_issuer_name(x)),
        .valid_from = certificates_openssl_time(X509_get0_notBefore(x)),
        .valid_to = certificates_openssl_time(X509_get0_notAfter(x)),
        .states_usage = states,
        .usage = states ? (uint16_t)X509_get_key_usage(x) : 0,
        .netscape_server = is_netscape_server(x),
    };
    add_purposes(c);
    return true;
}

void certificates_openssl_unwrap(struct certificate_openssl *c)
{
    X509_free(c->x);
    OPENSSL_free(c->der);
    EXTENDED_KEY_USAGE_free(c->purposes);
}

/* --- Many ---------------------------------------------------------------- */

struct certificates *certificates_new(void)
{
    struct certificates *c = calloc(1, sizeof *c);
    if (c && (c->stack = sk_X509_new_null()))
        return c;
    free(c);
    return NULL;
}

void certificates_free(struct certificates *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        certificates_openssl_unwrap(&c->all[i]);
    sk_X509_free(c->stack);
    free(c->all);
    free(c);
}

static bool append(struct certificates *c, X509 *x)
{
    if (c->count == c->capacity) {
        size_t more = c->capacity ? 2 * c->capacity : 4;
        struct certificate_openssl *all =
            reallocarray(c->all, more, sizeof *all);
        if (!all)
            return false;
        c->all = all;
        c->capacity = more;
    }
    if (!certificates_openssl_wrap(&c->all[c->count], x))
        return false;
    if (sk_X509_push(c->stack, x) <= 0) {
        certificates_openssl_unwrap(&c->all[c->count]);
        return false;
    }
    c->count++;
    return true;
}

struct reading {
    struct certificates *to;
    struct certificates_result *result;
};

static void read_one(void *context, struct bytes der)
{
    struct reading *r = context;
    const unsigned char *at = der.data;
    X509 *x = X509_new_ex(library_openssl(), NULL);
    bool good =
        x && der.size > 0 && der.size <= INT32_MAX &&
        d2i_X509(&x, &at, (long)der.size) && at == der.data + der.size &&
        !(X509_get_extension_flags(x) & EXFLAG_INVALID) && append(r->to, x);
    X509_free(x);
    r->result->read += good;
    r->result->unread += !good;
    if (!good && r->result->why[0] == 0)
        library_openssl_explain(r->result->why, sizeof r->result->why);
    ERR_clear_error();
}

bool certificates_read(struct certificates *c, struct bytes text,
                       struct certificates_result *result)
{
    struct reading reading = {c, result};
    *result = (struct certificates_result){0};
    certificates_openssl_each(text, "CERTIFICATE", read_one, &reading);
    return result->read > 0;
}

size_t certificates_count(const struct certificates *c)
{
    return c->count;
}

bool certificates_at(const struct certificates *c, size_t index,
                     struct certificate *out)
{
    if (!c || index >= c->count)
        return false;
    *out = c->all[index].facts;
    return true;
}
