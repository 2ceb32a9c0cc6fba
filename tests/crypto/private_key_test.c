#include "gateway/crypto/private_key.h"

#include <stdio.h>

#include "tests/unit.h"

/* P-256, AES-256-CBC, "right"; one round, so that guessing is quick. */
static const char locked[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAgEIuimx2NrHwIBATAM\n"
    "BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQA16fBFQwehg+1LKS/Jdp6QSBkNww\n"
    "1hZH3WH2qqu9t3n9TesgX749/WVxCOoGKGbB1YzXiQeT5syc12iwhKYEenuTLwwc\n"
    "fnQEZEDi26dHt8VjVi0AAGz5cvw2iEloXFr3DV5q/8Apf9eGSKkEYEA7au2x15IP\n"
    "DHx9eLKDeb4zzv+nguP9Clf5dVtLpH1uWmhrVKQBNz6n+CbhGatE+BxGcqkDeg==\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static void fill(void *context, uint8_t *out, size_t size)
{
    (void)context;
    memset(out, 7, size);
}

static enum private_key_result unlock(const char *password)
{
    static const struct tls_random random = {NULL, fill};
    char why[PRIVATE_KEY_WHY_SIZE];
    struct private_key *key;
    enum private_key_result result =
        private_key_read(bytes_of(locked, sizeof locked - 1),
                         bytes_of_text(password), &random, &key, why);
    assert_int_equal(result == PRIVATE_KEY_OK, key != NULL);
    private_key_free(key);
    return result;
}

/* With one in 256 what comes out ends like a padding, and is no key. */
static void each_wrong_password_is_told_as_one(void **state)
{
    (void)state;
    char password[16];
    assert_int_equal(unlock(""), PRIVATE_KEY_LOCKED);
    assert_int_equal(unlock("right"), PRIVATE_KEY_OK);
    for (int i = 0; i < 2000; i++) {
        snprintf(password, sizeof password, "wrong %d", i);
        assert_int_equal(unlock(password), PRIVATE_KEY_PASSWORD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_password_is_told_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
