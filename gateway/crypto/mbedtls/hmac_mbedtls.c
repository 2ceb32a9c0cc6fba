#include "gateway/crypto/hmac.h"

#include <stdlib.h>

#include <mbedtls/md.h>

struct hmac {
    mbedtls_md_context_t context;
    size_t size;
};

static bool start(struct hmac *h, const mbedtls_md_info_t *info,
                  struct bytes key)
{
    h->size = mbedtls_md_get_size(info);
    return h->size <= HMAC_SIZE_MAX &&
           mbedtls_md_setup(&h->context, info, 1) == 0 &&
           mbedtls_md_hmac_starts(&h->context, key.data, key.size) == 0;
}

struct hmac *hmac_new(const char *digest, struct bytes key)
{
    const mbedtls_md_info_t *info = mbedtls_md_info_from_string(digest);
    struct hmac *h = info ? calloc(1, sizeof *h) : NULL;
    if (!h)
        return NULL;
    mbedtls_md_init(&h->context);
    if (start(h, info, key))
        return h;
    hmac_free(h);
    return NULL;
}

void hmac_free(struct hmac *h)
{
    if (!h)
        return;
    mbedtls_md_free(&h->context); /* wipes what was derived from the key */
    free(h);
}

size_t hmac_size(const struct hmac *h)
{
    return h->size;
}

bool hmac_make(struct hmac *h, const struct bytes *parts, size_t count,
               uint8_t *out)
{
    bool good = mbedtls_md_hmac_reset(&h->context) == 0;
    for (size_t i = 0; good && i < count; i++)
        good = mbedtls_md_hmac_update(&h->context, parts[i].data,
                                      parts[i].size) == 0;
    return good && mbedtls_md_hmac_finish(&h->context, out) == 0;
}
