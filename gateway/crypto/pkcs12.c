#include "gateway/crypto/pkcs12.h"

void pkcs12_clear(struct pkcs12 *p)
{
    blob_free(&p->key);
    for (size_t i = 0; i < p->certificate_count; i++)
        blob_free(&p->certificates[i]);
    *p = (struct pkcs12){0};
}

enum pkcs12_result pkcs12_hand_out(enum pkcs12_result result,
                                   struct pkcs12 *found, struct pkcs12 *out)
{
    *out = (struct pkcs12){0};
    if (result == PKCS12_OK && (!found->key.data || !found->certificate_count))
        result = PKCS12_MALFORMED;
    if (result == PKCS12_OK)
        *out = *found;
    else
        pkcs12_clear(found);
    return result;
}

const char *pkcs12_text(enum pkcs12_result result)
{
    static const char *const texts[] = {
        [PKCS12_OK] = "nothing is wrong",
        [PKCS12_MALFORMED] = "it is not a PKCS#12 container with a key and a "
                             "certificate",
        [PKCS12_LEGACY] = "it is encrypted in an outdated way; convert it: "
                          "openssl pkcs12 -legacy -in OLD.p12 -nodes | openssl "
                          "pkcs12 -export -out NEW.p12",
        [PKCS12_PASSWORD] = "the password is wrong",
        [PKCS12_MEMORY] = "out of memory",
    };
    return texts[result];
}
