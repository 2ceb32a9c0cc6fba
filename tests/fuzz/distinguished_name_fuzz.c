#include "gateway/openvpn/tls/distinguished_name.h"

#include <string.h>

#include "tests/fuzz/target.h"

/* A certificate's subject in DER: what is made of it is a string, printable,
 * and nothing where it is refused. */
static void format(struct bytes der, char *out, size_t size)
{
    bool good = distinguished_name_format(der, out, size);
    check(memchr(out, 0, size) != NULL);
    check(good || out[0] == 0);
    for (const char *c = out; *c; c++)
        check((uint8_t)*c >= 0x20 && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char out[DISTINGUISHED_NAME_SIZE], small[8];
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, data, size);
    struct bytes der = bytes_of(copy, size);
    format(der, out, sizeof out);
    format(der, small, sizeof small);
    (void)distinguished_name_common(der, out, sizeof out);
    (void)distinguished_name_common(der, small, sizeof small);
    free(copy);
    return 0;
}
