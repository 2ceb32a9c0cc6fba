#include "gateway/openvpn/keys/static_key.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/openvpn/keys/key_armor.h"

#define LABEL   "OpenVPN Static key V1"
#define COMMENT "#\n# 2048 bit OpenVPN static key\n#\n"

enum { DIGITS = 2 * STATIC_KEY_SIZE, DIGITS_PER_LINE = 32 };

bool static_key_parse(struct bytes text, struct static_key *out)
{
    uint8_t digits[DIGITS];
    struct static_key key;
    size_t digit_count, size;
    bool ok = key_armor_take(text, LABEL, digits, DIGITS, &digit_count) &&
              digit_count == DIGITS &&
              text_from_hex(bytes_of(digits, DIGITS), key.bytes,
                            sizeof key.bytes, &size);
    if (ok)
        *out = key;
    secret_wipe(digits, sizeof digits);
    secret_wipe(&key, sizeof key);
    return ok;
}

bool static_key_format(const struct static_key *key, char *out, size_t capacity)
{
    static const char digit[] = "0123456789abcdef";
    uint8_t digits[DIGITS];
    for (size_t i = 0; i < STATIC_KEY_SIZE; i++) {
        digits[2 * i] = (uint8_t)digit[key->bytes[i] >> 4];
        digits[2 * i + 1] = (uint8_t)digit[key->bytes[i] & 15];
    }

    struct writer w = writer_of(out, capacity);
    write_bytes(&w, bytes_of_text(COMMENT));
    key_armor_write(&w, LABEL, bytes_of(digits, DIGITS), DIGITS_PER_LINE);
    write_u8(&w, '\0');
    secret_wipe(digits, sizeof digits);
    return writer_ok(&w);
}
