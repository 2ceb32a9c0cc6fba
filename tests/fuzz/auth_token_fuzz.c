#include "gateway/openvpn/keys/auth_token.h"

#include <string.h>

#include "tests/fuzz/target.h"

static const struct auth_token_key key = {{1, 2, 3}};

/* The key's own tokens are read back, for their user; no others are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes user = bytes_of_text("somebody");
    struct auth_token read, token = {.made = 5};
    char text[AUTH_TOKEN_TEXT_SIZE], start[] = "SESS_ID_AT_";
    check(auth_token_write(&key, &token, user, text));
    check(auth_token_read(&key, user, bytes_of_text(text), &read));
    check(!auth_token_read(&key, bytes_of_text("other"), bytes_of_text(text),
                           &read));
    size_t room = sizeof start - 1 + size;
    char *mixed = malloc(room);
    memcpy(mixed, start, sizeof start - 1);
    memcpy(mixed + sizeof start - 1, data, size);
    check(!auth_token_read(&key, user, bytes_of(mixed, room), &read));
    check(!auth_token_read(&key, user, bytes_of(mixed + sizeof start - 1, size),
                           &read));
    free(mixed);
    return 0;
}
