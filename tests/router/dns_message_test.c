#include "gateway/router/dns_message.h"

#include "tests/packet/craft.h"
#include "tests/unit.h"

/* www.example.org, A, IN, recursion desired, with an OPT record of 1232. */
static const uint8_t known_query[] = {
    0x12, 0x34, 1,   0,   0,   1,   0,   0,   0,   0, 0,   1,   3,   'w', 'w',
    'w',  7,    'e', 'x', 'a', 'm', 'p', 'l', 'e', 3, 'o', 'r', 'g', 0,   0,
    1,    0,    1,   0,   0,   41,  4,   208, 0,   0, 0,   0,   0,   0};

/* An answer to it: an alias, and the address 192.0.2.33 of what it is for. */
static const uint8_t known_answer[] = {
    0x12, 0x34, 0x81, 0x80, 0,   1,    0,   2,    0,   0,    0,  0,   3,   'w',
    'w',  'w',  7,    'e',  'x', 'a',  'm', 'p',  'l', 'e',  3,  'o', 'r', 'g',
    0,    0,    1,    0,    1,   0xc0, 12,  0,    5,   0,    1,  0,   0,   0,
    90,   0,    6,    3,    'c', 'd',  'n', 0xc0, 16,  0xc0, 45, 0,   1,   0,
    1,    0,    0,    1,    44,  0,    4,   192,  0,   2,    33};

static void a_query_is_what_the_rfc_says(void **state)
{
    (void)state;
    uint8_t out[DNS_MESSAGE_QUERY_MAX];
    assert_int_equal(
        dns_message_query(out, "www.example.org", ADDRESS_IPV4, 0x1234),
        sizeof known_query);
    assert_memory_equal(out, known_query, sizeof known_query);
    assert_true(dns_message_query(out, "www.example.org", ADDRESS_IPV6, 1) > 0);
    assert_int_equal(out[30], 28);
    char label[70];
    memset(label, 'a', 64);
    label[64] = 0;
    assert_int_equal(dns_message_query(out, label, ADDRESS_IPV4, 1), 0);
}

static bool parse(struct bytes message, struct dns_message_answer *out)
{
    return dns_message_parse(message, bytes_of(known_query, sizeof known_query),
                             ADDRESS_IPV4, out);
}

static void an_answer_gives_addresses_and_the_least_ttl(void **state)
{
    (void)state;
    struct dns_message_answer a;
    assert_true(parse(bytes_of(known_answer, sizeof known_answer), &a));
    assert_int_equal(a.outcome, DNS_MESSAGE_ADDRESSES);
    assert_int_equal(a.count, 1);
    struct address expected = craft_address("192.0.2.33");
    assert_true(address_equal(&a.addresses[0], &expected));
    assert_int_equal(a.ttl, 90);
}

static void every_truncation_is_refused_or_unusable(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof known_answer; size++) {
        struct dns_message_answer a;
        uint8_t *copy = exact_copy(known_answer, size);
        assert_false(parse(bytes_of(copy, size), &a) &&
                     a.outcome == DNS_MESSAGE_ADDRESSES);
        free(copy);
    }
}

static void what_answers_another_question_is_refused(void **state)
{
    (void)state;
    struct dns_message_answer a;
    uint8_t m[sizeof known_answer];
    static const size_t places[] = {0, 1, 2, 5, 14, 20, 30, 32};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        memcpy(m, known_answer, sizeof m);
        m[places[i]] ^= 0x80;
        assert_false(parse(bytes_of(m, sizeof m), &a));
    }
}

static enum dns_message_outcome outcome(const uint8_t *message, size_t size)
{
    struct dns_message_answer a;
    assert_true(parse(bytes_of(message, size), &a));
    return a.outcome;
}

static void failures_and_missing_names_are_told_apart(void **state)
{
    (void)state;
    uint8_t m[sizeof known_answer];
    memcpy(m, known_answer, sizeof m);
    m[2] |= 2; /* truncated */
    assert_int_equal(outcome(m, sizeof m), DNS_MESSAGE_TRUNCATED);
    m[2] &= 0xfd;
    m[3] = 0x82; /* server failure */
    assert_int_equal(outcome(m, sizeof m), DNS_MESSAGE_FAILURE);
    m[3] = 0x80;
    m[7] = 1; /* an alias of nothing that is told */
    assert_int_equal(outcome(m, 33 + 18), DNS_MESSAGE_NO_ADDRESS);
    m[7] = 0; /* a name, but no such address */
    assert_int_equal(outcome(m, 33), DNS_MESSAGE_NO_ADDRESS);
    m[3] = 0x83; /* no such name */
    assert_int_equal(outcome(m, 33), DNS_MESSAGE_NO_NAME);
    m[3] = 0x80;
    m[7] = 2; /* more than it has */
    assert_int_equal(outcome(m, 33), DNS_MESSAGE_FAILURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_what_the_rfc_says),
        cmocka_unit_test(an_answer_gives_addresses_and_the_least_ttl),
        cmocka_unit_test(every_truncation_is_refused_or_unusable),
        cmocka_unit_test(what_answers_another_question_is_refused),
        cmocka_unit_test(failures_and_missing_names_are_told_apart),
    };
    return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
