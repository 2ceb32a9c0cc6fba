/*
 * A login that need not be repeated: after a name and a password were good,
 * the server gives a token, which stands for the password from then on
 * (openvpn: auth_token.c).
 *
 *   "SESS_ID_AT_" base64( session(12) initial(8) made(8) HMAC-SHA256(32) )
 *
 * The HMAC is over the name and everything in front of it. A token keeps the
 * session and the time of its first one, however often it is made anew.
 */
#ifndef OPENVPN_KEYS_AUTH_TOKEN_H
#define OPENVPN_KEYS_AUTH_TOKEN_H

#include "gateway/base/bytes.h"

enum {
    AUTH_TOKEN_KEY_SIZE = 32,
    AUTH_TOKEN_SESSION_SIZE = 12,
    AUTH_TOKEN_TEXT_SIZE = 11 + 80 + 1, /* with its NUL */
};

struct auth_token_key {
    uint8_t bytes[AUTH_TOKEN_KEY_SIZE];
};

struct auth_token {
    uint8_t session[AUTH_TOKEN_SESSION_SIZE];
    uint64_t initial, made; /* s since 1970 */
};

struct auth_token_times {
    uint64_t renewal;  /* s; one is good for two of these */
    uint64_t lifetime; /* s since the first; 0: without end */
};

/* A file of `openvpn --genkey auth-token'. */
MUST_USE bool auth_token_parse_key(struct bytes text,
                                   struct auth_token_key *out);

MUST_USE bool auth_token_write(const struct auth_token_key *key,
                               const struct auth_token *token,
                               struct bytes username,
                               char out[AUTH_TOKEN_TEXT_SIZE]);

/* Whether a password wants to be a token. */
bool auth_token_is_one(struct bytes password);
/* False unless it was made with the key for that name. */
MUST_USE bool auth_token_read(const struct auth_token_key *key,
                              struct bytes username, struct bytes password,
                              struct auth_token *out);
/* It is still good. */
bool auth_token_is_fresh(const struct auth_token *token,
                         const struct auth_token_times *times, uint64_t now);

#endif
