#include "gateway/openvpn/keys/auth_token.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/crypto/hmac.h"
#include "gateway/openvpn/keys/key_armor.h"

enum {
    HMAC_SIZE = 32,
    SIGNED_SIZE = AUTH_TOKEN_SESSION_SIZE + 8 + 8,
    SIZE = SIGNED_SIZE + HMAC_SIZE,
    KEY_FILE_LEAST = 128, /* struct key: 64 of a cipher's, 64 of an HMAC's */
    KEY_FILE_MAX = 1024,  /* older programs wrote more of it */
    KEY_OFFSET = 64,
};

static const char start[] = "SESS_ID_AT_";
static const char label[] = "OpenVPN auth-token server key";

bool auth_token_parse_key(struct bytes text, struct auth_token_key *out)
{
    uint8_t digits[2 * KEY_FILE_MAX], key[KEY_FILE_MAX];
    size_t size, got = 0;
    bool good =
        key_armor_take(text, label, digits, sizeof digits, &size) &&
        text_from_base64(bytes_of(digits, size), key, sizeof key, &got) &&
        got >= KEY_FILE_LEAST;
    if (good)
        memcpy(out->bytes, key + KEY_OFFSET, sizeof out->bytes);
    secret_wipe(digits, sizeof digits);
    secret_wipe(key, sizeof key);
    return good;
}

/* HMAC-SHA256(name, session, initial, made) */
static bool sign(const struct auth_token_key *key, struct bytes username,
                 const uint8_t token[SIGNED_SIZE], uint8_t out[HMAC_SIZE])
{
    const struct bytes parts[] = {username, bytes_of(token, SIGNED_SIZE)};
    struct hmac *hmac =
        hmac_new("SHA256", bytes_of(key->bytes, sizeof key->bytes));
    bool good =
        hmac && hmac_make(hmac, parts, sizeof parts / sizeof *parts, out);
    hmac_free(hmac);
    return good;
}

bool auth_token_write(const struct auth_token_key *key,
                      const struct auth_token *token, struct bytes username,
                      char out[AUTH_TOKEN_TEXT_SIZE])
{
    uint8_t binary[SIZE];
    size_t head = strlen(start);
    struct writer w = writer_of(binary, SIGNED_SIZE);
    write_bytes(&w, bytes_of(token->session, sizeof token->session));
    write_u64(&w, token->initial);
    write_u64(&w, token->made);
    memcpy(out, start, head);
    return sign(key, username, binary, binary + SIGNED_SIZE) &&
           text_to_base64(bytes_of(binary, sizeof binary), out + head,
                          AUTH_TOKEN_TEXT_SIZE - head);
}

bool auth_token_is_one(struct bytes password)
{
    return text_starts_with(password, start);
}

bool auth_token_read(const struct auth_token_key *key, struct bytes username,
                     struct bytes password, struct auth_token *out)
{
    uint8_t binary[SIZE], good[HMAC_SIZE];
    struct auth_token token;
    size_t size = 0, head = strlen(start);
    if (!auth_token_is_one(password) ||
        !text_from_base64(bytes_of(password.data + head, password.size - head),
                          binary, sizeof binary, &size) ||
        size != sizeof binary || !sign(key, username, binary, good))
        return false;
    struct reader r = reader_of(bytes_of(binary, sizeof binary));
    read_into(&r, token.session, sizeof token.session);
    token.initial = read_u64(&r);
    token.made = read_u64(&r);
    if (!secret_equal(read_bytes(&r, HMAC_SIZE), bytes_of(good, HMAC_SIZE)))
        return false;
    *out = token;
    return true;
}

bool auth_token_is_fresh(const struct auth_token *token,
                         const struct auth_token_times *times, uint64_t now)
{
    return now >= token->made && now - token->made < 2 * times->renewal &&
           token->made >= token->initial &&
           (times->lifetime == 0 || now - token->initial <= times->lifetime);
}
