#include "gateway/crypto/cbc_hmac.h"

#include "tests/unit.h"

static const char *const digests[] = {"SHA1",   "SHA224", "SHA256",
                                      "SHA384", "SHA512", "MD5"};

enum {
    DIGESTS = sizeof digests / sizeof *digests,
    STRIDE = 64 + CBC_HMAC_BLOCK_SIZE + 1600,
};

static struct cbc_hmac *by(enum aead_library library, size_t key_size,
                           const char *digest)
{
    uint8_t key[32], hmac[CBC_HMAC_DIGEST_MAX];
    uint32_t random = 5;
    random_bytes(&random, key, sizeof key);
    random_bytes(&random, hmac, sizeof hmac);
    struct cbc_hmac_keys keys = {digest, hmac, key, key_size};
    return cbc_hmac_new(library, &keys);
}

static void need_ipsecmb(void)
{
    struct cbc_hmac *c = by(AEAD_IPSECMB, 16, "SHA1");
    bool here = c;
    cbc_hmac_free(c);
    if (!here)
        skip();
}

/* A batch in `memory`: hmac, iv and blocks, and behind them what no job
 * owns. */
static void place(struct cbc_hmac_job *jobs, uint8_t *memory, uint32_t *random)
{
    for (size_t i = 0; i < CBC_HMAC_BATCH_MAX; i++)
        jobs[i] = (struct cbc_hmac_job){
            .hmac = memory + i * STRIDE,
            .iv = memory + i * STRIDE + 64,
            .size = 16 * (1 + next_random(random) % 100),
        };
}

static void check_agreement(size_t key_size, const char *digest)
{
    enum { ALL = CBC_HMAC_BATCH_MAX * STRIDE };
    static const enum aead_library libraries[] = {AEAD_IPSECMB, AEAD_PORTABLE};
    static uint8_t plain[ALL], memory[2][ALL];
    struct cbc_hmac *c[2];
    struct cbc_hmac_job jobs[2][CBC_HMAC_BATCH_MAX];
    uint32_t random = 9;
    random_bytes(&random, plain, sizeof plain);
    for (int i = 0; i < 2; i++) {
        uint32_t sizes = 3;
        c[i] = by(libraries[i], key_size, digest);
        assert_non_null(c[i]);
        memcpy(memory[i], plain, sizeof plain);
        place(jobs[i], memory[i], &sizes);
        cbc_hmac_seal(c[i], jobs[i], CBC_HMAC_BATCH_MAX);
    }
    assert_memory_equal(memory[0], memory[1], sizeof plain);
    assert_memory_not_equal(memory[0], plain, sizeof plain);

    /* each opens what the other sealed; nothing else was touched */
    for (int i = 0; i < 2; i++) {
        cbc_hmac_open(c[!i], jobs[i], CBC_HMAC_BATCH_MAX);
        for (size_t k = 0; k < CBC_HMAC_BATCH_MAX; k++) {
            size_t digest_size = cbc_hmac_digest_size(digest);
            assert_true(jobs[i][k].ok);
            memcpy(jobs[i][k].hmac, plain + k * STRIDE, digest_size);
        }
        assert_memory_equal(memory[i], plain, sizeof plain);
    }
    for (int i = 0; i < 2; i++)
        cbc_hmac_free(c[i]);
}

static void both_libraries_agree(void **state)
{
    (void)state;
    need_ipsecmb();
    for (size_t key_size = 16; key_size <= 32; key_size += 8)
        for (size_t i = 0; i < DIGESTS; i++)
            check_agreement(key_size, digests[i]);
}

/* One bad packet among good ones, for each byte of it. */
static void check_flips(enum aead_library library)
{
    enum { SIZE = 48, PACKET = 20 + CBC_HMAC_BLOCK_SIZE + SIZE, COUNT = 5 };
    struct cbc_hmac *c = by(library, 16, "SHA1");
    uint8_t memory[COUNT][PACKET], sealed[COUNT][PACKET];
    struct cbc_hmac_job jobs[COUNT];
    uint32_t random = 4;
    random_bytes(&random, memory, sizeof memory);
    for (size_t i = 0; i < COUNT; i++)
        jobs[i] = (struct cbc_hmac_job){
            .hmac = memory[i], .iv = memory[i] + 20, .size = SIZE};
    cbc_hmac_seal(c, jobs, COUNT);
    memcpy(sealed, memory, sizeof sealed);
    for (size_t at = 0; at < PACKET; at++) {
        size_t bad = at % COUNT;
        memcpy(memory, sealed, sizeof memory);
        memory[bad][at] ^= 0x40;
        cbc_hmac_open(c, jobs, COUNT);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(jobs[i].ok, i != bad);
    }
    cbc_hmac_free(c);
}

static void every_flipped_byte_is_refused_by_the_tls_library(void **state)
{
    (void)state;
    check_flips(AEAD_PORTABLE);
}

static void every_flipped_byte_is_refused_by_ipsecmb(void **state)
{
    (void)state;
    need_ipsecmb();
    check_flips(AEAD_IPSECMB);
}

/* Each has a copy of what the library prepared once. */
static void keys_that_live_at_once_do_not_meet(void **state)
{
    (void)state;
    enum { ALL = CBC_HMAC_BATCH_MAX * STRIDE };
    static uint8_t memory[DIGESTS][ALL], expected[ALL];
    struct cbc_hmac *c[DIGESTS];
    struct cbc_hmac_job jobs[CBC_HMAC_BATCH_MAX];
    need_ipsecmb();
    for (size_t i = 0; i < DIGESTS; i++)
        c[i] = by(AEAD_IPSECMB, 16, digests[i]);
    for (size_t i = 0; i < DIGESTS; i++) {
        uint32_t sizes = 3;
        place(jobs, memory[i], &sizes);
        cbc_hmac_seal(c[i], jobs, CBC_HMAC_BATCH_MAX);
    }
    for (size_t i = 0; i < DIGESTS; i++) {
        uint32_t sizes = 3;
        cbc_hmac_free(c[i]);
        struct cbc_hmac *alone = by(AEAD_PORTABLE, 16, digests[i]);
        memset(expected, 0, sizeof expected);
        place(jobs, expected, &sizes);
        cbc_hmac_seal(alone, jobs, CBC_HMAC_BATCH_MAX);
        cbc_hmac_free(alone);
        assert_memory_equal(memory[i], expected, sizeof expected);
    }
}

static void nothing_to_do_is_done(void **state)
{
    (void)state;
    struct cbc_hmac *c = by(AEAD_FASTEST, 16, "SHA1");
    cbc_hmac_seal(c, NULL, 0);
    cbc_hmac_open(c, NULL, 0);
    cbc_hmac_free(c);
    cbc_hmac_free(NULL);
}

static void digests_go_by_openvpns_names(void **state)
{
    (void)state;
    assert_int_equal(cbc_hmac_digest_size("SHA1"), 20);
    assert_int_equal(cbc_hmac_digest_size("sha512"), 64);
    assert_int_equal(cbc_hmac_digest_size("NONE"), 0);
    assert_int_equal(cbc_hmac_digest_size("BLAKE9"), 0);
    assert_null(by(AEAD_FASTEST, 16, "NONE"));
    assert_null(by(AEAD_FASTEST, 16, "BLAKE9"));
    /* what ipsec-mb lacks, the TLS library has */
    assert_null(by(AEAD_IPSECMB, 16, "RIPEMD160"));
    struct cbc_hmac *c = by(AEAD_FASTEST, 16, "RIPEMD160");
    assert_string_equal(cbc_hmac_library_name(c), TLS_LIBRARY);
    cbc_hmac_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_libraries_agree),
        cmocka_unit_test(every_flipped_byte_is_refused_by_the_tls_library),
        cmocka_unit_test(every_flipped_byte_is_refused_by_ipsecmb),
        cmocka_unit_test(keys_that_live_at_once_do_not_meet),
        cmocka_unit_test(nothing_to_do_is_done),
        cmocka_unit_test(digests_go_by_openvpns_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
