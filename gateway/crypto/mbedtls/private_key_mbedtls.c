#include "gateway/crypto/mbedtls/private_key_mbedtls.h"

#include <stdio.h>
#include <stdlib.h>

#include <mbedtls/error.h>

#include "gateway/crypto/mbedtls/certificates_mbedtls.h"

int private_key_mbedtls_fill(void *random, unsigned char *out, size_t size)
{
    const struct tls_random *source = random;
    source->fill(source->context, out, size);
    return 0;
}

/* A wrong password gives bytes that end like a padding once in 256 times, and
 * which are no key then. */
static bool is_decrypted_rubbish(struct bytes text, int code,
                                 const struct tls_random *random)
{
    /* The parser's own part of the code; an older RSA key's has none. */
    enum { HIGH_LEVEL = 0xff80 };
    int high = -code & HIGH_LEVEL;
    struct tls_random source = *random;
    mbedtls_pk_context context;
    if (high != 0 && high != -MBEDTLS_ERR_RSA_BAD_INPUT_DATA &&
        high != -MBEDTLS_ERR_PK_KEY_INVALID_FORMAT &&
        high != -MBEDTLS_ERR_PK_KEY_INVALID_VERSION)
        return false;
    mbedtls_pk_init(&context);
    int unasked = mbedtls_pk_parse_key(
        &context, text.data, certificates_mbedtls_parse_size(text), NULL, 0,
        private_key_mbedtls_fill, &source);
    mbedtls_pk_free(&context);
    return unasked == MBEDTLS_ERR_PK_PASSWORD_REQUIRED;
}

static enum private_key_result explain(struct bytes text, int code,
                                       const struct tls_random *random,
                                       char why[PRIVATE_KEY_WHY_SIZE])
{
    why[0] = 0;
    if (code == 0)
        return PRIVATE_KEY_OK;
    if (code == MBEDTLS_ERR_PK_PASSWORD_REQUIRED)
        return PRIVATE_KEY_LOCKED;
    if (code == MBEDTLS_ERR_PK_PASSWORD_MISMATCH ||
        is_decrypted_rubbish(text, code, random))
        return PRIVATE_KEY_PASSWORD;
    const char *kind = certificates_mbedtls_foreign_key_of_text(text);
    if (kind)
        snprintf(why, PRIVATE_KEY_WHY_SIZE, "%s", kind);
    else
        mbedtls_strerror(code, why, PRIVATE_KEY_WHY_SIZE);
    return kind ? PRIVATE_KEY_FOREIGN : PRIVATE_KEY_BAD;
}

enum private_key_result private_key_read(struct bytes text,
                                         struct bytes password,
                                         const struct tls_random *random,
                                         struct private_key **out,
                                         char why[PRIVATE_KEY_WHY_SIZE])
{
    struct tls_random source = *random;
    struct private_key *k = calloc(1, sizeof *k);
    *out = NULL;
    if (!k) {
        snprintf(why, PRIVATE_KEY_WHY_SIZE, "memory is short");
        return PRIVATE_KEY_BAD;
    }
    mbedtls_pk_init(&k->context);
    /* An older key is locked to the library only where there is no pointer. */
    int code = mbedtls_pk_parse_key(
        &k->context, text.data, certificates_mbedtls_parse_size(text),
        password.size ? password.data : NULL, password.size,
        private_key_mbedtls_fill, &source);
    if (code == 0)
        *out = k;
    else
        private_key_free(k);
    return explain(text, code, random, why);
}

void private_key_free(struct private_key *k)
{
    if (!k)
        return;
    mbedtls_pk_free(&k->context); /* wipes */
    free(k);
}

bool private_key_belongs(const struct private_key *k,
                         const struct certificates *c, size_t index,
                         const struct tls_random *random)
{
    struct tls_random source = *random;
    const mbedtls_x509_crt *at = &c->chain;
    while (index-- > 0 && at)
        at = at->next;
    return at && at->raw.len &&
           mbedtls_pk_check_pair(&at->pk, &k->context, private_key_mbedtls_fill,
                                 &source) == 0;
}
