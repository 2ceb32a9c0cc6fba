#include "gateway/crypto/noise/blake2s_hash.h"

#include "gateway/crypto/noise/x25519.h"
#include "tests/crypto/vectors.h"
#include "tests/unit.h"

static struct bytes text(const char *t)
{
    return bytes_of_text(t);
}

static const struct bytes none = {NULL, 0};

/* RFC 7693, appendix B. */
static void the_hash_of_abc(void **state)
{
    (void)state;
    static const uint8_t expected[32] = {
        0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b,
        0xa3, 0x4e, 0xeb, 0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6,
        0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
    };
    uint8_t out[32];
    blake2s_hash(out, text("abc"), none);
    assert_memory_equal(out, expected, sizeof out);
    blake2s_hash(out, text("a"), text("bc"));
    assert_memory_equal(out, expected, sizeof out);
    blake2s_hash(out, none, text("abc"));
    assert_memory_equal(out, expected, sizeof out);
}

struct values {
    uint8_t c0[32], h0[32], c1[32], c2[32], c6[32], c7[32], k_static[32];
    uint8_t k_empty[32], tau[32], psk[32], private_i[32], ephemeral_i[32];
    uint8_t public_r[32], ephemeral_public_i[32], secret[32], cookie[16];
};

static void read_values(struct values *x)
{
    const struct {
        const char *name;
        uint8_t *out;
        size_t size;
    } names[] = {
        {"C0", x->c0, 32},
        {"H0", x->h0, 32},
        {"C1", x->c1, 32},
        {"C2", x->c2, 32},
        {"C6", x->c6, 32},
        {"C7", x->c7, 32},
        {"k_static", x->k_static, 32},
        {"k_empty", x->k_empty, 32},
        {"tau", x->tau, 32},
        {"psk", x->psk, 32},
        {"Spriv_i", x->private_i, 32},
        {"Spub_r", x->public_r, 32},
        {"Epriv_i", x->ephemeral_i, 32},
        {"Epub_i", x->ephemeral_public_i, 32},
        {"cookie_secret", x->secret, 32},
        {"cookie", x->cookie, 16},
    };
    struct vectors v;
    size_t found = 0;
    vectors_open(&v, "tests/vectors/wireguard.txt");
    while (vectors_next(&v))
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (vectors_text(&v, names[i].name)) {
                assert_int_equal(vectors_bytes(&v, names[i].name, names[i].out,
                                               names[i].size),
                                 names[i].size);
                found++;
            }
    vectors_close(&v);
    assert_int_equal(found, sizeof names / sizeof *names);
}

static void the_hashes_that_wireguard_starts_with(void **state)
{
    (void)state;
    struct values x;
    uint8_t out[32];
    read_values(&x);
    blake2s_hash(out, text("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"), none);
    assert_memory_equal(out, x.c0, 32);
    blake2s_hash(out, bytes_of(x.c0, 32),
                 text("WireGuard v1 zx2c4 Jason@zx2c4.com"));
    assert_memory_equal(out, x.h0, 32);
}

/* They hold the HMAC as well. */
static void one_two_and_three_keys_of_a_handshake(void **state)
{
    (void)state;
    struct values x;
    uint8_t a[32], b[32], c[32], shared[32];
    read_values(&x);
    blake2s_hash_derive((uint8_t *[]){a}, 1, x.c0,
                        bytes_of(x.ephemeral_public_i, 32));
    assert_memory_equal(a, x.c1, 32);
    assert_true(x25519_shared(shared, x.ephemeral_i, x.public_r));
    blake2s_hash_derive((uint8_t *[]){a, b}, 2, a, bytes_of(shared, 32));
    assert_memory_equal(a, x.c2, 32);
    assert_memory_equal(b, x.k_static, 32);
    blake2s_hash_derive((uint8_t *[]){a, b, c}, 3, x.c6, bytes_of(x.psk, 32));
    assert_memory_equal(a, x.c7, 32);
    assert_memory_equal(b, x.tau, 32);
    assert_memory_equal(c, x.k_empty, 32);
    memset(c, 0, sizeof c);
    blake2s_hash_derive((uint8_t *[]){NULL, NULL, c}, 3, x.c6,
                        bytes_of(x.psk, 32));
    assert_memory_equal(c, x.k_empty, 32);
}

static void a_mac_has_its_key_inside(void **state)
{
    (void)state;
    struct values x;
    uint8_t out[16];
    static const uint8_t from[6] = {192, 0, 2, 2, 51820 >> 8, 51820 & 255};
    read_values(&x);
    blake2s_hash_mac(out, bytes_of(x.secret, 32), bytes_of(from, sizeof from));
    assert_memory_equal(out, x.cookie, 16);
    blake2s_hash_mac(out, bytes_of(x.secret, 31), bytes_of(from, sizeof from));
    assert_memory_not_equal(out, x.cookie, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_of_abc),
        cmocka_unit_test(the_hashes_that_wireguard_starts_with),
        cmocka_unit_test(one_two_and_three_keys_of_a_handshake),
        cmocka_unit_test(a_mac_has_its_key_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
