#include "gateway/crypto/digest.h"

#include "gateway/base/text.h"

const char *digest_find(struct bytes name, size_t *size)
{
    static const struct {
        const char *name;
        size_t size;
    } digests[] = {
        {"SHA1", 20},   {"SHA224", 28},    {"SHA256", 32}, {"SHA384", 48},
        {"SHA512", 64}, {"RIPEMD160", 20}, {"MD5", 16},    {"NONE", 0},
    };
    static const struct {
        const char *other, *name;
    } spellings[] = {
        {"SHA", "SHA1"},          {"SHA-1", "SHA1"},
        {"SHA-224", "SHA224"},    {"SHA-256", "SHA256"},
        {"SHA-384", "SHA384"},    {"SHA-512", "SHA512"},
        {"RSA-SHA1", "SHA1"},     {"RSA-SHA256", "SHA256"},
        {"RSA-SHA512", "SHA512"}, {"[null-digest]", "NONE"},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        if (text_equal_ignoring_case(name, spellings[i].other))
            name = bytes_of_text(spellings[i].name);
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        if (text_equal_ignoring_case(name, digests[i].name)) {
            *size = digests[i].size;
            return digests[i].name;
        }
    }
    return NULL;
}
