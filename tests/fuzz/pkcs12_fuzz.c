#include "gateway/crypto/pkcs12.h"

#include <stdlib.h>

#include "tests/fuzz/target.h"

/* A file that opens holds a key and a certificate, and nothing is wrong with it
 * from the outside. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pkcs12 p;
    enum pkcs12_result outside = pkcs12_inspect(bytes_of(data, size));
    if (outside == PKCS12_PASSWORD)
        abort();
    if (pkcs12_open(bytes_of(data, size), bytes_of_text("test"), &p) !=
        PKCS12_OK)
        return 0;
    if (outside != PKCS12_OK || p.key.size == 0 || p.certificate_count == 0 ||
        p.certificate_count > PKCS12_CERTIFICATES_MAX)
        abort();
    pkcs12_clear(&p);
    return 0;
}
