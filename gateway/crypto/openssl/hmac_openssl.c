#include "gateway/crypto/hmac.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "gateway/crypto/openssl/library_openssl.h"

struct hmac {
    EVP_MAC_CTX *context;
    size_t size;
};

static EVP_MAC_CTX *new_context(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(library_openssl(), "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context has its own reference */
    return context;
}

static bool start(struct hmac *h, const char *digest, struct bytes key)
{
    static const uint8_t nothing;
    char name[16];
    if (strlen(digest) >= sizeof name)
        return false;
    strcpy(name, digest);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    /* No key at all would mean the one before. */
    if (EVP_MAC_init(h->context, key.size > 0 ? key.data : &nothing, key.size,
                     parameters) != 1)
        return false;
    h->size = EVP_MAC_CTX_get_mac_size(h->context);
    return h->size > 0 && h->size <= HMAC_SIZE_MAX;
}

struct hmac *hmac_new(const char *digest, struct bytes key)
{
    const char *name = library_openssl_digest(digest);
    struct hmac *h = name ? calloc(1, sizeof *h) : NULL;
    if (!h)
        return NULL;
    h->context = new_context();
    if (h->context && start(h, name, key))
        return h;
    hmac_free(h);
    return NULL;
}

void hmac_free(struct hmac *h)
{
    if (!h)
        return;
    EVP_MAC_CTX_free(h->context); /* wipes what was derived from the key */
    free(h);
}

size_t hmac_size(const struct hmac *h)
{
    return h->size;
}

bool hmac_make(struct hmac *h, const struct bytes *parts, size_t count,
               uint8_t *out)
{
    size_t size;
    bool good = EVP_MAC_init(h->context, NULL, 0, NULL) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = parts[i].size == 0 ||
               EVP_MAC_update(h->context, parts[i].data, parts[i].size) == 1;
    return good && EVP_MAC_final(h->context, out, &size, h->size) == 1;
}
