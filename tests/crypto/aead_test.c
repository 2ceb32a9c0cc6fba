#include "gateway/crypto/aead.h"

#include "tests/crypto/vectors.h"
#include "tests/unit.h"

static const char *const names[AEAD_CIPHER_COUNT] = {
    "AES-128-GCM",
    "AES-192-GCM",
    "AES-256-GCM",
    "CHACHA20-POLY1305",
};

static const enum aead_library libraries[] = {AEAD_IPSECMB, AEAD_PORTABLE};

static enum aead_cipher cipher_of(const char *name)
{
    for (int c = 0; c < AEAD_CIPHER_COUNT; c++)
        if (!strcmp(names[c], name))
            return (enum aead_cipher)c;
    fail_msg("no such cipher: %s", name);
    return AEAD_CIPHER_COUNT;
}

/* The fast library needs a CPU that not every machine has. */
static void need_ipsecmb(void)
{
    uint8_t key[32] = {0};
    struct aead *aead = aead_new(AEAD_IPSECMB, AEAD_AES_128_GCM, key);
    bool here = aead;
    aead_free(aead);
    if (!here)
        skip();
}

/* A packet on the heap in pieces of exactly their sizes. */
struct packet {
    struct aead_job job;
    uint8_t *associated;
};

static struct packet packet_of(struct bytes data, struct bytes associated,
                               const uint8_t *nonce, struct bytes tag)
{
    struct packet p = {.associated =
                           exact_copy(associated.data, associated.size)};
    p.job = (struct aead_job){
        .data = exact_copy(data.data, data.size),
        .tag = exact_copy(tag.data, tag.size),
        .associated = p.associated,
        .size = (uint32_t)data.size,
        .associated_size = (uint16_t)associated.size,
    };
    memcpy(p.job.nonce, nonce, AEAD_NONCE_SIZE);
    return p;
}

static void packet_free(struct packet *p)
{
    free(p->job.data);
    free(p->job.tag);
    free(p->associated);
}

static void check_vector(const struct vectors *v, enum aead_library library)
{
    uint8_t key[32], nonce[AEAD_NONCE_SIZE], associated[64], plain[512];
    uint8_t sealed[512], tag[AEAD_TAG_SIZE], no_tag[AEAD_TAG_SIZE] = {0};
    enum aead_cipher cipher = cipher_of(vectors_text(v, "cipher"));
    assert_int_equal(vectors_bytes(v, "key", key, sizeof key),
                     aead_key_size(cipher));
    assert_int_equal(vectors_bytes(v, "nonce", nonce, sizeof nonce),
                     sizeof nonce);
    size_t size = vectors_bytes(v, "plain", plain, sizeof plain);
    assert_int_equal(vectors_bytes(v, "sealed", sealed, sizeof sealed), size);
    assert_int_equal(vectors_bytes(v, "tag", tag, sizeof tag), sizeof tag);
    struct bytes with =
        bytes_of(associated,
                 vectors_bytes(v, "associated", associated, sizeof associated));

    struct aead *aead = aead_new(library, cipher, key);
    assert_non_null(aead);
    struct packet p = packet_of(bytes_of(plain, size), with, nonce,
                                bytes_of(no_tag, sizeof no_tag));
    aead_seal(aead, &p.job, 1);
    assert_memory_equal(p.job.data, sealed, size);
    assert_memory_equal(p.job.tag, tag, sizeof tag);
    aead_open(aead, &p.job, 1);
    assert_true(p.job.ok);
    assert_memory_equal(p.job.data, plain, size);
    packet_free(&p);
    aead_free(aead);
}

static void check_vectors(enum aead_library library)
{
    struct vectors v;
    int count = 0;
    vectors_open(&v, "tests/vectors/aead.txt");
    for (; vectors_next(&v); count++)
        check_vector(&v, library);
    vectors_close(&v);
    assert_int_equal(count, 8);
}

static void known_vectors_with_the_tls_library(void **state)
{
    (void)state;
    check_vectors(AEAD_PORTABLE);
}

static void known_vectors_with_ipsecmb(void **state)
{
    (void)state;
    need_ipsecmb();
    check_vectors(AEAD_IPSECMB);
}

/* Seals with both, compares, and lets each open what the other sealed. */
static void compare(struct aead *const pair[2], uint32_t *s, uint32_t size)
{
    uint8_t *plain = malloc(size + 1);
    uint8_t nonce[AEAD_NONCE_SIZE], associated[20], no_tag[AEAD_TAG_SIZE] = {0};
    random_bytes(s, plain, size);
    random_bytes(s, nonce, sizeof nonce);
    random_bytes(s, associated, sizeof associated);
    struct bytes with = bytes_of(associated, next_random(s) % 21);

    struct packet p[2];
    for (int i = 0; i < 2; i++) {
        p[i] = packet_of(bytes_of(plain, size), with, nonce,
                         bytes_of(no_tag, sizeof no_tag));
        aead_seal(pair[i], &p[i].job, 1);
    }
    assert_memory_equal(p[0].job.data, p[1].job.data, size);
    assert_memory_equal(p[0].job.tag, p[1].job.tag, AEAD_TAG_SIZE);
    for (int i = 0; i < 2; i++) {
        aead_open(pair[!i], &p[i].job, 1);
        assert_true(p[i].job.ok);
        assert_memory_equal(p[i].job.data, plain, size);
        packet_free(&p[i]);
    }
    free(plain);
}

static void both_libraries_agree_at_every_size(void **state)
{
    (void)state;
    need_ipsecmb();
    uint32_t s = 1;
    for (int c = 0; c < AEAD_CIPHER_COUNT; c++) {
        uint8_t key[32];
        random_bytes(&s, key, sizeof key);
        struct aead *pair[2];
        for (int i = 0; i < 2; i++)
            pair[i] = aead_new(libraries[i], (enum aead_cipher)c, key);
        for (uint32_t size = 0; size <= 1600; size++)
            compare(pair, &s, size);
        for (int i = 0; i < 100; i++)
            compare(pair, &s, 1600 + next_random(&s) % (65536 - 1600));
        compare(pair, &s, 65535);
        for (int i = 0; i < 2; i++)
            aead_free(pair[i]);
    }
}

static void check_flips(enum aead_library library)
{
    enum { SIZE = 83, ASSOCIATED = 8 };
    uint32_t s = 2;
    for (int c = 0; c < AEAD_CIPHER_COUNT; c++) {
        uint8_t key[32], nonce[AEAD_NONCE_SIZE];
        /* what is authenticated, in one piece: associated, data, tag */
        uint8_t wire[ASSOCIATED + SIZE + AEAD_TAG_SIZE];
        random_bytes(&s, key, sizeof key);
        random_bytes(&s, nonce, sizeof nonce);
        random_bytes(&s, wire, sizeof wire);
        struct aead *aead = aead_new(library, (enum aead_cipher)c, key);
        struct aead_job job = {
            .data = wire + ASSOCIATED,
            .tag = wire + ASSOCIATED + SIZE,
            .associated = wire,
            .size = SIZE,
            .associated_size = ASSOCIATED,
        };
        memcpy(job.nonce, nonce, sizeof nonce);
        aead_seal(aead, &job, 1);
        uint8_t sealed[sizeof wire];
        memcpy(sealed, wire, sizeof wire);
        for (size_t bit = 0; bit < 8 * sizeof wire; bit++) {
            memcpy(wire, sealed, sizeof wire);
            wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
            job.ok = true;
            aead_open(aead, &job, 1);
            assert_false(job.ok);
        }
        for (size_t bit = 0; bit < 8 * sizeof nonce; bit++) {
            memcpy(wire, sealed, sizeof wire);
            memcpy(job.nonce, nonce, sizeof nonce);
            job.nonce[bit / 8] ^= (uint8_t)(1 << bit % 8);
            aead_open(aead, &job, 1);
            assert_false(job.ok);
        }
        aead_free(aead);
    }
}

static void every_flipped_bit_is_refused_by_the_tls_library(void **state)
{
    (void)state;
    check_flips(AEAD_PORTABLE);
}

static void every_flipped_bit_is_refused_by_ipsecmb(void **state)
{
    (void)state;
    need_ipsecmb();
    check_flips(AEAD_IPSECMB);
}

/* Jobs of one call do not disturb each other, nor does a bad one among them. */
static void check_batch(enum aead_library library)
{
    enum { STRIDE = 1700 };
    uint32_t s = 3;
    uint8_t *memory = malloc((size_t)AEAD_BATCH_MAX * STRIDE);
    for (int c = 0; c < AEAD_CIPHER_COUNT; c++) {
        uint8_t key[32], *plain = malloc((size_t)AEAD_BATCH_MAX * STRIDE);
        struct aead_job jobs[AEAD_BATCH_MAX];
        random_bytes(&s, key, sizeof key);
        random_bytes(&s, memory, (size_t)AEAD_BATCH_MAX * STRIDE);
        struct aead *aead = aead_new(library, (enum aead_cipher)c, key);
        for (size_t i = 0; i < AEAD_BATCH_MAX; i++) {
            uint8_t *at = memory + i * STRIDE;
            jobs[i] = (struct aead_job){
                .data = at + 24,
                .tag = at + 8,
                .associated = at,
                .size = next_random(&s) % (STRIDE - 24),
                .associated_size = 8,
            };
            random_bytes(&s, jobs[i].nonce, sizeof jobs[i].nonce);
        }
        memcpy(plain, memory, (size_t)AEAD_BATCH_MAX * STRIDE);
        aead_seal(aead, jobs, AEAD_BATCH_MAX);
        memory[5 * STRIDE] ^= 1;
        aead_open(aead, jobs, AEAD_BATCH_MAX);
        for (size_t i = 0; i < AEAD_BATCH_MAX; i++) {
            assert_int_equal(jobs[i].ok, i != 5);
            /* behind its end nothing was written */
            size_t size = i == 5 ? 0 : jobs[i].size;
            size_t end = 24 + jobs[i].size;
            assert_memory_equal(jobs[i].data, plain + i * STRIDE + 24, size);
            assert_memory_equal(memory + i * STRIDE + end,
                                plain + i * STRIDE + end, STRIDE - end);
        }
        aead_free(aead);
        free(plain);
    }
    free(memory);
}

static void a_batch_goes_round_with_the_tls_library(void **state)
{
    (void)state;
    check_batch(AEAD_PORTABLE);
}

static void a_batch_goes_round_with_ipsecmb(void **state)
{
    (void)state;
    need_ipsecmb();
    check_batch(AEAD_IPSECMB);
}

static void the_library_asked_for_is_the_one_picked(void **state)
{
    (void)state;
    uint8_t key[32] = {1};
    struct aead *portable = aead_new(AEAD_PORTABLE, AEAD_AES_256_GCM, key);
    assert_string_equal(aead_library_name(portable), TLS_LIBRARY);
    aead_free(portable);
    struct aead *ipsecmb = aead_new(AEAD_IPSECMB, AEAD_AES_256_GCM, key);
    struct aead *fastest = aead_new(AEAD_FASTEST, AEAD_AES_256_GCM, key);
    assert_string_equal(aead_library_name(fastest),
                        ipsecmb ? "ipsec-mb" : TLS_LIBRARY);
    aead_free(ipsecmb);
    aead_free(fastest);
    aead_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors_with_the_tls_library),
        cmocka_unit_test(known_vectors_with_ipsecmb),
        cmocka_unit_test(both_libraries_agree_at_every_size),
        cmocka_unit_test(every_flipped_bit_is_refused_by_the_tls_library),
        cmocka_unit_test(every_flipped_bit_is_refused_by_ipsecmb),
        cmocka_unit_test(a_batch_goes_round_with_the_tls_library),
        cmocka_unit_test(a_batch_goes_round_with_ipsecmb),
        cmocka_unit_test(the_library_asked_for_is_the_one_picked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
