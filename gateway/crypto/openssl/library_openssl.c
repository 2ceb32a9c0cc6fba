#include "gateway/crypto/openssl/library_openssl.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

OSSL_LIB_CTX *library_openssl(void)
{
    static OSSL_LIB_CTX *context;
    if (context)
        return context;
    /* Before any other call, which would read the file; and nothing runs when
     * the process ends. */
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT,
                     NULL);
    context = OSSL_LIB_CTX_new();
    if (context && !OSSL_PROVIDER_load(context, "default")) {
        OSSL_LIB_CTX_free(context);
        context = NULL;
    }
    return context;
}

void library_openssl_explain(char *out, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(out, size, "%s", reason ? reason : "no reason is known");
    ERR_clear_error();
}

const char *library_openssl_digest(const char *digest)
{
    static const struct {
        const char *ours, *theirs;
    } names[] = {
        {"SHA1", "SHA1"},       {"SHA224", "SHA2-224"},
        {"SHA256", "SHA2-256"}, {"SHA384", "SHA2-384"},
        {"SHA512", "SHA2-512"}, {"RIPEMD160", "RIPEMD-160"},
        {"MD5", "MD5"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(digest, names[i].ours) == 0)
            return names[i].theirs;
    return NULL;
}
