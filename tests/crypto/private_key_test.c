#include "gateway/crypto/private_key.h"

#include <stdio.h>

#include "tests/unit.h"

/* Under "right"; with one round, so that guessing is quick. PKCS#8 with P-256
 * and AES-256-CBC, then the older shapes, P-256 and RSA with AES-128-CBC. */
static const char pkcs8[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAgEIuimx2NrHwIBATAM\n"
    "BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQA16fBFQwehg+1LKS/Jdp6QSBkNww\n"
    "1hZH3WH2qqu9t3n9TesgX749/WVxCOoGKGbB1YzXiQeT5syc12iwhKYEenuTLwwc\n"
    "fnQEZEDi26dHt8VjVi0AAGz5cvw2iEloXFr3DV5q/8Apf9eGSKkEYEA7au2x15IP\n"
    "DHx9eLKDeb4zzv+nguP9Clf5dVtLpH1uWmhrVKQBNz6n+CbhGatE+BxGcqkDeg==\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";
static const char older_ec[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,A59EA058C81452D3E3C8A129A88B3FD6\n"
    "\n"
    "OCy1ZG95vZSfYiqqpN16CmWeRO/ccz5wYq0BBidMzQQuUWH6r8ugHSuqaeh81WH+\n"
    "luGMKBmG+JArWPkLRdpAInvUGQXXJKhnmdXuhQf50hh+TQA+nrP9gFVCkXSU3JvE\n"
    "qiNlfUG6PXPV/s/95z2K/J97GwkTLcRnEaGJNljVY8U=\n"
    "-----END EC PRIVATE KEY-----\n";
static const char older_rsa[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,B434DF9CD5AD65D4B0AE5557E645F28C\n"
    "\n"
    "ARcjNaR62A3sSQ2xMYHHuL30OvSDRH6MgNnUyGUdGFjExzrBhlJHYoKWT6KX0/Z1\n"
    "22JdBoKfEhruLDU4Y31zfbV2wI3Ei4EA4q3SxHVV/H73ed4tNyV6G08Y/O40JDZi\n"
    "RWXwtGC0t3FK9j/MqqOzyiv6HuOk6ggFN9NIppOzsuIcfvYWPeH5ZM/88VKOnIZ3\n"
    "H122y5tBI5SyWCUgxXrh+n9sFTOJ1Q/LY1chhWwwc4+z204BymP2PJCe69uvR8Q+\n"
    "1vGDhubxKJ746FEE5Ze9KDWq0MgTrF+5UCSmmZ5MAMNR55n/V37MaUv7XbzFuA6J\n"
    "WIF0cmkj0NfsS1PglWMI4C8NX6TO49oo+8rHwZx0aGtTlvfmzhyoxZhs2S+luSIU\n"
    "Jp+FzmFuK9Ze1uCkB5vAwDehtICwMo5jlWV8ovqQHeFNzi3Lh2lxRYOgCpGSFdhx\n"
    "uMwstpFaYjkxpM1fRO7pKn9vWTgCDV7dy2NjfRaRDyHIuGwrRNtBBUor/h4iomz/\n"
    "hpxOK5gbsNHrcMWRJ2E7607RjmB9ROdpsA+y5iU5P+DE3yOdAwVM0NpCRlkeXrUC\n"
    "gSsxMHVx1m85Q9wJwc6vr/EGNGrIwVIIDpnKBtnpm8g2O/AeL71ZN6KQggFbv9ID\n"
    "LY7/dTdnROW+ADt0AC/20OHVIodInn8nYWLfcAuYDm3jsn+G2bSKaW5sXIZFAQXz\n"
    "wpW0t/XyvSmHn1e6GRN4nAhfdB9nPsXFWyyxt0AlK95HOe4YiASwZ9FXmaIq2n19\n"
    "U7mOHCS/kyZLsLM6+323z9m2W7oTt7Jsm4lGb9y/Y2Cw53bG/szXBXJUoseo78ey\n"
    "-----END RSA PRIVATE KEY-----\n";

static void fill(void *context, uint8_t *out, size_t size)
{
    (void)context;
    memset(out, 7, size);
}

static enum private_key_result unlock(const char *locked, const char *password)
{
    static const struct tls_random random = {NULL, fill};
    char why[PRIVATE_KEY_WHY_SIZE];
    struct private_key *key;
    enum private_key_result result = private_key_read(
        bytes_of_text(locked), bytes_of_text(password), &random, &key, why);
    assert_int_equal(result == PRIVATE_KEY_OK, key != NULL);
    private_key_free(key);
    return result;
}

/* With one in 256 what comes out ends like a padding, and is no key. */
static void each_wrong_password_is_told_as_one(void **state)
{
    (void)state;
    static const char *const keys[] = {pkcs8, older_ec, older_rsa};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        char password[16];
        assert_int_equal(unlock(keys[k], ""), PRIVATE_KEY_LOCKED);
        assert_int_equal(unlock(keys[k], "right"), PRIVATE_KEY_OK);
        for (int i = 0; i < 2000; i++) {
            snprintf(password, sizeof password, "wrong %d", i);
            assert_int_equal(unlock(keys[k], password), PRIVATE_KEY_PASSWORD);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_password_is_told_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
