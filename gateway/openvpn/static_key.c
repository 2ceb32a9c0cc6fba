#include "gateway/openvpn/static_key.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

#define BEGIN   "-----BEGIN OpenVPN Static key V1-----"
#define END     "-----END OpenVPN Static key V1-----"
#define COMMENT "#\n# 2048 bit OpenVPN static key\n#\n"

enum { DIGITS = 2 * STATIC_KEY_SIZE, BYTES_PER_LINE = 16 };

/* Steps over `word` and all in front of it; false if it is not there. */
static bool skip_past(struct bytes *text, const char *word)
{
    size_t size = strlen(word);
    const uint8_t *at =
        text->size ? memmem(text->data, text->size, word, size) : NULL;
    if (!at)
        return false;
    size_t skipped = (size_t)(at - text->data) + size;
    *text = bytes_of(text->data + skipped, text->size - skipped);
    return true;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The digits up to END, without white space. */
static bool collect_digits(struct bytes text, uint8_t digits[DIGITS])
{
    struct writer w = writer_of(digits, DIGITS);
    while (text.size && !text_starts_with(text, END)) {
        if (!is_space(text.data[0]))
            write_u8(&w, text.data[0]);
        text.data++;
        text.size--;
    }
    return text.size && writer_ok(&w) && w.size == DIGITS;
}

bool static_key_parse(struct bytes text, struct static_key *out)
{
    uint8_t digits[DIGITS];
    struct static_key key;
    size_t size;
    bool ok = skip_past(&text, BEGIN) && collect_digits(text, digits) &&
              text_from_hex(bytes_of(digits, DIGITS), key.bytes,
                            sizeof key.bytes, &size);
    if (ok)
        *out = key;
    secret_wipe(digits, sizeof digits);
    secret_wipe(&key, sizeof key);
    return ok;
}

static void write_hex(struct writer *w, uint8_t byte)
{
    static const char digit[] = "0123456789abcdef";
    write_u8(w, (uint8_t)digit[byte >> 4]);
    write_u8(w, (uint8_t)digit[byte & 15]);
}

bool static_key_format(const struct static_key *key, char *out, size_t capacity)
{
    struct writer w = writer_of(out, capacity);
    write_bytes(&w, bytes_of_text(COMMENT BEGIN "\n"));
    for (size_t i = 0; i < STATIC_KEY_SIZE; i++) {
        write_hex(&w, key->bytes[i]);
        if (i % BYTES_PER_LINE == BYTES_PER_LINE - 1)
            write_u8(&w, '\n');
    }
    write_bytes(&w, bytes_of_text(END "\n"));
    write_u8(&w, '\0');
    return writer_ok(&w);
}
