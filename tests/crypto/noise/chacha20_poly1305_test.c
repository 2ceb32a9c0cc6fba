#include "gateway/crypto/noise/chacha20_poly1305.h"

#include "tests/crypto/vectors.h"
#include "tests/unit.h"

struct sample {
    uint8_t key[32], nonce[24], associated[16], plain[128], sealed[160];
    size_t nonce_size, associated_size, plain_size, sealed_size;
};

static void seal(const struct sample *s, uint8_t *out)
{
    struct bytes plain = bytes_of(s->plain, s->plain_size);
    struct bytes with = bytes_of(s->associated, s->associated_size);
    if (s->nonce_size == CHACHA20_POLY1305_LONG_NONCE_SIZE)
        chacha20_poly1305_seal_long(out, plain, with, s->nonce, s->key);
    else
        chacha20_poly1305_seal(out, plain, with, s->nonce, s->key);
}

static bool open(const struct sample *s, struct bytes sealed, uint8_t *out)
{
    struct bytes with = bytes_of(s->associated, s->associated_size);
    return s->nonce_size == CHACHA20_POLY1305_LONG_NONCE_SIZE
               ? chacha20_poly1305_open_long(out, sealed, with, s->nonce,
                                             s->key)
               : chacha20_poly1305_open(out, sealed, with, s->nonce, s->key);
}

static void check(const struct sample *s)
{
    uint8_t out[160], back[160];
    seal(s, out);
    assert_int_equal(s->sealed_size, s->plain_size + 16);
    assert_memory_equal(out, s->sealed, s->sealed_size);
    assert_true(open(s, bytes_of(s->sealed, s->sealed_size), back));
    assert_memory_equal(back, s->plain, s->plain_size);
    for (size_t size = 0; size < s->sealed_size; size++) {
        uint8_t *cut = exact_copy(s->sealed, size);
        assert_false(open(s, bytes_of(cut, size), back));
        free(cut);
    }
    for (size_t bit = 0; bit < 8 * s->sealed_size; bit++) {
        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(open(s, bytes_of(out, s->sealed_size), back));
        out[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    struct sample other = *s;
    other.associated[0] ^= 1;
    assert_false(open(&other, bytes_of(s->sealed, s->sealed_size), back));
}

static void known_vectors_and_nothing_near_them(void **state)
{
    (void)state;
    struct vectors v;
    int count = 0;
    vectors_open(&v, "tests/vectors/noise.txt");
    while (vectors_next(&v)) {
        struct sample s = {0};
        if (!vectors_text(&v, "sealed"))
            continue;
        vectors_bytes(&v, "key", s.key, sizeof s.key);
        s.nonce_size = vectors_bytes(&v, "nonce", s.nonce, sizeof s.nonce);
        s.associated_size =
            vectors_bytes(&v, "associated", s.associated, sizeof s.associated);
        s.plain_size = vectors_bytes(&v, "plain", s.plain, sizeof s.plain);
        s.sealed_size = vectors_bytes(&v, "sealed", s.sealed, sizeof s.sealed);
        check(&s);
        count++;
    }
    vectors_close(&v);
    assert_int_equal(count, 2);
}

static void an_empty_message_is_its_tag(void **state)
{
    (void)state;
    struct sample s = {.nonce_size = 12};
    uint8_t tag[16];
    seal(&s, tag);
    assert_true(open(&s, bytes_of(tag, sizeof tag), NULL));
    tag[3] ^= 1;
    assert_false(open(&s, bytes_of(tag, sizeof tag), NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors_and_nothing_near_them),
        cmocka_unit_test(an_empty_message_is_its_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
