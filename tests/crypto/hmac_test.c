#include "gateway/crypto/hmac.h"

#include "gateway/crypto/digest.h"
#include "tests/crypto/vectors.h"
#include "tests/unit.h"

static struct hmac *keyed(const char *digest)
{
    struct hmac *h = hmac_new(digest, bytes_of_text("Jefe"));
    assert_non_null(h);
    return h;
}

static void the_rfcs_vectors_come_out(void **state)
{
    (void)state;
    const struct bytes text = bytes_of_text("what do ya want for nothing?");
    struct vectors v;
    size_t count = 0;
    vectors_open(&v, "tests/vectors/hmac.txt");
    for (; vectors_next(&v); count++) {
        uint8_t out[HMAC_SIZE_MAX], expected[HMAC_SIZE_MAX];
        struct hmac *h = keyed(vectors_text(&v, "digest"));
        size_t size = vectors_bytes(&v, "hmac", expected, sizeof expected);
        assert_int_equal(hmac_size(h), size);
        assert_true(hmac_make(h, &text, 1, out));
        assert_memory_equal(out, expected, size);
        hmac_free(h);
    }
    vectors_close(&v);
    assert_int_equal(count, 6);
}

/* Any number of messages with one key, each cut anywhere. */
static void a_message_may_come_in_parts(void **state)
{
    (void)state;
    const struct bytes text = bytes_of_text("what do ya want for nothing?");
    const struct bytes parts[] = {bytes_of(text.data, 7), bytes_of(NULL, 0),
                                  bytes_of(text.data + 7, 1),
                                  bytes_of(text.data + 8, text.size - 8)};
    uint8_t whole[HMAC_SIZE_MAX], some[HMAC_SIZE_MAX], all[HMAC_SIZE_MAX];
    struct hmac *h = keyed("SHA256");
    assert_true(hmac_make(h, &text, 1, whole));
    for (int i = 0; i < 3; i++) {
        assert_true(hmac_make(h, parts, 3, some));
        assert_memory_not_equal(some, whole, hmac_size(h));
        assert_true(hmac_make(h, parts, 4, all));
        assert_memory_equal(all, whole, hmac_size(h));
    }
    hmac_free(h);
}

static void unknown_digests_are_refused(void **state)
{
    (void)state;
    assert_null(hmac_new("NONE", bytes_of_text("Jefe")));
    assert_null(hmac_new("SHA3", bytes_of_text("Jefe")));
    assert_null(hmac_new("", bytes_of_text("Jefe")));
    hmac_free(NULL);
}

/* FIPS 180-2, B.1. */
static void sha256_of_abc_is_the_standards(void **state)
{
    (void)state;
    static const uint8_t expected[DIGEST_SHA256_SIZE] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
        0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
        0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t out[DIGEST_SHA256_SIZE];
    assert_true(digest_sha256(bytes_of_text("abc"), out));
    assert_memory_equal(out, expected, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_vectors_come_out),
        cmocka_unit_test(a_message_may_come_in_parts),
        cmocka_unit_test(unknown_digests_are_refused),
        cmocka_unit_test(sha256_of_abc_is_the_standards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
