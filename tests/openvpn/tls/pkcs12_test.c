#include "gateway/crypto/pkcs12.h"

#include "tests/library.h"
#include "tests/unit.h"

#include <stdio.h>

#include "gateway/base/log.h"
#include "gateway/openvpn/tls/tls_context.h"

/* Written by `openssl pkcs12 -export` of OpenSSL 3.0 for one key and its
 * certificate; the first two hold the authority's too. */
#define VECTORS "tests/vectors/pkcs12/"

enum { FILE_MOST = 4096 };

struct file {
    size_t size;
    uint8_t data[FILE_MOST];
};

static struct bytes load(struct file *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, VECTORS "%s.p12", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be read", path);
    f->size = fread(f->data, 1, sizeof f->data, file);
    fclose(file);
    return bytes_of(f->data, f->size);
}

static enum pkcs12_result result_of(const char *name, const char *password)
{
    struct file f;
    struct pkcs12 p;
    struct bytes der = load(&f, name);
    enum pkcs12_result result = pkcs12_open(der, bytes_of_text(password), &p);
    if (result == PKCS12_OK)
        pkcs12_clear(&p);
    return result;
}

static const struct {
    const char *name, *password;
    size_t certificates;
} good[] = {
    {"aes256", "test", 2},
    {"empty_password", "", 2},
    {"no_mac", "test", 1},
    {"unencrypted", "test", 1},
    {"bare", "", 1},
    {"utf8_password",
     "\xc3\x9c"
     "bergr\xc3\xb6\xc3\x9f"
     "e\xf0\x9f\x94\x91",
     1},
    {"long_password", "0123456789012345678901234567890123456789", 1},
};

static void containers_of_openssl_3_open(void **state)
{
    (void)state;
    struct blob first_key = {0};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct file f;
        struct pkcs12 p;
        struct bytes der = load(&f, good[i].name);
        assert_int_equal(pkcs12_inspect(der), PKCS12_OK);
        if (pkcs12_open(der, bytes_of_text(good[i].password), &p) != PKCS12_OK)
            fail_msg("%s does not open", good[i].name);
        assert_int_equal(p.certificate_count, good[i].certificates);
        /* All hold the same key, as PKCS#8 in DER. */
        if (i == 0)
            assert_true(blob_set(&first_key, bytes_of(p.key.data, p.key.size)));
        assert_bytes_equal(bytes_of(p.key.data, p.key.size),
                           bytes_of(first_key.data, first_key.size));
        for (size_t k = 0; k < p.certificate_count; k++)
            assert_int_equal(p.certificates[k].data[0], 0x30);
        pkcs12_clear(&p);
        assert_null(p.key.data);
    }
    free(first_key.data);
}

static void a_wrong_password_is_told_from_damage(void **state)
{
    (void)state;
    assert_int_equal(result_of("aes256", "Test"), PKCS12_PASSWORD);
    assert_int_equal(result_of("aes256", ""), PKCS12_PASSWORD);
    assert_int_equal(result_of("empty_password", "x"), PKCS12_PASSWORD);
    assert_int_equal(result_of("utf8_password", "\xc3\x9c"), PKCS12_PASSWORD);
    /* Without a MAC the padding tells, but not for certain. */
    assert_int_not_equal(result_of("no_mac", "wrong"), PKCS12_OK);
    assert_int_not_equal(result_of("long_password", "01234567890123456789012345"
                                                    "6789012345678"),
                         PKCS12_OK);
    /* Bytes that are no UTF-8 are no password, and no harm. */
    assert_int_not_equal(result_of("aes256", "\xff\xc3"), PKCS12_OK);
    assert_int_not_equal(result_of("aes256", "test\xf0\x9f\x94"), PKCS12_OK);
}

/* Without a MAC. With one in 256 what comes out ends like a padding, and is no
 * container's part. */
static void each_wrong_password_is_told_as_one(void **state)
{
    (void)state;
    struct file f;
    struct pkcs12 p;
    struct bytes der = load(&f, "no_mac_one_round");
    assert_int_equal(result_of("no_mac_one_round", "right"), PKCS12_OK);
    for (int i = 0; i < 2000; i++) {
        char password[16];
        snprintf(password, sizeof password, "wrong %d", i);
        assert_int_equal(pkcs12_open(der, bytes_of_text(password), &p),
                         PKCS12_PASSWORD);
    }
}

static void outdated_encryption_is_refused_with_advice(void **state)
{
    (void)state;
    /* OpenSSL still has 3DES without its legacy provider. */
    const struct {
        const char *name;
        enum pkcs12_result result;
    } cases[] = {
        {"legacy_rc2", PKCS12_LEGACY},
        {"legacy_3des", library_is("openssl") ? PKCS12_OK : PKCS12_LEGACY},
    };
    for (size_t i = 0; i < 2; i++) {
        struct file f;
        struct bytes der = load(&f, cases[i].name);
        assert_int_equal(pkcs12_inspect(der), cases[i].result);
        assert_int_equal(result_of(cases[i].name, "test"), cases[i].result);
    }
    assert_non_null(
        strstr(pkcs12_text(PKCS12_LEGACY), "openssl pkcs12 -legacy"));
}

static void a_container_without_a_key_is_no_use(void **state)
{
    (void)state;
    assert_int_equal(result_of("no_key_at_all", "test"), PKCS12_MALFORMED);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct file f;
        struct bytes der = load(&f, good[i].name);
        for (size_t n = 0; n < der.size; n++) {
            uint8_t *copy = exact_copy(der.data, n);
            struct pkcs12 p;
            assert_int_not_equal(pkcs12_inspect(bytes_of(copy, n)), PKCS12_OK);
            assert_int_not_equal(pkcs12_open(bytes_of(copy, n),
                                             bytes_of_text(good[i].password),
                                             &p),
                                 PKCS12_OK);
            free(copy);
        }
    }
}

static void survives_changes(const char *name, const uint8_t *masks,
                             size_t count)
{
    struct file f;
    struct bytes der = load(&f, name);
    for (size_t i = 0; i < der.size * count; i++) {
        struct pkcs12 p;
        f.data[i / count] ^= masks[i % count];
        assert_int_not_equal(pkcs12_inspect(der), PKCS12_PASSWORD);
        if (pkcs12_open(der, bytes_of_text("test"), &p) == PKCS12_OK)
            pkcs12_clear(&p);
        f.data[i / count] ^= masks[i % count];
    }
}

static void every_changed_byte_is_survived(void **state)
{
    (void)state;
    static const uint8_t masks[] = {0x01, 0x20, 0x80, 0xff};
    survives_changes("bare", masks, sizeof masks);
    survives_changes("no_mac", masks, 1);
}

/* An attacker may ask for any amount of work. */
static void more_iterations_than_seconds_are_refused(void **state)
{
    (void)state;
    struct file f;
    struct bytes der = load(&f, "aes256");
    /* The MAC's iterations are the last thing in the file: 02 02 08 00. */
    assert_memory_equal(f.data + f.size - 4, "\x02\x02\x08\x00", 4);
    static const uint8_t many[] = {0x02, 0x04, 0x7f, 0xff, 0xff, 0xff};
    memcpy(f.data + f.size - 4, many, sizeof many);
    f.size += 2;
    der.size += 2;
    f.data[3] = (uint8_t)(f.data[3] + 2); /* the whole */
    size_t mac = f.size - 2 - 65 - 2;
    assert_int_equal(f.data[mac], 0x30);
    f.data[mac + 1] = (uint8_t)(f.data[mac + 1] + 2);
    struct pkcs12 p;
    assert_int_equal(pkcs12_inspect(der), PKCS12_MALFORMED);
    assert_int_equal(pkcs12_open(der, bytes_of_text("test"), &p),
                     PKCS12_MALFORMED);
    /* 16.7 millions: some seconds more than one would wait. */
    memcpy(f.data + f.size - 4, "\x01\x00\x00\x00", 4);
    assert_int_equal(pkcs12_inspect(der), PKCS12_MALFORMED);
}

/* --- In a profile -------------------------------------------------------- */

static void fill(void *context, uint8_t *out, size_t size)
{
    random_bytes(context, out, size);
}

static void quiet(void *context, enum log_level level, const char *line)
{
    snprintf(context, 256, "%d %s", (int)level, line);
}

static bool is_authority(const struct certificates *chain, size_t index)
{
    char name[DISTINGUISHED_NAME_SIZE];
    struct certificate c;
    assert_true(certificates_at(chain, index, &c));
    assert_true(distinguished_name_format(c.subject, name, sizeof name));
    return strstr(name, "CN=Test material CA") != NULL;
}

static void a_container_makes_a_tls_context(void **state)
{
    (void)state;
    static char logged[256];
    uint32_t seed = 3;
    const struct tls_random random = {&seed, fill};
    struct file f;
    struct bytes der = load(&f, "aes256");
    struct config c;
    config_init(&c);
    assert_true(blob_set(&c.pkcs12, der));
    assert_true(tls_context_needs_password(&c));

    struct tls_context t;
    log_set_sink(quiet, logged);
    assert_false(tls_context_init(&t, OPENVPN_CLIENT, &c,
                                  bytes_of_text("wrong"), &random));
    tls_context_clear(&t);
    assert_string_equal(logged, "0 tunnel: pkcs12: the password is wrong");
    assert_true(tls_context_init(&t, OPENVPN_CLIENT, &c, bytes_of_text("test"),
                                 &random));
    log_set_sink(NULL, NULL);
    /* Nothing else is trusted, so its authority is. */
    assert_int_equal(is_authority(t.authorities, 0), 1);
    assert_int_equal(certificates_count(t.authorities), 1);
    assert_int_equal(is_authority(t.own, 0), 0);
    assert_int_equal(certificates_count(t.own), 1);
    tls_context_clear(&t);
    config_clear(&c);
}

static void a_container_without_a_password_asks_for_none(void **state)
{
    (void)state;
    struct file f;
    struct config c;
    config_init(&c);
    assert_true(blob_set(&c.pkcs12, load(&f, "empty_password")));
    assert_false(tls_context_needs_password(&c));
    uint32_t seed = 3;
    const struct tls_random random = {&seed, fill};
    struct tls_context t;
    assert_true(
        tls_context_init(&t, OPENVPN_CLIENT, &c, bytes_of(NULL, 0), &random));
    tls_context_clear(&t);
    config_clear(&c);
}

static void an_authority_of_the_profile_goes_first(void **state)
{
    (void)state;
    struct file f;
    struct pkcs12 p;
    struct bytes der = load(&f, "aes256");
    assert_int_equal(pkcs12_open(der, bytes_of_text("test"), &p), PKCS12_OK);
    struct config c;
    config_init(&c);
    assert_true(blob_set(&c.pkcs12, der));
    /* Any certificate will do as the profile's own `ca`. */
    assert_true(blob_set(
        &c.ca, bytes_of(p.certificates[0].data, p.certificates[0].size)));
    pkcs12_clear(&p);
    uint32_t seed = 3;
    const struct tls_random random = {&seed, fill};
    struct tls_context t;
    assert_true(tls_context_init(&t, OPENVPN_CLIENT, &c, bytes_of_text("test"),
                                 &random));
    /* The container's authority is sent behind our certificate. */
    assert_int_equal(is_authority(t.own, 0), 0);
    assert_int_equal(certificates_count(t.own), 2);
    assert_int_equal(is_authority(t.own, 1), 1);
    assert_int_equal(certificates_count(t.authorities), 1);
    tls_context_clear(&t);
    config_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(containers_of_openssl_3_open),
        cmocka_unit_test(a_wrong_password_is_told_from_damage),
        cmocka_unit_test(each_wrong_password_is_told_as_one),
        cmocka_unit_test(outdated_encryption_is_refused_with_advice),
        cmocka_unit_test(a_container_without_a_key_is_no_use),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_changed_byte_is_survived),
        cmocka_unit_test(more_iterations_than_seconds_are_refused),
        cmocka_unit_test(a_container_makes_a_tls_context),
        cmocka_unit_test(a_container_without_a_password_asks_for_none),
        cmocka_unit_test(an_authority_of_the_profile_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
