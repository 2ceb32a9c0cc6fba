#include "gateway/wireguard/profile/conf_key.h"

#include <assert.h>
#include <ctype.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { LENGTH = CONF_KEY_TEXT_SIZE - 1, HEX_LENGTH = 64 };

static size_t count_of(struct bytes text, const char *any)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] && strchr(any, text.data[i]);
    return count;
}

static bool is_hex(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!isxdigit(text.data[i]))
            return false;
    return text.size == HEX_LENGTH;
}

/* One strange character in what has a key's length is a slip. */
static bool is_placeholder(struct bytes text)
{
    size_t strange = count_of(text, "<>[]{}$*");
    return strange > 1 || (strange == 1 && text.size < LENGTH / 2) ||
           text_starts_ignoring_case(text, "your") ||
           text_starts_ignoring_case(text, "redacted") ||
           text_starts_ignoring_case(text, "xxx");
}

static const char *problem(struct bytes text)
{
    if (text.size == 0)
        return "it is empty";
    if (is_placeholder(text))
        return "it is a placeholder: the key itself was left out, as in an "
               "example or a copy made for others";
    if (is_hex(text))
        return "it is in hexadecimal, and base64 is wanted: `xxd -r -p | "
               "base64' makes it so";
    if (text.size == LENGTH - 1 && text.data[text.size - 1] != '=')
        return "it has 43 characters: the `=' at its end is missing";
    if (count_of(text, "-_"))
        return "it is in the alphabet of URLs: `+' is meant by `-' and `/' by "
               "`_'";
    if (text.size < LENGTH)
        return "it is too short: a key has 44 characters, and `=' is the last";
    if (text.size > LENGTH)
        return "it is too long: a key has 44 characters, and `=' is the last";
    return "it is no base64 of 32 bytes: a character is wrong";
}

const char *conf_key_read(struct bytes text, uint8_t out[WIRE_KEY_SIZE])
{
    uint8_t key[WIRE_KEY_SIZE + 4];
    char again[CONF_KEY_TEXT_SIZE];
    size_t size = 0;
    bool good = text.size == LENGTH &&
                text_from_base64(text, key, sizeof key, &size) &&
                size == WIRE_KEY_SIZE;
    if (good) {
        /* Spare bits of the last character are zero. */
        conf_key_write(key, again);
        good = text_equal(text, again);
    }
    if (good)
        memcpy(out, key, WIRE_KEY_SIZE);
    secret_wipe(key, sizeof key);
    secret_wipe(again, sizeof again);
    return good ? NULL : problem(text);
}

void conf_key_write(const uint8_t key[WIRE_KEY_SIZE],
                    char out[CONF_KEY_TEXT_SIZE])
{
    bool good =
        text_to_base64(bytes_of(key, WIRE_KEY_SIZE), out, CONF_KEY_TEXT_SIZE);
    assert(good);
}
