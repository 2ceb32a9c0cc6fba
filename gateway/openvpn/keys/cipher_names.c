#include "gateway/openvpn/keys/cipher_names.h"

#include "gateway/base/text.h"

static const struct cipher_name ciphers[] = {
    {"AES-256-GCM", CIPHER_AEAD, 256, 16, 12},
    {"AES-128-GCM", CIPHER_AEAD, 128, 16, 12},
    {"AES-192-GCM", CIPHER_AEAD, 192, 16, 12},
    {"CHACHA20-POLY1305", CIPHER_AEAD, 256, 1, 12},
    {"AES-256-CBC", CIPHER_CBC, 256, 16, 16},
    {"AES-192-CBC", CIPHER_CBC, 192, 16, 16},
    {"AES-128-CBC", CIPHER_CBC, 128, 16, 16},
    {"BF-CBC", CIPHER_LEGACY, 128, 8, 8},
    {"BF-CFB", CIPHER_LEGACY, 128, 8, 8},
    {"BF-OFB", CIPHER_LEGACY, 128, 8, 8},
    {"CAST5-CBC", CIPHER_LEGACY, 128, 8, 8},
    {"DES-CBC", CIPHER_LEGACY, 64, 8, 8},
    {"DES-EDE-CBC", CIPHER_LEGACY, 128, 8, 8},
    {"DES-EDE3-CBC", CIPHER_LEGACY, 192, 8, 8},
    {"DESX-CBC", CIPHER_LEGACY, 192, 8, 8},
    {"IDEA-CBC", CIPHER_LEGACY, 128, 8, 8},
    {"RC2-CBC", CIPHER_LEGACY, 128, 8, 8},
    {"RC2-40-CBC", CIPHER_LEGACY, 40, 8, 8},
    {"RC2-64-CBC", CIPHER_LEGACY, 64, 8, 8},
    {"RC5-CBC", CIPHER_LEGACY, 128, 8, 8},
    {"SEED-CBC", CIPHER_LEGACY, 128, 16, 16},
    {"SM4-CBC", CIPHER_LEGACY, 128, 16, 16},
    {"ARIA-128-CBC", CIPHER_LEGACY, 128, 16, 16},
    {"ARIA-256-CBC", CIPHER_LEGACY, 256, 16, 16},
    {"CAMELLIA-128-CBC", CIPHER_LEGACY, 128, 16, 16},
    {"CAMELLIA-192-CBC", CIPHER_LEGACY, 192, 16, 16},
    {"CAMELLIA-256-CBC", CIPHER_LEGACY, 256, 16, 16},
    {"AES-128-CFB", CIPHER_LEGACY, 128, 1, 16},
    {"AES-192-CFB", CIPHER_LEGACY, 192, 1, 16},
    {"AES-256-CFB", CIPHER_LEGACY, 256, 1, 16},
    {"AES-128-OFB", CIPHER_LEGACY, 128, 1, 16},
    {"AES-192-OFB", CIPHER_LEGACY, 192, 1, 16},
    {"AES-256-OFB", CIPHER_LEGACY, 256, 1, 16},
    {"NONE", CIPHER_NONE, 0, 0, 0},
};

static const struct {
    const char *old, *name;
} renamed[] = {
    {"id-aes128-GCM", "AES-128-GCM"},
    {"id-aes192-GCM", "AES-192-GCM"},
    {"id-aes256-GCM", "AES-256-GCM"},
};

const struct cipher_name *cipher_names_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
        if (text_equal_ignoring_case(name, renamed[i].old))
            name = bytes_of_text(renamed[i].name);
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
        if (text_equal_ignoring_case(name, ciphers[i].name))
            return &ciphers[i];
    return NULL;
}

bool cipher_names_in_list(const char *list, const char *name)
{
    struct bytes rest = bytes_of_text(list), part;
    while (text_cut(&rest, ':', &part))
        if (text_equal(part, name))
            return true;
    return false;
}
