#include "gateway/crypto/cbc_hmac.h"

#include "gateway/crypto/cbc_hmac_functions.h"
#include "gateway/crypto/digest.h"

#include <assert.h>

size_t cbc_hmac_digest_size(const char *digest)
{
    size_t size;
    return digest_find(bytes_of_text(digest), &size) ? size : 0;
}

struct cbc_hmac *cbc_hmac_new(enum aead_library library,
                              const struct cbc_hmac_keys *keys)
{
    struct cbc_hmac *c = NULL;
    size_t size;
    struct cbc_hmac_keys named = *keys;
    named.digest = digest_find(bytes_of_text(keys->digest), &size);
    if (!named.digest || size == 0)
        return NULL;
    if (library != AEAD_PORTABLE)
        c = cbc_hmac_functions_ipsecmb.create(&named);
    if (!c && library != AEAD_IPSECMB)
        c = cbc_hmac_functions_portable.create(&named);
    if (c)
        c->digest_size = size;
    return c;
}

void cbc_hmac_free(struct cbc_hmac *c)
{
    if (c)
        c->functions->destroy(c);
}

const char *cbc_hmac_library_name(const struct cbc_hmac *c)
{
    return c->functions->library;
}

void cbc_hmac_seal(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    assert(count <= CBC_HMAC_BATCH_MAX);
    c->functions->seal(c, jobs, count);
}

void cbc_hmac_open(struct cbc_hmac *c, struct cbc_hmac_job *jobs, size_t count)
{
    assert(count <= CBC_HMAC_BATCH_MAX);
    c->functions->open(c, jobs, count);
}
